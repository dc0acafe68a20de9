/* Packets of the stack: bytes to the script's numbers, and what the script learns from them. */
#include <arpa/inet.h>
#include <string.h>

#include "icmp.h"
#include "packet.h"

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* RFC 1071; big-endian words, the sum is not folded before the end. */
uint16_t seg_checksum(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *p = data;
	uint64_t total = sum;

	for (size_t i = 0; i < size; i++)
		total += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

uint32_t seg_pseudo_sum(const uint8_t *src, const uint8_t *dst, size_t address_size,
			uint8_t protocol, size_t size)
{
	uint32_t sum = protocol + (uint32_t)(size >> 16) + (uint32_t)(size & 0xffff);

	for (size_t i = 0; i < address_size; i += 2)
		sum += get16(src + i) + (uint32_t)get16(dst + i);
	return sum;
}

/* --- options ----------------------------------------------------------------------------- */

static struct seg_value exactly(int64_t number)
{
	return (struct seg_value){.given = true, .low = number, .high = number};
}

static void parse_sack(const struct seg_flow *flow, const uint8_t *p, unsigned size,
		       struct seg_option *option)
{
	uint32_t base = flow ? flow->peer_iss : 0;

	option->kind = SEG_OPTION_SACK;
	for (unsigned at = 2; at + 8 <= size && option->count < SEG_BLOCKS; at += 8) {
		option->blocks[option->count][0] = exactly((int32_t)(get32(p + at) - base));
		option->blocks[option->count++][1] =
			exactly((int32_t)(get32(p + at + 4) - base));
	}
}

/* One option of `size` bytes. */
static void parse_option(const struct seg_flow *flow, const uint8_t *p, unsigned size,
			 struct seg_option *option)
{
	if (p[0] == 2 && size == 4) {
		option->kind = SEG_OPTION_MSS;
		option->a = exactly(get16(p + 2));
	} else if (p[0] == 3 && size == 3) {
		option->kind = SEG_OPTION_WSCALE;
		option->a = exactly(p[2]);
	} else if (p[0] == 4 && size == 2) {
		option->kind = SEG_OPTION_SACKOK;
	} else if (p[0] == 5) {
		parse_sack(flow, p, size, option);
	} else if (p[0] == 8 && size == 10) {
		option->kind = SEG_OPTION_TS;
		option->a = exactly((int32_t)(get32(p + 2) - (flow ? flow->ts_first : 0)));
		option->b = exactly(get32(p + 6));
	} else {
		bool cookie = p[0] == 34;

		option->kind = cookie ? SEG_OPTION_FASTOPEN : SEG_OPTION_BYTES;
		option->size = cookie ? size - 2 : size;
		memcpy(option->bytes, cookie ? p + 2 : p, option->size);
	}
}

static void parse_options(struct seg_seen *seen, const uint8_t *p, unsigned size)
{
	for (unsigned at = 0; at < size && p[at] != 0;) {
		unsigned length;

		if (p[at] == 1) { /* NOP */
			at++;
			continue;
		}
		length = at + 1 < size ? p[at + 1] : 0;
		if (length < 2 || at + length > size) {
			seen->fault = "an option with a bad length";
			return;
		}
		parse_option(seen->flow, p + at, length, &seen->options[seen->option_count++]);
		at += length;
	}
}

/* --- headers ----------------------------------------------------------------------------- */

struct place {
	const uint8_t *l4, *src, *dst;
	size_t size, address_size;
	uint8_t protocol;
};

static const char *parse_ip(const struct seg_world *world, const uint8_t *p, size_t size,
			    struct seg_seen *seen, struct place *place)
{
	if (size < (world->v6 ? 40u : 20u) || p[0] >> 4 != (world->v6 ? 6 : 4))
		return "no IP packet of this family";
	if (world->v6) {
		seen->tos = (uint8_t)(get16(p) >> 4);
		seen->ttl = p[7];
		*place = (struct place){p + 40, p + 8, p + 24, get16(p + 4), 16, p[6]};
		if (place->size + 40 != size)
			return "an IPv6 packet whose length is wrong";
	} else {
		seen->tos = p[1];
		seen->ttl = p[8];
		*place = (struct place){p + 20, p + 12, p + 16, size - 20, 4, p[9]};
		if (p[0] != 0x45 || get16(p + 2) != size || seg_checksum(p, 20, 0) != 0)
			return "an IPv4 packet with a bad header";
	}
	seen->ecn = seen->tos & 3;
	return NULL;
}

static void parse_icmp(const struct seg_world *world, const struct place *place,
		       struct seg_seen *seen)
{
	uint32_t sum = world->v6 ? seg_pseudo_sum(place->src, place->dst, place->address_size,
						  place->protocol, place->size)
				 : 0;

	seen->is_icmp = true;
	if (place->size < 8 || seg_checksum(place->l4, place->size, sum) != 0) {
		seen->fault = "an ICMP message with a bad checksum";
		return;
	}
	seen->icmp_type = place->l4[0];
	seen->icmp_code = place->l4[1];
	seen->icmp_mtu = world->v6 ? get32(place->l4 + 4) : get16(place->l4 + 6);
	seen->icmp_kind = seg_icmp_kind_find(world->v6, seen->icmp_type, seen->icmp_code);
}

static void parse_tcp(struct seg_world *world, const struct place *place, struct seg_seen *seen)
{
	const uint8_t *p = place->l4;
	unsigned header;
	uint32_t sum = seg_pseudo_sum(place->src, place->dst, place->address_size,
				      place->protocol, place->size);

	seen->is_tcp = true;
	header = place->size >= 20 ? (unsigned)(p[12] >> 4) * 4 : 0;
	if (header < 20 || header > place->size) {
		seen->fault = "a segment with a bad header";
		return;
	}
	if (seg_checksum(p, place->size, sum) != 0)
		seen->fault = "a segment with a bad checksum";
	seen->src_port = get16(p);
	seen->dst_port = get16(p + 2);
	seen->flow = seg_flow_by_port(world, seen->dst_port);
	seen->flow_number = seen->flow ? (unsigned)(seen->flow - world->flows) + 1 : 0;
	seen->flags = p[13];
	seen->raw_seq = get32(p + 4);
	seen->seq = (int32_t)(seen->raw_seq - (seen->flow ? seen->flow->stack_iss : 0));
	seen->ack = (int32_t)(get32(p + 8) - (seen->flow ? seen->flow->peer_iss : 0));
	seen->window = get16(p + 14);
	seen->urgent = get16(p + 18);
	seen->payload = p + header;
	seen->size = place->size - header;
	parse_options(seen, p + 20, header - 20);
}

void seg_parse(struct seg_world *world, const uint8_t *bytes, size_t size,
	       struct seg_seen *seen)
{
	struct place place;

	memset(seen, 0, sizeof(*seen));
	seen->icmp_kind = -1;
	seen->fault = parse_ip(world, bytes, size, seen, &place);
	if (seen->fault)
		return;
	if (place.protocol == IPPROTO_TCP)
		parse_tcp(world, &place, seen);
	else if (place.protocol == IPPROTO_ICMP || place.protocol == IPPROTO_ICMPV6)
		parse_icmp(world, &place, seen);
	else
		seen->fault = "a packet of another protocol";
}

/* A cookie is for an address, so all flows have it (RFC 7413 section 4.1.2). */
static void keep_cookie(struct seg_world *world, const struct seg_option *option)
{
	for (unsigned i = 0; i < SEG_FLOWS; i++) {
		world->flows[i].cookie_size = option->size;
		memcpy(world->flows[i].cookie, option->bytes, option->size);
	}
}

void seg_observe(struct seg_world *world, const uint8_t *bytes, size_t size)
{
	struct seg_seen seen;
	struct seg_flow *flow;

	seg_parse(world, bytes, size, &seen);
	flow = seen.is_tcp ? seg_flow_by_port(world, seen.dst_port) : NULL;
	if (!flow)
		return;
	if ((seen.flags & (SEG_SYN | SEG_RST)) == SEG_SYN && !flow->stack_known) {
		flow->stack_known = true;
		flow->stack_iss = seen.raw_seq;
		if (!(seen.flags & SEG_ACK))
			flow->stack_port = seen.src_port;
	}
	for (unsigned i = 0; i < seen.option_count; i++) {
		const struct seg_option *option = &seen.options[i];

		if (option->kind == SEG_OPTION_TS) {
			uint32_t value = (uint32_t)option->a.low + flow->ts_first;

			if (!flow->ts_known)
				flow->ts_first = value;
			flow->ts_known = true;
			flow->ts_last = value;
		} else if (option->kind == SEG_OPTION_FASTOPEN && option->size) {
			keep_cookie(world, option);
		}
	}
}
