/*
 * IPv6 header and its extension headers (RFC 8200): bytes to fields and back.
 */
#ifndef HV_WIRE_IPV6_H
#define HV_WIRE_IPV6_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/drop.h"
#include "wire/bytes.h"

enum { HV_IPV6_HEADER = 40, HV_IPV6_FRAGMENT_HEADER = 8, HV_IPV6_MIN_MTU = 1280 };
/* Next-header values of extension headers (RFC 8200 section 4.1). */
enum {
	HV_IPV6_HOP_BY_HOP = 0,
	HV_IPV6_ROUTING = 43,
	HV_IPV6_FRAGMENT = 44,
	HV_IPV6_NO_NEXT = 59,
	HV_IPV6_DESTINATION = 60,
};
/* Most extension headers that a packet may have; what has more is refused. */
enum { HV_IPV6_MAX_EXTENSIONS = 8 };

struct hv_ipv6_header {
	struct hv_addr src, dst;
	uint16_t payload_length; /* after the 40 bytes, extension headers included */
	uint8_t next_header, hop_limit, traffic_class;
	uint32_t flow_label; /* 20 bits */
};

static inline uint16_t hv_ipv6_payload_length(const uint8_t *p)
{
	return hv_get16(p + 4);
}
static inline uint8_t hv_ipv6_next_header(const uint8_t *p)
{
	return p[6];
}
static inline uint8_t hv_ipv6_hop_limit(const uint8_t *p)
{
	return p[7];
}
static inline const uint8_t *hv_ipv6_src(const uint8_t *p)
{
	return p + 8;
}
static inline const uint8_t *hv_ipv6_dst(const uint8_t *p)
{
	return p + 24;
}

/*
 * Read and check the header at p, of a packet of which `size` bytes are there (more: padding).
 * Jumbograms (payload length 0 with a payload, RFC 2675) are not taken. Returns HV_DROP_COUNT
 * when good, else HV_DROP_IP_HEADER.
 */
int hv_wire_ipv6_parse(const uint8_t *p, uint32_t size, struct hv_ipv6_header *out);
/* For the packet quoted by an ICMPv6 error, which is cut short. */
bool hv_wire_ipv6_parse_quote(const uint8_t *p, uint32_t size, struct hv_ipv6_header *out);
/* Write the 40 bytes at p. */
void hv_wire_ipv6_write(uint8_t *p, const struct hv_ipv6_header *header);

/* What the walk along the extension headers found. Offsets count from the IPv6 header. */
struct hv_ipv6_walk {
	uint8_t proto;	 /* of the upper layer, or of what follows the fragment header */
	uint32_t offset; /* of the upper layer, or of the fragment's data */
	uint32_t next_header_at;	 /* the byte that names proto */
	uint32_t unfragmentable;	 /* bytes before the fragment header; 0 without one */
	uint32_t unfragmentable_next_at; /* the byte that says "fragment header follows" */
	bool has_fragment_header; /* atomic ones too (RFC 6946): then is_fragment is false */
	bool is_fragment;	  /* offset is not 0, or more follow */
	bool more_fragments;
	uint16_t fragment_offset; /* bytes */
	uint32_t fragment_id;
	/* With IP_OPTIONS: what a Parameter Problem has to say (RFC 4443 section 3.4). */
	bool tell;	      /* false: discard without a word */
	bool tell_multicast;  /* tell also when the destination was multicast */
	uint8_t problem_code; /* HV_ICMP6_PROBLEM_ */
	uint32_t problem_at;
};

/*
 * Walk from the IPv6 header at p, `size` bytes in all (40 + payload_length), to the upper layer.
 * Stops after a fragment header that is no atomic one. Returns HV_DROP_COUNT when good, else
 * IP_HEADER (cut short), IP_OPTIONS (refused; see tell) or IP_PROTOCOL (59: nothing follows).
 */
int hv_wire_ipv6_walk(const uint8_t *p, uint32_t size, struct hv_ipv6_walk *out);

/* Write the 8 bytes of a fragment header. offset in bytes, multiple of 8. */
void hv_wire_ipv6_fragment_write(uint8_t *p, uint8_t next_header, uint16_t offset, bool more,
				 uint32_t id);

#endif
