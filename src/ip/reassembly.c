/* Datagrams from fragments. See reassembly.h for how one is held. */
#include "ip/ip_state.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum { ENTRY_BYTES = sizeof(struct hv_datagram), ECN_MASK = 3, ECN_CE = 3 };

struct datagram_key {
	struct hv_addr src, dst;
	uint32_t id, proto;
};

static void timer_fire(struct hv_timer *timer);

void hv_reassembly_init(struct hv_ip *ip)
{
	hv_hash_init(&ip->reassembly.hash, ip->core);
	hv_list_init(&ip->reassembly.age);
}

/* Give the packet up, if it is still there. */
static void drop_packet(struct hv_datagram *dg, enum hv_drop reason)
{
	if (!dg->packet)
		return;
	hv_drop(dg->ip->core, dg->packet, reason);
	dg->packet = NULL;
	dg->ip->reassembly.bytes -= HV_PACKET_LARGE;
}

/* Free the entry; its packet is somebody else's by now, or gone. */
static void remove_entry(struct hv_datagram *dg)
{
	struct hv_ip *ip = dg->ip;

	hv_hash_remove(&ip->reassembly.hash, &dg->node);
	hv_list_remove(&dg->age);
	hv_timer_cancel(&ip->core->wheel, &dg->timer);
	ip->reassembly.bytes -= ENTRY_BYTES;
	hv_free(ip->core, dg, sizeof(*dg));
}

void hv_reassembly_finish(struct hv_ip *ip)
{
	struct hv_reassembly *table = &ip->reassembly;

	while (!hv_list_is_empty(&table->age)) {
		struct hv_datagram *dg = hv_container(table->age.next, struct hv_datagram, age);

		if (dg->packet)
			hv_packet_free(ip->core, dg->packet);
		dg->packet = NULL;
		remove_entry(dg);
	}
	hv_hash_finish(&table->hash);
}

static bool entry_equal(const struct hv_hash_node *node, const void *key)
{
	const struct hv_datagram *dg = hv_container(node, struct hv_datagram, node);
	const struct datagram_key *wanted = key;

	return dg->id == wanted->id && dg->proto == wanted->proto &&
	       hv_addr_equal(&dg->src, &wanted->src) && hv_addr_equal(&dg->dst, &wanted->dst);
}

/* Under the limit by ending the oldest ones. False: one alone is beyond it. */
static bool make_room(struct hv_ip *ip)
{
	struct hv_reassembly *table = &ip->reassembly;
	size_t limit = ip->config.max_reassembly_bytes;

	while (table->bytes + ENTRY_BYTES + HV_PACKET_LARGE > limit) {
		struct hv_datagram *oldest;

		if (hv_list_is_empty(&table->age))
			return false;
		oldest = hv_container(table->age.next, struct hv_datagram, age);
		drop_packet(oldest, HV_DROP_FRAGMENT_LIMIT);
		remove_entry(oldest);
	}
	return true;
}

static struct hv_datagram *new_entry(struct hv_ip *ip, const struct datagram_key *key,
				     uint32_t hash)
{
	uint64_t life_ns = hv_addr_is_v4(&key->dst) ? HV_REASSEMBLY_V4_NS : HV_REASSEMBLY_V6_NS;
	struct hv_datagram *dg = hv_zalloc(ip->core, sizeof(*dg));

	if (!dg)
		return NULL;
	dg->packet = hv_packet_new(ip->core, HV_REASSEMBLY_HEADER, UINT16_MAX);
	if (!dg->packet)
		goto no_packet;
	if (hv_hash_insert(&ip->reassembly.hash, &dg->node, hash) < 0)
		goto no_space;
	dg->ip = ip;
	dg->src = key->src;
	dg->dst = key->dst;
	dg->id = key->id;
	dg->proto = (uint8_t)key->proto;
	hv_list_append(&ip->reassembly.age, &dg->age);
	hv_timer_init(&dg->timer, timer_fire);
	hv_timer_set(&ip->core->wheel, &dg->timer, ip->core->now_ns + life_ns);
	ip->reassembly.bytes += ENTRY_BYTES + HV_PACKET_LARGE;
	return dg;
no_space:
	hv_packet_free(ip->core, dg->packet);
no_packet:
	hv_free(ip->core, dg, sizeof(*dg));
	return NULL;
}

/* The entry that a fragment belongs to. NULL: *reason says why there is none. */
static struct hv_datagram *entry_for(struct hv_ip *ip, const struct hv_desc *d,
				     const struct hv_fragment *f, enum hv_drop *reason)
{
	/* IPv6 has no protocol in the key (RFC 8200 section 4.5). */
	struct datagram_key key = {.src = d->src,
				   .dst = d->dst,
				   .id = f->id,
				   .proto = hv_addr_is_v4(&d->dst) ? f->proto : 0};
	uint32_t hash = (uint32_t)hv_siphash(&ip->core->hash_key, &key, sizeof(key));
	struct hv_hash_node *node = hv_hash_find(&ip->reassembly.hash, hash, entry_equal, &key);
	struct hv_datagram *dg;

	if (node)
		return hv_container(node, struct hv_datagram, node);
	*reason = HV_DROP_FRAGMENT_LIMIT;
	if (!make_room(ip))
		return NULL;
	*reason = HV_DROP_NO_MEMORY;
	dg = new_entry(ip, &key, hash);
	return dg;
}

