/*
 * What is sent, and when. Called once for a batch by hv_tcp_flush(), so that one packet of up to
 * 64 KiB stands for many segments and one ACK for many packets.
 */
#include "tcp/tcp_send.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_info.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_pacing.h"
#include "tcp/tcp_path_mtu.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_record.h"
#include "tcp/tcp_scoreboard.h"
#include "tcp/tcp_spurious.h"
#include "tcp/tcp_timer.h"

#define OVERRIDE_NS (200 * HV_TCP_MS) /* RFC 9293 section 3.8.6.2.1: 0.1 to 1 s */

/* What may go now from snd_nxt on. */
struct grant {
	uint32_t size;
	bool fin;
	bool window_closed; /* the peer's window, nothing else, is in the way */
	bool cwnd_limited;  /* the congestion window is */
	bool paced;	    /* pacing is: later */
};

/* Payload of the largest packet: 64 KiB with all headers, in whole segments. */
static uint32_t packet_payload_max(const struct hv_tcp_conn *conn)
{
	uint32_t headers = (hv_tcp_is_v4(conn) ? 20 : 40) + HV_TCP_HEADER +
			   (conn->timestamps ? HV_TCP_TIMESTAMP_BYTES : 0);
	uint32_t room = 65535 - headers, bound = hv_tcp_pacing_packet(conn);

	if (conn->urgent_out)
		return conn->mss; /* each segment has a pointer of its own */
	if (bound < room)
		room = bound;
	return room > conn->mss ? room - room % conn->mss : conn->mss;
}

/* Bytes that the congestion window still lets out. */
static uint32_t congestion_room(const struct hv_tcp_conn *conn)
{
	uint32_t window = conn->cwnd, flight = hv_tcp_flight(conn);

	if (hv_tcp_congestion_is_off(conn))
		return HV_TCP_CWND_MAX;
	/*
	 * One segment may always go (RFC 5681 section 3.1: LW is one). cwnd and ssthresh may be from a time when
	 * segments were smaller.
	 */
	if (window < conn->mss)
		window = conn->mss;
	/* Limited transmit, RFC 3042: new data for the first two duplicate ACKs. */
	if (!conn->sack_ok && !conn->in_recovery && !conn->loss_recovery &&
	    conn->dup_acks > 0 && conn->dup_acks < 3)
		window += conn->dup_acks * (uint32_t)conn->mss;
	return window > flight ? window - flight : 0;
}

/* Bytes that the peer's window still lets out. */
static uint32_t peer_room(const struct hv_tcp_conn *conn)
{
	uint32_t edge = conn->snd_una + conn->snd_wnd;

	/*
	 * A window that shrank, or that a late ACK seems to close, must not keep the oldest segment from
	 * being sent again (RFC 9293 section 3.8.6: "retransmit normally").
	 */
	if (conn->loss_recovery && conn->snd_nxt == conn->snd_una &&
	    hv_seq_lt(conn->snd_una, conn->snd_max)) {
		uint32_t sent = conn->snd_max - conn->snd_una;

		edge = hv_seq_max(edge, conn->snd_una + (sent < conn->mss ? sent : conn->mss));
	}
	return hv_seq_gt(edge, conn->snd_nxt) ? edge - conn->snd_nxt : 0;
}

/* May the last piece, below one MSS, go, or does it wait for more (Nagle, cork)? */
static bool small_may_go(const struct hv_tcp_conn *conn)
{
	if (conn->send_ended || conn->force_send || conn->urgent_out ||
	    hv_seq_lt(conn->snd_nxt, conn->snd_max))
		return true;
	if (conn->cork || conn->more)
		return false;
	if (conn->no_delay || conn->snd_una == conn->snd_max)
		return true;
	/* RFC 9293 section 3.7.4, as Minshall has it: wait only behind another small segment. */
	return hv_seq_leq(conn->snd_small, conn->snd_una);
}

