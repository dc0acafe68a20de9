/*
 * Fault: a wrapper that makes a bad network on purpose, each direction by itself.
 *
 * A packet's way through one direction:
 *
 *	cut to wire size -> in a burst of losses? lost? -> marked? -> duplicated? -> corrupted? -> held back (reorder)?
 *	  -> queue of the rate limit -> delay line -> on
 *
 * Order is kept except by `reorder`, which holds a packet until one to three later ones have
 * overtaken it (or HOLD_NS have gone by without any): jitter stretches and bunches, it does not
 * overtake. Loss, duplication, reordering and corruption depend on the direction's own random
 * sequence, drawn from the environment once, and on the packets, and on nothing else.
 */
#include <string.h>

#include "link/backend.h"
#include "link/fault_mark.h"
#include "wire/ethernet.h"

enum {
	DEFAULT_QUEUE_BYTES = 1 << 20,
	DEFAULT_BURST_PACKETS = 10,
	/* The delay line's own bounds: what is in flight, whatever rate and delay say. */
	LINE_PACKETS_MAX = 32768,
	LINE_BYTES_MAX = 64 << 20,
	HELD_MAX = 8,
	HOLD_NS = 5000000,
	FOLLOWERS_MAX = 3,
	PPM = 1000000,
};

/* A packet that waits to be overtaken; its time_ns is when it goes on without. */
struct held {
	struct hv_packet *packet;
	unsigned followers; /* still to pass */
};

struct direction {
	struct fault_link *owner;
	bool outward;
	bool perfect; /* nothing to do: packets pass untouched */
	struct haven_fault config;
	struct haven_fault_counters counters;
	uint64_t random;
	bool in_burst;		  /* Gilbert and Elliott's bad state */
	uint64_t rate_free_ns;	  /* when the last packet has left the rate limit's queue */
	uint64_t last_release_ns; /* of the delay line, so that order is kept */
	struct hv_packet_queue line;
	struct held held[HELD_MAX];
	unsigned held_count;
	struct hv_timer timer; /* the first of line and held */
};

struct fault_link {
	struct haven_link link;
	struct direction in, out;
};

