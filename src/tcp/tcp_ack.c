/*
 * Acknowledgements: what has arrived, how long it took, what was lost, and what the peer's window
 * is now. RFC 9293 section 3.10.7.4 (fifth check), 5681, 5961, 6298, 6582.
 */
#include "tcp/tcp_ack.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_ecn.h"
#include "tcp/tcp_info.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_path_mtu.h"
#include "tcp/tcp_rack.h"
#include "tcp/tcp_record.h"
#include "tcp/tcp_sack.h"
#include "tcp/tcp_send.h"
#include "tcp/tcp_spurious.h"
#include "tcp/tcp_state.h"
#include "tcp/tcp_timer.h"
#include "tcp/tcp_urgent.h"

enum {
	DUP_ACK_THRESHOLD = 3, /* RFC 5681 section 3.2 */
	/*
	 * Progress without a round trip measured keeps the RTO backed off (Karn), but no further than this: 16
	 * times the least RTO is more than any path takes, and ACKs lost in a row must not add up.
	 */
	BACKOFF_KEPT = 4,
};

/*
 * RFC 6298 2.3 adds at least the clock's granularity to the round trip, 2.4 asks for a second in all. Hosts
 * add at least HV_TCP_RTO_MIN_NS: on a steady path, where the variation is almost nothing, a delayed ACK
 * must not look like a loss. 2.5: a bound.
 */
static void set_rto(struct hv_tcp_conn *conn)
{
	uint64_t variation = 4 * conn->rttvar_ns;

	if (variation < HV_TCP_RTO_MIN_NS)
		variation = HV_TCP_RTO_MIN_NS;
	conn->rto_ns = conn->srtt_ns + variation;
	if (conn->rto_ns > HV_TCP_RTO_MAX_NS)
		conn->rto_ns = HV_TCP_RTO_MAX_NS;
}

void hv_tcp_rtt_raise(struct hv_tcp_conn *conn, uint64_t rtt_ns)
{
	if (conn->srtt_ns < rtt_ns)
		conn->srtt_ns = rtt_ns;
	if (conn->rttvar_ns < rtt_ns / 2)
		conn->rttvar_ns = rtt_ns / 2;
	set_rto(conn);
}

void hv_tcp_rtt_sample(struct hv_tcp_conn *conn, uint64_t rtt_ns)
{
	if (rtt_ns == 0)
		rtt_ns = 1;   /* 0 means not measured */
	if (!conn->srtt_ns) { /* RFC 6298 2.2 */
		conn->srtt_ns = rtt_ns;
		conn->rttvar_ns = rtt_ns / 2;
	} else { /* 2.3, alpha 1/8, beta 1/4 */
		uint64_t error = conn->srtt_ns > rtt_ns ? conn->srtt_ns - rtt_ns
							: rtt_ns - conn->srtt_ns;

		conn->rttvar_ns = conn->rttvar_ns - conn->rttvar_ns / 4 + error / 4;
		conn->srtt_ns = conn->srtt_ns - conn->srtt_ns / 8 + rtt_ns / 8;
	}
	set_rto(conn);
}

/*
 * The ACK may tell how long a segment was on its way. If it does, the RTO is what was measured; if not
 * (Karn: what was sent twice cannot be told apart), a backed-off RTO stays (RFC 6298 section 5).
 * Returns whether it told.
 */
