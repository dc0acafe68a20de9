/*
 * Congestion control: how much may be under way. Algorithms are tables of functions that a connection can
 * choose from: CUBIC (tcp_cubic.c, the default), NewReno (tcp_congestion.c), and none. What is common to them is here:
 * the window at the start and after idleness, when it may grow, and the way back from a reduction that was not
 * needed. What is lost is decided elsewhere (tcp_ack.c, tcp_sack.c, tcp_timer.c).
 */
#ifndef HV_TCP_CONGESTION_H
#define HV_TCP_CONGESTION_H

#include "tcp/tcp_conn.h"

#define HV_TCP_CWND_MAX (UINT32_C(1) << 30) /* bytes; also ssthresh before any loss */

struct hv_tcp_congestion_ops {
	const char *name; /* of TCP_CONGESTION: at most 15 characters */
	bool off; /* nothing holds back but the peer's window and the buffers: for private paths */
	/* New data was acknowledged outside of recovery, and the window was in full use. */
	void (*acked)(struct hv_tcp_conn *conn, uint32_t bytes);
	/* Slow start threshold after a loss with this much in flight. */
	uint32_t (*after_loss)(struct hv_tcp_conn *conn, uint32_t flight);
	/* Beyond after_loss(): it was a time-out. May be NULL. */
	void (*timed_out)(struct hv_tcp_conn *conn);
	/* The last after_loss() was a mistake. May be NULL. */
	void (*undo)(struct hv_tcp_conn *conn);
	/* A packet that was sent once took that long. May be NULL. */
	void (*rtt)(struct hv_tcp_conn *conn, uint32_t rtt_us);
};

extern const struct hv_tcp_congestion_ops hv_tcp_cubic, hv_tcp_reno, hv_tcp_none;

/* By name; "newreno" for "reno" too. NULL: unknown. */
const struct hv_tcp_congestion_ops *hv_tcp_congestion_find(const char *name);

/* The handshake is done: initial window (RFC 6928). lost: a SYN was (RFC 5681 section 3.1). */
void hv_tcp_congestion_start(struct hv_tcp_conn *conn, bool lost);
/* Another algorithm, at any time. */
void hv_tcp_congestion_set(struct hv_tcp_conn *conn, const struct hv_tcp_congestion_ops *ops);
/* New data was acknowledged outside of fast recovery: the window grows if it was in use. */
void hv_tcp_congestion_acked(struct hv_tcp_conn *conn, uint32_t bytes);
/* How long a packet took that was sent once. */
void hv_tcp_congestion_rtt(struct hv_tcp_conn *conn, uint64_t rtt_ns);
/* Congestion was found (loss, or a mark): sets ssthresh, not cwnd. */
void hv_tcp_congestion_reduce(struct hv_tcp_conn *conn, uint32_t flight);
/* A time-out: the loss window (RFC 5681 section 3.1). again: the same data timed out before. */
void hv_tcp_congestion_timed_out(struct hv_tcp_conn *conn, bool again);
/* The last reduction, by loss or time-out, was a mistake (RFC 4015, RFC 9438 section 4.9). */
void hv_tcp_congestion_undo(struct hv_tcp_conn *conn);
/* Something is to be sent: has nothing been for so long that the window is out of date? */
void hv_tcp_congestion_resume(struct hv_tcp_conn *conn);
/* A flush is over. limited: the congestion window, nothing else, held something back. */
void hv_tcp_congestion_sent(struct hv_tcp_conn *conn, bool limited);

/* Whether the window was in full use in this round trip. */
bool hv_tcp_congestion_is_limit(const struct hv_tcp_conn *conn);

/* For algorithms: growth of slow start, up to ssthresh; returns what is left of bytes. */
uint32_t hv_tcp_slow_start(struct hv_tcp_conn *conn, uint32_t bytes);

static inline bool hv_tcp_congestion_is_off(const struct hv_tcp_conn *conn)
{
	return conn->congestion->off;
}
/* Slow start that no loss has ended yet: ssthresh is where it began. */
static inline bool hv_tcp_is_initial_slow_start(const struct hv_tcp_conn *conn)
{
	return conn->ssthresh == HV_TCP_CWND_MAX;
}

#endif
