/*
 * The scoreboard: records of what was sent and when, marked by SACK blocks (RFC 2018), by RACK (tcp_rack.c) and
 * by time-outs. The sums that the sender needs are kept, not counted: conn->sacked_bytes, conn->lost_bytes.
 *
 * An ACK costs what it says, not what the window holds: its blocks are looked up in a tree, what was SACKed side
 * by side becomes one record, RACK looks only at the packets that were sent first (conn->flight->turns), and the
 * sender takes the next lost one from a queue (conn->flight->lost).
 */
#include "tcp/tcp_scoreboard.h"

#include "tcp/tcp_rack.h"
#include "tcp/tcp_sent_tree.h"

enum { RECORDS_MAX = 16384 }; /* more than a full window of small segments has */

static uint32_t size_of(const struct hv_tcp_sent *sent)
{
	return sent->end - sent->seq;
}

static uint32_t segments_in(const struct hv_tcp_conn *conn, uint32_t size)
{
	return size > conn->mss ? (size + conn->mss - 1) / conn->mss : 1;
}

/* So that nobody outside can tell how the tree is shaped. */
static uint32_t priority_of(const struct hv_tcp_conn *conn, uint32_t seq)
{
	uint64_t mixed = (seq ^ hv_tcp_core(conn)->hash_key.k0) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(mixed >> 32) ^ (uint32_t)mixed;
}

static void init(struct hv_tcp_flight *flight)
{
	hv_list_init(&flight->turns);
	hv_list_init(&flight->lost);
}

struct hv_tcp_flight *hv_tcp_flight_get(struct hv_tcp_conn *conn)
{
	if (!conn->flight) {
		conn->flight = hv_zalloc(hv_tcp_core(conn), sizeof(*conn->flight));
		if (conn->flight)
			init(conn->flight);
	}
	return conn->flight;
}

/* --- records --------------------------------------------------------------------------- */

static struct hv_tcp_sent *new_record(struct hv_tcp_conn *conn)
{
	struct hv_tcp_sent *sent = conn->flight->spare;

	conn->flight->spare = NULL;
	if (sent)
		return sent;
	if (conn->flight->records >= RECORDS_MAX)
		return NULL;
	sent = hv_alloc(hv_tcp_core(conn), sizeof(*sent));
	if (sent)
		conn->flight->records++;
	return sent;
}

/* Behind `before` (NULL: it is the first of all). seq is set. */
static void link_record(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent,
			struct hv_tcp_sent *before)
{
	sent->prev = before;
	sent->next = before ? before->next : conn->flight->first;
	if (before)
		before->next = sent;
	else
		conn->flight->first = sent;
	if (sent->next)
		sent->next->prev = sent;
	else
		conn->flight->last = sent;
	sent->priority = priority_of(conn, sent->seq);
	hv_tcp_sent_tree_insert(&conn->flight->tree, sent);
}

static void drop_record(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent)
{
	hv_tcp_sent_tree_remove(&conn->flight->tree, sent);
	if (sent->prev)
		sent->prev->next = sent->next;
	else
		conn->flight->first = sent->next;
	if (sent->next)
		sent->next->prev = sent->prev;
	else
		conn->flight->last = sent->prev;
	hv_list_remove(&sent->turn);
	conn->flight->records--;
	hv_free(hv_tcp_core(conn), sent, sizeof(*sent));
}

static void forget_marks(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent)
{
	if (sent->sacked) {
		conn->sacked_bytes -= size_of(sent);
		conn->sacked_segments -= sent->segments;
	}
	if (sent->lost)
		conn->lost_bytes -= size_of(sent);
	sent->sacked = sent->lost = false;
}

