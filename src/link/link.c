/*
 * What all links have in common: the way in (counted, then up), the way out (offload work that
 * the back-end lacks is done before it sees a packet), the queue of frames that wait for a busy
 * descriptor, and the public accessors.
 *
 * A packet's way: back-end -> hv_link_deliver() -> wrappers -> ip/, and
 * ip/ -> hv_link_output() -> wrappers -> back-end.
 */
#include <string.h>
#include <unistd.h>

#include "link/backend.h"

/* --- in ---------------------------------------------------------------------------------- */

void hv_link_deliver(struct haven_link *link, struct hv_packet *packet)
{
	link->counters.frames_in++;
	link->counters.bytes_in += hv_packet_size(packet);
	link->deliver(link->deliver_ctx, link, packet);
}

int hv_link_receive(struct haven_link *link, unsigned budget)
{
	return link->ops->receive(link, budget);
}

int hv_link_receive_inner(struct haven_link *link, unsigned budget)
{
	return hv_link_receive(link->inner, budget);
}

/* A link that nobody attached yet. */
static void deliver_nowhere(void *ctx, struct haven_link *link, struct hv_packet *packet)
{
	(void)ctx;
	hv_packet_free(link->core, packet);
}

/* --- out --------------------------------------------------------------------------------- */

/* The HAVEN_OFFLOAD_ bits that a link must have to take this packet as it is. */
static inline unsigned offloads_needed(const struct hv_packet *packet)
{
	unsigned needed = packet->csum == HV_CSUM_PARTIAL ? HAVEN_OFFLOAD_CSUM : 0;

	switch (packet->gso_type) {
	case HV_GSO_NONE:
		return needed;
	case HV_GSO_TCP4:
		return needed | HAVEN_OFFLOAD_TSO4;
	case HV_GSO_TCP6:
		return needed | HAVEN_OFFLOAD_TSO6;
	default:
		return needed | HAVEN_OFFLOAD_USO;
	}
}

/* Returns the first error; the segments that follow a failed one are still tried. */
static __attribute__((noinline)) int output_segments(struct haven_link *link,
						     struct hv_packet *packet)
{
	struct hv_packet_queue segments = {0};
	struct hv_packet *segment;
	int result, error;

	result = hv_offload_segment(link->core, packet, link->ethernet,
				    link->offloads & HAVEN_OFFLOAD_CSUM, &segments);
	while ((segment = hv_packet_queue_pop(&segments))) {
		link->counters.frames_out++;
		link->counters.bytes_out += hv_packet_size(segment);
		error = link->ops->output(link, segment);
		if (error && !result)
			result = error;
	}
	return result;
}

int hv_link_output(struct haven_link *link, struct hv_packet *packet)
{
	unsigned missing = offloads_needed(packet) & ~link->offloads;

	if (__builtin_expect(missing != 0, 0)) {
		if (missing & ~(unsigned)HAVEN_OFFLOAD_CSUM || packet->gso_type)
			return output_segments(link, packet);
		hv_offload_checksum(packet);
	}
	link->counters.frames_out++;
	link->counters.bytes_out += hv_packet_size(packet);
	return link->ops->output(link, packet);
}

/* --- frames that wait for a descriptor --------------------------------------------------- */

static int block(struct haven_link *link, struct hv_packet *packet)
{
	link->counters.busy++;
	if (link->blocked.count >= HV_LINK_BLOCKED_PACKETS ||
	    link->blocked.bytes >= HV_LINK_BLOCKED_BYTES) {
		hv_drop(link->core, packet, HV_DROP_LINK_BUSY);
		return -EAGAIN;
	}
	packet = hv_packet_own(link->core, packet);
	if (!packet) {
		link->core->drops[HV_DROP_NO_MEMORY]++;
		return -ENOMEM;
	}
	hv_packet_queue_push(&link->blocked, packet);
	return 0;
}

/*
 * The end of a packet that was transmitted or failed to be. ENOBUFS: the interface had no room (or
 * no carrier) and lost it, as a wire would; nothing will tell when there is room again.
 */
static int transmitted(struct haven_link *link, struct hv_packet *packet, int error)
{
	if (!error) {
		hv_packet_free(link->core, packet);
		return 0;
	}
	if (error == -ENOBUFS) {
		hv_drop(link->core, packet, HV_DROP_LINK_BUSY);
		return 0;
	}
	hv_drop(link->core, packet, HV_DROP_LINK_ERROR);
	return error;
}

int hv_link_output_queued(struct haven_link *link, struct hv_packet *packet)
{
	int error;

	if (link->blocked.count)
		return block(link, packet);
	error = link->ops->transmit(link, packet);
	if (__builtin_expect(error == -EAGAIN, 0))
		return block(link, packet);
	return transmitted(link, packet, error);
}

