/*
 * Deadlines. One timer of the wheel for each connection stands at the earliest deadline or before
 * it: deadlines that move away (every ACK moves the retransmission) do not touch the wheel.
 */
#include "tcp/tcp_timer.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_path_mtu.h"
#include "tcp/tcp_rack.h"
#include "tcp/tcp_sack.h"
#include "tcp/tcp_send.h"
#include "tcp/tcp_spurious.h"

#define ORPHAN_PROBE_NS \
	(100 * HV_TCP_SECOND) /* nobody waits for what an orphan cannot deliver */
#define PERSIST_MAX_NS	  (60 * HV_TCP_SECOND)
#define TAIL_ACK_DELAY_NS (200 * HV_TCP_MS) /* RFC 8985 section 7.2: max_ack_delay */

void hv_tcp_arm(struct hv_tcp_conn *conn, enum hv_tcp_deadline which, uint64_t delay_ns)
{
	uint64_t deadline_ns = hv_tcp_now(conn) + delay_ns;

	if (!deadline_ns)
		deadline_ns = 1; /* 0 means not set */
	conn->deadlines[which] = deadline_ns;
	if (!hv_timer_is_set(&conn->timer) || conn->timer.deadline_ns > deadline_ns)
		hv_timer_set(&hv_tcp_core(conn)->wheel, &conn->timer, deadline_ns);
}

static uint64_t backed_off(const struct hv_tcp_conn *conn, uint64_t most_ns)
{
	uint64_t delay_ns = conn->rto_ns;

	for (unsigned i = 0; i < conn->backoff && delay_ns < most_ns; i++)
		delay_ns *= 2; /* RFC 6298 5.5 */
	return delay_ns < most_ns ? delay_ns : most_ns;
}

/*
 * RFC 8985 section 7.2: when the last segments of a flight may be lost, no ACK will tell; two round trips later
 * one is sent again, and its ACK does. 0: not now.
 */
static uint64_t tail_probe_ns(const struct hv_tcp_conn *conn)
{
	uint64_t delay_ns = 2 * conn->srtt_ns;

	if (!conn->sack_ok || !conn->srtt_ns || conn->tail_out || conn->retries ||
	    conn->sacked_bytes || conn->lost_bytes || conn->in_recovery ||
	    conn->loss_recovery || !hv_tcp_is_synchronized(conn))
		return 0;
	if (conn->snd_nxt - conn->snd_una <= conn->mss)
		delay_ns += TAIL_ACK_DELAY_NS; /* a lone segment may meet a delayed ACK */
	return delay_ns > HV_TCP_TAIL_MIN_NS ? delay_ns : HV_TCP_TAIL_MIN_NS;
}

/* RFC 5482: not later than the user waits. */
static uint64_t within_user_timeout(const struct hv_tcp_conn *conn, uint64_t delay_ns)
{
	uint64_t limit_ns = hv_tcp_user_timeout_ns(conn);
	uint64_t waited_ns = hv_tcp_now(conn) - conn->progress_ns;
	uint64_t left_ns = limit_ns > waited_ns ? limit_ns - waited_ns : 0;

	return limit_ns && delay_ns > left_ns ? left_ns : delay_ns;
}

void hv_tcp_arm_retransmit(struct hv_tcp_conn *conn)
{
	uint64_t delay_ns = backed_off(conn, HV_TCP_RTO_MAX_NS), tail_ns = tail_probe_ns(conn);

	conn->probing = false;
	/* A probe comes before a time-out, and at the latest in its place (RFC 8985 section 7.2). */
	conn->tail_armed = tail_ns != 0;
	if (conn->tail_armed && tail_ns < delay_ns)
		delay_ns = tail_ns;
	hv_tcp_arm(conn, HV_TCP_DEADLINE_RETRANSMIT, within_user_timeout(conn, delay_ns));
}

void hv_tcp_arm_persist(struct hv_tcp_conn *conn, uint64_t delay_ns)
{
	if (hv_tcp_is_armed(conn, HV_TCP_DEADLINE_RETRANSMIT))
		return;
	if (!conn->probing && conn->snd_una == conn->snd_max)
		conn->progress_ns = hv_tcp_now(conn); /* the wait for the window begins */
	conn->probing = true;
	delay_ns = delay_ns < PERSIST_MAX_NS ? delay_ns : PERSIST_MAX_NS;
	hv_tcp_arm(conn, HV_TCP_DEADLINE_RETRANSMIT, within_user_timeout(conn, delay_ns));
}

