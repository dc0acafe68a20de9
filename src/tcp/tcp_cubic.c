/*
 * CUBIC (RFC 9438): after a loss the window goes back to where it was along a cubic of the time since, flat
 * around the old maximum, so that a long path is filled again in seconds and not in minutes, and never more
 * slowly than NewReno would. Slow start is watched by HyStart++ (tcp_hystart.c).
 *
 * Windows are bytes, time is milliseconds, and nothing is a float: C = 2/5 segments/s^3, beta = 7/10.
 */
#include "tcp/tcp_cubic.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_hystart.h"

enum {
	BETA_TENTHS = 7,      /* section 4.6 */
	FAST_TWENTIETHS = 17, /* (1 + beta) / 2: section 4.7 */
	/* alpha = 3 (1 - beta) / (1 + beta) = 9/17: section 4.3 */
	ALPHA_OVER = 9,
	ALPHA_UNDER = 17,
	GAP_MIN_MS =
		10, /* a shorter silence does not stop the clock, whatever the round trip */
};

#define C_PER_MS3    UINT64_C(2500000000) /* 1 / C, in ms^3 for a segment */
#define DISTANCE_MAX (UINT32_C(1) << 31)

struct cubic {
	uint32_t w_max;	   /* where the cubic is flat */
	uint32_t k_ms;	   /* when it is there, from the epoch */
	uint32_t epoch_ms; /* beginning of this congestion avoidance, idle time left out */
	uint32_t w_est;	   /* what NewReno would have; 0: the epoch has not begun */
	uint32_t
		w_est_acked; /* what was acknowledged and w_est has not grown for, times alpha */
	uint32_t last_ms;    /* when the window last grew */
	struct {
		uint32_t w_max, k_ms, epoch_ms, w_est;
	} prior; /* before the last reduction: section 4.9 */
};

/* Either is in use: HyStart++ until the first loss, or the end that it finds itself. */
union state {
	struct cubic cubic;
	struct hv_tcp_hystart hystart;
};
static_assert(sizeof(union state) <= sizeof(((struct hv_tcp_conn *)0)->congestion_state),
	      "fits into the connection");

static union state *state_of(struct hv_tcp_conn *conn)
{
	return (union state *)conn->congestion_state;
}

/* --- arithmetic ------------------------------------------------------------------------ */

uint32_t hv_tcp_cube_root(uint64_t value)
{
	uint64_t root = 0;

	/* Bit by bit from the highest: (2^22)^3 is beyond 64 bits. */
	for (uint64_t bit = UINT64_C(1) << 21; bit; bit >>= 1) {
		uint64_t next = root | bit;

		if (next * next <= value / next)
			root = next;
	}
	return (uint32_t)root;
}

uint32_t hv_tcp_cubic_distance(uint32_t t_ms, uint16_t mss)
{
	unsigned __int128 cube = (unsigned __int128)t_ms * t_ms * t_ms * mss / C_PER_MS3;

	return cube < DISTANCE_MAX ? (uint32_t)cube : DISTANCE_MAX;
}

uint32_t hv_tcp_cubic_k(uint32_t bytes, uint16_t mss)
{
	return hv_tcp_cube_root(bytes * C_PER_MS3 / mss);
}

/* W_cubic(t), equation 1. */
static uint32_t cubic_window(const struct cubic *c, uint32_t t_ms, uint16_t mss)
{
	uint32_t distance =
		hv_tcp_cubic_distance(t_ms < c->k_ms ? c->k_ms - t_ms : t_ms - c->k_ms, mss);

	if (t_ms >= c->k_ms)
		return c->w_max + distance;
	return c->w_max > distance ? c->w_max - distance : 0;
}

/* --- growth ---------------------------------------------------------------------------- */

static void begin_epoch(const struct hv_tcp_conn *conn, struct cubic *c, uint32_t now_ms)
{
	c->epoch_ms = c->last_ms = now_ms;
	c->w_est = conn->cwnd;
	c->w_est_acked = 0;
	c->k_ms = 0;
	if (c->w_max > conn->cwnd)
		c->k_ms = hv_tcp_cubic_k(c->w_max - conn->cwnd, conn->mss);
	else
		c->w_max =
			conn->cwnd; /* no loss has told it, or a time-out made it old: section 4.8 */
}

/* Equation 4: alpha segments in a round trip; one, as soon as it is where the loss was. */
static void estimate_reno(const struct hv_tcp_conn *conn, struct cubic *c, uint32_t bytes)
{
	bool there = c->w_est >= conn->prior_cwnd && conn->prior_cwnd;
	uint64_t part = (uint64_t)conn->cwnd * ALPHA_UNDER;
	uint64_t sum = c->w_est_acked +
		       (uint64_t)bytes * (there ? ALPHA_UNDER : ALPHA_OVER) * conn->mss;

	c->w_est += (uint32_t)(sum / part);
	c->w_est_acked = (uint32_t)(sum % part);
}