static bool measure(struct hv_tcp_conn *conn, uint32_t ack,
		    const struct hv_tcp_options *options)
{
	if (conn->timing && hv_seq_geq(ack, conn->rtt_seq)) {
		conn->timing = false;
		conn->backoff = 0;
		hv_tcp_rtt_sample(conn, hv_tcp_now(conn) - conn->rtt_start_ns);
		return true;
	}
	if (!conn->timing && conn->timestamps && options->has_timestamps) {
		/* After a retransmission timestamps tell which was answered (RFC 7323 section 4.1). */
		uint32_t elapsed_ms = hv_tcp_timestamp(conn) - options->ts_echo;

		if (options->sack_count && hv_seq_leq(options->sack[0][1], ack)) {
			/*
			 * A duplicate caused this ACK: it echoes the first copy, whose own ACK was lost. After a time-out
			 * it is the answer to what went then; otherwise nothing is known.
			 */
			elapsed_ms = hv_tcp_timestamp(conn) - conn->ts_timeout;
			if (!conn->backoff || (elapsed_ms + 1) * HV_TCP_MS < conn->min_rtt_ns)
				return false;
		} else if (conn->backoff && hv_seq_lt(options->ts_echo, conn->ts_timeout)) {
			/* Older than the time-out: an ACK was lost or late, and its age is no round trip. */
			return false;
		}
		if (elapsed_ms > HV_TCP_RTO_MAX_NS / HV_TCP_MS)
			return false;
		conn->backoff = 0;
		hv_tcp_rtt_sample(conn, (elapsed_ms ? elapsed_ms : 1) * HV_TCP_MS);
		return true;
	}
	return false;
}

bool hv_tcp_window_update(struct hv_tcp_conn *conn, const struct hv_desc *d)
{
	uint32_t window = (uint32_t)d->window << conn->snd_wscale;
	bool changed = window != conn->snd_wnd;

	/* RFC 9293 section 3.10.7.4: old segments must not take the window back. */
	if (!hv_seq_lt(conn->snd_wl1, d->seq) &&
	    !(conn->snd_wl1 == d->seq && hv_seq_leq(conn->snd_wl2, d->ack)))
		return false;
	conn->snd_wl1 = d->seq;
	conn->snd_wl2 = d->ack;
	conn->snd_wnd = window;
	if (window > conn->snd_wnd_max)
		conn->snd_wnd_max = window;
	if (changed && conn->probing && window) {
		/* The window is open: the persist timer is off, what waited goes. */
		conn->probing = false;
		conn->backoff = 0;
		hv_tcp_disarm(conn, HV_TCP_DEADLINE_RETRANSMIT);
	}
	return changed;
}

/* RFC 6582 section 3.2, step 2. */
static void enter_recovery(struct hv_tcp_conn *conn)
{
	if (!conn->ecn_reducing) { /* else it was done in this round trip: RFC 3168 section 6.1.2 */
		hv_tcp_congestion_reduce(conn, hv_tcp_flight(conn));
		hv_tcp_spurious_recovery(conn);
	}
	conn->ecn_reducing = false;
	conn->in_recovery = true;
	conn->partial_ack = false;
	conn->recover = conn->snd_max;
	hv_tcp_retransmit(conn);
	conn->cwnd = conn->ssthresh + DUP_ACK_THRESHOLD * conn->mss;
}

static void duplicate_ack(struct hv_tcp_conn *conn)
{
	if (conn->dup_acks < UINT8_MAX)
		conn->dup_acks++;
	if (conn->in_recovery) {
		conn->cwnd +=
			conn->mss; /* a segment has left the network: step 3 of 5681 3.2 */
		hv_tcp_mark(conn);
		return;
	}
	/* RFC 6582 section 4: not for what a time-out has sent again already. */
	if (conn->loss_recovery) {
		hv_tcp_spurious_duplicate(conn);
		return;
	}
	if (conn->dup_acks == DUP_ACK_THRESHOLD)
		enter_recovery(conn);
	hv_tcp_mark(conn); /* limited transmit: tcp_send.c */
}

/* New data acknowledged while in fast recovery: RFC 6582 section 3.2, step 3. */
static void recovery_ack(struct hv_tcp_conn *conn, uint32_t acked)
{
	uint32_t flight = hv_tcp_flight(conn);

	if (hv_seq_geq(conn->snd_una, conn->recover)) { /* full */
		uint32_t modest = (flight > conn->mss ? flight : conn->mss) + conn->mss;

		conn->in_recovery = false;
		conn->dup_acks = 0;
		conn->cwnd = conn->ssthresh < modest ? conn->ssthresh : modest;
		return;
	}
	/* Partial: the next hole begins here. */
	hv_tcp_retransmit(conn);
	conn->cwnd = conn->cwnd > acked ? conn->cwnd - acked : 0;
	if (acked >= conn->mss)
		conn->cwnd += conn->mss;
	if (conn->cwnd < conn->mss)
		conn->cwnd = conn->mss;
}

