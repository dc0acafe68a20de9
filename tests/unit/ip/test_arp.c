/* src/ip/arp.c: questions, answers, what is learned and what is not. */
#include "fixture.h"

static const struct hv_neighbour *neighbour(const char *text)
{
	struct hv_addr addr = ip(text);

	return hv_neighbour_find(&f.ip, &f.link, &addr);
}

static struct hv_ip_tx to(const char *text)
{
	return (struct hv_ip_tx){.src = ip("10.0.2.2"), .dst = ip(text), .proto = IPPROTO_UDP};
}

static struct hv_arp sent_arp(unsigned n, const uint8_t *to_mac)
{
	const uint8_t *frame = sent(n, HV_ETHERTYPE_ARP);
	struct hv_arp arp;

	assert_memory_equal(hv_eth_dst(frame), to_mac, 6);
	assert_memory_equal(hv_eth_src(frame), our_mac, 6);
	assert_true(hv_wire_arp_parse(frame + HV_ETH_HEADER, f.frames[n].size - HV_ETH_HEADER,
				      &arp));
	return arp;
}

static void answers_for_our_address(void **state)
{
	struct hv_addr peer = ip("10.0.2.100"), own = ip("10.0.2.2");
	struct hv_arp arp;

	(void)state;
	arp_input(HV_ARP_REQUEST, "10.0.2.100", "10.0.2.2", peer_mac);
	assert_int_equal(f.frame_count, 1);
	arp = sent_arp(0, peer_mac);
	assert_int_equal(arp.operation, HV_ARP_REPLY);
	assert_true(hv_addr_equal(&arp.sender, &own));
	assert_true(hv_addr_equal(&arp.target, &peer));
	assert_memory_equal(arp.sender_mac, our_mac, 6);
	/* Who asks us will talk to us: learned (RFC 826), but not known to hear us. */
	assert_non_null(neighbour("10.0.2.100"));
	assert_int_equal(neighbour("10.0.2.100")->state, HV_NEIGHBOUR_STALE);
}

static void is_silent_for_other_addresses(void **state)
{
	(void)state;
	f.ip.config.accept_any_address = true;
	arp_input(HV_ARP_REQUEST, "10.0.2.100", "10.0.2.50", peer_mac);
	assert_int_equal(f.frame_count, 0);
	assert_null(neighbour("10.0.2.100"));
}

static void answers_a_probe_and_learns_nothing(void **state)
{
	(void)state;
	arp_input(HV_ARP_REQUEST, "0.0.0.0", "10.0.2.2", peer_mac);
	assert_int_equal(f.frame_count, 1);
	assert_int_equal(sent_arp(0, peer_mac).operation, HV_ARP_REPLY);
	assert_int_equal(f.ip.neighbours.count, 0);
}

static void resolves_and_sends_what_waited(void **state)
{
	struct hv_ip_tx tx = to("10.0.2.100");
	struct hv_arp arp;

	(void)state;
	assert_int_equal(fixture_send(&tx, 100), 0);
	assert_int_equal(fixture_send(&tx, 200), 0);
	assert_int_equal(f.frame_count, 1); /* one question for both */
	arp = sent_arp(0, all_mac);
	assert_int_equal(arp.operation, HV_ARP_REQUEST);
	assert_true(hv_addr_equal(&arp.target, &tx.dst));
	assert_true(hv_addr_equal(&arp.sender, &tx.src));
	arp_input(HV_ARP_REPLY, "10.0.2.100", "10.0.2.2", peer_mac);
	assert_int_equal(f.frame_count, 3);
	assert_memory_equal(hv_eth_dst(sent(1, HV_ETHERTYPE_IPV4)), peer_mac, 6);
	assert_int_equal(f.frames[1].size, 14 + 20 + 100); /* in order */
	assert_int_equal(f.frames[2].size, 14 + 20 + 200);
	assert_int_equal(neighbour("10.0.2.100")->state, HV_NEIGHBOUR_REACHABLE);
	assert_int_equal(fixture_send(&tx, 300), 0);
	assert_int_equal(f.frame_count, 4);
}

static void asks_three_times_then_reports(void **state)
{
	struct hv_ip_tx tx = to("10.0.2.50");

	(void)state;
	assert_int_equal(fixture_send(&tx, 100), 0);
	assert_int_equal(fixture_send(&tx, 100), 0);
	fixture_advance(SECOND + SECOND / 10);
	assert_int_equal(f.frame_count, 2);
	fixture_advance(SECOND + SECOND / 10);
	assert_int_equal(f.frame_count, 3);
	assert_int_equal(f.report_count, 0);
	fixture_advance(SECOND + SECOND / 10);
	assert_int_equal(f.frame_count, 3);
	assert_int_equal(f.report_count, 2);
	assert_int_equal(f.report.error, EHOSTUNREACH);
	assert_false(f.report.hard);
	assert_int_equal(f.report.proto, IPPROTO_UDP);
	assert_true(hv_addr_equal(&f.report.src, &tx.src));
	assert_true(hv_addr_equal(&f.report.dst, &tx.dst));
	assert_int_equal(f.report.transport_len, 100);
	assert_int_equal(f.report_transport[7], pattern(7));
	assert_int_equal(drops(HV_DROP_NEIGHBOUR_UNREACHABLE), 2);
	assert_int_equal(f.ip.neighbours.count, 0);
	/* And again for the next one. */
	assert_int_equal(fixture_send(&tx, 100), 0);
	assert_int_equal(f.frame_count, 4);
}

