/* src/ip/ip_output.c, fragment.c and loop.c: headers, sizes, fragments, packets to ourselves. */
#include "fixture.h"

static struct hv_ip_tx to4(const char *dst, uint8_t proto)
{
	return (struct hv_ip_tx){.src = ip("10.0.2.2"), .dst = ip(dst), .proto = proto};
}

static struct hv_ip_tx to6(const char *dst, uint8_t proto)
{
	return (struct hv_ip_tx){.src = ip("fd00::2"), .dst = ip(dst), .proto = proto};
}

static void writes_an_ipv4_header(void **state)
{
	struct hv_ip_tx tx = to4("10.0.2.100", IPPROTO_TCP);
	struct hv_ipv4_header h;

	(void)state;
	fixture_meet_v4();
	tx.dont_fragment = true;
	tx.traffic_class = 0x12;
	assert_int_equal(fixture_send(&tx, 100), 0);
	assert_int_equal(hv_wire_ipv4_parse(f.frames[0].bytes + 14, f.frames[0].size - 14, true,
					    &h),
			 HV_DROP_COUNT);
	assert_int_equal(h.total_length, 120);
	assert_int_equal(h.ttl, 64);
	assert_int_equal(h.protocol, IPPROTO_TCP);
	assert_int_equal(h.traffic_class, 0x12);
	assert_true(h.dont_fragment);
	assert_true(hv_addr_equal(&h.src, &tx.src));
	assert_true(hv_addr_equal(&h.dst, &tx.dst));
	assert_memory_equal(hv_eth_src(f.frames[0].bytes), our_mac, 6);
	tx.hop_limit = 3;
	assert_int_equal(fixture_send(&tx, 100), 0);
	assert_int_equal(hv_ipv4_ttl(f.frames[1].bytes + 14), 3);
	assert_int_equal(f.ip.packets_out, 2);
}

static void writes_an_ipv6_header(void **state)
{
	struct hv_ip_tx tx = to6("fd00::100", IPPROTO_UDP);
	struct hv_ipv6_header h;

	(void)state;
	fixture_meet_v6();
	tx.traffic_class = 0xab;
	tx.hop_limit = 5;
	assert_int_equal(fixture_send(&tx, 100), 0);
	assert_int_equal(hv_wire_ipv6_parse(f.frames[0].bytes + 14, f.frames[0].size - 14, &h),
			 HV_DROP_COUNT);
	assert_int_equal(h.payload_length, 100);
	assert_int_equal(h.next_header, IPPROTO_UDP);
	assert_int_equal(h.hop_limit, 5);
	assert_int_equal(h.traffic_class, 0xab);
}

static int send_gso(const struct hv_ip_tx *tx, uint32_t size, uint16_t gso_size)
{
	struct hv_packet *packet = hv_packet_new(&f.core, HV_PACKET_HEADROOM, size);

	memset(hv_packet_append(packet, size), 0, size);
	packet->gso_type = hv_addr_is_v4(&tx->dst) ? HV_GSO_TCP4 : HV_GSO_TCP6;
	packet->gso_size = gso_size;
	return hv_ip_output(&f.ip, tx, packet);
}

static void large_packets_pass_whole(void **state)
{
	struct hv_ip_tx tx4 = to4("10.0.2.100", IPPROTO_TCP);
	struct hv_ip_tx tx6 = to6("fd00::100", IPPROTO_TCP);

	(void)state;
	fixture_meet_v4();
	fixture_meet_v6();
	assert_int_equal(send_gso(&tx4, 65515, 1448), 0);
	assert_int_equal(f.frames[0].size, 65535 + 14);
	assert_int_equal(f.frames[0].gso_size, 1448);
	assert_int_equal(f.frames[0].gso_type, HV_GSO_TCP4);
	assert_int_equal(hv_ipv4_total_length(f.frames[0].bytes + 14), 65535);
	assert_int_equal(send_gso(&tx6, 65535, 1428), 0);
	assert_int_equal(hv_ipv6_payload_length(f.frames[1].bytes + 14), 65535);
	assert_int_equal(send_gso(&tx4, 65516, 1448), -EMSGSIZE); /* 16 bits are not enough */
	assert_int_equal(send_gso(&tx4, 3000, 1500), -EMSGSIZE);  /* segments would not fit */
	assert_int_equal(drops(HV_DROP_IP_TOO_BIG), 2);
}