static struct grant next_grant(struct hv_tcp_conn *conn)
{
	uint32_t end = hv_tcp_send_end(conn);
	uint32_t unsent = hv_tcp_unsent(conn);
	uint32_t peer = peer_room(conn), congestion = congestion_room(conn);
	uint32_t size = unsent, most = packet_payload_max(conn), part;
	uint32_t record = hv_tcp_record_cut(conn, conn->snd_nxt, unsent);
	struct grant grant = {0};

	if (conn->ecn_cwr_due)
		most = conn->mss; /* CWR goes once, on a segment of its own: who cuts large ones may copy it */
	grant.cwnd_limited = unsent > congestion && congestion <= peer;
	size = size > peer ? peer : size;
	size = size > congestion ? congestion : size;
	size = size > most ? most : size;
	part = size % conn->mss;
	if (record < unsent && record <= size) {
		size = record; /* nothing can be added to its last segment */
	} else if (part && size == unsent && !small_may_go(conn)) {
		size -= part;
	} else if (part && size < unsent) {
		/*
		 * A window cuts the segment. RFC 9293 section 3.8.6.2.1: worth it only for half of the largest
		 * window the peer ever had, or when the override timer says so, or to repeat what went that small before.
		 */
		bool worth = peer <= congestion &&
			     (peer >= conn->snd_wnd_max / 2 || conn->force_send ||
			      hv_seq_lt(conn->snd_nxt, conn->snd_max));

		if (!worth || size > part)
			size -= part;
	}
	if (size) {
		uint32_t room = hv_tcp_pacing_room(conn);

		/* By pairs, which delayed ACKs answer at once. */
		grant.paced = room < size && room < 2 * (uint32_t)conn->mss;
		if (room < size)
			size = room - room % (2 * (uint32_t)conn->mss);
	}
	grant.size = size;
	grant.window_closed = unsent > 0 && peer == 0;
	/* Once it is acknowledged (FIN-WAIT-2), snd_nxt is behind the FIN, not before it. */
	grant.fin = conn->send_ended && !hv_tcp_is_opening(conn) &&
		    conn->state != HV_TCP_FIN_WAIT_2 && conn->snd_nxt + size == end;
	return grant;
}

/* The segment did not leave. Returns whether to try again at once. */
static bool send_failed(struct hv_tcp_conn *conn, int status)
{
	switch (status) {
	case -EAGAIN:
		hv_list_remove(&conn->output);
		hv_list_append(&conn->tcp->blocked, &conn->output);
		return false;
	case -EMSGSIZE: {
		/* The path's MTU fell below what we believed (RFC 1191 section 6.4). */
		uint16_t before = conn->mss;

		hv_tcp_mss_update(conn);
		if (conn->mss < before)
			return true;
		break;
	}
	default:
		break;
	}
	/* No memory: the retransmission timer tries again. */
	if (!hv_tcp_is_armed(conn, HV_TCP_DEADLINE_RETRANSMIT))
		hv_tcp_arm_persist(conn, HV_TCP_RTO_MIN_NS);
	return false;
}

static void send_syn(struct hv_tcp_conn *conn)
{
	bool answer = conn->state == HV_TCP_SYN_RECEIVED;
	int status = hv_tcp_transmit(conn, conn->iss, hv_tcp_fast_open_syn_data(conn),
				     answer ? HV_TCP_SYN | HV_TCP_ACK : HV_TCP_SYN);

	if (status == -EAGAIN) {
		send_failed(conn, status);
		return;
	}
	conn->send_syn = false;
	/* Out of memory: as if it had been lost. */
	if (!hv_tcp_is_armed(conn, HV_TCP_DEADLINE_RETRANSMIT))
		hv_tcp_arm_retransmit(conn);
}

