/*
 * The way out: a transport's segment gets its IP header and goes to the neighbour or the link.
 * A packet with a segment size (gso_size) passes whole, up to 64 KiB: the link cuts it.
 */
#include <netinet/in.h>

#include "ip/ip_state.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

static int refuse(struct hv_ip *ip, struct hv_packet *packet, enum hv_drop reason, int error)
{
	hv_drop(ip->core, packet, reason);
	return error;
}

void hv_ip_push_header(struct hv_ip *ip, const struct hv_ip_tx *tx, struct hv_packet *packet)
{
	uint32_t size = hv_packet_size(packet);
	uint8_t hop_limit = tx->hop_limit ? tx->hop_limit : ip->config.hop_limit;

	packet->d.l4 = packet->data;
	if (hv_addr_is_v4(&tx->dst)) {
		/* The identification of a packet that is no fragment means nothing (RFC 6864
		 * section 4.1); where DF is not set, a router may still cut it: fragment.c. */
		struct hv_ipv4_header header = {
			.src = tx->src,
			.dst = tx->dst,
			.total_length = (uint16_t)(size + HV_IPV4_HEADER),
			.dont_fragment = tx->dont_fragment,
			.id = tx->dont_fragment ? 0 : (uint16_t)hv_ip_fragment_id(ip, tx),
			.ttl = hop_limit,
			.protocol = tx->proto,
			.traffic_class = tx->traffic_class,
		};

		hv_wire_ipv4_write(hv_packet_push(packet, HV_IPV4_HEADER), &header);
	} else {
		struct hv_ipv6_header header = {
			.src = tx->src,
			.dst = tx->dst,
			.payload_length = (uint16_t)size,
			.next_header = tx->proto,
			.hop_limit = hop_limit,
			.traffic_class = tx->traffic_class,
		};

		hv_wire_ipv6_write(hv_packet_push(packet, HV_IPV6_HEADER), &header);
	}
	packet->d.l3 = packet->data;
}

/* Broadcast and multicast have an Ethernet address of their own. */
static int transmit_group(struct hv_ip_path *path, const uint8_t *mac, struct hv_packet *packet)
{
	uint16_t type = hv_addr_is_v4(&path->dst) ? HV_ETHERTYPE_IPV4 : HV_ETHERTYPE_IPV6;

	hv_eth_write(hv_packet_push(packet, HV_ETH_HEADER), mac, path->link->mac, type);
	return hv_link_output(path->link, packet);
}

/* A directed broadcast of one of the link's networks. */
static bool is_directed_broadcast(const struct hv_ip *ip, const struct hv_ip_path *path)
{
	return hv_addr_is_v4(&path->dst) &&
	       hv_ip_scope(ip, path->link, &path->dst) == HV_IP_SCOPE_GROUP;
}

static int find_neighbour(struct hv_ip *ip, struct hv_ip_path *path, struct hv_packet *packet)
{
	static const uint8_t broadcast[HV_ETH_ADDR] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t mac[HV_ETH_ADDR];

	if (hv_eth_group_address(&path->dst, mac))
		return transmit_group(path, mac, packet);
	if (is_directed_broadcast(ip, path))
		return transmit_group(path, broadcast, packet);
	path->neighbour = hv_neighbour_get(ip, path->link, &path->next_hop);
	if (!path->neighbour)
		return refuse(ip, packet, HV_DROP_NO_MEMORY, -ENOMEM);
	return hv_neighbour_output(path->neighbour, packet);
}

/* ifindex: the link on which a group's members are meant. */
static int loop_output(struct hv_ip *ip, struct hv_packet *packet, unsigned ifindex)
{
	packet->d.ifindex = ifindex;
	return hv_ip_loop_output(ip, packet);
}

/* The copy for members of the group here (RFC 1112 section 6.1). */
static void loop_copy(struct hv_ip *ip, const struct hv_ip_path *path,
		      const struct hv_ip_tx *tx, const struct hv_packet *packet)
{
	struct hv_packet *copy;

	if (!path->link || !hv_ip_is_member(ip, path->link->ifindex, &tx->dst))
		return;
	copy = hv_packet_copy(ip->core, packet);
	if (!copy) {
		ip->core->drops[HV_DROP_NO_MEMORY]++;
		return;
	}
	hv_ip_push_header(ip, tx, copy);
	loop_output(ip, copy, path->link->ifindex);
}

int hv_ip_transmit(struct hv_ip *ip, struct hv_ip_path *path, struct hv_packet *packet)
{
	ip->packets_out++;
	if (path->neighbour)
		return hv_neighbour_output(path->neighbour, packet);
	if (!path->link)
		return loop_output(ip, packet, 0);
	if (!path->link->ethernet)
		return hv_link_output(path->link, packet);
	return find_neighbour(ip, path, packet);
}

static int output(struct hv_ip *ip, struct hv_ip_path *path, const struct hv_ip_tx *tx,
		  struct hv_packet *packet)
{
	bool is_v4 = hv_addr_is_v4(&tx->dst);
	uint32_t payload = hv_packet_size(packet);
	/* The length fields have 16 bits: IPv6 counts without its header (RFC 8200 section 3). */
	uint32_t limit = is_v4 ? UINT16_MAX - HV_IPV4_HEADER : UINT16_MAX;
	uint32_t header = is_v4 ? HV_IPV4_HEADER : HV_IPV6_HEADER;
	uint32_t piece = packet->gso_size ? packet->gso_size : payload;

	if (payload > limit || (packet->gso_size && header + piece > path->mtu))
		return refuse(ip, packet, HV_DROP_IP_TOO_BIG, -EMSGSIZE);
	if (tx->loop && hv_addr_is_multicast(&tx->dst))
		loop_copy(ip, path, tx, packet);
	if (header + piece > path->mtu) {
		/* TCP makes segments that fit (RFC 9293 section 3.7.1), so that none is cut. */
		if (tx->dont_fragment || tx->proto == IPPROTO_TCP)
			return refuse(ip, packet, HV_DROP_IP_TOO_BIG, -EMSGSIZE);
		return hv_ip_fragment_output(ip, path, tx, packet);
	}
	hv_ip_push_header(ip, tx, packet);
	return hv_ip_transmit(ip, path, packet);
}

int hv_ip_output(struct hv_ip *ip, const struct hv_ip_tx *tx, struct hv_packet *packet)
{
	struct hv_ip_path *path = hv_ip_path(ip, &tx->dst);

	if (!path)
		return refuse(ip, packet, HV_DROP_IP_NO_ROUTE, -ENETUNREACH);
	return output(ip, path, tx, packet);
}

int hv_ip_output_link(struct hv_ip *ip, struct haven_link *link, const struct hv_ip_tx *tx,
		      struct hv_packet *packet)
{
	struct hv_ip_path path = {.dst = tx->dst,
				  .next_hop = tx->dst,
				  .link = link,
				  .mtu = link->mtu};

	return output(ip, &path, tx, packet);
}
