/* src/ip/ndp.c and ndp_router.c: solicitations and advertisements of both kinds. */
#include "fixture.h"

static uint8_t message[128];

static struct hv_ipv6_header nd_header(const char *src, const char *dst)
{
	return (struct hv_ipv6_header){.src = ip(src),
				       .dst = ip(dst),
				       .hop_limit = 255,
				       .next_header = IPPROTO_ICMPV6};
}

static void solicit(struct hv_ipv6_header h, const char *target, const uint8_t *mac)
{
	struct hv_addr addr = ip(target);
	uint32_t size = hv_wire_nd_solicit_write(message, &addr, mac);

	fixture_input(f.frame, build_icmp6(h, message, size));
}

static void advertise(struct hv_ipv6_header h, uint8_t flags, const char *target,
		      const uint8_t *mac)
{
	struct hv_addr addr = ip(target);
	uint32_t size = hv_wire_nd_advert_write(message, flags, &addr, mac);

	fixture_input(f.frame, build_icmp6(h, message, size));
}

static struct hv_neighbour *neighbour(const char *text)
{
	struct hv_addr addr = ip(text);

	return hv_neighbour_find(&f.ip, &f.link, &addr);
}

/* The nth frame is ICMPv6 of this type from and to these, with a right checksum. */
static const uint8_t *sent_nd(unsigned n, uint8_t type, const char *src, const char *dst)
{
	const uint8_t *l3 = sent(n, HV_ETHERTYPE_IPV6) + HV_ETH_HEADER;
	struct hv_addr wanted_src = ip(src), wanted_dst = ip(dst);
	struct hv_ipv6_header h;

	assert_int_equal(hv_wire_ipv6_parse(l3, f.frames[n].size - HV_ETH_HEADER, &h),
			 HV_DROP_COUNT);
	assert_int_equal(h.hop_limit, 255);
	assert_true(hv_addr_equal(&h.src, &wanted_src));
	assert_true(hv_addr_equal(&h.dst, &wanted_dst));
	l3 += HV_IPV6_HEADER;
	assert_true(hv_wire_icmp6_check(l3, h.payload_length, &h.src, &h.dst));
	assert_int_equal(hv_icmp_type(l3), type);
	return l3;
}

static void answers_for_our_address(void **state)
{
	const uint8_t *p;

	(void)state;
	solicit(nd_header("fd00::100", "ff02::1:ff00:2"), "fd00::2", peer_mac);
	assert_int_equal(f.frame_count, 1);
	assert_memory_equal(f.frames[0].bytes, peer_mac, 6);
	p = sent_nd(0, HV_ND_NEIGHBOUR_ADVERT, "fd00::2", "fd00::100");
	assert_int_equal(hv_nd_flags(p), HV_ND_SOLICITED | HV_ND_OVERRIDE);
	assert_memory_equal(p + HV_ND_NEIGHBOUR_SIZE + 2, our_mac, 6);
	assert_int_equal(neighbour("fd00::100")->state, HV_NEIGHBOUR_DELAY); /* used */
}

static void a_router_says_so(void **state)
{
	(void)state;
	f.ip.config.router = true;
	solicit(nd_header("fd00::100", "ff02::1:ff00:2"), "fd00::2", peer_mac);
	assert_true(hv_nd_flags(sent_nd(0, HV_ND_NEIGHBOUR_ADVERT, "fd00::2", "fd00::100")) &
		    HV_ND_ROUTER);
}

static void answers_a_duplicate_address_check_to_all(void **state)
{
	const uint8_t *p;

	(void)state;
	solicit(nd_header("::", "ff02::1:ff00:2"), "fd00::2", NULL);
	p = sent_nd(0, HV_ND_NEIGHBOUR_ADVERT, "fd00::2", "ff02::1");
	assert_int_equal(hv_nd_flags(p), HV_ND_OVERRIDE);
	assert_int_equal(f.ip.neighbours.count, 0);
}

static void is_silent_for_other_addresses(void **state)
{
	(void)state;
	f.ip.config.accept_any_address = true;
	/* Another address with the same solicited-node group, and a check of the guest's own. */
	solicit(nd_header("fd00::100", "ff02::1:ff00:2"), "fd00:0:1::2", peer_mac);
	solicit(nd_header("::", "ff02::1:ff00:100"), "fd00::100", NULL);
	assert_int_equal(f.frame_count, 0);
	assert_int_equal(drops(HV_DROP_LINK_OTHER_HOST), 1);
	assert_int_equal(f.ip.neighbours.count, 0);
}

