/*
 * UDP endpoints: bound or connected, with a queue of what came in. Payload is copied out of
 * the packet into a block of its own size, so that a queue of small datagrams does not hold large
 * buffers, and the limit counts what is really held.
 */
#include "udp/udp.h"

#include <netinet/in.h>

void hv_udp_init(struct hv_udp *udp, struct hv_core *core, struct hv_ip *ip,
		 struct hv_port_table *ports)
{
	memset(udp, 0, sizeof(*udp));
	udp->core = core;
	udp->ip = ip;
	udp->ports = ports;
	hv_list_init(&udp->memberships);
}

void hv_udp_socket_init(struct hv_udp_socket *socket, uint32_t receive_limit, void *owner)
{
	memset(socket, 0, sizeof(*socket));
	socket->bind.proto = IPPROTO_UDP;
	socket->bind.transport = socket;
	socket->tuple.proto = IPPROTO_UDP;
	socket->receive_limit = receive_limit;
	socket->group_hops = 1; /* RFC 1112 section 6.1, RFC 3493 section 5.2 */
	socket->group_loop = true;
	socket->last = &socket->first;
	socket->owner = owner;
}

int hv_udp_bind(struct hv_udp *udp, struct hv_udp_socket *socket)
{
	return hv_port_bind(udp->ports, &socket->bind);
}

int hv_udp_connect(struct hv_udp *udp, struct hv_udp_socket *socket,
		   const struct hv_addr *local, const struct hv_addr *remote,
		   uint16_t remote_port)
{
	struct hv_addr any;
	int error;

	hv_udp_disconnect(udp, socket);
	any = socket->bind.local;
	/* Bound to any address before, from here on it holds this one only. */
	error = hv_port_move(udp->ports, &socket->bind, local);
	if (error < 0)
		return error;
	socket->bound = any;
	socket->tuple.local = *local;
	socket->tuple.local_port = socket->bind.port;
	socket->tuple.remote = *remote;
	socket->tuple.remote_port = remote_port;
	error = hv_port_insert(udp->ports, &socket->tuple);
	if (error < 0) {
		hv_port_move(udp->ports, &socket->bind, &any);
		return error;
	}
	socket->connected = true;
	socket->bind.connected = true;
	hv_port_set_receiving(udp->ports, &socket->bind, false);
	return 0;
}

void hv_udp_disconnect(struct hv_udp *udp, struct hv_udp_socket *socket)
{
	if (!socket->connected)
		return;
	hv_port_remove(udp->ports, &socket->tuple);
	socket->connected = false;
	socket->bind.connected = false;
	/* Without memory it stays with the address that it has. */
	hv_port_move(udp->ports, &socket->bind, &socket->bound);
	hv_port_set_receiving(udp->ports, &socket->bind, true);
}

static uint32_t cost(const struct hv_udp_queued *queued)
{
	return (uint32_t)sizeof(*queued) + queued->size;
}

static void free_first(struct hv_udp *udp, struct hv_udp_socket *socket)
{
	struct hv_udp_queued *queued = socket->first;

	socket->first = queued->next;
	if (!socket->first)
		socket->last = &socket->first;
	socket->receive_bytes -= cost(queued);
	hv_free(udp->core, queued, cost(queued));
}

void hv_udp_close(struct hv_udp *udp, struct hv_udp_socket *socket)
{
	hv_udp_leave_all(udp, socket);
	hv_udp_disconnect(udp, socket);
	hv_port_unbind(udp->ports, &socket->bind);
	while (socket->first)
		free_first(udp, socket);
}

enum hv_drop hv_udp_queue(struct hv_udp *udp, struct hv_udp_socket *socket,
			  const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	struct hv_udp_queued *queued;
	size_t size = sizeof(*queued) + d->payload_len;

	/* One datagram always fits, so that a small limit slows down and does not deafen. */
	if (socket->receive_bytes && socket->receive_bytes + size > socket->receive_limit)
		return HV_DROP_UDP_BUFFER;
	queued = hv_alloc(udp->core, size);
	if (!queued)
		return HV_DROP_NO_MEMORY;
	queued->next = NULL;
	queued->source = d->src;
	queued->source_port = d->src_port;
	queued->gso_size = packet->gso_type == HV_GSO_UDP ? packet->gso_size : 0;
	queued->size = d->payload_len;
	queued->taken = 0;
	if (d->payload_len)
		memcpy(queued->data, d->payload, d->payload_len);
	*socket->last = queued;
	socket->last = &queued->next;
	socket->receive_bytes += cost(queued);
	udp->on_event(udp->ctx, socket->owner, HAVEN_EVENT_READABLE);
	return HV_DROP_COUNT;
}

void hv_udp_deliver(struct hv_udp *udp, struct hv_udp_socket *socket, struct hv_packet *packet)
{
	enum hv_drop reason = hv_udp_queue(udp, socket, packet);

	if (reason == HV_DROP_COUNT)
		hv_packet_free(udp->core, packet);
	else
		hv_drop(udp->core, packet, reason);
}

const uint8_t *hv_udp_front(const struct hv_udp_socket *socket, uint32_t *size)
{
	const struct hv_udp_queued *queued = socket->first;

	if (!queued)
		return NULL;
	*size = queued->size - queued->taken;
	if (queued->gso_size && *size > queued->gso_size)
		*size = queued->gso_size;
	return queued->data + queued->taken;
}

void hv_udp_pop(struct hv_udp *udp, struct hv_udp_socket *socket)
{
	uint32_t size;

	if (!hv_udp_front(socket, &size))
		return;
	socket->first->taken += size;
	if (socket->first->taken == socket->first->size)
		free_first(udp, socket);
}
