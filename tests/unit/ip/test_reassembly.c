/* src/ip/reassembly.c: any order, repetitions, overlaps, limits, time. */
#include "fixture.h"

static uint8_t whole[70000];

static int setup(void **state)
{
	for (uint32_t i = 0; i < sizeof(whole); i++)
		whole[i] = pattern(i);
	return fixture_setup(state);
}

static void fragment4_of(uint16_t id, uint32_t offset, uint32_t size, bool more)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_UDP);

	h.id = id;
	h.fragment_offset = (uint16_t)offset;
	h.more_fragments = more;
	fixture_input(f.frame, build_v4(h, whole + offset, size));
}

static void fragment4(uint32_t offset, uint32_t size, bool more)
{
	fragment4_of(77, offset, size, more);
}

static void fragment6(uint32_t offset, uint32_t size, bool more)
{
	static uint8_t bytes[70000];

	hv_wire_ipv6_fragment_write(bytes, IPPROTO_UDP, (uint16_t)offset, more, 77);
	memcpy(bytes + 8, whole + offset, size);
	fixture_input(f.frame, build_v6(from_peer6(HV_IPV6_FRAGMENT), bytes, size + 8));
}

static bool is_empty(void)
{
	return f.ip.reassembly.bytes == 0 && hv_list_is_empty(&f.ip.reassembly.age) &&
	       hv_timer_next(&f.core.wheel) == UINT64_MAX;
}

static void every_order_works(void **state)
{
	static const uint32_t at[4] = {0, 800, 1600, 2400};

	(void)state;
	for (unsigned order = 0; order < 256; order++) {
		unsigned seen = 0;

		for (unsigned i = 0; i < 4; i++)
			seen |= 1U << (order >> i * 2 & 3);
		if (seen != 15) /* no permutation */
			continue;
		f.input_count = 0;
		for (unsigned i = 0; i < 4; i++) {
			unsigned n = order >> i * 2 & 3;

			fragment4(at[n], n == 3 ? 333 : 800, n != 3);
		}
		assert_int_equal(f.input_count, 1);
		assert_true(fixture_got_pattern(2733));
		assert_true(is_empty());
	}
}

static void ipv6_too(void **state)
{
	(void)state;
	fragment6(1600, 99, false);
	fragment6(800, 800, true);
	assert_int_equal(f.input_count, 0);
	fragment6(0, 800, true);
	assert_int_equal(f.input_count, 1);
	assert_true(fixture_got_pattern(1699));
	assert_int_equal(f.last.proto, IPPROTO_UDP);
	assert_true(is_empty());
}

static void an_atomic_fragment_is_a_packet(void **state)
{
	(void)state;
	fragment6(0, 777, false); /* RFC 6946 */
	assert_int_equal(f.input_count, 1);
	assert_true(fixture_got_pattern(777));
	assert_true(is_empty());
}

static void datagrams_do_not_mix(void **state)
{
	(void)state;
	fragment4_of(1, 0, 800, true);
	fragment4_of(2, 800, 100, false);
	assert_int_equal(f.input_count, 0);
	fragment4_of(2, 0, 800, true);
	assert_int_equal(f.input_count, 1);
	fragment4_of(1, 800, 200, false);
	assert_int_equal(f.input_count, 2);
	assert_int_equal(f.last.payload_len, 1000);
}

static void repetitions_are_harmless(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		fragment6(0, 800, true);
		fragment6(1600, 99, false);
	}
	assert_int_equal(drops(HV_DROP_FRAGMENT_OVERLAP), 4);
	fragment6(800, 800, true);
	assert_int_equal(f.input_count, 1);
	assert_true(fixture_got_pattern(1699));
}

static void an_overlap_ends_the_datagram(void **state)
{
	(void)state;
	fragment6(0, 800, true);
	fragment6(792, 800, true);
	fragment6(800, 800, true); /* all that would have made it whole */
	fragment6(1600, 99, false);
	fragment6(0, 800, true);
	assert_int_equal(f.input_count, 0);
	assert_int_equal(drops(HV_DROP_FRAGMENT_OVERLAP), 1 + 1 + 3);
	fixture_advance(61 * SECOND);
	assert_true(is_empty());
	assert_int_equal(f.frame_count, 0); /* nobody is told: RFC 5722 */
}

static void a_repetition_with_other_bytes_is_an_overlap(void **state)
{
	(void)state;
	fragment4(0, 800, true);
	whole[5] ^= 1;
	fragment4(0, 800, true);
	whole[5] ^= 1;
	fragment4(800, 10, false);
	assert_int_equal(f.input_count, 0);
}

