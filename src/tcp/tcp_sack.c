/*
 * Loss recovery with SACK: RACK says what is lost (tcp_rack.c), the window during recovery follows
 * proportional rate reduction (RFC 6937), and what is lost goes before new data (tcp_send.c).
 */
#include "tcp/tcp_sack.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_info.h"
#include "tcp/tcp_rack.h"
#include "tcp/tcp_send.h"

static void enter_recovery(struct hv_tcp_conn *conn)
{
	conn->recover = conn->snd_max;
	conn->recover_flight = conn->snd_nxt - conn->snd_una;
	hv_tcp_congestion_reduce(conn, conn->recover_flight);
	conn->in_recovery = true;
	conn->prr_delivered = 0;
	conn->prr_out = 0;
}

/* RFC 6937 section 3, with the slow start reduction bound. */
static void reduce(struct hv_tcp_conn *conn, uint32_t delivered)
{
	uint32_t pipe = hv_tcp_flight(conn), count = 0;

	conn->prr_delivered += delivered;
	if (pipe > conn->ssthresh) {
		uint64_t share = (uint64_t)conn->prr_delivered * conn->ssthresh;
		uint32_t flight = conn->recover_flight ? conn->recover_flight : 1;
		uint32_t due = (uint32_t)((share + flight - 1) / flight);

		count = due > conn->prr_out ? due - conn->prr_out : 0;
	} else {
		uint32_t limit = conn->prr_delivered > conn->prr_out
					 ? conn->prr_delivered - conn->prr_out
					 : 0;

		limit = (limit > delivered ? limit : delivered) + conn->mss;
		count = conn->ssthresh - pipe < limit ? conn->ssthresh - pipe : limit;
	}
	if (!conn->prr_out && count < conn->mss)
		count = conn->mss; /* the first retransmission goes at once */
	conn->cwnd = pipe + count;
	if (conn->cwnd < conn->mss)
		conn->cwnd = conn->mss;
}

/*
 * RFC 8985 section 7.4: a probe that came twice was not needed, and says nothing about reordering. When what was
 * sent after it is acknowledged and no D-SACK came, it was: something was lost, and the window shrinks.
 */
static void tail_probe_answered(struct hv_tcp_conn *conn, bool duplicate)
{
	if (duplicate || !conn->tail_again) {
		conn->tail_out = false;
		return;
	}
	if (!hv_seq_gt(conn->snd_una, conn->tail_end))
		return; /* the D-SACK may still come */
	conn->tail_out = false;
	if (conn->in_recovery || conn->loss_recovery)
		return;
	hv_tcp_congestion_reduce(conn, conn->cwnd);
	conn->cwnd = conn->ssthresh;
}

void hv_tcp_sack_ack(struct hv_tcp_conn *conn, const struct hv_tcp_options *options,
		     uint32_t acked)
{
	bool duplicate = false, found = false;
	uint32_t delivered = 0;

	if (acked)
		delivered = hv_tcp_sent_acked(conn);
	if (options->sack_count)
		delivered += hv_tcp_sent_sacked(conn, options, &duplicate);
	hv_tcp_count_delivered(conn, delivered);
	conn->count.duplicates += duplicate;
	if (conn->tail_out && (duplicate || hv_seq_geq(conn->snd_una, conn->tail_end)))
		tail_probe_answered(conn, duplicate);
	else if (duplicate)
		hv_tcp_rack_duplicate(conn);
	/* Nothing arrived before its turn, nothing was sent again: nothing can be missing. */
	if (conn->sacked_bytes || conn->in_recovery || conn->loss_recovery)
		found = hv_tcp_rack_detect(conn);
	if (conn->in_recovery && hv_seq_geq(conn->snd_una, conn->recover)) {
		conn->in_recovery = false;
		conn->cwnd = conn->ssthresh;
		hv_tcp_rack_recovered(conn);
	}
	if (found && !conn->in_recovery && !conn->loss_recovery)
		enter_recovery(conn);
	if (conn->in_recovery)
		reduce(conn, delivered);
	else if (acked)
		hv_tcp_congestion_acked(conn, acked);
	if (delivered || found)
		hv_tcp_mark(conn);
}

void hv_tcp_sack_reorder_fired(struct hv_tcp_conn *conn)
{
	if (!hv_tcp_rack_detect(conn))
		return;
	if (!conn->in_recovery && !conn->loss_recovery)
		enter_recovery(conn);
	if (conn->in_recovery)
		reduce(conn, 0);
	hv_tcp_mark(conn);
}
