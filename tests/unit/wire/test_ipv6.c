/* The IPv6 header and the walk along extension headers. */
#include <string.h>

#include "support/test.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

enum { TCP = 6, UDP = 17, AUTHENTICATION = 51 };

/* A packet that is built header by header. */
struct build {
	uint8_t bytes[512];
	uint32_t size;
	uint32_t next_at; /* where the next header's number goes */
};

static void build_start(struct build *b)
{
	const uint8_t src[16] = {0xfd, [15] = 1}, dst[16] = {0xfd, [15] = 2};
	struct hv_ipv6_header header = {.src = hv_addr_v6(src),
					.dst = hv_addr_v6(dst),
					.hop_limit = 64};

	memset(b, 0, sizeof(*b));
	hv_wire_ipv6_write(b->bytes, &header);
	b->size = HV_IPV6_HEADER;
	b->next_at = 6;
}

/* Appends `size` bytes under that number; the first byte is the header's own next-header field. */
static uint8_t *build_add(struct build *b, uint8_t number, const uint8_t *bytes, uint32_t size)
{
	uint8_t *p = b->bytes + b->size;

	b->bytes[b->next_at] = number;
	b->next_at = b->size;
	memcpy(p, bytes, size);
	b->size += size;
	hv_put16(b->bytes + 4, (uint16_t)(b->size - HV_IPV6_HEADER));
	return p;
}

static const uint8_t padded[8] = {0, 0, 1, 4};			/* PadN */
static const uint8_t routed[8] = {0, 0, 0, 0};			/* no segments left */
static const uint8_t upper[8] = {0x12, 0x34, 0x00, 0x50, 0, 8}; /* some transport */

static int walk(const struct build *b, struct hv_ipv6_walk *out)
{
	return hv_wire_ipv6_walk(b->bytes, b->size, out);
}

static void reads_what_was_written(void **state)
{
	const uint8_t src[16] = {0xfd, [15] = 1}, dst[16] = {0xfe, 0x80, [15] = 2};
	const struct hv_ipv6_header header = {
		.src = hv_addr_v6(src),
		.dst = hv_addr_v6(dst),
		.payload_length = 8,
		.next_header = UDP,
		.hop_limit = 255,
		.traffic_class = 0xa5,
		.flow_label = 0xfedcb,
	};
	struct hv_ipv6_header out;
	uint8_t p[50] = {0};

	(void)state;
	hv_wire_ipv6_write(p, &header);
	for (uint32_t size = 0; size < 48; size++)
		assert_int_equal(hv_wire_ipv6_parse(p, size, &out), HV_DROP_IP_HEADER);
	assert_int_equal(hv_wire_ipv6_parse(p, 50, &out), HV_DROP_COUNT);
	assert_true(hv_addr_equal(&out.src, &header.src));
	assert_true(hv_addr_equal(&out.dst, &header.dst));
	assert_int_equal(out.payload_length, 8);
	assert_int_equal(out.next_header, UDP);
	assert_int_equal(out.hop_limit, 255);
	assert_int_equal(out.traffic_class, 0xa5);
	assert_int_equal(out.flow_label, 0xfedcb);
	assert_true(hv_wire_ipv6_parse_quote(p, 40, &out));
	assert_false(hv_wire_ipv6_parse_quote(p, 39, &out));
	p[0] = 0x45;
	assert_int_equal(hv_wire_ipv6_parse(p, 50, &out), HV_DROP_IP_HEADER);
}

static void mapped_addresses_are_refused(void **state)
{
	const uint8_t v4[4] = {10, 0, 0, 1}, v6[16] = {0xfd};
	struct hv_ipv6_header header = {.src = hv_addr_v4(v4), .dst = hv_addr_v6(v6)}, out;
	uint8_t p[40];

	(void)state;
	hv_wire_ipv6_write(p, &header);
	assert_int_equal(hv_wire_ipv6_parse(p, 40, &out), HV_DROP_IP_HEADER);
	header.src = header.dst;
	header.dst = hv_addr_v4(v4);
	hv_wire_ipv6_write(p, &header);
	assert_int_equal(hv_wire_ipv6_parse(p, 40, &out), HV_DROP_IP_HEADER);
}

