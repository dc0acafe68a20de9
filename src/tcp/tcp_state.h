/* State changes of a connection: tcp_state.c. */
#ifndef HV_TCP_STATE_H
#define HV_TCP_STATE_H

#include "tcp/tcp_conn.h"

const char *hv_tcp_state_text(enum hv_tcp_state state);

/* The handshake is complete: ESTABLISHED, or FIN-WAIT-1 when the owner has closed already. */
void hv_tcp_established(struct hv_tcp_conn *conn);
/* The owner has no more to send. */
void hv_tcp_end_send(struct hv_tcp_conn *conn);
/* The peer's FIN was reached in order; rcv_nxt is still at it. */
void hv_tcp_fin_received(struct hv_tcp_conn *conn);
/* Our FIN was acknowledged. */
void hv_tcp_fin_acked(struct hv_tcp_conn *conn);
/* A valid RST: RFC 9293 section 3.10.7.4, second check. */
void hv_tcp_reset_received(struct hv_tcp_conn *conn);
/* Into TIME-WAIT: the compact record takes the tuple over. */
void hv_tcp_enter_time_wait(struct hv_tcp_conn *conn);

#endif
