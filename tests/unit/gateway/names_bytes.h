/* What clients say, put together for tests of readers of server names (and for their fuzzers). */
#ifndef TEST_NAMES_BYTES_H
#define TEST_NAMES_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_BYTES_MAX 200000

/* Static in its test, for its size. */
struct names_bytes {
	size_t size;
	uint8_t data[NAMES_BYTES_MAX];
};

void names_put(struct names_bytes *bytes, const void *data, size_t size);
void names_put_text(struct names_bytes *bytes, const char *text);
/* The same byte so many times. */
void names_put_run(struct names_bytes *bytes, char byte, size_t count);
/* Most significant byte first, as everywhere in TLS and QUIC. */
void names_put_number(struct names_bytes *bytes, unsigned size, uint64_t number);
/* Writes the length of what follows `at` into the `size` bytes before it. */
void names_end_vector(struct names_bytes *bytes, unsigned size, size_t at);

/* Adds a record of TLS. */
void names_put_record(struct names_bytes *bytes, unsigned type, const void *data, size_t size);
/* Adds a message as handshake records of `each` bytes at most. */
void names_put_records(struct names_bytes *bytes, const struct names_bytes *message,
		       size_t each);

/*
 * Becomes a ClientHello message with a server_name (none for NULL) and then the extensions that stand in hex, as
 * "002b 0003 020304".
 */
void names_make_hello(struct names_bytes *hello, const char *name, const char *extensions);
/* The same, with that very server_name extension body. */
void names_make_odd_hello(struct names_bytes *hello, const char *server_name_hex);

/* What TLS 1.3 has in its ClientHello, so that a second one may follow. */
#define NAMES_TLS13 "002b 0003 020304"

/* Hex digits, spaces skipped. */
void names_put_hex(struct names_bytes *bytes, const char *hex);

/* As a string, up to its next change. */
const char *names_text(struct names_bytes *bytes);

#endif
