/*
 * Neighbour discovery (RFC 4861): answers who asks for an address of ours, and asks for others. Its
 * messages come from icmp6.c; what is learned goes to the neighbour table. The router's part is
 * in ndp_router.c.
 */
#include <netinet/in.h>

#include "ip/ip_state.h"
#include "wire/icmp.h"

enum { ND_HOP_LIMIT = 255 }; /* a packet that no router has passed on: section 7.1.1 */

static int send_message(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *src,
			const struct hv_addr *dst, struct hv_packet *packet)
{
	struct hv_ip_tx tx = {.src = *src,
			      .dst = *dst,
			      .proto = IPPROTO_ICMPV6,
			      .hop_limit = ND_HOP_LIMIT};

	hv_wire_icmp6_finish(packet->data, packet->len, src, dst);
	return hv_ip_output_link(ip, link, &tx, packet);
}

static struct hv_packet *new_message(struct hv_ip *ip)
{
	struct hv_packet *packet =
		hv_packet_new(ip->core, HV_PACKET_HEADROOM,
			      HV_ND_NEIGHBOUR_SIZE + HV_ND_LINK_ADDRESS_SIZE);

	if (!packet)
		ip->core->drops[HV_DROP_NO_MEMORY]++;
	return packet;
}

void hv_ndp_solicit(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *target,
		    bool unicast)
{
	const struct hv_ip_address *source = hv_ip_link_local(ip, link);
	struct hv_addr dst = unicast ? *target : hv_nd_solicited_node(target);
	struct hv_packet *packet;

	if (!source)
		source = hv_ip_link_source(ip, link, target);
	if (!source) /* an answer could not come back */
		return;
	packet = new_message(ip);
	if (!packet)
		return;
	hv_packet_append(packet, hv_wire_nd_solicit_write(packet->data, target, link->mac));
	send_message(ip, link, &source->addr, &dst, packet);
}

static void advertise(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *target,
		      const struct hv_addr *to)
{
	struct hv_addr all_nodes = {.b = {0xff, 0x02, [15] = 1}};
	uint8_t flags = HV_ND_OVERRIDE;
	struct hv_packet *packet = new_message(ip);

	if (!packet)
		return;
	if (ip->config.router)
		flags |= HV_ND_ROUTER;
	if (hv_ip_is_unspecified(to)) /* someone checks for a duplicate: section 7.2.4 */
		to = &all_nodes;
	else
		flags |= HV_ND_SOLICITED;
	hv_packet_append(packet,
			 hv_wire_nd_advert_write(packet->data, flags, target, link->mac));
	send_message(ip, link, target, to, packet);
}

/* Section 7.1.1. False: invalid. */
static bool solicit_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	bool unspecified = hv_ip_is_unspecified(&d->src);
	struct hv_addr target, group;
	const uint8_t *mac;

	if (d->payload_len < HV_ND_NEIGHBOUR_SIZE ||
	    !hv_wire_nd_link_address(d->l4 + HV_ND_NEIGHBOUR_SIZE,
				     d->payload_len - HV_ND_NEIGHBOUR_SIZE, HV_ND_OPTION_SOURCE,
				     &mac))
		return false;
	target = hv_addr_v6(hv_nd_target(d->l4));
	group = hv_nd_solicited_node(&target);
	if (hv_addr_is_multicast(&target) ||
	    (unspecified && (mac || !hv_addr_equal(&d->dst, &group))))
		return false;
	if (!hv_ip_is_on_link(ip, link, &target))
		return true; /* for another host, also when packets for any address are taken */
	if (mac && !hv_eth_is_group(mac))
		hv_neighbour_learn(ip, link, &d->src, mac, true);
	advertise(ip, link, &target, &d->src);
	return true;
}

/* Section 7.1.2. False: invalid. */
static bool advert_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	struct hv_neighbour *n;
	struct hv_addr target;
	const uint8_t *mac;
	uint8_t flags;

	if (d->payload_len < HV_ND_NEIGHBOUR_SIZE ||
	    !hv_wire_nd_link_address(d->l4 + HV_ND_NEIGHBOUR_SIZE,
				     d->payload_len - HV_ND_NEIGHBOUR_SIZE, HV_ND_OPTION_TARGET,
				     &mac))
		return false;
	target = hv_addr_v6(hv_nd_target(d->l4));
	flags = hv_nd_flags(d->l4);
	if (hv_addr_is_multicast(&target) || (mac && hv_eth_is_group(mac)) ||
	    (hv_addr_is_multicast(&d->dst) && (flags & HV_ND_SOLICITED)))
		return false;
	n = hv_neighbour_find(ip, link, &target);
	if (n)
		hv_neighbour_answer(n, mac, flags & HV_ND_SOLICITED, flags & HV_ND_OVERRIDE);
	return true;
}

void hv_ndp_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet)
{
	bool valid = false;

	if (packet->d.hop_limit == ND_HOP_LIMIT && hv_icmp_code(packet->d.l4) == 0 && link) {
		switch (hv_icmp_type(packet->d.l4)) {
		case HV_ND_NEIGHBOUR_SOLICIT:
			valid = solicit_input(ip, link, packet);
			break;
		case HV_ND_NEIGHBOUR_ADVERT:
			valid = advert_input(ip, link, packet);
			break;
		case HV_ND_ROUTER_SOLICIT:
			hv_ndp_router_solicit_input(ip, link, packet);
			return;
		default:
			/* Addresses and routes are what the program that owns the stack sets:
			 * advertisements and redirects of others change nothing. */
			hv_drop(ip->core, packet, HV_DROP_ICMP_IGNORED);
			return;
		}
	}
	if (valid)
		hv_packet_free(ip->core, packet);
	else
		hv_drop(ip->core, packet, HV_DROP_ND_INVALID);
}
