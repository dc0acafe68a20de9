/*
 * Explicit congestion notification (RFC 3168): routers mark packets instead of dropping them, the
 * receiver echoes the mark (ECE) until the sender says that it has heard (CWR), and the sender reduces its
 * window once in a round trip, as for a loss.
 *
 * In:  tcp_input.c and tcp_half_open.c agree upon it in SYN segments; tcp_receive.c sees the marks of data, tcp_ack.c
 *      the echoes.
 * Out: tcp_output.c asks for the flags and the codepoint of each segment.
 *
 * Only new data is ECN-capable (section 6.1): a mark on a segment whose loss nobody would notice says
 * nothing, and who forges retransmissions or probes must not be able to make us slow down (6.1.4 to 6.1.6). With mode
 * HV_TCP_ECN_MORE, what can be echoed is ECN-capable too: the SYN-ACK (RFC 5562), retransmissions, window probes and
 * FIN (RFC 8311 section 4.3, draft-ietf-tcpm-generalized-ecn); the SYN and bare ACKs are not, as a mark on them could
 * be told only with AccECN.
 */
#include "tcp/tcp_ecn.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_sack.h"

enum { SETUP = HV_TCP_ECE | HV_TCP_CWR };

/* --- agreement: section 6.1.1 ------------------------------------------------------------- */

bool hv_tcp_ecn_accepts(const struct hv_tcp *tcp, const struct hv_desc *syn)
{
	/*
	 * A SYN must not be ECN-capable itself: where it is, somebody on the way writes into the traffic class
	 * what he likes, and nothing there would mean anything (as Linux).
	 */
	return tcp->config.ecn != HV_TCP_ECN_OFF && (syn->tcp_flags & SETUP) == SETUP &&
	       (syn->traffic_class & HV_ECN_MASK) == HV_ECN_NOT_ECT;
}

void hv_tcp_ecn_answered(struct hv_tcp_conn *conn, const struct hv_desc *d)
{
	uint8_t ecn = d->traffic_class & HV_ECN_MASK;

	/* Both flags: a broken peer reflects what it does not know. In a simultaneous open it is not used. */
	conn->ecn_ok = conn->ecn_asked && (d->tcp_flags & HV_TCP_ACK) &&
		       (d->tcp_flags & SETUP) == HV_TCP_ECE;
	conn->ecn_asked = false;
	conn->ecn_echo = conn->ecn_ok && ecn == HV_ECN_CE; /* RFC 5562 section 3.2 */
}

/* --- the receiver: section 6.1.3 ----------------------------------------------------------- */

void hv_tcp_ecn_data(struct hv_tcp_conn *conn, const struct hv_desc *d)
{
	uint8_t ecn = d->traffic_class & HV_ECN_MASK;

	if (!conn->ecn_ok)
		return;
	conn->ecn_seen |= ecn != HV_ECN_NOT_ECT;
	if (d->tcp_flags & HV_TCP_CWR)
		conn->ecn_echo =
			false; /* it has heard; a mark on this very packet is a new one */
	if (ecn == HV_ECN_CE && !conn->ecn_echo) {
		conn->ecn_echo = true;
		conn->ack_now = true; /* the sooner the better */
	}
}

/* --- the sender: section 6.1.2 ------------------------------------------------------------- */

/* Nothing but the SYN was sent: RFC 5562 section 3.1, the SYN-ACK itself met congestion. */
static bool is_handshake(const struct hv_tcp_conn *conn)
{
	return conn->snd_max == conn->iss + 1;
}

void hv_tcp_ecn_ack(struct hv_tcp_conn *conn, const struct hv_desc *d)
{
	conn->ecn_told = conn->ecn_ok && (d->tcp_flags & HV_TCP_ECE);
	/* Once in a round trip, whatever the reason was. */
	if (!conn->ecn_told || conn->ecn_reducing || conn->in_recovery || conn->loss_recovery ||
	    hv_seq_lt(conn->snd_una, conn->recover))
		return;
	hv_tcp_congestion_reduce(conn, conn->cwnd);
	conn->prior_cwnd = 0; /* no retransmission that was not needed takes this back */
	if (hv_tcp_congestion_is_off(conn))
		return;
	conn->recover = conn->snd_max;
	if (is_handshake(conn)) {
		conn->cwnd = conn->mss;
	} else if (conn->sack_ok && conn->flight) {
		conn->ecn_reducing = true;
		hv_tcp_sack_reduce(conn); /* step by step, as it is acknowledged */
	} else {
		conn->cwnd = conn->ssthresh;
		conn->ecn_reducing = true;
	}
}

/* --- segments out -------------------------------------------------------------------------- */

/* Data that goes for the first time. */
static bool is_new(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size)
{
	return size && hv_seq_geq(seq, conn->snd_max);
}

uint8_t hv_tcp_ecn_flags(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size,
			 uint8_t flags)
{
	enum hv_tcp_ecn_mode mode = conn->tcp->config.ecn;
	uint8_t more = 0;

	if (flags & HV_TCP_SYN) {
		if (flags & HV_TCP_ACK)
			return conn->ecn_ok ? HV_TCP_ECE : 0;
		/* Section 6.1.1.1: what drops such SYNs lets the second one through. */
		return (mode == HV_TCP_ECN_ON || mode == HV_TCP_ECN_MORE) && !conn->retries
			       ? SETUP
			       : 0;
	}
	if (!conn->ecn_ok)
		return 0;
	if (conn->ecn_echo)
		more |= HV_TCP_ECE;
	if (conn->ecn_cwr_due && is_new(conn, seq, size))
		more |= HV_TCP_CWR;
	return more;
}

uint8_t hv_tcp_ecn_codepoint(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size,
			     uint8_t flags)
{
	bool probe = size && hv_seq_gt(seq + size, conn->snd_una + conn->snd_wnd);
	bool control = flags & (HV_TCP_FIN | HV_TCP_SYN);

	if (!conn->ecn_ok || conn->ecn_mute)
		return HV_ECN_NOT_ECT;
	if (conn->tcp->config.ecn == HV_TCP_ECN_MORE)
		return size || control ? HV_ECN_ECT_0 : HV_ECN_NOT_ECT;
	return is_new(conn, seq, size) && !probe && !(flags & HV_TCP_SYN) ? HV_ECN_ECT_0
									  : HV_ECN_NOT_ECT;
}

void hv_tcp_ecn_sent(struct hv_tcp_conn *conn, uint8_t flags)
{
	if (flags & HV_TCP_SYN) {
		/*
		 * Section 6.1.1: who ever sent a SYN that asks, and is answered by a SYN-ACK that agrees, must
		 * echo marks, also when the SYN was repeated without asking: the peer counts on it.
		 */
		if (!(flags & HV_TCP_ACK))
			conn->ecn_asked |= (flags & HV_TCP_ECE) != 0;
		return;
	}
	if (flags & HV_TCP_CWR)
		conn->ecn_cwr_due = false;
}