/*
 * The send buffer grows with the congestion window. Twice as much keeps the pipe full while a hole is repaired, and the owner
 * is told of room when a third is free.
 */
static void tune_send(struct hv_tcp_conn *conn)
{
	uint32_t most = conn->tcp->config.send_buffer_bytes;
	uint32_t wanted = conn->cwnd > most / 3 ? most : conn->cwnd * 3;

	if (!conn->send_fixed && wanted > conn->send.limit)
		conn->send.limit = wanted;
}

static void tell_owner(struct hv_tcp_conn *conn)
{
	tune_send(conn);
	hv_tcp_tell_writable(conn);
	if (!conn->all_sent && !conn->send.used && conn->snd_una == conn->snd_max &&
	    conn->send_ended == conn->fin_sent) {
		conn->all_sent = true;
		hv_tcp_notify(conn, HAVEN_EVENT_SENT);
	}
	if (!conn->send.used && conn->send.memory &&
	    !hv_tcp_is_armed(conn, HV_TCP_DEADLINE_TRIM))
		hv_tcp_arm(conn, HV_TCP_DEADLINE_TRIM, HV_TCP_TRIM_NS);
}

/*
 * RFC 6582 section 3.2 step 3: of the partial ACKs only the first starts the timer again. One hole is filled in each
 * round trip; when there are more than an RTO has time for, slow start is faster.
 */
static bool is_slow(struct hv_tcp_conn *conn)
{
	bool slow = conn->in_recovery && conn->partial_ack;

	conn->partial_ack = conn->in_recovery && !conn->sack_ok;
	return slow && !conn->sack_ok;
}

static void new_ack(struct hv_tcp_conn *conn, uint32_t ack,
		    const struct hv_tcp_options *options)
{
	bool fin = conn->fin_sent && ack == hv_tcp_send_end(conn) + 1;
	uint32_t acked = ack - conn->snd_una;
	struct hv_tcp_delivery delivery = {
		.has_echo = conn->timestamps && options->has_timestamps,
		.echo = options->ts_echo,
	};
	bool measured;

	measured = measure(conn, ack, options);
	if (conn->backoff > BACKOFF_KEPT)
		conn->backoff = BACKOFF_KEPT;
	hv_ring_consume(&conn->send, acked - fin);
	conn->count.bytes_acked += acked - fin;
	if (conn->no_delay || ack == conn->snd_max)
		conn->more = false; /* "more follows" holds back no longer than this */
	conn->snd_una = ack;
	hv_tcp_urgent_acked(conn);
	hv_tcp_record_acked(conn);
	conn->snd_nxt = hv_seq_max(conn->snd_nxt, ack);
	if (hv_seq_lt(conn->snd_small, ack))
		conn->snd_small = ack; /* never half a sequence space behind */
	conn->retries = 0;
	conn->soft_error = 0;
	conn->progress_ns = hv_tcp_now(conn);
	hv_tcp_path_mtu_acked(conn, acked - fin);
	if (conn->sack_ok) {
		hv_tcp_sack_ack(conn, options, acked, &delivery);
	} else if (conn->in_recovery) {
		hv_tcp_count_delivered(conn, acked);
		recovery_ack(conn, acked);
	} else {
		/* Each duplicate ACK told of a segment already; after a time-out, of one that came twice. */
		uint32_t told = conn->loss_recovery ? 0 : conn->dup_acks * (uint32_t)conn->mss;

		hv_tcp_count_delivered(conn, acked);
		conn->dup_acks = 0;
		hv_tcp_congestion_acked(conn, acked > told ? acked - told : 0);
	}
	/* Sent once: not ambiguous. But what took longer than the time-out may stand for lost ACKs. */
	if (!measured && !conn->timing && delivery.rtt_ns &&
	    (!conn->backoff || delivery.rtt_ns < conn->rto_ns)) {
		conn->backoff = 0;
		hv_tcp_rtt_sample(conn, delivery.rtt_ns);
	}
	hv_tcp_spurious_ack(conn, acked, options, &delivery);
	if (!conn->in_recovery && hv_seq_geq(ack, conn->recover)) {
		if (conn->loss_recovery)
			hv_tcp_rack_recovered(conn);
		conn->loss_recovery = false;
		conn->ecn_reducing = false;
		conn->recover = ack; /* never half a sequence space behind */
		conn->rack_round = hv_seq_max(conn->rack_round, ack);
	}
	if (conn->snd_una == conn->snd_max) {
		conn->timing = false;
		hv_tcp_disarm(conn, HV_TCP_DEADLINE_RETRANSMIT); /* RFC 6298 5.2 */
	} else if (!is_slow(conn)) {
		hv_tcp_arm_retransmit(conn); /* 5.3 */
	}
	tell_owner(conn);
	hv_tcp_mark(conn);
	if (fin)
		hv_tcp_fin_acked(conn);
}