static void nothing_beyond_the_last(void **state)
{
	(void)state;
	fragment4(800, 100, false);
	fragment4(1600, 800, true);
	fragment4(0, 800, true);
	assert_int_equal(f.input_count, 0);
	fragment4_of(2, 1600, 800, true);
	fragment4_of(2, 800, 100, false);
	fragment4_of(2, 0, 800, true);
	assert_int_equal(f.input_count, 0);
	fragment4_of(3, 800, 100, false);
	fragment4_of(3, 904, 100, false); /* two ends */
	fragment4_of(3, 0, 800, true);
	assert_int_equal(f.input_count, 0);
}

static void impossible_lengths_are_refused(void **state)
{
	(void)state;
	fragment4(0, 801, true);      /* not a multiple of 8 */
	fragment4(800, 0, false);     /* of nothing */
	fragment4(65528, 100, false); /* beyond 64 KiB */
	assert_int_equal(drops(HV_DROP_FRAGMENT_INVALID), 3);
	assert_true(is_empty());
	/* 65,535 bytes of payload and a header are too many. */
	fragment4(0, 65512, true);
	fragment4(65512, 23, false);
	assert_int_equal(drops(HV_DROP_FRAGMENT_INVALID), 4);
	assert_true(is_empty());
	fragment4(0, 65512, true);
	fragment4(65512, 3, false); /* the most that there can be */
	assert_int_equal(f.input_count, 1);
	assert_true(fixture_got_pattern(65515));
}

static void a_wrong_length_is_told_over_ipv6(void **state)
{
	const uint8_t *p;

	(void)state;
	fixture_meet_v6();
	fragment6(0, 801, true);
	p = sent_payload(0);
	assert_int_equal(hv_icmp_type(p), HV_ICMP6_PARAMETER);
	assert_int_equal(hv_get32(p + 4), 4); /* the payload length */
}

static void time_runs_out(void **state)
{
	const uint8_t *p;

	(void)state;
	fixture_meet_v4();
	fragment4(0, 800, true);
	fragment4(1600, 800, true);
	fixture_advance(29 * SECOND);
	assert_int_equal(drops(HV_DROP_FRAGMENT_TIMEOUT), 0);
	fixture_advance(2 * SECOND);
	assert_int_equal(drops(HV_DROP_FRAGMENT_TIMEOUT), 1);
	p = sent_payload(0);
	assert_int_equal(hv_icmp_type(p), HV_ICMP4_TIME_EXCEEDED);
	assert_int_equal(hv_icmp_code(p), HV_ICMP_EXCEEDED_REASSEMBLY);
	assert_int_equal(f.frames[0].size - 14, 576);
	assert_int_equal(p[8], 0x45);
	assert_int_equal(hv_get16(p + 8 + 6), HV_IPV4_MORE_FRAGMENTS);
	assert_int_equal(p[8 + 20 + 100], pattern(100));
	assert_int_equal(f.ip.reassembly.bytes, 0);
	fragment4(800, 800, false); /* too late: begins another one */
	assert_int_equal(f.input_count, 0);
}

static void without_the_first_nobody_is_told(void **state)
{
	(void)state;
	fixture_meet_v4();
	fixture_meet_v6();
	fragment4(800, 800, true);
	fragment6(800, 800, true);
	fixture_advance(61 * SECOND);
	assert_int_equal(drops(HV_DROP_FRAGMENT_TIMEOUT), 2);
	assert_int_equal(f.frame_count, 0);
	assert_true(is_empty());
}

static void ipv6_waits_a_minute(void **state)
{
	const uint8_t *p;

	(void)state;
	fixture_meet_v6();
	fragment6(0, 800, true);
	fixture_advance(59 * SECOND);
	assert_int_equal(drops(HV_DROP_FRAGMENT_TIMEOUT), 0);
	fixture_advance(2 * SECOND);
	p = sent_payload(0);
	assert_int_equal(hv_icmp_type(p), HV_ICMP6_TIME_EXCEEDED);
	assert_int_equal(hv_icmp_code(p), HV_ICMP_EXCEEDED_REASSEMBLY);
	assert_int_equal(p[8 + 6], HV_IPV6_FRAGMENT); /* as it came */
}

