/*
 * Listeners (RFC 9293 section 3.10.7.2): half-open connections until their handshake is complete, then
 * a queue of ready ones until the owner accepts them. Both are limited by the backlog.
 */
#include "tcp/tcp_listen.h"

#include "tcp/tcp_output.h"
#include "tcp/tcp_request.h"

int hv_tcp_listen(struct hv_tcp *tcp, struct hv_bind *bind, int backlog, void *owner,
		  struct hv_tcp_listener **out)
{
	struct hv_tcp_listener *listener = hv_zalloc(tcp->core, sizeof(*listener));
	int status;

	if (!listener)
		return -ENOMEM;
	status = hv_port_listen(tcp->ports, bind);
	if (status < 0) {
		hv_free(tcp->core, listener, sizeof(*listener));
		return status;
	}
	listener->tcp = tcp;
	listener->bind = bind;
	listener->owner = owner;
	listener->backlog = backlog < 1 ? 1 : (uint32_t)backlog;
	hv_list_init(&listener->half_open);
	hv_list_init(&listener->ready);
	bind->transport = listener;
	*out = listener;
	return 0;
}

struct hv_tcp_listener *hv_tcp_listener_of(struct hv_bind *bind)
{
	return bind->transport;
}

int hv_tcp_listen_input(struct hv_tcp_listener *listener, const struct hv_packet *packet,
			const struct hv_tcp_options *options, const uint32_t *iss_floor)
{
	const struct hv_desc *d = &packet->d;
	const struct hv_bind *bind = listener->bind;
	struct hv_tuple tuple = {
		.share = hv_port_share_of(bind),
		.hold = HV_HOLD_BOUND,
		.local = d->dst,
		.remote = d->src,
		.local_port = d->dst_port,
		.remote_port = d->src_port,
	};
	struct hv_tcp_syn syn = {
		.irs = d->seq,
		.window = d->window,
		.options = options,
		.iss_floor = iss_floor,
	};
	struct hv_tcp_conn *conn;
	int error;

	if (!hv_tcp_listener_has_room(listener) ||
	    listener->half_open_count >= listener->backlog)
		return HV_DROP_TCP_LISTEN_OVERFLOW;
	conn = hv_tcp_conn_from_syn(listener->tcp, &tuple, &syn, &error);
	if (!conn)
		return error == -EMFILE ? HV_DROP_TCP_CONNECTION_LIMIT : HV_DROP_NO_MEMORY;
	conn->listener = listener;
	hv_list_append(&listener->half_open, &conn->queue);
	listener->half_open_count++;
	return HV_DROP_COUNT;
}

void hv_tcp_listener_ready(struct hv_tcp_conn *conn)
{
	struct hv_tcp_listener *listener = conn->listener;

	hv_list_remove(&conn->queue);
	listener->half_open_count--;
	hv_list_append(&listener->ready, &conn->queue);
	listener->ready_count++;
	conn->ready = true;
	if (listener->tcp->up.incoming)
		listener->tcp->up.incoming(listener->tcp->up.ctx, listener->owner);
}

void hv_tcp_listener_leave(struct hv_tcp_conn *conn)
{
	if (!conn->listener)
		return;
	hv_list_remove(&conn->queue);
	if (conn->ready)
		conn->listener->ready_count--;
	else
		conn->listener->half_open_count--;
	conn->ready = false;
	conn->listener = NULL;
}

struct hv_tcp_conn *hv_tcp_accept(struct hv_tcp_listener *listener)
{
	struct hv_tcp_conn *conn;

	if (hv_list_is_empty(&listener->ready))
		return NULL;
	conn = hv_container(listener->ready.next, struct hv_tcp_conn, queue);
	hv_tcp_listener_leave(conn);
	return conn;
}

bool hv_tcp_can_accept(const struct hv_tcp_listener *listener)
{
	return !hv_list_is_empty(&listener->ready);
}

static void reset_all(struct hv_list *list)
{
	while (!hv_list_is_empty(list)) {
		struct hv_tcp_conn *conn = hv_container(list->next, struct hv_tcp_conn, queue);

		hv_tcp_hold(conn);
		hv_tcp_send_reset(conn);
		hv_tcp_conn_end(conn, ECONNABORTED); /* frees it: it has no owner */
		hv_tcp_release(conn);
	}
}

void hv_tcp_listener_close(struct hv_tcp_listener *listener)
{
	struct hv_core *core = listener->tcp->core;

	reset_all(&listener->half_open);
	reset_all(&listener->ready);
	listener->bind->transport = NULL;
	hv_free(core, listener, sizeof(*listener));
}
