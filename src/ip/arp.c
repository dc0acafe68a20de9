/*
 * ARP (RFC 826): answers who asks for an address of ours, and asks for others. Frames of
 * ethertype 0806 come here from ip_input.c; what is learned goes to the neighbour table.
 */
#include "ip/ip_state.h"
#include "wire/arp.h"

static void send_message(struct hv_ip *ip, struct haven_link *link, const uint8_t *to,
			 const struct hv_arp *arp)
{
	struct hv_packet *packet = hv_packet_new(ip->core, HV_PACKET_HEADROOM, HV_ARP_SIZE);

	if (!packet) {
		ip->core->drops[HV_DROP_NO_MEMORY]++;
		return;
	}
	hv_wire_arp_write(hv_packet_append(packet, HV_ARP_SIZE), arp);
	hv_eth_write(hv_packet_push(packet, HV_ETH_HEADER), to, link->mac, HV_ETHERTYPE_ARP);
	hv_link_output(link, packet);
}

void hv_arp_solicit(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *target,
		    const uint8_t *mac)
{
	static const uint8_t broadcast[HV_ETH_ADDR] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t none[4];
	const struct hv_ip_address *source = hv_ip_link_source(ip, link, target);
	struct hv_arp arp = {.operation = HV_ARP_REQUEST, .target = *target};

	memcpy(arp.sender_mac, link->mac, HV_ETH_ADDR);
	/* A link without an address can still ask, as a probe does (RFC 5227 section 2.1.1). */
	arp.sender = source ? source->addr : hv_addr_v4(none);
	if (mac)
		memcpy(arp.target_mac, mac, HV_ETH_ADDR);
	send_message(ip, link, mac ? mac : broadcast, &arp);
}

static void answer(struct hv_ip *ip, struct haven_link *link, const struct hv_arp *request)
{
	struct hv_arp arp = {.operation = HV_ARP_REPLY,
			     .sender = request->target,
			     .target = request->sender};

	memcpy(arp.sender_mac, link->mac, HV_ETH_ADDR);
	memcpy(arp.target_mac, request->sender_mac, HV_ETH_ADDR);
	send_message(ip, link, request->sender_mac, &arp);
}

static void reply_input(struct hv_ip *ip, struct haven_link *link, const struct hv_arp *arp)
{
	struct hv_neighbour *n = hv_neighbour_find(ip, link, &arp->sender);

	if (!n)
		return;
	/* Only an answer that we are waiting for says that the neighbour hears us. */
	hv_neighbour_answer(n, arp->sender_mac,
			    hv_ip_is_on_link(ip, link, &arp->target) &&
				    n->state != HV_NEIGHBOUR_STALE &&
				    n->state != HV_NEIGHBOUR_REACHABLE,
			    true);
}

void hv_arp_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet)
{
	struct hv_arp arp;
	bool for_us;

	if (!hv_wire_arp_parse(packet->data + HV_ETH_HEADER, packet->len - HV_ETH_HEADER,
			       &arp) ||
	    hv_addr_is_multicast(&arp.sender) || hv_addr_is_loopback(&arp.sender) ||
	    hv_addr_is_v4_broadcast(&arp.sender) || hv_ip_is_local(ip, &arp.sender)) {
		hv_drop(ip->core, packet, HV_DROP_ARP_INVALID);
		return;
	}
	for_us = hv_ip_is_on_link(ip, link, &arp.target);
	if (arp.operation == HV_ARP_REPLY) {
		reply_input(ip, link, &arp);
	} else {
		/* Merge first, answer then (RFC 826, "Packet Reception"). A probe has no sender
		 * address (RFC 5227): there is nothing to learn from it. */
		if (!hv_ip_is_unspecified(&arp.sender))
			hv_neighbour_learn(ip, link, &arp.sender, arp.sender_mac, for_us);
		if (for_us)
			answer(ip, link, &arp);
	}
	hv_packet_free(ip->core, packet);
}
