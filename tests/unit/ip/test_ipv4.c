/* src/ip/ip_input.c and ipv4_input.c: what an IPv4 packet must be to reach a transport. */
#include "fixture.h"

static const uint8_t payload[64] = {1, 2, 3, 4, 5, 6, 7, 8};

static void arrives(struct hv_ipv4_header h)
{
	fixture_input(f.frame, build_v4(h, payload, sizeof(payload)));
}

static void from_to(const char *src, const char *dst)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_UDP);

	h.src = ip(src);
	h.dst = ip(dst);
	arrives(h);
}

/* The checksum again, after a change to the header in f.frame. */
static void checksum(uint32_t header_len)
{
	uint8_t *p = f.frame + HV_ETH_HEADER;
	uint16_t sum;

	memset(p + 10, 0, 2);
	sum = hv_checksum(p, header_len);
	memcpy(p + 10, &sum, 2);
}

static void reaches_its_transport(void **state)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_UDP);

	(void)state;
	h.ttl = 17;
	h.traffic_class = 0x2a;
	h.dont_fragment = true;
	arrives(h);
	assert_int_equal(f.input_count, 1);
	assert_true(hv_addr_equal(&f.last.src, &h.src));
	assert_true(hv_addr_equal(&f.last.dst, &h.dst));
	assert_int_equal(f.last.proto, IPPROTO_UDP);
	assert_int_equal(f.last.hop_limit, 17);
	assert_int_equal(f.last.traffic_class, 0x2a);
	assert_true(f.last.dont_fragment);
	assert_false(f.last.link_broadcast);
	assert_int_equal(f.last.ifindex, 1);
	assert_int_equal(f.last.payload_len, sizeof(payload));
	assert_memory_equal(f.last_payload, payload, sizeof(payload));
	assert_int_equal(f.ip.packets_in, 1);
}

static void padding_is_cut_off(void **state)
{
	uint32_t size = build_v4(from_peer4(IPPROTO_UDP), payload, 8);

	(void)state;
	memset(f.frame + size, 0xee, 60 - size);
	fixture_input(f.frame, 60);
	assert_int_equal(f.input_count, 1);
	assert_int_equal(f.last.payload_len, 8);
}

static void bad_headers_are_dropped(void **state)
{
	uint32_t size = build_v4(from_peer4(IPPROTO_UDP), payload, sizeof(payload));
	uint8_t *p = f.frame + HV_ETH_HEADER;

	(void)state;
	fixture_input(f.frame, size - 1); /* longer than the frame */
	fixture_input(f.frame, HV_ETH_HEADER + 19);
	p[0] = 0x44; /* header of 16 bytes */
	checksum(20);
	fixture_input(f.frame, size);
	p[0] = 0x65; /* version 6 under the type of IPv4 */
	checksum(20);
	fixture_input(f.frame, size);
	p[0] = 0x45;
	hv_put16(p + 2, 19); /* shorter than its header */
	checksum(20);
	fixture_input(f.frame, size);
	assert_int_equal(drops(HV_DROP_IP_HEADER), 5);
	fixture_input(f.frame, HV_ETH_HEADER - 1);
	assert_int_equal(drops(HV_DROP_LINK_SHORT), 1);
	assert_int_equal(f.input_count, 0);
}

static void every_bit_of_the_header_is_covered(void **state)
{
	uint32_t size = build_v4(from_peer4(IPPROTO_UDP), payload, sizeof(payload));

	(void)state;
	for (unsigned bit = 0; bit < 160; bit++) {
		uint8_t *byte = &f.frame[HV_ETH_HEADER + bit / 8];

		*byte ^= (uint8_t)(1 << bit % 8);
		fixture_input(f.frame, size);
		*byte ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(f.input_count, 0);
	assert_true(drops(HV_DROP_IP_CHECKSUM) >= 120);
}

static void put_options(const uint8_t *options, uint32_t len)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_UDP);
	uint8_t bytes[40 + sizeof(payload)];
	uint32_t size;

	memcpy(bytes, options, len);
	memcpy(bytes + len, payload, sizeof(payload));
	size = build_v4(h, bytes, len + sizeof(payload));
	f.frame[HV_ETH_HEADER] = (uint8_t)(0x45 + len / 4);
	checksum(HV_IPV4_HEADER + len);
	fixture_input(f.frame, size);
}

