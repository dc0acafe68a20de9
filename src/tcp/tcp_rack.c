/*
 * RACK (RFC 8985 section 6): a packet is lost when one that was sent later has arrived and a
 * reordering window has passed since. Sequence numbers, and how many duplicate ACKs came, do not matter,
 * so that lost retransmissions are found too, and reordering is not taken for loss.
 */
#include "tcp/tcp_rack.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_timer.h"

enum {
	DUP_THRESHOLD = 3,   /* as long as nothing was ever reordered: section 6.2 step 4 */
	MULTIPLIER_MAX = 64, /* of a quarter of the least round trip; SRTT bounds it anyway */
	PERSIST_RECOVERIES = 16, /* section 6.2.1 */
	WAITING_MAX = 64,	 /* packets that are looked at, and are only late */
};

static bool is_later(uint64_t time_ns, uint32_t end, uint64_t other_ns, uint32_t other_end)
{
	return time_ns > other_ns || (time_ns == other_ns && hv_seq_gt(end, other_end));
}

/* How many segments late: shown by TCP_INFO, decides nothing. */
static void note_extent(struct hv_tcp_conn *conn, const struct hv_tcp_sent *sent)
{
	uint32_t segments =
		(conn->flight->rack_highest - sent->seq + conn->mss - 1) / conn->mss;

	if (segments > conn->reorder_segments)
		conn->reorder_segments =
			(uint16_t)(segments < UINT16_MAX ? segments : UINT16_MAX);
}

void hv_tcp_rack_delivered(struct hv_tcp_conn *conn, const struct hv_tcp_sent *sent,
			   struct hv_tcp_delivery *delivery)
{
	uint64_t rtt_ns = hv_tcp_now(conn) - sent->time_ns;

	if (sent->again) {
		/* Too early to be the answer to the last transmission, or to an earlier one: step 2. */
		if (rtt_ns < conn->min_rtt_ns ||
		    (delivery->has_echo &&
		     hv_seq_lt(delivery->echo, hv_tcp_timestamp_at(conn, sent->time_ns))))
			return;
	} else {
		if (!conn->min_rtt_ns || rtt_ns < conn->min_rtt_ns)
			conn->min_rtt_ns = rtt_ns ? rtt_ns : 1;
		hv_tcp_congestion_rtt(conn, rtt_ns);
		if (!delivery->rtt_ns || rtt_ns < delivery->rtt_ns)
			delivery->rtt_ns = rtt_ns ? rtt_ns : 1;
		/* Sent once, and later ones were here before it: step 3. */
		if (conn->flight->rack_any &&
		    hv_seq_lt(sent->end, conn->flight->rack_highest)) {
			conn->reordering = true;
			conn->count.reorderings++;
			note_extent(conn, sent);
		}
		delivery->late |= sent->lost;
	}
	if (!conn->flight->rack_any || hv_seq_gt(sent->end, conn->flight->rack_highest))
		conn->flight->rack_highest = sent->end;
	if (!conn->flight->rack_any ||
	    is_later(sent->time_ns, sent->end, conn->flight->rack_time_ns,
		     conn->flight->rack_end)) {
		conn->flight->rack_time_ns = sent->time_ns;
		conn->flight->rack_end = sent->end;
	}
	conn->flight->rack_rtt_ns = rtt_ns;
	conn->flight->rack_any = true;
}

void hv_tcp_rack_duplicate(struct hv_tcp_conn *conn)
{
	/* Once in a round trip. */
	if (hv_seq_lt(conn->snd_una, conn->rack_round))
		return;
	conn->rack_round = conn->snd_nxt;
	if (conn->rack_multiplier < MULTIPLIER_MAX)
		conn->rack_multiplier++;
	conn->rack_persist = PERSIST_RECOVERIES;
}

void hv_tcp_rack_recovered(struct hv_tcp_conn *conn)
{
	if (conn->rack_persist && --conn->rack_persist == 0)
		conn->rack_multiplier = 0;
}

/* How long a packet may be late: step 4. */
static uint64_t reorder_window_ns(const struct hv_tcp_conn *conn)
{
	uint64_t window_ns = conn->min_rtt_ns / 4 * (1 + (uint64_t)conn->rack_multiplier);

	if (!conn->reordering && (conn->in_recovery || conn->loss_recovery ||
				  conn->sacked_segments >= DUP_THRESHOLD))
		return 0;
	return window_ns < conn->srtt_ns ? window_ns : conn->srtt_ns;
}

/*
 * Step 5. What was sent first is first in conn->flight->turns, so that the walk ends at the first packet that
 * nothing sent later has overtaken; what is only late bounds the walk too, and is looked at again when
 * the timer fires.
 */
bool hv_tcp_rack_detect(struct hv_tcp_conn *conn)
{
	uint64_t window_ns = reorder_window_ns(conn), now_ns = hv_tcp_now(conn), wait_ns = 0;
	struct hv_list *turn = conn->flight->turns.next;
	unsigned waiting = 0;
	bool found = false;

	hv_tcp_disarm(conn, HV_TCP_DEADLINE_REORDER);
	if (!conn->flight->rack_any)
		return false;
	while (turn != &conn->flight->turns && waiting < WAITING_MAX) {
		struct hv_tcp_sent *sent = hv_tcp_sent_of(turn);
		uint64_t due_ns = sent->time_ns + conn->flight->rack_rtt_ns + window_ns;

		if (!is_later(conn->flight->rack_time_ns, conn->flight->rack_end, sent->time_ns,
			      sent->end))
			break;
		/* Sent again at this very moment: nothing can be known of it. Without time that goes
		 * by, every answer would else call for another transmission. */
		if (sent->again && sent->time_ns >= now_ns)
			break;
		turn = turn->next;
		if (due_ns <= now_ns) {
			hv_tcp_sent_lose(conn, sent);
			found = true;
		} else {
			wait_ns = due_ns - now_ns;
			waiting++;
		}
	}
	if (wait_ns)
		hv_tcp_arm(conn, HV_TCP_DEADLINE_REORDER, wait_ns);
	return found;
}

void hv_tcp_rack_timeout(struct hv_tcp_conn *conn)
{
	struct hv_tcp_flight *flight = conn->flight;
	struct hv_tcp_sent *first = flight ? flight->first : NULL;
	uint64_t patience_ns;

	/* A receiver that SACKed the first one without acknowledging it took its word back (RFC 2018 section 8). */
	if (!first)
		return;
	if (first->sacked) {
		hv_tcp_sent_renege(conn);
		hv_tcp_sent_lose_all(conn);
		return;
	}
	if (!flight->rack_any) {
		hv_tcp_sent_lose_all(conn);
		return;
	}
	patience_ns = flight->rack_rtt_ns + reorder_window_ns(conn);
	while (!hv_list_is_empty(&flight->turns)) {
		struct hv_tcp_sent *sent = hv_tcp_sent_of(flight->turns.next);

		if (sent->time_ns + patience_ns > hv_tcp_now(conn))
			break;
		hv_tcp_sent_lose(conn, sent);
	}
	hv_tcp_sent_lose(conn, first);
}
