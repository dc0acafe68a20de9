/* Sockets: made, counted, and ended. */
#include "socket/socket_state.h"

#include <netinet/in.h>

static void on_udp_event(void *ctx, void *owner, unsigned events)
{
	(void)ctx;
	(void)events;
	hv_socket_mark_ready(owner);
}

static void on_tcp_event(void *ctx, void *owner, unsigned events)
{
	(void)ctx;
	(void)events;
	hv_socket_mark_ready(owner);
}

static void on_tcp_incoming(void *ctx, void *listener_owner)
{
	(void)ctx;
	hv_socket_mark_ready(listener_owner);
}

void hv_sockets_init(struct hv_sockets *sockets, struct haven_stack *stack,
		     uint32_t max_sockets)
{
	sockets->stack = stack;
	sockets->limit = max_sockets;
	sockets->count = 0;
	hv_list_init(&sockets->all);
	hv_list_init(&sockets->ready);
	sockets->udp->ctx = sockets;
	sockets->udp->on_event = on_udp_event;
	sockets->tcp->up.ctx = sockets;
	sockets->tcp->up.event = on_tcp_event;
	sockets->tcp->up.incoming = on_tcp_incoming;
}

static size_t socket_size(bool stream)
{
	return stream ? sizeof(struct hv_stream) : sizeof(struct hv_datagram_socket);
}

int hv_socket_new(struct hv_sockets *sockets, bool stream, bool v6, struct haven_socket **out)
{
	struct haven_socket *socket;

	if (sockets->count >= sockets->limit)
		return -EMFILE;
	socket = hv_zalloc(sockets->core, socket_size(stream));
	if (!socket)
		return -ENOMEM;
	socket->sockets = sockets;
	socket->stream = stream;
	socket->v6 = v6;
	socket->linger_seconds = HV_LINGER_OFF;
	hv_list_init(&socket->ready);
	hv_list_append(&sockets->all, &socket->node);
	sockets->count++;
	if (stream) {
		hv_stream_of(socket)->bind.proto = IPPROTO_TCP;
	} else {
		enum { RECEIVE_BYTES = 1 << 20 };

		hv_udp_socket_init(&hv_datagram_of(socket)->udp, RECEIVE_BYTES, socket);
	}
	*out = socket;
	return 0;
}

int haven_socket(struct haven_stack *stack, int domain, int type, int protocol,
		 struct haven_socket **out)
{
	bool stream = type == SOCK_STREAM;
	int own = stream ? IPPROTO_TCP : IPPROTO_UDP;

	*out = NULL;
	if (domain != AF_INET && domain != AF_INET6)
		return -EAFNOSUPPORT;
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -EPROTOTYPE;
	if (protocol && protocol != own)
		return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ? -EPROTOTYPE
									  : -EPROTONOSUPPORT;
	return hv_socket_new(hv_sockets_of(stack), stream, domain == AF_INET6, out);
}

static void socket_free(struct haven_socket *socket)
{
	struct hv_sockets *sockets = socket->sockets;

	hv_socket_options_free(socket);
	hv_list_remove(&socket->ready);
	hv_list_remove(&socket->node);
	sockets->count--;
	hv_free(sockets->core, socket, socket_size(socket->stream));
}

void hv_socket_end(struct haven_socket *socket, bool abort)
{
	if (socket->stream)
		hv_stream_end(socket, abort || socket->linger_seconds == 0);
	else
		hv_udp_close(socket->sockets->udp, &hv_datagram_of(socket)->udp);
	if (socket->layer)
		socket->layer->ops->end(socket->layer);
	socket_free(socket);
}

static void end(struct haven_socket *socket, bool abort)
{
	if (!socket)
		return;
	if (!socket->layer || socket->layer->ops->close(socket->layer, &abort))
		hv_socket_end(socket, abort);
}

void haven_close(struct haven_socket *socket)
{
	end(socket, false);
}

void haven_abort(struct haven_socket *socket)
{
	end(socket, true);
}

void hv_sockets_finish(struct hv_sockets *sockets)
{
	while (!hv_list_is_empty(&sockets->all)) {
		struct haven_socket *socket =
			hv_container(sockets->all.next, struct haven_socket, node);

		if (socket->stream)
			hv_stream_of(socket)->conn = NULL; /* gone with tcp/ */
		hv_socket_end(socket, true);
	}
}

void haven_socket_set_user(struct haven_socket *socket, void *user)
{
	socket->user = user;
}

void *haven_socket_user(const struct haven_socket *socket)
{
	return socket->user;
}

void haven_socket_set_owner(struct haven_socket *socket, uint64_t owner)
{
	socket->owner = owner;
	hv_port_set_owner(socket->sockets->ports, hv_socket_bind(socket), owner);
}

struct haven_stack *haven_socket_stack(const struct haven_socket *socket)
{
	return socket->sockets->stack;
}
