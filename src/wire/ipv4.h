/*
 * IPv4 header (RFC 791): bytes to fields and back.
 *
 * hv_wire_ipv4_parse() checks lengths and checksum once; the accessors then cannot fail.
 */
#ifndef HV_WIRE_IPV4_H
#define HV_WIRE_IPV4_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/drop.h"
#include "wire/bytes.h"

enum { HV_IPV4_HEADER = 20, HV_IPV4_HEADER_MAX = 60, HV_IPV4_MIN_MTU = 68 };
enum {
	HV_IPV4_DONT_FRAGMENT = 0x4000,
	HV_IPV4_MORE_FRAGMENTS = 0x2000,
	HV_IPV4_OFFSET_MASK = 0x1fff
};

struct hv_ipv4_header {
	struct hv_addr src, dst;  /* v4-mapped */
	uint16_t total_length;	  /* header and payload, without link padding */
	uint8_t header_length;	  /* bytes, 20 to 60; written headers have no options */
	uint16_t id;		  /* of the datagram that fragments belong to */
	uint16_t fragment_offset; /* bytes, multiple of 8 */
	bool more_fragments, dont_fragment;
	uint8_t ttl, protocol, traffic_class;
};

static inline uint8_t hv_ipv4_version(const uint8_t *p)
{
	return p[0] >> 4;
}
static inline uint32_t hv_ipv4_header_length(const uint8_t *p)
{
	return (uint32_t)(p[0] & 15) * 4;
}
static inline uint16_t hv_ipv4_total_length(const uint8_t *p)
{
	return hv_get16(p + 2);
}
static inline uint16_t hv_ipv4_id(const uint8_t *p)
{
	return hv_get16(p + 4);
}
static inline uint8_t hv_ipv4_ttl(const uint8_t *p)
{
	return p[8];
}
static inline uint8_t hv_ipv4_protocol(const uint8_t *p)
{
	return p[9];
}
static inline const uint8_t *hv_ipv4_src(const uint8_t *p)
{
	return p + 12;
}
static inline const uint8_t *hv_ipv4_dst(const uint8_t *p)
{
	return p + 16;
}
static inline bool hv_ipv4_is_fragment(const struct hv_ipv4_header *h)
{
	return h->more_fragments || h->fragment_offset;
}

/*
 * Read and check the header at p, of a packet of which `size` bytes are there (more than
 * total_length: padding). verify: check the header checksum. Returns HV_DROP_COUNT when good,
 * else the reason: IP_HEADER, IP_CHECKSUM. Options are checked by hv_wire_ipv4_options().
 */
int hv_wire_ipv4_parse(const uint8_t *p, uint32_t size, bool verify,
		       struct hv_ipv4_header *out);

/*
 * The same for the packet quoted by an ICMP error: cut short, checksum not looked at, and
 * total_length may be beyond the quotation. False when the header is not there in whole.
 */
bool hv_wire_ipv4_parse_quote(const uint8_t *p, uint32_t size, struct hv_ipv4_header *out);

/*
 * Check the options of a header of header_length bytes. Source routes are refused (RFC 7126
 * sections 4.3 and 4.4), others are passed over. Returns HV_DROP_COUNT or HV_DROP_IP_OPTIONS.
 */
int hv_wire_ipv4_options(const uint8_t *p, uint32_t header_length);

/* Write the 20 bytes at p with their checksum. header_length of the struct is not used. */
void hv_wire_ipv4_write(uint8_t *p, const struct hv_ipv4_header *header);

#endif