/* Cut in two at seq. Without memory it stays whole: false. */
static bool split(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent, uint32_t seq)
{
	struct hv_tcp_sent *rest = new_record(conn);
	uint32_t first = segments_in(conn, seq - sent->seq);

	if (!rest)
		return false;
	*rest = *sent;
	rest->seq = seq;
	rest->segments = sent->segments > first ? (uint16_t)(sent->segments - first) : 1;
	sent->end = seq;
	sent->segments = sent->segments > first ? (uint16_t)first : sent->segments;
	link_record(conn, rest, sent);
	hv_list_init(&rest->turn);
	if (!rest->sacked)
		hv_list_append(sent->turn.next, &rest->turn); /* right behind it */
	return true;
}

/* Both are next to each other and have the same fate: the second becomes part of the first. */
static void join(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent, struct hv_tcp_sent *next)
{
	uint32_t segments = (uint32_t)sent->segments + next->segments;

	sent->end = next->end;
	sent->segments = segments > UINT16_MAX ? UINT16_MAX : (uint16_t)segments;
	conn->sacked_segments -= sent->sacked ? segments - sent->segments : 0;
	sent->again |= next->again;
	if (sent->time_ns < next->time_ns)
		sent->time_ns = next->time_ns;
	drop_record(conn, next);
}

/* --- what is sent ---------------------------------------------------------------------- */

/* One record can stand for what was sent after it as well, when there is no memory for another. */
static bool can_grow(const struct hv_tcp_sent *last)
{
	return last && !last->sacked && !last->lost;
}

bool hv_tcp_sent_reserve(struct hv_tcp_conn *conn, uint32_t seq)
{
	if (!hv_tcp_flight_get(conn))
		return false;
	if (conn->flight->spare ||
	    (conn->flight->last && hv_seq_lt(seq, conn->flight->last->end)))
		return true;
	conn->flight->spare = new_record(conn);
	return conn->flight->spare || can_grow(conn->flight->last);
}

static void sent_now(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent)
{
	sent->time_ns = hv_tcp_now(conn);
	hv_list_remove(&sent->turn);
	hv_list_append(&conn->flight->turns, &sent->turn);
}

static void note_again(struct hv_tcp_conn *conn, uint32_t seq, uint32_t end)
{
	struct hv_tcp_sent *sent = hv_tcp_sent_tree_find(conn->flight->tree, seq);

	for (; sent && hv_seq_lt(sent->seq, end); sent = sent->next) {
		if (hv_seq_lt(sent->seq, seq) || hv_seq_gt(sent->end, end) || sent->sacked)
			continue;
		forget_marks(conn, sent);
		sent->again = true;
		sent_now(conn, sent);
	}
}

void hv_tcp_sent_note(struct hv_tcp_conn *conn, uint32_t seq, uint32_t end)
{
	struct hv_tcp_sent *sent, *last = conn->flight->last;

	conn->flight->prr_out += end - seq;
	if (last && hv_seq_lt(seq, last->end)) {
		note_again(conn, seq, end);
		return;
	}
	sent = new_record(conn);
	if (!sent) {
		assert(last); /* hv_tcp_sent_reserve() said that it can stand for both */
		last->end = end;
		last->segments = (uint16_t)segments_in(conn, end - last->seq);
		sent_now(conn, last);
		return;
	}
	*sent = (struct hv_tcp_sent){
		.seq = seq,
		.end = end,
		.segments = (uint16_t)segments_in(conn, end - seq),
	};
	hv_list_init(&sent->turn);
	link_record(conn, sent, last);
	sent_now(conn, sent);
}

/* --- what has arrived ------------------------------------------------------------------ */

