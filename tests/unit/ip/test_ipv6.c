/* src/ip/ipv6_input.c: what an IPv6 packet must be to reach a transport. */
#include "fixture.h"

static uint8_t body[512];

static void arrives(struct hv_ipv6_header h, uint32_t size)
{
	fixture_input(f.frame, build_v6(h, body, size));
}

static void from_to(const char *src, const char *dst)
{
	struct hv_ipv6_header h = from_peer6(IPPROTO_UDP);

	h.src = ip(src);
	h.dst = ip(dst);
	arrives(h, 64);
}

static int forget_body(void **state)
{
	memset(body, 0, sizeof(body));
	return fixture_setup(state);
}

static void reaches_its_transport(void **state)
{
	struct hv_ipv6_header h = from_peer6(IPPROTO_TCP);

	(void)state;
	h.hop_limit = 9;
	h.traffic_class = 0xb9;
	body[3] = 7;
	arrives(h, 64);
	assert_int_equal(f.input_count, 1);
	assert_true(hv_addr_equal(&f.last.src, &h.src));
	assert_true(hv_addr_equal(&f.last.dst, &h.dst));
	assert_int_equal(f.last.proto, IPPROTO_TCP);
	assert_int_equal(f.last.hop_limit, 9);
	assert_int_equal(f.last.traffic_class, 0xb9);
	assert_int_equal(f.last.payload_len, 64);
	assert_int_equal(f.last_payload[3], 7);
}

static void padding_is_cut_off_and_short_frames_dropped(void **state)
{
	uint32_t size = build_v6(from_peer6(IPPROTO_UDP), body, 8);

	(void)state;
	fixture_input(f.frame, size + 30);
	assert_int_equal(f.input_count, 1);
	assert_int_equal(f.last.payload_len, 8);
	fixture_input(f.frame, size - 1);
	fixture_input(f.frame, HV_ETH_HEADER + 39);
	f.frame[HV_ETH_HEADER] = 0x45;
	fixture_input(f.frame, size);
	assert_int_equal(drops(HV_DROP_IP_HEADER), 3);
}

static void impossible_sources_are_dropped(void **state)
{
	(void)state;
	f.ip.config.accept_any_address = true;
	from_to("::1", "fd00::2");
	from_to("fd00::100", "::1");
	from_to("ff02::1", "fd00::2");
	from_to("fd00::2", "fd00::2");
	from_to("::", "fd00::2");
	from_to("::", "ff02::1"); /* only ICMPv6 may */
	assert_int_equal(drops(HV_DROP_IP_SOURCE), 6);
	assert_int_equal(f.input_count, 0);
}

static void ipv4_in_disguise_is_dropped(void **state)
{
	uint32_t size = build_v6(from_peer6(IPPROTO_UDP), body, 64);

	(void)state;
	f.ip.config.accept_any_address = true;
	memcpy(f.frame + HV_ETH_HEADER + 24, ip("8.8.8.8").b, 16);
	fixture_input(f.frame, size);
	assert_int_equal(drops(HV_DROP_IP_HEADER), 1);
	assert_int_equal(f.input_count, 0);
}

static void only_ours_without_accept_any(void **state)
{
	(void)state;
	from_to("fd00::100", "fd00::3");
	assert_int_equal(drops(HV_DROP_IP_NOT_LOCAL), 1);
	f.ip.config.accept_any_address = true;
	from_to("fd00::100", "2001:db8::1");
	assert_int_equal(f.input_count, 1);
	from_to("fd00::100", "fe80::77"); /* does not leave the link */
	assert_int_equal(drops(HV_DROP_IP_NOT_LOCAL), 2);
	from_to("fd00::100", "ff02::fb");
	assert_int_equal(drops(HV_DROP_LINK_OTHER_HOST), 1);
	from_to("fd00::100", "ff02::1");
	assert_int_equal(f.input_count, 2);
	assert_true(f.last.link_broadcast);
}

static void a_router_counts_hops(void **state)
{
	struct hv_ipv6_header h = from_peer6(IPPROTO_UDP);
	const uint8_t *p;

	(void)state;
	fixture_meet_v6();
	f.ip.config.accept_any_address = f.ip.config.router = true;
	h.hop_limit = 1;
	arrives(h, 64);
	assert_int_equal(f.input_count, 1);
	h.dst = ip("2001:db8::1");
	arrives(h, 64);
	assert_int_equal(f.input_count, 1);
	p = sent_payload(0);
	assert_int_equal(hv_icmp_type(p), HV_ICMP6_TIME_EXCEEDED);
	assert_memory_equal(hv_ipv6_src(f.frames[0].bytes + 14), ip("fd00::2").b, 16);
	assert_int_equal(drops(HV_DROP_IP_HOP_LIMIT), 1);
	h.hop_limit = 2;
	arrives(h, 64);
	assert_int_equal(f.input_count, 2);
}