static void refuses_invalid_solicitations(void **state)
{
	struct hv_ipv6_header h = nd_header("fd00::100", "ff02::1:ff00:2");
	struct hv_addr addr = ip("fd00::2");
	uint32_t size;

	(void)state;
	h.hop_limit = 254; /* a router passed it on */
	solicit(h, "fd00::2", peer_mac);
	h.hop_limit = 255;
	solicit(h, "ff02::1", peer_mac);
	solicit(nd_header("::", "ff02::1:ff00:2"), "fd00::2", peer_mac);
	size = hv_wire_nd_solicit_write(message, &addr, peer_mac);
	message[1] = 1; /* code */
	fixture_input(f.frame, build_icmp6(h, message, size));
	hv_wire_nd_solicit_write(message, &addr, peer_mac);
	message[HV_ND_NEIGHBOUR_SIZE + 1] = 0; /* option of no length */
	fixture_input(f.frame, build_icmp6(h, message, size));
	hv_wire_nd_solicit_write(message, &addr, NULL);
	fixture_input(f.frame, build_icmp6(h, message, HV_ND_NEIGHBOUR_SIZE - 4));
	assert_int_equal(drops(HV_DROP_ND_INVALID), 6);
	size = hv_wire_nd_solicit_write(message, &addr, peer_mac);
	size = build_icmp6(h, message, size);
	f.frame[size - 1] ^= 1;
	fixture_input(f.frame, size);
	assert_int_equal(drops(HV_DROP_ICMP_INVALID), 1);
	assert_int_equal(f.frame_count, 0);
	assert_int_equal(f.ip.neighbours.count, 0);
}

static void resolves_and_sends_what_waited(void **state)
{
	struct hv_ip_tx tx = {.src = ip("fd00::2"),
			      .dst = ip("fd00::100"),
			      .proto = IPPROTO_UDP};
	static const uint8_t group_mac[6] = {0x33, 0x33, 0xff, 0, 1, 0};
	const uint8_t *p;

	(void)state;
	assert_int_equal(fixture_send(&tx, 100), 0);
	assert_int_equal(f.frame_count, 1);
	assert_memory_equal(f.frames[0].bytes, group_mac, 6);
	p = sent_nd(0, HV_ND_NEIGHBOUR_SOLICIT, "fe80::ff:fe00:1", "ff02::1:ff00:100");
	assert_memory_equal(hv_nd_target(p), tx.dst.b, 16);
	assert_memory_equal(p + HV_ND_NEIGHBOUR_SIZE + 2, our_mac, 6);
	advertise(nd_header("fd00::100", "fe80::ff:fe00:1"), HV_ND_SOLICITED | HV_ND_OVERRIDE,
		  "fd00::100", peer_mac);
	assert_int_equal(f.frame_count, 2);
	assert_int_equal(f.frames[1].size, 14 + 40 + 100);
	assert_memory_equal(f.frames[1].bytes, peer_mac, 6);
	assert_int_equal(neighbour("fd00::100")->state, HV_NEIGHBOUR_REACHABLE);
}

static void asks_three_times_then_reports(void **state)
{
	struct hv_ip_tx tx = {.src = ip("fd00::2"),
			      .dst = ip("fd00::100"),
			      .proto = IPPROTO_TCP};

	(void)state;
	assert_int_equal(fixture_send(&tx, 100), 0);
	for (unsigned i = 0; i < 35; i++)
		fixture_advance(SECOND / 10);
	assert_int_equal(f.frame_count, 3);
	assert_int_equal(f.report_count, 1);
	assert_int_equal(f.report.error, EHOSTUNREACH);
	assert_int_equal(f.report.proto, IPPROTO_TCP);
	assert_int_equal(f.report.transport_len, 100);
	assert_int_equal(f.report_transport[9], pattern(9));
}

static void probes_by_unicast(void **state)
{
	struct hv_ip_tx tx = {.src = ip("fd00::2"),
			      .dst = ip("fd00::100"),
			      .proto = IPPROTO_TCP};

	(void)state;
	fixture_meet_v6();
	fixture_advance(46 * SECOND);
	assert_int_equal(fixture_send(&tx, 100), 0);
	fixture_advance(5 * SECOND + SECOND / 10);
	assert_int_equal(f.frame_count, 2);
	sent_nd(1, HV_ND_NEIGHBOUR_SOLICIT, "fe80::ff:fe00:1", "fd00::100");
	assert_memory_equal(f.frames[1].bytes, peer_mac, 6);
	/* An answer without link address is enough (section 7.2.4). */
	advertise(nd_header("fd00::100", "fe80::ff:fe00:1"), HV_ND_SOLICITED, "fd00::100",
		  NULL);
	assert_int_equal(neighbour("fd00::100")->state, HV_NEIGHBOUR_REACHABLE);
}

static void advertisements_create_nothing(void **state)
{
	(void)state;
	advertise(nd_header("fd00::100", "fd00::2"), HV_ND_SOLICITED | HV_ND_OVERRIDE,
		  "fd00::100", peer_mac);
	assert_int_equal(f.ip.neighbours.count, 0);
	/* To all, it cannot be an answer to us (section 7.1.2). */
	advertise(nd_header("fd00::100", "ff02::1"), HV_ND_SOLICITED, "fd00::100", peer_mac);
	assert_int_equal(drops(HV_DROP_ND_INVALID), 1);
}