void hv_tcp_sent_acked(struct hv_tcp_conn *conn, struct hv_tcp_delivery *delivery)
{
	while (conn->flight->first && hv_seq_lt(conn->flight->first->seq, conn->snd_una)) {
		struct hv_tcp_sent *sent = conn->flight->first;
		bool whole = hv_seq_leq(sent->end, conn->snd_una);
		uint32_t part = (whole ? sent->end : conn->snd_una) - sent->seq;

		if (!sent->sacked) {
			struct hv_tcp_sent arrived = *sent; /* the rest of it did not */

			arrived.end = sent->seq + part;
			delivery->bytes += part;
			hv_tcp_rack_delivered(conn, &arrived, delivery);
		}
		if (!whole) {
			uint32_t left = segments_in(conn, sent->end - conn->snd_una);

			conn->sacked_bytes -= sent->sacked ? part : 0;
			conn->lost_bytes -= sent->lost ? part : 0;
			if (left < sent->segments) {
				conn->sacked_segments -=
					sent->sacked ? sent->segments - left : 0;
				sent->segments = (uint16_t)left;
			}
			sent->seq = conn->snd_una;
			break;
		}
		forget_marks(conn, sent);
		drop_record(conn, sent);
	}
}

/* It is there: at one with its neighbours that are there too. Returns what it is part of now. */
static struct hv_tcp_sent *take(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent)
{
	forget_marks(conn, sent);
	sent->sacked = true;
	hv_list_remove(&sent->turn);
	conn->sacked_bytes += size_of(sent);
	conn->sacked_segments += sent->segments;
	if (sent->prev && sent->prev->sacked) {
		sent = sent->prev;
		join(conn, sent, sent->next);
	}
	if (sent->next && sent->next->sacked)
		join(conn, sent, sent->next);
	return sent;
}

static void mark(struct hv_tcp_conn *conn, uint32_t left, uint32_t right,
		 struct hv_tcp_delivery *delivery)
{
	struct hv_tcp_sent *sent = hv_tcp_sent_tree_find(conn->flight->tree, left);

	if (!sent)
		sent = conn->flight->first;
	for (; sent && hv_seq_lt(sent->seq, right); sent = sent->next) {
		if (sent->sacked || hv_seq_leq(sent->end, left))
			continue;
		if (hv_seq_lt(sent->seq, left)) {
			if (!split(conn, sent, left))
				continue;
			sent = sent->next;
		}
		if (hv_seq_gt(sent->end, right) && !split(conn, sent, right))
			continue;
		delivery->bytes += size_of(sent);
		hv_tcp_rack_delivered(conn, sent, delivery);
		sent = take(conn, sent);
	}
}

/*
 * RFC 2883 section 4: the first block is about a duplicate when it is old, or inside of the second. More
 * than a window ago it is about nothing that we could still know of.
 */
static bool is_duplicate(const struct hv_tcp_conn *conn, const struct hv_tcp_options *options)
{
	uint32_t left = options->sack[0][0], right = options->sack[0][1];

	if (!hv_seq_lt(left, right) || hv_seq_lt(left, conn->snd_una - conn->snd_wnd_max))
		return false;
	if (hv_seq_leq(right, conn->snd_una))
		return true;
	return options->sack_count > 1 && hv_seq_geq(left, options->sack[1][0]) &&
	       hv_seq_leq(right, options->sack[1][1]);
}

void hv_tcp_sent_sacked(struct hv_tcp_conn *conn, const struct hv_tcp_options *options,
			struct hv_tcp_delivery *delivery)
{
	uint32_t done = 0;

	delivery->duplicate = is_duplicate(conn, options);
	delivery->dup_left = options->sack[0][0];
	delivery->dup_right = options->sack[0][1];
	/* From the left to the right: only then is what comes below the highest out of order. */
	for (unsigned i = 0; i < options->sack_count; i++) {
		unsigned first = options->sack_count;

		for (unsigned k = 0; k < options->sack_count; k++)
			if (!(done & 1u << k) &&
			    (first == options->sack_count ||
			     hv_seq_lt(options->sack[k][0], options->sack[first][0])))
				first = k;
		done |= 1u << first;
		if (hv_seq_lt(options->sack[first][0], options->sack[first][1]) &&
		    hv_seq_gt(options->sack[first][1], conn->snd_una) &&
		    hv_seq_leq(options->sack[first][1], conn->snd_max))
			mark(conn, options->sack[first][0], options->sack[first][1], delivery);
	}
}

