/* The IPv4 header (RFC 791). */
#include "wire/ipv4.h"

#include <string.h>

#include "wire/checksum.h"

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_LOOSE_SOURCE_ROUTE = 131,
	OPTION_STRICT_SOURCE_ROUTE = 137,
};

static void read_fields(const uint8_t *p, struct hv_ipv4_header *out)
{
	uint16_t fragment = hv_get16(p + 6);

	out->src = hv_addr_v4(hv_ipv4_src(p));
	out->dst = hv_addr_v4(hv_ipv4_dst(p));
	out->total_length = hv_ipv4_total_length(p);
	out->header_length = (uint8_t)hv_ipv4_header_length(p);
	out->id = hv_ipv4_id(p);
	out->fragment_offset = (uint16_t)((fragment & HV_IPV4_OFFSET_MASK) * 8);
	out->more_fragments = fragment & HV_IPV4_MORE_FRAGMENTS;
	out->dont_fragment = fragment & HV_IPV4_DONT_FRAGMENT;
	out->ttl = hv_ipv4_ttl(p);
	out->protocol = hv_ipv4_protocol(p);
	out->traffic_class = p[1];
}

bool hv_wire_ipv4_parse_quote(const uint8_t *p, uint32_t size, struct hv_ipv4_header *out)
{
	if (size < HV_IPV4_HEADER || hv_ipv4_version(p) != 4)
		return false;
	read_fields(p, out);
	return out->header_length >= HV_IPV4_HEADER && out->header_length <= size &&
	       out->total_length >= out->header_length;
}

int hv_wire_ipv4_parse(const uint8_t *p, uint32_t size, bool verify, struct hv_ipv4_header *out)
{
	if (!hv_wire_ipv4_parse_quote(p, size, out) || out->total_length > size)
		return HV_DROP_IP_HEADER;
	if (verify && hv_checksum(p, out->header_length) != 0)
		return HV_DROP_IP_CHECKSUM;
	return HV_DROP_COUNT;
}

int hv_wire_ipv4_options(const uint8_t *p, uint32_t header_length)
{
	uint32_t at = HV_IPV4_HEADER;

	while (at < header_length && p[at] != OPTION_END) {
		if (p[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (p[at] == OPTION_LOOSE_SOURCE_ROUTE || p[at] == OPTION_STRICT_SOURCE_ROUTE)
			return HV_DROP_IP_OPTIONS;
		if (header_length - at < 2 || p[at + 1] < 2 || p[at + 1] > header_length - at)
			return HV_DROP_IP_OPTIONS;
		at += p[at + 1];
	}
	return HV_DROP_COUNT;
}

void hv_wire_ipv4_write(uint8_t *p, const struct hv_ipv4_header *header)
{
	uint16_t fragment = header->fragment_offset / 8;

	if (header->dont_fragment)
		fragment |= HV_IPV4_DONT_FRAGMENT;
	if (header->more_fragments)
		fragment |= HV_IPV4_MORE_FRAGMENTS;
	p[0] = 4 << 4 | HV_IPV4_HEADER / 4;
	p[1] = header->traffic_class;
	hv_put16(p + 2, header->total_length);
	hv_put16(p + 4, header->id);
	hv_put16(p + 6, fragment);
	p[8] = header->ttl;
	p[9] = header->protocol;
	hv_put16(p + 10, 0);
	memcpy(p + 12, header->src.b + 12, 4);
	memcpy(p + 16, header->dst.b + 12, 4);
	hv_put_checksum(p + 10, hv_checksum(p, HV_IPV4_HEADER));
}
