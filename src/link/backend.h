/*
 * What back-ends and wrappers share; nobody outside of this room includes it.
 */
#ifndef HV_LINK_BACKEND_H
#define HV_LINK_BACKEND_H

#include "link/link.h"

enum {
	/* Frames that wait for a descriptor to become writable; beyond that they are dropped. */
	HV_LINK_BLOCKED_PACKETS = 256,
	HV_LINK_BLOCKED_BYTES = 4 << 20,
	/* Room before a received frame. Two more than HV_PACKET_HEADROOM, so that the IP header is aligned. */
	HV_LINK_HEADROOM = HV_PACKET_HEADROOM + 2,
	/* Largest frame that goes into a packet. */
	HV_LINK_FRAME_MAX = HV_PACKET_LARGE - HV_LINK_HEADROOM,
};

/*
 * A zeroed link of `size` bytes (a struct that begins with struct haven_link), its common part
 * filled in from config (NULL: the defaults). 0, -EINVAL (MTU out of range), -ENOMEM.
 */
int hv_link_new(struct haven_stack *stack, const struct hv_link_ops *ops, size_t size,
		const struct haven_link_config *config, struct haven_link **out);
/* A link of `size` bytes around inner, whose frames go to `deliver`. NULL: no memory (inner is destroyed). */
struct haven_link *hv_link_wrap(struct haven_stack *stack, const struct hv_link_ops *ops,
				size_t size, struct haven_link *inner,
				void (*deliver)(void *ctx, struct haven_link *link,
						struct hv_packet *packet));
/* Drop what is blocked, destroy the inner link, close the descriptor, free `size` bytes. */
void hv_link_release(struct haven_link *link, size_t size);

/* ops->output of a back-end with ops->transmit: send, or keep until writable. */
int hv_link_output_queued(struct haven_link *link, struct hv_packet *packet);
/* ops->writable of such a back-end. */
void hv_link_writable_queued(struct haven_link *link);
/* ops->receive and ops->writable of a wrapper: those of the link inside. */
int hv_link_receive_inner(struct haven_link *link, unsigned budget);
void hv_link_writable_inner(struct haven_link *link);

/* Whether frames wait in memory; tells the wrappers too. */
void hv_link_set_pending(struct haven_link *link, bool pending);

/* The link that holds the descriptor or queue. */
static inline const struct haven_link *hv_link_innermost(const struct haven_link *link)
{
	while (link->inner)
		link = link->inner;
	return link;
}

#endif
