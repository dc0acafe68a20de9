/*
 * A wire with a router in its middle. Its other side may be narrower, and change: what is too large is cut
 * into fragments where that is allowed, and otherwise answered with ICMP (RFC 1191, RFC 8201), or not at all. It may be
 * down for a while, and the host at its far end may be unplugged and replaced. Frames have no Ethernet
 * header here.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "sim.h"

enum {
	MTU_MIN_V4 = 576,
	MTU_MIN_V6 = 1280,
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	ICMP_HEADER = 8,
	CHANGE_ONE_IN = 1000, /* packets, until CHANGE_SECONDS */
	CHANGE_SECONDS = 20,
};

#define OUTAGE_GAP_MAX_NS (20 * SIM_SECOND)
#define OUTAGE_MAX_NS	  (30 * SIM_SECOND)

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t sum_words(uint32_t sum, const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void draw_mtu(struct sim_path *path)
{
	struct sim *sim = path->sim;
	uint32_t low = sim->plan.v6 ? MTU_MIN_V6 : MTU_MIN_V4;
	uint32_t high = sim->plan.wire[path->wire].mtu;

	path->mtu = (uint32_t)test_random_range(&sim->random, low, high);
	if (test_random_one_in(&sim->random, 4))
		path->mtu = low;
	sim_trace(sim, "the path of wire %u now takes %u bytes", path->wire, path->mtu);
}

static void pass(struct haven_link *to, const uint8_t *packet, size_t size,
		 const struct haven_frame_offload *offload)
{
	/* A queue that is full, or memory that is not there: lost, as on any wire. */
	haven_link_custom_input(to, packet, size, offload);
}

static void fragment_v4(const struct sim_path *path, struct haven_link *to,
			const uint8_t *packet, size_t size)
{
	size_t room = (path->mtu - IPV4_HEADER) & ~(size_t)7, at = IPV4_HEADER;
	uint32_t field = get16(packet + 6);
	uint8_t piece[65536];

	for (; at < size; at += room) {
		size_t part = size - at < room ? size - at : room;
		uint32_t more = at + part < size ? 0x2000 : field & 0x2000;

		memcpy(piece, packet, IPV4_HEADER);
		memcpy(piece + IPV4_HEADER, packet + at, part);
		put16(piece + 2, (uint32_t)(IPV4_HEADER + part));
		put16(piece + 6, more | ((field & 0x1fff) + (uint32_t)(at - IPV4_HEADER) / 8));
		put16(piece + 10, 0);
		put16(piece + 10, ~sum_words(0, piece, IPV4_HEADER));
		pass(to, piece, IPV4_HEADER + part, NULL);
	}
}

static void too_big_v4(const struct sim_path *path, struct haven_link *back,
		       const uint8_t *packet)
{
	uint8_t answer[IPV4_HEADER + ICMP_HEADER + IPV4_HEADER + 8] = {0x45};
	uint8_t *icmp = answer + IPV4_HEADER;

	put16(answer + 2, sizeof(answer));
	answer[8] = 64;
	answer[9] = IPPROTO_ICMP;
	memcpy(answer + 12, packet + 16, 4);
	answer[15] =
		9; /* the router's address, on the network of the one that it answers for */
	memcpy(answer + 16, packet + 12, 4);
	put16(answer + 10, ~sum_words(0, answer, IPV4_HEADER));
	icmp[0] = 3;
	icmp[1] = 4;
	put16(icmp + 6, path->mtu);
	memcpy(icmp + ICMP_HEADER, packet, IPV4_HEADER + 8);
	put16(icmp + 2, ~sum_words(0, icmp, sizeof(answer) - IPV4_HEADER));
	pass(back, answer, sizeof(answer), NULL);
}

static void too_big_v6(const struct sim_path *path, struct haven_link *back,
		       const uint8_t *packet)
{
	enum { QUOTED = MTU_MIN_V6 - IPV6_HEADER - ICMP_HEADER };
	uint8_t answer[MTU_MIN_V6] = {0x60};
	uint8_t *icmp = answer + IPV6_HEADER;
	uint32_t sum;

	put16(answer + 4, ICMP_HEADER + QUOTED);
	answer[6] = IPPROTO_ICMPV6;
	answer[7] = 64;
	memcpy(answer + 8, packet + 24, 16);
	answer[23] = 9;
	memcpy(answer + 24, packet + 8, 16);
	icmp[0] = 2;
	put16(icmp + 4, path->mtu >> 16);
	put16(icmp + 6, path->mtu);
	memcpy(icmp + ICMP_HEADER, packet, QUOTED);
	sum = sum_words(ICMP_HEADER + QUOTED + IPPROTO_ICMPV6, answer + 8, 32);
	put16(icmp + 2, ~sum_words(sum, icmp, ICMP_HEADER + QUOTED));
	pass(back, answer, sizeof(answer), NULL);
}

/* The router's queue is long: CE instead of loss (RFC 3168 section 5), where that is understood. */
static void mark(uint8_t *packet)
{
	if (packet[0] >> 4 == 6) {
		if (packet[1] & 0x30)
			packet[1] |= 0x30;
	} else if (packet[1] & 3) {
		packet[1] |= 3;
		put16(packet + 10, 0);
		put16(packet + 10, ~sum_words(0, packet, (size_t)(packet[0] & 15) * 4));
	}
}

/* The frame in one piece; its size. */
static size_t gather(const struct sim_path *path, const struct iovec *iov, int count,
		     uint8_t packet[65536])
{
	size_t size = 0;

	for (int i = 0; i < count; i++) {
		if (size + iov[i].iov_len > 65536)
			sim_fail(path->sim, "a packet beyond 64 KiB");
		memcpy(packet + size, iov[i].iov_base, iov[i].iov_len);
		size += iov[i].iov_len;
	}
	return size;
}

static int path_send(void *user, const struct iovec *iov, int count,
		     const struct haven_frame_offload *offload)
{
	struct sim_path_end *end = user;
	struct sim_path *path = end->path;
	const struct sim_wire_plan *plan = &path->sim->plan.wire[path->wire];
	struct haven_link *to = path->ends[!end->far].link, *back = end->link;
	static uint8_t packet[65536];
	size_t size = gather(path, iov, count, packet);

	if ((offload->flags || offload->gso_type) && !plan->offloads)
		sim_fail(path->sim, "an offload that the link does not have");
	if (size > plan->mtu && !offload->gso_type)
		sim_fail(path->sim, "a packet of %zu bytes, larger than the link's MTU", size);
	if (path->down || !to)
		return 0;
	if (plan->mark_one_in && test_random_one_in(&path->sim->random, plan->mark_one_in))
		mark(packet);
	if (plan->narrow && path->sim->now_ns < path->until_ns &&
	    test_random_one_in(&path->sim->random, CHANGE_ONE_IN))
		draw_mtu(path);
	if (size <= path->mtu || offload->gso_type)
		pass(to, packet, size, offload);
	else if (plan->black_hole && (packet[0] >> 4 == 6 || packet[6] & 0x40))
		sim_trace(path->sim, "%zu bytes fall into a hole of %u", size, path->mtu);
	else if (packet[0] >> 4 == 6)
		too_big_v6(path, back, packet);
	else if (packet[6] & 0x40)
		too_big_v4(path, back, packet);
	else
		fragment_v4(path, to, packet, size);
	return 0;
}

/* --- made, lost, made again ------------------------------------------------------------------- */

static int make_end(struct sim *sim, unsigned wire, bool far,
		    const struct haven_link_config *config, struct haven_link **out)
{
	static const struct haven_link_ops ops = {.send = path_send};
	struct sim_path_end *end = &sim->paths[wire].ends[far];
	int error;

	end->path = &sim->paths[wire];
	end->far = far;
	error = haven_link_custom(sim->host[far ? wire : 0].stack, &ops, end, false, config,
				  &end->link);
	*out = end->link;
	return error;
}

int sim_path_make(struct sim *sim, unsigned wire, const struct haven_link_config *config,
		  struct haven_link **out_a, struct haven_link **out_b)
{
	struct sim_path *path = &sim->paths[wire];
	int error;

	path->sim = sim;
	path->wire = wire;
	path->mtu = config->mtu;
	path->until_ns = sim->now_ns + CHANGE_SECONDS * SIM_SECOND;
	path->outages_left = sim->plan.wire[wire].outages;
	path->turn_ns = SIM_NEVER;
	if (path->outages_left)
		path->turn_ns =
			sim->now_ns + test_random_below(&sim->random, OUTAGE_GAP_MAX_NS);
	if (sim->plan.wire[wire].narrow)
		draw_mtu(path);
	error = make_end(sim, wire, false, config, out_a);
	return error ? error : make_end(sim, wire, true, config, out_b);
}

void sim_path_unplug(struct sim *sim, unsigned wire)
{
	sim->paths[wire].ends[1].link = NULL;
}

int sim_path_plug(struct sim *sim, unsigned wire, const struct haven_link_config *config,
		  struct haven_link **out)
{
	return make_end(sim, wire, true, config, out);
}

/* --- down and up -------------------------------------------------------------------------------- */

static void turn(struct sim *sim, struct sim_path *path)
{
	path->down = !path->down;
	sim_trace(sim, "wire %u is %s", path->wire, path->down ? "down" : "up");
	if (path->down) {
		path->outages_left--;
		path->turn_ns = sim->now_ns + test_random_below(&sim->random, OUTAGE_MAX_NS);
		return;
	}
	path->turn_ns = SIM_NEVER;
	if (path->outages_left)
		path->turn_ns =
			sim->now_ns + test_random_below(&sim->random, OUTAGE_GAP_MAX_NS);
	for (unsigned i = 0; i < sim->end_count; i++) /* nobody could move before */
		sim->ends[i].progress_ns = sim->now_ns;
}

void sim_paths_run(struct sim *sim)
{
	for (unsigned i = 1; i < sim->plan.hosts; i++) {
		if (sim->paths[i].sim && sim->paths[i].turn_ns <= sim->now_ns)
			turn(sim, &sim->paths[i]);
	}
}

uint64_t sim_paths_next(const struct sim *sim)
{
	uint64_t next = SIM_NEVER;

	for (unsigned i = 1; i < sim->plan.hosts; i++) {
		if (sim->paths[i].sim && sim->paths[i].turn_ns < next)
			next = sim->paths[i].turn_ns;
	}
	return next;
}
