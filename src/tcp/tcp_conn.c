/*
 * Making, ending and freeing connections. Who may free what, and when, is in tcp_conn.h, "Life".
 */
#include "tcp/tcp_conn.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_filter.h"
#include "tcp/tcp_isn.h"
#include "tcp/tcp_listen.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_record.h"
#include "tcp/tcp_scoreboard.h"
#include "tcp/tcp_timer.h"

/* The receive limit begins here and grows while the reader keeps pace (hv_tcp_reader_took). */
enum { RECEIVE_START = 256 * 1024, SEND_START = 128 * 1024 };

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

struct hv_tcp_conn *hv_tcp_conn_new(struct hv_tcp *tcp, int *error)
{
	struct hv_tcp_conn *conn;

	if (tcp->connection_count >= tcp->config.max_connections) {
		*error = -EMFILE;
		return NULL;
	}
	conn = hv_zalloc(tcp->core, sizeof(*conn));
	if (!conn) {
		*error = -ENOMEM;
		return NULL;
	}
	tcp->connection_count++;
	conn->tcp = tcp;
	conn->tuple.proto = IPPROTO_TCP;
	conn->tuple.kind = HV_TCP_KIND_CONN;
	hv_list_append(&tcp->connections, &conn->all);
	hv_list_init(&conn->output);
	hv_list_init(&conn->queue);
	hv_timer_init(&conn->timer, hv_tcp_timer_fire);
	hv_ring_init(&conn->send, smaller(tcp->config.send_buffer_bytes, SEND_START));
	conn->receive_limit = smaller(tcp->config.receive_buffer_bytes, RECEIVE_START);
	hv_ring_init(&conn->receive, conn->receive_limit);
	conn->congestion = hv_tcp_congestion_at(tcp->config.congestion);
	conn->mtu_discover = IP_PMTUDISC_WANT;
	conn->quick_acks = tcp->config.no_quick_acks ? 0 : HV_TCP_QUICK_ACKS;
	conn->rto_ns = HV_TCP_RTO_INITIAL_NS;
	conn->keepalive_idle_s = HV_TCP_KEEPALIVE_IDLE_S;
	conn->keepalive_interval_s = HV_TCP_KEEPALIVE_INTERVAL_S;
	conn->keepalive_count = 9;
	conn->linger2_s = HV_TCP_FIN_WAIT_2_S;
	conn->receive_lowat = 1;
	conn->received_ns = tcp->core->now_ns;
	conn->all_sent = true;
	return conn;
}

int hv_tcp_conn_insert(struct hv_tcp_conn *conn)
{
	struct hv_port_table *ports = conn->tcp->ports;
	int status = conn->tuple.local_port ? hv_port_insert(ports, &conn->tuple)
					    : hv_port_insert_ephemeral(ports, &conn->tuple);

	conn->in_table = status == 0;
	return status;
}

void hv_tcp_conn_prepare(struct hv_tcp_conn *conn)
{
	struct hv_tcp *tcp = conn->tcp;

	conn->iss = hv_tcp_isn(tcp->core, &conn->tuple);
	conn->snd_una = conn->snd_nxt = conn->snd_max = conn->snd_small = conn->iss;
	conn->recover = conn->rack_round = conn->iss;
	conn->ts_offset = hv_tcp_timestamp_offset(tcp->core, &conn->tuple);
	conn->rcv_mss = hv_tcp_mss_offer(tcp, &conn->tuple.remote);
	conn->rcv_wscale = hv_tcp_window_scale_for(tcp->config.receive_buffer_bytes);
	conn->segment_estimate = HV_TCP_MSS_DEFAULT_V4;
	hv_tcp_mss_update(conn);
}

void hv_tcp_conn_remove(struct hv_tcp_conn *conn)
{
	if (!conn->in_table)
		return;
	hv_tcp_filter_end(conn->tcp, &conn->tuple,
			  conn->count.bytes_acked + conn->count.bytes_received);
	hv_port_remove(conn->tcp->ports, &conn->tuple);
	conn->in_table = false;
}

/* Out of every list and table; what is received and not read stays. */
static void detach(struct hv_tcp_conn *conn)
{
	struct hv_core *core = hv_tcp_core(conn);

	hv_tcp_conn_remove(conn);
	hv_list_remove(&conn->output);
	hv_timer_cancel(&core->wheel, &conn->timer);
	memset(conn->deadlines, 0, sizeof(conn->deadlines));
	hv_tcp_reassembly_clear(conn);
	hv_tcp_sent_finish(conn);
	hv_tcp_record_finish(conn);
	hv_ring_finish(&conn->send, core);
	hv_tcp_fast_open_end(conn, false);
	conn->send_syn = false;
	conn->ack_now = false;
}

void hv_tcp_conn_destroy(struct hv_tcp_conn *conn)
{
	struct hv_tcp *tcp = conn->tcp;

	detach(conn);
	hv_tcp_listener_leave(conn);
	hv_list_remove(&conn->all);
	hv_ring_finish(&conn->receive, tcp->core);
	tcp->connection_count--;
	hv_free(tcp->core, conn, sizeof(*conn));
}

void hv_tcp_conn_end(struct hv_tcp_conn *conn, int error)
{
	bool unowned = conn->orphan || conn->listener;

	detach(conn);
	if (conn->state != HV_TCP_TIME_WAIT)
		conn->state = HV_TCP_CLOSED;
	conn->error = error;
	hv_tcp_notify(conn, HAVEN_EVENT_HANGUP | HAVEN_EVENT_READABLE | HAVEN_EVENT_WRITABLE |
				    (error ? HAVEN_EVENT_ERROR : 0));
	hv_tcp_listener_leave(conn);
	if (unowned)
		hv_tcp_conn_free(conn);
}

void hv_tcp_conn_free(struct hv_tcp_conn *conn)
{
	conn->dead = true;
	conn->owner = NULL;
	if (!conn->hold)
		hv_tcp_conn_destroy(conn);
}

void hv_tcp_soft_error(struct hv_tcp_conn *conn, int error)
{
	conn->soft_error = error;
	hv_tcp_notify(conn, HAVEN_EVENT_SOFT_ERROR);
}

void hv_tcp_hold(struct hv_tcp_conn *conn)
{
	conn->hold++;
}

void hv_tcp_release(struct hv_tcp_conn *conn)
{
	if (conn->hold == 1 && conn->events) {
		unsigned events = conn->events;

		conn->events = 0;
		if (conn->owner && conn->tcp->up.event)
			conn->tcp->up.event(conn->tcp->up.ctx, conn->owner, events);
	}
	if (--conn->hold == 0 && conn->dead)
		hv_tcp_conn_destroy(conn);
}

void hv_tcp_mark(struct hv_tcp_conn *conn)
{
	if (hv_list_is_empty(&conn->output) && conn->in_table)
		hv_list_append(&conn->tcp->output, &conn->output);
}
