/*
 * IPv4 on the way in (RFC 791, RFC 1122 section 3.2.1): header, options, addresses, hop limit,
 * fragments; then the transport or ICMP.
 */
#include <netinet/in.h>

#include "ip/ip_state.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

/* RFC 1122 section 3.2.1.3: addresses that no packet from a link may come from. */
static bool is_bad_source(const struct hv_ip *ip, const struct haven_link *link,
			  const struct hv_desc *d)
{
	const uint8_t *src = d->src.b + 12;

	if (hv_addr_is_multicast(&d->src) || hv_addr_is_v4_broadcast(&d->src))
		return true;
	if (!link) /* from ourselves */
		return false;
	if (src[0] == 127 || d->dst.b[12] == 127)
		return true;
	/* 0.0.0.0: who has no address yet and asks everybody for one (DHCP). */
	if (src[0] == 0)
		return !hv_ip_is_unspecified(&d->src) || d->proto != IPPROTO_UDP ||
		       !d->link_broadcast;
	for (unsigned i = 0; i < ip->address_count; i++)
		if (hv_addr_equal(&ip->addresses[i].addr, &d->src) ||
		    hv_addr_equal(&ip->addresses[i].broadcast, &d->src))
			return true;
	return false;
}

/* Whether to go on. HV_DROP_COUNT, or why not. */
static enum hv_drop check_destination(struct hv_ip *ip, struct haven_link *link,
				      struct hv_packet *packet)
{
	struct hv_desc *d = &packet->d;
	enum hv_ip_scope scope = hv_ip_scope(ip, link, &d->dst);

	switch (scope) {
	case HV_IP_SCOPE_GROUP:
		d->link_broadcast = true;
		return HV_DROP_COUNT;
	case HV_IP_SCOPE_OTHER_GROUP:
		return HV_DROP_LINK_OTHER_HOST;
	case HV_IP_SCOPE_OURS:
		/* A frame to everybody does not carry a packet for one (RFC 1122 section 3.3.6). */
		return d->link_broadcast ? HV_DROP_IP_NOT_LOCAL : HV_DROP_COUNT;
	case HV_IP_SCOPE_ELSEWHERE:
		break;
	}
	if (!ip->config.accept_any_address || d->link_broadcast ||
	    hv_ip_is_unspecified(&d->dst))
		return HV_DROP_IP_NOT_LOCAL;
	if (ip->config.router && d->hop_limit <= 1)
		return HV_DROP_IP_HOP_LIMIT;
	return HV_DROP_COUNT;
}

static void describe(struct hv_packet *packet, const struct hv_ipv4_header *header, uint32_t l3)
{
	struct hv_desc *d = &packet->d;

	packet->len = l3 + header->total_length; /* the rest is padding of the link */
	d->src = header->src;
	d->dst = header->dst;
	d->l3 = packet->data + l3;
	d->l4 = d->payload = d->l3 + header->header_length;
	d->payload_len = header->total_length - header->header_length;
	d->proto = header->protocol;
	d->hop_limit = header->ttl;
	d->traffic_class = header->traffic_class;
	d->dont_fragment = header->dont_fragment;
}

static void deliver(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet)
{
	static const struct hv_icmp_message unknown = {.type = HV_ICMP4_UNREACHABLE,
						       .code = HV_ICMP4_PROTOCOL};

	if (packet->d.proto == IPPROTO_ICMP) {
		hv_icmp4_input(ip, link, packet);
		return;
	}
	if (hv_ip_transport_input(ip, packet))
		return;
	hv_icmp_error_about(ip, packet, &unknown, NULL, false); /* RFC 1122 section 3.2.2.1 */
	hv_drop(ip->core, packet, HV_DROP_IP_PROTOCOL);
}

static void hop_limit_reached(struct hv_ip *ip, struct hv_packet *packet, bool first)
{
	static const struct hv_icmp_message exceeded = {.type = HV_ICMP4_TIME_EXCEEDED,
							.code = HV_ICMP_EXCEEDED_TRANSIT};

	if (first)
		hv_icmp_error_about(ip, packet, &exceeded, NULL, false);
	hv_drop(ip->core, packet, HV_DROP_IP_HOP_LIMIT);
}

void hv_ipv4_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet,
		   uint32_t l3)
{
	struct hv_ipv4_header header;
	enum hv_drop reason;

	reason = (enum hv_drop)hv_wire_ipv4_parse(packet->data + l3, packet->len - l3, true,
						  &header);
	if (reason == HV_DROP_COUNT && header.header_length > HV_IPV4_HEADER)
		reason = (enum hv_drop)hv_wire_ipv4_options(packet->data + l3,
							    header.header_length);
	if (reason != HV_DROP_COUNT) {
		hv_drop(ip->core, packet, reason);
		return;
	}
	describe(packet, &header, l3);
	if (is_bad_source(ip, link, &packet->d))
		reason = HV_DROP_IP_SOURCE;
	else
		reason = check_destination(ip, link, packet);
	if (reason == HV_DROP_IP_HOP_LIMIT) {
		hop_limit_reached(ip, packet, header.fragment_offset == 0);
		return;
	}
	if (reason != HV_DROP_COUNT) {
		hv_drop(ip->core, packet, reason);
		return;
	}
	if (hv_ipv4_is_fragment(&header)) {
		struct hv_fragment fragment = {.id = header.id,
					       .l2_len = l3,
					       .header_len = header.header_length,
					       .offset = header.fragment_offset,
					       .len = packet->d.payload_len,
					       .more = header.more_fragments,
					       .proto = header.protocol};

		packet = hv_reassembly_input(ip, packet, &fragment);
		if (!packet)
			return;
	}
	deliver(ip, link, packet);
}