static void walks_to_the_transport(void **state)
{
	struct hv_ipv6_walk out;
	struct build b;

	(void)state;
	build_start(&b);
	build_add(&b, TCP, upper, 8);
	assert_int_equal(walk(&b, &out), HV_DROP_COUNT);
	assert_int_equal(out.proto, TCP);
	assert_int_equal(out.offset, 40);
	assert_int_equal(out.next_header_at, 6);

	build_start(&b);
	build_add(&b, HV_IPV6_HOP_BY_HOP, padded, 8);
	build_add(&b, HV_IPV6_DESTINATION, padded, 8);
	build_add(&b, HV_IPV6_ROUTING, routed, 8);
	build_add(&b, HV_IPV6_DESTINATION, padded, 8);
	build_add(&b, UDP, upper, 8);
	assert_int_equal(walk(&b, &out), HV_DROP_COUNT);
	assert_int_equal(out.proto, UDP);
	assert_int_equal(out.offset, 72);
	assert_int_equal(out.next_header_at, 64);
	assert_false(out.has_fragment_header);

	/* What it does not know ends the walk: its caller decides. */
	build_start(&b);
	build_add(&b, AUTHENTICATION, upper, 8);
	assert_int_equal(walk(&b, &out), HV_DROP_COUNT);
	assert_int_equal(out.proto, AUTHENTICATION);
}

static void stops_at_a_fragment(void **state)
{
	struct hv_ipv6_walk out;
	uint8_t fragment[8];
	struct build b;

	(void)state;
	hv_wire_ipv6_fragment_write(fragment, 0, 1448, true, 0x12345678);
	build_start(&b);
	build_add(&b, HV_IPV6_HOP_BY_HOP, padded, 8);
	build_add(&b, HV_IPV6_FRAGMENT, fragment, 8);
	build_add(&b, HV_IPV6_DESTINATION, padded, 8);
	assert_int_equal(walk(&b, &out), HV_DROP_COUNT);
	assert_true(out.is_fragment && out.more_fragments);
	assert_int_equal(out.fragment_offset, 1448);
	assert_int_equal(out.fragment_id, 0x12345678);
	assert_int_equal(out.proto, HV_IPV6_DESTINATION);
	assert_int_equal(out.offset, 56);
	assert_int_equal(out.unfragmentable, 48);
	assert_int_equal(out.unfragmentable_next_at, 40);
}

static void atomic_fragments_are_whole_packets(void **state)
{
	struct hv_ipv6_walk out;
	uint8_t fragment[8];
	struct build b;

	(void)state;
	hv_wire_ipv6_fragment_write(fragment, 0, 0, false, 1);
	build_start(&b);
	build_add(&b, HV_IPV6_FRAGMENT, fragment, 8);
	build_add(&b, UDP, upper, 8);
	assert_int_equal(walk(&b, &out), HV_DROP_COUNT);
	assert_true(out.has_fragment_header);
	assert_false(out.is_fragment);
	assert_int_equal(out.proto, UDP);
	assert_int_equal(out.offset, 48);
}

