/* src/ip/path_mtu.c: what routers say about sizes, how long and how far it is believed. */
#include "fixture.h"

static uint32_t mtu(const char *text)
{
	struct hv_addr dst = ip(text);

	return hv_ip_mtu(&f.ip, &dst);
}

static uint32_t update(const char *text, uint32_t mtu, uint32_t size)
{
	struct hv_addr dst = ip(text);

	return hv_path_mtu_update(&f.ip, &dst, mtu, size);
}

static int setup(void **state)
{
	struct hv_addr any4 = ip("0.0.0.0"), any6 = ip("::");

	fixture_setup(state);
	assert_int_equal(hv_ip_route_add(&f.ip, 1, &any4, 0, NULL), 0);
	assert_int_equal(hv_ip_route_add(&f.ip, 1, &any6, 0, NULL), 0);
	return 0;
}

static void holds_for_one_destination(void **state)
{
	(void)state;
	assert_int_equal(mtu("192.0.2.1"), 1500);
	assert_int_equal(update("192.0.2.1", 1400, 1500), 1400);
	assert_int_equal(mtu("192.0.2.1"), 1400);
	assert_int_equal(mtu("192.0.2.2"), 1500);
	assert_int_equal(update("2001:db8::1", 1300, 1500), 1300);
	assert_int_equal(mtu("2001:db8::1"), 1300);
}

static void never_goes_up(void **state)
{
	(void)state;
	assert_int_equal(update("192.0.2.1", 1400, 1500), 1400);
	assert_int_equal(update("192.0.2.1", 1450, 1500), 1400);
	assert_int_equal(update("192.0.2.1", 9000, 1500), 1400);
	assert_int_equal(mtu("192.0.2.1"), 1400);
	assert_int_equal(update("192.0.2.1", 1300, 1400), 1300);
	assert_int_equal(mtu("192.0.2.1"), 1300);
}

static void is_forgotten(void **state)
{
	(void)state;
	update("192.0.2.1", 1400, 1500);
	fixture_advance(599 * SECOND);
	assert_int_equal(mtu("192.0.2.1"), 1400);
	fixture_advance(2 * SECOND);
	assert_int_equal(mtu("192.0.2.1"), 1500);
	assert_int_equal(f.ip.path_mtus.count, 0);
}

static void has_least_values(void **state)
{
	(void)state;
	assert_int_equal(update("192.0.2.1", 68, 1500), HV_PATH_MTU_MIN_V4);
	assert_int_equal(mtu("192.0.2.1"), 552);
	assert_int_equal(update("2001:db8::1", 1279, 1500), 0); /* RFC 8201 section 4 */
	assert_int_equal(mtu("2001:db8::1"), 1500);
	assert_int_equal(update("2001:db8::1", 1280, 1500), 1280);
}

static void guesses_for_old_routers(void **state)
{
	(void)state;
	assert_int_equal(update("192.0.2.1", 0, 1500), 1492); /* RFC 1191 section 7.1 */
	assert_int_equal(update("192.0.2.1", 0, 1492), 1006);
	assert_int_equal(update("192.0.2.1", 0, 1006), 552);
	assert_int_equal(update("192.0.2.1", 0, 552), 552);
}

static void has_a_limit(void **state)
{
	char text[32];

	(void)state;
	for (unsigned i = 0; i < HV_PATH_MTU_ENTRIES + 100; i++) {
		snprintf(text, sizeof(text), "192.0.%u.%u", i / 256, i % 256);
		update(text, 1400, 1500);
	}
	assert_int_equal(f.ip.path_mtus.count, HV_PATH_MTU_ENTRIES);
	assert_int_equal(mtu("192.0.0.0"), 1500); /* the oldest went */
	assert_int_equal(mtu("192.0.4.50"), 1400);
}

static void what_is_too_big_is_told_to_the_sender(void **state)
{
	struct hv_ip_tx tx = {.src = ip("10.0.2.2"),
			      .dst = ip("10.0.2.100"),
			      .proto = IPPROTO_UDP,
			      .dont_fragment = true};

	(void)state;
	fixture_meet_v4();
	update("10.0.2.100", 1000, 1500);
	assert_int_equal(fixture_send(&tx, 981), -EMSGSIZE);
	assert_int_equal(fixture_send(&tx, 980), 0);
	tx.dont_fragment = false;
	assert_int_equal(fixture_send(&tx, 1480), 0); /* cut for the path */
	assert_int_equal(f.frame_count, 3);
	assert_true(f.frames[1].size - 14 <= 1000);
}

