/*
 * Ethernet II frames (RFC 894, RFC 2464): bytes to fields and back. The first header that a
 * frame from a link shows, and the last one put before it on the way out.
 *
 * The accessors need HV_ETH_HEADER bytes, which the caller has checked once.
 */
#ifndef HV_WIRE_ETHERNET_H
#define HV_WIRE_ETHERNET_H

#include <stdbool.h>
#include <string.h>

#include "base/addr.h"
#include "wire/bytes.h"

enum { HV_ETH_HEADER = 14, HV_ETH_ADDR = 6 };

enum {
	HV_ETHERTYPE_IPV4 = 0x0800,
	HV_ETHERTYPE_ARP = 0x0806,
	HV_ETHERTYPE_VLAN = 0x8100,
	HV_ETHERTYPE_IPV6 = 0x86dd,
};

static inline const uint8_t *hv_eth_dst(const uint8_t *frame)
{
	return frame;
}
static inline const uint8_t *hv_eth_src(const uint8_t *frame)
{
	return frame + HV_ETH_ADDR;
}
static inline uint16_t hv_eth_type(const uint8_t *frame)
{
	return hv_get16(frame + 12);
}

/* The group bit: multicast and broadcast (IEEE 802.3 section 3.2.3). */
static inline bool hv_eth_is_group(const uint8_t *addr)
{
	return addr[0] & 1;
}
static inline bool hv_eth_is_broadcast(const uint8_t *addr)
{
	return (addr[0] & addr[1] & addr[2] & addr[3] & addr[4] & addr[5]) == 0xff;
}
static inline bool hv_eth_is_zero(const uint8_t *addr)
{
	return !(addr[0] | addr[1] | addr[2] | addr[3] | addr[4] | addr[5]);
}
static inline bool hv_eth_equal(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, HV_ETH_ADDR) == 0;
}

/* Write the 14 bytes of the header at p. */
static inline void hv_eth_write(uint8_t *p, const uint8_t *dst, const uint8_t *src,
				uint16_t type)
{
	memcpy(p, dst, HV_ETH_ADDR);
	memcpy(p + HV_ETH_ADDR, src, HV_ETH_ADDR);
	hv_put16(p + 12, type);
}

/*
 * The Ethernet address that a multicast or broadcast IP address maps to (RFC 1112 section 6.4,
 * RFC 2464 section 7). False, and nothing written, for a unicast address.
 */
bool hv_eth_group_address(const struct hv_addr *addr, uint8_t mac[HV_ETH_ADDR]);

#endif