/* --- what is lost ---------------------------------------------------------------------- */

void hv_tcp_sent_lose(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent)
{
	struct hv_list *lost = &conn->flight->lost;

	if (sent->lost || sent->sacked)
		return;
	sent->lost = true;
	conn->lost_bytes += size_of(sent);
	hv_list_remove(&sent->turn);
	/* What the receiver waits for most goes first: a retransmission that was lost is far back in the queue else. */
	if (!hv_list_is_empty(lost) && hv_seq_lt(sent->seq, hv_tcp_sent_of(lost->next)->seq))
		lost = lost->next;
	hv_list_append(lost, &sent->turn);
}

void hv_tcp_sent_renege(struct hv_tcp_conn *conn)
{
	for (struct hv_tcp_sent *sent = conn->flight->first; sent; sent = sent->next) {
		if (!sent->sacked)
			continue;
		forget_marks(conn, sent);
		hv_list_append(&conn->flight->turns, &sent->turn);
	}
}

void hv_tcp_sent_lose_all(struct hv_tcp_conn *conn)
{
	if (!conn->flight)
		return;
	for (struct hv_tcp_sent *sent = conn->flight->first; sent; sent = sent->next) {
		if (sent->sacked)
			continue;
		forget_marks(conn, sent); /* so that the queue comes into order */
		hv_list_remove(&sent->turn);
		sent->lost = true;
		conn->lost_bytes += size_of(sent);
		hv_list_append(&conn->flight->lost, &sent->turn);
	}
}

void hv_tcp_sent_find_all(struct hv_tcp_conn *conn)
{
	while (!hv_list_is_empty(&conn->flight->lost)) {
		/* From the last on, to the front: they were sent before all that are under way. */
		struct hv_tcp_sent *sent = hv_tcp_sent_of(conn->flight->lost.prev);

		forget_marks(conn, sent);
		hv_list_remove(&sent->turn);
		hv_list_append(conn->flight->turns.next, &sent->turn);
	}
}

struct hv_tcp_sent *hv_tcp_sent_next_lost(struct hv_tcp_conn *conn, uint32_t most)
{
	struct hv_tcp_sent *sent;

	if (hv_list_is_empty(&conn->flight->lost))
		return NULL;
	sent = hv_tcp_sent_of(conn->flight->lost.next);
	/* Pieces that SACK blocks cut go again as one packet. */
	while (sent->next && sent->next->lost && sent->next->end - sent->seq <= most)
		join(conn, sent, sent->next);
	if (size_of(sent) > most && !split(conn, sent, sent->seq + most))
		return NULL;
	return sent;
}

struct hv_tcp_sent *hv_tcp_sent_tail(struct hv_tcp_conn *conn, uint32_t most)
{
	struct hv_tcp_sent *last = conn->flight ? conn->flight->last : NULL;

	if (last && size_of(last) > most && !split(conn, last, last->end - most))
		return NULL;
	return last ? conn->flight->last : NULL;
}

void hv_tcp_sent_clear(struct hv_tcp_conn *conn)
{
	struct hv_core *core = hv_tcp_core(conn);
	struct hv_tcp_flight *flight = conn->flight;

	conn->sacked_bytes = 0;
	conn->sacked_segments = 0;
	conn->lost_bytes = 0;
	if (!flight)
		return;
	while (flight->first) {
		struct hv_tcp_sent *sent = flight->first;

		flight->first = sent->next;
		hv_free(core, sent, sizeof(*sent));
	}
	hv_free(core, flight->spare, sizeof(*flight->spare));
	flight->spare = NULL;
	flight->tree = NULL;
	flight->last = NULL;
	flight->records = 0;
	init(flight);
}

void hv_tcp_sent_finish(struct hv_tcp_conn *conn)
{
	hv_tcp_sent_clear(conn);
	hv_free(hv_tcp_core(conn), conn->flight, sizeof(*conn->flight));
	conn->flight = NULL;
}
