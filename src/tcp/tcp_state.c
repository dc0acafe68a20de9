/*
 * The state machine of RFC 9293 section 3.3.2: every change of state, but the handshake's first
 * steps (tcp_input.c, tcp_listen.c, tcp_request.c, tcp_user.c).
 *
 *	                    connect            listener, request
 *	                       |                      |
 *	                   SYN-SENT ----SYN----> SYN-RECEIVED
 *	                       |   SYN-ACK            |  ACK of SYN
 *	                       +-----> ESTABLISHED <--+
 *	             close      |          |  FIN
 *	           +------------+          +-----------+
 *	       FIN-WAIT-1 --FIN--> CLOSING         CLOSE-WAIT
 *	ACK of FIN |                  | ACK of FIN     | close
 *	       FIN-WAIT-2 --FIN--> TIME-WAIT        LAST-ACK
 *	                              | 2 MSL          | ACK of FIN
 *	                              +---> CLOSED <---+
 *
 * In SYN-RECEIVED a close waits: the connection goes on from ESTABLISHED to FIN-WAIT-1 at once.
 */
#include "tcp/tcp_state.h"

#include "tcp/tcp_ack.h"
#include "tcp/tcp_congestion.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_info.h"
#include "tcp/tcp_listen.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_path_mtu.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_timer.h"
#include "tcp/tcp_timewait.h"

const char *hv_tcp_state_text(enum hv_tcp_state state)
{
	static const char *const texts[HV_TCP_STATE_COUNT] = {
		[HV_TCP_CLOSED] = "CLOSED",
		[HV_TCP_SYN_SENT] = "SYN-SENT",
		[HV_TCP_SYN_RECEIVED] = "SYN-RECEIVED",
		[HV_TCP_ESTABLISHED] = "ESTABLISHED",
		[HV_TCP_FIN_WAIT_1] = "FIN-WAIT-1",
		[HV_TCP_FIN_WAIT_2] = "FIN-WAIT-2",
		[HV_TCP_CLOSE_WAIT] = "CLOSE-WAIT",
		[HV_TCP_CLOSING] = "CLOSING",
		[HV_TCP_LAST_ACK] = "LAST-ACK",
		[HV_TCP_TIME_WAIT] = "TIME-WAIT",
	};

	return texts[state];
}

const char *hv_tcp_state_name(const struct hv_tcp_conn *conn)
{
	return hv_tcp_state_text(conn->state);
}

void hv_tcp_established(struct hv_tcp_conn *conn)
{
	bool syn_lost = conn->retries > 0;

	conn->state = conn->send_ended ? HV_TCP_FIN_WAIT_1 : HV_TCP_ESTABLISHED;
	conn->snd_una = conn->iss + 1;
	conn->snd_nxt = hv_seq_max(conn->snd_nxt, conn->snd_una);
	conn->recover = conn->snd_una;
	conn->send_syn = false;
	conn->retries = 0;
	conn->backoff = 0;
	conn->soft_error = 0;
	conn->progress_ns = hv_tcp_now(conn);
	if (conn->timing) {
		hv_tcp_rtt_sample(conn, hv_tcp_now(conn) - conn->rtt_start_ns);
		/* RFC 8985 section 6.2 step 1: else a first flight whose head took long would hide what a
		 * tail loss probe finds. */
		conn->min_rtt_ns = hv_tcp_now(conn) - conn->rtt_start_ns;
	} else if (syn_lost) {
		conn->rto_ns = 3 * HV_TCP_SECOND; /* RFC 6298 5.7 */
	}
	conn->timing = false;
	hv_tcp_disarm(conn, HV_TCP_DEADLINE_RETRANSMIT);
	hv_tcp_path_mtu_start(conn);
	hv_tcp_mss_update(conn);
	hv_tcp_congestion_start(conn, syn_lost);
	hv_tcp_count_start(conn);
	hv_tcp_arm_keepalive(conn);
	hv_tcp_notify(conn, HAVEN_EVENT_CONNECTED | HAVEN_EVENT_WRITABLE);
	hv_tcp_mark(conn);
	if (conn->passive)
		hv_tcp_fast_open_end(conn, false);
	if (conn->snd_una != conn->snd_max) /* data went before the handshake was complete */
		hv_tcp_arm_retransmit(conn);
	if (conn->listener && !conn->ready)
		hv_tcp_listener_ready(conn);
}