static void avoid(struct hv_tcp_conn *conn, struct cubic *c, uint32_t bytes)
{
	uint32_t now_ms = hv_tcp_now_ms(conn);
	uint32_t rtt_ms = (uint32_t)(conn->srtt_ns / HV_TCP_MS), quiet_ms, t_ms, target;
	uint64_t sum;

	if (!c->w_est)
		begin_epoch(conn, c, now_ms);
	/* The clock stands while the application, not the window, is the limit: sections 4.2 and 5.8. */
	quiet_ms = now_ms - c->last_ms;
	if (quiet_ms > 2 * rtt_ms + GAP_MIN_MS)
		c->epoch_ms += quiet_ms;
	c->last_ms = now_ms;
	t_ms = now_ms - c->epoch_ms;
	estimate_reno(conn, c, bytes);
	if (cubic_window(c, t_ms, conn->mss) < c->w_est) { /* section 4.3 */
		if (conn->cwnd < c->w_est)
			conn->cwnd = c->w_est;
		return;
	}
	target = cubic_window(c, t_ms + rtt_ms, conn->mss);
	if (target > conn->cwnd + conn->cwnd / 2)
		target = conn->cwnd + conn->cwnd / 2;
	if (target <= conn->cwnd)
		return;
	/* (target - cwnd) / cwnd for each segment: sections 4.4 and 4.5. */
	sum = conn->cwnd_acked + (uint64_t)(target - conn->cwnd) * bytes;
	conn->cwnd_acked = (uint32_t)(sum % conn->cwnd);
	conn->cwnd += (uint32_t)(sum / conn->cwnd);
}

static void cubic_acked(struct hv_tcp_conn *conn, uint32_t bytes)
{
	union state *state = state_of(conn);

	if (hv_tcp_is_initial_slow_start(conn)) {
		hv_tcp_hystart_acked(conn, &state->hystart, bytes);
		if (!hv_tcp_is_initial_slow_start(conn))
			state->cubic = (struct cubic){0};
		return;
	}
	if (conn->cwnd < conn->ssthresh)
		bytes = hv_tcp_slow_start(conn, bytes);
	if (bytes && conn->cwnd >= conn->ssthresh)
		avoid(conn, &state->cubic, bytes);
}

static void cubic_rtt(struct hv_tcp_conn *conn, uint32_t rtt_us)
{
	if (hv_tcp_is_initial_slow_start(conn))
		hv_tcp_hystart_rtt(&state_of(conn)->hystart, rtt_us);
}

/* --- loss ------------------------------------------------------------------------------ */

static uint32_t cubic_after_loss(struct hv_tcp_conn *conn, uint32_t flight)
{
	struct cubic *c = &state_of(conn)->cubic;
	/*
	 * Section 4.6: the window instead of what is in flight, where it is validated; if the application was
	 * the limit, what was in flight.
	 */
	uint32_t window = conn->cwnd_limited || flight > conn->cwnd ? conn->cwnd : flight;
	uint32_t floor = 2 * (uint32_t)conn->mss;
	uint32_t reduced = (uint32_t)((uint64_t)window * BETA_TENTHS / 10);

	if (hv_tcp_is_initial_slow_start(conn))
		*c = (struct cubic){0}; /* HyStart++ ends here */
	c->prior.w_max = c->w_max;
	c->prior.k_ms = c->k_ms;
	c->prior.epoch_ms = c->epoch_ms;
	c->prior.w_est = c->w_est;
	/* Fast convergence, section 4.7: it came less far than before, so others have come. */
	c->w_max = window < c->w_max ? (uint32_t)((uint64_t)window * FAST_TWENTIETHS / 20)
				     : window;
	c->w_est = 0;
	return reduced > floor ? reduced : floor;
}

static void cubic_timed_out(struct hv_tcp_conn *conn)
{
	/* Section 4.8: what follows slow start begins with K = 0 at its own window. */
	state_of(conn)->cubic.w_max = 0;
}

static void cubic_undo(struct hv_tcp_conn *conn)
{
	struct cubic *c = &state_of(conn)->cubic;

	if (conn->prior_ssthresh == HV_TCP_CWND_MAX) {
		*state_of(conn) = (union state){.hystart = {0}};
		return;
	}
	c->w_max = c->prior.w_max;
	c->k_ms = c->prior.k_ms;
	c->epoch_ms = c->prior.epoch_ms;
	c->w_est = c->prior.w_est;
}

const struct hv_tcp_congestion_ops hv_tcp_cubic = {
	.name = "cubic",
	.acked = cubic_acked,
	.after_loss = cubic_after_loss,
	.timed_out = cubic_timed_out,
	.undo = cubic_undo,
	.rtt = cubic_rtt,
};