static void the_oldest_goes_at_the_limit(void **state)
{
	(void)state;
	for (uint16_t id = 1; id <= 100; id++) {
		fragment4_of(id, 0, 800, true);
		assert_true(f.ip.reassembly.bytes <= f.ip.config.max_reassembly_bytes);
	}
	assert_true(drops(HV_DROP_FRAGMENT_LIMIT) >= 80);
	fragment4_of(100, 800, 100, false);
	assert_int_equal(f.input_count, 1);
	fragment4_of(1, 800, 100, false);
	assert_int_equal(f.input_count, 1);
}

static void no_memory_allowed_is_none_taken(void **state)
{
	(void)state;
	f.ip.config.max_reassembly_bytes = 1000;
	fragment4(0, 800, true);
	assert_int_equal(drops(HV_DROP_FRAGMENT_LIMIT), 1);
	assert_true(is_empty());
}

static void send_ecn(uint8_t first, uint8_t second)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_UDP);

	h.traffic_class = (uint8_t)(0x20 | first);
	h.more_fragments = true;
	fixture_input(f.frame, build_v4(h, whole, 800));
	h.traffic_class = (uint8_t)(0x20 | second);
	h.more_fragments = false;
	h.fragment_offset = 800;
	fixture_input(f.frame, build_v4(h, whole + 800, 100));
}

static void congestion_on_one_is_on_all(void **state)
{
	(void)state;
	send_ecn(2, 3);
	assert_int_equal(f.input_count, 1);
	assert_int_equal(f.last.traffic_class, 0x23);
	send_ecn(0, 0);
	assert_int_equal(f.last.traffic_class, 0x20);
	send_ecn(0, 3); /* RFC 3168 section 5.3 */
	assert_int_equal(f.input_count, 2);
	assert_int_equal(drops(HV_DROP_FRAGMENT_INVALID), 1);
}

static void headers_before_the_fragment_header_stay(void **state)
{
	uint8_t bytes[8 + 8 + 80] = {HV_IPV6_FRAGMENT, 0, 1, 4};

	(void)state;
	hv_wire_ipv6_fragment_write(bytes + 8, IPPROTO_UDP, 0, true, 9);
	memcpy(bytes + 16, whole, 80);
	fixture_input(f.frame, build_v6(from_peer6(HV_IPV6_DESTINATION), bytes, sizeof(bytes)));
	hv_wire_ipv6_fragment_write(bytes + 8, IPPROTO_UDP, 80, false, 9);
	memcpy(bytes + 16, whole + 80, 80);
	fixture_input(f.frame, build_v6(from_peer6(HV_IPV6_DESTINATION), bytes, sizeof(bytes)));
	assert_int_equal(f.input_count, 1);
	assert_true(fixture_got_pattern(160));
}

static void fragments_in_fragments_are_refused(void **state)
{
	uint8_t bytes[8 + 800];

	(void)state;
	hv_wire_ipv6_fragment_write(whole, IPPROTO_UDP, 0, true, 5);
	hv_wire_ipv6_fragment_write(bytes, HV_IPV6_FRAGMENT, 0, true, 9);
	memcpy(bytes + 8, whole, 800);
	fixture_input(f.frame, build_v6(from_peer6(HV_IPV6_FRAGMENT), bytes, sizeof(bytes)));
	hv_wire_ipv6_fragment_write(bytes, HV_IPV6_FRAGMENT, 800, false, 9);
	fixture_input(f.frame, build_v6(from_peer6(HV_IPV6_FRAGMENT), bytes, sizeof(bytes)));
	assert_int_equal(f.input_count, 0);
	assert_int_equal(drops(HV_DROP_FRAGMENT_INVALID), 1);
	assert_true(is_empty());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_order_works),
		TEST(ipv6_too),
		TEST(an_atomic_fragment_is_a_packet),
		TEST(datagrams_do_not_mix),
		TEST(repetitions_are_harmless),
		TEST(an_overlap_ends_the_datagram),
		TEST(a_repetition_with_other_bytes_is_an_overlap),
		TEST(nothing_beyond_the_last),
		TEST(impossible_lengths_are_refused),
		TEST(a_wrong_length_is_told_over_ipv6),
		TEST(time_runs_out),
		TEST(without_the_first_nobody_is_told),
		TEST(ipv6_waits_a_minute),
		TEST(the_oldest_goes_at_the_limit),
		TEST(no_memory_allowed_is_none_taken),
		TEST(congestion_on_one_is_on_all),
		TEST(headers_before_the_fragment_header_stay),
		TEST(fragments_in_fragments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
