/*
 * IP: addresses, routes, neighbours, fragments, ICMP. It knows no port.
 *
 * In:  hv_ip_input() takes frames from a link; checks, reassembles and hands transports their packets
 *      with the descriptor's Ethernet and IP parts filled in (d.src, d.dst, d.l3, d.l4, d.proto, d.payload = d.l4,
 *      d.payload_len = transport header and data), packet->data still at the frame's start. Broadcasts and
 *      multicast groups that every host is in come too, with d.link_broadcast set.
 * Out: hv_ip_output() takes a transport segment (data at its header), finds route and neighbour,
 *      adds the headers, fragments when needed and allowed, and gives it to the link.
 */
#ifndef HV_IP_IP_H
#define HV_IP_IP_H

#include "base/core.h"
#include "base/hash.h"
#include "base/list.h"
#include "link/link.h"

enum {
	HV_IP_MAX_LINKS = 16,
	HV_IP_MAX_ADDRESSES = 64,
	HV_IP_MAX_ROUTES = 64,
	HV_IP_MAX_GROUPS = 64
};

/* An ICMP or ICMPv6 error about a packet of ours, for the transport that sent it (RFC 1122 section 3.2.2). */
struct hv_icmp_report {
	struct hv_addr src, dst; /* of the quoted packet: src is ours */
	struct hv_addr offender; /* who says so */
	uint8_t proto;
	int error; /* positive errno: ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, EPROTO, ... */
	bool hard;    /* RFC 1122 section 4.2.3.9 */
	uint32_t mtu; /* with EMSGSIZE: what the path is said to carry; see checks_mtu */
	const uint8_t *transport; /* quoted transport header, at least 8 bytes */
	uint32_t transport_len;
};

struct hv_ip_transport {
	void *ctx;
	/* Consumes. */
	void (*input)(void *ctx, struct hv_packet *packet);
	void (*icmp_error)(void *ctx, const struct hv_icmp_report *report);
	/* It calls hv_ip_mtu_note() for the MTUs of reports that it believes; else ip notes all of them before. */
	bool checks_mtu;
};

/* An echo request to an address that is not ours (accept_any_address). packet is not consumed: d describes it. NULL callback: dropped. */
typedef void hv_ip_echo_fn(void *ctx, const struct hv_packet *packet);

/* What becomes of an echo request that the stack would answer itself. Who refuses it counts the drop. */
enum hv_ip_echo_verdict {
	HV_IP_ECHO_ANSWER,
	HV_IP_ECHO_REFUSE,  /* ICMP "administratively prohibited" */
	HV_IP_ECHO_SWALLOW, /* nothing is said */
};
typedef enum hv_ip_echo_verdict hv_ip_echo_filter_fn(void *ctx, const struct hv_packet *packet);

/* What goes with a segment on its way out. */
struct hv_ip_tx {
	struct hv_addr src, dst;
	uint8_t proto;
	uint8_t hop_limit;     /* 0: the stack's default */
	uint8_t traffic_class; /* DSCP and ECN */
	bool dont_fragment;    /* IPv4 DF; a larger packet gives -EMSGSIZE */
	bool loop;	       /* to a group that we are in too: a copy for us */
};

struct hv_ip_config {
	bool accept_any_address, router, router_advertisements;
	uint8_t hop_limit;
	uint32_t max_neighbours, max_reassembly_bytes, max_links;
};

struct hv_ip; /* full definition in ip/ip_state.h, for this room and stack.c */

/* Transports register here at creation (stack.c). proto: IPPROTO_TCP or IPPROTO_UDP. */
void hv_ip_set_transport(struct hv_ip *ip, uint8_t proto,
			 const struct hv_ip_transport *transport);
void hv_ip_set_echo(struct hv_ip *ip, hv_ip_echo_fn *echo, void *ctx);
/* NULL: all are answered. */
void hv_ip_set_echo_filter(struct hv_ip *ip, hv_ip_echo_filter_fn *filter, void *ctx);

/* Called when links that were busy can take packets again: transports send on. */
void hv_ip_set_writable(struct hv_ip *ip, void (*writable)(void *ctx), void *ctx);

/* -ENOSPC. Sets link->ifindex and link->deliver. The ip owns the link whatever is returned: at -ENOSPC
 * it is destroyed. */
