/*
 * UDP towards the socket: from ip/ to the connected socket, the bound socket, the forwarder, or
 * nobody, in this order; and ICMP errors about what was sent back to who sent it.
 */
#include "udp/udp.h"

#include <netinet/in.h>

#include "wire/udp.h"

static void endpoint_set(struct haven_endpoint *endpoint, const struct hv_addr *addr,
			 uint16_t port)
{
	memcpy(endpoint->address, addr->b, sizeof(endpoint->address));
	endpoint->port = port;
}

/* The socket of a pair of ends: connected to exactly them, or bound to the local one. */
static struct hv_udp_socket *find_socket(const struct hv_udp *udp, const struct hv_addr *local,
					 uint16_t local_port, const struct hv_addr *remote,
					 uint16_t remote_port)
{
	struct hv_tuple *tuple =
		hv_port_find(udp->ports, IPPROTO_UDP, local, local_port, remote, remote_port);
	struct hv_bind *bind;

	if (tuple)
		return hv_container(tuple, struct hv_udp_socket, tuple);
	bind = hv_port_find_receiver(udp->ports, IPPROTO_UDP, local, local_port, remote,
				     remote_port);
	return bind ? hv_container(bind, struct hv_udp_socket, bind) : NULL;
}

/* A batch that the guest left whole (USO) goes up whole. Does not consume. */
static void forward(const struct hv_udp *udp, const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	struct haven_datagram datagram = {
		.data = d->payload,
		.size = d->payload_len,
		.gso_size = packet->gso_type == HV_GSO_UDP ? packet->gso_size : 0,
		.hop_limit = d->hop_limit,
		.traffic_class = d->traffic_class,
		.dont_fragment = d->dont_fragment,
	};

	endpoint_set(&datagram.source, &d->src, d->src_port);
	endpoint_set(&datagram.destination, &d->dst, d->dst_port);
	udp->forwarder->udp(udp->forwarder->user, &datagram);
}

void hv_udp_input(void *ctx, struct hv_packet *packet)
{
	struct hv_udp *udp = ctx;
	const struct hv_desc *d = &packet->d;
	struct hv_udp_socket *socket;
	int reason = hv_wire_udp_parse(packet);

	if (reason != HV_DROP_COUNT) {
		hv_drop(udp->core, packet, (enum hv_drop)reason);
		return;
	}
	udp->datagrams_in++;
	if (hv_udp_group_input(udp, packet))
		return;
	socket = find_socket(udp, &d->dst, d->dst_port, &d->src, d->src_port);
	if (socket) {
		if (!udp->filter || hv_udp_filter_input(udp, packet))
			hv_udp_deliver(udp, socket, packet);
		return;
	}
	/* What was sent to all is for nobody behind this stack. */
	if (udp->forwarder && udp->forwarder->udp && !d->link_broadcast) {
		forward(udp, packet);
		hv_packet_free(udp->core, packet);
		return;
	}
	if (udp->filter && !hv_udp_filter_stray(udp, packet))
		return;
	/* RFC 1122 section 4.1.3.1; not about broadcast and multicast, which ip/ sees to. */
	hv_ip_unreachable(udp->ip, packet, HAVEN_ICMP_PORT_UNREACHABLE, 0, NULL);
	hv_drop(udp->core, packet, HV_DROP_UDP_NO_SOCKET);
}

/*
 * An error about a datagram of ours (RFC 1122 section 4.1.3.3). A connected socket is told of what will
 * not go away by itself: closed ports, prohibitions. An unconnected one is not told, since it could not say
 * which of its peers is meant (both as Linux without IP_RECVERR).
 */
void hv_udp_icmp_error(void *ctx, const struct hv_icmp_report *report)
{
	struct hv_udp *udp = ctx;
	struct haven_endpoint source, destination;
	struct hv_udp_socket *socket;
	uint16_t source_port, destination_port;

	if (report->transport_len < HV_UDP_HEADER)
		return;
	source_port = hv_get16(report->transport);
	destination_port = hv_get16(report->transport + 2);
	socket = find_socket(udp, &report->src, source_port, &report->dst, destination_port);
	if (socket) {
		if (!socket->connected || (!report->hard && report->error != EACCES))
			return;
		socket->error = report->error;
		udp->on_event(udp->ctx, socket->owner, HAVEN_EVENT_ERROR);
		return;
	}
	if (!udp->forwarder || !udp->forwarder->udp_error)
		return;
	endpoint_set(&source, &report->src, source_port);
	endpoint_set(&destination, &report->dst, destination_port);
	udp->forwarder->udp_error(udp->forwarder->user, &source, &destination, report->error);
}