static void what_may_not_be_cut_is_refused(void **state)
{
	struct hv_ip_tx tx = to4("10.0.2.100", IPPROTO_UDP);

	(void)state;
	fixture_meet_v4();
	tx.dont_fragment = true;
	assert_int_equal(fixture_send(&tx, 1480), 0);
	assert_int_equal(fixture_send(&tx, 1481), -EMSGSIZE);
	tx = to4("10.0.2.100", IPPROTO_TCP);
	assert_int_equal(fixture_send(&tx, 1481), -EMSGSIZE);
	assert_int_equal(f.frame_count, 1);
}

static void cuts_ipv4_datagrams(void **state)
{
	struct hv_ip_tx tx = to4("10.0.2.100", IPPROTO_UDP);
	uint32_t at = 0;
	uint16_t id = 0;

	(void)state;
	fixture_meet_v4();
	assert_int_equal(fixture_send(&tx, 4000), 0);
	assert_int_equal(f.frame_count, 3);
	for (unsigned i = 0; i < f.frame_count; i++) {
		struct hv_ipv4_header h;
		uint32_t len;

		assert_int_equal(hv_wire_ipv4_parse(f.frames[i].bytes + 14,
						    f.frames[i].size - 14, true, &h),
				 HV_DROP_COUNT);
		assert_true(h.total_length <= 1500);
		assert_int_equal(h.fragment_offset, at);
		assert_int_equal(h.more_fragments, i < 2);
		if (i > 0)
			assert_int_equal(h.id, id);
		id = h.id;
		len = h.total_length - 20U;
		for (uint32_t j = 0; j < len; j++)
			assert_int_equal(sent_payload(i)[j], pattern(at + j));
		at += len;
	}
	assert_int_equal(at, 4000);
	/* The next datagram has another identification. */
	assert_int_equal(fixture_send(&tx, 4000), 0);
	assert_int_not_equal(hv_ipv4_id(f.frames[3].bytes + 14), id);
}

static void cuts_ipv6_datagrams(void **state)
{
	struct hv_ip_tx tx = to6("fd00::100", IPPROTO_UDP);
	uint32_t at = 0;

	(void)state;
	fixture_meet_v6();
	assert_int_equal(fixture_send(&tx, 4000), 0);
	assert_int_equal(f.frame_count, 3);
	for (unsigned i = 0; i < f.frame_count; i++) {
		const uint8_t *l3 = f.frames[i].bytes + 14;
		struct hv_ipv6_walk walk;

		assert_true(f.frames[i].size - 14 <= 1500);
		assert_int_equal(hv_wire_ipv6_walk(l3, f.frames[i].size - 14, &walk),
				 HV_DROP_COUNT);
		assert_true(walk.is_fragment);
		assert_int_equal(walk.proto, IPPROTO_UDP);
		assert_int_equal(walk.fragment_offset, at);
		assert_int_equal(walk.more_fragments, i < 2);
		assert_int_equal(l3[walk.offset], pattern(at));
		at += f.frames[i].size - 14 - walk.offset;
	}
	assert_int_equal(at, 4000);
}

