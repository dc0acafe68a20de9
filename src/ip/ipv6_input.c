/*
 * IPv6 on the way in (RFC 8200): header, addresses, hop limit, extension headers, fragments;
 * then the transport or ICMPv6.
 */
#include <netinet/in.h>

#include "ip/ip_state.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

/* RFC 4291 sections 2.5.2, 2.5.3 and 2.7. */
static bool is_bad_source(const struct hv_ip *ip, const struct haven_link *link,
			  const struct hv_desc *d)
{
	if (hv_addr_is_multicast(&d->src))
		return true;
	if (!link) /* from ourselves */
		return false;
	if (hv_addr_is_loopback(&d->src) || hv_addr_is_loopback(&d->dst))
		return true;
	/* ::, who has no address yet: only to groups, and only ICMPv6 (upper_input()). */
	if (hv_ip_is_unspecified(&d->src))
		return !hv_addr_is_multicast(&d->dst);
	return hv_ip_is_local(ip, &d->src);
}

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
		return HV_DROP_COUNT;
	case HV_IP_SCOPE_ELSEWHERE:
		break;
	}
	/* Link-local addresses do not go beyond the link (RFC 4291 section 2.5.6). */
	if (!ip->config.accept_any_address || d->link_broadcast ||
	    hv_ip_is_unspecified(&d->dst) || hv_addr_is_link_local(&d->dst))
		return HV_DROP_IP_NOT_LOCAL;
	if (ip->config.router && d->hop_limit <= 1)
		return HV_DROP_IP_HOP_LIMIT;
	return HV_DROP_COUNT;
}

static void describe(struct hv_packet *packet, const struct hv_ipv6_header *header, uint32_t l3)
{
	struct hv_desc *d = &packet->d;

	packet->len = l3 + HV_IPV6_HEADER + header->payload_length; /* the rest is padding */
	d->src = header->src;
	d->dst = header->dst;
	d->l3 = packet->data + l3;
	d->l4 = d->payload = d->l3 + HV_IPV6_HEADER;
	d->payload_len = header->payload_length;
	d->proto = header->next_header;
	d->hop_limit = header->hop_limit;
	d->traffic_class = header->traffic_class;
	d->dont_fragment = true; /* routers never do */
}

/* The upper layer, `walk` says where it begins. */
static void describe_upper(struct hv_packet *packet, const struct hv_ipv6_walk *walk)
{
	struct hv_desc *d = &packet->d;
	uint32_t size = (uint32_t)(packet->data + packet->len - d->l3);

	d->proto = walk->proto;
	d->l4 = d->payload = d->l3 + walk->offset;
	d->payload_len = size - walk->offset;
}

static void unknown_protocol(struct hv_ip *ip, struct hv_packet *packet,
			     const struct hv_ipv6_walk *walk)
{
	struct hv_icmp_message message = {.type = HV_ICMP6_PARAMETER,
					  .code = HV_ICMP6_PROBLEM_NEXT_HEADER,
					  .rest = walk->next_header_at};

	hv_icmp_error_about(ip, packet, &message, NULL, false); /* RFC 8200 section 4 */
	hv_drop(ip->core, packet, HV_DROP_IP_PROTOCOL);
}

static void walk_failed(struct hv_ip *ip, struct hv_packet *packet,
			const struct hv_ipv6_walk *walk, enum hv_drop reason)
{
	struct hv_icmp_message message = {.type = HV_ICMP6_PARAMETER,
					  .code = walk->problem_code,
					  .rest = walk->problem_at};

	if (reason == HV_DROP_IP_OPTIONS && walk->tell)
		hv_icmp_error_about(ip, packet, &message, NULL, walk->tell_multicast);
	hv_drop(ip->core, packet, reason);
}

/* From the header chain on: again for what was put together from fragments. */
static void upper_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet,
			bool reassembled)
{
	struct hv_ipv6_walk walk;
	uint32_t l3 = (uint32_t)(packet->d.l3 - packet->data);
	enum hv_drop reason;

	reason = (enum hv_drop)hv_wire_ipv6_walk(packet->d.l3, packet->len - l3, &walk);
	if (reason != HV_DROP_COUNT) {
		walk_failed(ip, packet, &walk, reason);
		return;
	}
	describe_upper(packet, &walk);
	if (walk.is_fragment) {
		struct hv_fragment fragment = {.id = walk.fragment_id,
					       .l2_len = l3,
					       .header_len = walk.offset,
					       .next_header_at = walk.unfragmentable_next_at,
					       .offset = walk.fragment_offset,
					       .len = packet->d.payload_len,
					       .more = walk.more_fragments,
					       .proto = walk.proto};

		if (reassembled) { /* fragments in fragments: RFC 8200 has no such thing */
			hv_drop(ip->core, packet, HV_DROP_FRAGMENT_INVALID);
			return;
		}
		packet = hv_reassembly_input(ip, packet, &fragment);
		if (packet)
			upper_input(ip, link, packet, true);
		return;
	}
	if (packet->d.proto == IPPROTO_ICMPV6)
		hv_icmp6_input(ip, link, packet);
	else if (hv_ip_is_unspecified(&packet->d.src))
		hv_drop(ip->core, packet, HV_DROP_IP_SOURCE);
	else if (!hv_ip_transport_input(ip, packet))
		unknown_protocol(ip, packet, &walk);
}

/* Before fragments are put together, as a router would. */
static void hop_limit_reached(struct hv_ip *ip, struct hv_packet *packet)
{
	static const struct hv_icmp_message exceeded = {.type = HV_ICMP6_TIME_EXCEEDED,
							.code = HV_ICMP_EXCEEDED_TRANSIT};
	uint32_t l3 = (uint32_t)(packet->d.l3 - packet->data);
	struct hv_ipv6_walk walk;

	if (hv_wire_ipv6_walk(packet->d.l3, packet->len - l3, &walk) == HV_DROP_COUNT) {
		describe_upper(packet, &walk);
		if (walk.fragment_offset == 0)
			hv_icmp_error_about(ip, packet, &exceeded, NULL, false);
	}
	hv_drop(ip->core, packet, HV_DROP_IP_HOP_LIMIT);
}

void hv_ipv6_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet,
		   uint32_t l3)
{
	struct hv_ipv6_header header;
	enum hv_drop reason;

	reason = (enum hv_drop)hv_wire_ipv6_parse(packet->data + l3, packet->len - l3, &header);
	if (reason != HV_DROP_COUNT) {
		hv_drop(ip->core, packet, reason);
		return;
	}
	describe(packet, &header, l3);
	if (is_bad_source(ip, link, &packet->d))
		reason = HV_DROP_IP_SOURCE;
	else
		reason = check_destination(ip, link, packet);
	if (reason == HV_DROP_IP_HOP_LIMIT)
		hop_limit_reached(ip, packet);
	else if (reason != HV_DROP_COUNT)
		hv_drop(ip->core, packet, reason);
	else
		upper_input(ip, link, packet, false);
}
