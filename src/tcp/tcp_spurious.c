/*
 * Spurious retransmission: what was believed lost was only late. The window that was reduced for it is
 * taken back, and what is believed lost but not yet sent again counts as under way. Three witnesses:
 *
 *	Eifel (RFC 3522)   the echoed timestamp is older than the retransmission: the first copy was answered
 *	D-SACK (RFC 3708)  all that was sent again arrived twice
 *	F-RTO (RFC 5682)   without timestamps, after a time-out: new data goes before more of the old is sent
 *	                   again, and what arrives tells whether the old had been lost
 */
#include "tcp/tcp_spurious.h"

#include "tcp/tcp_ack.h"
#include "tcp/tcp_congestion.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_sack.h"
#include "tcp/tcp_scoreboard.h"
#include "tcp/tcp_send.h"
#include "tcp/tcp_timer.h"

enum {
	FORWARD_SEGMENTS = 2, /* RFC 5682 section 2.1 step 2b */
	DOUBT_SEGMENTS = 3,   /* the window when the losses were real: step 3a */
	BURST_SEGMENTS =
		10, /* beyond what is under way, once it was not: RFC 4015 step 6, as IW is */
};

static struct hv_tcp_undo *undo_of(const struct hv_tcp_conn *conn)
{
	return conn->flight && conn->flight->undo.armed ? &conn->flight->undo : NULL;
}

static void begin(struct hv_tcp_conn *conn, bool timeout)
{
	struct hv_tcp_flight *flight = hv_tcp_flight_get(conn);

	if (!flight)
		return; /* no memory: no way back */
	flight->undo = (struct hv_tcp_undo){
		.armed = true,
		.timeout = timeout,
		.marker = conn->snd_una,
		.end = conn->snd_una,
	};
}

void hv_tcp_spurious_recovery(struct hv_tcp_conn *conn)
{
	begin(conn, false);
}

void hv_tcp_spurious_timeout(struct hv_tcp_conn *conn, bool again)
{
	struct hv_tcp_undo *undo;
	/* RFC 5682 section 2.1 step 1: not while another recovery is under way. */
	bool forward = !conn->timestamps && !conn->in_recovery && !conn->loss_recovery;

	if (!again)
		begin(conn, true);
	undo = undo_of(conn);
	if (!undo)
		return;
	undo->timeout = true;
	/* Time-out after time-out, and no ACK yet: the first is still awaited. */
	if (undo->frto != HV_TCP_FRTO_FIRST)
		undo->frto = forward ? HV_TCP_FRTO_FIRST : HV_TCP_FRTO_OFF;
}

void hv_tcp_spurious_forget(struct hv_tcp_conn *conn)
{
	if (conn->flight)
		conn->flight->undo = (struct hv_tcp_undo){0};
}

void hv_tcp_spurious_sent(struct hv_tcp_conn *conn, uint32_t seq, uint32_t end)
{
	struct hv_tcp_undo *undo = undo_of(conn);

	if (!undo || !(conn->in_recovery || conn->loss_recovery))
		return;
	if (!undo->stamped)
		undo->stamp = hv_tcp_timestamp(conn);
	undo->stamped = true;
	if (undo->frto == HV_TCP_FRTO_FIRST && end - conn->snd_una > conn->mss)
		undo->frto =
			HV_TCP_FRTO_OFF; /* more than the first: an ACK cannot tell any more */
	undo->pending += end - seq;
	undo->end = hv_seq_max(undo->end, end);
}

/* --- verdicts -------------------------------------------------------------------------- */

/* RFC 4015 section 3. rtt_ns: of what was late, 0 when it is not known. */
static void take_back(struct hv_tcp_conn *conn, bool timeout, uint64_t rtt_ns)
{
	uint32_t most;

	hv_tcp_spurious_forget(conn);
	conn->in_recovery = false;
	conn->loss_recovery = false;
	conn->dup_acks = 0;
	conn->recover = conn->snd_una;
	hv_tcp_congestion_undo(conn);
	if (conn->sack_ok)
		hv_tcp_sent_find_all(conn);
	else
		conn->snd_nxt = conn->snd_max; /* step 5: go on from where it was */
	conn->reordering |= !timeout;
	if (timeout) {
		/* Step 6: the ACK clock has stopped, a full window at once would be a burst. */
		most = hv_tcp_flight(conn) + BURST_SEGMENTS * (uint32_t)conn->mss;
		if (conn->cwnd > most && !hv_tcp_congestion_is_off(conn))
			conn->cwnd = most;
		if (rtt_ns) { /* steps 7 and 8: so that it does not happen again */
			hv_tcp_rtt_raise(conn,
					 rtt_ns < 2 * conn->rto_ns ? rtt_ns : 2 * conn->rto_ns);
			conn->backoff = 0;
		}
	}
	if (conn->snd_una != conn->snd_max)
		hv_tcp_arm_retransmit(conn);
	if (conn->sacked_bytes) /* some of it may be lost all the same */
		hv_tcp_sack_reorder_fired(conn);
	hv_tcp_mark(conn);
}