/* Bits [from, to) of the word that holds bit `from`. */
static uint64_t word_mask(uint32_t from, uint32_t to)
{
	uint32_t low = from % 64, count = to - from;

	if (count > 64 - low)
		count = 64 - low;
	return (count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1) << low;
}

/* Units of [from, to) that are here. */
static uint32_t count_units(const struct hv_datagram *dg, uint32_t from, uint32_t to)
{
	uint32_t count = 0;

	for (; from < to; from = (from / 64 + 1) * 64)
		count += (uint32_t)__builtin_popcountll(dg->bitmap[from / 64] &
							word_mask(from, to));
	return count;
}

static void set_units(struct hv_datagram *dg, uint32_t from, uint32_t to)
{
	dg->units += to - from;
	for (; from < to; from = (from / 64 + 1) * 64)
		dg->bitmap[from / 64] |= word_mask(from, to);
}

static uint8_t *payload_of(const struct hv_datagram *dg)
{
	return dg->packet->head + HV_REASSEMBLY_HEADER;
}

/* Fits its datagram's length, as far as that is known from it or from others. */
static bool fits(const struct hv_datagram *dg, const struct hv_fragment *f)
{
	uint32_t end = f->offset + f->len;

	if (f->more)
		return dg->total_len == 0 || end < dg->total_len;
	return dg->total_len == 0 ? end >= dg->end : end == dg->total_len;
}

/*
 * Fragments that overlap end the datagram, and what comes later of it (RFC 5722 section 4; for IPv4
 * likewise, RFC 3128). An exact repetition is the network's doing and harmless (RFC 8200 section 4.5).
 * HV_DROP_COUNT: it is new.
 */
static enum hv_drop check_overlap(struct hv_datagram *dg, const struct hv_packet *packet,
				  const struct hv_fragment *f)
{
	uint32_t from = f->offset / 8, to = (f->offset + f->len + 7) / 8;
	uint32_t held = count_units(dg, from, to);

	if (held == 0 && fits(dg, f))
		return HV_DROP_COUNT;
	if (held == to - from && fits(dg, f) &&
	    memcmp(payload_of(dg) + f->offset, packet->d.l3 + f->header_len, f->len) == 0)
		return HV_DROP_FRAGMENT_OVERLAP;
	drop_packet(dg, HV_DROP_FRAGMENT_OVERLAP);
	return HV_DROP_FRAGMENT_OVERLAP;
}

/* The first fragment brings the headers and the descriptor. */
static void take_header(struct hv_datagram *dg, const struct hv_packet *packet,
			const struct hv_fragment *f)
{
	uint32_t size = f->l2_len + f->header_len;

	dg->packet->data = payload_of(dg) - size;
	memcpy(dg->packet->data, packet->d.l3 - f->l2_len, size);
	dg->packet->d = packet->d;
	dg->packet->d.proto = f->proto;
	dg->packet->d.l3 = dg->packet->data + f->l2_len;
	dg->packet->d.l4 = dg->packet->d.payload = payload_of(dg);
	dg->l2_len = f->l2_len;
	dg->header_len = f->header_len;
	dg->next_header_at = f->next_header_at;
	dg->first_len = f->len;
}

static void take(struct hv_datagram *dg, const struct hv_packet *packet,
		 const struct hv_fragment *f)
{
	uint32_t end = f->offset + f->len;

	memcpy(payload_of(dg) + f->offset, packet->d.l3 + f->header_len, f->len);
	set_units(dg, f->offset / 8, (end + 7) / 8);
	dg->ecn_seen |= (uint8_t)(1 << (packet->d.traffic_class & ECN_MASK));
	if (end > dg->end)
		dg->end = end;
	if (!f->more)
		dg->total_len = end;
	if (f->offset == 0)
		take_header(dg, packet, f);
}

static void finish_v4(struct hv_datagram *dg)
{
	uint8_t *header = dg->packet->d.l3;
	uint16_t sum;

	header[1] = dg->packet->d.traffic_class;
	hv_put16(header + 2, (uint16_t)(dg->header_len + dg->total_len));
	hv_put16(header + 6, 0);
	memset(header + 10, 0, 2);
	sum = hv_checksum(header, dg->header_len);
	memcpy(header + 10, &sum, 2);
}