int hv_ip_attach(struct hv_ip *ip, struct haven_link *link, unsigned *ifindex);
struct haven_link *hv_ip_link(const struct hv_ip *ip, unsigned ifindex); /* NULL: none */
/* prefix_bits in the family's own count. Errors as haven_address_add(), haven_route_add(). */
int hv_ip_address_add(struct hv_ip *ip, unsigned ifindex, const struct hv_addr *addr,
		      unsigned prefix_bits);
int hv_ip_route_add(struct hv_ip *ip, unsigned ifindex, const struct hv_addr *dst,
		    unsigned prefix_bits, const struct hv_addr *gateway);

bool hv_ip_is_local(const struct hv_ip *ip,
		    const struct hv_addr *addr); /* an address of ours */
/*
 * Be in a multicast group on a link, once more: it is left with the last hv_ip_group_leave(). -EINVAL (no group),
 * -ENODEV, -ENOBUFS (HV_IP_MAX_GROUPS).
 */
int hv_ip_group_join(struct hv_ip *ip, unsigned ifindex, const struct hv_addr *group);
void hv_ip_group_leave(struct hv_ip *ip, unsigned ifindex, const struct hv_addr *group);
/* Whether it was joined there; ifindex 0: on any link. */
bool hv_ip_is_member(const struct hv_ip *ip, unsigned ifindex, const struct hv_addr *group);
/* The link that has this address; any address: that to which datagrams to the group go. -ENODEV. */
int hv_ip_group_link(struct hv_ip *ip, const struct hv_addr *group, const struct hv_addr *addr);
/* Source address for a destination (RFC 6724, the small part that applies). 0 or -ENETUNREACH/-EADDRNOTAVAIL. */
int hv_ip_source(const struct hv_ip *ip, const struct hv_addr *dst, struct hv_addr *src);
/* Largest IP packet towards dst: min of link MTU and path MTU cache. 0: no route. */
uint32_t hv_ip_mtu(const struct hv_ip *ip, const struct hv_addr *dst);
/* Packets to dst must not be larger than mtu from here on, for ten minutes (RFC 1191, RFC 8201). */
void hv_ip_mtu_note(struct hv_ip *ip, const struct hv_addr *dst, uint32_t mtu);
/*
 * Advice of a transport: packets to dst are not answered. The neighbour that they go to is asked whether it is there
 * (RFC 1122 section 3.3.1.4, RFC 4861 section 7.3).
 */
void hv_ip_suspect(struct hv_ip *ip, const struct hv_addr *dst);
/* HAVEN_OFFLOAD_ bits of the link towards dst: all are usable (software finishes); this only says what is free. */
bool hv_ip_is_busy(const struct hv_ip *ip, const struct hv_addr *dst);

/*
 * Send a transport segment. packet->data is at the transport header with HV_PACKET_HEADROOM before it.
 * Checksum: csum == HV_CSUM_PARTIAL with csum_start/offset set and the pseudo-header sum in the field
 * (hv_wire_pseudo_sum), or already complete (HV_CSUM_NONE). gso_type/gso_size as wanted.
 * Returns 0, -ENETUNREACH, -EHOSTUNREACH, -EMSGSIZE, -EAGAIN (link busy: dropped), -ENOMEM. Consumes.
 */
int hv_ip_output(struct hv_ip *ip, const struct hv_ip_tx *tx, struct hv_packet *packet);

/* ICMP errors about a packet that came in (never about ICMP errors, fragments but the first, broadcast; RFC 1122
 * section 3.2.2, RFC 4443 section 2.4(e)). Does not consume. kind and mtu as in <haven/forward.h>. offender NULL: ours. */
void hv_ip_unreachable(struct hv_ip *ip, const struct hv_packet *packet, int kind, uint32_t mtu,
		       const struct hv_addr *offender);
/* The same with a quotation given as bytes (IP header and what follows). Returns 0, -EAGAIN (rate), -ENETUNREACH. */
int hv_ip_icmp_error_output(struct hv_ip *ip, int kind, uint32_t mtu,
			    const struct hv_addr *offender, const struct hv_addr *to,
			    const uint8_t *quote, uint32_t quote_len);
/* Echo reply from src to dst. */
int hv_ip_echo_reply(struct hv_ip *ip, const struct hv_addr *src, const struct hv_addr *dst,
		     uint16_t identifier, uint16_t sequence, const uint8_t *data,
		     uint32_t size);

#endif
