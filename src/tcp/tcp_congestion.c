/*
 * What all congestion control algorithms share, and the two that need no file of their own: NewReno
 * (RFC 5681), counted in bytes (RFC 3465), and none.
 */
#include "tcp/tcp_congestion.h"

#include <errno.h>
#include <string.h>

#include "tcp/tcp_spurious.h"

enum { IDLE_SHIFTS_MAX = 16 }; /* a window is empty after that many halvings */

/* The first is the default. */
static const struct hv_tcp_congestion_ops *const algorithms[] = {
	&hv_tcp_cubic,
	&hv_tcp_reno,
	&hv_tcp_none,
};
enum { ALGORITHMS = sizeof(algorithms) / sizeof(algorithms[0]) };

/* --- names ----------------------------------------------------------------------------- */

int hv_tcp_congestion_number(const char *name)
{
	if (!strcmp(name, "newreno"))
		name = hv_tcp_reno.name;
	for (int i = 0; i < ALGORITHMS; i++)
		if (!strcmp(algorithms[i]->name, name))
			return i;
	return -ENOENT;
}

const struct hv_tcp_congestion_ops *hv_tcp_congestion_at(int number)
{
	return number >= 0 && number < ALGORITHMS ? algorithms[number] : NULL;
}

const struct hv_tcp_congestion_ops *hv_tcp_congestion_find(const char *name)
{
	return hv_tcp_congestion_at(hv_tcp_congestion_number(name));
}

const char *hv_tcp_congestion_name(int number)
{
	return algorithms[number]->name;
}

/* --- beginnings ------------------------------------------------------------------------ */

/* RFC 6928 section 2: min (10*MSS, max (2*MSS, 14600)) */
static uint32_t initial_window(const struct hv_tcp_conn *conn)
{
	uint32_t ten = 10 * (uint32_t)conn->mss, two = 2 * (uint32_t)conn->mss;
	uint32_t cap = two > 14600 ? two : 14600;

	return ten < cap ? ten : cap;
}

void hv_tcp_congestion_start(struct hv_tcp_conn *conn, bool lost)
{
	memset(conn->congestion_state, 0, sizeof(conn->congestion_state));
	conn->ssthresh = HV_TCP_CWND_MAX; /* RFC 5681 section 3.1: arbitrarily high */
	conn->cwnd = lost ? conn->mss : initial_window(conn);
	if (hv_tcp_congestion_is_off(conn))
		conn->cwnd = HV_TCP_CWND_MAX;
	conn->cwnd_acked = 0;
	conn->prior_cwnd = 0;
	conn->usage_end = conn->snd_nxt;
	conn->usage_ms = hv_tcp_now_ms(conn);
	conn->usage_round = conn->usage_max = 0;
}

void hv_tcp_congestion_set(struct hv_tcp_conn *conn, const struct hv_tcp_congestion_ops *ops)
{
	bool was_off = hv_tcp_congestion_is_off(conn);

	if (conn->congestion == ops)
		return;
	conn->congestion = ops;
	if (!hv_tcp_is_synchronized(conn))
		return;
	memset(conn->congestion_state, 0, sizeof(conn->congestion_state));
	conn->prior_cwnd = 0;
	if (ops->off || was_off) /* nothing is known of the path */
		hv_tcp_congestion_start(conn, false);
}

/* --- growth ---------------------------------------------------------------------------- */

/*
 * Whether the window is the limit: then ACKs prove that the path carries it (RFC 7661 section 4.3). In slow start
 * half of it in flight is proof enough, as it doubles in a round trip.
 */
bool hv_tcp_congestion_is_limit(const struct hv_tcp_conn *conn)
{
	if (conn->cwnd_limited)
		return true;
	return conn->cwnd < conn->ssthresh && conn->cwnd < 2 * (uint64_t)conn->usage_round;
}

