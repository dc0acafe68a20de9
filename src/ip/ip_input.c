/*
 * The way in, first step: frames from a link. Tells ARP, IPv4 and IPv6 apart and turns away what is
 * for other stations.
 */
#include "ip/ip_state.h"

static void ethernet_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet)
{
	const uint8_t *frame = packet->data;

	if (packet->len < HV_ETH_HEADER) {
		hv_drop(ip->core, packet, HV_DROP_LINK_SHORT);
		return;
	}
	/* Groups are looked at by their IP address, which says more. */
	if (hv_eth_is_group(hv_eth_dst(frame))) {
		packet->d.link_broadcast = true;
	} else if (!hv_eth_equal(hv_eth_dst(frame), link->mac)) {
		hv_drop(ip->core, packet, HV_DROP_LINK_OTHER_HOST);
		return;
	}
	switch (hv_eth_type(frame)) {
	case HV_ETHERTYPE_IPV4:
		ip->packets_in++;
		hv_ipv4_input(ip, link, packet, HV_ETH_HEADER);
		return;
	case HV_ETHERTYPE_IPV6:
		ip->packets_in++;
		hv_ipv6_input(ip, link, packet, HV_ETH_HEADER);
		return;
	case HV_ETHERTYPE_ARP:
		hv_arp_input(ip, link, packet);
		return;
	default:
		hv_drop(ip->core, packet, HV_DROP_LINK_ETHERTYPE);
	}
}

void hv_ip_input(void *ctx, struct haven_link *link, struct hv_packet *packet)
{
	struct hv_ip *ip = ctx;

	packet->d.ifindex = link->ifindex;
	packet->d.link_broadcast = false;
	if (link->ethernet) {
		ethernet_input(ip, link, packet);
		return;
	}
	if (packet->len == 0) {
		hv_drop(ip->core, packet, HV_DROP_LINK_SHORT);
		return;
	}
	ip->packets_in++;
	if (packet->data[0] >> 4 == 4)
		hv_ipv4_input(ip, link, packet, 0);
	else /* which checks the version */
		hv_ipv6_input(ip, link, packet, 0);
}
