/* src/ip/neighbour.c: the states of RFC 4861 section 7.3, the queue, the limit. */
#include "fixture.h"

static struct hv_ip_tx to(const char *text)
{
	return (struct hv_ip_tx){.src = ip("10.0.2.2"), .dst = ip(text), .proto = IPPROTO_UDP};
}

static struct hv_neighbour *neighbour(const char *text)
{
	struct hv_addr addr = ip(text);

	return hv_neighbour_find(&f.ip, &f.link, &addr);
}

static void reachable_ends_without_a_timer(void **state)
{
	struct hv_ip_tx tx = to("10.0.2.100");
	struct hv_neighbour *n;

	(void)state;
	fixture_meet_v4();
	n = neighbour("10.0.2.100");
	assert_true(n->reachable_until_ns >= f.core.now_ns + 15 * SECOND);
	assert_true(n->reachable_until_ns <= f.core.now_ns + 45 * SECOND);
	assert_int_equal(fixture_send(&tx, 10), 0);
	assert_false(hv_timer_is_set(&n->timer));
	fixture_advance(46 * SECOND);
	assert_int_equal(f.frame_count, 1);
	assert_int_equal(fixture_send(&tx, 10), 0); /* goes at once, and is watched */
	assert_int_equal(f.frame_count, 2);
	assert_int_equal(n->state, HV_NEIGHBOUR_DELAY);
}

/* A transport that gets no answer doubts a neighbour that answered not long ago. */
static void doubt_makes_it_stale(void **state)
{
	struct hv_ip_tx tx = to("10.0.2.100");
	struct hv_addr dst = ip("10.0.2.100"), nobody = ip("10.0.2.101");

	(void)state;
	fixture_meet_v4();
	assert_int_equal(neighbour("10.0.2.100")->state, HV_NEIGHBOUR_REACHABLE);
	hv_ip_suspect(&f.ip, &nobody);
	hv_ip_suspect(&f.ip, &dst);
	assert_int_equal(neighbour("10.0.2.100")->state, HV_NEIGHBOUR_STALE);
	assert_int_equal(fixture_send(&tx, 10), 0);
	assert_int_equal(neighbour("10.0.2.100")->state, HV_NEIGHBOUR_DELAY);
	hv_ip_suspect(&f.ip, &dst); /* it is being asked already */
	assert_int_equal(neighbour("10.0.2.100")->state, HV_NEIGHBOUR_DELAY);
}

static void a_probe_that_is_answered_confirms(void **state)
{
	struct hv_ip_tx tx = to("10.0.2.100");
	const uint8_t *frame;

	(void)state;
	arp_input(HV_ARP_REQUEST, "10.0.2.100", "10.0.2.2", peer_mac); /* STALE */
	fixture_forget();
	assert_int_equal(fixture_send(&tx, 10), 0);
	fixture_advance(5 * SECOND + SECOND / 10);
	assert_int_equal(neighbour("10.0.2.100")->state, HV_NEIGHBOUR_PROBE);
	assert_int_equal(f.frame_count, 2);
	frame = sent(1, HV_ETHERTYPE_ARP); /* only to it (RFC 1122 section 2.3.2.1) */
	assert_memory_equal(hv_eth_dst(frame), peer_mac, 6);
	assert_int_equal(fixture_send(&tx, 10), 0); /* goes on being used */
	assert_int_equal(f.frame_count, 3);
	arp_input(HV_ARP_REPLY, "10.0.2.100", "10.0.2.2", peer_mac);
	assert_int_equal(neighbour("10.0.2.100")->state, HV_NEIGHBOUR_REACHABLE);
	fixture_advance(10 * SECOND);
	assert_int_equal(f.frame_count, 3);
}

static void probes_that_are_not_answered_remove(void **state)
{
	struct hv_ip_tx tx = to("10.0.2.100");

	(void)state;
	arp_input(HV_ARP_REQUEST, "10.0.2.100", "10.0.2.2", peer_mac);
	fixture_forget();
	assert_int_equal(fixture_send(&tx, 10), 0);
	for (unsigned i = 0; i < 100; i++)
		fixture_advance(SECOND / 10);
	assert_int_equal(f.frame_count, 1 + 3);
	assert_null(neighbour("10.0.2.100"));
	/* From the beginning: asks everybody. */
	assert_int_equal(fixture_send(&tx, 10), 0);
	assert_memory_equal(hv_eth_dst(sent(4, HV_ETHERTYPE_ARP)), all_mac, 6);
}

static void an_idle_entry_costs_no_frames(void **state)
{
	(void)state;
	arp_input(HV_ARP_REQUEST, "10.0.2.100", "10.0.2.2", peer_mac);
	fixture_forget();
	fixture_advance(1000 * SECOND);
	assert_int_equal(f.frame_count, 0);
	assert_non_null(neighbour("10.0.2.100"));
}

static void the_queue_drops_the_oldest(void **state)
{
	struct hv_ip_tx tx = to("10.0.2.100");

	(void)state;
	for (uint32_t i = 0; i < HV_NEIGHBOUR_QUEUE_PACKETS + 6; i++)
		assert_int_equal(fixture_send(&tx, 100 + i), 0);
	assert_int_equal(drops(HV_DROP_NEIGHBOUR_QUEUE), 6);
	arp_input(HV_ARP_REPLY, "10.0.2.100", "10.0.2.2", peer_mac);
	assert_int_equal(f.frame_count, 1 + HV_NEIGHBOUR_QUEUE_PACKETS);
	assert_int_equal(f.frames[1].size, 14 + 20 + 106);
}

