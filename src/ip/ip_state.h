/*
 * The IP layer's state, for this room and stack.c. Everybody else includes ip/ip.h.
 */
#ifndef HV_IP_IP_STATE_H
#define HV_IP_IP_STATE_H

#include "ip/icmp.h"
#include "ip/ip.h"
#include "ip/neighbour.h"
#include "ip/path_mtu.h"
#include "ip/reassembly.h"

/* An address of ours. */
struct hv_ip_address {
	struct hv_addr addr;
	struct hv_addr
		broadcast; /* IPv4, prefix shorter than /31: directed broadcast; else any */
	uint8_t bits;	   /* of the network's prefix, in the 128-bit form */
	bool is_v4;
	struct haven_link *link;
};

/* A multicast group that sockets joined. */
struct hv_ip_group {
	struct hv_addr addr;
	unsigned ifindex;
	uint32_t references;
};

/* Kept in the order of prefix length, longest first: the first match wins. */
struct hv_ip_route {
	struct hv_addr dst, mask;
	uint8_t bits; /* in the 128-bit form */
	bool is_v4;
	bool has_gateway;
	struct hv_addr gateway;
	struct haven_link *link;
};

/*
 * The way to one destination, remembered: link, next hop, neighbour and MTU. Slots of a small
 * direct-mapped cache. A slot is good while its generation is the layer's: whatever changes a
 * route, an address, a path MTU or ends a neighbour raises that.
 */
struct hv_ip_path {
	struct hv_addr dst, next_hop;
	struct haven_link *link;	/* NULL: dst is ours, the packet turns round here */
	struct hv_neighbour *neighbour; /* NULL: not looked up yet, or the link needs none */
	uint64_t until_ns;		/* the path MTU has to be asked for again then */
	uint32_t generation;		/* 0: empty */
	uint32_t mtu;			/* largest IP packet */
};

enum { HV_IP_PATHS = 16, HV_IP_ID_COUNTERS = 64 };

struct hv_ip {
	struct hv_core *core;
	struct hv_ip_config config;

	struct haven_link *links[HV_IP_MAX_LINKS]; /* ifindex - 1 */
	unsigned link_count;
	struct hv_ip_address addresses[HV_IP_MAX_ADDRESSES];
	unsigned address_count;
	struct hv_ip_route routes[HV_IP_MAX_ROUTES];
	unsigned route_count;
	struct hv_ip_group groups[HV_IP_MAX_GROUPS];
	unsigned group_count;
	struct hv_ip_path paths[HV_IP_PATHS];
	uint32_t generation; /* never 0 */

	struct hv_ip_transport tcp, udp;
	hv_ip_echo_fn *echo;
	void *echo_ctx;
	hv_ip_echo_filter_fn *echo_filter;
	void *echo_filter_ctx;
	void (*writable)(void *ctx);
	void *writable_ctx;

	struct hv_neighbour_table neighbours;
	struct hv_reassembly reassembly;
	struct hv_path_mtu_table path_mtus;
	struct hv_icmp_limiter limiter;
	uint32_t id_counters[HV_IP_ID_COUNTERS]; /* fragment identifications, RFC 7739 5.3 */

	struct hv_timer advertise_timer;	 /* router advertisements */
	uint64_t advertised_ns[HV_IP_MAX_LINKS]; /* last one sent to all nodes; 0: never */
	struct hv_timer loop_timer;		 /* packets to ourselves */
	struct hv_packet_queue loop_queue;

	uint64_t packets_in, packets_out;
};

/* Cannot fail: memory is taken when it is needed. core and config must be set up. */
void hv_ip_init(struct hv_ip *ip, struct hv_core *core, const struct hv_ip_config *config);
/* Destroys the links and frees everything. */
void hv_ip_finish(struct hv_ip *ip);
/* A link that was busy is free: tell the transports (hv_ip_set_writable()). */
void hv_ip_writable(struct hv_ip *ip);

/* ip_input.c: what links deliver (haven_link.deliver). */
void hv_ip_input(void *ctx, struct haven_link *link, struct hv_packet *packet);
/* The packet at its IP header, `l3` bytes into packet->data. link NULL: from ourselves. */
void hv_ipv4_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet,
		   uint32_t l3);
