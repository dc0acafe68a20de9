/*
 * Options of multicast, for datagram sockets: groups joined and left, and what goes with datagrams to
 * groups (RFC 1112, RFC 3493 section 5.2).
 */
#include "socket/socket_state.h"

#include <netinet/in.h>

/*
 * struct ip_mreq or ip_mreqn: the link by its index, else by an address of it, else by route; to leave
 * without either, 0: whichever it joined on.
 */
static int request_v4(struct haven_socket *socket, bool join, const void *value,
		      socklen_t length, struct hv_addr *group)
{
	struct ip_mreqn request = {.imr_ifindex = 0};
	struct hv_addr interface;

	if (length < (socklen_t)sizeof(struct ip_mreq))
		return -EINVAL;
	memcpy(&request, value,
	       length < (socklen_t)sizeof(request) ? sizeof(struct ip_mreq) : sizeof(request));
	*group = hv_addr_v4((const uint8_t *)&request.imr_multiaddr);
	interface = hv_addr_v4((const uint8_t *)&request.imr_address);
	if (!hv_addr_is_multicast(group) || request.imr_ifindex < 0)
		return -EINVAL;
	if (request.imr_ifindex || (!join && hv_addr_is_any(&interface)))
		return request.imr_ifindex;
	return hv_ip_group_link(socket->sockets->ip, group, &interface);
}

static int request_v6(struct haven_socket *socket, bool join, const void *value,
		      socklen_t length, struct hv_addr *group)
{
	static const struct hv_addr any;
	struct ipv6_mreq request;

	if (!socket->v6)
		return -ENOPROTOOPT;
	if (length < (socklen_t)sizeof(request))
		return -EINVAL;
	memcpy(&request, value, sizeof(request));
	*group = hv_addr_v6(request.ipv6mr_multiaddr.s6_addr);
	if (!hv_addr_is_multicast(group) || hv_addr_is_v4(group) ||
	    request.ipv6mr_interface > INT32_MAX)
		return -EINVAL;
	if (request.ipv6mr_interface || !join)
		return (int)request.ipv6mr_interface;
	return hv_ip_group_link(socket->sockets->ip, group, &any);
}

static int change(struct haven_socket *socket, bool v6, bool join, const void *value,
		  socklen_t length)
{
	struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;
	struct hv_addr group;
	int link = v6 ? request_v6(socket, join, value, length, &group)
		      : request_v4(socket, join, value, length, &group);

	if (link < 0)
		return link;
	if (join)
		return hv_udp_join(socket->sockets->udp, udp, (unsigned)link, &group);
	return hv_udp_leave(socket->sockets->udp, udp, (unsigned)link, &group);
}

/* IPv4's take a char as well as an int. */
static int number_in(bool v6, const void *value, socklen_t length, int *number)
{
	if (length >= (socklen_t)sizeof(*number))
		memcpy(number, value, sizeof(*number));
	else if (!v6 && length >= 1)
		*number = *(const uint8_t *)value;
	else
		return -EINVAL;
	return 0;
}

static int number_set(struct haven_socket *socket, bool v6, bool hops, const void *value,
		      socklen_t length)
{
	struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;
	int number, error = number_in(v6, value, length, &number);

	if (error < 0)
		return error;
	if (!hops) {
		udp->group_loop = number;
		return 0;
	}
	if (number == -1) /* the default */
		number = 1;
	if (number < 1 || number > 255)
		return -EINVAL;
	udp->group_hops = (uint8_t)number;
	return 0;
}

int hv_group_option_set(struct haven_socket *socket, int level, int option, const void *value,
			socklen_t length)
{
	bool v6 = level == IPPROTO_IPV6;

	if (socket->stream || (level != IPPROTO_IP && !v6))
		return 1;
	if (option == (v6 ? IPV6_JOIN_GROUP : IP_ADD_MEMBERSHIP))
		return value ? change(socket, v6, true, value, length) : -EINVAL;
	if (option == (v6 ? IPV6_LEAVE_GROUP : IP_DROP_MEMBERSHIP))
		return value ? change(socket, v6, false, value, length) : -EINVAL;
	if (option == (v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL))
		return value ? number_set(socket, v6, true, value, length) : -EINVAL;
	if (option == (v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP))
		return value ? number_set(socket, v6, false, value, length) : -EINVAL;
	return 1;
}

bool hv_group_option_get(const struct haven_socket *socket, int level, int option, int *value)
{
	const struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;
	bool v6 = level == IPPROTO_IPV6;

	if (socket->stream || (level != IPPROTO_IP && !v6))
		return false;
	if (option == (v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL))
		*value = udp->group_hops;
	else if (option == (v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP))
		*value = udp->group_loop;
	else
		return false;
	return true;
}