static void refusals_say_where(void **state)
{
	static const struct {
		uint8_t number;
		uint8_t bytes[8];
		int verdict;
		bool tell, multicast;
		uint8_t code;
		uint32_t at;
	} cases[] = {
		/* unknown options, by their two high bits */
		{60, {0, 0, 0x1e, 4}, HV_DROP_COUNT, false, false, 0, 0},
		{60, {0, 0, 0x5e, 4}, HV_DROP_IP_OPTIONS, false, false, 0, 0},
		{60,
		 {0, 0, 0x9e, 4},
		 HV_DROP_IP_OPTIONS,
		 true,
		 true,
		 HV_ICMP6_PROBLEM_OPTION,
		 42},
		{60,
		 {0, 0, 0, 0xde, 3},
		 HV_DROP_IP_OPTIONS,
		 true,
		 false,
		 HV_ICMP6_PROBLEM_OPTION,
		 43},
		{0,
		 {0, 0, 0xc2, 4},
		 HV_DROP_IP_OPTIONS,
		 true,
		 false,
		 HV_ICMP6_PROBLEM_OPTION,
		 42},
		/* options beyond the header */
		{60, {0, 0, 1, 5}, HV_DROP_IP_HEADER, false, false, 0, 0},
		{0, {0, 0, 0, 0, 0, 0, 0, 1}, HV_DROP_IP_HEADER, false, false, 0, 0},
		/* segments left */
		{43, {0, 0, 0, 1}, HV_DROP_IP_OPTIONS, true, false, HV_ICMP6_PROBLEM_FIELD, 42},
		/* header beyond the packet */
		{60, {0, 2, 1, 4}, HV_DROP_IP_HEADER, false, false, 0, 0},
	};
	struct hv_ipv6_walk out;
	struct build b;

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		build_start(&b);
		build_add(&b, cases[i].number, cases[i].bytes, 8);
		build_add(&b, UDP, upper, 8);
		assert_int_equal(walk(&b, &out), cases[i].verdict);
		assert_int_equal(out.tell, cases[i].tell);
		assert_int_equal(out.tell_multicast, cases[i].multicast);
		if (out.tell) {
			assert_int_equal(out.problem_code, cases[i].code);
			assert_int_equal(out.problem_at, cases[i].at);
		}
	}
}

static void hop_by_hop_comes_first_or_not_at_all(void **state)
{
	struct hv_ipv6_walk out;
	struct build b;

	(void)state;
	build_start(&b);
	build_add(&b, HV_IPV6_DESTINATION, padded, 8);
	build_add(&b, HV_IPV6_HOP_BY_HOP, padded, 8);
	build_add(&b, UDP, upper, 8);
	assert_int_equal(walk(&b, &out), HV_DROP_IP_OPTIONS);
	assert_true(out.tell);
	assert_int_equal(out.problem_code, HV_ICMP6_PROBLEM_NEXT_HEADER);
	assert_int_equal(out.problem_at, 40);
}

static void chains_are_bounded(void **state)
{
	struct hv_ipv6_walk out;
	struct build b;

	(void)state;
	build_start(&b);
	for (int i = 0; i < HV_IPV6_MAX_EXTENSIONS; i++)
		build_add(&b, HV_IPV6_DESTINATION, padded, 8);
	build_add(&b, UDP, upper, 8);
	assert_int_equal(walk(&b, &out), HV_DROP_COUNT);
	build_start(&b);
	for (int i = 0; i <= HV_IPV6_MAX_EXTENSIONS; i++)
		build_add(&b, HV_IPV6_DESTINATION, padded, 8);
	build_add(&b, UDP, upper, 8);
	assert_int_equal(walk(&b, &out), HV_DROP_IP_OPTIONS);
}

static void nothing_follows(void **state)
{
	struct hv_ipv6_walk out;
	struct build b;

	(void)state;
	build_start(&b);
	build_add(&b, HV_IPV6_NO_NEXT, upper, 8);
	assert_int_equal(walk(&b, &out), HV_DROP_IP_PROTOCOL);
	build_start(&b);
	build_add(&b, HV_IPV6_DESTINATION, padded, 7);
	assert_int_equal(walk(&b, &out), HV_DROP_IP_HEADER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(mapped_addresses_are_refused),
		cmocka_unit_test(walks_to_the_transport),
		cmocka_unit_test(stops_at_a_fragment),
		cmocka_unit_test(atomic_fragments_are_whole_packets),
		cmocka_unit_test(refusals_say_where),
		cmocka_unit_test(hop_by_hop_comes_first_or_not_at_all),
		cmocka_unit_test(chains_are_bounded),
		cmocka_unit_test(nothing_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
