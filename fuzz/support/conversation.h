/*
 * Whole TCP conversations for a fuzzer: a stack with a listener, active connections and a forwarder, over IPv4 and
 * IPv6, and a peer for each. The input is a list of steps of 18 bytes: segments described relative to the
 * connection as it is then, calls of its sockets, time, ICMP that quotes live segments; so that a changed input
 * still means something.
 *
 *	tcp_conversation.c	the run: world, calls, time, the end
 *	conversation_packet.c	segments and ICMP to the stack; what it sends is looked at
 *	conversation_check.c	what must hold of every connection after every step
 *	conversation_mutate.c	libFuzzer's mutations, by steps
 */
#ifndef FUZZ_CONVERSATION_H
#define FUZZ_CONVERSATION_H

#include <haven/forward.h>
#include <haven/link.h>

#include "stack_state.h"
#include "tcp/tcp_conn.h"

enum {
	CONVERSATION_HEAD = 8, /* bytes of configuration in front of the steps */
	CONVERSATION_STEPS_MAX = 200,
	CONVERSATION_PEERS = 6,
	CONVERSATION_ENDS = 12,
	CONVERSATION_QUOTE = 128,
};

enum step_kind {
	STEP_POLITE, /* what a good peer would do next; `choice` says which of it */
	STEP_SEGMENT,
	STEP_CALL,
	STEP_TIME,
	STEP_ICMP,
	STEP_MEMORY, /* the size-th allocation from now on fails, and `extra` more */
	STEP_LINK,   /* the link is busy for `extra` packets */
	STEP_HOLD,   /* no poll for `extra` steps: segments come in a batch */
	STEP_KINDS
};

struct step {
	uint8_t kind, peer;
	uint8_t flags;
	uint8_t base;		      /* low half: of seq; high half: of ack */
	int16_t seq_delta, ack_delta; /* times what `scale` says */
	uint16_t window, size;
	uint8_t options, choice, shape, extra;
	uint8_t scale;
	int8_t time_delta; /* added to a timestamp, times 16 ms */
};
static_assert(sizeof(struct step) == 18, "a step has no padding");

enum { STEP_BYTES = sizeof(struct step) };

enum {
	SEQ_RCV_NXT,
	SEQ_RCV_EDGE,
	SEQ_IRS,
	SEQ_ACK_SENT,
	SEQ_NATURAL,
	SEQ_MIDDLE,
	SEQ_BEFORE,
	SEQ_BASES
};
enum { ACK_MAX, ACK_UNA, ACK_MSS, ACK_MIDDLE, ACK_ISS, ACK_BEFORE, ACK_BEYOND, ACK_BASES };
enum {
	OPTION_TIMESTAMP = 1,
	OPTION_WRONG_TIME = 2,
	OPTION_SACK = 4,
	OPTION_DSACK = 8,
	OPTION_MSS = 16,
	OPTION_SCALE = 32,
	OPTION_SACK_OK = 64,
	OPTION_RUBBISH = 128,
};

enum role { ROLE_LISTENER, ROLE_ACTIVE, ROLE_FORWARDER };

struct peer {
	unsigned index;
	bool v6;
	enum role role;
	uint16_t port, stack_port;
	/* What it saw last of the stack. */
	bool seen;
	uint32_t seen_end, seen_ack, seen_time;
	uint8_t quote[CONVERSATION_QUOTE];
	size_t quote_size;
	uint8_t cookie[HV_TCP_FAST_OPEN_MAX], cookie_len; /* that a SYN-ACK brought */
	/* What it has sent to the connection that began with `irs`, relative to that. */
	uint32_t irs, furthest;
};

/* A socket of the program. */
struct end {
	struct haven_socket *socket; /* NULL: free */
	struct peer *peer;
	unsigned serial;
	uint32_t written, read;
	bool deaf;
};

struct conversation {
	struct haven_stack *stack;
	struct haven_link *link;
	struct haven_socket *listeners[2];
	uint64_t now_ns, random, live;
	uint64_t allocations, fail_at, fail_span;
	unsigned busy, held;
	bool hampered; /* memory or link have failed: the stack may be late */
	struct peer peers[CONVERSATION_PEERS];
	struct end ends[CONVERSATION_ENDS];
	unsigned serial;
	struct haven_request *requests[CONVERSATION_PEERS];
};

/* The streams: a byte follows from who sends it and its sequence number. */
static inline uint8_t peer_byte(const struct peer *peer, uint32_t seq)
{
	return (uint8_t)((seq * UINT32_C(2654435761)) >> 24 ^ peer->index);
}
static inline uint8_t stack_byte(const struct peer *peer, uint32_t seq)
{
	return (uint8_t)((seq * UINT32_C(2246822519)) >> 23 ^ (peer->index + 100));
}

/* NULL: the stack has none (it may have a request, or a record in TIME-WAIT). */
struct hv_tcp_conn *conversation_conn(const struct conversation *c, const struct peer *peer);

/* conversation_packet.c */
void conversation_polite(struct conversation *c, const struct step *step);
void conversation_segment(struct conversation *c, const struct step *step);
void conversation_icmp(struct conversation *c, const struct step *step);
int conversation_sent(void *user, const struct iovec *iov, int count,
		      const struct haven_frame_offload *offload);

/* conversation_check.c: ends the process when something does not hold. */
void conversation_check(const struct conversation *c);
void conversation_must(bool holds, const char *what, const struct hv_tcp_conn *conn);

#endif
