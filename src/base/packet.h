/*
 * The packet: bytes with headroom, borrowed payload slices, offload metadata as virtio-net has
 * it, and one parsed descriptor that is filled once on the way in.
 *
 * Ownership: a function that takes a struct hv_packet consumes it, whatever it returns, unless
 * its header says otherwise. Consuming ends in hv_packet_free() or hv_drop().
 *
 * Layout:    head          data                 data+len       head+capacity
 *             |  headroom   |  linear bytes      |  tailroom    |
 * followed, on output only, by up to HV_PACKET_SLICES borrowed slices (a TCP send buffer's
 * bytes): they stay valid only until the link's output function returns, so a link that keeps
 * a packet calls hv_packet_own() first.
 */
#ifndef HV_BASE_PACKET_H
#define HV_BASE_PACKET_H

#include <sys/uio.h>

#include "base/addr.h"

struct hv_core;

enum {
	HV_PACKET_SLICES = 2,
	HV_PACKET_HEADROOM = 128, /* vnet header, Ethernet, IPv6 and room to spare */
	HV_PACKET_SMALL = 2048,	  /* capacity of a small buffer */
	HV_PACKET_LARGE =
		65536 + 512 /* capacity of a large one: 64 KiB IP packet and headers */
};

enum {
	HV_CSUM_NONE = 0,
	HV_CSUM_PARTIAL =
		1, /* checksum field holds the pseudo-header sum; rest to be filled in */
	HV_CSUM_VALID = 2, /* receive: verified by the link, or never left the machine */
};

enum { HV_GSO_NONE = 0, HV_GSO_TCP4 = 1, HV_GSO_TCP6 = 4, HV_GSO_UDP = 5 };

/* Parsed once: Ethernet and IP parts by ip/, transport parts by tcp/ or udp/. */
struct hv_desc {
	struct hv_addr src, dst;
	unsigned ifindex; /* where it came in */
	uint8_t *l3, *l4; /* into the packet's linear bytes */
	uint8_t *payload;
	uint32_t payload_len; /* of the transport, without padding */
	uint8_t proto;	      /* IPPROTO_ of the transport */
	uint8_t hop_limit, traffic_class;
	bool dont_fragment;
	bool link_broadcast;	     /* frame was not for us alone: no ICMP error, no RST */
	uint16_t src_port, dst_port; /* set by tcp/ and udp/ only */
	/* TCP, host order */
	uint32_t seq, ack;
	uint16_t window, urgent;
	uint8_t tcp_flags;
	uint8_t options_len;
	uint8_t *options;
};

struct hv_packet {
	struct hv_packet *next; /* in a queue; NULL otherwise */
	uint8_t *head;
	uint32_t capacity;
	uint8_t *data;
	uint32_t len; /* linear bytes */
	struct iovec slices[HV_PACKET_SLICES];
	uint32_t slices_len; /* bytes in all slices */
	uint8_t slice_count;

	uint8_t csum;	     /* HV_CSUM_ */
	uint8_t gso_type;    /* HV_GSO_ */
	uint16_t gso_size;   /* transport payload bytes of each segment; 0: none */
	uint16_t csum_start; /* from head (not data), so that it survives push and pull */
	uint16_t csum_offset;
	uint64_t time_ns; /* wrappers: when to let it go */

	struct hv_desc d;
};

/* Free lists of packets, so that the hot path meets the same warm buffer again. */
struct hv_packet_pool {
	struct hv_packet *small, *large;
	unsigned small_count, large_count;
};
/* How many free packets are kept; the rest goes back to the environment. */
enum { HV_PACKET_POOL_SMALL = 256, HV_PACKET_POOL_LARGE = 32 };
void hv_packet_pool_clear(struct hv_core *core);

/*
 * A packet with at least `headroom` before data and `size` bytes of room from data on; len is 0.
 * Small or large buffer by need. NULL: no memory, or more than HV_PACKET_LARGE.
 */
struct hv_packet *hv_packet_new(struct hv_core *core, uint32_t headroom, uint32_t size);
void hv_packet_free(struct hv_core *core, struct hv_packet *packet); /* NULL is allowed */
/* A copy with slices folded into the linear bytes, descriptor pointers moved along; NULL: no memory. Does not consume. */
struct hv_packet *hv_packet_copy(struct hv_core *core, const struct hv_packet *packet);
/* Fold borrowed slices into the packet itself. Returns the packet (maybe another one), or NULL (freed): no memory. */
struct hv_packet *hv_packet_own(struct hv_core *core, struct hv_packet *packet);

static inline uint32_t hv_packet_headroom(const struct hv_packet *p)
{
	return (uint32_t)(p->data - p->head);
}
static inline uint32_t hv_packet_tailroom(const struct hv_packet *p)
{
	return p->capacity - (uint32_t)(p->data - p->head) - p->len;
}
static inline uint32_t hv_packet_size(const struct hv_packet *p)
{
	return p->len + p->slices_len;
}
/* Make room for a header in front; returns its start. The headroom must be there (asserted). */
uint8_t *hv_packet_push(struct hv_packet *packet, uint32_t size);
/* Take a header off the front; the bytes must be there (asserted). */
void hv_packet_pull(struct hv_packet *packet, uint32_t size);
/* Append room at the end of the linear bytes; returns its start. Tailroom asserted; no slices yet. */
uint8_t *hv_packet_append(struct hv_packet *packet, uint32_t size);
void hv_packet_add_slice(struct hv_packet *packet, const void *base, uint32_t size);

/* FIFO of packets. */
struct hv_packet_queue {
	struct hv_packet *first, *last;
	uint32_t count;
	size_t bytes;
};
void hv_packet_queue_push(struct hv_packet_queue *queue, struct hv_packet *packet);
struct hv_packet *hv_packet_queue_pop(struct hv_packet_queue *queue); /* NULL when empty */
void hv_packet_queue_clear(struct hv_core *core, struct hv_packet_queue *queue);

#endif
