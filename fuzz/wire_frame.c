/*
 * An Ethernet frame, through every parser that its headers lead to. Each works on the frame in a
 * buffer of exactly its size, so that one byte too many is found.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void options(const uint8_t *p, unsigned size)
{
	struct hv_tcp_options parsed;
	uint8_t out[40];

	hv_wire_tcp_options_parse(p, size, &parsed);
	if (hv_wire_tcp_options_write(out, &parsed) > sizeof(out))
		abort();
}

static void quotation(const uint8_t *p, uint32_t size, bool v6)
{
	struct hv_ipv4_header ipv4;
	struct hv_ipv6_header ipv6;
	struct hv_ipv6_walk walk;

	if (!v6)
		hv_wire_ipv4_parse_quote(p, size, &ipv4);
	else if (hv_wire_ipv6_parse_quote(p, size, &ipv6))
		hv_wire_ipv6_walk(p, size, &walk);
}

static void icmp(struct hv_packet *packet, bool v6)
{
	const uint8_t *p = packet->d.l4, *mac;
	uint32_t size = packet->d.payload_len;

	if (v6)
		hv_wire_icmp6_check(p, size, &packet->d.src, &packet->d.dst);
	else
		hv_wire_icmp4_check(p, size);
	if (size < HV_ICMP_HEADER)
		return;
	quotation(p + HV_ICMP_HEADER, size - HV_ICMP_HEADER, v6);
	if (v6 && size >= HV_ND_NEIGHBOUR_SIZE)
		hv_wire_nd_link_address(p + HV_ND_NEIGHBOUR_SIZE, size - HV_ND_NEIGHBOUR_SIZE,
					HV_ND_OPTION_SOURCE, &mac);
}

/* With the checksum looked at, and again without, to come further. */
static void transport(struct hv_packet *packet)
{
	struct hv_desc before = packet->d;

	for (int csum = HV_CSUM_NONE; csum <= HV_CSUM_VALID; csum += HV_CSUM_VALID) {
		packet->csum = (uint8_t)csum;
		packet->d = before;
		switch (before.proto) {
		case IPPROTO_TCP:
			if (hv_wire_tcp_parse(packet) == HV_DROP_COUNT)
				options(packet->d.options, packet->d.options_len);
			break;
		case IPPROTO_UDP:
			hv_wire_udp_parse(packet);
			break;
		case IPPROTO_ICMP:
		case IPPROTO_ICMPV6:
			icmp(packet, before.proto == IPPROTO_ICMPV6);
			break;
		default:
			return;
		}
		/* Whatever was found lies within the packet. */
		if (packet->d.payload + packet->d.payload_len > packet->data + packet->len)
			abort();
	}
}

static void describe(struct hv_packet *packet, const struct hv_addr *src,
		     const struct hv_addr *dst, uint8_t proto, uint8_t *l4, uint32_t size)
{
	packet->d.src = *src;
	packet->d.dst = *dst;
	packet->d.proto = proto;
	packet->d.l4 = packet->d.payload = l4;
	packet->d.payload_len = size;
	transport(packet);
}

static void ipv4(struct hv_packet *packet, uint8_t *p, uint32_t size)
{
	struct hv_ipv4_header h;

	hv_wire_ipv4_parse(p, size, true, &h);
	if (hv_wire_ipv4_parse(p, size, false, &h) != HV_DROP_COUNT)
		return;
	hv_wire_ipv4_options(p, h.header_length);
	describe(packet, &h.src, &h.dst, h.protocol, p + h.header_length,
		 h.total_length - (uint32_t)h.header_length);
}

static void ipv6(struct hv_packet *packet, uint8_t *p, uint32_t size)
{
	struct hv_ipv6_header h;
	struct hv_ipv6_walk walk;
	uint32_t whole;

	if (hv_wire_ipv6_parse(p, size, &h) != HV_DROP_COUNT)
		return;
	whole = HV_IPV6_HEADER + (uint32_t)h.payload_length;
	if (hv_wire_ipv6_walk(p, whole, &walk) != HV_DROP_COUNT || walk.is_fragment)
		return;
	describe(packet, &h.src, &h.dst, walk.proto, p + walk.offset, whole - walk.offset);
}

static void frame(struct hv_packet *packet)
{
	uint8_t *p = packet->data + HV_ETH_HEADER;
	uint32_t size = packet->len - HV_ETH_HEADER;
	struct hv_arp arp;

	switch (hv_eth_type(packet->data)) {
	case HV_ETHERTYPE_ARP:
		hv_wire_arp_parse(p, size, &arp);
		break;
	case HV_ETHERTYPE_IPV4:
		ipv4(packet, p, size);
		break;
	case HV_ETHERTYPE_IPV6:
		ipv6(packet, p, size);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_packet packet = {0};
	uint8_t *copy;

	if (size < HV_ETH_HEADER || size > 65536)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	packet.head = packet.data = copy;
	packet.capacity = packet.len = (uint32_t)size;
	frame(&packet);
	free(copy);
	return 0;
}
