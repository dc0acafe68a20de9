/* Segment size that the path carries, found by the connection itself: tcp_path_mtu.c. */
#ifndef HV_TCP_PATH_MTU_H
#define HV_TCP_PATH_MTU_H

#include "tcp/tcp_conn.h"

struct hv_tcp_delivery;

/* The handshake is done: where the search begins. Before hv_tcp_mss_update(). */
void hv_tcp_path_mtu_start(struct hv_tcp_conn *conn);
/* Largest MSS that the search allows, as an option would say it (RFC 6691); mss: what else allows. */
uint16_t hv_tcp_path_mtu_limit(const struct hv_tcp_conn *conn, uint16_t mss);
/* The retransmission timer fired on data: smaller segments may get through. */
void hv_tcp_path_mtu_timeout(struct hv_tcp_conn *conn);
/* A router says that what began with seq was larger than mtu (RFC 1191, 8201). Returns whether it is believed now. */
bool hv_tcp_path_mtu_claim(struct hv_tcp_conn *conn, uint32_t mtu, uint32_t seq);
/* `acked` bytes are newly acknowledged. */
void hv_tcp_path_mtu_acked(struct hv_tcp_conn *conn, uint32_t acked);
/* Something was found to be lost. Returns whether it was the probe and nothing else: no congestion. */
bool hv_tcp_path_mtu_lost(struct hv_tcp_conn *conn);
/* Before new data goes: has the route changed, is a probe due? Returns whether nothing else may go before it. */
bool hv_tcp_path_mtu_send(struct hv_tcp_conn *conn);

#endif
