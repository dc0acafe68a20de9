/*
 * Listeners (RFC 9293 section 3.10.7.2): records of half-open connections (tcp_half_open.c) until their
 * handshake is complete, then a queue of ready ones until the owner accepts them. Both are limited by the backlog (and 64 records are always allowed); beyond
 * it a SYN is answered with a cookie (tcp_syn_cookie.c), and with nothing when the ready ones are too many.
 */
#include "tcp/tcp_listen.h"

#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_filter.h"
#include "tcp/tcp_half_open.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_syn_cookie.h"

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
	hv_list_init(&listener->fast_open);
	bind->transport = listener;
	*out = listener;
	return 0;
}

struct hv_tcp_listener *hv_tcp_listener_of(struct hv_bind *bind)
{
	return bind->transport;
}

/* There is room. *kept: a connection or a record stands for the SYN. Returns as hv_tcp_listen_input(). */
static int take(struct hv_tcp_listener *listener, const struct hv_packet *packet,
		const struct hv_tcp_options *options, const uint32_t *iss_floor, bool *kept)
{
	struct hv_tcp_half_open half;

	*kept = true;
	if (listener->fast_open_max && options->has_fast_open && !iss_floor &&
	    hv_tcp_fast_open_accept(listener, packet, options))
		return HV_DROP_COUNT;
	hv_tcp_half_open_read(&half, listener, packet, options);
	half.verified = iss_floor; /* it was connected a moment ago */
	if (hv_tcp_half_open_has_room(&half)) {
		int reason;

		hv_tcp_half_open_choose_iss(&half, iss_floor);
		reason = hv_tcp_half_open_keep(&half);
		*kept = reason == HV_DROP_COUNT;
		if (!*kept)
			return reason;
	} else if (iss_floor) {
		/* A cookie could not be beyond what the connection before it sent (RFC 6191). */
		*kept = false;
		return HV_DROP_TCP_LISTEN_OVERFLOW;
	} else {
		*kept = false;
		hv_tcp_syn_cookie_make(&half);
	}
	hv_tcp_half_open_answer(&half);
	return HV_DROP_COUNT;
}

int hv_tcp_listen_input(struct hv_tcp_listener *listener, const struct hv_packet *packet,
			const struct hv_tcp_options *options, const uint32_t *iss_floor)
{
	struct hv_tcp *tcp = listener->tcp;
	bool kept;
	int reason;

	if (!hv_tcp_listener_has_room(listener))
		return HV_DROP_TCP_LISTEN_OVERFLOW;
	if (tcp->connection_count >= tcp->config.max_connections)
		return HV_DROP_TCP_CONNECTION_LIMIT;
	/* After those two, so that a SYN that is dropped and comes again is counted once. */
	reason = hv_tcp_filter_syn(tcp, packet);
	if (reason != HV_DROP_COUNT)
		return reason;
	reason = take(listener, packet, options, iss_floor, &kept);
	if (!kept)
		hv_tcp_filter_forget(tcp, packet);
	return reason;
}

void hv_tcp_listener_ready(struct hv_tcp_conn *conn)
{
	struct hv_tcp_listener *listener = conn->listener;

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

	hv_tcp_half_open_reset_all(listener);
	reset_all(&listener->ready);
	hv_tcp_fast_open_forget(listener);
	listener->bind->transport = NULL;
	hv_free(core, listener, sizeof(*listener));
}