static uint32_t router_solicit(const uint8_t *mac)
{
	memset(message, 0, sizeof(message));
	message[0] = HV_ND_ROUTER_SOLICIT;
	if (!mac)
		return HV_ND_ROUTER_SOLICIT_SIZE;
	message[8] = HV_ND_OPTION_SOURCE;
	message[9] = 1;
	memcpy(message + 10, mac, 6);
	return HV_ND_ROUTER_SOLICIT_SIZE + HV_ND_LINK_ADDRESS_SIZE;
}

static void be_router(void)
{
	struct hv_ip_config config;

	fixture_finish();
	fixture_config(&config);
	config.router = config.router_advertisements = true;
	fixture_init(&config);
}

static void a_host_ignores_router_solicitations(void **state)
{
	uint32_t size = router_solicit(peer_mac);

	(void)state;
	fixture_input(f.frame, build_icmp6(nd_header("fe80::9", "ff02::2"), message, size));
	assert_int_equal(drops(HV_DROP_LINK_OTHER_HOST), 1); /* not in the routers' group */
	fixture_input(f.frame, build_icmp6(nd_header("fe80::9", "fd00::2"), message, size));
	assert_int_equal(drops(HV_DROP_ICMP_IGNORED), 1);
	assert_int_equal(f.frame_count, 0);
	assert_int_equal(hv_timer_next(&f.core.wheel), UINT64_MAX);
}

static void answers_router_solicitations(void **state)
{
	const uint8_t *p;
	uint32_t size;

	(void)state;
	be_router();
	size = router_solicit(peer_mac);
	fixture_input(f.frame, build_icmp6(nd_header("fe80::9", "ff02::2"), message, size));
	assert_int_equal(f.frame_count, 1);
	assert_memory_equal(f.frames[0].bytes, peer_mac, 6);
	p = sent_nd(0, HV_ND_ROUTER_ADVERT, "fe80::ff:fe00:1", "fe80::9");
	assert_int_equal(p[4], 64); /* hop limit */
	assert_int_equal(p[5], 0);  /* no DHCPv6 */
	assert_int_equal(hv_get16(p + 6), 1800);
	for (uint32_t at = HV_ND_ROUTER_ADVERT_SIZE; at < f.frames[0].size - 54;
	     at += p[at + 1] * 8U) {
		if (p[at] == HV_ND_OPTION_MTU)
			assert_int_equal(hv_get32(p + at + 4), 1500);
		if (p[at] == HV_ND_OPTION_PREFIX) {
			assert_int_equal(p[at + 2], 64);
			assert_int_equal(p[at + 3], HV_ND_PREFIX_ON_LINK);
			assert_int_equal(p[at + 16], 0xfd);
			assert_int_equal(p[at + 16 + 15], 0); /* no host bits */
		}
	}
}

static void answers_the_nameless_to_all_but_not_too_often(void **state)
{
	uint32_t size;

	(void)state;
	be_router();
	size = router_solicit(NULL);
	for (unsigned i = 0; i < 3; i++)
		fixture_input(f.frame, build_icmp6(nd_header("::", "ff02::2"), message, size));
	assert_int_equal(f.frame_count, 1);
	sent_nd(0, HV_ND_ROUTER_ADVERT, "fe80::ff:fe00:1", "ff02::1");
	fixture_advance(3 * SECOND);
	fixture_input(f.frame, build_icmp6(nd_header("::", "ff02::2"), message, size));
	assert_int_equal(f.frame_count, 2);
	size = router_solicit(peer_mac); /* a link address needs an address */
	fixture_input(f.frame, build_icmp6(nd_header("::", "ff02::2"), message, size));
	assert_int_equal(drops(HV_DROP_ND_INVALID), 1);
}

static void a_router_advertises_now_and_then(void **state)
{
	(void)state;
	be_router();
	for (unsigned i = 0; i < 3600; i++)
		fixture_advance(SECOND);
	assert_true(f.frame_count >= 5 && f.frame_count <= 18);
	sent_nd(0, HV_ND_ROUTER_ADVERT, "fe80::ff:fe00:1", "ff02::1");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(answers_for_our_address),
		FIXTURE_TEST(a_router_says_so),
		FIXTURE_TEST(answers_a_duplicate_address_check_to_all),
		FIXTURE_TEST(is_silent_for_other_addresses),
		FIXTURE_TEST(refuses_invalid_solicitations),
		FIXTURE_TEST(resolves_and_sends_what_waited),
		FIXTURE_TEST(asks_three_times_then_reports),
		FIXTURE_TEST(probes_by_unicast),
		FIXTURE_TEST(advertisements_create_nothing),
		FIXTURE_TEST(a_host_ignores_router_solicitations),
		FIXTURE_TEST(answers_router_solicitations),
		FIXTURE_TEST(answers_the_nameless_to_all_but_not_too_often),
		FIXTURE_TEST(a_router_advertises_now_and_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
