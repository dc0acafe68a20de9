/*
 * What a script runs on: one stack, a raw IP link whose other end is the script, a clock that
 * only moves when the script says so, memory that is counted.
 *
 *	stack  10.0.0.1  fd00::1
 *	peer   10.0.0.2  fd00::2
 */
#ifndef SEGMENTS_WORLD_H
#define SEGMENTS_WORLD_H

#include <haven/forward.h>
#include <haven/link.h>
#include <haven/socket.h>

#include "script.h"

enum {
	SEG_FLOWS = 16,
	SEG_SOCKETS = 32,
	SEG_REQUESTS_MAX = 16,
	SEG_PEER_PORT = 5000,
	SEG_PACKET = 65536
};

enum seg_link_mode {
	SEG_LINK_FREE,
	SEG_LINK_BUSY,	/* says EAGAIN: the stack keeps it */
	SEG_LINK_LOSSY, /* says ENOBUFS: it is lost */
};

/* A packet that the stack sent. */
struct seg_packet {
	struct seg_packet *next;
	uint64_t time_ns;
	size_t size;
	uint8_t bytes[];
};

/* A connection as the peer sees it. Sequence numbers in scripts are relative to these. */
struct seg_flow {
	uint16_t peer_port, stack_port;
	uint32_t peer_iss, stack_iss;
	bool stack_known; /* stack_iss is that of a SYN that was seen */
	bool ts_known;
	uint32_t ts_first;	   /* the stack's first timestamp: 0 in the script */
	uint32_t ts_last;	   /* its last one, for `ts auto` */
	bool ts_auto;		   /* segments in carry timestamps by themselves */
	int64_t window;		   /* of the last segment in */
	uint8_t cookie[SEG_BYTES]; /* the last one that was seen */
	unsigned cookie_size;
};

struct seg_socket {
	char name[SEG_NAME];
	struct haven_socket *socket;
	uint64_t sent, received; /* bytes, for the pattern */
};

struct seg_world {
	const struct seg_script *script;
	bool v6;
	struct haven_stack *stack;
	struct haven_link *link;
	unsigned ifindex;
	uint64_t start_ns, now_ns; /* now_ns - start_ns is the script's clock */
	struct seg_packet *first, **last;
	bool batch; /* nothing is polled until `flush` */
	enum seg_link_mode link_mode;
	struct seg_flow flows[SEG_FLOWS];
	unsigned flow; /* the one that the script talks about */
	struct seg_socket sockets[SEG_SOCKETS];
	struct haven_request *requests[SEG_REQUESTS_MAX]; /* held, the oldest first */
	unsigned request_count;
	/* Memory. */
	uint64_t live, live_bytes, allocations, fail_at, fail_span;
	uint64_t random;
	const struct seg_statement *at; /* under way, for messages */
	char error[SEG_LINE * 8];
};

/* Errors: false, with a message in world->error. */
bool seg_world_init(struct seg_world *world, const struct seg_script *script, bool v6,
		    uint64_t start_ns);
/* Ends the stack; false when memory is left. */
bool seg_world_finish(struct seg_world *world);
/* Note what went wrong at the statement under way. Returns false. */
bool seg_fail(struct seg_world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Let time pass until until_ns, or until the stack sends something.
 * The clock stands at the moment when that happened.
 */
void seg_advance(struct seg_world *world, uint64_t until_ns);
/* Send what is waiting, unless a batch is open. */
void seg_poll(struct seg_world *world);
/* What the link does with what the stack sends from now on. */
void seg_link_set(struct seg_world *world, enum seg_link_mode mode);
/* Hand a packet of the peer to the stack. */
void seg_deliver(struct seg_world *world, const void *bytes, size_t size);
/* Forget the oldest packet that came out. */
void seg_packet_pop(struct seg_world *world);

struct seg_flow *seg_flow(struct seg_world *world);
/* The flow whose peer has this port, or NULL. */
struct seg_flow *seg_flow_by_port(struct seg_world *world, uint16_t peer_port);
/* Socket address of the stack (1) or the peer (2). Returns its length. */
socklen_t seg_address(const struct seg_world *world, unsigned host, uint16_t port,
		      struct sockaddr_storage *out);
/* The byte at a position of any stream. */
uint8_t seg_pattern(uint64_t position);

#endif
