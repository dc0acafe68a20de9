/* Names and texts of errors, from the one list in <haven/error.h>. */
#include <haven/error.h>

#include <stddef.h>

const char *haven_strerror(int error)
{
	switch (error < 0 ? -error : error) {
#define X(name, text) \
	case name:    \
		return text;
		HAVEN_ERROR_MAP(X)
#undef X
	case 0:
		return "success";
	default:
		return "unknown error";
	}
}

const char *haven_errname(int error)
{
	switch (error < 0 ? -error : error) {
#define X(name, text) \
	case name:    \
		return #name;
		HAVEN_ERROR_MAP(X)
#undef X
	default:
		return NULL;
	}
}
