/* Pacing: how fast the window goes out: tcp_pacing.c. */
#ifndef HV_TCP_PACING_H
#define HV_TCP_PACING_H

#include "tcp/tcp_conn.h"

/* Bytes that may go now. Less than a segment: not now, and the deadline is set. */
uint32_t hv_tcp_pacing_room(struct hv_tcp_conn *conn);
/* Bytes per second; UINT64_MAX: it is not paced. */
uint64_t hv_tcp_pacing_rate(const struct hv_tcp_conn *conn);
/* That much went. */
void hv_tcp_pacing_sent(struct hv_tcp_conn *conn, uint32_t bytes);

/* Bytes that one packet to the link may hold, where the configuration bounds it; else UINT32_MAX. */
uint32_t hv_tcp_pacing_packet(const struct hv_tcp_conn *conn);

#endif