static void uses_the_gateway(void **state)
{
	struct hv_addr any = ip("0.0.0.0"), gateway = ip("10.0.2.1");
	struct hv_ip_tx tx = to("192.0.2.7");
	struct hv_arp arp;

	(void)state;
	assert_int_equal(fixture_send(&tx, 10), -ENETUNREACH);
	assert_int_equal(drops(HV_DROP_IP_NO_ROUTE), 1);
	assert_int_equal(hv_ip_route_add(&f.ip, 1, &any, 0, &gateway), 0);
	assert_int_equal(fixture_send(&tx, 10), 0);
	arp = sent_arp(0, all_mac);
	assert_true(hv_addr_equal(&arp.target, &gateway));
}

static void a_reply_that_nobody_asked_for_creates_nothing(void **state)
{
	(void)state;
	arp_input(HV_ARP_REPLY, "10.0.2.100", "10.0.2.2", peer_mac);
	assert_int_equal(f.ip.neighbours.count, 0);
	/* Nor does an announcement (RFC 5227 section 3). */
	arp_input(HV_ARP_REQUEST, "10.0.2.100", "10.0.2.100", peer_mac);
	assert_int_equal(f.ip.neighbours.count, 0);
}

static void an_announcement_changes_what_is_known(void **state)
{
	static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 0x77};

	(void)state;
	fixture_meet_v4();
	arp_input(HV_ARP_REQUEST, "10.0.2.100", "10.0.2.100", other_mac);
	assert_memory_equal(neighbour("10.0.2.100")->ethernet, other_mac, 6);
	assert_int_equal(neighbour("10.0.2.100")->state, HV_NEIGHBOUR_STALE);
}

static void refuses_invalid_messages(void **state)
{
	static const uint8_t group_mac[6] = {3, 0, 0, 0, 0, 1};
	uint8_t frame[20] = {0};

	(void)state;
	arp_input(HV_ARP_REQUEST, "10.0.2.2", "10.0.2.2", peer_mac); /* our own address */
	arp_input(HV_ARP_REQUEST, "224.0.0.1", "10.0.2.2", peer_mac);
	arp_input(HV_ARP_REQUEST, "127.0.0.1", "10.0.2.2", peer_mac);
	arp_input(HV_ARP_REQUEST, "255.255.255.255", "10.0.2.2", peer_mac);
	arp_input(HV_ARP_REQUEST, "10.0.2.100", "10.0.2.2", group_mac);
	arp_input(3, "10.0.2.100", "10.0.2.2", peer_mac);
	hv_eth_write(frame, all_mac, peer_mac, HV_ETHERTYPE_ARP);
	fixture_input(frame, sizeof(frame));
	assert_int_equal(drops(HV_DROP_ARP_INVALID), 7);
	assert_int_equal(f.frame_count, 0);
	assert_int_equal(f.ip.neighbours.count, 0);
}

static void broadcast_and_multicast_need_no_question(void **state)
{
	static const uint8_t group_mac[6] = {1, 0, 0x5e, 0, 0, 0xfb};
	struct hv_ip_tx tx = to("255.255.255.255");

	(void)state;
	assert_int_equal(fixture_send(&tx, 10), 0);
	tx = to("10.0.2.255");
	assert_int_equal(fixture_send(&tx, 10), 0);
	tx = to("224.0.0.251");
	assert_int_equal(fixture_send(&tx, 10), 0);
	assert_int_equal(f.frame_count, 3);
	assert_memory_equal(hv_eth_dst(sent(0, HV_ETHERTYPE_IPV4)), all_mac, 6);
	assert_memory_equal(hv_eth_dst(sent(1, HV_ETHERTYPE_IPV4)), all_mac, 6);
	assert_memory_equal(hv_eth_dst(sent(2, HV_ETHERTYPE_IPV4)), group_mac, 6);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(answers_for_our_address),
		FIXTURE_TEST(is_silent_for_other_addresses),
		FIXTURE_TEST(answers_a_probe_and_learns_nothing),
		FIXTURE_TEST(resolves_and_sends_what_waited),
		FIXTURE_TEST(asks_three_times_then_reports),
		FIXTURE_TEST(uses_the_gateway),
		FIXTURE_TEST(a_reply_that_nobody_asked_for_creates_nothing),
		FIXTURE_TEST(an_announcement_changes_what_is_known),
		FIXTURE_TEST(refuses_invalid_messages),
		FIXTURE_TEST(broadcast_and_multicast_need_no_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