void hv_ipv6_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet,
		   uint32_t l3);
/* A whole TCP or UDP packet to its transport. False (not consumed): nobody takes the protocol. */
bool hv_ip_transport_input(struct hv_ip *ip, struct hv_packet *packet);

/* Where a packet is going to, seen from here. */
enum hv_ip_scope {
	HV_IP_SCOPE_OURS,	 /* an address of this stack */
	HV_IP_SCOPE_GROUP,	 /* broadcast, or a multicast group that we are in */
	HV_IP_SCOPE_OTHER_GROUP, /* a group that we are not in */
	HV_IP_SCOPE_ELSEWHERE,	 /* another unicast address */
};

/* address.c */
enum hv_ip_scope hv_ip_scope(const struct hv_ip *ip, const struct haven_link *link,
			     const struct hv_addr *dst);
/* Our address on a link for talking to `peer` there: same family and scope, longest common
 * prefix. NULL: the link has none. */
const struct hv_ip_address *hv_ip_link_source(const struct hv_ip *ip,
					      const struct haven_link *link,
					      const struct hv_addr *peer);
/* Our link-local IPv6 address on a link, or NULL. */
const struct hv_ip_address *hv_ip_link_local(const struct hv_ip *ip,
					     const struct haven_link *link);
/* Whether one of our addresses on this link is addr. */
bool hv_ip_is_on_link(const struct hv_ip *ip, const struct haven_link *link,
		      const struct hv_addr *addr);

/* route.c */
/* The way to dst, from the cache where it can be. NULL: no route. Valid until the next call. */
struct hv_ip_path *hv_ip_path(struct hv_ip *ip, const struct hv_addr *dst);
/* Every cached path is void: something changed. */
void hv_ip_paths_changed(struct hv_ip *ip);

/* ip_output.c */
/* As hv_ip_output(), on a link of the caller's choice, to a destination on that link. */
int hv_ip_output_link(struct hv_ip *ip, struct haven_link *link, const struct hv_ip_tx *tx,
		      struct hv_packet *packet);
/* A complete IP packet (data at its header) to the path's next hop. Consumes. */
int hv_ip_transmit(struct hv_ip *ip, struct hv_ip_path *path, struct hv_packet *packet);
/* The IP header in front of a segment, with fragment fields zero. */
void hv_ip_push_header(struct hv_ip *ip, const struct hv_ip_tx *tx, struct hv_packet *packet);
/* fragment.c */
uint32_t hv_ip_fragment_id(struct hv_ip *ip, const struct hv_ip_tx *tx);
/* Cut a segment into fragments that fit path->mtu. As hv_ip_output(). */
int hv_ip_fragment_output(struct hv_ip *ip, struct hv_ip_path *path, const struct hv_ip_tx *tx,
			  struct hv_packet *packet);

/* loop.c: a complete IP packet to one of our own addresses, or (d.ifindex: on that link) to a group. As
 * hv_ip_transmit(). */
void hv_ip_loop_init(struct hv_ip *ip);
int hv_ip_loop_output(struct hv_ip *ip, struct hv_packet *packet);

/* arp.c: packets begin at the Ethernet header. */
void hv_arp_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet);
/* Ask who has target; mac: only this station (RFC 1122 section 2.3.2.1), NULL: all. */
void hv_arp_solicit(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *target,
		    const uint8_t *mac);

/* ndp.c: ICMPv6 messages of neighbour discovery; checksum and descriptor are done. */
void hv_ndp_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet);
/* Ask for target's link address; unicast: only the station that is in the neighbour table. */
void hv_ndp_solicit(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *target,
		    bool unicast);

/* ndp_router.c */
void hv_ndp_router_init(struct hv_ip *ip);
void hv_ndp_router_solicit_input(struct hv_ip *ip, struct haven_link *link,
				 struct hv_packet *packet);
/* Begin to advertise at intervals; done when a link gets an IPv6 address. */
void hv_ndp_router_start(struct hv_ip *ip);

static inline bool hv_ip_is_unspecified(const struct hv_addr *a)
{
	return hv_addr_is_any(a);
}

#endif