static void extension_headers_are_walked(void **state)
{
	(void)state;
	body[0] = HV_IPV6_DESTINATION; /* hop by hop, 8 bytes, PadN */
	body[2] = 1;
	body[3] = 4;
	body[8] = HV_IPV6_ROUTING; /* destination options, 16 bytes */
	body[9] = 1;
	body[10] = 1;
	body[11] = 12;
	body[24] = IPPROTO_UDP; /* routing, nothing left */
	body[26] = 3;
	body[32] = 0x77;
	arrives(from_peer6(HV_IPV6_HOP_BY_HOP), 100);
	assert_int_equal(f.input_count, 1);
	assert_int_equal(f.last.proto, IPPROTO_UDP);
	assert_int_equal(f.last.payload_len, 68);
	assert_int_equal(f.last_payload[0], 0x77);
}

static void check_problem(uint8_t code, uint32_t pointer)
{
	const uint8_t *p;

	assert_int_equal(f.frame_count, 1);
	p = sent_payload(0);
	assert_int_equal(hv_icmp_type(p), HV_ICMP6_PARAMETER);
	assert_int_equal(hv_icmp_code(p), code);
	assert_int_equal(hv_get32(p + 4), pointer);
	assert_int_equal(f.input_count, 0);
}

static void routing_headers_are_refused(void **state)
{
	(void)state;
	fixture_meet_v6();
	body[0] = IPPROTO_UDP;
	body[3] = 1; /* one segment left: RFC 5095, RFC 8200 section 4.4 */
	arrives(from_peer6(HV_IPV6_ROUTING), 64);
	check_problem(HV_ICMP6_PROBLEM_FIELD, 42);
	assert_int_equal(drops(HV_DROP_IP_OPTIONS), 1);
}

static void unknown_next_headers_are_told(void **state)
{
	(void)state;
	fixture_meet_v6();
	body[0] = 132;
	arrives(from_peer6(HV_IPV6_DESTINATION), 64);
	check_problem(HV_ICMP6_PROBLEM_NEXT_HEADER, 40);
	assert_int_equal(drops(HV_DROP_IP_PROTOCOL), 1);
}

static void unknown_options_do_as_they_say(void **state)
{
	struct hv_ipv6_header h = from_peer6(HV_IPV6_DESTINATION);

	(void)state;
	fixture_meet_v6();
	body[0] = IPPROTO_UDP;
	body[3] = 4;
	body[2] = 0x1e; /* 00: pass over */
	arrives(h, 64);
	assert_int_equal(f.input_count, 1);
	f.input_count = 0;
	body[2] = 0x5e; /* 01: discard */
	arrives(h, 64);
	assert_int_equal(f.frame_count, 0);
	body[2] = 0xde; /* 11: tell unless it was multicast */
	h.dst = ip("ff02::1");
	arrives(h, 64);
	assert_int_equal(f.frame_count, 0);
	h.dst = ip("fd00::2");
	arrives(h, 64);
	check_problem(HV_ICMP6_PROBLEM_OPTION, 42);
	fixture_forget();
	body[2] = 0x9e; /* 10: tell always */
	h.dst = ip("ff02::1");
	arrives(h, 64);
	check_problem(HV_ICMP6_PROBLEM_OPTION, 42);
	assert_memory_equal(hv_ipv6_src(f.frames[0].bytes + 14), ip("fd00::2").b, 16);
}

static void nothing_after_no_next_header(void **state)
{
	(void)state;
	arrives(from_peer6(HV_IPV6_NO_NEXT), 0);
	assert_int_equal(drops(HV_DROP_IP_PROTOCOL), 1);
	assert_int_equal(f.frame_count, 0);
}

static void endless_chains_are_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		body[i * 8] = HV_IPV6_DESTINATION;
		body[i * 8 + 2] = 1;
		body[i * 8 + 3] = 4;
	}
	arrives(from_peer6(HV_IPV6_DESTINATION), 200);
	assert_int_equal(drops(HV_DROP_IP_OPTIONS), 1);
	assert_int_equal(f.input_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, forget_body, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(reaches_its_transport),
		TEST(padding_is_cut_off_and_short_frames_dropped),
		TEST(impossible_sources_are_dropped),
		TEST(ipv4_in_disguise_is_dropped),
		TEST(only_ours_without_accept_any),
		TEST(a_router_counts_hops),
		TEST(extension_headers_are_walked),
		TEST(routing_headers_are_refused),
		TEST(unknown_next_headers_are_told),
		TEST(unknown_options_do_as_they_say),
		TEST(nothing_after_no_next_header),
		TEST(endless_chains_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
