/*
 * TLS as a layer on a stream socket. Bytes that have come in wait in the connection's receive buffer until TLS takes them, a record at a
 * time; what TLS says goes to the connection's send buffer, and waits in TLS's own while that is full. All of it is done
 * when the connection's readiness is looked at (haven_next_ready) and in the user's calls, never within haven_input().
 *
 *	connection --pull--> haven_tls --haven_tls_read--> user
 *	connection <--push-- haven_tls <--haven_tls_write-- user
 */
#include "tls/tls_socket.h"

#include <string.h>

#include "tls/tls_error.h"

#define RETRY_NS UINT64_C(100000000)

/* --- between the connection and TLS ---------------------------------------------------------------- */

/* The connection has no byte left: has it ended? */
static void look_at_end(struct hv_tls_socket *ts)
{
	struct hv_tcp_conn *conn = hv_tls_conn(ts);
	int error = 0;

	if (!(hv_tcp_conn_events(conn) & HAVEN_EVENT_PEER_CLOSED))
		error = hv_tcp_take_error(conn);
	if (error)
		haven_tls_input_end(ts->tls, -error);
	else if (hv_tcp_receive_ended(conn) && !ts->receive_shut)
		haven_tls_input_end(ts->tls, 0);
}

static bool pull(struct hv_tls_socket *ts)
{
	struct iovec slices[2];
	int count;
	ssize_t taken;

	if (!hv_tcp_receive_peek(hv_tls_conn(ts), slices, &count)) {
		look_at_end(ts);
		return false;
	}
	taken = haven_tls_input(ts->tls, slices[0].iov_base, slices[0].iov_len);
	if (taken <= 0)
		return false;
	hv_tcp_receive_consume(hv_tls_conn(ts), (size_t)taken);
	return true;
}

/* Copy `size` bytes at most from one pair of slices to another. Returns how many. */
static size_t copy(const struct iovec from[2], const struct iovec to[2])
{
	size_t done = 0, in = 0, out = 0;
	int i = 0, j = 0;

	while (i < 2 && j < 2) {
		size_t step = from[i].iov_len - in;

		if (step > to[j].iov_len - out)
			step = to[j].iov_len - out;
		if (step)
			memcpy((uint8_t *)to[j].iov_base + out,
			       (const uint8_t *)from[i].iov_base + in, step);
		done += step;
		in += step;
		out += step;
		if (in == from[i].iov_len) {
			i++;
			in = 0;
		} else {
			j++;
			out = 0;
		}
	}
	return done;
}

/* The connection takes nothing any more, for good: what waits is for nobody. */
static void give_up(struct hv_tls_socket *ts)
{
	int error = hv_tcp_take_error(hv_tls_conn(ts));

	haven_tls_input_end(ts->tls, error ? -error : -EPIPE);
	ts->fin_sent = true;
}

static bool push(struct hv_tls_socket *ts)
{
	struct hv_tcp_conn *conn = hv_tls_conn(ts);
	struct iovec from[2], to[2] = {{0}};
	size_t size = haven_tls_output(ts->tls, from);
	ssize_t room;
	int count;

	if (!size || ts->fin_sent)
		return false;
	room = hv_tcp_send_reserve(conn, size, to, &count);
	ts->no_memory = room == -ENOMEM;
	if (room == -EPIPE)
		give_up(ts);
	if (room <= 0)
		return false;
	size = copy(from, to);
	hv_tcp_send_commit(conn, size, ts->more);
	haven_tls_output_consume(ts->tls, size);
	return true;
}

/* Once, when TLS has failed: its alert is out as far as it went; nothing more is said or heard. */
static void shut_down_failed(struct hv_tls_socket *ts)
{
	struct hv_tcp_conn *conn = hv_tls_conn(ts);

	if (ts->failed || !ts->tls->error.code)
		return;
	ts->failed = true;
	hv_tcp_shutdown_receive(conn);
	if (!ts->fin_sent)
		hv_tcp_shutdown_send(conn);
	ts->fin_sent = true;
}

static void finish_sending(struct hv_tls_socket *ts)
{
	struct iovec slices[2];

	if (!ts->fin_wanted || ts->fin_sent || ts->tls->close_wanted ||
	    haven_tls_output(ts->tls, slices))
		return;
	hv_tcp_shutdown_send(hv_tls_conn(ts));
	ts->fin_sent = true;
}

static void set_timer(struct hv_tls_socket *ts)
{
	struct hv_core *core = hv_tls_core(ts);
	uint64_t deadline = haven_tls_deadline(ts->tls);

	if (ts->no_memory && deadline > core->now_ns + RETRY_NS)
		deadline = core->now_ns + RETRY_NS;
	if (deadline == UINT64_MAX)
		hv_timer_cancel(&core->wheel, &ts->timer);
	else
		hv_timer_set(&core->wheel, &ts->timer, deadline);
}

bool hv_tls_socket_pump(struct hv_tls_socket *ts)
{
	bool moved = false, again = true;

	while (again) {
		again = pull(ts);
		again |= push(ts);
		moved |= again;
	}
	finish_sending(ts);
	shut_down_failed(ts);
	set_timer(ts);
	return moved;
}

/* The time-out makes TLS fail; the rest is done where the user hears of it. */
static void fire(struct hv_timer *timer)
{
	struct hv_tls_socket *ts = hv_container(timer, struct hv_tls_socket, timer);

	haven_tls_poll(ts->tls, hv_tls_core(ts)->now_ns);
	hv_socket_mark_ready(ts->socket);
}

/* --- readiness ---------------------------------------------------------------------------------------- */

