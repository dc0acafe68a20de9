/*
 * A link of the caller's own: frames leave through a callback, and enter a queue that the next
 * haven_input() empties. For QEMU's stream socket, tunnels, recorded traffic and tests.
 */
#include <string.h>

#include "link/backend.h"
#include "link/vnet.h"

enum { QUEUE_PACKETS = 1024 };

struct custom_link {
	struct haven_link link;
	struct haven_link_ops ops; /* the caller's */
	void *user;
	struct hv_packet_queue incoming;
};

static int custom_transmit(struct haven_link *link, struct hv_packet *packet)
{
	struct custom_link *self = (struct custom_link *)link;
	struct haven_frame_offload offload;
	struct hv_vnet_header header;
	struct iovec iov[1 + HV_PACKET_SLICES];
	int count = 0;

	if (!hv_vnet_write(packet, &header))
		return -EINVAL;
	offload = (struct haven_frame_offload){
		.flags = header.flags,
		.gso_type = packet->gso_type,
		.gso_size = packet->gso_size,
		.csum_start = header.csum_start,
		.csum_offset = header.csum_offset,
	};
	iov[count++] = (struct iovec){packet->data, packet->len};
	for (unsigned i = 0; i < packet->slice_count; i++)
		iov[count++] = packet->slices[i];
	link->counters.calls_out++;
	return self->ops.send(self->user, iov, count, &offload);
}

static int custom_receive(struct haven_link *link, unsigned budget)
{
	struct custom_link *self = (struct custom_link *)link;
	struct hv_packet *packet;
	unsigned count = 0;

	link->counters.calls_in++;
	while (count < budget && (packet = hv_packet_queue_pop(&self->incoming))) {
		count++;
		hv_link_deliver(link, packet);
	}
	hv_link_set_pending(link, self->incoming.count != 0);
	return (int)count;
}

static void custom_destroy(struct haven_link *link)
{
	struct custom_link *self = (struct custom_link *)link;

	if (self->ops.destroy)
		self->ops.destroy(self->user);
	hv_packet_queue_clear(link->core, &self->incoming);
	hv_link_release(link, sizeof(*self));
}

static const struct hv_link_ops custom_ops = {
	.name = "custom",
	.output = hv_link_output_queued,
	.receive = custom_receive,
	.writable = hv_link_writable_queued,
	.destroy = custom_destroy,
	.transmit = custom_transmit,
};

int haven_link_custom(struct haven_stack *stack, const struct haven_link_ops *ops, void *user,
		      bool ethernet, const struct haven_link_config *config,
		      struct haven_link **out)
{
	struct custom_link *self;
	struct haven_link *link;
	int error;

	if (!ops->send)
		return -EINVAL;
	error = hv_link_new(stack, &custom_ops, sizeof(*self), config, &link);
	if (error)
		return error;
	link->ethernet = ethernet;
	self = (struct custom_link *)link;
	self->ops = *ops;
	self->user = user;
	*out = link;
	return 0;
}

/* The caller's description as the header that a kernel would have sent, which is then checked. */
static bool set_offload(struct hv_packet *packet, const struct haven_frame_offload *offload)
{
	const struct hv_vnet_header header = {
		.flags = offload->flags,
		.gso_type = offload->gso_type,
		.gso_size = offload->gso_size,
		.csum_start = offload->csum_start,
		.csum_offset = offload->csum_offset,
	};

	return hv_vnet_parse(packet, &header);
}

int haven_link_custom_input(struct haven_link *link, const void *frame, size_t size,
			    const struct haven_frame_offload *offload)
{
	struct custom_link *self;
	struct hv_packet *packet;

	while (link->inner)
		link = link->inner;
	if (link->ops != &custom_ops)
		return -EINVAL;
	self = (struct custom_link *)link;
	if (size > HV_LINK_FRAME_MAX)
		return -EMSGSIZE;
	if (self->incoming.count >= QUEUE_PACKETS) {
		link->core->drops[HV_DROP_LINK_BUSY]++;
		return -ENOBUFS;
	}
	packet = hv_packet_new(link->core, HV_LINK_HEADROOM, (uint32_t)size);
	if (!packet) {
		link->core->drops[HV_DROP_NO_MEMORY]++;
		return -ENOMEM;
	}
	memcpy(hv_packet_append(packet, (uint32_t)size), frame, size);
	if (offload && !set_offload(packet, offload)) {
		hv_drop(link->core, packet, HV_DROP_LINK_OFFLOAD);
		return -EINVAL;
	}
	hv_packet_queue_push(&self->incoming, packet);
	hv_link_set_pending(link, true);
	return 0;
}
