/* The IPv6 header and the walk along its extension headers (RFC 8200). */
#include "wire/ipv6.h"

#include <string.h>

#include "wire/icmp.h"

enum { OPTION_PAD1 = 0 };
/* What the two high bits of an unknown option ask for (RFC 8200 section 4.2). */
enum { UNKNOWN_SKIP = 0, UNKNOWN_DISCARD = 1, UNKNOWN_TELL = 2, UNKNOWN_TELL_UNICAST = 3 };

bool hv_wire_ipv6_parse_quote(const uint8_t *p, uint32_t size, struct hv_ipv6_header *out)
{
	uint32_t first;

	if (size < HV_IPV6_HEADER || p[0] >> 4 != 6)
		return false;
	first = hv_get32(p);
	out->src = hv_addr_v6(hv_ipv6_src(p));
	out->dst = hv_addr_v6(hv_ipv6_dst(p));
	out->payload_length = hv_ipv6_payload_length(p);
	out->next_header = hv_ipv6_next_header(p);
	out->hop_limit = hv_ipv6_hop_limit(p);
	out->traffic_class = (uint8_t)(first >> 20);
	out->flow_label = first & 0xfffff;
	return true;
}

int hv_wire_ipv6_parse(const uint8_t *p, uint32_t size, struct hv_ipv6_header *out)
{
	if (!hv_wire_ipv6_parse_quote(p, size, out))
		return HV_DROP_IP_HEADER;
	if (out->payload_length > size - HV_IPV6_HEADER)
		return HV_DROP_IP_HEADER;
	/* An IPv4 address in disguise would pass for the real one (RFC 4942 section 2.2). */
	if (hv_addr_is_v4(&out->src) || hv_addr_is_v4(&out->dst))
		return HV_DROP_IP_HEADER;
	return HV_DROP_COUNT;
}

void hv_wire_ipv6_write(uint8_t *p, const struct hv_ipv6_header *header)
{
	hv_put32(p, UINT32_C(6) << 28 | (uint32_t)header->traffic_class << 20 |
			    (header->flow_label & 0xfffff));
	hv_put16(p + 4, header->payload_length);
	p[6] = header->next_header;
	p[7] = header->hop_limit;
	memcpy(p + 8, header->src.b, 16);
	memcpy(p + 24, header->dst.b, 16);
}

void hv_wire_ipv6_fragment_write(uint8_t *p, uint8_t next_header, uint16_t offset, bool more,
				 uint32_t id)
{
	p[0] = next_header;
	p[1] = 0;
	hv_put16(p + 2, (uint16_t)((offset & 0xfff8) | more));
	hv_put32(p + 4, id);
}

static int refuse(struct hv_ipv6_walk *walk, uint8_t code, uint32_t at)
{
	walk->tell = true;
	walk->problem_code = code;
	walk->problem_at = at;
	return HV_DROP_IP_OPTIONS;
}

static int unknown_option(struct hv_ipv6_walk *walk, uint8_t type, uint32_t at)
{
	switch (type >> 6) {
	case UNKNOWN_SKIP:
		return HV_DROP_COUNT;
	case UNKNOWN_DISCARD:
		return HV_DROP_IP_OPTIONS;
	case UNKNOWN_TELL:
		walk->tell_multicast = true;
		break;
	default:
		break;
	}
	return refuse(walk, HV_ICMP6_PROBLEM_OPTION, at);
}

/* Options of a hop-by-hop or destination header: bytes [at, end). None concerns this stack. */
static int walk_options(struct hv_ipv6_walk *walk, const uint8_t *p, uint32_t at, uint32_t end)
{
	while (at < end) {
		int verdict;

		if (p[at] == OPTION_PAD1) {
			at++;
			continue;
		}
		if (end - at < 2 || p[at + 1] > end - at - 2)
			return HV_DROP_IP_HEADER;
		verdict = unknown_option(walk, p[at], at);
		if (verdict != HV_DROP_COUNT)
			return verdict;
		at += 2 + (uint32_t)p[at + 1];
	}
	return HV_DROP_COUNT;
}

static void read_fragment(struct hv_ipv6_walk *walk, const uint8_t *p, uint32_t at)
{
	uint16_t field = hv_get16(p + at + 2);

	walk->has_fragment_header = true;
	walk->unfragmentable = at;
	walk->unfragmentable_next_at = walk->next_header_at;
	walk->fragment_offset = field & 0xfff8;
	walk->more_fragments = field & 1;
	walk->is_fragment = walk->fragment_offset || walk->more_fragments;
	walk->fragment_id = hv_get32(p + at + 4);
}

/* The extension header at walk->offset, of `length` bytes, that is named walk->proto. */
static int walk_header(struct hv_ipv6_walk *walk, const uint8_t *p, uint32_t length)
{
	uint32_t at = walk->offset;

	switch (walk->proto) {
	case HV_IPV6_HOP_BY_HOP:
		/* Only right behind the IPv6 header (RFC 8200 section 4.1). */
		if (at != HV_IPV6_HEADER)
			return refuse(walk, HV_ICMP6_PROBLEM_NEXT_HEADER, walk->next_header_at);
		return walk_options(walk, p, at + 2, at + length);
	case HV_IPV6_DESTINATION:
		return walk_options(walk, p, at + 2, at + length);
	case HV_IPV6_ROUTING:
		/* With segments left this stack would have to forward it: RFC 8200 section 4.4. */
		if (p[at + 3] != 0)
			return refuse(walk, HV_ICMP6_PROBLEM_FIELD, at + 2);
		return HV_DROP_COUNT;
	default:
		read_fragment(walk, p, at);
		return HV_DROP_COUNT;
	}
}

static bool is_extension(uint8_t proto)
{
	return proto == HV_IPV6_HOP_BY_HOP || proto == HV_IPV6_DESTINATION ||
	       proto == HV_IPV6_ROUTING || proto == HV_IPV6_FRAGMENT;
}

int hv_wire_ipv6_walk(const uint8_t *p, uint32_t size, struct hv_ipv6_walk *out)
{
	memset(out, 0, sizeof(*out));
	if (size < HV_IPV6_HEADER)
		return HV_DROP_IP_HEADER;
	out->proto = hv_ipv6_next_header(p);
	out->next_header_at = 6;
	out->offset = HV_IPV6_HEADER;
	for (unsigned seen = 0; is_extension(out->proto) && !out->is_fragment; seen++) {
		uint32_t length;
		int verdict;

		if (seen == HV_IPV6_MAX_EXTENSIONS)
			return HV_DROP_IP_OPTIONS;
		if (size - out->offset < 8)
			return HV_DROP_IP_HEADER;
		/* The fragment header has no length field: it is 8 bytes. */
		length = out->proto == HV_IPV6_FRAGMENT
				 ? HV_IPV6_FRAGMENT_HEADER
				 : ((uint32_t)p[out->offset + 1] + 1) * 8;
		if (size - out->offset < length)
			return HV_DROP_IP_HEADER;
		verdict = walk_header(out, p, length);
		if (verdict != HV_DROP_COUNT)
			return verdict;
		out->proto = p[out->offset];
		out->next_header_at = out->offset;
		out->offset += length;
	}
	if (out->proto == HV_IPV6_NO_NEXT && !out->is_fragment)
		return HV_DROP_IP_PROTOCOL;
	return HV_DROP_COUNT;
}
