/*
 * HyStart++ (RFC 9406): slow start watches round trip times, round by round. When the least of a round is clearly
 * longer than that of the round before, a queue is filling: the window then grows at a quarter of the speed
 * for up to five rounds ("conservative slow start"), and if round trips stay long, slow start is over. If they become
 * short again, it was noise. Only the first slow start of a connection is watched (section 4.3).
 */
#include "tcp/tcp_hystart.h"

#include "tcp/tcp_congestion.h"

enum { /* section 4.3 */
       MIN_RTT_THRESH_US = 4000,
       MAX_RTT_THRESH_US = 16000,
       MIN_RTT_DIVISOR = 8,
       N_RTT_SAMPLE = 8,
       CSS_GROWTH_DIVISOR = 4,
       CSS_ROUNDS = 5,
};

static uint32_t threshold_us(uint32_t rtt_us)
{
	uint32_t part = rtt_us / MIN_RTT_DIVISOR;

	if (part < MIN_RTT_THRESH_US)
		return MIN_RTT_THRESH_US;
	return part < MAX_RTT_THRESH_US ? part : MAX_RTT_THRESH_US;
}

void hv_tcp_hystart_rtt(struct hv_tcp_hystart *h, uint32_t rtt_us)
{
	if (!rtt_us)
		rtt_us = 1;
	if (!h->current_min_us || rtt_us < h->current_min_us)
		h->current_min_us = rtt_us;
	if (h->samples < UINT8_MAX)
		h->samples++;
}

static void begin_round(const struct hv_tcp_conn *conn, struct hv_tcp_hystart *h)
{
	h->begun = true;
	h->last_min_us = h->current_min_us;
	h->current_min_us = 0;
	h->samples = 0;
	h->round_end = conn->snd_nxt;
}

/* What this round's samples say: section 4.2. */
static void judge(struct hv_tcp_hystart *h)
{
	if (h->samples < N_RTT_SAMPLE || !h->current_min_us)
		return;
	if (h->careful_rounds) {
		if (h->current_min_us < h->baseline_us) {
			h->baseline_us = 0; /* it was jitter */
			h->careful_rounds = 0;
		}
	} else if (h->last_min_us &&
		   h->current_min_us >= h->last_min_us + threshold_us(h->last_min_us)) {
		h->baseline_us = h->current_min_us;
		h->careful_rounds = 1; /* the rest of this one counts */
	}
}

void hv_tcp_hystart_acked(struct hv_tcp_conn *conn, struct hv_tcp_hystart *h, uint32_t bytes)
{
	judge(h);
	/* No limit L for each ACK: see hv_tcp_slow_start(), and pacing spreads what goes out (section 4.3). */
	hv_tcp_slow_start(conn, h->careful_rounds ? bytes / CSS_GROWTH_DIVISOR : bytes);
	if (h->begun && hv_seq_lt(conn->snd_una, h->round_end))
		return;
	if (h->careful_rounds && ++h->careful_rounds > CSS_ROUNDS) {
		conn->ssthresh = conn->cwnd; /* to congestion avoidance */
		return;
	}
	begin_round(conn, h);
}
