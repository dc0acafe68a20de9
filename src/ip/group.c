/*
 * The multicast groups that sockets have joined, on which link and how many times. Asked on the way in
 * for what is to be taken (hv_ip_scope()), and on the way out for what turns round to us besides.
 * Frames to groups (01:00:5e, 33:33) all come up to IP: the table is their filter.
 */
#include "ip/ip_state.h"

static struct hv_ip_group *find(const struct hv_ip *ip, unsigned ifindex,
				const struct hv_addr *group)
{
	for (unsigned i = 0; i < ip->group_count; i++) {
		const struct hv_ip_group *g = &ip->groups[i];

		if ((!ifindex || g->ifindex == ifindex) && hv_addr_equal(&g->addr, group))
			return (struct hv_ip_group *)g;
	}
	return NULL;
}

bool hv_ip_is_member(const struct hv_ip *ip, unsigned ifindex, const struct hv_addr *group)
{
	return find(ip, ifindex, group) != NULL;
}

int hv_ip_group_link(struct hv_ip *ip, const struct hv_addr *group, const struct hv_addr *addr)
{
	const struct hv_ip_path *path;

	if (hv_ip_is_unspecified(addr)) {
		path = hv_ip_path(ip, group);
		return path && path->link ? (int)path->link->ifindex : -ENODEV;
	}
	for (unsigned i = 0; i < ip->address_count; i++)
		if (hv_addr_equal(&ip->addresses[i].addr, addr))
			return (int)ip->addresses[i].link->ifindex;
	return -ENODEV;
}

int hv_ip_group_join(struct hv_ip *ip, unsigned ifindex, const struct hv_addr *group)
{
	struct hv_ip_group *known;

	if (!hv_addr_is_multicast(group))
		return -EINVAL;
	if (!hv_ip_link(ip, ifindex))
		return -ENODEV;
	known = find(ip, ifindex, group);
	if (known) {
		known->references++;
		return 0;
	}
	if (ip->group_count == HV_IP_MAX_GROUPS)
		return -ENOBUFS;
	ip->groups[ip->group_count++] = (struct hv_ip_group){*group, ifindex, 1};
	return 0;
}

void hv_ip_group_leave(struct hv_ip *ip, unsigned ifindex, const struct hv_addr *group)
{
	struct hv_ip_group *known = ifindex ? find(ip, ifindex, group) : NULL;

	if (known && --known->references == 0)
		*known = ip->groups[--ip->group_count];
}
