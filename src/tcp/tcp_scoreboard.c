/*
 * The scoreboard: records of what was sent and when, marked by SACK blocks (RFC 2018), by RACK (tcp_rack.c) and
 * by time-outs. The sums that the sender needs are kept, not counted: conn->sacked_bytes, conn->lost_bytes.
 */
#include "tcp/tcp_scoreboard.h"

#include "tcp/tcp_rack.h"

enum { RECORDS_MAX = 16384 }; /* more than a full window of small segments has */

static uint32_t size_of(const struct hv_tcp_sent *sent)
{
	return sent->end - sent->seq;
}

static void forget_marks(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent)
{
	if (sent->sacked)
		conn->sacked_bytes -= size_of(sent);
	if (sent->lost)
		conn->lost_bytes -= size_of(sent);
	sent->sacked = sent->lost = false;
}

/* Cut in two at seq. Without memory it stays whole: false. */
static bool split(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent, uint32_t seq)
{
	struct hv_tcp_sent *rest;

	if (conn->sent_count >= RECORDS_MAX)
		return false;
	rest = hv_alloc(hv_tcp_core(conn), sizeof(*rest));
	if (!rest)
		return false;
	conn->sent_count++;
	*rest = *sent;
	rest->seq = seq;
	sent->end = seq;
	sent->next = rest;
	if (conn->sent_last == sent)
		conn->sent_last = rest;
	return true;
}

static void note_again(struct hv_tcp_conn *conn, uint32_t seq, uint32_t end)
{
	for (struct hv_tcp_sent *sent = conn->sent_first; sent; sent = sent->next) {
		if (hv_seq_leq(end, sent->seq))
			break;
		if (hv_seq_lt(sent->seq, seq) || hv_seq_gt(sent->end, end))
			continue;
		forget_marks(conn, sent);
		sent->again = true;
		sent->time_ns = hv_tcp_now(conn);
	}
}

void hv_tcp_sent_note(struct hv_tcp_conn *conn, uint32_t seq, uint32_t end)
{
	struct hv_tcp_sent *sent, *last = conn->sent_last;

	if (last && hv_seq_lt(seq, last->end)) {
		note_again(conn, seq, end);
		return;
	}
	sent = conn->sent_count < RECORDS_MAX ? hv_alloc(hv_tcp_core(conn), sizeof(*sent))
					      : NULL;
	if (!sent) {
		/* The one before it stands for both, else the retransmission timer does. */
		if (last && !last->sacked && !last->lost)
			last->end = end;
		return;
	}
	*sent = (struct hv_tcp_sent){
		.seq = seq,
		.end = end,
		.time_ns = hv_tcp_now(conn),
	};
	if (last)
		last->next = sent;
	else
		conn->sent_first = sent;
	conn->sent_last = sent;
	conn->sent_count++;
}

uint32_t hv_tcp_sent_acked(struct hv_tcp_conn *conn)
{
	uint32_t delivered = 0;

	while (conn->sent_first && hv_seq_lt(conn->sent_first->seq, conn->snd_una)) {
		struct hv_tcp_sent *sent = conn->sent_first;
		bool whole = hv_seq_leq(sent->end, conn->snd_una);
		uint32_t part = (whole ? sent->end : conn->snd_una) - sent->seq;

		if (!sent->sacked) {
			delivered += part;
			hv_tcp_rack_delivered(conn, sent);
		}
		if (!whole) {
			conn->sacked_bytes -= sent->sacked ? part : 0;
			conn->lost_bytes -= sent->lost ? part : 0;
			sent->seq = conn->snd_una;
			break;
		}
		forget_marks(conn, sent);
		conn->sent_first = sent->next;
		if (!sent->next)
			conn->sent_last = NULL;
		conn->sent_count--;
		hv_free(hv_tcp_core(conn), sent, sizeof(*sent));
	}
	return delivered;
}

/* Mark [left, right). Returns the bytes that were not marked before. */
static uint32_t mark(struct hv_tcp_conn *conn, uint32_t left, uint32_t right)
{
	uint32_t delivered = 0;

	for (struct hv_tcp_sent *sent = conn->sent_first; sent; sent = sent->next) {
		if (hv_seq_leq(right, sent->seq))
			break;
		if (sent->sacked || hv_seq_leq(sent->end, left))
			continue;
		if (hv_seq_lt(sent->seq, left)) {
			if (!split(conn, sent, left))
				continue;
			sent = sent->next;
		}
		if (hv_seq_gt(sent->end, right) && !split(conn, sent, right))
			continue;
		forget_marks(conn, sent);
		sent->sacked = true;
		conn->sacked_bytes += size_of(sent);
		delivered += size_of(sent);
		hv_tcp_rack_delivered(conn, sent);
	}
	return delivered;
}

/* RFC 2883 section 4: the first block is about a duplicate when it is old, or inside of the second. */
static bool is_duplicate(const struct hv_tcp_conn *conn, const struct hv_tcp_options *options)
{
	uint32_t left = options->sack[0][0], right = options->sack[0][1];

	if (hv_seq_leq(right, conn->snd_una))
		return hv_seq_lt(left, right);
	return options->sack_count > 1 && hv_seq_geq(left, options->sack[1][0]) &&
	       hv_seq_leq(right, options->sack[1][1]);
}

uint32_t hv_tcp_sent_sacked(struct hv_tcp_conn *conn, const struct hv_tcp_options *options,
			    bool *duplicate)
{
	uint32_t delivered = 0, done = 0;

	*duplicate = is_duplicate(conn, options);
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
			delivered +=
				mark(conn, options->sack[first][0], options->sack[first][1]);
	}
	return delivered;
}

void hv_tcp_sent_lose(struct hv_tcp_conn *conn, struct hv_tcp_sent *sent)
{
	if (sent->lost || sent->sacked)
		return;
	sent->lost = true;
	conn->lost_bytes += size_of(sent);
}

void hv_tcp_sent_lose_all(struct hv_tcp_conn *conn)
{
	/* A receiver that SACKed the first one without acknowledging it took its word back (RFC 2018 section 8). */
	bool renege = conn->sent_first && conn->sent_first->sacked;

	for (struct hv_tcp_sent *sent = conn->sent_first; sent; sent = sent->next) {
		if (renege)
			forget_marks(conn, sent);
		hv_tcp_sent_lose(conn, sent);
	}
}

struct hv_tcp_sent *hv_tcp_sent_next_lost(struct hv_tcp_conn *conn, uint32_t most)
{
	struct hv_tcp_sent *sent = conn->sent_first;

	while (sent && !sent->lost)
		sent = sent->next;
	if (sent && size_of(sent) > most && !split(conn, sent, sent->seq + most))
		return NULL;
	return sent;
}

struct hv_tcp_sent *hv_tcp_sent_tail(struct hv_tcp_conn *conn, uint32_t most)
{
	struct hv_tcp_sent *last = conn->sent_last;

	if (last && size_of(last) > most && !split(conn, last, last->end - most))
		return NULL;
	return conn->sent_last;
}

void hv_tcp_sent_clear(struct hv_tcp_conn *conn)
{
	while (conn->sent_first) {
		struct hv_tcp_sent *sent = conn->sent_first;

		conn->sent_first = sent->next;
		hv_free(hv_tcp_core(conn), sent, sizeof(*sent));
	}
	conn->sent_last = NULL;
	conn->sent_count = 0;
	conn->sacked_bytes = 0;
	conn->lost_bytes = 0;
}