void hv_tcp_end_send(struct hv_tcp_conn *conn)
{
	if (conn->send_ended)
		return;
	conn->send_ended = true;
	conn->all_sent = false;
	if (conn->state == HV_TCP_ESTABLISHED)
		conn->state = HV_TCP_FIN_WAIT_1;
	else if (conn->state == HV_TCP_CLOSE_WAIT)
		conn->state = HV_TCP_LAST_ACK;
	hv_tcp_mark(conn);
}

void hv_tcp_enter_time_wait(struct hv_tcp_conn *conn)
{
	/* Of the FIN, now or never: the record answers only repetitions. From CLOSING it was sent. */
	if (conn->ack_now || conn->ack_sent != conn->rcv_nxt)
		hv_tcp_send_ack(conn);
	hv_tcp_conn_remove(conn);
	conn->state = HV_TCP_TIME_WAIT;
	hv_tcp_time_wait_start(conn);
	hv_tcp_conn_end(conn, 0);
}

void hv_tcp_fin_received(struct hv_tcp_conn *conn)
{
	conn->rcv_nxt++;
	conn->rcv_edge = hv_seq_max(conn->rcv_edge, conn->rcv_nxt);
	conn->fin_received = true;
	hv_tcp_reassembly_clear(conn); /* nothing comes after it, whatever the peer sent */
	conn->ack_now = true;
	hv_tcp_mark(conn);
	hv_tcp_notify(conn, HAVEN_EVENT_READABLE | HAVEN_EVENT_PEER_CLOSED);
	switch (conn->state) {
	case HV_TCP_ESTABLISHED:
		conn->state = HV_TCP_CLOSE_WAIT;
		break;
	case HV_TCP_FIN_WAIT_1:
		conn->state = HV_TCP_CLOSING;
		break;
	case HV_TCP_FIN_WAIT_2:
		hv_tcp_enter_time_wait(conn);
		break;
	default:
		hv_log(hv_tcp_core(conn), HAVEN_LOG_ERROR, "tcp: FIN taken in state %s",
		       hv_tcp_state_name(conn));
	}
}

void hv_tcp_fin_acked(struct hv_tcp_conn *conn)
{
	switch (conn->state) {
	case HV_TCP_FIN_WAIT_1:
		conn->state = HV_TCP_FIN_WAIT_2;
		if (conn->orphan && conn->linger2_s < 0)
			hv_tcp_conn_end(conn, 0);
		else if (conn->orphan)
			hv_tcp_arm(conn, HV_TCP_DEADLINE_CLOSE, hv_tcp_linger2_ns(conn));
		break;
	case HV_TCP_CLOSING:
		hv_tcp_enter_time_wait(conn);
		break;
	case HV_TCP_LAST_ACK:
		hv_tcp_conn_end(conn, 0);
		break;
	default:
		hv_log(hv_tcp_core(conn), HAVEN_LOG_ERROR, "tcp: FIN acknowledged in state %s",
		       hv_tcp_state_name(conn));
	}
}

void hv_tcp_reset_received(struct hv_tcp_conn *conn)
{
	switch (conn->state) {
	case HV_TCP_SYN_RECEIVED:
		/* A listener's goes back to LISTEN: it just vanishes. */
		hv_tcp_fast_open_end(conn, true);
		hv_tcp_conn_end(conn, conn->passive ? ECONNRESET : ECONNREFUSED);
		break;
	case HV_TCP_CLOSING:
	case HV_TCP_LAST_ACK:
		/* Only the ACK of our FIN is missing: nothing was lost. */
		hv_tcp_conn_end(conn, conn->send.used ? ECONNRESET : 0);
		break;
	default:
		hv_tcp_conn_end(conn, ECONNRESET);
	}
}
