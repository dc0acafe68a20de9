/*
 * A gateway with a guest's stack on a wire in memory, and a resolver that is a pair of sockets of the test: what a guest
 * asks can be followed from end to end, and the test says what the resolver does.
 *
 *	guest 10.0.2.100, fd00::100 -- wire -- gateway, DNS at 10.0.2.3 -- 127.0.0.1 -- resolver
 */
#ifndef TEST_DNS_WORLD_H
#define TEST_DNS_WORLD_H

#include <haven/socket.h>

#include "dns_build.h"
#include "gateway/dns_state.h"

struct dns_world {
	struct hv_log log;
	struct hv_gateway *gateway;
	struct haven_stack *guest;
	unsigned ifindex;
	struct haven_socket *udp; /* of the guest, connected to the DNS address */
	int resolver_udp, resolver_listener;
	struct sockaddr_in
		asked_from; /* where the last question to the resolver's UDP came from */
	char told[4096];    /* what the watcher was told: "name address ttl" a line */
	const char *wanted; /* the one name that may be asked for; NULL: all */
};

/* names: --host-name. */
void dns_world_init(struct dns_world *w, const struct hv_dns_static_name *names, size_t count);
void dns_world_finish(struct dns_world *w);

/* The resolver is 127.0.0.1 at this port, and nobody else. */
void dns_world_resolver(struct dns_world *w, uint16_t port);
uint16_t dns_world_port(const struct dns_world *w);

/* One turn of both. */
void dns_world_turn(struct dns_world *w);
/* Turns until done() holds; fails when it does not within ten seconds. */
void dns_world_run(struct dns_world *w, bool (*done)(void *ctx), void *ctx);
/* So many turns that whatever goes on by itself has come to its end. */
void dns_world_settle(struct dns_world *w);

/* --- the guest ---------------------------------------------------------------------------- */

/* Send a question from its UDP socket. */
void guest_ask(struct dns_world *w, const struct build *question);
/* The next answer there, waited for. */
void guest_answer(struct dns_world *w, struct build *answer);
bool guest_has_answer(struct dns_world *w);
/* A TCP connection to the DNS address, established. */
struct haven_socket *guest_connect(struct dns_world *w);
/* Send all of it. */
void guest_send(struct dns_world *w, struct haven_socket *socket, const void *data,
		size_t size);
/* A message with its length before it. */
void guest_ask_tcp(struct dns_world *w, struct haven_socket *socket,
		   const struct build *question);
void guest_answer_tcp(struct dns_world *w, struct haven_socket *socket, struct build *answer);
/* 0: its end (FIN); else the negative errno by which the connection ended. */
int guest_end(struct dns_world *w, struct haven_socket *socket);

/* --- the resolver ------------------------------------------------------------------------- */

/* The next question, waited for. */
void resolver_question(struct dns_world *w, struct build *question);
bool resolver_is_asked(struct dns_world *w);
/* Answer whoever asked last: answer's identifier is that of `question`. */
void resolver_answer(struct dns_world *w, const struct build *question, struct build *answer);
int resolver_accept(struct dns_world *w);
void resolver_question_tcp(struct dns_world *w, int fd, struct build *question);
void resolver_answer_tcp(struct dns_world *w, int fd, const struct build *question,
			 struct build *answer);

#endif