/* It acknowledges no more than before. plain: a duplicate ACK as RFC 5681 section 2 has it. */
static void sack_only(struct hv_tcp_conn *conn, const struct hv_tcp_options *options,
		      bool plain)
{
	struct hv_tcp_delivery delivery = {
		.has_echo = conn->timestamps && options->has_timestamps,
		.echo = options->ts_echo,
	};

	if (options->sack_count || (conn->tail_out && plain))
		hv_tcp_sack_ack(conn, options, 0, &delivery);
	hv_tcp_spurious_ack(conn, 0, options, &delivery);
	/* What is missing shows by itself now: a time-out is next, no probe (RFC 8985 section 7.2). */
	if (conn->tail_armed && delivery.bytes)
		hv_tcp_arm_retransmit(conn);
}

/* A later ACK came before it. What it says by SACK may be news all the same; what is old of that is no D-SACK. */
static void old_ack(struct hv_tcp_conn *conn, const struct hv_tcp_options *options)
{
	struct hv_tcp_options news = {0};

	if (!conn->sack_ok)
		return;
	for (unsigned i = 0; i < options->sack_count; i++) {
		if (!hv_seq_gt(options->sack[i][1], conn->snd_una))
			continue;
		news.sack[news.sack_count][0] = options->sack[i][0];
		news.sack[news.sack_count++][1] = options->sack[i][1];
	}
	if (news.sack_count)
		sack_only(conn, &news, false);
}

enum hv_tcp_ack_result hv_tcp_ack_input(struct hv_tcp_conn *conn, const struct hv_desc *d,
					const struct hv_tcp_options *options)
{
	bool window_changed;

	/* RFC 5961 section 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT */
	if (hv_seq_gt(d->ack, conn->snd_max) ||
	    hv_seq_lt(d->ack, conn->snd_una - conn->snd_wnd_max)) {
		hv_tcp_send_challenge(conn);
		return HV_TCP_ACK_IGNORE;
	}
	/* Only now: who cannot acknowledge must not be able to set what the next segments are measured by. */
	hv_tcp_timestamp_note(conn, d->seq, options);
	if (conn->probing || !conn->snd_wnd)
		conn->retries = 0; /* it lives: a closed window is probed for ever */
	if (hv_seq_lt(d->ack, conn->snd_una)) {
		old_ack(conn, options);
		return HV_TCP_ACK_OK; /* the data with it may be new */
	}
	hv_tcp_ecn_ack(conn, d);
	window_changed = hv_tcp_window_update(conn, d);
	if (d->ack != conn->snd_una) {
		new_ack(conn, d->ack, options);
		return HV_TCP_ACK_OK;
	}
	if (window_changed)
		hv_tcp_mark(conn);
	if (conn->sack_ok) {
		sack_only(conn, options, !d->payload_len && !window_changed);
		return HV_TCP_ACK_OK;
	}
	if (window_changed)
		return HV_TCP_ACK_OK;
	if (!d->payload_len && conn->snd_una != conn->snd_max && !conn->probing &&
	    !(d->tcp_flags & HV_TCP_FIN))
		duplicate_ack(conn); /* as RFC 5681 section 2 defines it */
	return HV_TCP_ACK_OK;
}