void hv_tcp_congestion_acked(struct hv_tcp_conn *conn, uint32_t bytes)
{
	if (hv_tcp_congestion_is_off(conn)) {
		conn->cwnd = conn->ssthresh = HV_TCP_CWND_MAX;
		return;
	}
	if (conn->cwnd < HV_TCP_CWND_MAX &&
	    (hv_tcp_congestion_is_limit(conn) || conn->loss_recovery))
		conn->congestion->acked(conn, bytes);
}

void hv_tcp_congestion_rtt(struct hv_tcp_conn *conn, uint64_t rtt_ns)
{
	if (conn->congestion->rtt)
		conn->congestion->rtt(conn, rtt_ns / 1000 < UINT32_MAX
						    ? (uint32_t)(rtt_ns / 1000)
						    : UINT32_MAX);
}

uint32_t hv_tcp_slow_start(struct hv_tcp_conn *conn, uint32_t bytes)
{
	/*
	 * RFC 3465 limits this to L = 2*SMSS for each ACK, as an ACK then stands for two segments. Here peers
	 * that take 64 KiB at once acknowledge all of it by one ACK, so L would hold the window down for
	 * ever; after a time-out the limit stands, as section 2.3 asks.
	 */
	uint32_t most = conn->loss_recovery && bytes > conn->mss ? conn->mss : bytes;
	uint32_t room = conn->ssthresh - conn->cwnd;

	if (most < room) {
		conn->cwnd += most;
		return 0;
	}
	conn->cwnd = conn->ssthresh;
	return most - room;
}

/* --- loss ------------------------------------------------------------------------------ */

void hv_tcp_congestion_reduce(struct hv_tcp_conn *conn, uint32_t flight)
{
	hv_tcp_spurious_forget(conn);
	conn->prior_cwnd = conn->cwnd;
	conn->prior_ssthresh = conn->ssthresh;
	conn->ssthresh = conn->congestion->after_loss(conn, flight);
	conn->cwnd_acked = 0;
	conn->ecn_cwr_due = conn->ecn_ok; /* RFC 3168 section 6.1.2: whatever the reason */
}

void hv_tcp_congestion_timed_out(struct hv_tcp_conn *conn, bool again)
{
	if (!again) { /* RFC 5681 equation (4) */
		hv_tcp_congestion_reduce(conn, conn->snd_max - conn->snd_una);
		if (conn->congestion->timed_out)
			conn->congestion->timed_out(conn);
	}
	conn->ecn_reducing = false;
	conn->cwnd = hv_tcp_congestion_is_off(conn) ? HV_TCP_CWND_MAX : conn->mss;
	conn->cwnd_acked = 0;
}

void hv_tcp_congestion_undo(struct hv_tcp_conn *conn)
{
	if (!conn->prior_cwnd)
		return;
	if (conn->congestion->undo)
		conn->congestion->undo(conn);
	if (conn->cwnd < conn->prior_cwnd)
		conn->cwnd = conn->prior_cwnd;
	if (conn->ssthresh < conn->prior_ssthresh)
		conn->ssthresh = conn->prior_ssthresh;
	conn->prior_cwnd = 0;
	conn->cwnd_acked = 0;
}

/* --- validation ------------------------------------------------------------------------ */

/* What slow start may take back at once: three quarters of what the path has carried (RFC 2861 section 3.2). */
static void remember_window(struct hv_tcp_conn *conn)
{
	uint32_t kept = conn->cwnd - conn->cwnd / 4;

	if (conn->ssthresh < kept)
		conn->ssthresh = kept;
}

