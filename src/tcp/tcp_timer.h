/* Deadlines of a connection: tcp_timer.c. */
#ifndef HV_TCP_TIMER_H
#define HV_TCP_TIMER_H

#include "tcp/tcp_conn.h"

void hv_tcp_timer_fire(struct hv_timer *timer);
/* Set a deadline that many nanoseconds from now. The wheel is touched only when it becomes the first. */
void hv_tcp_arm(struct hv_tcp_conn *conn, enum hv_tcp_deadline which, uint64_t delay_ns);
static inline void hv_tcp_disarm(struct hv_tcp_conn *conn, enum hv_tcp_deadline which)
{
	conn->deadlines[which] = 0; /* the wheel may fire early: harmless */
}
static inline bool hv_tcp_is_armed(const struct hv_tcp_conn *conn, enum hv_tcp_deadline which)
{
	return conn->deadlines[which] != 0;
}
/* Retransmission timer: from now on (RFC 6298 5.1, 5.3), with backoff and user time-out in it. */
void hv_tcp_arm_retransmit(struct hv_tcp_conn *conn);
void hv_tcp_arm_keepalive(struct hv_tcp_conn *conn);
/* The persist timer, unless it runs already. */
void hv_tcp_arm_persist(struct hv_tcp_conn *conn, uint64_t delay_ns);

#endif
