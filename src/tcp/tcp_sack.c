/*
 * Loss recovery with SACK: RACK says what is lost (tcp_rack.c), the window during recovery follows
 * proportional rate reduction (RFC 9937), and what is lost goes before new data (tcp_send.c).
 */
#include "tcp/tcp_sack.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_info.h"
#include "tcp/tcp_path_mtu.h"
#include "tcp/tcp_rack.h"
#include "tcp/tcp_send.h"
#include "tcp/tcp_spurious.h"

/* RFC 9937 section 6.1: the counters of the reduction. */
static void start_reduction(struct hv_tcp_conn *conn, uint32_t delivered)
{
	/* What was SACKed by earlier ACKs is not delivered during recovery. */
	conn->flight->recover_bytes =
		conn->snd_nxt - conn->snd_una - conn->sacked_bytes + delivered;
	conn->flight->prr_delivered = 0;
	conn->flight->prr_out = 0;
}

void hv_tcp_sack_reduce(struct hv_tcp_conn *conn)
{
	start_reduction(conn, 0);
}

static void enter_recovery(struct hv_tcp_conn *conn, uint32_t delivered)
{
	conn->recover = conn->snd_max;
	start_reduction(conn, delivered);
	if (conn->ecn_reducing) { /* of this round trip; once is enough (RFC 3168 section 6.1.2) */
		conn->ecn_reducing = false;
		conn->in_recovery = true;
		return;
	}
	hv_tcp_congestion_reduce(conn, conn->snd_nxt - conn->snd_una);
	conn->in_recovery = true;
	hv_tcp_spurious_recovery(conn);
}

/* RFC 9937 section 6.2. safe: more was acknowledged, and no further loss showed. */
static void reduce(struct hv_tcp_conn *conn, uint32_t delivered, bool safe)
{
	uint32_t pipe = hv_tcp_flight(conn), count, sent = conn->flight->prr_out;

	if (hv_tcp_congestion_is_off(conn))
		return;
	conn->flight->prr_delivered += delivered;
	if (pipe > conn->ssthresh) {
		uint64_t share = (uint64_t)conn->flight->prr_delivered * conn->ssthresh;
		uint32_t flight = conn->flight->recover_bytes ? conn->flight->recover_bytes : 1;
		uint32_t due = (uint32_t)((share + flight - 1) / flight);

		count = due > sent ? due - sent : 0;
	} else {
		/* Packet conservation; while it goes well, slow start. */
		count = conn->flight->prr_delivered > sent ? conn->flight->prr_delivered - sent
							   : 0;
		if (count < delivered)
			count = delivered;
		if (safe)
			count += conn->mss;
		if (count > conn->ssthresh - pipe)
			count = conn->ssthresh - pipe;
	}
	if (!sent && count < conn->mss)
		count = conn->mss; /* the first retransmission goes at once */
	conn->cwnd = pipe + count;
	if (conn->cwnd < conn->mss)
		conn->cwnd = conn->mss;
}

/* RFC 8985 section 7.4.2: what came of the tail loss probe. Returns whether the D-SACK was about it. */
static bool tail_probe_answered(struct hv_tcp_conn *conn, uint32_t acked,
				const struct hv_tcp_delivery *delivery)
{
	bool about = delivery->duplicate && delivery->dup_right == conn->tail_end;

	if (!conn->tail_out || hv_seq_lt(conn->snd_una, conn->tail_end))
		return false;
	if (!conn->tail_again || about || (!acked && !delivery->bytes)) {
		/* New data, or it came twice: it was not needed, and says nothing about reordering. */
		conn->tail_out = false;
		return about;
	}
	if (!hv_seq_gt(conn->snd_una, conn->tail_end))
		return false; /* the D-SACK may still come */
	/* The probe filled a hole: something was lost. */
	conn->tail_out = false;
	if (conn->in_recovery || conn->loss_recovery)
		return false;
	hv_tcp_congestion_reduce(conn, conn->cwnd);
	conn->cwnd = conn->ssthresh;
	return false;
}

static void end_recovery(struct hv_tcp_conn *conn)
{
	conn->in_recovery = false;
	conn->cwnd = conn->ssthresh;
	hv_tcp_rack_recovered(conn);
}

void hv_tcp_sack_ack(struct hv_tcp_conn *conn, const struct hv_tcp_options *options,
		     uint32_t acked, struct hv_tcp_delivery *delivery)
{
	bool found = false;

	if (!conn->flight) {
		if (acked)
			hv_tcp_congestion_acked(conn, acked);
		return;
	}
	if (acked)
		hv_tcp_sent_acked(conn, delivery);
	if (options->sack_count)
		hv_tcp_sent_sacked(conn, options, delivery);
	hv_tcp_count_delivered(conn, delivery->bytes);
	conn->count.duplicates += delivery->duplicate;
	if (!tail_probe_answered(conn, acked, delivery) && delivery->duplicate)
		hv_tcp_rack_duplicate(conn);
	/* Nothing arrived before its turn, nothing was sent again: nothing can be missing. */
	if (conn->sacked_bytes || conn->in_recovery || conn->loss_recovery)
		found = hv_tcp_rack_detect(conn);
	if (conn->in_recovery && hv_seq_geq(conn->snd_una, conn->recover))
		end_recovery(conn);
	if (conn->ecn_reducing && hv_seq_geq(conn->snd_una, conn->recover)) {
		conn->ecn_reducing = false;
		conn->cwnd = conn->ssthresh;
	}
	if (found && !hv_tcp_path_mtu_lost(conn) && !conn->in_recovery && !conn->loss_recovery)
		enter_recovery(conn, delivery->bytes);
	if ((conn->in_recovery || conn->ecn_reducing) && delivery->bytes)
		reduce(conn, delivery->bytes, acked && !found && !conn->ecn_told);
	else if (!conn->in_recovery && !conn->ecn_reducing &&
		 (acked || conn->reordering || conn->cwnd >= conn->ssthresh))
		/*
		 * What earlier ACKs SACKed is not news: in congestion avoidance, and where packets are reordered, SACKs
		 * count by themselves. Slow start waits: it may be a loss that ends it.
		 */
		hv_tcp_congestion_acked(conn, delivery->bytes);
	if (delivery->bytes || found)
		hv_tcp_mark(conn);
}

void hv_tcp_sack_reorder_fired(struct hv_tcp_conn *conn)
{
	if (!conn->flight || !hv_tcp_rack_detect(conn))
		return;
	if (!hv_tcp_path_mtu_lost(conn) && !conn->in_recovery && !conn->loss_recovery) {
		enter_recovery(conn, 0);
		reduce(conn, 0, false);
	}
	hv_tcp_mark(conn);
}
