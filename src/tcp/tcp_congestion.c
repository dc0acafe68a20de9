/*
 * NewReno: slow start, congestion avoidance (RFC 5681) counted in bytes (RFC 3465).
 */
#include "tcp/tcp_congestion.h"

#define CWND_MAX (UINT32_C(1) << 30)

/* RFC 6928 section 2: min (10*MSS, max (2*MSS, 14600)) */
static uint32_t initial_window(const struct hv_tcp_conn *conn)
{
	uint32_t ten = 10 * (uint32_t)conn->mss, two = 2 * (uint32_t)conn->mss;
	uint32_t cap = two > 14600 ? two : 14600;

	return ten < cap ? ten : cap;
}

static void newreno_start(struct hv_tcp_conn *conn)
{
	conn->cwnd = initial_window(conn);
	conn->ssthresh = CWND_MAX; /* RFC 5681 section 3.1: arbitrarily high */
}

static void newreno_acked(struct hv_tcp_conn *conn, uint32_t bytes)
{
	if (conn->cwnd >= CWND_MAX)
		return;
	if (conn->cwnd < conn->ssthresh) {
		/*
		 * RFC 3465 limits this to L = 2*SMSS for each ACK, as an ACK then stands for two segments. Here peers
		 * that take 64 KiB at once acknowledge all of it by one ACK, so L would hold the window down for
		 * ever; after a time-out the limit stands, as section 2.3 asks.
		 */
		uint32_t limit = conn->loss_recovery ? conn->mss : bytes;

		conn->cwnd += bytes < limit ? bytes : limit;
		return;
	}
	conn->cwnd_acked += bytes;
	while (conn->cwnd_acked >= conn->cwnd) {
		conn->cwnd_acked -= conn->cwnd;
		conn->cwnd += conn->mss;
	}
}

static void newreno_idle(struct hv_tcp_conn *conn)
{
	uint32_t restart = initial_window(conn); /* RFC 5681 section 4.1 */

	if (conn->cwnd > restart)
		conn->cwnd = restart;
}

static uint32_t newreno_after_loss(const struct hv_tcp_conn *conn, uint32_t flight)
{
	uint32_t floor = 2 * (uint32_t)conn->mss; /* RFC 5681 equation (4) */

	return flight / 2 > floor ? flight / 2 : floor;
}

const struct hv_tcp_congestion_ops hv_tcp_newreno = {
	.name = "newreno",
	.start = newreno_start,
	.acked = newreno_acked,
	.idle = newreno_idle,
	.after_loss = newreno_after_loss,
};
