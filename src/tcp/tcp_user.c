/*
 * Calls of the owner on a connection: OPEN, SEND, RECEIVE, CLOSE, ABORT, STATUS (RFC 9293 section
 * 3.10.1 to 3.10.6).
 */
#include "tcp/tcp_congestion.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_filter.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_send.h"
#include "tcp/tcp_state.h"
#include "tcp/tcp_timer.h"
#include "tcp/tcp_timewait.h"

static void start_connect(struct hv_tcp_conn *conn)
{
	hv_tcp_conn_prepare(conn);
	conn->state = HV_TCP_SYN_SENT;
	conn->send_syn = true;
	conn->progress_ns = hv_tcp_now(conn);
	hv_tcp_mark(conn);
}

int hv_tcp_connect(struct hv_tcp *tcp, const struct hv_addr *local, uint16_t local_port,
		   uint8_t share, const struct hv_addr *remote, uint16_t remote_port,
		   void *owner, struct hv_tcp_conn **out)
{
	struct hv_tcp_conn *conn;
	struct hv_addr src = *local;
	int status = 0;

	if (hv_addr_is_any(local))
		status = hv_ip_source(tcp->ip, remote, &src);
	else if (!hv_ip_mtu(tcp->ip, remote))
		status = -ENETUNREACH;
	if (status < 0)
		return status;
	conn = hv_tcp_conn_new(tcp, &status);
	if (!conn)
		return status;
	conn->tuple.local = src;
	conn->tuple.local_port = local_port;
	conn->tuple.share = share;
	conn->tuple.hold = HV_HOLD_BOUND;
	conn->tuple.remote = *remote;
	conn->tuple.remote_port = remote_port;
	if (local_port)
		hv_tcp_time_wait_yield(tcp, &conn->tuple);
	status = hv_tcp_conn_insert(conn);
	if (!status)
		status = hv_tcp_filter_connect(conn);
	if (status < 0) {
		hv_tcp_conn_free(conn);
		return status;
	}
	conn->owner = owner;
	start_connect(conn);
	*out = conn;
	return 0;
}

void hv_tcp_set_owner(struct hv_tcp_conn *conn, void *owner)
{
	conn->owner = owner;
}

bool hv_tcp_is_deferred(const struct hv_tcp_conn *conn)
{
	return hv_tcp_fast_open_is_deferred(conn);
}

/* Gone: no segment reaches it any more. */
static bool is_over(const struct hv_tcp_conn *conn)
{
	return conn->state == HV_TCP_CLOSED || conn->state == HV_TCP_TIME_WAIT;
}

/* Bytes that the two windows let out at once, sent already or not queued yet. */
static uint32_t goes_at_once(const struct hv_tcp_conn *conn)
{
	uint32_t edge = conn->snd_una + conn->snd_wnd, flight = hv_tcp_flight(conn);
	uint32_t peer = hv_seq_gt(edge, conn->snd_nxt) ? edge - conn->snd_nxt : 0;
	uint32_t room = conn->cwnd > flight ? conn->cwnd - flight : 0;

	return hv_tcp_congestion_is_off(conn) || peer < room ? peer : room;
}

/* The owner's, or the stack's. */
static uint32_t lowat_of(const struct hv_tcp_conn *conn)
{
	return conn->notsent_lowat ? conn->notsent_lowat : conn->tcp->config.notsent_lowat;
}

/* The largest packet, in whole segments; more than half of the peer's window is not worth one. */
static uint32_t packet_bytes(const struct hv_tcp_conn *conn)
{
	uint32_t most = conn->snd_wnd_max / 2 < UINT16_MAX ? conn->snd_wnd_max / 2 : UINT16_MAX;

	return most > conn->mss ? most - most % conn->mss : conn->mss;
}

/*
 * TCP_NOTSENT_LOWAT: what would still wait here after the next flush is bounded, so that what the owner writes is
 * not stale when it leaves. The last packet may go beyond the mark (as Linux). Returns the bytes that may be queued.
 */
static uint32_t notsent_room(const struct hv_tcp_conn *conn)
{
	uint64_t packet = packet_bytes(conn), lowat = lowat_of(conn), room;
	uint32_t waits = hv_tcp_unsent(conn), at_once = goes_at_once(conn);

	if (!lowat)
		return UINT32_MAX;
	room = at_once + (lowat + packet - 1) / packet * packet;
	if (waits >= at_once + lowat || waits >= room)
		return 0;
	return room - waits < UINT32_MAX ? (uint32_t)(room - waits) : UINT32_MAX;
}

