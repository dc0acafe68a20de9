/* RACK, loss detection by time (RFC 8985): tcp_rack.c. */
#ifndef HV_TCP_RACK_H
#define HV_TCP_RACK_H

#include "tcp/tcp_scoreboard.h"

/* It arrived: the latest of those decides what must have arrived before it. */
void hv_tcp_rack_delivered(struct hv_tcp_conn *conn, const struct hv_tcp_sent *sent,
			   struct hv_tcp_delivery *delivery);
/* A D-SACK: something was sent again for nothing; wait longer next time. */
void hv_tcp_rack_duplicate(struct hv_tcp_conn *conn);
/* Mark what is lost; waits with DEADLINE_REORDER for what may only be late. Returns whether anything is new. */
bool hv_tcp_rack_detect(struct hv_tcp_conn *conn);
/* The retransmission timer fired: what was sent long enough ago, and the first in any case, is lost (section 6.3). */
void hv_tcp_rack_timeout(struct hv_tcp_conn *conn);
/* A recovery ended: patience for reordering does not last for ever. */
void hv_tcp_rack_recovered(struct hv_tcp_conn *conn);

#endif
