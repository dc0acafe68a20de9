/* Packets towards the stack: headers, options and payload as a script asks for them, good or bad. */
#include <arpa/inet.h>
#include <string.h>

#include "icmp.h"
#include "packet.h"

enum { TCP_HEADER = 20, ICMP_HEADER = 8 };

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

/* --- options ----------------------------------------------------------------------------- */

/* The peer's clock in milliseconds, for `ts auto`. */
static uint32_t peer_clock(const struct seg_world *world)
{
	return 1000 + (uint32_t)((world->now_ns - world->start_ns) / 1000000);
}

static size_t write_timestamps(const struct seg_world *world, const struct seg_flow *flow,
			       const struct seg_option *option, uint8_t flags, uint8_t *p)
{
	uint32_t value, echo;

	if (option->automatic || option->a.any) {
		value = peer_clock(world);
		echo = flags & SEG_ACK ? flow->ts_last : 0;
	} else {
		value = (uint32_t)option->a.low;
		echo = flags & SEG_ACK ? (uint32_t)option->b.low + flow->ts_first
				       : (uint32_t)option->b.low;
	}
	p[0] = 8;
	p[1] = 10;
	put32(p + 2, value);
	put32(p + 6, echo);
	return 10;
}

static size_t write_cookie(const struct seg_flow *flow, const struct seg_option *option,
			   uint8_t *p)
{
	unsigned size = option->same ? flow->cookie_size : option->size;

	p[0] = 34;
	p[1] = (uint8_t)(2 + size);
	memcpy(p + 2, option->same ? flow->cookie : option->bytes, size);
	return 2 + size;
}

static size_t write_option(const struct seg_world *world, const struct seg_flow *flow,
			   const struct seg_option *option, uint8_t flags, uint8_t *p)
{
	switch (option->kind) {
	case SEG_OPTION_MSS:
		p[0] = 2;
		p[1] = 4;
		put16(p + 2, (uint32_t)option->a.low);
		return 4;
	case SEG_OPTION_WSCALE:
		p[0] = 3;
		p[1] = 3;
		p[2] = (uint8_t)option->a.low;
		return 3;
	case SEG_OPTION_SACKOK:
		p[0] = 4;
		p[1] = 2;
		return 2;
	case SEG_OPTION_SACK:
		p[0] = 5;
		p[1] = (uint8_t)(2 + 8 * option->count);
		for (unsigned i = 0; i < option->count; i++) {
			put32(p + 2 + 8 * i,
			      (uint32_t)option->blocks[i][0].low + flow->stack_iss);
			put32(p + 6 + 8 * i,
			      (uint32_t)option->blocks[i][1].low + flow->stack_iss);
		}
		return p[1];
	case SEG_OPTION_TS:
		return write_timestamps(world, flow, option, flags, p);
	case SEG_OPTION_FASTOPEN:
		return write_cookie(flow, option, p);
	case SEG_OPTION_END:
		p[0] = 0;
		return 1;
	case SEG_OPTION_BYTES:
		memcpy(p, option->bytes, option->size);
		return option->size;
	case SEG_OPTION_NOP:
		break;
	}
	p[0] = 1;
	return 1;
}

/* Returns bytes, a multiple of 4. */
static size_t write_options(struct seg_world *world, const struct seg_segment *segment,
			    uint8_t out[SEG_BYTES])
{
	static const struct seg_option stamp = {.kind = SEG_OPTION_TS, .automatic = true};
	struct seg_flow *flow = seg_flow(world);
	uint8_t bytes[SEG_OPTIONS * (SEG_BYTES + 2)];
	bool has_ts = segment->no_timestamp;
	size_t size = 0;

	memset(bytes, 1, sizeof(bytes)); /* padding is NOP, as a script may not end the list */
	for (unsigned i = 0; i < segment->option_count; i++) {
		const struct seg_option *option = &segment->options[i];

		has_ts |= option->kind == SEG_OPTION_TS || option->kind == SEG_OPTION_BYTES;
		flow->ts_auto |= option->automatic;
		size += write_option(world, flow, option, segment->flags, bytes + size);
	}
	if (flow->ts_auto && !has_ts && !(segment->flags & SEG_SYN))
		size += write_option(world, flow, &stamp, segment->flags, bytes + size);
	size = (size + 3) / 4 * 4;
	if (size > SEG_BYTES)
		size = SEG_BYTES;
	memcpy(out, bytes, size);
	return size;
}

