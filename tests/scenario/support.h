/*
 * Two stacks, a wire in memory between them, and a clock that only moves when both are idle.
 *
 *	left   10.0.0.1/24   fd00::1/64
 *	right  10.0.0.2/24   fd00::2/64
 *
 * A scenario makes a world, makes calls, and lets the world run until something holds:
 *
 *	struct world w;
 *
 *	world_init(&w, &(struct world_options){.mtu = 1500});
 *	...
 *	world_run(&w, until, ctx, 5 * SECOND);		(fails when it does not come true in time)
 *	world_finish(&w);				(fails when anything was not given back)
 */
#ifndef SCENARIO_SUPPORT_H
#define SCENARIO_SUPPORT_H

#include <netinet/in.h>

#include <haven/forward.h>
#include <haven/link.h>
#include <haven/socket.h>
#include <haven/stack.h>

#include "support/test.h"

#define MILLISECOND UINT64_C(1000000)
#define SECOND	    UINT64_C(1000000000)

enum { LEFT, RIGHT };

struct world {
	uint64_t now_ns;
	struct test_env env[2];
	struct haven_stack *stack[2];
	struct haven_link *link[2];
	unsigned ifindex[2];
	uint64_t turns;
};

struct world_options {
	uint64_t seed;
	uint32_t mtu;	  /* 0: 1500 */
	bool no_offloads; /* every packet as it would be on a wire */
	unsigned queue;	  /* packets that the wire holds; 0: the default */
	const char *
		fault; /* words of haven_fault_parse(), as the left stack sees them; NULL: none */
	/* Of the right stack. */
	bool any_address; /* takes what is for any address: the left one routes all to it */
	const struct haven_forwarder *forwarder;
	/* Changes to the configuration of both; may be NULL. side: LEFT, RIGHT. */
	void (*configure)(struct haven_stack_config *config, int side);
};

void world_init(struct world *w, const struct world_options *options);
/* Close nothing, free everything; fails when memory is left. */
void world_finish(struct world *w);
/* Move packets and fire what is due, until both stacks have nothing to do now. */
void world_settle(struct world *w);
/* Settle, and go on through time until done() holds, at most `limit_ns`. done may make socket calls. */
void world_run(struct world *w, bool (*done)(void *ctx), void *ctx, uint64_t limit_ns);
/* Let that much time go by. */
void world_pass(struct world *w, uint64_t duration_ns);

/* Addresses: 10.0.0.n or fd00::n; n 0: any. With port; v6 as said. */
struct sockaddr_storage address_of(bool v6, uint8_t n, uint16_t port);
socklen_t address_size(bool v6);
/* The same from text. */
struct sockaddr_storage address_text(const char *text, uint16_t port);
struct haven_endpoint endpoint_text(const char *text, uint16_t port);

/* Sockets, failing the test when the call does. */
struct haven_socket *stream_new(struct world *w, int side, bool v6);
struct haven_socket *datagram_new(struct world *w, int side, bool v6);
struct haven_socket *listen_on(struct world *w, int side, bool v6, uint16_t port, int backlog);
/* Left connects to the right's listener on port; both ends established. */
void connect_pair(struct world *w, bool v6, uint16_t port, struct haven_socket **client,
		  struct haven_socket **server);
/* Begin to connect to host n of the network. Returns haven_connect()'s result. */
int connect_to(struct haven_socket *socket, bool v6, uint8_t n, uint16_t port);
/* Run until the socket has all of these events. */
void wait_events(struct world *w, struct haven_socket *socket, unsigned events,
		 uint64_t limit_ns);
int socket_error(struct haven_socket *socket);
uint16_t local_port(struct haven_socket *socket);

/* A stream of known bytes from one socket to another, sent and checked as far as it goes at each step. */
struct transfer {
	struct haven_socket *from, *to;
	uint64_t total;
	uint64_t sent, received;
	bool ended; /* in: FIN after the last byte, and wait for it */
	bool saw_end;
	bool zero_copy;	  /* by reserve and peek instead of send and recv */
	size_t max_bytes; /* of one call; 0: as much as goes */
};
/* For world_run(): ctx is a struct transfer. */
bool transfer_done(void *ctx);
/* Bytes at a position of every transfer's stream. */
const uint8_t *pattern_at(uint64_t position, size_t *size);

/* Sum of a stack's drops, and one of them by its name's beginning. */
uint64_t drops_all(const struct world *w, int side);
uint64_t drops_of(const struct world *w, int side, const char *name);
struct haven_stats stats_of(const struct world *w, int side);

#endif
