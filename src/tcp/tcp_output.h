/* Segments onto the wire: tcp_output.c. */
#ifndef HV_TCP_OUTPUT_H
#define HV_TCP_OUTPUT_H

#include "tcp/tcp_conn.h"

/* A segment without connection behind it: resets, and what TIME-WAIT and half-open records say. */
struct hv_tcp_bare {
	const struct hv_addr *src, *dst;
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags;
	uint8_t hop_limit, traffic_class; /* 0: the stack's */
	uint16_t window;
	const struct hv_tcp_options *options; /* NULL: none */
};
void hv_tcp_send_bare(struct hv_tcp *tcp, const struct hv_tcp_bare *bare);
/* The reset for a segment that belongs to nothing (RFC 9293 section 3.10.7.1). Does not consume. */
void hv_tcp_send_reset_for(struct hv_tcp *tcp, const struct hv_packet *packet);
/* A reset of a connection as ABORT sends it: sequence snd_nxt. */
void hv_tcp_send_reset(struct hv_tcp_conn *conn);

/*
 * One segment (or, with more than an MSS of payload, many in one packet) of a connection: size bytes of
 * the send ring from seq on, with flags. ACK, window and timestamps are filled in, and what
 * they settle is noted (ack_sent, ack_now, delayed ACK). Returns as hv_ip_output().
 */
int hv_tcp_transmit(struct hv_tcp_conn *conn, uint32_t seq, uint32_t size, uint8_t flags);
/* An ACK without data. */
int hv_tcp_send_ack(struct hv_tcp_conn *conn);
/*
 * An ACK in reply to what is not acceptable, unless there were too many: RFC 5961 section 7 for the whole stack, and
 * one in half a second for a connection, so that two ends that disagree do not answer each other for ever.
 */
void hv_tcp_send_challenge(struct hv_tcp_conn *conn);
/* Whether that limit lets one more out. *last_ms: milliseconds of the last one, 0: none yet; moved on. */
bool hv_tcp_challenge_allowed(struct hv_tcp *tcp, uint32_t *last_ms);

#endif
