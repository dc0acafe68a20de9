/* Domain names: lower case, no final dot, at most 253 characters (RFC 1035 section 2.3.4). */
#ifndef HV_FILTER_NAME_H
#define HV_FILTER_NAME_H

#include <haven/filter.h>

/*
 * Whatever a DNS answer or a flow says, as long as it is printable ASCII without empty labels: a rule that denies *.example.org
 * means all of them. Returns the length, or -EINVAL. `out` is written in any case.
 */
int hv_name_canonical(const char *text, size_t size, char out[HAVEN_NAME_SIZE]);

/* Lower case of ASCII, whatever the locale. */
static inline char hv_name_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#endif