static void options_are_passed_over(void **state)
{
	static const uint8_t record_route[8] = {7, 7, 4, 0, 0, 0, 0, 0};
	static const uint8_t nops[4] = {1, 1, 1, 0};

	(void)state;
	put_options(record_route, sizeof(record_route));
	assert_int_equal(f.input_count, 1);
	assert_memory_equal(f.last_payload, payload, sizeof(payload));
	put_options(nops, sizeof(nops));
	assert_int_equal(f.input_count, 2);
}

static void source_routes_are_refused(void **state)
{
	static const uint8_t loose[8] = {131, 7, 4, 10, 0, 2, 3, 0};
	static const uint8_t strict[8] = {1, 137, 7, 4, 10, 0, 2, 3};

	(void)state;
	put_options(loose, sizeof(loose));
	put_options(strict, sizeof(strict));
	assert_int_equal(drops(HV_DROP_IP_OPTIONS), 2);
	assert_int_equal(f.input_count, 0);
}

static void impossible_sources_are_dropped(void **state)
{
	(void)state;
	f.ip.config.accept_any_address = true;
	from_to("127.0.0.1", "10.0.2.2");
	from_to("10.0.2.100", "127.0.0.1");
	from_to("224.0.0.1", "10.0.2.2");
	from_to("255.255.255.255", "10.0.2.2");
	from_to("10.0.2.255", "10.0.2.2");
	from_to("10.0.2.2", "10.0.2.2"); /* ourselves, from outside */
	from_to("0.0.0.0", "10.0.2.2");
	from_to("0.1.2.3", "255.255.255.255");
	assert_int_equal(drops(HV_DROP_IP_SOURCE), 8);
	assert_int_equal(f.input_count, 0);
	assert_int_equal(f.frame_count, 0);
}

static void who_has_no_address_may_ask_everybody(void **state)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_TCP);

	(void)state;
	from_to("0.0.0.0", "255.255.255.255");
	assert_int_equal(f.input_count, 1);
	assert_true(f.last.link_broadcast);
	h.src = ip("0.0.0.0");
	h.dst = ip("255.255.255.255");
	arrives(h);
	assert_int_equal(f.input_count, 1); /* no TCP */
}

static void only_ours_without_accept_any(void **state)
{
	(void)state;
	from_to("10.0.2.100", "10.0.2.3");
	from_to("10.0.2.100", "8.8.8.8");
	assert_int_equal(drops(HV_DROP_IP_NOT_LOCAL), 2);
	f.ip.config.accept_any_address = true;
	from_to("10.0.2.100", "8.8.8.8");
	assert_int_equal(f.input_count, 1);
	from_to("10.0.2.100", "0.0.0.0");
	from_to("10.0.2.100", "224.0.0.251"); /* a group is not "any address" */
	assert_int_equal(f.input_count, 1);
	assert_int_equal(drops(HV_DROP_LINK_OTHER_HOST), 1);
}

static void frames_for_other_stations_are_dropped(void **state)
{
	static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 0x77};
	uint32_t size = build_v4(from_peer4(IPPROTO_UDP), payload, sizeof(payload));

	(void)state;
	memcpy(f.frame, other_mac, 6);
	fixture_input(f.frame, size);
	assert_int_equal(drops(HV_DROP_LINK_OTHER_HOST), 1);
	/* A frame to all with a packet for one (RFC 1122 section 3.3.6). */
	memcpy(f.frame, all_mac, 6);
	fixture_input(f.frame, size);
	assert_int_equal(drops(HV_DROP_IP_NOT_LOCAL), 1);
	memcpy(f.frame, our_mac, 6);
	hv_put16(f.frame + 12, 0x88cc);
	fixture_input(f.frame, size);
	assert_int_equal(drops(HV_DROP_LINK_ETHERTYPE), 1);
	assert_int_equal(f.input_count, 0);
}