static void the_queue_has_a_limit_in_bytes(void **state)
{
	struct hv_ip_tx tx = to("10.0.2.100");

	(void)state;
	f.link.mtu = 65535;
	hv_ip_paths_changed(&f.ip);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(fixture_send(&tx, 60000), 0);
	assert_int_equal(drops(HV_DROP_NEIGHBOUR_QUEUE), 3);
	assert_true(neighbour("10.0.2.100")->queue.bytes <= HV_NEIGHBOUR_QUEUE_BYTES);
}

static void what_waits_is_a_copy(void **state)
{
	struct hv_ip_tx tx = to("10.0.2.100");
	uint8_t bytes[100];
	struct hv_packet *packet = hv_packet_new(&f.core, HV_PACKET_HEADROOM, 8);

	(void)state;
	memset(bytes, 0x11, sizeof(bytes));
	memset(hv_packet_append(packet, 8), 0x22, 8);
	hv_packet_add_slice(packet, bytes, sizeof(bytes));
	assert_int_equal(hv_ip_output(&f.ip, &tx, packet), 0);
	memset(bytes, 0x33, sizeof(bytes)); /* borrowed only until the call returns */
	arp_input(HV_ARP_REPLY, "10.0.2.100", "10.0.2.2", peer_mac);
	assert_int_equal(f.frames[1].size, 14 + 20 + 108);
	assert_int_equal(sent_payload(1)[7], 0x22);
	assert_int_equal(sent_payload(1)[8], 0x11);
	assert_int_equal(sent_payload(1)[107], 0x11);
}

static void the_table_has_a_limit_and_keeps_what_is_used(void **state)
{
	struct hv_ip_tx used = to("10.0.2.100"), tx;
	char text[32];

	(void)state;
	fixture_meet_v4();
	for (unsigned i = 1; i < 100; i++) {
		fixture_advance(SECOND / 1000);
		assert_int_equal(fixture_send(&used, 10), 0);
		snprintf(text, sizeof(text), "10.0.2.%u", 100 + i);
		tx = to(text);
		assert_int_equal(fixture_send(&tx, 10), 0);
		assert_true(f.ip.neighbours.count <= f.ip.config.max_neighbours);
	}
	assert_non_null(neighbour("10.0.2.100"));
	assert_int_equal(f.ip.neighbours.count, f.ip.config.max_neighbours);
	assert_int_equal(drops(HV_DROP_NEIGHBOUR_QUEUE), 99 - 15);
}

static void an_answer_without_override_changes_nothing(void **state)
{
	static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 0x77};
	struct hv_neighbour *n;

	(void)state;
	fixture_meet_v4();
	n = neighbour("10.0.2.100");
	hv_neighbour_answer(n, other_mac, true, false);
	assert_memory_equal(n->ethernet, peer_mac, 6);
	assert_int_equal(n->state, HV_NEIGHBOUR_STALE);
	hv_neighbour_answer(n, other_mac, false, true);
	assert_memory_equal(n->ethernet, other_mac, 6);
	assert_int_equal(n->state, HV_NEIGHBOUR_STALE);
	hv_neighbour_answer(n, NULL, true, false);
	assert_memory_equal(n->ethernet, other_mac, 6);
	assert_int_equal(n->state, HV_NEIGHBOUR_REACHABLE);
}

static void send_again(void *ctx, const struct hv_icmp_report *report)
{
	struct hv_ip_tx tx = {.src = report->src, .dst = report->dst, .proto = report->proto};

	(void)ctx;
	f.report_count++;
	fixture_send(&tx, 10);
}

static void a_transport_may_send_from_its_report(void **state)
{
	struct hv_ip_transport transport = {NULL, f.ip.udp.input, send_again};
	struct hv_ip_tx tx = to("10.0.2.50");

	(void)state;
	hv_ip_set_transport(&f.ip, IPPROTO_UDP, &transport);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fixture_send(&tx, 10), 0);
	for (unsigned i = 0; i < 35; i++)
		fixture_advance(SECOND / 10);
	assert_int_equal(f.report_count, 3);
	assert_int_equal(neighbour("10.0.2.50")->queue.count, 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(reachable_ends_without_a_timer),
		FIXTURE_TEST(doubt_makes_it_stale),
		FIXTURE_TEST(a_probe_that_is_answered_confirms),
		FIXTURE_TEST(probes_that_are_not_answered_remove),
		FIXTURE_TEST(an_idle_entry_costs_no_frames),
		FIXTURE_TEST(the_queue_drops_the_oldest),
		FIXTURE_TEST(the_queue_has_a_limit_in_bytes),
		FIXTURE_TEST(what_waits_is_a_copy),
		FIXTURE_TEST(the_table_has_a_limit_and_keeps_what_is_used),
		FIXTURE_TEST(an_answer_without_override_changes_nothing),
		FIXTURE_TEST(a_transport_may_send_from_its_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