/* --- chance ------------------------------------------------------------------------------ */

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(struct direction *direction)
{
	uint64_t z = direction->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t random_below(struct direction *direction, uint64_t bound)
{
	return (uint64_t)((unsigned __int128)next_random(direction) * bound >> 64);
}

static bool chance(struct direction *direction, uint32_t ppm)
{
	return ppm && random_below(direction, PPM) < ppm;
}

/*
 * The two states of Gilbert and Elliott, one step for each packet. A burst of mean length L ends with
 * probability 1/L; to hold a share b of all packets, the bad state is entered with b / ((1 - b) L).
 */
static bool burst_step(struct direction *direction)
{
	uint64_t share = direction->config.burst_ppm;
	uint64_t length = direction->config.burst_packets;

	if (!share || share >= PPM)
		return share != 0;
	length = length ? length : DEFAULT_BURST_PACKETS;
	if (direction->in_burst)
		direction->in_burst = random_below(direction, length) != 0;
	else
		direction->in_burst = random_below(direction, (PPM - share) * length) < share;
	return direction->in_burst;
}

/* --- on ---------------------------------------------------------------------------------- */

static int pass(struct direction *direction, struct hv_packet *packet)
{
	struct haven_link *link = &direction->owner->link;

	if (direction->outward)
		return hv_link_output(link->inner, packet);
	hv_link_deliver(link, packet);
	return 0;
}

/* Set the timer to the first packet that waits. */
static void arm(struct direction *direction)
{
	uint64_t first = direction->line.first ? direction->line.first->time_ns : UINT64_MAX;

	for (unsigned i = 0; i < direction->held_count; i++)
		if (direction->held[i].packet->time_ns < first)
			first = direction->held[i].packet->time_ns;
	if (first == UINT64_MAX)
		return;
	if (!hv_timer_is_set(&direction->timer) || first < direction->timer.deadline_ns)
		hv_timer_set(&direction->owner->link.core->wheel, &direction->timer, first);
}

/* --- rate and delay ---------------------------------------------------------------------- */

/*
 * Put a packet of `size` bytes into the rate limit's queue. False: it does not fit. *leaves_ns is
 * when its last bit is on the wire.
 */
static bool rate_limit(struct direction *direction, uint64_t now_ns, uint32_t size,
		       uint64_t *leaves_ns)
{
	const uint64_t rate = direction->config.rate_bits_per_second;
	const uint64_t bits_ns =
		UINT64_C(8) * 1000000000; /* bits of a byte, times ns of a second */
	uint64_t start = now_ns;

	*leaves_ns = now_ns;
	if (!rate)
		return true;
	if (direction->rate_free_ns > now_ns) {
		unsigned __int128 waiting =
			(unsigned __int128)(direction->rate_free_ns - now_ns) * rate / bits_ns;
		uint32_t limit = direction->config.queue_bytes;

		if (waiting + size > (limit ? limit : DEFAULT_QUEUE_BYTES))
			return false;
		start = direction->rate_free_ns;
	}
	*leaves_ns = direction->rate_free_ns = start + size * bits_ns / rate;
	return true;
}

/* Uniform in delay - jitter to delay + jitter, not below zero. */
static uint64_t draw_delay(struct direction *direction)
{
	uint64_t delay_ns = direction->config.delay_ns, jitter_ns = direction->config.jitter_ns;

	if (jitter_ns) {
		delay_ns += random_below(direction, 2 * jitter_ns + 1);
		delay_ns = delay_ns > jitter_ns ? delay_ns - jitter_ns : 0;
	}
	return delay_ns;
}

/* Through rate limit and delay line. */
static int schedule(struct direction *direction, struct hv_packet *packet)
{
	struct hv_core *core = direction->owner->link.core;
	uint64_t release_ns;

	if (direction->line.count >= LINE_PACKETS_MAX ||
	    direction->line.bytes >= LINE_BYTES_MAX ||
	    !rate_limit(direction, core->now_ns, hv_packet_size(packet), &release_ns)) {
		direction->counters.overflowed++;
		hv_drop(core, packet, HV_DROP_FAULT_QUEUE);
		return 0;
	}
	release_ns += draw_delay(direction);
	if (release_ns < direction->last_release_ns)
		release_ns = direction->last_release_ns;
	direction->last_release_ns = release_ns;
	if (release_ns <= core->now_ns && !direction->line.first)
		return pass(direction, packet);
	packet = hv_packet_own(core, packet);
	if (!packet) {
		core->drops[HV_DROP_NO_MEMORY]++;
		return -ENOMEM;
	}
	packet->time_ns = release_ns;
	hv_packet_queue_push(&direction->line, packet);
	arm(direction);
	return 0;
}

/* --- reorder ----------------------------------------------------------------------------- */

/* Keep the packet back. False: too many are held already, and it goes on as usual. */
static bool hold(struct direction *direction, struct hv_packet *packet)
{
	struct hv_core *core = direction->owner->link.core;
	struct held *held = &direction->held[direction->held_count];

	if (direction->held_count == HELD_MAX)
		return false;
	direction->counters.reordered++;
	packet = hv_packet_own(core, packet);
	if (!packet) {
		core->drops[HV_DROP_NO_MEMORY]++;
		return true;
	}
	packet->time_ns = core->now_ns + HOLD_NS;
	held->packet = packet;
	held->followers = 1 + (unsigned)random_below(direction, FOLLOWERS_MAX);
	direction->held_count++;
	arm(direction);
	return true;
}

/* Let go what was overtaken often enough, or waited long enough. */
static void release_held(struct direction *direction)
{
	uint64_t now_ns = direction->owner->link.core->now_ns;
	unsigned kept = 0, count = direction->held_count;
	struct held released[HELD_MAX];
	unsigned released_count = 0;

	for (unsigned i = 0; i < count; i++) {
		struct held *held = &direction->held[i];

		if (held->followers == 0 || held->packet->time_ns <= now_ns)
			released[released_count++] = *held;
		else
			direction->held[kept++] = *held;
	}
	direction->held_count = kept;
	for (unsigned i = 0; i < released_count; i++)
		schedule(direction, released[i].packet);
}

static void count_follower(struct direction *direction)
{
	for (unsigned i = 0; i < direction->held_count; i++)
		direction->held[i].followers--;
	if (direction->held_count)
		release_held(direction);
}

static void fire(struct hv_timer *timer)
{
	struct direction *direction =
		(struct direction *)((char *)timer - offsetof(struct direction, timer));
	uint64_t now_ns = direction->owner->link.core->now_ns;

	while (direction->line.first && direction->line.first->time_ns <= now_ns)
		pass(direction, hv_packet_queue_pop(&direction->line));
	if (direction->held_count)
		release_held(direction);
	arm(direction);
}

/* --- corruption -------------------------------------------------------------------------- */

static bool is_ip(const struct haven_link *link, const struct hv_packet *packet)
{
	uint16_t type;

	if (!link->ethernet)
		return true;
	if (packet->len <= HV_ETH_HEADER)
		return false;
	type = hv_eth_type(packet->data);
	return type == HV_ETHERTYPE_IPV4 || type == HV_ETHERTYPE_IPV6;
}

/*
 * Flip one bit behind the Ethernet header, after the checksum was made right: the receiver's check
 * must find it, and finds every single bit. What has no checksum of its own (ARP) is lost, as
 * Ethernet's would have it. NULL: gone.
 */
static struct hv_packet *corrupt(struct direction *direction, struct hv_packet *packet)
{
	struct haven_link *link = &direction->owner->link;
	uint32_t start = link->ethernet ? HV_ETH_HEADER : 0;
	uint64_t bit;

	direction->counters.corrupted++;
	if (!is_ip(link, packet)) {
		hv_drop(link->core, packet, HV_DROP_FAULT_LOSS);
		return NULL;
	}
	packet = hv_packet_own(link->core, packet);
	if (!packet) {
		link->core->drops[HV_DROP_NO_MEMORY]++;
		return NULL;
	}
	hv_offload_checksum(packet);
	packet->csum = HV_CSUM_NONE;
	if (packet->len <= start)
		return packet;
	bit = random_below(direction, (uint64_t)(packet->len - start) * 8);
	packet->data[start + bit / 8] ^= (uint8_t)(1 << bit % 8);
	return packet;
}

/* --- one packet -------------------------------------------------------------------------- */

static int impair(struct direction *direction, struct hv_packet *packet)
{
	const struct haven_fault *config = &direction->config;
	struct haven_link *link = &direction->owner->link;
	struct hv_core *core = link->core;
	struct hv_packet *copy = NULL;
	int error;

	direction->counters.packets++;
	if (burst_step(direction) || chance(direction, config->loss_ppm)) {
		direction->counters.lost++;
		hv_drop(core, packet, HV_DROP_FAULT_LOSS);
		return 0;
	}
	if (chance(direction, config->mark_ppm) && is_ip(link, packet))
		direction->counters.marked +=
			hv_fault_mark(packet, link->ethernet ? HV_ETH_HEADER : 0);
	if (chance(direction, config->duplicate_ppm)) {
		copy = hv_packet_copy(core, packet);
		direction->counters.duplicated += copy != NULL;
	}
	if (chance(direction, config->corrupt_ppm))
		packet = corrupt(direction, packet);
	if (packet && chance(direction, config->reorder_ppm) && hold(direction, packet))
		packet = NULL;
	error = packet ? schedule(direction, packet) : 0;
	if (copy)
		schedule(direction, copy);
	if (packet || copy)
		count_follower(direction);
	return error;
}

/* Out: hv_link_output() has cut the packet already, because this link takes no large ones. */
static int fault_output(struct haven_link *link, struct hv_packet *packet)
{
	struct direction *out = &((struct fault_link *)link)->out;

	return out->perfect ? pass(out, packet) : impair(out, packet);
}

static void fault_deliver(void *ctx, struct haven_link *inner, struct hv_packet *packet)
{
	struct fault_link *self = ctx;
	struct hv_packet_queue segments = {0};

	(void)inner;
	if (self->in.perfect) {
		pass(&self->in, packet);
		return;
	}
	if (packet->gso_type == HV_GSO_NONE) {
		impair(&self->in, packet);
		return;
	}
	hv_offload_segment(self->link.core, packet, self->link.ethernet, true, &segments);
	while ((packet = hv_packet_queue_pop(&segments)))
		impair(&self->in, packet);
}

/* --- the link ---------------------------------------------------------------------------- */

static void direction_finish(struct direction *direction)
{
	struct hv_core *core = direction->owner->link.core;

	hv_timer_cancel(&core->wheel, &direction->timer);
	hv_packet_queue_clear(core, &direction->line);
	for (unsigned i = 0; i < direction->held_count; i++)
		hv_packet_free(core, direction->held[i].packet);
}

static void fault_destroy(struct haven_link *link)
{
	struct fault_link *self = (struct fault_link *)link;

	direction_finish(&self->in);
	direction_finish(&self->out);
	hv_link_release(link, sizeof(*self));
}

static const struct hv_link_ops fault_ops = {
	.name = "fault",
	.output = fault_output,
	.receive = hv_link_receive_inner,
	.writable = hv_link_writable_inner,
	.destroy = fault_destroy,
};

static void direction_init(struct direction *direction, struct fault_link *owner,
			   const struct haven_fault *config, bool outward)
{
	direction->owner = owner;
	direction->outward = outward;
	direction->config = *config;
	direction->perfect = !config->loss_ppm && !config->burst_ppm &&
			     !config->duplicate_ppm && !config->reorder_ppm &&
			     !config->corrupt_ppm && !config->mark_ppm && !config->delay_ns &&
			     !config->jitter_ns && !config->rate_bits_per_second;
	direction->random = hv_random64(owner->link.core);
	hv_timer_init(&direction->timer, fire);
}

int haven_link_fault(struct haven_stack *stack, struct haven_link *inner,
		     const struct haven_fault *in, const struct haven_fault *out_fault,
		     struct haven_link **out)
{
	struct haven_link *link;
	struct fault_link *self;

	link = hv_link_wrap(stack, &fault_ops, sizeof(*self), inner, fault_deliver);
	if (!link)
		return -ENOMEM;
	self = (struct fault_link *)link;
	direction_init(&self->in, self, in, false);
	direction_init(&self->out, self, out_fault, true);
	if (!self->out.perfect)
		link->offloads &= HAVEN_OFFLOAD_CSUM;
	*out = link;
	return 0;
}

void haven_link_fault_counters(const struct haven_link *link, struct haven_fault_counters *in,
			       struct haven_fault_counters *out)
{
	const struct fault_link *self;

	memset(in, 0, sizeof(*in));
	memset(out, 0, sizeof(*out));
	while (link && link->ops != &fault_ops)
		link = link->inner;
	if (!link)
		return;
	self = (const struct fault_link *)link;
	*in = self->in.counters;
	*out = self->out.counters;
}
