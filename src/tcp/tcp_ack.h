/* Acknowledgements: tcp_ack.c. */
#ifndef HV_TCP_ACK_H
#define HV_TCP_ACK_H

#include "tcp/tcp_conn.h"
#include "tcp/tcp_options.h"

enum hv_tcp_ack_result {
	HV_TCP_ACK_OK,
	HV_TCP_ACK_IGNORE, /* drop the segment: old or impossible; answered when a rule says so */
};

/* RFC 9293 section 3.10.7.4, fifth check, in a synchronized state. May end the connection. */
enum hv_tcp_ack_result hv_tcp_ack_input(struct hv_tcp_conn *conn, const struct hv_desc *d,
					const struct hv_tcp_options *options);
/* Take the send window from a segment (SND.WL1, SND.WL2). Returns whether it changed. */
bool hv_tcp_window_update(struct hv_tcp_conn *conn, const struct hv_desc *d);
/* A round trip was measured: RFC 6298 section 2. */
void hv_tcp_rtt_sample(struct hv_tcp_conn *conn, uint64_t rtt_ns);
/* A time-out came before an answer that took that long (RFC 4015 section 3). */
void hv_tcp_rtt_raise(struct hv_tcp_conn *conn, uint64_t rtt_ns);

#endif
