/*
 * What a reader of a stream says to bytes, as text. Whatever pieces they come in, it must be the same: so each
 * expectation is tried with all at once, byte by byte, and cut in two everywhere.
 */
#ifndef TEST_NAMES_FIXTURE_H
#define TEST_NAMES_FIXTURE_H

#include "gateway/server_name.h"
#include "names_bytes.h"
#include "support/test.h"

/* The events, a line for each, with where they came and how much was held then; at last what is held in the end. */
struct names_log {
	char text[8192];
	size_t size;
	size_t decided; /* how many bytes had come with DONE; 0: it was not said */
	char fault[128];
};

/* Feeds pieces of `each` bytes, the first one of `first`. */
void names_run(const void *stream, size_t size, size_t first, size_t each,
	       struct names_log *log);

/*
 * `format` makes the log that is expected:
 *
 *	"name good.test 45 45\n"      after 45 bytes, of which the last 45 are held
 *	"missing 45 45\n", "hidden NAME 45 45\n", "unreadable 45 45\n"
 *	"wait 45\n"                   the end of the log: nothing more is fed
 *	"done\n"
 *	"held 5\n"                    always the last line, but not after wait
 */
void names_expect(const void *stream, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* How many bytes of a first request go on before it is judged: its method, and its target as far as it is neither path nor URL. */
size_t names_harmless(const char *request);

/* Two texts in one, up to the next call. */
const char *names_join(const char *first, const char *second);

/* The bytes are not looked at any more after so many of them. */
void names_expect_done(const void *stream, size_t size, size_t decided);

/* The last event is UNREADABLE with that fault (NULL: any). */
void names_expect_fault(const void *stream, size_t size, const char *fault);

#endif