static void comes_in_by_icmp(void **state)
{
	struct hv_ipv4_header quoted4 = {.src = ip("10.0.2.2"),
					 .dst = ip("192.0.2.1"),
					 .total_length = 1500,
					 .ttl = 60,
					 .dont_fragment = true,
					 .protocol = IPPROTO_TCP};
	struct hv_ipv6_header quoted6 = {.src = ip("fd00::2"),
					 .dst = ip("2001:db8::1"),
					 .payload_length = 1460,
					 .next_header = IPPROTO_TCP};
	uint8_t message[8 + 40 + 20] = {0};

	(void)state;
	hv_icmp_write(message, HV_ICMP4_UNREACHABLE, HV_ICMP4_TOO_BIG, 1420);
	hv_wire_ipv4_write(message + 8, &quoted4);
	fixture_input(f.frame, build_icmp4(from_peer4(IPPROTO_ICMP), message, 8 + 20 + 8));
	assert_int_equal(f.report_count, 1);
	assert_int_equal(f.report.error, EMSGSIZE);
	assert_int_equal(f.report.mtu, 1420);
	assert_int_equal(mtu("192.0.2.1"), 1420);
	hv_icmp_write(message, HV_ICMP6_TOO_BIG, 0, 1380);
	hv_wire_ipv6_write(message + 8, &quoted6);
	fixture_input(f.frame, build_icmp6(from_peer6(IPPROTO_ICMPV6), message, 68));
	assert_int_equal(f.report_count, 2);
	assert_int_equal(f.report.mtu, 1380);
	assert_int_equal(mtu("2001:db8::1"), 1380);
	hv_icmp_write(message, HV_ICMP6_TOO_BIG, 0, 500);
	fixture_input(f.frame, build_icmp6(from_peer6(IPPROTO_ICMPV6), message, 68));
	assert_int_equal(f.report_count, 2);
}

/* A transport that can tell a true report from a forged one notes what it believes by itself. */
static void is_left_to_the_transport(void **state)
{
	struct hv_ipv4_header quoted = {.src = ip("10.0.2.2"),
					.dst = ip("192.0.2.1"),
					.total_length = 1500,
					.ttl = 60,
					.dont_fragment = true,
					.protocol = IPPROTO_TCP};
	uint8_t message[8 + 20 + 8] = {0};
	struct hv_addr dst = quoted.dst;

	(void)state;
	f.ip.tcp.checks_mtu = true;
	hv_icmp_write(message, HV_ICMP4_UNREACHABLE, HV_ICMP4_TOO_BIG, 1420);
	hv_wire_ipv4_write(message + 8, &quoted);
	fixture_input(f.frame, build_icmp4(from_peer4(IPPROTO_ICMP), message, sizeof(message)));
	assert_int_equal(f.report_count, 1);
	assert_int_equal(f.report.mtu, 1420);
	assert_int_equal(mtu("192.0.2.1"), 1500);
	hv_ip_mtu_note(&f.ip, &dst, f.report.mtu);
	assert_int_equal(mtu("192.0.2.1"), 1420);
	/* Of the other protocols nobody knows better. */
	quoted.protocol = IPPROTO_ICMP;
	quoted.dst = ip("192.0.2.2");
	hv_wire_ipv4_write(message + 8, &quoted);
	fixture_input(f.frame, build_icmp4(from_peer4(IPPROTO_ICMP), message, sizeof(message)));
	assert_int_equal(mtu("192.0.2.2"), 1420);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(holds_for_one_destination),
		TEST(never_goes_up),
		TEST(is_forgotten),
		TEST(has_least_values),
		TEST(guesses_for_old_routers),
		TEST(has_a_limit),
		TEST(what_is_too_big_is_told_to_the_sender),
		TEST(comes_in_by_icmp),
		TEST(is_left_to_the_transport),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
