/*
 * Neighbours: the Ethernet addresses of hosts on our links, found by ARP (RFC 826) and neighbour
 * discovery (RFC 4861), kept by the state machine of RFC 4861 section 7.3 for both.
 *
 *	                  answer                     30 s +- half
 *	INCOMPLETE ------------------> REACHABLE -----------------> STALE <--- learned from
 *	    | 3 x 1 s                    ^   ^                        |        a request
 *	    v                     answer |   | answer                 | used
 *	 removed, queued                 |   |        5 s             v
 *	 packets reported <--- PROBE ----+   +------ PROBE <------- DELAY
 *	                        3 x 1 s
 *
 * Stands between ip_output.c (packets with an IP header) and the link (frames).
 */
#ifndef HV_IP_NEIGHBOUR_H
#define HV_IP_NEIGHBOUR_H

#include "base/core.h"
#include "base/hash.h"
#include "base/list.h"
#include "wire/ethernet.h"

struct hv_ip;

/* RFC 4861 section 10. */
#define HV_NEIGHBOUR_REACHABLE_NS  UINT64_C(30000000000) /* REACHABLE_TIME, before jitter */
#define HV_NEIGHBOUR_RETRANSMIT_NS UINT64_C(1000000000)	 /* RETRANS_TIMER */
#define HV_NEIGHBOUR_DELAY_NS	   UINT64_C(5000000000)	 /* DELAY_FIRST_PROBE_TIME */
enum { HV_NEIGHBOUR_TRIES = 3 }; /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */

/*
 * What waits for one neighbour's address; beyond it the oldest goes (RFC 4861 section 7.2.2).
 * Enough for one UDP datagram of 64 KiB in fragments.
 */
enum { HV_NEIGHBOUR_QUEUE_PACKETS = 64, HV_NEIGHBOUR_QUEUE_BYTES = 128 * 1024 };

enum hv_neighbour_state {
	HV_NEIGHBOUR_INCOMPLETE,
	HV_NEIGHBOUR_REACHABLE,
	HV_NEIGHBOUR_STALE,
	HV_NEIGHBOUR_DELAY,
	HV_NEIGHBOUR_PROBE,
};

struct hv_neighbour {
	struct hv_hash_node node;
	struct hv_list age; /* in the table, longest unused first, roughly */
	struct hv_timer timer;
	struct hv_ip *ip;
	struct haven_link *link;
	struct hv_addr addr;
	uint64_t reachable_until_ns; /* REACHABLE: becomes STALE then, when it is looked at */
	uint64_t used_ns;	     /* last packet sent to it */
	uint64_t listed_ns;	     /* when it was last put at the young end of the list */
	uint8_t state;
	uint8_t tries;			 /* solicitations sent in INCOMPLETE or PROBE */
	uint8_t ethernet[HV_ETH_HEADER]; /* the frame header to it, ready to be copied */
	struct hv_packet_queue queue;	 /* INCOMPLETE: packets that wait, at their IP header */
};

struct hv_neighbour_table {
	struct hv_hash hash;
	struct hv_list age;
	uint32_t count;
};

void hv_neighbour_init(struct hv_ip *ip);
void hv_neighbour_finish(struct hv_ip *ip);

struct hv_neighbour *hv_neighbour_find(const struct hv_ip *ip, const struct haven_link *link,
				       const struct hv_addr *addr);
/* The entry, made INCOMPLETE when there is none (the longest unused one goes at the limit).
 * NULL: no memory. */
struct hv_neighbour *hv_neighbour_get(struct hv_ip *ip, struct haven_link *link,
				      const struct hv_addr *addr);

/*
 * Send a packet (data at its IP header) to a neighbour: at once when its address is known, after
 * resolution otherwise. Consumes. 0 (also when it waits), -ENOMEM, or what the link said.
 */
int hv_neighbour_output(struct hv_neighbour *neighbour, struct hv_packet *packet);

/* It may not be there any more: asked about when it is used next, though it answered not long ago. */
void hv_neighbour_suspect(struct hv_neighbour *neighbour);

/* A request or solicitation told the sender's address (RFC 4861 section 7.2.3; RFC 826). create:
 * also when it is not known yet. */
void hv_neighbour_learn(struct hv_ip *ip, struct haven_link *link, const struct hv_addr *addr,
			const uint8_t *mac, bool create);
/* An answer came (RFC 4861 section 7.2.5). mac NULL: it had no link address. May remove nothing. */
void hv_neighbour_answer(struct hv_neighbour *neighbour, const uint8_t *mac, bool solicited,
			 bool override);

#endif
