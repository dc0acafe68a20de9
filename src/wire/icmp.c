/* Checksums of ICMP and ICMPv6, and the messages of Neighbour Discovery. */
#include "wire/icmp.h"

#include <netinet/in.h>
#include <string.h>

#include "wire/checksum.h"

void hv_wire_icmp4_finish(uint8_t *p, uint32_t size)
{
	hv_put_checksum(p + 2, hv_checksum(p, size));
}

void hv_wire_icmp6_finish(uint8_t *p, uint32_t size, const struct hv_addr *src,
			  const struct hv_addr *dst)
{
	uint64_t sum = hv_sum_pseudo(src, dst, IPPROTO_ICMPV6, size);

	hv_put_checksum(p + 2, (uint16_t)~hv_sum_fold(hv_sum_add(sum, p, size)));
}

bool hv_wire_icmp4_check(const uint8_t *p, uint32_t size)
{
	return size >= HV_ICMP_HEADER && hv_checksum(p, size) == 0;
}

bool hv_wire_icmp6_check(const uint8_t *p, uint32_t size, const struct hv_addr *src,
			 const struct hv_addr *dst)
{
	uint64_t sum = hv_sum_pseudo(src, dst, IPPROTO_ICMPV6, size);

	return size >= HV_ICMP_HEADER && hv_sum_fold(hv_sum_add(sum, p, size)) == UINT16_MAX;
}

int hv_wire_nd_option_next(const uint8_t *options, uint32_t size, uint32_t *offset,
			   struct hv_nd_option *out)
{
	uint32_t left = size - *offset;
	const uint8_t *p = options + *offset;

	if (left == 0)
		return 0;
	if (left < 8 || p[1] == 0 || (uint32_t)p[1] * 8 > left)
		return -1;
	*out = (struct hv_nd_option){.type = p[0], .bytes = p, .size = (uint32_t)p[1] * 8};
	*offset += out->size;
	return 1;
}

bool hv_wire_nd_link_address(const uint8_t *options, uint32_t size, uint8_t wanted,
			     const uint8_t **mac)
{
	struct hv_nd_option option;
	uint32_t offset = 0;
	int more;

	*mac = NULL;
	while ((more = hv_wire_nd_option_next(options, size, &offset, &option)) > 0) {
		if (option.type == wanted && option.size == HV_ND_LINK_ADDRESS_SIZE)
			*mac = option.bytes + 2;
	}
	return more == 0;
}

static uint32_t write_link_address(uint8_t *p, uint8_t type, const uint8_t *mac)
{
	if (!mac)
		return 0;
	p[0] = type;
	p[1] = HV_ND_LINK_ADDRESS_SIZE / 8;
	memcpy(p + 2, mac, 6);
	return HV_ND_LINK_ADDRESS_SIZE;
}

uint32_t hv_wire_nd_solicit_write(uint8_t *p, const struct hv_addr *target, const uint8_t *mac)
{
	hv_icmp_write(p, HV_ND_NEIGHBOUR_SOLICIT, 0, 0);
	memcpy(p + 8, target->b, 16);
	return HV_ND_NEIGHBOUR_SIZE +
	       write_link_address(p + HV_ND_NEIGHBOUR_SIZE, HV_ND_OPTION_SOURCE, mac);
}

uint32_t hv_wire_nd_advert_write(uint8_t *p, uint8_t flags, const struct hv_addr *target,
				 const uint8_t *mac)
{
	hv_icmp_write(p, HV_ND_NEIGHBOUR_ADVERT, 0, (uint32_t)flags << 24);
	memcpy(p + 8, target->b, 16);
	return HV_ND_NEIGHBOUR_SIZE +
	       write_link_address(p + HV_ND_NEIGHBOUR_SIZE, HV_ND_OPTION_TARGET, mac);
}

static uint32_t write_prefix(uint8_t *p, const struct hv_nd_router_advert *advert)
{
	p[0] = HV_ND_OPTION_PREFIX;
	p[1] = HV_ND_PREFIX_SIZE / 8;
	p[2] = advert->prefix_bits;
	p[3] = advert->prefix_flags;
	hv_put32(p + 4, advert->prefix_lifetime_s); /* valid */
	hv_put32(p + 8, advert->prefix_lifetime_s); /* preferred */
	hv_put32(p + 12, 0);
	memcpy(p + 16, advert->prefix->b, 16);
	return HV_ND_PREFIX_SIZE;
}

uint32_t hv_wire_nd_router_advert_write(uint8_t *p, const struct hv_nd_router_advert *advert)
{
	uint32_t at = HV_ND_ROUTER_ADVERT_SIZE;

	hv_icmp_write(p, HV_ND_ROUTER_ADVERT, 0,
		      (uint32_t)advert->hop_limit << 24 | (uint32_t)advert->flags << 16 |
			      advert->lifetime_s);
	hv_put32(p + 8, 0);  /* reachable time: the receiver's own */
	hv_put32(p + 12, 0); /* retransmission timer: the receiver's own */
	at += write_link_address(p + at, HV_ND_OPTION_SOURCE, advert->mac);
	if (advert->mtu) {
		p[at] = HV_ND_OPTION_MTU;
		p[at + 1] = HV_ND_MTU_SIZE / 8;
		hv_put16(p + at + 2, 0);
		hv_put32(p + at + 4, advert->mtu);
		at += HV_ND_MTU_SIZE;
	}
	if (advert->prefix)
		at += write_prefix(p + at, advert);
	return at;
}

struct hv_addr hv_nd_solicited_node(const struct hv_addr *addr)
{
	struct hv_addr group = {.b = {0xff, 0x02, [11] = 0x01, [12] = 0xff}};

	memcpy(group.b + 13, addr->b + 13, 3);
	return group;
}
