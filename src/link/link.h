/*
 * Links, seen from inside: what a back-end or a wrapper implements, and what ip/ calls.
 *
 * Frames have an Ethernet header when link->ethernet, else they begin with the IP header.
 * In:  hv_link_receive() pulls up to `budget` frames from the back-end and hands each to
 *      link->deliver (set by stack.c, or by the wrapper around it). Packet: data at the frame's start.
 * Out: hv_link_output() takes a complete frame, with offload marks for what is left to be done. Work
 *      that the back-end lacks (checksum, segmentation) is done in link/offload.c before it sees the packet.
 */
#ifndef HV_LINK_LINK_H
#define HV_LINK_LINK_H

#include <haven/link.h>

#include "base/core.h"

struct hv_link_ops {
	const char *name;
	/* Send now or keep; consumes. Only what features allow. Returns 0, or a negative errno after counting the drop. */
	int (*output)(struct haven_link *link, struct hv_packet *packet);
	/* Read up to budget frames, hv_link_deliver() each. Returns the number, or -ENETDOWN. */
	int (*receive)(struct haven_link *link, unsigned budget);
	/* The descriptor is writable again. May be NULL. */
	void (*writable)(struct haven_link *link);
	void (*destroy)(struct haven_link *link);
	/* For back-ends whose output is hv_link_output_queued(): send now. Does not consume; -EAGAIN: not now. */
	int (*transmit)(struct haven_link *link, struct hv_packet *packet);
};

struct haven_link {
	const struct hv_link_ops *ops;
	struct hv_core *core;
	struct haven_link *inner; /* of a wrapper: what it wraps */
	struct haven_link *outer; /* the wrapper around this one, NULL: outermost */
	void (*deliver)(void *ctx, struct haven_link *link, struct hv_packet *packet);
	void *deliver_ctx;
	unsigned ifindex; /* 0: not attached */
	int fd;		  /* -1: none */
	uint8_t mac[6];
	bool ethernet;
	uint32_t mtu;
	unsigned offloads; /* HAVEN_OFFLOAD_ that output takes as they are */
	bool pending; /* in memory: frames wait to be received (haven_next_deadline is "now") */
	struct hv_packet_queue blocked; /* waits for writable */
	struct haven_link_counters counters;
};

/* Count, then link->deliver. Consumes. */
void hv_link_deliver(struct haven_link *link, struct hv_packet *packet);
int hv_link_receive(struct haven_link *link, unsigned budget);
/* Finish in software what the link lacks, then ops->output for each resulting packet. Consumes. */
int hv_link_output(struct haven_link *link, struct hv_packet *packet);
/* The descriptor is writable again: send what waited. */
void hv_link_writable(struct haven_link *link);
/* Outermost capacity check: true while frames are blocked, so that TCP holds back instead of losing. */
static inline bool hv_link_is_busy(const struct haven_link *link)
{
	while (link->inner)
		link = link->inner;
	return link->blocked.count != 0;
}

/* link/offload.c: fill in a partial checksum in place (linear and slices). */
void hv_offload_checksum(struct hv_packet *packet);
/*
 * Cut a GSO packet into wire-sized ones with complete headers (checksums left partial when keep_partial). Consumes;
 * appends packets that own their bytes to out. 0, -EINVAL (no packet that can be cut; counted), -ENOMEM (counted;
 * what was cut before is in out).
 */
int hv_offload_segment(struct hv_core *core, struct hv_packet *packet, bool ethernet,
		       bool keep_partial, struct hv_packet_queue *out);

#endif
