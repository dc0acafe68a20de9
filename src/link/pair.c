/*
 * A wire in memory: two links, for two stacks of one process or two ends in one stack.
 *
 * What one end puts out is copied at once into a packet of the receiving stack (each stack has
 * its own allocator) and waits there until that stack's haven_input(), so that neither stack
 * ever runs inside the other. Offload marks go across as they are: a packet of 64 KiB with a
 * partial checksum arrives as one.
 */
#include <string.h>

#include "link/backend.h"

enum { DEFAULT_QUEUE_PACKETS = 1024 };

struct pair_end {
	struct haven_link link;
	struct pair_end *peer;		 /* NULL: the other end is gone */
	struct hv_packet_queue incoming; /* in memory of this end's stack */
	unsigned queue_packets;
};

static struct pair_end *end_of(struct haven_link *link)
{
	return (struct pair_end *)link;
}

static int pair_output(struct haven_link *link, struct hv_packet *packet)
{
	struct pair_end *peer = end_of(link)->peer;
	struct hv_packet *copy;

	link->counters.calls_out++;
	if (!peer) {
		hv_drop(link->core, packet, HV_DROP_LINK_ERROR);
		return -ENETDOWN;
	}
	if (peer->incoming.count >= peer->queue_packets) {
		link->counters.busy++;
		hv_drop(link->core, packet, HV_DROP_LINK_BUSY);
		return 0; /* as on a wire: the sender does not learn of it */
	}
	copy = hv_packet_copy(peer->link.core, packet);
	if (!copy) {
		hv_drop(link->core, packet, HV_DROP_NO_MEMORY);
		return -ENOMEM;
	}
	hv_packet_free(link->core, packet);
	hv_packet_queue_push(&peer->incoming, copy);
	hv_link_set_pending(&peer->link, true);
	return 0;
}

static int pair_receive(struct haven_link *link, unsigned budget)
{
	struct pair_end *end = end_of(link);
	struct hv_packet *packet;
	unsigned count = 0;

	link->counters.calls_in++;
	while (count < budget && (packet = hv_packet_queue_pop(&end->incoming))) {
		count++;
		hv_link_deliver(link, packet);
	}
	hv_link_set_pending(link, end->incoming.count != 0);
	return (int)count;
}

static void pair_destroy(struct haven_link *link)
{
	struct pair_end *end = end_of(link);

	if (end->peer)
		end->peer->peer = NULL;
	hv_packet_queue_clear(link->core, &end->incoming);
	hv_link_release(link, sizeof(*end));
}

static const struct hv_link_ops pair_ops = {
	.name = "pair",
	.output = pair_output,
	.receive = pair_receive,
	.destroy = pair_destroy,
};

int haven_link_pair(struct haven_stack *stack_a, struct haven_stack *stack_b,
		    const struct haven_link_config *config, unsigned queue_packets,
		    struct haven_link **out_a, struct haven_link **out_b)
{
	struct haven_link *a, *b;
	int error;

	error = hv_link_new(stack_a, &pair_ops, sizeof(struct pair_end), config, &a);
	if (error)
		return error;
	error = hv_link_new(stack_b, &pair_ops, sizeof(struct pair_end), config, &b);
	if (error) {
		haven_link_destroy(a);
		return error;
	}
	if (!memcmp(a->mac, b->mac, sizeof(a->mac)))
		b->mac[5] ^= 1; /* an address that was given is the first end's */
	end_of(a)->peer = end_of(b);
	end_of(b)->peer = end_of(a);
	end_of(a)->queue_packets = queue_packets ? queue_packets : DEFAULT_QUEUE_PACKETS;
	end_of(b)->queue_packets = end_of(a)->queue_packets;
	*out_a = a;
	*out_b = b;
	return 0;
}
