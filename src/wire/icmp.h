/*
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) with Neighbour Discovery (RFC 4861): layouts.
 *
 * Every message begins with type, code and checksum, and has at least HV_ICMP_HEADER bytes.
 */
#ifndef HV_WIRE_ICMP_H
#define HV_WIRE_ICMP_H

#include <stdbool.h>

#include "base/addr.h"
#include "wire/bytes.h"

enum { HV_ICMP_HEADER = 8 };

enum {
	HV_ICMP4_ECHO_REPLY = 0,
	HV_ICMP4_UNREACHABLE = 3,
	HV_ICMP4_SOURCE_QUENCH = 4,
	HV_ICMP4_REDIRECT = 5,
	HV_ICMP4_ECHO_REQUEST = 8,
	HV_ICMP4_TIME_EXCEEDED = 11,
	HV_ICMP4_PARAMETER = 12,
};
/* Codes of HV_ICMP4_UNREACHABLE (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1). */
enum {
	HV_ICMP4_NET = 0,
	HV_ICMP4_HOST = 1,
	HV_ICMP4_PROTOCOL = 2,
	HV_ICMP4_PORT = 3,
	HV_ICMP4_TOO_BIG = 4, /* the next hop's MTU is in bytes 6 and 7 (RFC 1191 section 4) */
	HV_ICMP4_SOURCE_ROUTE = 5,
	HV_ICMP4_NET_UNKNOWN = 6,
	HV_ICMP4_HOST_UNKNOWN = 7,
	HV_ICMP4_NET_PROHIBITED = 9,
	HV_ICMP4_HOST_PROHIBITED = 10,
	HV_ICMP4_PROHIBITED = 13,
};
/* Codes of time exceeded, the same in both versions. */
enum { HV_ICMP_EXCEEDED_TRANSIT = 0, HV_ICMP_EXCEEDED_REASSEMBLY = 1 };

enum {
	HV_ICMP6_UNREACHABLE = 1,
	HV_ICMP6_TOO_BIG = 2, /* MTU in bytes 4 to 7 */
	HV_ICMP6_TIME_EXCEEDED = 3,
	HV_ICMP6_PARAMETER = 4, /* pointer in bytes 4 to 7 */
	HV_ICMP6_ECHO_REQUEST = 128,
	HV_ICMP6_ECHO_REPLY = 129,
	HV_ICMP6_MLD_QUERY = 130,
	HV_ICMP6_MLD_REPORT = 131,
	HV_ICMP6_MLD_DONE = 132,
	HV_ND_ROUTER_SOLICIT = 133,
	HV_ND_ROUTER_ADVERT = 134,
	HV_ND_NEIGHBOUR_SOLICIT = 135,
	HV_ND_NEIGHBOUR_ADVERT = 136,
	HV_ND_REDIRECT = 137,
	HV_ICMP6_MLD2_REPORT = 143,
};
/* Codes of HV_ICMP6_UNREACHABLE. */
enum {
	HV_ICMP6_NO_ROUTE = 0,
	HV_ICMP6_PROHIBITED = 1,
	HV_ICMP6_BEYOND_SCOPE = 2,
	HV_ICMP6_ADDRESS = 3,
	HV_ICMP6_PORT = 4,
	HV_ICMP6_POLICY = 5,
	HV_ICMP6_REJECT = 6,
};
/* Codes of HV_ICMP6_PARAMETER. */
enum {
	HV_ICMP6_PROBLEM_FIELD = 0,
	HV_ICMP6_PROBLEM_NEXT_HEADER = 1,
	HV_ICMP6_PROBLEM_OPTION = 2,
};

static inline uint8_t hv_icmp_type(const uint8_t *p)
{
	return p[0];
}
static inline uint8_t hv_icmp_code(const uint8_t *p)
{
	return p[1];
}
/* Echo request and reply. */
static inline uint16_t hv_icmp_identifier(const uint8_t *p)
{
	return hv_get16(p + 4);
}
static inline uint16_t hv_icmp_sequence(const uint8_t *p)
{
	return hv_get16(p + 6);
}
static inline uint16_t hv_icmp4_mtu(const uint8_t *p)
{
	return hv_get16(p + 6);
}
static inline uint32_t hv_icmp6_mtu(const uint8_t *p)
{
	return hv_get32(p + 4);
}
static inline bool hv_icmp4_is_error(uint8_t type)
{
	return type == HV_ICMP4_UNREACHABLE || type == HV_ICMP4_SOURCE_QUENCH ||
	       type == HV_ICMP4_REDIRECT || type == HV_ICMP4_TIME_EXCEEDED ||
	       type == HV_ICMP4_PARAMETER;
}
/* RFC 4443 section 2.1: errors have the high bit clear. */
static inline bool hv_icmp6_is_error(uint8_t type)
{
	return type < 128;
}