void hv_link_writable_queued(struct haven_link *link)
{
	struct hv_packet *packet;
	int error;

	while ((packet = link->blocked.first)) {
		error = link->ops->transmit(link, packet);
		if (error == -EAGAIN)
			return;
		hv_packet_queue_pop(&link->blocked);
		transmitted(link, packet, error);
	}
}

void hv_link_writable(struct haven_link *link)
{
	if (link->ops->writable)
		link->ops->writable(link);
}

void hv_link_writable_inner(struct haven_link *link)
{
	hv_link_writable(link->inner);
}

void hv_link_set_pending(struct haven_link *link, bool pending)
{
	for (; link; link = link->outer)
		link->pending = pending;
}

/* --- making and ending ------------------------------------------------------------------- */

void haven_link_config_init(struct haven_link_config *config)
{
	memset(config, 0, sizeof(*config));
	config->mtu = 1500;
	config->offloads = HAVEN_OFFLOAD_CSUM | HAVEN_OFFLOAD_TSO4 | HAVEN_OFFLOAD_TSO6 |
			   HAVEN_OFFLOAD_USO;
}

static void choose_mac(struct hv_core *core, uint8_t mac[6])
{
	core->env.random(core->env.user, mac, 6);
	mac[0] = (uint8_t)((mac[0] & ~1) | 2); /* unicast, locally administered */
}

int hv_link_new(struct haven_stack *stack, const struct hv_link_ops *ops, size_t size,
		const struct haven_link_config *config, struct haven_link **out)
{
	static const uint8_t no_mac[6];
	struct hv_core *core = hv_core_of(stack);
	struct haven_link_config defaults;
	struct haven_link *link;

	if (!config) {
		haven_link_config_init(&defaults);
		config = &defaults;
	}
	if (config->mtu < 68 || config->mtu > 65535) /* RFC 791 section 3.2 */
		return -EINVAL;
	link = hv_zalloc(core, size);
	if (!link)
		return -ENOMEM;
	link->ops = ops;
	link->core = core;
	link->deliver = deliver_nowhere;
	link->fd = -1;
	link->ethernet = true;
	link->mtu = config->mtu;
	/* Segments have no checksum until they are cut, so the rest goes with CSUM only. */
	link->offloads = config->offloads & HAVEN_OFFLOAD_CSUM ? config->offloads : 0;
	memcpy(link->mac, config->mac, sizeof(link->mac));
	if (!memcmp(link->mac, no_mac, sizeof(no_mac)))
		choose_mac(core, link->mac);
	*out = link;
	return 0;
}

struct haven_link *hv_link_wrap(struct haven_stack *stack, const struct hv_link_ops *ops,
				size_t size, struct haven_link *inner,
				void (*deliver)(void *ctx, struct haven_link *link,
						struct hv_packet *packet))
{
	struct haven_link *link = hv_zalloc(hv_core_of(stack), size);

	if (!link) {
		haven_link_destroy(inner);
		return NULL;
	}
	link->ops = ops;
	link->core = hv_core_of(stack);
	link->deliver = deliver_nowhere;
	link->inner = inner;
	link->fd = -1; /* the inner link's to close */
	link->ethernet = inner->ethernet;
	link->mtu = inner->mtu;
	link->offloads = inner->offloads;
	link->pending = inner->pending;
	memcpy(link->mac, inner->mac, sizeof(link->mac));
	inner->outer = link;
	inner->deliver = deliver;
	inner->deliver_ctx = link;
	return link;
}

void hv_link_release(struct haven_link *link, size_t size)
{
	hv_packet_queue_clear(link->core, &link->blocked);
	haven_link_destroy(link->inner);
	if (link->fd >= 0)
		close(link->fd);
	hv_free(link->core, link, size);
}

void haven_link_destroy(struct haven_link *link)
{
	if (link)
		link->ops->destroy(link);
}

/* --- what a link tells ------------------------------------------------------------------- */

int haven_link_fd(const struct haven_link *link)
{
	return hv_link_innermost(link)->fd;
}

bool haven_link_wants_write(const struct haven_link *link)
{
	return hv_link_is_busy(link);
}

unsigned haven_link_offloads(const struct haven_link *link)
{
	return link->offloads;
}

uint32_t haven_link_mtu(const struct haven_link *link)
{
	return link->mtu;
}

void haven_link_mac(const struct haven_link *link, uint8_t mac[6])
{
	memcpy(mac, link->mac, sizeof(link->mac));
}

/* Frames as the outermost link saw them; calls and waiting are the back-end's. */
void haven_link_counters(const struct haven_link *link, struct haven_link_counters *counters)
{
	const struct haven_link *innermost = hv_link_innermost(link);

	*counters = link->counters;
	counters->calls_in = innermost->counters.calls_in;
	counters->calls_out = innermost->counters.calls_out;
	counters->busy = innermost->counters.busy;
}
