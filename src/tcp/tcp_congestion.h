/*
 * Congestion control as a table of functions, so that algorithms can be chosen: NewReno
 * (RFC 5681, 6582) is in tcp_congestion.c. What is lost is decided elsewhere (tcp_ack.c, tcp_timer.c).
 */
#ifndef HV_TCP_CONGESTION_H
#define HV_TCP_CONGESTION_H

#include "tcp/tcp_conn.h"

struct hv_tcp_congestion_ops {
	const char *name;
	/* Window at the start: the MSS is known. */
	void (*start)(struct hv_tcp_conn *conn);
	/* New data was acknowledged outside of recovery, while the window was in full use. */
	void (*acked)(struct hv_tcp_conn *conn, uint32_t bytes);
	/* Nothing was sent for an RTO: the ACK clock has stopped. */
	void (*idle)(struct hv_tcp_conn *conn);
	/* Slow start threshold after a loss with this much in flight. */
	uint32_t (*after_loss)(const struct hv_tcp_conn *conn, uint32_t flight);
};

extern const struct hv_tcp_congestion_ops hv_tcp_newreno;

#endif