static void broadcasts_are_marked(void **state)
{
	(void)state;
	from_to("10.0.2.100", "10.0.2.255");
	assert_int_equal(f.input_count, 1);
	assert_true(f.last.link_broadcast);
}

static void a_router_counts_hops(void **state)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_UDP);
	const uint8_t *p;

	(void)state;
	fixture_meet_v4();
	f.ip.config.accept_any_address = f.ip.config.router = true;
	h.ttl = 1;
	arrives(h); /* for us: no hop */
	assert_int_equal(f.input_count, 1);
	h.dst = ip("8.8.8.8");
	arrives(h);
	assert_int_equal(f.input_count, 1);
	assert_int_equal(drops(HV_DROP_IP_HOP_LIMIT), 1);
	assert_int_equal(f.frame_count, 1);
	p = sent_payload(0);
	assert_int_equal(hv_icmp_type(p), HV_ICMP4_TIME_EXCEEDED);
	assert_int_equal(hv_icmp_code(p), HV_ICMP_EXCEEDED_TRANSIT);
	assert_memory_equal(hv_ipv4_src(f.frames[0].bytes + 14), ip("10.0.2.2").b + 12, 4);
	assert_memory_equal(hv_ipv4_dst(f.frames[0].bytes + 14), ip("10.0.2.100").b + 12, 4);
	assert_int_equal(hv_ipv4_ttl(p + 8), 1); /* quoted as it came */
	h.ttl = 2;
	arrives(h);
	assert_int_equal(f.input_count, 2);
	assert_int_equal(f.last.hop_limit, 2);
	/* Fragments but the first die in silence (RFC 1812 section 4.3.2.7). */
	h.ttl = 1;
	h.fragment_offset = 64;
	arrives(h);
	assert_int_equal(f.frame_count, 1);
	assert_int_equal(drops(HV_DROP_IP_HOP_LIMIT), 2);
}

static void unknown_protocols_are_answered(void **state)
{
	const uint8_t *p;

	(void)state;
	fixture_meet_v4();
	arrives(from_peer4(132));
	assert_int_equal(drops(HV_DROP_IP_PROTOCOL), 1);
	p = sent_payload(0);
	assert_int_equal(hv_icmp_type(p), HV_ICMP4_UNREACHABLE);
	assert_int_equal(hv_icmp_code(p), HV_ICMP4_PROTOCOL);
}

static void a_link_without_ethernet_works(void **state)
{
	struct hv_ip_tx tx = {.src = ip("10.0.2.2"),
			      .dst = ip("10.0.2.100"),
			      .proto = IPPROTO_UDP};
	uint32_t size = build_v4(from_peer4(IPPROTO_UDP), payload, sizeof(payload));

	(void)state;
	f.link.ethernet = false;
	fixture_input(f.frame + HV_ETH_HEADER, size - HV_ETH_HEADER);
	assert_int_equal(f.input_count, 1);
	assert_int_equal(fixture_send(&tx, 100), 0);
	assert_int_equal(f.frames[0].size, 120);
	assert_int_equal(f.frames[0].bytes[0], 0x45);
	fixture_input(f.frame, 0);
	assert_int_equal(drops(HV_DROP_LINK_SHORT), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(reaches_its_transport),
		FIXTURE_TEST(padding_is_cut_off),
		FIXTURE_TEST(bad_headers_are_dropped),
		FIXTURE_TEST(every_bit_of_the_header_is_covered),
		FIXTURE_TEST(options_are_passed_over),
		FIXTURE_TEST(source_routes_are_refused),
		FIXTURE_TEST(impossible_sources_are_dropped),
		FIXTURE_TEST(who_has_no_address_may_ask_everybody),
		FIXTURE_TEST(only_ours_without_accept_any),
		FIXTURE_TEST(frames_for_other_stations_are_dropped),
		FIXTURE_TEST(broadcasts_are_marked),
		FIXTURE_TEST(a_router_counts_hops),
		FIXTURE_TEST(unknown_protocols_are_answered),
		FIXTURE_TEST(a_link_without_ethernet_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
