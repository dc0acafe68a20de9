/*
 * A peer that is OpenSSL itself, for what ours never does: old versions, odd groups, key updates, records of the test's own making. Takes
 * the other side of one end of a pair.
 */
#ifndef TEST_TLS_RAW_H
#define TEST_TLS_RAW_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/pair.h"

struct raw {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
};

/* A server has the pair's certificate; a client verifies nothing. Change raw->context, then raw_open(). */
void raw_init(struct raw *raw, struct pair *p, int role);
void raw_open(struct raw *raw, int role);
void raw_finish(struct raw *raw);
/* Only this end of the pair, with its context. */
void pair_open_one(struct pair *p, int end, const char *name);
/* Let both go on until nothing moves. */
void raw_run(struct raw *raw, struct pair *p, int end);
/* What the raw peer wants to say goes to the end. Returns the bytes taken. */
size_t raw_to_end(struct raw *raw, struct haven_tls *end);
size_t end_to_raw(struct haven_tls *end, struct raw *raw);

#endif