/* --- segments ---------------------------------------------------------------------------- */

/* The IP header at p; returns its size. */
static size_t write_ip(const struct seg_world *world, uint8_t *p, uint8_t protocol, size_t size,
		       uint8_t ttl, uint8_t tos)
{
	struct sockaddr_storage src, dst;

	seg_address(world, 2, 0, &src);
	seg_address(world, 1, 0, &dst);
	if (world->v6) {
		memset(p, 0, 40);
		put32(p, 6u << 28 | (uint32_t)tos << 20);
		put16(p + 4, (uint32_t)size);
		p[6] = protocol;
		p[7] = ttl;
		memcpy(p + 8, &((struct sockaddr_in6 *)&src)->sin6_addr, 16);
		memcpy(p + 24, &((struct sockaddr_in6 *)&dst)->sin6_addr, 16);
		return 40;
	}
	memset(p, 0, 20);
	p[0] = 0x45;
	p[1] = tos;
	put16(p + 2, (uint32_t)(20 + size));
	put16(p + 6, 0x4000);
	p[8] = ttl;
	p[9] = protocol;
	memcpy(p + 12, &((struct sockaddr_in *)&src)->sin_addr, 4);
	memcpy(p + 16, &((struct sockaddr_in *)&dst)->sin_addr, 4);
	put16(p + 10, seg_checksum(p, 20, 0));
	return 20;
}

static size_t ip_header_size(const struct seg_world *world)
{
	return world->v6 ? 40 : 20;
}

static void fill_payload(uint8_t *p, size_t size, int64_t seq)
{
	/* The byte after SYN (relative 1) is the first of the stream. */
	for (size_t i = 0; i < size; i++)
		p[i] = seg_pattern((uint64_t)(seq - 1 + (int64_t)i));
}

static void finish_checksum(const struct seg_world *world, uint8_t *packet, size_t ip_size,
			    size_t size, uint8_t protocol, size_t field)
{
	size_t address = world->v6 ? 16 : 4, at = world->v6 ? 8 : 12;
	uint32_t sum = 0;

	if (protocol != IPPROTO_ICMP)
		sum = seg_pseudo_sum(packet + at, packet + at + address, address, protocol,
				     size);
	put16(packet + ip_size + field, seg_checksum(packet + ip_size, size, sum));
}

/* Take the place of one address in the IP header: the source (0) or the destination (1). */
static void odd_address(const struct seg_world *world, uint8_t *packet, unsigned which,
			enum seg_odd_address odd)
{
	uint8_t *p = packet + (world->v6 ? 8 + 16 * which : 12 + 4 * which);

	if (odd == SEG_USUAL)
		return;
	memset(p, 0, world->v6 ? 16 : 4);
	if (odd == SEG_MULTICAST || (world->v6 && odd == SEG_BROADCAST)) {
		/* All hosts: ff02::1, 224.0.0.1; IPv6 has no broadcast. */
		p[0] = world->v6 ? 0xff : 224;
		p[1] = world->v6 ? 0x02 : 0;
		p[world->v6 ? 15 : 3] = 1;
	} else if (odd == SEG_BROADCAST) {
		memset(p, 0xff, 4);
	}
	if (!world->v6) {
		put16(packet + 10, 0);
		put16(packet + 10, seg_checksum(packet, 20, 0));
	}
}