/* What one end cuts the other puts together; slices and a checksum that is left to the link too. */
static void check_round_trip(struct hv_ip_tx tx, uint32_t size, bool backwards)
{
	uint8_t *slice = malloc(size);
	struct hv_packet *packet = hv_packet_new(&f.core, HV_PACKET_HEADROOM, 8);
	struct hv_addr us = tx.src;
	uint16_t sum;

	for (uint32_t i = 0; i < size; i++)
		slice[i] = pattern(i);
	memcpy(hv_packet_append(packet, 8), slice, 8);
	hv_packet_add_slice(packet, slice + 8, 900);
	hv_packet_add_slice(packet, slice + 908, size - 908);
	packet->csum = HV_CSUM_PARTIAL;
	packet->csum_start = (uint16_t)hv_packet_headroom(packet);
	packet->csum_offset = 6;
	sum = hv_sum_fold(hv_sum_pseudo(&tx.src, &tx.dst, tx.proto, size));
	memcpy(packet->data + 6, &sum, 2);
	assert_int_equal(hv_ip_output(&f.ip, &tx, packet), 0);
	free(slice);
	f.ip.config.accept_any_address = true;
	f.ip.address_count = 0; /* now we are the receiver */
	for (unsigned i = 0; i < f.frame_count; i++) {
		struct fixture_frame *frame = &f.frames[backwards ? f.frame_count - 1 - i : i];

		memcpy(frame->bytes, our_mac, 6);
		fixture_input(frame->bytes, frame->size);
	}
	assert_int_equal(f.input_count, 1);
	assert_true(hv_addr_equal(&f.last.src, &us));
	assert_int_equal(f.last.proto, IPPROTO_UDP);
	assert_int_equal(f.last.payload_len, size);
	assert_int_equal(hv_sum_fold(hv_sum_add(hv_sum_pseudo(&tx.src, &tx.dst, tx.proto, size),
						f.last_payload, size)),
			 0xffff);
	for (uint32_t i = 8; i < size; i++)
		assert_int_equal(f.last_payload[i], pattern(i));
}

static void the_largest_ipv4_datagram_comes_through(void **state)
{
	(void)state;
	fixture_meet_v4();
	check_round_trip(to4("10.0.2.100", IPPROTO_UDP), 65507 + 8, false);
	assert_int_equal(f.frame_count, 45);
}

static void the_largest_ipv6_datagram_comes_through_backwards(void **state)
{
	(void)state;
	fixture_meet_v6();
	check_round_trip(to6("fd00::100", IPPROTO_UDP), 65507 + 8, true);
}

static void a_large_datagram_waits_for_its_neighbour(void **state)
{
	struct hv_ip_tx tx = to4("10.0.2.100", IPPROTO_UDP);

	(void)state;
	assert_int_equal(fixture_send(&tx, 65515), 0);
	assert_int_equal(f.frame_count, 1);
	arp_input(HV_ARP_REPLY, "10.0.2.100", "10.0.2.2", peer_mac);
	assert_int_equal(f.frame_count, 1 + 45);
	assert_int_equal(drops(HV_DROP_NEIGHBOUR_QUEUE), 0);
}

static void packets_to_ourselves_turn_round(void **state)
{
	struct hv_ip_tx tx = to4("10.0.2.2", IPPROTO_UDP);

	(void)state;
	assert_int_equal(fixture_send(&tx, 3000), 0);
	assert_int_equal(f.input_count, 0); /* not from within the call */
	assert_true(hv_timer_next(&f.core.wheel) <= f.core.now_ns + HV_TIMER_TICK_NS);
	fixture_advance(SECOND);
	assert_int_equal(f.input_count, 1);
	assert_true(fixture_got_pattern(3000));
	assert_int_equal(f.frame_count, 0);
	tx = to6("fd00::2", IPPROTO_TCP);
	assert_int_equal(fixture_send(&tx, 3000), -0);
	fixture_advance(SECOND);
	assert_int_equal(f.input_count, 2);
	assert_true(fixture_got_pattern(3000));
}

static void the_way_round_has_a_limit(void **state)
{
	struct hv_ip_tx tx = to4("10.0.2.2", IPPROTO_UDP);
	int error = 0;

	(void)state;
	for (unsigned i = 0; i < 2000 && !error; i++)
		error = fixture_send(&tx, 10);
	assert_int_equal(error, -EAGAIN);
	fixture_advance(SECOND);
	assert_int_equal(f.input_count, 1024);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(writes_an_ipv4_header),
		FIXTURE_TEST(writes_an_ipv6_header),
		FIXTURE_TEST(large_packets_pass_whole),
		FIXTURE_TEST(what_may_not_be_cut_is_refused),
		FIXTURE_TEST(cuts_ipv4_datagrams),
		FIXTURE_TEST(cuts_ipv6_datagrams),
		FIXTURE_TEST(the_largest_ipv4_datagram_comes_through),
		FIXTURE_TEST(the_largest_ipv6_datagram_comes_through_backwards),
		FIXTURE_TEST(a_large_datagram_waits_for_its_neighbour),
		FIXTURE_TEST(packets_to_ourselves_turn_round),
		FIXTURE_TEST(the_way_round_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
