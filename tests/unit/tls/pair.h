/*
 * A client and a server of TLS in memory, and what carries bytes between them.
 *
 *	struct pair p;
 *
 *	pair_init(&p);				(a root, and a certificate of a.test by it, that the client trusts)
 *	p.config[SERVER].min_version = ...;	(whatever the test is about)
 *	pair_open(&p, "a.test");
 *	assert_int_equal(pair_run(&p), 0);
 *	...
 *	pair_finish(&p);
 */
#ifndef TEST_TLS_PAIR_H
#define TEST_TLS_PAIR_H

#include <haven/socket.h>
#include <haven/tls.h>

#include "support/certificates.h"
#include "support/test.h"

enum { CLIENT, SERVER };

struct pair {
	struct test_env env;
	struct test_certificate root, leaf;
	char *root_pem, *chain, *key; /* of root, of leaf */
	struct haven_tls_identity identity;
	struct haven_tls_config config[2];
	struct haven_tls_context *context[2];
	struct haven_tls *end[2];
	struct haven_tls_error error; /* of what could not be made */
	int64_t wall;
	uint64_t now_ns;
	size_t step;	     /* bytes handed over at a time; 0: all */
	uint64_t carried[2]; /* bytes sent by each end */
};

void pair_init(struct pair *p);
/* Contexts that are not there yet, and a connection. */
void pair_contexts(struct pair *p);
void pair_open(struct pair *p, const char *name);
/* Carry bytes until nothing moves. */
void pair_run(struct pair *p);
/* One direction, once; returns the bytes that were taken. Stops at what is not taken. */
size_t pair_carry(struct pair *p, int from);
/* Open, run, and fail the test unless both are connected. */
void pair_connect(struct pair *p, const char *name);
/* End both connections; the contexts stay. */
void pair_close(struct pair *p);
void pair_finish(struct pair *p);

/* Fails unless this end failed so, with a text that has this in it. */
void expect_error(const struct pair *p, int end, enum haven_tls_error_code code,
		  const char *text);
/* Send from one end to the other, and compare. */
void expect_message(struct pair *p, int from, const char *text);
struct haven_tls_info info_of(const struct pair *p, int end);

#endif
