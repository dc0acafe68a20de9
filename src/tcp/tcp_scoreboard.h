/*
 * What is under way, packet by packet (only on connections with SACK): tcp_scoreboard.c. The records
 * cover [snd_una, snd_nxt) without gaps.
 */
#ifndef HV_TCP_SCOREBOARD_H
#define HV_TCP_SCOREBOARD_H

#include "base/list.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_spurious.h"

/*
 * A stretch of the stream that was sent at one time and has one fate. It is in the chain and in the tree by
 * sequence; while it is under way also in flight->turns, by time; while lost, in flight->lost.
 */
struct hv_tcp_sent {
	struct hv_tcp_sent *next, *prev;  /* by sequence */
	struct hv_tcp_sent *left, *right; /* tcp_sent_tree.c */
	struct hv_list turn;
	uint64_t time_ns;  /* when it was sent last */
	uint32_t seq, end; /* FIN counts */
	uint32_t priority; /* in the tree */
	uint16_t segments; /* it went in so many; saturates */
	bool sacked;	   /* the peer says that it is there (RFC 2018) */
	bool lost;	   /* believed lost, and not sent again yet */
	bool again;	   /* sent more than once */
};

/* Of a connection that has sent something lately. Without SACK only `undo` is in use. */
struct hv_tcp_flight {
	struct hv_tcp_sent *first, *last; /* by sequence */
	struct hv_tcp_sent *tree;	  /* the same, to be searched */
	struct hv_tcp_sent *spare;	  /* reserved for the next one */
	struct hv_list turns;		  /* neither SACKed nor lost, by time */
	struct hv_list lost;		  /* to be sent again, in this order */
	uint32_t records;		  /* bounded, as a peer can cut them by SACK blocks */

	/* tcp_rack.c: of what arrived, the one that was sent last; the highest. */
	bool rack_any;
	uint32_t rack_end, rack_highest;
	uint64_t rack_time_ns; /* when that last one was sent */
	uint64_t rack_rtt_ns;  /* of what arrived last */

	uint32_t recover_bytes, prr_delivered, prr_out; /* tcp_sack.c */
	struct hv_tcp_undo undo;			/* tcp_spurious.c */
};

/* What one ACK says about packets. */
struct hv_tcp_delivery {
	bool has_echo; /* given: the timestamp that it echoes */
	uint32_t echo;
	uint32_t bytes;	 /* newly delivered, cumulatively or by SACK */
	uint64_t rtt_ns; /* of the newest of them that was sent once; 0: none was */
	bool late;	 /* one of them was believed lost, but had not been sent again */
	bool duplicate;	 /* a D-SACK came (RFC 2883), about [dup_left, dup_right) */
	uint32_t dup_left, dup_right;
};

/* Made when there is none. NULL: no memory. */
struct hv_tcp_flight *hv_tcp_flight_get(struct hv_tcp_conn *conn);
/* Before something leaves from seq on: memory for the record. False: there is none, it must wait. */
bool hv_tcp_sent_reserve(struct hv_tcp_conn *conn, uint32_t seq);
/* [seq, end) left just now, for the first time or again. It was reserved. */
void hv_tcp_sent_note(struct hv_tcp_conn *conn, uint32_t seq, uint32_t end);
/* snd_una has moved: forget what is before it. */
void hv_tcp_sent_acked(struct hv_tcp_conn *conn, struct hv_tcp_delivery *delivery);
/* SACK blocks of an ACK. */
void hv_tcp_sent_sacked(struct hv_tcp_conn *conn, const struct hv_tcp_options *options,
			struct hv_tcp_delivery *delivery);
/* The SACK blocks are all taken back (RFC 2018 section 8). */
void hv_tcp_sent_renege(struct hv_tcp_conn *conn);
void hv_tcp_sent_lose(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent);
/* Everything that was not SACKed is lost. */
void hv_tcp_sent_lose_all(struct hv_tcp_conn *conn);
/* Nothing is lost: what was believed to be is under way. */
void hv_tcp_sent_find_all(struct hv_tcp_conn *conn);
/* The first lost one, cut so that it has at most `most` bytes. NULL: none, or no memory. */
struct hv_tcp_sent *hv_tcp_sent_next_lost(struct hv_tcp_conn *conn, uint32_t most);
/* The last one, cut in the same way at its beginning. */
struct hv_tcp_sent *hv_tcp_sent_tail(struct hv_tcp_conn *conn, uint32_t most);
/* Forget all records. */
void hv_tcp_sent_clear(struct hv_tcp_conn *conn);
/* Give the memory back: nothing is under way. */
void hv_tcp_sent_finish(struct hv_tcp_conn *conn);

static inline struct hv_tcp_sent *hv_tcp_sent_of(struct hv_list *turn)
{
	return hv_container(turn, struct hv_tcp_sent, turn);
}

#endif