void hv_tcp_arm_keepalive(struct hv_tcp_conn *conn)
{
	conn->keepalive_probes = 0;
	if (conn->keepalive && hv_tcp_is_synchronized(conn))
		hv_tcp_arm(conn, HV_TCP_DEADLINE_KEEPALIVE, hv_tcp_keepalive_idle_ns(conn));
	else
		hv_tcp_disarm(conn, HV_TCP_DEADLINE_KEEPALIVE);
}

/* The peer has not answered for too long: RFC 9293 section 3.8.3, R2, and the user's own limit. */
static bool is_given_up(const struct hv_tcp_conn *conn)
{
	uint64_t waited_ns = hv_tcp_now(conn) - conn->progress_ns;

	switch (conn->state) {
	case HV_TCP_SYN_SENT:
		if (conn->retries >=
		    (conn->syn_retries ? conn->syn_retries : HV_TCP_RETRIES_SYN))
			return true;
		break;
	case HV_TCP_SYN_RECEIVED:
		if (conn->retries >= HV_TCP_RETRIES_SYN_ACK)
			return true;
		break;
	default:
		if (conn->retries >= (conn->orphan ? HV_TCP_RETRIES_ORPHAN : HV_TCP_RETRIES))
			return true;
		if (conn->orphan && conn->probing && waited_ns >= ORPHAN_PROBE_NS)
			return true;
	}
	return conn->user_timeout_ms && waited_ns >= hv_tcp_user_timeout_ns(conn);
}

static void give_up(struct hv_tcp_conn *conn)
{
	if (hv_tcp_is_synchronized(conn))
		hv_tcp_send_reset(conn);
	hv_tcp_conn_end(conn, conn->soft_error ? conn->soft_error : ETIMEDOUT);
}

/* RFC 6298 5.4 to 5.6, RFC 5681 section 3.1. */
static void retransmit_fired(struct hv_tcp_conn *conn)
{
	if (conn->probing && hv_tcp_send_held_back(conn))
		return;
	if (conn->tail_armed && !conn->probing) {
		conn->tail_armed = false;
		conn->tail_out = true;
		hv_tcp_send_tail_probe(conn);
		conn->tail_end = conn->snd_nxt;
		hv_tcp_arm_retransmit(conn);
		return;
	}
	if (is_given_up(conn)) {
		/* Without a reset (RFC 9293 section 3.10.8): what could not reach the peer would not either. */
		hv_tcp_conn_end(conn, conn->soft_error ? conn->soft_error : ETIMEDOUT);
		return;
	}
	if (conn->retries < UINT8_MAX)
		conn->retries++;
	if (conn->retries == HV_TCP_RETRIES_TOLD) {
		hv_tcp_soft_error(conn, conn->soft_error ? conn->soft_error : ETIMEDOUT);
		hv_ip_suspect(conn->tcp->ip, &conn->tuple.remote); /* MUST-20 */
	}
	if (conn->backoff < 16)
		conn->backoff++;
	conn->timing = false;
	conn->ts_timeout = hv_tcp_timestamp(conn);
	if (hv_tcp_is_opening(conn)) {
		conn->send_syn = true;
		hv_tcp_mark(conn);
	} else if (conn->probing) {
		hv_tcp_send_probe(conn);
		return;
	} else {
		bool again = conn->retries > 1 || conn->in_recovery;

		hv_tcp_path_mtu_timeout(conn);
		hv_tcp_congestion_timed_out(conn, again);
		hv_tcp_spurious_timeout(conn, again);
		conn->recover = conn->snd_max;
		conn->loss_recovery = true;
		conn->in_recovery = false;
		conn->dup_acks = 0;
		if (conn->sack_ok)
			hv_tcp_rack_timeout(conn);
		else
			conn->snd_nxt = conn->snd_una; /* all of it, from the beginning */
		/* The loss window, beside what was sent too late to be given up. */
		if (!hv_tcp_congestion_is_off(conn))
			conn->cwnd += hv_tcp_flight(conn);
		hv_tcp_mark(conn);
	}
	hv_tcp_arm_retransmit(conn);
}