/* Writable when a third is free, so that the owner is not woken for every few bytes; and half of the low-water mark. */
static bool has_room(const struct hv_tcp_conn *conn)
{
	uint32_t waits = hv_tcp_unsent(conn), at_once = goes_at_once(conn);

	if (hv_ring_space(&conn->send) < conn->send.limit / 3)
		return false;
	return !lowat_of(conn) || waits <= at_once ||
	       2 * (uint64_t)(waits - at_once) < lowat_of(conn);
}

void hv_tcp_tell_writable(struct hv_tcp_conn *conn)
{
	if (!conn->want_write || !(hv_tcp_conn_events(conn) & HAVEN_EVENT_WRITABLE))
		return;
	conn->want_write = false;
	hv_tcp_notify(conn, HAVEN_EVENT_WRITABLE);
}

unsigned hv_tcp_conn_events(const struct hv_tcp_conn *conn)
{
	bool over = is_over(conn);
	unsigned events = 0;

	if (hv_tcp_is_enough_to_read(conn) || conn->fin_received || conn->receive_shut || over)
		events |= HAVEN_EVENT_READABLE;
	if (over || ((conn->state != HV_TCP_SYN_SENT || hv_tcp_is_deferred(conn)) &&
		     !conn->send_ended && has_room(conn)))
		events |= HAVEN_EVENT_WRITABLE;
	if (conn->error)
		events |= HAVEN_EVENT_ERROR;
	if (over || (conn->fin_received && conn->send_ended))
		events |= HAVEN_EVENT_HANGUP;
	if (conn->fin_received)
		events |= HAVEN_EVENT_PEER_CLOSED;
	if (conn->state >= HV_TCP_ESTABLISHED)
		events |= HAVEN_EVENT_CONNECTED;
	if (conn->all_sent)
		events |= HAVEN_EVENT_SENT;
	if (hv_tcp_urgent_left(conn))
		events |= HAVEN_EVENT_URGENT;
	if (conn->soft_error && !over)
		events |= HAVEN_EVENT_SOFT_ERROR;
	return events;
}

/* --- CLOSE and ABORT ------------------------------------------------------------------- */

void hv_tcp_close(struct hv_tcp_conn *conn)
{
	hv_tcp_hold(conn);
	conn->owner = NULL;
	conn->sink = NULL;
	if (is_over(conn)) {
		hv_tcp_conn_free(conn);
	} else if (conn->state == HV_TCP_SYN_SENT) {
		conn->orphan = true;
		hv_tcp_conn_end(conn, 0);
	} else if ((conn->receive.used && !conn->receive_shut) ||
		   (conn->linger && conn->linger_s == 0)) {
		/* Data was lost: the peer must know (RFC 2525 section 2.17). */
		conn->orphan = true;
		hv_tcp_send_reset(conn);
		hv_tcp_conn_end(conn, ECONNRESET);
	} else {
		conn->orphan = true;
		conn->cork = false;
		hv_ring_finish(&conn->receive, hv_tcp_core(conn));
		if (conn->state == HV_TCP_FIN_WAIT_2 && conn->linger2_s < 0) {
			hv_tcp_send_reset(conn);
			hv_tcp_conn_end(conn, ECONNABORTED);
		} else {
			if (conn->state == HV_TCP_FIN_WAIT_2)
				hv_tcp_arm(conn, HV_TCP_DEADLINE_CLOSE,
					   hv_tcp_linger2_ns(conn));
			hv_tcp_end_send(conn);
		}
	}
	hv_tcp_release(conn);
}

void hv_tcp_abort(struct hv_tcp_conn *conn)
{
	hv_tcp_hold(conn);
	conn->owner = NULL;
	conn->sink = NULL;
	if (is_over(conn)) {
		hv_tcp_conn_free(conn);
	} else {
		conn->orphan = true;
		if (conn->state != HV_TCP_SYN_SENT) /* RFC 9293 section 3.10.5 */
			hv_tcp_send_reset(conn);
		hv_tcp_conn_end(conn, ECONNABORTED);
	}
	hv_tcp_release(conn);
}

int hv_tcp_shutdown_send(struct hv_tcp_conn *conn)
{
	if (is_over(conn) || conn->state == HV_TCP_SYN_SENT)
		return -ENOTCONN;
	hv_tcp_end_send(conn);
	return 0;
}

void hv_tcp_shutdown_receive(struct hv_tcp_conn *conn)
{
	conn->receive_shut = true;
	conn->sink = NULL;
	if (is_over(conn) || !conn->receive.used)
		return;
	hv_tcp_hold(conn);
	hv_tcp_reader_took(conn, 0); /* the window opens: nothing waits for a reader any more */
	if (conn->ack_now)
		hv_tcp_mark(conn);
	hv_tcp_release(conn);
}