void seg_send_segment(struct seg_world *world, const struct seg_segment *segment)
{
	static const struct seg_value none;
	struct seg_flow *flow = seg_flow(world);
	uint8_t packet[40 + TCP_HEADER + SEG_BYTES + SEG_PACKET], *p;
	size_t ip = ip_header_size(world), payload = (size_t)segment->size.low, options, size;
	int64_t seq = segment->seq.low + !!(segment->flags & SEG_SYN);
	uint8_t tos = segment->tos.given ? (uint8_t)segment->tos.low : 0;
	struct seg_value offset = segment->data_offset;

	if (segment->window.given)
		flow->window = segment->window.low;
	p = packet + ip;
	memset(p, 0, TCP_HEADER);
	options = write_options(world, segment, p + TCP_HEADER);
	put16(p, flow->peer_port);
	put16(p + 2, flow->stack_port);
	put32(p + 4, (uint32_t)segment->seq.low + flow->peer_iss);
	if (segment->ack.given)
		put32(p + 8, (uint32_t)segment->ack.low + flow->stack_iss);
	p[12] = (uint8_t)((offset.given ? (uint64_t)offset.low : (TCP_HEADER + options) / 4)
			  << 4);
	p[12] |= (uint8_t)(segment->reserved.low & 15);
	p[13] = segment->flags;
	put16(p + 14, (uint32_t)flow->window);
	put16(p + 18, (uint32_t)(segment->urgent.given ? segment->urgent : none).low);
	fill_payload(p + TCP_HEADER + options, payload, seq);
	size = TCP_HEADER + options + payload;
	if (segment->truncate.given && (size_t)segment->truncate.low < size)
		size = (size_t)segment->truncate.low;
	if (segment->ecn.given)
		tos = (uint8_t)((tos & 0xfc) | segment->ecn.low);
	write_ip(world, packet, IPPROTO_TCP, size,
		 segment->ttl.given ? (uint8_t)segment->ttl.low : 64, tos);
	odd_address(world, packet, 0, segment->from);
	odd_address(world, packet, 1, segment->to);
	if (size >= TCP_HEADER)
		finish_checksum(world, packet, ip, size, IPPROTO_TCP, 16);
	if (segment->bad_checksum)
		p[16] ^= 0x40;
	seg_deliver(world, packet, ip + size);
}

/* --- ICMP -------------------------------------------------------------------------------- */

/* The header of a segment of the stack's, as routers quote it. Returns bytes. */
static size_t write_quote(struct seg_world *world, const struct seg_icmp *icmp, uint8_t *p)
{
	struct seg_flow *flow = seg_flow(world);
	size_t ip = write_ip(world, p, IPPROTO_TCP, TCP_HEADER, 60, 0);
	size_t address = world->v6 ? 16 : 4, at = world->v6 ? 8 : 12, size;
	uint8_t swap[16];

	/* It went from the stack to the peer. */
	memcpy(swap, p + at, address);
	memcpy(p + at, p + at + address, address);
	memcpy(p + at + address, swap, address);
	memset(p + ip, 0, TCP_HEADER);
	put16(p + ip, flow->stack_port);
	put16(p + ip + 2, flow->peer_port);
	put32(p + ip + 4, (uint32_t)icmp->seq.low + flow->stack_iss);
	p[ip + 12] = TCP_HEADER / 4 << 4;
	p[ip + 13] = SEG_ACK;
	size = TCP_HEADER;
	if (icmp->quote.given && (size_t)icmp->quote.low < size)
		size = (size_t)icmp->quote.low;
	return ip + size;
}

void seg_send_icmp(struct seg_world *world, const struct seg_icmp *icmp)
{
	const struct seg_icmp_kind *kind = seg_icmp_kind_at(icmp->kind);
	uint8_t packet[40 + ICMP_HEADER + 40 + TCP_HEADER], *p;
	uint8_t protocol = world->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	size_t ip = ip_header_size(world), size;

	p = packet + ip;
	memset(p, 0, ICMP_HEADER);
	p[0] = world->v6 ? kind->type6 : kind->type4;
	p[1] = world->v6 ? kind->code6 : kind->code4;
	if (icmp->mtu.given && world->v6)
		put32(p + 4, (uint32_t)icmp->mtu.low);
	else if (icmp->mtu.given)
		put16(p + 6, (uint32_t)icmp->mtu.low);
	size = ICMP_HEADER + write_quote(world, icmp, p + ICMP_HEADER);
	write_ip(world, packet, protocol, size, 64, 0);
	finish_checksum(world, packet, ip, size, protocol, 2);
	if (icmp->bad_checksum)
		p[2] ^= 0x40;
	seg_deliver(world, packet, ip + size);
}
