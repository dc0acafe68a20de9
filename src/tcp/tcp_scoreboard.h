/*
 * What is under way, packet by packet (only on connections with SACK): tcp_scoreboard.c. The records
 * cover [snd_una, snd_nxt) without gaps, in order of sequence.
 */
#ifndef HV_TCP_SCOREBOARD_H
#define HV_TCP_SCOREBOARD_H

#include "tcp/tcp_conn.h"

/* A stretch of the stream that was sent at one time and has one fate. */
struct hv_tcp_sent {
	struct hv_tcp_sent *next;
	uint64_t time_ns;  /* when it was sent last */
	uint32_t seq, end; /* FIN counts */
	bool sacked;	   /* the peer says that it is there (RFC 2018) */
	bool lost;	   /* believed lost, and not sent again yet */
	bool again;	   /* sent more than once */
};

/* [seq, end) left just now, for the first time or again. */
void hv_tcp_sent_note(struct hv_tcp_conn *conn, uint32_t seq, uint32_t end);
/* snd_una has moved: forget what is before it. Returns the bytes that are newly delivered. */
uint32_t hv_tcp_sent_acked(struct hv_tcp_conn *conn);
/* SACK blocks of an ACK. Returns the bytes that are newly delivered; *duplicate: a D-SACK came. */
uint32_t hv_tcp_sent_sacked(struct hv_tcp_conn *conn, const struct hv_tcp_options *options,
			    bool *duplicate);
void hv_tcp_sent_lose(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent);
/* Everything that was not SACKed is lost (time-out). */
void hv_tcp_sent_lose_all(struct hv_tcp_conn *conn);
/* The first lost one, cut so that it has at most `most` bytes. NULL: none. */
struct hv_tcp_sent *hv_tcp_sent_next_lost(struct hv_tcp_conn *conn, uint32_t most);
/* The last one, cut in the same way at its beginning. */
struct hv_tcp_sent *hv_tcp_sent_tail(struct hv_tcp_conn *conn, uint32_t most);
void hv_tcp_sent_clear(struct hv_tcp_conn *conn);

#endif