/* --- SEND ------------------------------------------------------------------------------ */

ssize_t hv_tcp_send_reserve(struct hv_tcp_conn *conn, size_t wanted, struct iovec slices[2],
			    int *count)
{
	uint32_t size, ask = wanted > UINT32_MAX ? UINT32_MAX : (uint32_t)wanted, most;

	*count = 0;
	if (conn->send_ended || is_over(conn))
		return -EPIPE;
	most = notsent_room(conn);
	if ((conn->state == HV_TCP_SYN_SENT && !hv_tcp_is_deferred(conn)) ||
	    !hv_ring_space(&conn->send) || !most) {
		conn->want_write = true;
		return 0;
	}
	if (ask > most)
		ask = most;
	size = hv_ring_reserve(&conn->send, hv_tcp_core(conn), ask, slices, count);
	if (!size && ask)
		return -ENOMEM;
	return size;
}

void hv_tcp_send_commit(struct hv_tcp_conn *conn, size_t size, bool more)
{
	bool let_go = conn->more && !more;

	if (conn->send_ended || is_over(conn))
		return;
	conn->more = conn->no_push = more;
	hv_ring_commit(&conn->send, (uint32_t)size);
	if (size) {
		conn->all_sent = false;
		hv_tcp_fast_open_go(conn);
	}
	if (!(hv_tcp_conn_events(conn) & HAVEN_EVENT_WRITABLE))
		conn->want_write = true;
	if (conn->send.memory && !conn->send.used &&
	    !hv_tcp_is_armed(conn, HV_TCP_DEADLINE_TRIM))
		hv_tcp_arm(conn, HV_TCP_DEADLINE_TRIM, HV_TCP_TRIM_NS);
	if (size || let_go)
		hv_tcp_mark(conn);
}

size_t hv_tcp_send_queued(const struct hv_tcp_conn *conn)
{
	return conn->send.used;
}

/* --- RECEIVE --------------------------------------------------------------------------- */

size_t hv_tcp_receive_peek(struct hv_tcp_conn *conn, struct iovec slices[2], int *count)
{
	*count = 0;
	return hv_ring_slices(&conn->receive, 0, conn->receive.used, slices, count);
}

void hv_tcp_receive_consume(struct hv_tcp_conn *conn, size_t size)
{
	bool fin = false;

	hv_ring_consume(&conn->receive, (uint32_t)size);
	if (is_over(conn)) {
		if (!conn->receive.used)
			hv_ring_finish(&conn->receive, hv_tcp_core(conn));
		return;
	}
	hv_tcp_hold(conn);
	hv_tcp_reader_took(conn, (uint32_t)size);
	if (conn->blocks) { /* what did not fit before; a sink is called for input only */
		haven_sink_fn *sink = conn->sink;

		conn->sink = NULL;
		fin = hv_tcp_reassembly_deliver(conn);
		conn->sink = sink;
	}
	if (fin)
		hv_tcp_fin_received(conn);
	if (conn->ack_now)
		hv_tcp_mark(conn);
	if (!conn->receive.used && conn->receive.memory &&
	    !hv_tcp_is_armed(conn, HV_TCP_DEADLINE_TRIM) && conn->in_table)
		hv_tcp_arm(conn, HV_TCP_DEADLINE_TRIM, HV_TCP_TRIM_NS);
	hv_tcp_release(conn);
}

bool hv_tcp_receive_ended(const struct hv_tcp_conn *conn)
{
	return !conn->receive.used &&
	       (conn->fin_received || conn->receive_shut || is_over(conn));
}

void hv_tcp_set_sink(struct hv_tcp_conn *conn, haven_sink_fn *sink, void *user)
{
	conn->sink = sink;
	conn->sink_user = user;
}

/* --- STATUS ---------------------------------------------------------------------------- */

int hv_tcp_take_error(struct hv_tcp_conn *conn)
{
	int error = conn->error;

	conn->error = 0;
	return error;
}

int hv_tcp_soft_error_of(const struct hv_tcp_conn *conn)
{
	return is_over(conn) ? 0 : conn->soft_error;
}

uint64_t hv_tcp_rtt_ns(const struct hv_tcp_conn *conn)
{
	return conn->srtt_ns;
}

const struct hv_tuple *hv_tcp_tuple(const struct hv_tcp_conn *conn)
{
	return &conn->tuple;
}