/* What is lost goes first. Returns 0, -EBUSY (pacing), or why it did not leave. */
static int send_lost(struct hv_tcp_conn *conn)
{
	while (conn->lost_bytes) {
		uint32_t room = congestion_room(conn), most = packet_payload_max(conn), pace,
			 size;
		struct hv_tcp_sent *sent;
		uint8_t flags = HV_TCP_ACK;
		int status;

		assert(conn->mss); /* HV_TCP_MSS_MIN is the least */
		if (room < conn->mss && hv_tcp_flight(conn) > 0)
			break;
		room -= room % conn->mss;
		most = room < most ? room : most;
		pace = hv_tcp_pacing_room(conn);
		if (pace < conn->mss)
			return -EBUSY;
		pace -= pace % conn->mss;
		most = pace < most ? pace : most;
		sent = hv_tcp_sent_next_lost(conn, most ? most : conn->mss);
		if (!sent)
			return -ENOMEM;
		size = sent->end - sent->seq;
		if (hv_tcp_record_cut(conn, sent->seq, size) < size) {
			sent = hv_tcp_sent_next_lost(conn,
						     hv_tcp_record_cut(conn, sent->seq, size));
			if (!sent)
				return -ENOMEM;
			size = sent->end - sent->seq;
		}
		if (hv_seq_gt(sent->end, hv_tcp_send_end(conn))) {
			size--;
			flags |= HV_TCP_FIN;
		}
		status = hv_tcp_transmit(conn, sent->seq, size, flags);
		if (status < 0)
			return status;
		hv_tcp_pacing_sent(conn, size);
	}
	return 0;
}

/* Returns false when the link would take no more. */
static bool send_data(struct hv_tcp_conn *conn)
{
	uint32_t before = conn->snd_nxt;
	bool limited = false;
	struct grant grant;

	if (hv_tcp_spurious_forward(conn))
		return true;
	if (conn->lost_bytes) {
		int status = send_lost(conn);

		if (status == -EBUSY)
			return true;
		if (status < 0 && !send_failed(conn, status))
			return status != -EAGAIN;
		if (conn->lost_bytes) {
			hv_tcp_congestion_sent(conn, true);
			return true; /* the congestion window is full of it */
		}
	}
	if (conn->snd_una == conn->snd_max && conn->send.used)
		hv_tcp_congestion_resume(conn);
	if (conn->send.used && hv_tcp_path_mtu_send(conn)) {
		hv_tcp_congestion_sent(conn, true);
		return true; /* a probe waits for room */
	}
	for (;;) {
		uint8_t flags = HV_TCP_ACK;
		int status;

		grant = next_grant(conn);
		limited |= grant.cwnd_limited;
		if (grant.paced)
			return true; /* the deadline is set */
		if (!grant.size && !grant.fin)
			break;
		if (grant.fin)
			flags |= HV_TCP_FIN;
		status = hv_tcp_transmit(conn, conn->snd_nxt, grant.size, flags);
		if (status < 0 && !send_failed(conn, status))
			return status != -EAGAIN;
		if (status == 0)
			hv_tcp_pacing_sent(conn, grant.size);
		if (grant.fin && status == 0)
			break;
		if (hv_ip_is_busy(conn->tcp->ip, &conn->tuple.remote)) {
			send_failed(conn, -EAGAIN);
			return false;
		}
	}
	conn->force_send = false;
	/* A flush that had nothing to say says nothing about how the window is used. */
	if (limited || conn->snd_nxt != before)
		hv_tcp_congestion_sent(conn, limited);
	if (conn->snd_una == conn->snd_nxt && hv_seq_gt(hv_tcp_send_end(conn), conn->snd_nxt))
		hv_tcp_arm_persist(conn, grant.window_closed ? conn->rto_ns << conn->backoff
							     : OVERRIDE_NS);
	return true;
}

