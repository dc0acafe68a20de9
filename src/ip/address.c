/*
 * Our addresses: which link has which, whether a destination is one of them, and which one to
 * send from (RFC 6724).
 */
#include "ip/ip_state.h"
#include "wire/icmp.h"

/* Bits of an address and a prefix that are equal from the left. */
static unsigned common_bits(const struct hv_addr *a, const struct hv_addr *b)
{
	for (unsigned i = 0; i < 16; i++) {
		uint8_t differ = a->b[i] ^ b->b[i];

		if (differ)
			return i * 8 + (unsigned)__builtin_clz(differ) - 24;
	}
	return 128;
}

static bool is_usable(const struct hv_addr *addr)
{
	return !hv_ip_is_unspecified(addr) && !hv_addr_is_multicast(addr) &&
	       !hv_addr_is_v4_broadcast(addr);
}

static void set_broadcast(struct hv_ip_address *a)
{
	memset(&a->broadcast, 0, sizeof(a->broadcast));
	/* RFC 3021: a /31 has no broadcast address; nor has a /32. */
	if (!a->is_v4 || a->bits >= 127)
		return;
	a->broadcast = a->addr;
	for (unsigned bit = a->bits; bit < 128; bit++)
		a->broadcast.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

static int insert(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *addr,
		  unsigned family_bits)
{
	bool is_v4 = hv_addr_is_v4(addr);
	struct hv_ip_address *a;
	int error;

	if (hv_ip_is_local(ip, addr))
		return -EADDRINUSE;
	if (ip->address_count == HV_IP_MAX_ADDRESSES)
		return -ENOSPC;
	error = hv_ip_route_add(ip, link->ifindex, addr, family_bits, NULL);
	if (error && error != -EADDRINUSE)
		return error;
	a = &ip->addresses[ip->address_count++];
	a->addr = *addr;
	a->is_v4 = is_v4;
	a->bits = (uint8_t)(is_v4 ? family_bits + 96 : family_bits);
	a->link = link;
	set_broadcast(a);
	hv_ip_paths_changed(ip);
	return 0;
}

/*
 * Every interface with IPv6 has a link-local address (RFC 4291 section 2.1); neighbour discovery
 * needs it. Made from the Ethernet address (appendix A: modified EUI-64).
 */
static int add_link_local(struct hv_ip *ip, struct haven_link *link)
{
	struct hv_addr addr = {.b = {0xfe, 0x80}};

	if (!link->ethernet || hv_ip_link_local(ip, link))
		return 0;
	memcpy(addr.b + 8, link->mac, 3);
	addr.b[8] ^= 2;
	addr.b[11] = 0xff;
	addr.b[12] = 0xfe;
	memcpy(addr.b + 13, link->mac + 3, 3);
	return insert(ip, link, &addr, 64);
}

int hv_ip_address_add(struct hv_ip *ip, unsigned ifindex, const struct hv_addr *addr,
		      unsigned prefix_bits)
{
	struct haven_link *link = hv_ip_link(ip, ifindex);
	bool is_v4 = hv_addr_is_v4(addr);
	int error;

	if (!link)
		return -ENOENT;
	if (!is_usable(addr) || prefix_bits > (is_v4 ? 32U : 128U))
		return -EINVAL;
	error = insert(ip, link, addr, prefix_bits);
	if (error || is_v4)
		return error;
	/* The address itself stands even when there is no space for one more. */
	add_link_local(ip, link);
	hv_ndp_router_start(ip);
	return 0;
}

bool hv_ip_is_local(const struct hv_ip *ip, const struct hv_addr *addr)
{
	for (unsigned i = 0; i < ip->address_count; i++)
		if (hv_addr_equal(&ip->addresses[i].addr, addr))
			return true;
	return false;
}

bool hv_ip_is_on_link(const struct hv_ip *ip, const struct haven_link *link,
		      const struct hv_addr *addr)
{
	for (unsigned i = 0; i < ip->address_count; i++)
		if (ip->addresses[i].link == link &&
		    hv_addr_equal(&ip->addresses[i].addr, addr))
			return true;
	return false;
}

/* The multicast groups that every host is in (RFC 1112 section 7.1; RFC 4291 section 2.8). */
static bool is_joined(const struct hv_ip *ip, const struct haven_link *link,
		      const struct hv_addr *group)
{
	static const uint8_t all_v4[4] = {224, 0, 0, 1};
	static const uint8_t interface_scope[14] = {0xff, 0x01}, link_scope[14] = {0xff, 0x02};

	if (hv_addr_is_v4(group))
		return memcmp(group->b + 12, all_v4, 4) == 0;
	if (memcmp(group->b, link_scope, 14) == 0 || memcmp(group->b, interface_scope, 14) == 0)
		return group->b[14] == 0 &&
		       (group->b[15] == 1 || (group->b[15] == 2 && ip->config.router));
	for (unsigned i = 0; i < ip->address_count; i++) {
		const struct hv_ip_address *a = &ip->addresses[i];
		struct hv_addr node;

		if (a->is_v4 || (link && a->link != link))
			continue;
		node = hv_nd_solicited_node(&a->addr);
		if (hv_addr_equal(&node, group))
			return true;
	}
	return false;
}

enum hv_ip_scope hv_ip_scope(const struct hv_ip *ip, const struct haven_link *link,
			     const struct hv_addr *dst)
{
	for (unsigned i = 0; i < ip->address_count; i++) {
		const struct hv_ip_address *a = &ip->addresses[i];

		if (hv_addr_equal(&a->addr, dst))
			return HV_IP_SCOPE_OURS;
		if (hv_addr_equal(&a->broadcast, dst) && !hv_ip_is_unspecified(dst))
			return a->link == link || !link ? HV_IP_SCOPE_GROUP
							: HV_IP_SCOPE_OTHER_GROUP;
	}
	if (hv_addr_is_v4_broadcast(dst))
		return HV_IP_SCOPE_GROUP;
	if (!hv_addr_is_multicast(dst))
		return HV_IP_SCOPE_ELSEWHERE;
	return is_joined(ip, link, dst) || hv_ip_is_member(ip, link ? link->ifindex : 0, dst)
		       ? HV_IP_SCOPE_GROUP
		       : HV_IP_SCOPE_OTHER_GROUP;
}

/* A link-local destination is talked to from a link-local source and others from others (RFC 6724
 * section 5, rule 2), as far as that can be had. */
static unsigned rank(const struct hv_ip_address *a, const struct hv_addr *peer)
{
	bool wants_link_local = hv_addr_is_link_local(peer) || hv_addr_is_multicast(peer);
	unsigned same_scope = hv_addr_is_link_local(&a->addr) == wants_link_local;
	unsigned common = common_bits(&a->addr, peer);

	/* Rule 8: the longest common prefix, which counts only within our own network's. */
	return 1 + same_scope * 256 + (common < a->bits ? common : a->bits);
}

const struct hv_ip_address *hv_ip_link_source(const struct hv_ip *ip,
					      const struct haven_link *link,
					      const struct hv_addr *peer)
{
	const struct hv_ip_address *best = NULL;
	bool is_v4 = hv_addr_is_v4(peer);
	unsigned best_rank = 0;

	for (unsigned i = 0; i < ip->address_count; i++) {
		const struct hv_ip_address *a = &ip->addresses[i];
		unsigned r;

		if (a->is_v4 != is_v4 || (link && a->link != link))
			continue;
		r = rank(a, peer);
		if (r > best_rank) {
			best = a;
			best_rank = r;
		}
	}
	return best;
}

const struct hv_ip_address *hv_ip_link_local(const struct hv_ip *ip,
					     const struct haven_link *link)
{
	for (unsigned i = 0; i < ip->address_count; i++) {
		const struct hv_ip_address *a = &ip->addresses[i];

		if (a->link == link && !a->is_v4 && hv_addr_is_link_local(&a->addr))
			return a;
	}
	return NULL;
}

int hv_ip_source(const struct hv_ip *ip, const struct hv_addr *dst, struct hv_addr *src)
{
	/* The cache of paths is no part of what a caller can see. */
	struct hv_ip_path *path = hv_ip_path((struct hv_ip *)ip, dst);
	const struct hv_ip_address *a;

	if (!path)
		return -ENETUNREACH;
	if (!path->link) { /* rule 1: our own */
		*src = *dst;
		return 0;
	}
	a = hv_ip_link_source(ip, path->link, dst);
	if (!a) /* a link without an address of the family: any other of ours */
		a = hv_ip_link_source(ip, NULL, dst);
	if (!a)
		return -EADDRNOTAVAIL;
	*src = a->addr;
	return 0;
}
