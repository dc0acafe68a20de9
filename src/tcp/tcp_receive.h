/* Data on its way in: tcp_receive.c, tcp_reassembly.c. */
#ifndef HV_TCP_RECEIVE_H
#define HV_TCP_RECEIVE_H

#include "tcp/tcp_conn.h"

/* Bytes of window that may be offered now. */
static inline uint32_t hv_tcp_receive_window(const struct hv_tcp_conn *conn)
{
	return conn->rcv_edge - conn->rcv_nxt;
}
/* Bytes that the peer may be offered when all is read. */
static inline uint32_t hv_tcp_receive_most(const struct hv_tcp_conn *conn)
{
	return conn->window_clamp && conn->window_clamp < conn->receive_limit
		       ? conn->window_clamp
		       : conn->receive_limit;
}
/* Bytes of buffer that are free to be offered; behind SHUT_RD all, so that no peer waits for a reader. */
static inline uint32_t hv_tcp_receive_space(const struct hv_tcp_conn *conn)
{
	uint32_t most = hv_tcp_receive_most(conn);

	if (conn->receive_shut)
		return most;
	return conn->receive.used < most ? most - conn->receive.used : 0;
}
/* The edge moves by this much at least (receiver's SWS avoidance, RFC 9293 section 3.8.6.2.2). */
static inline uint32_t hv_tcp_window_step(const struct hv_tcp_conn *conn)
{
	uint32_t half = hv_tcp_receive_most(conn) / 2;

	return conn->rcv_mss < half ? conn->rcv_mss : half;
}
/*
 * SO_RCVLOWAT is reached, or can never be: a buffer without room for a segment, or a window without it that will not move
 * before something is read, brings nothing more (as Linux: the reader must not sleep for ever).
 */
static inline bool hv_tcp_is_enough_to_read(const struct hv_tcp_conn *conn)
{
	uint32_t window = hv_tcp_receive_window(conn), space = hv_tcp_receive_space(conn);

	if (!conn->receive.used || conn->receive.used >= conn->receive_lowat)
		return conn->receive.used;
	return space < conn->segment_estimate ||
	       (window < conn->segment_estimate && space < window + hv_tcp_window_step(conn));
}
/* RFC 9293 section 3.10.7.4, first check: does the segment touch the window? */
bool hv_tcp_is_acceptable(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size);
/* Trim to the window and deliver, or keep for later. size excludes SYN and FIN. Consumes. */
void hv_tcp_receive_segment(struct hv_tcp_conn *conn, struct hv_packet *packet);
/* The window field of a segment that goes out now, scaled unless it is a SYN; moves rcv_edge. */
uint16_t hv_tcp_window_field(struct hv_tcp_conn *conn, bool is_syn);
/* In-order bytes: sink, then ring. Returns how many were taken. */
uint32_t hv_tcp_deliver(struct hv_tcp_conn *conn, const uint8_t *data, uint32_t size);
/* Offer that much buffer from now on; what was offered before is kept. */
void hv_tcp_set_receive_limit(struct hv_tcp_conn *conn, uint32_t limit_bytes);
/* The reader took size bytes: tune the limit, announce the window when that is worth it. */
void hv_tcp_reader_took(struct hv_tcp_conn *conn, uint32_t size);
/* Whether the data received asks for an ACK at once (flush). */
bool hv_tcp_ack_is_due(const struct hv_tcp_conn *conn);

/* [seq, end) came a second time: the next ACK says so (D-SACK, RFC 2883). */
static inline void hv_tcp_note_duplicate(struct hv_tcp_conn *conn, uint32_t seq, uint32_t end)
{
	conn->dsack_left = seq;
	conn->dsack_right = end;
}

/* --- tcp_reassembly.c: data that is ahead of its time ---------------------------------- */
/* Keep [seq, seq + size) of the packet, with FIN after it when fin. Consumes. */
void hv_tcp_reassembly_add(struct hv_tcp_conn *conn, struct hv_packet *packet, uint32_t seq,
			   const uint8_t *data, uint32_t size, bool fin);
/* Deliver what has become in order. Returns true when the FIN was reached. */
bool hv_tcp_reassembly_deliver(struct hv_tcp_conn *conn);
void hv_tcp_reassembly_clear(struct hv_tcp_conn *conn);
/* What is held, for the SACK option (RFC 2018): up to `most` blocks, the latest first. Returns how many. */
unsigned hv_tcp_reassembly_sack(const struct hv_tcp_conn *conn, uint32_t blocks[][2],
				unsigned most);

#endif
