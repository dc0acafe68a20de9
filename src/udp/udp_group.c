/*
 * Multicast receivers: which sockets joined which group on which link, and the copies that they get
 * of a datagram to it (RFC 1112 section 7). The links' side of it is ip/group.c.
 */
#include "udp/udp.h"

static struct hv_udp_membership **find(struct hv_udp_socket *socket, unsigned ifindex,
				       const struct hv_addr *group)
{
	struct hv_udp_membership **at = &socket->memberships;

	while (*at &&
	       ((ifindex && (*at)->ifindex != ifindex) || !hv_addr_equal(&(*at)->group, group)))
		at = &(*at)->next;
	return at;
}

int hv_udp_join(struct hv_udp *udp, struct hv_udp_socket *socket, unsigned ifindex,
		const struct hv_addr *group)
{
	struct hv_udp_membership *m;
	unsigned count = 0;
	int error;

	if (*find(socket, ifindex, group))
		return -EADDRINUSE;
	for (m = socket->memberships; m; m = m->next)
		count++;
	if (count >= HV_UDP_MAX_MEMBERSHIPS)
		return -ENOBUFS;
	m = hv_zalloc(udp->core, sizeof(*m));
	if (!m)
		return -ENOMEM;
	error = hv_ip_group_join(udp->ip, ifindex, group);
	if (error < 0) {
		hv_free(udp->core, m, sizeof(*m));
		return error;
	}
	m->socket = socket;
	m->group = *group;
	m->ifindex = ifindex;
	m->next = socket->memberships;
	socket->memberships = m;
	hv_list_append(&udp->memberships, &m->node);
	return 0;
}

static void leave(struct hv_udp *udp, struct hv_udp_membership **at)
{
	struct hv_udp_membership *m = *at;

	*at = m->next;
	hv_list_remove(&m->node);
	hv_ip_group_leave(udp->ip, m->ifindex, &m->group);
	hv_free(udp->core, m, sizeof(*m));
}

int hv_udp_leave(struct hv_udp *udp, struct hv_udp_socket *socket, unsigned ifindex,
		 const struct hv_addr *group)
{
	struct hv_udp_membership **at = find(socket, ifindex, group);

	if (!*at)
		return -EADDRNOTAVAIL;
	leave(udp, at);
	return 0;
}

void hv_udp_leave_all(struct hv_udp *udp, struct hv_udp_socket *socket)
{
	while (socket->memberships)
		leave(udp, &socket->memberships);
}

/* Bound to the port, at the group or at any address of its family; connected: from its peer. */
static bool takes(const struct hv_udp_socket *socket, const struct hv_desc *d)
{
	const struct hv_bind *bind = &socket->bind;
	bool same_family = hv_addr_is_v4(&bind->local) == hv_addr_is_v4(&d->dst);

	if (!bind->slot || bind->port != d->dst_port)
		return false;
	if (socket->connected && (socket->tuple.remote_port != d->src_port ||
				  !hv_addr_equal(&socket->tuple.remote, &d->src)))
		return false;
	if (hv_addr_is_any(&bind->local))
		return same_family || (bind->dual && hv_addr_is_v4(&d->dst));
	return hv_addr_equal(&bind->local, &d->dst);
}

bool hv_udp_group_input(struct hv_udp *udp, struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	unsigned receivers = 0;

	if (!hv_addr_is_multicast(&d->dst) || !hv_ip_is_member(udp->ip, d->ifindex, &d->dst))
		return false;
	if (udp->filter && !hv_udp_filter_input(udp, packet))
		return true;
	for (struct hv_list *n = udp->memberships.next; n != &udp->memberships; n = n->next) {
		struct hv_udp_membership *m = hv_container(n, struct hv_udp_membership, node);
		enum hv_drop reason;

		if (m->ifindex != d->ifindex || !hv_addr_equal(&m->group, &d->dst) ||
		    !takes(m->socket, d))
			continue;
		receivers++;
		reason = hv_udp_queue(udp, m->socket, packet);
		if (reason != HV_DROP_COUNT)
			udp->core->drops[reason]++;
	}
	if (receivers)
		hv_packet_free(udp->core, packet);
	else
		hv_drop(udp->core, packet, HV_DROP_UDP_NO_SOCKET);
	return true;
}
