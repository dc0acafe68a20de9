/*
 * Routes: which link and next hop lead to a destination, longest prefix first, and the cache of
 * the ways in use. Asked by ip_output.c for each packet.
 */
#include <assert.h>

#include "ip/ip_state.h"

static struct hv_addr mask_of(unsigned bits)
{
	struct hv_addr mask;

	for (unsigned i = 0; i < 16; i++) {
		unsigned left = bits > i * 8 ? bits - i * 8 : 0;

		mask.b[i] = left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);
	}
	return mask;
}

static bool matches(const struct hv_ip_route *route, const struct hv_addr *dst)
{
	return ((dst->u64[0] ^ route->dst.u64[0]) & route->mask.u64[0]) == 0 &&
	       ((dst->u64[1] ^ route->dst.u64[1]) & route->mask.u64[1]) == 0;
}

/* Where a route of this length goes in: after those that are as long, so that the first one added
 * wins. -EADDRINUSE: the same one is there. */
static int position(const struct hv_ip *ip, const struct hv_ip_route *route)
{
	int at = 0;

	while (at < (int)ip->route_count && ip->routes[at].bits >= route->bits) {
		const struct hv_ip_route *r = &ip->routes[at];

		if (r->bits == route->bits && hv_addr_equal(&r->dst, &route->dst) &&
		    r->is_v4 == route->is_v4 && r->link == route->link &&
		    r->has_gateway == route->has_gateway &&
		    (!r->has_gateway || hv_addr_equal(&r->gateway, &route->gateway)))
			return -EADDRINUSE;
		at++;
	}
	return at;
}

int hv_ip_route_add(struct hv_ip *ip, unsigned ifindex, const struct hv_addr *dst,
		    unsigned prefix_bits, const struct hv_addr *gateway)
{
	struct hv_ip_route route = {.link = hv_ip_link(ip, ifindex)};
	int at;

	if (!route.link)
		return -ENOENT;
	route.is_v4 = hv_addr_is_v4(dst);
	if (prefix_bits > (route.is_v4 ? 32U : 128U))
		return -EINVAL;
	if (gateway && (hv_addr_is_v4(gateway) != route.is_v4 ||
			hv_ip_is_unspecified(gateway) || hv_addr_is_multicast(gateway)))
		return -EINVAL;
	route.bits = (uint8_t)(route.is_v4 ? prefix_bits + 96 : prefix_bits);
	route.mask = mask_of(route.bits);
	route.dst.u64[0] = dst->u64[0] & route.mask.u64[0];
	route.dst.u64[1] = dst->u64[1] & route.mask.u64[1];
	if (gateway) {
		route.has_gateway = true;
		route.gateway = *gateway;
	}
	at = position(ip, &route);
	if (at < 0)
		return at;
	if (ip->route_count == HV_IP_MAX_ROUTES)
		return -ENOSPC;
	memmove(&ip->routes[at + 1], &ip->routes[at],
		(ip->route_count - (unsigned)at) * sizeof(route));
	ip->routes[at] = route;
	ip->route_count++;
	hv_ip_paths_changed(ip);
	return 0;
}

void hv_ip_paths_changed(struct hv_ip *ip)
{
	if (++ip->generation == 0) {
		/* Once in 2^32 changes: no slot may look good again by chance. */
		memset(ip->paths, 0, sizeof(ip->paths));
		ip->generation = 1;
	}
}

static const struct hv_ip_route *lookup(const struct hv_ip *ip, const struct hv_addr *dst)
{
	bool is_v4 = hv_addr_is_v4(dst);

	for (unsigned i = 0; i < ip->route_count; i++)
		if (ip->routes[i].is_v4 == is_v4 && matches(&ip->routes[i], dst))
			return &ip->routes[i];
	return NULL;
}

/* Broadcast and link-scoped multicast need no route: the first link that has the family. */
static struct haven_link *group_link(const struct hv_ip *ip, const struct hv_addr *dst)
{
	bool is_v4 = hv_addr_is_v4(dst);

	for (unsigned i = 0; i < ip->address_count; i++)
		if (ip->addresses[i].is_v4 == is_v4)
			return ip->addresses[i].link;
	return NULL;
}

static bool make_path(struct hv_ip *ip, struct hv_ip_path *path, const struct hv_addr *dst)
{
	const struct hv_ip_route *route;
	uint32_t known;

	*path = (struct hv_ip_path){.dst = *dst, .next_hop = *dst, .until_ns = UINT64_MAX};
	if (hv_ip_is_local(ip, dst)) {
		path->mtu = UINT16_MAX;
		return true;
	}
	if (hv_ip_is_unspecified(dst) || hv_addr_is_loopback(dst))
		return false;
	route = lookup(ip, dst);
	if (route)
		path->link = route->link;
	else if (hv_addr_is_v4_broadcast(dst) || hv_addr_is_multicast(dst))
		path->link = group_link(ip, dst);
	if (!path->link)
		return false;
	if (route && route->has_gateway && !hv_addr_is_multicast(dst) &&
	    !hv_addr_is_v4_broadcast(dst))
		path->next_hop = route->gateway;
	path->mtu = path->link->mtu;
	known = hv_path_mtu_find(ip, dst, &path->until_ns);
	if (known && known < path->mtu)
		path->mtu = known;
	return true;
}

struct hv_ip_path *hv_ip_path(struct hv_ip *ip, const struct hv_addr *dst)
{
	uint32_t mixed = dst->u32[3] ^ dst->u32[2] ^ dst->u32[1] ^ dst->u32[0];
	struct hv_ip_path *path = &ip->paths[mixed * 2654435761U >> 28];

	static_assert(HV_IP_PATHS == 16, "the slot is four bits of the product");
	if (path->generation == ip->generation && hv_addr_equal(&path->dst, dst) &&
	    ip->core->now_ns < path->until_ns)
		return path;
	if (!make_path(ip, path, dst)) {
		path->generation = 0;
		return NULL;
	}
	path->generation = ip->generation;
	return path;
}

uint32_t hv_ip_mtu(const struct hv_ip *ip, const struct hv_addr *dst)
{
	struct hv_ip_path *path = hv_ip_path((struct hv_ip *)ip, dst);

	return path ? path->mtu : 0;
}

bool hv_ip_is_busy(const struct hv_ip *ip, const struct hv_addr *dst)
{
	struct hv_ip_path *path = hv_ip_path((struct hv_ip *)ip, dst);

	return path && path->link && hv_link_is_busy(path->link);
}

void hv_ip_suspect(struct hv_ip *ip, const struct hv_addr *dst)
{
	struct hv_ip_path *path = hv_ip_path(ip, dst);
	struct hv_neighbour *neighbour =
		path && path->link ? hv_neighbour_find(ip, path->link, &path->next_hop) : NULL;

	if (neighbour)
		hv_neighbour_suspect(neighbour);
}