void hv_tcp_send_pending(struct hv_tcp_conn *conn)
{
	if (conn->state == HV_TCP_CLOSED || conn->state == HV_TCP_TIME_WAIT)
		return;
	if (hv_ip_is_busy(conn->tcp->ip, &conn->tuple.remote)) {
		send_failed(conn, -EAGAIN);
		return;
	}
	if (hv_tcp_is_opening(conn)) {
		if (conn->send_syn)
			send_syn(conn);
		if (!hv_tcp_fast_open_may_send(conn))
			return;
	}
	if (!send_data(conn))
		return;
	hv_tcp_count_wait(conn);
	if (conn->notsent_lowat ||
	    conn->tcp->config.notsent_lowat) /* what was unsent may be under way now */
		hv_tcp_tell_writable(conn);
	if (hv_tcp_ack_is_due(conn))
		hv_tcp_send_ack(conn);
	else if (conn->ack_sent != conn->rcv_nxt &&
		 !hv_tcp_is_armed(conn, HV_TCP_DEADLINE_DELAYED_ACK))
		hv_tcp_arm(conn, HV_TCP_DEADLINE_DELAYED_ACK, HV_TCP_DELAYED_ACK_NS);
}

void hv_tcp_retransmit(struct hv_tcp_conn *conn)
{
	uint32_t end = hv_tcp_send_end(conn), size = end - conn->snd_una;
	uint8_t flags = HV_TCP_ACK;

	if (hv_seq_gt(end, conn->snd_max))
		size = conn->snd_max - conn->snd_una;
	if (size > conn->mss)
		size = conn->mss;
	size = hv_tcp_record_cut(conn, conn->snd_una, size);
	if (conn->fin_sent && conn->snd_una + size == end)
		flags |= HV_TCP_FIN;
	if (size || (flags & HV_TCP_FIN))
		hv_tcp_transmit(conn, conn->snd_una, size, flags);
}

void hv_tcp_send_again(struct hv_tcp_conn *conn)
{
	if (conn->sack_ok)
		hv_tcp_sent_lose_all(conn);
	else
		conn->snd_nxt = conn->snd_una; /* from the beginning */
}

void hv_tcp_send_tail_probe(struct hv_tcp_conn *conn)
{
	uint32_t end = hv_tcp_send_end(conn), size = 0, room = peer_room(conn);
	uint32_t seq = conn->snd_nxt;
	uint8_t flags = HV_TCP_ACK;
	struct hv_tcp_sent *tail;

	if (hv_seq_gt(end, seq))
		size = hv_tcp_record_cut(conn, seq,
					 end - seq < conn->mss ? end - seq : conn->mss);
	conn->tail_again = !size || size > room;
	if (conn->tail_again) {
		tail = hv_tcp_sent_tail(conn, conn->mss);
		if (!tail)
			return;
		seq = tail->seq;
		size = tail->end - seq;
		if (hv_seq_gt(tail->end, end)) {
			size--;
			flags |= HV_TCP_FIN;
		}
	}
	hv_tcp_transmit(conn, seq, size, flags);
}

bool hv_tcp_send_held_back(struct hv_tcp_conn *conn)
{
	if (peer_room(conn) == 0 && hv_seq_gt(hv_tcp_send_end(conn), conn->snd_nxt))
		return false;
	conn->probing = false;
	conn->force_send = true;
	conn->more = conn->no_push = false; /* it did not come in time */
	hv_tcp_mark(conn);
	return true;
}

void hv_tcp_send_probe(struct hv_tcp_conn *conn)
{
	/* RFC 9293 section 3.8.6.1: one octet of new data beyond the closed window. */
	if (hv_tcp_transmit(conn, conn->snd_una, 1, HV_TCP_ACK) == 0)
		conn->snd_nxt = conn->snd_una; /* the window must open before it counts */
	hv_tcp_sent_clear(conn);
	hv_tcp_disarm(conn, HV_TCP_DEADLINE_RETRANSMIT);
	hv_tcp_arm_persist(conn, conn->rto_ns << conn->backoff);
}