/* RFC 2861 section 3.2: halved for each RTO without sending, down to the restart window of RFC 5681 section 4.1. */
void hv_tcp_congestion_resume(struct hv_tcp_conn *conn)
{
	uint64_t idle_ns = hv_tcp_now(conn) - conn->progress_ns;
	uint32_t restart = initial_window(conn);

	if (idle_ns <= conn->rto_ns || hv_tcp_congestion_is_off(conn) || conn->cwnd <= restart)
		return;
	remember_window(conn);
	for (unsigned i = 0; i < IDLE_SHIFTS_MAX && idle_ns > conn->rto_ns; i++) {
		conn->cwnd /= 2;
		idle_ns -= conn->rto_ns;
	}
	if (conn->cwnd < restart)
		conn->cwnd = restart;
	conn->usage_ms = hv_tcp_now_ms(conn);
	conn->usage_max = 0;
}

/*
 * RFC 2861 section 3.3: for an RTO the application sent less than the window: half of the difference goes. Not when it would
 * send, but its buffer or the peer's window is full: then the path is in use, as far as it can be.
 */
static void application_limited(struct hv_tcp_conn *conn)
{
	uint32_t used = initial_window(conn);
	bool waits = conn->want_write || hv_seq_gt(hv_tcp_send_end(conn), conn->snd_nxt);

	if (conn->usage_max > used)
		used = conn->usage_max;
	if (!waits && !conn->in_recovery && !conn->loss_recovery && used < conn->cwnd) {
		remember_window(conn);
		conn->cwnd = conn->cwnd / 2 + used / 2;
	}
	conn->usage_max = 0;
	conn->usage_ms = hv_tcp_now_ms(conn);
}

void hv_tcp_congestion_sent(struct hv_tcp_conn *conn, bool limited)
{
	uint32_t flight = conn->snd_nxt - conn->snd_una;

	if (hv_tcp_congestion_is_off(conn))
		return;
	/* What held in a round trip holds until the next one: most flushes of it send nothing, or little. */
	if (limited || hv_seq_geq(conn->snd_una, conn->usage_end)) {
		conn->cwnd_limited = limited;
		conn->usage_end = conn->snd_nxt;
		conn->usage_round = flight;
	} else if (flight > conn->usage_round) {
		conn->usage_round = flight;
	}
	if (flight > conn->usage_max)
		conn->usage_max = flight;
	if (hv_tcp_congestion_is_limit(conn)) {
		conn->usage_max = 0;
		conn->usage_ms = hv_tcp_now_ms(conn);
	} else if ((uint64_t)(hv_tcp_now_ms(conn) - conn->usage_ms) * HV_TCP_MS >=
		   conn->rto_ns) {
		application_limited(conn);
	}
}

/* --- NewReno --------------------------------------------------------------------------- */

static void reno_acked(struct hv_tcp_conn *conn, uint32_t bytes)
{
	if (conn->cwnd < conn->ssthresh)
		bytes = hv_tcp_slow_start(conn, bytes);
	conn->cwnd_acked += bytes;
	while (conn->cwnd_acked >= conn->cwnd) { /* RFC 5681 section 3.1, by RFC 3465 */
		conn->cwnd_acked -= conn->cwnd;
		conn->cwnd += conn->mss;
	}
}

static uint32_t reno_after_loss(struct hv_tcp_conn *conn, uint32_t flight)
{
	uint32_t floor = 2 * (uint32_t)conn->mss; /* RFC 5681 equation (4) */

	return flight / 2 > floor ? flight / 2 : floor;
}

const struct hv_tcp_congestion_ops hv_tcp_reno = {
	.name = "reno",
	.acked = reno_acked,
	.after_loss = reno_after_loss,
};

/* --- none ------------------------------------------------------------------------------ */

static void none_acked(struct hv_tcp_conn *conn, uint32_t bytes)
{
	(void)conn;
	(void)bytes;
}

static uint32_t none_after_loss(struct hv_tcp_conn *conn, uint32_t flight)
{
	(void)conn;
	(void)flight;
	return HV_TCP_CWND_MAX;
}

const struct hv_tcp_congestion_ops hv_tcp_none = {
	.name = "none",
	.off = true,
	.acked = none_acked,
	.after_loss = none_after_loss,
};
