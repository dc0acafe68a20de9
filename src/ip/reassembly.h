/*
 * Reassembly of IPv4 (RFC 791 section 3.2, RFC 1122 section 3.3.2) and IPv6 (RFC 8200 section
 * 4.5) datagrams. Stands between the IP headers and the transports.
 *
 * A datagram is put together in one large packet from its first fragment on: a fragment is copied
 * to its offset, and a bitmap of 8-byte units knows what is there. So fragments may come in any order
 * at the same price, overlaps are seen (RFC 5722), and nothing is copied twice.
 *
 *	head      512 - header         512
 *	| ......  | link and IP header | payload, up to 65,535 bytes ... |
 */
#ifndef HV_IP_REASSEMBLY_H
#define HV_IP_REASSEMBLY_H

#include "base/core.h"
#include "base/hash.h"
#include "base/list.h"

struct hv_ip;

enum {
	HV_REASSEMBLY_HEADER = 512, /* room for link header, IP header and its extensions */
	HV_REASSEMBLY_UNITS = 8192, /* of 8 bytes: 64 KiB */
};
#define HV_REASSEMBLY_V4_NS UINT64_C(30000000000) /* RFC 791 suggests 15 s, Linux takes 30 s */
#define HV_REASSEMBLY_V6_NS UINT64_C(60000000000) /* RFC 8200 section 4.5 */

/* One datagram in pieces. */
struct hv_datagram {
	struct hv_hash_node node;
	struct hv_list age; /* in the table, oldest first */
	struct hv_timer timer;
	struct hv_ip *ip;
	struct hv_addr src, dst;
	uint32_t id;
	uint8_t proto;		  /* part of the key over IPv4 only */
	uint8_t ecn_seen;	  /* bit n: a fragment with ECN field n was there */
	struct hv_packet *packet; /* NULL: overlap was seen, whatever still comes is dropped */
	uint32_t l2_len;	  /* of the first fragment's frame */
	uint32_t
		header_len; /* IP header and extensions before the payload; 0: first not here yet */
	uint32_t first_len; /* bytes of the first fragment's data */
	uint32_t
		next_header_at; /* IPv6: where to write the payload's protocol, from the header */
	uint32_t total_len;	/* of the payload; 0: last fragment not here yet */
	uint32_t end;		/* highest end so far */
	uint32_t units;		/* held */
	uint64_t bitmap[HV_REASSEMBLY_UNITS / 64];
};

struct hv_reassembly {
	struct hv_hash hash;
	struct hv_list age;
	size_t bytes; /* of entries and their packets */
};

/* One fragment, as its header says. */
struct hv_fragment {
	uint32_t id;
	uint32_t l2_len;	 /* bytes before the IP header */
	uint32_t header_len;	 /* from the IP header to the fragment's data */
	uint32_t next_header_at; /* IPv6: the byte to change when the fragment header goes */
	uint32_t offset;	 /* bytes, multiple of 8 */
	uint32_t len;		 /* of its data */
	bool more;
	uint8_t proto;
};

void hv_reassembly_init(struct hv_ip *ip);
void hv_reassembly_finish(struct hv_ip *ip);

/*
 * Take a fragment (descriptor: src, dst, l3, traffic class, ifindex, link_broadcast). Consumes it.
 * Returns the whole packet when it was the missing one, with its IP header set right and the
 * descriptor filled in, or NULL.
 */
struct hv_packet *hv_reassembly_input(struct hv_ip *ip, struct hv_packet *packet,
				      const struct hv_fragment *fragment);

#endif