/* F-RTO found that the losses were real: RFC 5682 section 2.1 step 3a. */
static void losses_are_real(struct hv_tcp_conn *conn, struct hv_tcp_undo *undo)
{
	uint32_t most = DOUBT_SEGMENTS * (uint32_t)conn->mss;

	undo->frto = HV_TCP_FRTO_OFF;
	if (!conn->sack_ok)
		conn->snd_nxt = conn->snd_una;
	if (conn->cwnd > most && !hv_tcp_congestion_is_off(conn))
		conn->cwnd = most;
	hv_tcp_mark(conn);
}

/*
 * RFC 5682, with SACK (section 3.1) and without (2.1). Only the first segment has been sent again: when more is
 * acknowledged than that, it came from before the time-out. Returns whether it was spurious.
 */
static bool forward_ack(struct hv_tcp_conn *conn, struct hv_tcp_undo *undo, uint32_t acked,
			const struct hv_tcp_delivery *delivery)
{
	switch (undo->frto) {
	case HV_TCP_FRTO_FIRST:
		if (hv_seq_geq(conn->snd_una, conn->recover)) /* 2a: it tells nothing */
			undo->frto = HV_TCP_FRTO_OFF;
		else if (delivery->late)
			return true;
		else if (acked)
			undo->frto = HV_TCP_FRTO_FORWARD;
		return false;
	case HV_TCP_FRTO_FORWARD:
	case HV_TCP_FRTO_VERDICT:
		if (conn->sack_ok ? delivery->late : acked > 0) /* 3b */
			return true;
		if (delivery->bytes && undo->frto == HV_TCP_FRTO_VERDICT)
			losses_are_real(conn, undo);
		return false;
	default:
		return false;
	}
}

static void note_duplicate(struct hv_tcp_undo *undo, const struct hv_tcp_delivery *delivery)
{
	uint32_t size = delivery->dup_right - delivery->dup_left;

	/* About something else: a tail loss probe, or what the network doubled. */
	if (hv_seq_lt(delivery->dup_left, undo->marker) ||
	    hv_seq_gt(delivery->dup_right, undo->end))
		return;
	undo->pending -= size < undo->pending ? size : undo->pending;
}

/*
 * How long what was late took. When this ACK tells of a duplicate, the retransmission caused it: the data was in
 * time, its ACKs were lost, and nothing can be known of the round trip. 0: that.
 */
static uint64_t late_rtt_ns(const struct hv_tcp_conn *conn,
			    const struct hv_tcp_options *options,
			    const struct hv_tcp_delivery *delivery)
{
	uint32_t elapsed_ms = hv_tcp_timestamp(conn) - options->ts_echo;

	if (!conn->sack_ok || delivery->duplicate)
		return 0;
	if (!conn->timestamps || !options->has_timestamps)
		return delivery->rtt_ns;
	return elapsed_ms <= HV_TCP_RTO_MAX_NS / HV_TCP_MS ? elapsed_ms * HV_TCP_MS : 0;
}

void hv_tcp_spurious_ack(struct hv_tcp_conn *conn, uint32_t acked,
			 const struct hv_tcp_options *options,
			 const struct hv_tcp_delivery *delivery)
{
	struct hv_tcp_undo *undo = undo_of(conn);

	if (!undo || !undo->stamped)
		return;
	if (delivery->duplicate)
		note_duplicate(undo, delivery);
	if (acked && conn->timestamps && options->has_timestamps &&
	    hv_seq_lt(options->ts_echo, undo->stamp))
		take_back(conn, undo->timeout, late_rtt_ns(conn, options, delivery));
	else if (forward_ack(conn, undo, acked, delivery))
		take_back(conn, true, late_rtt_ns(conn, options, delivery));
	else if (!undo->pending && !conn->in_recovery)
		take_back(conn, undo->timeout, 0); /* as RFC 3708 section 3 */
}

void hv_tcp_spurious_duplicate(struct hv_tcp_conn *conn)
{
	struct hv_tcp_undo *undo = undo_of(conn);

	if (!undo || !undo->frto)
		return;
	if (undo->frto == HV_TCP_FRTO_FIRST)
		undo->frto = HV_TCP_FRTO_OFF; /* 2a */
	else
		losses_are_real(conn, undo);
}

bool hv_tcp_spurious_forward(struct hv_tcp_conn *conn)
{
	struct hv_tcp_undo *undo = undo_of(conn);
	uint32_t edge = conn->snd_una + conn->snd_wnd, end = hv_tcp_send_end(conn), before;

	if (!undo || undo->frto < HV_TCP_FRTO_FORWARD)
		return false;
	if (undo->frto == HV_TCP_FRTO_VERDICT)
		return true;
	before = conn->snd_nxt;
	conn->snd_nxt = conn->snd_max;
	for (unsigned i = 0; i < FORWARD_SEGMENTS; i++) {
		uint32_t limit = hv_seq_lt(edge, end) ? edge : end, size;

		size = hv_seq_gt(limit, conn->snd_nxt) ? limit - conn->snd_nxt : 0;
		size = size > conn->mss ? conn->mss : size;
		if (!size || hv_tcp_transmit(conn, conn->snd_nxt, size, HV_TCP_ACK) < 0)
			break;
		undo->frto = HV_TCP_FRTO_VERDICT;
	}
	if (undo->frto == HV_TCP_FRTO_VERDICT)
		return true;
	/* Nothing new to send, or no room for it: recover as usual. */
	conn->snd_nxt = before;
	undo->frto = HV_TCP_FRTO_OFF;
	return false;
}
