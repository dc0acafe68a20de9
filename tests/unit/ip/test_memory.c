/* The IP layer without memory: the N-th allocation fails, for every N; and frames of rubbish. */
#include <haven/forward.h>

#include "fixture.h"

static uint8_t bytes[3000];

static void fragments(uint16_t id)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_UDP);

	h.id = id;
	h.fragment_offset = 800;
	fixture_input(f.frame, build_v4(h, bytes, 100));
	h.fragment_offset = 0;
	h.more_fragments = true;
	fixture_input(f.frame, build_v4(h, bytes, 800));
}

/* A bit of everything that takes memory. */
static void use_all(void)
{
	struct hv_ip_tx tx4 = {.src = ip("10.0.2.2"),
			       .dst = ip("10.0.2.100"),
			       .proto = IPPROTO_UDP};
	struct hv_ip_tx tx6 = {.src = ip("fd00::2"),
			       .dst = ip("fd00::100"),
			       .proto = IPPROTO_UDP};
	struct hv_addr dst = ip("10.0.2.100");
	uint8_t quote[28] = {0x45};

	fixture_send(&tx4, 4000);
	fixture_send(&tx6, 4000);
	arp_input(HV_ARP_REQUEST, "10.0.2.100", "10.0.2.2", peer_mac);
	fixture_advance(SECOND + SECOND / 10);
	fixture_send(&tx4, 4000);
	tx4.dst = tx4.src;
	fixture_send(&tx4, 2000);
	fragments(1);
	fragments(2);
	hv_path_mtu_update(&f.ip, &dst, 1400, 1500);
	hv_ip_icmp_error_output(&f.ip, HAVEN_ICMP_HOST_UNREACHABLE, 0, NULL, &dst, quote,
				sizeof(quote));
	hv_ip_echo_reply(&f.ip, &tx4.src, &dst, 1, 2, bytes, 3000);
	memset(bytes, 0, 64);
	bytes[0] = HV_ICMP4_ECHO_REQUEST;
	fixture_input(f.frame, build_icmp4(from_peer4(IPPROTO_ICMP), bytes, 64));
	for (unsigned i = 0; i < 100; i++)
		fixture_advance(SECOND);
}

static void every_allocation_may_fail(void **state)
{
	unsigned n;
	bool failed = true;

	(void)state;
	for (n = 1; failed && n < 1000; n++) {
		fixture_init(NULL);
		test_env_fail(&f.env, n);
		use_all();
		failed = test_env_failed(&f.env);
		test_env_fail(&f.env, 0);
		/* It goes on when there is memory again. */
		f.input_count = 0;
		fixture_forget();
		fragments(9);
		assert_int_equal(f.input_count, 1);
		fixture_finish();
	}
	assert_true(n > 10 && n < 1000);
}

static void many_allocations_fail(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		fixture_init(NULL);
		f.env.fail_ppm = 300000;
		for (unsigned i = 0; i < 5; i++) {
			use_all();
			fixture_forget();
		}
		f.env.fail_ppm = 0;
		fixture_finish();
	}
}

/* Valid packets with some bytes changed and cut short: nothing but counters may come of it. */
static void rubbish_is_survived(void **state)
{
	struct test_random random;
	struct hv_ip_config config;

	(void)state;
	test_random_init(&random, 42);
	fixture_config(&config);
	config.accept_any_address = config.router = config.router_advertisements = true;
	fixture_init(&config);
	for (unsigned i = 0; i < 20000; i++) {
		static const uint8_t protocols[] = {0, 1, 6, 17, 43, 44, 58, 60, 59};
		uint8_t proto = protocols[test_random_below(&random, sizeof(protocols))];
		uint32_t size = (uint32_t)test_random_below(&random, 300);
		bool v6 = test_random_one_in(&random, 2);

		test_random_fill(&random, bytes, size);
		if (size > 4 && test_random_one_in(&random, 2)) {
			bytes[0] = protocols[test_random_below(&random, sizeof(protocols))];
			bytes[1] = (uint8_t)test_random_below(&random, 3);
		}
		if (v6)
			size = build_v6(from_peer6(proto), bytes, size);
		else
			size = build_v4(from_peer4(proto), bytes, size);
		if (v6 && proto == IPPROTO_ICMPV6 && size > 54 + 8) {
			memcpy(bytes, f.frame + 54, size - 54);
			bytes[0] = (uint8_t)test_random_range(&random, 128, 138);
			size = build_icmp6(from_peer6(proto), bytes, size - 54);
		}
		if (test_random_one_in(&random, 3))
			f.frame[14 + test_random_below(&random, size - 14)] ^=
				(uint8_t)(1 << test_random_below(&random, 8));
		if (test_random_one_in(&random, 8))
			size = (uint32_t)test_random_below(&random, size + 1);
		fixture_input(f.frame, size);
		fixture_advance(SECOND / 100);
		fixture_forget();
	}
	assert_true(f.ip.reassembly.bytes <= config.max_reassembly_bytes);
	assert_true(f.ip.neighbours.count <= config.max_neighbours);
	fixture_finish();
}

static void links_have_a_limit(void **state)
{
	static struct haven_link more[HV_IP_MAX_LINKS];
	unsigned ifindex = 0;

	(void)state;
	fixture_init(NULL);
	for (unsigned i = 0; i < 3; i++) {
		more[i] = f.link;
		assert_int_equal(hv_ip_attach(&f.ip, &more[i], &ifindex), 0);
		assert_int_equal(ifindex, i + 2);
		assert_ptr_equal(hv_ip_link(&f.ip, ifindex), &more[i]);
	}
	more[3] = f.link;
	more[3].ifindex = 99;
	assert_int_equal(hv_ip_attach(&f.ip, &more[3], &ifindex), -ENOSPC);
	assert_int_equal(more[3].ifindex, 0); /* destroyed: it was given away */
	assert_null(hv_ip_link(&f.ip, 5));
	assert_null(hv_ip_link(&f.ip, 0));
	fixture_finish();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(many_allocations_fail),
		cmocka_unit_test(rubbish_is_survived),
		cmocka_unit_test(links_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
