/*
 * TLS on the sockets of two stacks: what the scenarios of it share.
 *
 *	struct secure s;
 *
 *	secure_init(&s, &(struct world_options){0});	(contexts for a.test; change s.config[] before the first connection)
 *	secure_connect(&s);
 *	...
 *	secure_close(&s);
 *	secure_finish(&s);
 */
#ifndef SCENARIO_TLS_SUPPORT_H
#define SCENARIO_TLS_SUPPORT_H

#include <haven/tls.h>

#include "support.h"
#include "support/certificates.h"

enum { TLS_PORT = 443 };

/* Contexts of both sides, in the environments of their stacks. */
struct secure {
	struct world w;
	struct test_certificate root, leaf;
	char *trust, *chain, *key;
	struct haven_tls_config config[2];
	struct haven_tls_context *context[2];
	struct haven_socket *client, *server;
};

void secure_init(struct secure *s, const struct world_options *options);
void secure_finish(struct secure *s);
/* Once; secure_open() does it when need be. */
void secure_contexts(struct secure *s);
/* Both have TCP, and TLS is about to begin: the client asks for this name. */
void secure_open(struct secure *s, const char *name);
/* As a.test, until both are connected. */
void secure_connect(struct secure *s);
/* Close both ends, and nothing is left of them. */
void secure_close(struct secure *s);

/* What a program does: take from both queues what is ready. */
void drain(struct world *w);
/* As wait_events(), draining all along. */
void wait_for(struct world *w, struct haven_socket *socket, unsigned events);
const struct haven_tls_error *error_of(const struct haven_socket *socket);

/* For world_run(): two transfers at once; ctx is a struct both. */
struct both {
	struct world *w;
	struct transfer up, down;
};
bool both_done(void *ctx);

#endif
