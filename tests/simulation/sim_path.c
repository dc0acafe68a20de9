/*
 * A wire with a router in its middle whose other side is narrower, and changes: what is too large is cut
 * into fragments where that is allowed, and otherwise answered with ICMP (RFC 1191, RFC 8201).
 * Frames have no Ethernet header here.
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

static void pass(struct haven_link *to, const uint8_t *packet, size_t size)
{
	/* A queue that is full, or memory that is not there: lost, as on any wire. */
	haven_link_custom_input(to, packet, size, NULL);
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
		pass(to, piece, IPV4_HEADER + part);
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
	pass(back, answer, sizeof(answer));
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
	pass(back, answer, sizeof(answer));
}

static int path_send(void *user, const struct iovec *iov, int count,
		     const struct haven_frame_offload *offload)
{
	struct sim_path_end *end = user;
	struct sim_path *path = end->path;
	struct haven_link *to = path->ends[!end->far].link, *back = end->link;
	static uint8_t packet[65536];
	size_t size = 0;

	if (offload->flags || offload->gso_type)
		sim_fail(path->sim, "an offload that the link does not have");
	for (int i = 0; i < count; i++) {
		if (size + iov[i].iov_len > sizeof(packet))
			sim_fail(path->sim, "a packet beyond 64 KiB");
		memcpy(packet + size, iov[i].iov_base, iov[i].iov_len);
		size += iov[i].iov_len;
	}
	if (size > path->sim->plan.wire[path->wire].mtu)
		sim_fail(path->sim, "a packet of %zu bytes, larger than the link's MTU", size);
	if (path->sim->now_ns < path->until_ns &&
	    test_random_one_in(&path->sim->random, CHANGE_ONE_IN))
		draw_mtu(path);
	if (size <= path->mtu)
		pass(to, packet, size);
	else if (packet[0] >> 4 == 6)
		too_big_v6(path, back, packet);
	else if (packet[6] & 0x40)
		too_big_v4(path, back, packet);
	else
		fragment_v4(path, to, packet, size);
	return 0;
}

int sim_path_make(struct sim *sim, unsigned wire, const struct haven_link_config *config,
		  struct haven_link **out_a, struct haven_link **out_b)
{
	static const struct haven_link_ops ops = {.send = path_send};
	struct haven_stack *stacks[2] = {sim->host[0].stack, sim->host[wire].stack};
	struct sim_path *path = &sim->paths[wire];

	path->sim = sim;
	path->wire = wire;
	path->until_ns = sim->now_ns + CHANGE_SECONDS * SIM_SECOND;
	draw_mtu(path);
	for (int i = 0; i < 2; i++) {
		struct sim_path_end *end = &path->ends[i];
		int error;

		end->path = path;
		end->far = i;
		error = haven_link_custom(stacks[i], &ops, end, false, config, &end->link);
		if (error)
			return error;
	}
	*out_a = path->ends[0].link;
	*out_b = path->ends[1].link;
	return 0;
}