/* Write type, code, a zero checksum and the next four bytes (identifier and sequence, MTU, pointer). */
static inline void hv_icmp_write(uint8_t *p, uint8_t type, uint8_t code, uint32_t rest)
{
	p[0] = type;
	p[1] = code;
	p[2] = p[3] = 0;
	hv_put32(p + 4, rest);
}
static inline void hv_icmp_write_echo(uint8_t *p, uint8_t type, uint16_t identifier,
				      uint16_t sequence)
{
	hv_icmp_write(p, type, 0, (uint32_t)identifier << 16 | sequence);
}

/* Fill in the checksum of a whole message whose field is zero. */
void hv_wire_icmp4_finish(uint8_t *p, uint32_t size);
void hv_wire_icmp6_finish(uint8_t *p, uint32_t size, const struct hv_addr *src,
			  const struct hv_addr *dst);
/* The message is long enough and its checksum is right. */
bool hv_wire_icmp4_check(const uint8_t *p, uint32_t size);
bool hv_wire_icmp6_check(const uint8_t *p, uint32_t size, const struct hv_addr *src,
			 const struct hv_addr *dst);

/* --- Neighbour Discovery (RFC 4861 section 4) ------------------------------------------- */

enum {
	HV_ND_ROUTER_SOLICIT_SIZE = 8,
	HV_ND_ROUTER_ADVERT_SIZE = 16,
	HV_ND_NEIGHBOUR_SIZE = 24, /* solicitation and advertisement, without options */
	HV_ND_REDIRECT_SIZE = 40,
	HV_ND_LINK_ADDRESS_SIZE = 8, /* option with an Ethernet address */
	HV_ND_PREFIX_SIZE = 32,
	HV_ND_MTU_SIZE = 8,
	HV_ND_RDNSS_SIZE = 24, /* with one address */
};
enum {
	HV_ND_OPTION_SOURCE = 1,
	HV_ND_OPTION_TARGET = 2,
	HV_ND_OPTION_PREFIX = 3,
	HV_ND_OPTION_REDIRECTED = 4,
	HV_ND_OPTION_MTU = 5,
	HV_ND_OPTION_RDNSS = 25, /* RFC 8106 */
};
/* Flags of a neighbour advertisement. */
enum { HV_ND_ROUTER = 0x80, HV_ND_SOLICITED = 0x40, HV_ND_OVERRIDE = 0x20 };
/* Flags of a router advertisement's prefix. */
enum { HV_ND_PREFIX_ON_LINK = 0x80, HV_ND_PREFIX_AUTONOMOUS = 0x40 };

static inline const uint8_t *hv_nd_target(const uint8_t *p)
{
	return p + 8;
}
static inline uint8_t hv_nd_flags(const uint8_t *p)
{
	return p[4];
}

/* One option: `size` bytes from `bytes` on, type and length included; a multiple of 8. */
struct hv_nd_option {
	uint8_t type;
	const uint8_t *bytes;
	uint32_t size;
};
/*
 * The option at *offset of `size` bytes of options; moves *offset on. Returns 1, 0 at the end, or -1
 * for a malformed list: the whole message is then to be discarded (RFC 4861 section 4.6).
 */
int hv_wire_nd_option_next(const uint8_t *options, uint32_t size, uint32_t *offset,
			   struct hv_nd_option *out);
/*
 * Walk all options; *mac is set to the 6 bytes of the wanted link-layer address option (SOURCE
 * or TARGET), or NULL when there is none. False for a malformed list.
 */
bool hv_wire_nd_link_address(const uint8_t *options, uint32_t size, uint8_t wanted,
			     const uint8_t **mac);

/* Messages with checksum 0; each returns its size. mac may be NULL: no option. */
uint32_t hv_wire_nd_solicit_write(uint8_t *p, const struct hv_addr *target, const uint8_t *mac);
uint32_t hv_wire_nd_advert_write(uint8_t *p, uint8_t flags, const struct hv_addr *target,
				 const uint8_t *mac);

/* A router advertisement (RFC 4861 section 4.2), as much of it as this stack says. */
struct hv_nd_router_advert {
	uint8_t hop_limit, flags;
	uint16_t lifetime_s;
	const uint8_t *mac;	      /* NULL: no option */
	uint32_t mtu;		      /* 0: no option */
	const struct hv_addr *prefix; /* NULL: no option */
	uint8_t prefix_bits, prefix_flags;
	uint32_t prefix_lifetime_s;
};
/* At most 16 + 8 + 8 + 32 bytes. */
uint32_t hv_wire_nd_router_advert_write(uint8_t *p, const struct hv_nd_router_advert *advert);

/* ff02::1:ffXX:XXXX of an address (RFC 4291 section 2.7.1). */
struct hv_addr hv_nd_solicited_node(const struct hv_addr *addr);

#endif
