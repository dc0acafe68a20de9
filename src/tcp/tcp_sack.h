/* Loss recovery with SACK: tcp_sack.c. */
#ifndef HV_TCP_SACK_H
#define HV_TCP_SACK_H

#include "tcp/tcp_scoreboard.h"

/* An acceptable ACK; `acked` bytes of it are new. What it says about packets is filled in. */
void hv_tcp_sack_ack(struct hv_tcp_conn *conn, const struct hv_tcp_options *options,
		     uint32_t acked, struct hv_tcp_delivery *delivery);
/* Congestion was told, not seen: the window goes down to ssthresh as in recovery, but nothing is missing. */
void hv_tcp_sack_reduce(struct hv_tcp_conn *conn);
/* Reordering was waited for long enough. */
void hv_tcp_sack_reorder_fired(struct hv_tcp_conn *conn);

#endif
