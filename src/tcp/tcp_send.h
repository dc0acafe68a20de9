/* What is sent, and when: tcp_send.c. */
#ifndef HV_TCP_SEND_H
#define HV_TCP_SEND_H

#include "tcp/tcp_conn.h"

/* Send what windows, Nagle and SWS avoidance let go; else the ACK that is due. For hv_tcp_flush(). */
void hv_tcp_send_pending(struct hv_tcp_conn *conn);
/* Send one segment from snd_una on again, outside of the windows (fast retransmit without SACK). */
void hv_tcp_retransmit(struct hv_tcp_conn *conn);
/* Everything that is not known to have arrived is to be sent again. */
void hv_tcp_send_again(struct hv_tcp_conn *conn);
/* RFC 8985 section 7.3: one segment, new if there is one, else the last one again. */
void hv_tcp_send_tail_probe(struct hv_tcp_conn *conn);
/* The persist timer fired: if Nagle, SWS avoidance or cork held something back, send it. Else false. */
bool hv_tcp_send_held_back(struct hv_tcp_conn *conn);
/* The persist timer fired at a closed window: probe it. */
void hv_tcp_send_probe(struct hv_tcp_conn *conn);
/* Bytes sent and, as far as we know, still under way ("pipe" of RFC 6675). */
static inline uint32_t hv_tcp_flight(const struct hv_tcp_conn *conn)
{
	return conn->snd_nxt - conn->snd_una - conn->sacked_bytes - conn->lost_bytes;
}

#endif