unsigned hv_tls_socket_events(const struct hv_socket_layer *layer)
{
	const struct hv_tls_socket *ts = hv_tls_socket_of(layer);
	unsigned below = hv_tcp_conn_events(hv_tls_conn(ts));
	unsigned events = haven_tls_events(ts->tls);
	struct iovec slices[2];

	if (ts->plain.used || ts->receive_shut)
		events |= HAVEN_EVENT_READABLE;
	if (!haven_tls_output(ts->tls, slices))
		events |= below & HAVEN_EVENT_SENT;
	return events | (below & HAVEN_EVENT_SOFT_ERROR);
}

void hv_tls_socket_note(struct hv_tls_socket *ts)
{
	unsigned now = hv_tls_socket_events(&ts->layer);

	ts->told &= now;
	if (now & ~ts->told)
		hv_socket_mark_ready(ts->socket);
}

/* What has come in unread would make the end a reset, which can overtake what was sent. */
static void discard_received(struct hv_tls_socket *ts)
{
	struct iovec slices[2];
	int count;
	size_t size;

	while ((size = hv_tcp_receive_peek(hv_tls_conn(ts), slices, &count)))
		hv_tcp_receive_consume(hv_tls_conn(ts), size);
}

static bool has_output(const struct hv_tls_socket *ts)
{
	struct iovec slices[2];

	return !ts->fin_sent && haven_tls_output(ts->tls, slices);
}

/* The user is gone: the rest of the output goes, then the socket. */
static void go_on_closing(struct hv_tls_socket *ts)
{
	while (push(ts))
		;
	discard_received(ts);
	set_timer(ts);
	if (!has_output(ts))
		hv_socket_end(ts->socket, false);
}

static bool ready(struct hv_socket_layer *layer)
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);
	unsigned now, news;

	if (ts->closing) {
		go_on_closing(ts);
		return false;
	}
	hv_tls_socket_pump(ts);
	now = hv_tls_socket_events(layer);
	news = now & ~ts->told;
	ts->told = now;
	return news;
}

static size_t queued(const struct hv_socket_layer *layer)
{
	struct iovec slices[2];

	return haven_tls_output(hv_tls_socket_of(layer)->tls, slices);
}

static int error(const struct hv_socket_layer *layer)
{
	const struct haven_tls *tls = hv_tls_socket_of(layer)->tls;

	return tls->error.code ? -tls->error_number : 0;
}

/* --- beginning and end ----------------------------------------------------------------------------------- */

static bool is_unread(const struct hv_tls_socket *ts)
{
	return ts->plain.used ||
	       (ts->tls->connected && !ts->tls->error.code &&
		(haven_tls_events(ts->tls) & HAVEN_EVENT_READABLE) && !ts->tls->read_closed);
}

static bool close_layer(struct hv_socket_layer *layer, bool *abort)
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);

	/* It was silent before, or data is lost that it thinks was delivered (RFC 2525 section 2.17). */
	if (ts->tls->error.code == HAVEN_TLS_ERROR_TIMEOUT || is_unread(ts) ||
	    ts->socket->linger_seconds == 0)
		*abort = true;
	if (*abort)
		return true;
	haven_tls_shutdown(ts->tls);
	hv_tls_socket_pump(ts);
	discard_received(ts);
	if (!ts->tls->connected || ts->tls->error.code || !has_output(ts))
		return true;
	ts->closing = true;
	ts->socket->user = NULL;
	return false;
}

static void end_layer(struct hv_socket_layer *layer)
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);
	struct hv_core *core = hv_tls_core(ts);

	hv_timer_cancel(&core->wheel, &ts->timer);
	hv_ring_finish(&ts->plain, core);
	hv_free(core, ts->draft, HV_TLS_RECORD_BYTES);
	haven_tls_destroy(ts->tls);
	hv_free(core, ts, sizeof(*ts));
}

static const struct hv_socket_layer_ops ops = {
	.send = hv_tls_socket_send,
	.receive = hv_tls_socket_receive,
	.peek = hv_tls_socket_peek,
	.consume = hv_tls_socket_consume,
	.reserve = hv_tls_socket_reserve,
	.commit = hv_tls_socket_commit,
	.shutdown = hv_tls_socket_shutdown,
	.events = hv_tls_socket_events,
	.queued = queued,
	.error = error,
	.ready = ready,
	.close = close_layer,
	.end = end_layer,
};

int haven_tls_attach(struct haven_socket *socket, struct haven_tls_context *context,
		     const char *server_name, struct haven_tls_error *error)
{
	struct hv_core *core = socket->sockets->core;
	struct hv_tls_socket *ts;
	int result;

	if (!socket->stream || !hv_stream_of(socket)->conn)
		return hv_tls_refuse(error,
				     "TLS needs a stream that is connected or connecting");
	if (socket->layer)
		return -EALREADY;
	ts = hv_zalloc(core, sizeof(*ts));
	if (!ts)
		return hv_tls_no_memory(error);
	result = haven_tls_create(context, server_name, core->now_ns, &ts->tls, error);
	if (result < 0) {
		hv_free(core, ts, sizeof(*ts));
		return result;
	}
	ts->layer.ops = &ops;
	ts->socket = socket;
	hv_timer_init(&ts->timer, fire);
	hv_ring_init(&ts->plain, HV_TLS_RECORD_BYTES);
	hv_tcp_set_sink(hv_tls_conn(ts), NULL, NULL);
	/* Its bytes are not the user's: each one counts. */
	hv_tcp_set_option(hv_tls_conn(ts), SOL_SOCKET, SO_RCVLOWAT, 1);
	socket->layer = &ts->layer;
	hv_tls_socket_pump(ts);
	hv_tls_socket_note(ts);
	return 0;
}

struct haven_tls *haven_socket_tls(const struct haven_socket *socket)
{
	return socket->layer && socket->layer->ops == &ops
		       ? hv_tls_socket_of(socket->layer)->tls
		       : NULL;
}