/* RFC 9293 section 3.8.4. */
static void keepalive_fired(struct hv_tcp_conn *conn)
{
	uint64_t quiet_ns = hv_tcp_now(conn) - conn->received_ns;

	if (!conn->keepalive || !hv_tcp_is_synchronized(conn))
		return;
	if (quiet_ns < hv_tcp_keepalive_idle_ns(conn)) { /* there was traffic */
		conn->keepalive_probes = 0;
		hv_tcp_arm(conn, HV_TCP_DEADLINE_KEEPALIVE,
			   hv_tcp_keepalive_idle_ns(conn) - quiet_ns);
		return;
	}
	if (conn->snd_una != conn->snd_max) { /* the retransmission timer asks already */
		hv_tcp_arm(conn, HV_TCP_DEADLINE_KEEPALIVE, hv_tcp_keepalive_idle_ns(conn));
		return;
	}
	if (conn->user_timeout_ms
		    ? quiet_ns >= hv_tcp_user_timeout_ns(conn) && conn->keepalive_probes
		    : conn->keepalive_probes >= conn->keepalive_count) {
		give_up(conn);
		return;
	}
	conn->keepalive_probes++;
	/* One before what it expects: it must answer with an ACK. */
	hv_tcp_transmit(conn, conn->snd_nxt - 1, 0, HV_TCP_ACK);
	hv_tcp_arm(conn, HV_TCP_DEADLINE_KEEPALIVE, hv_tcp_keepalive_interval_ns(conn));
}

static void trim_fired(struct hv_tcp_conn *conn)
{
	if (conn->snd_una == conn->snd_max)
		hv_tcp_sent_finish(conn);
	hv_ring_trim(&conn->send, hv_tcp_core(conn));
	hv_ring_trim(&conn->receive, hv_tcp_core(conn));
	if (conn->send.memory || conn->receive.memory)
		hv_tcp_arm(conn, HV_TCP_DEADLINE_TRIM, HV_TCP_TRIM_NS);
}

static void fired(struct hv_tcp_conn *conn, enum hv_tcp_deadline which)
{
	switch (which) {
	case HV_TCP_DEADLINE_RETRANSMIT:
		retransmit_fired(conn);
		break;
	case HV_TCP_DEADLINE_REORDER:
		hv_tcp_sack_reorder_fired(conn);
		break;
	case HV_TCP_DEADLINE_DELAYED_ACK:
		conn->ack_now = true;
		hv_tcp_mark(conn);
		break;
	case HV_TCP_DEADLINE_KEEPALIVE:
		keepalive_fired(conn);
		break;
	case HV_TCP_DEADLINE_CLOSE:
		hv_tcp_conn_end(conn, 0); /* FIN-WAIT-2 of an orphan: the peer forgot us */
		break;
	case HV_TCP_DEADLINE_TRIM:
		trim_fired(conn);
		break;
	case HV_TCP_DEADLINE_PACE:
		hv_tcp_mark(conn);
		break;
	case HV_TCP_DEADLINE_COUNT:
		break;
	}
}

void hv_tcp_timer_fire(struct hv_timer *timer)
{
	struct hv_tcp_conn *conn = hv_container(timer, struct hv_tcp_conn, timer);
	uint64_t now_ns = hv_tcp_now(conn), first_ns = UINT64_MAX;

	hv_tcp_hold(conn);
	for (unsigned i = 0; i < HV_TCP_DEADLINE_COUNT; i++) {
		if (conn->deadlines[i] && conn->deadlines[i] <= now_ns) {
			conn->deadlines[i] = 0;
			fired(conn, i);
		}
	}
	for (unsigned i = 0; i < HV_TCP_DEADLINE_COUNT; i++)
		if (conn->deadlines[i] && conn->deadlines[i] < first_ns)
			first_ns = conn->deadlines[i];
	if (first_ns != UINT64_MAX)
		hv_timer_set(&hv_tcp_core(conn)->wheel, &conn->timer, first_ns);
	hv_tcp_release(conn);
}