/* Take the fragment header out: what is before it moves up. */
static void finish_v6(struct hv_datagram *dg)
{
	struct hv_packet *packet = dg->packet;
	uint32_t before = dg->l2_len + dg->header_len - HV_IPV6_FRAGMENT_HEADER;
	uint8_t *header;

	memmove(packet->data + HV_IPV6_FRAGMENT_HEADER, packet->data, before);
	packet->data += HV_IPV6_FRAGMENT_HEADER;
	packet->d.l3 += HV_IPV6_FRAGMENT_HEADER;
	dg->header_len -= HV_IPV6_FRAGMENT_HEADER;
	header = packet->d.l3;
	header[0] = (uint8_t)(6 << 4 | packet->d.traffic_class >> 4);
	header[1] = (uint8_t)(packet->d.traffic_class << 4 | (header[1] & 15));
	header[dg->next_header_at] = packet->d.proto;
	hv_put16(header + 4, (uint16_t)(dg->header_len - HV_IPV6_HEADER + dg->total_len));
}

/* All is here: the packet as if it had come whole. NULL: it cannot be (counted). */
static struct hv_packet *finish(struct hv_datagram *dg)
{
	bool is_v4 = hv_addr_is_v4(&dg->dst);
	uint32_t fixed = is_v4 ? 0 : HV_IPV6_HEADER + HV_IPV6_FRAGMENT_HEADER;
	struct hv_packet *packet = dg->packet;
	bool congested = dg->ecn_seen & 1 << ECN_CE;

	/* Congestion marked on a datagram that is not ECN-capable throughout: RFC 3168 section 5.3. */
	if (dg->header_len - fixed + dg->total_len > UINT16_MAX ||
	    (congested && (dg->ecn_seen & 1))) {
		drop_packet(dg, HV_DROP_FRAGMENT_INVALID);
		remove_entry(dg);
		return NULL;
	}
	if (congested)
		packet->d.traffic_class |= ECN_CE;
	if (is_v4)
		finish_v4(dg);
	else
		finish_v6(dg);
	packet->len = dg->l2_len + dg->header_len + dg->total_len;
	packet->d.payload_len = dg->total_len;
	packet->d.dont_fragment = false;
	packet->csum = HV_CSUM_NONE;
	dg->packet = NULL;
	dg->ip->reassembly.bytes -= HV_PACKET_LARGE;
	remove_entry(dg);
	return packet;
}

/* RFC 792 and RFC 4443 section 3.3: the sender is told when the first fragment is there. */
static void timer_fire(struct hv_timer *timer)
{
	struct hv_datagram *dg = hv_container(timer, struct hv_datagram, timer);
	bool is_v4 = hv_addr_is_v4(&dg->dst);
	struct hv_icmp_message message = {.type = is_v4 ? HV_ICMP4_TIME_EXCEEDED
							: HV_ICMP6_TIME_EXCEEDED,
					  .code = HV_ICMP_EXCEEDED_REASSEMBLY};

	if (dg->packet && dg->header_len) {
		dg->packet->len = dg->l2_len + dg->header_len + dg->first_len;
		dg->packet->d.payload_len = dg->first_len;
		hv_icmp_error_about(dg->ip, dg->packet, &message, NULL, false);
	}
	drop_packet(dg, HV_DROP_FRAGMENT_TIMEOUT);
	remove_entry(dg);
}

/* RFC 8200 section 4.5: lengths that are not multiples of 8 are told, with the place. */
static bool is_valid(struct hv_ip *ip, const struct hv_packet *packet,
		     const struct hv_fragment *f)
{
	bool is_v4 = hv_addr_is_v4(&packet->d.dst);
	struct hv_icmp_message message = {.type = HV_ICMP6_PARAMETER,
					  .code = HV_ICMP6_PROBLEM_FIELD,
					  .rest = 4};

	if (f->more && f->len % 8 != 0) {
		if (!is_v4)
			hv_icmp_error_about(ip, packet, &message, NULL, false);
		return false;
	}
	return f->len > 0 && f->offset + f->len <= UINT16_MAX &&
	       f->l2_len + f->header_len <= HV_REASSEMBLY_HEADER;
}

struct hv_packet *hv_reassembly_input(struct hv_ip *ip, struct hv_packet *packet,
				      const struct hv_fragment *fragment)
{
	enum hv_drop reason = HV_DROP_FRAGMENT_INVALID;
	struct hv_datagram *dg;

	if (!is_valid(ip, packet, fragment))
		goto refuse;
	dg = entry_for(ip, &packet->d, fragment, &reason);
	if (!dg)
		goto refuse;
	reason = HV_DROP_FRAGMENT_OVERLAP;
	if (!dg->packet) /* an overlap ended it */
		goto refuse;
	reason = check_overlap(dg, packet, fragment);
	if (reason != HV_DROP_COUNT)
		goto refuse;
	take(dg, packet, fragment);
	hv_packet_free(ip->core, packet);
	if (dg->total_len && dg->header_len && dg->units == (dg->total_len + 7) / 8)
		return finish(dg);
	return NULL;
refuse:
	hv_drop(ip->core, packet, reason);
	return NULL;
}
