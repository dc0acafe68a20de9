/* src/ip/icmp.c, icmp4.c, icmp6.c: echo, errors out with their rules, errors in. */
#include <haven/forward.h>

#include "fixture.h"

static uint8_t message[70000];

static uint32_t echo_message(bool v6, uint32_t data)
{
	memset(message, 0, sizeof(message));
	hv_icmp_write_echo(message, v6 ? HV_ICMP6_ECHO_REQUEST : HV_ICMP4_ECHO_REQUEST, 0x1234,
			   7);
	for (uint32_t i = 0; i < data; i++)
		message[8 + i] = pattern(i);
	return 8 + data;
}

static void ping4(const char *dst, uint32_t data)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_ICMP);

	h.dst = ip(dst);
	fixture_input(f.frame, build_icmp4(h, message, echo_message(false, data)));
}

static void ping6(const char *dst, uint32_t data)
{
	struct hv_ipv6_header h = from_peer6(IPPROTO_ICMPV6);

	h.dst = ip(dst);
	fixture_input(f.frame, build_icmp6(h, message, echo_message(true, data)));
}

static int setup(void **state)
{
	fixture_setup(state);
	fixture_meet_v4();
	fixture_meet_v6();
	return 0;
}

static void answers_echo(void **state)
{
	const uint8_t *p;

	(void)state;
	ping4("10.0.2.2", 56);
	assert_int_equal(f.frame_count, 1);
	assert_int_equal(f.frames[0].size, 14 + 20 + 64);
	p = sent_payload(0);
	assert_int_equal(hv_icmp_type(p), HV_ICMP4_ECHO_REPLY);
	assert_true(hv_wire_icmp4_check(p, 64));
	assert_int_equal(hv_icmp_identifier(p), 0x1234);
	assert_int_equal(hv_icmp_sequence(p), 7);
	assert_int_equal(p[8 + 55], pattern(55));
	ping6("fd00::2", 56);
	assert_int_equal(f.frame_count, 2);
	p = sent_payload(1);
	assert_int_equal(hv_icmp_type(p), HV_ICMP6_ECHO_REPLY);
	assert_true(hv_wire_icmp6_check(p, 64, &(struct hv_addr){.b = {0xfd, [15] = 2}},
					&(struct hv_addr){.b = {0xfd, [14] = 1}}));
	assert_int_equal(f.echo_count, 0);
}

static void answers_echo_larger_than_the_mtu(void **state)
{
	(void)state;
	f.link.mtu = 65535; /* the request comes whole, the answer in pieces */
	ping4("10.0.2.2", 20000);
	assert_int_equal(f.frame_count, 1);
	f.link.mtu = 1500;
	hv_ip_paths_changed(&f.ip);
	ping4("10.0.2.2", 20000);
	assert_int_equal(f.frame_count, 1 + 14);
}

static void hands_on_echo_for_others(void **state)
{
	(void)state;
	f.ip.config.accept_any_address = true;
	ping4("8.8.8.8", 56);
	assert_int_equal(f.echo_count, 1);
	assert_int_equal(f.echo.payload_len, 64);
	assert_int_equal(f.echo.dst.b[15], 8);
	ping6("2001:db8::1", 56);
	assert_int_equal(f.echo_count, 2);
	assert_int_equal(f.frame_count, 0);
	assert_int_equal(hv_ip_echo_reply(&f.ip, &f.echo.dst, &f.echo.src, 5, 6,
					  (const uint8_t *)"data", 4),
			 0);
	assert_memory_equal(hv_ipv6_src(f.frames[0].bytes + 14), f.echo.dst.b, 16);
	assert_memory_equal(sent_payload(0) + 8, "data", 4);
	hv_ip_set_echo(&f.ip, NULL, NULL);
	ping4("8.8.8.8", 56);
	assert_int_equal(drops(HV_DROP_ICMP_IGNORED), 1);
}

static void broadcast_echo_is_ignored_multicast_echo_is_not(void **state)
{
	(void)state;
	ping4("10.0.2.255", 56);
	ping4("224.0.0.1", 56);
	assert_int_equal(drops(HV_DROP_ICMP_IGNORED), 2);
	assert_int_equal(f.frame_count, 0);
	ping6("ff02::1", 56); /* RFC 4443 section 4.2 */
	assert_int_equal(f.frame_count, 1);
	assert_memory_equal(hv_ipv6_src(f.frames[0].bytes + 14), ip("fd00::2").b, 16);
}

static void bad_messages_are_dropped(void **state)
{
	uint32_t size = build_icmp4(from_peer4(IPPROTO_ICMP), message, echo_message(false, 8));

	(void)state;
	f.frame[size - 1] ^= 1;
	fixture_input(f.frame, size);
	size = build_icmp6(from_peer6(IPPROTO_ICMPV6), message, echo_message(true, 8));
	f.frame[size - 1] ^= 1;
	fixture_input(f.frame, size);
	fixture_input(f.frame, build_icmp4(from_peer4(IPPROTO_ICMP), message, 7));
	fixture_input(f.frame, build_icmp6(from_peer6(IPPROTO_ICMPV6), message, 7));
	assert_int_equal(drops(HV_DROP_ICMP_INVALID), 4);
	assert_int_equal(f.frame_count, 0);
}

/* --- errors out ------------------------------------------------------------------------- */

static int kind;
static const struct hv_addr *offender;

static void refusing_input(void *ctx, struct hv_packet *packet)
{
	(void)ctx;
	hv_ip_unreachable(&f.ip, packet, kind, 1400, offender);
	hv_packet_free(&f.core, packet);
}

static int refusing_setup(void **state)
{
	struct hv_ip_transport transport = {NULL, refusing_input, NULL};

	setup(state);
	offender = NULL;
	kind = HAVEN_ICMP_PORT_UNREACHABLE;
	f.ip.config.accept_any_address = true;
	hv_ip_set_transport(&f.ip, IPPROTO_UDP, &transport);
	return 0;
}

static void udp4(const char *dst, uint32_t size)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_UDP);

	h.dst = ip(dst);
	fixture_input(f.frame, build_v4(h, message, size));
}

static void udp6(const char *dst, uint32_t size)
{
	struct hv_ipv6_header h = from_peer6(IPPROTO_UDP);

	h.dst = ip(dst);
	fixture_input(f.frame, build_v6(h, message, size));
}

static void each_kind_has_its_message(void **state)
{
	static const struct {
		int kind;
		uint8_t v4[2], v6[2];
	} table[] = {
		{HAVEN_ICMP_NET_UNREACHABLE, {3, 0}, {1, 0}},
		{HAVEN_ICMP_HOST_UNREACHABLE, {3, 1}, {1, 3}},
		{HAVEN_ICMP_PORT_UNREACHABLE, {3, 3}, {1, 4}},
		{HAVEN_ICMP_PROHIBITED, {3, 13}, {1, 1}},
		{HAVEN_ICMP_TOO_BIG, {3, 4}, {2, 0}},
		{HAVEN_ICMP_TIME_EXCEEDED, {11, 0}, {3, 0}},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(table); i++) {
		kind = table[i].kind;
		udp4("10.0.2.2", 64);
		udp6("fd00::2", 64);
		assert_memory_equal(sent_payload(0), table[i].v4, 2);
		assert_memory_equal(sent_payload(1), table[i].v6, 2);
		if (kind == HAVEN_ICMP_TOO_BIG) {
			assert_int_equal(hv_icmp4_mtu(sent_payload(0)), 1400);
			assert_int_equal(hv_icmp6_mtu(sent_payload(1)), 1400);
		}
		fixture_forget();
	}
	kind = 99;
	udp4("10.0.2.2", 64);
	assert_int_equal(f.frame_count, 0);
}

static void quotes_as_much_as_fits(void **state)
{
	const uint8_t *p;

	(void)state;
	udp4("10.0.2.2", 100);
	assert_int_equal(f.frames[0].size, 14 + 20 + 8 + 120);
	p = sent_payload(0);
	assert_true(hv_wire_icmp4_check(p, 8 + 120));
	assert_memory_equal(p + 8, f.frame + 14, 120);
	udp4("10.0.2.2", 1400);
	assert_int_equal(f.frames[1].size - 14, 576); /* RFC 1812 section 4.3.2.3 */
	udp6("fd00::2", 1400);
	assert_int_equal(f.frames[2].size - 14, 1280); /* RFC 4443 section 2.4(c) */
}

static void comes_from_the_address_asked_or_ours_or_the_offender(void **state)
{
	struct hv_addr other = ip("192.0.2.9");

	(void)state;
	udp4("10.0.2.2", 64);
	udp4("8.8.8.8", 64);
	offender = &other;
	udp4("8.8.8.8", 64);
	udp6("2001:db8::1", 64); /* of another family: ours */
	assert_memory_equal(hv_ipv4_src(f.frames[0].bytes + 14), ip("10.0.2.2").b + 12, 4);
	assert_memory_equal(hv_ipv4_src(f.frames[1].bytes + 14), ip("10.0.2.2").b + 12, 4);
	assert_memory_equal(hv_ipv4_src(f.frames[2].bytes + 14), other.b + 12, 4);
	assert_memory_equal(hv_ipv6_src(f.frames[3].bytes + 14), ip("fd00::2").b, 16);
}

static void nothing_about_groups(void **state)
{
	(void)state;
	udp4("10.0.2.255", 64);
	udp4("255.255.255.255", 64);
	udp4("224.0.0.1", 64);
	udp6("ff02::1", 64);
	assert_int_equal(f.frame_count, 0);
	kind = HAVEN_ICMP_TOO_BIG; /* which RFC 4443 section 2.4(e.3) excepts */
	udp6("ff02::1", 64);
	assert_int_equal(f.frame_count, 1);
}

static void nothing_about_errors(void **state)
{
	struct hv_packet packet = {.d = {.proto = IPPROTO_ICMP}};
	uint8_t bytes[128] = {0};

	(void)state;
	packet.data = packet.d.l3 = bytes;
	packet.len = sizeof(bytes);
	packet.d.l4 = bytes + 20;
	packet.d.payload_len = 100;
	packet.d.ifindex = 1;
	packet.d.src = ip("10.0.2.100");
	packet.d.dst = ip("10.0.2.2");
	packet.d.l4[0] = HV_ICMP4_UNREACHABLE;
	hv_ip_unreachable(&f.ip, &packet, HAVEN_ICMP_HOST_UNREACHABLE, 0, NULL);
	packet.d.l4[0] = HV_ICMP4_REDIRECT;
	hv_ip_unreachable(&f.ip, &packet, HAVEN_ICMP_HOST_UNREACHABLE, 0, NULL);
	assert_int_equal(f.frame_count, 0);
	packet.d.l4[0] = HV_ICMP4_ECHO_REQUEST; /* no error */
	hv_ip_unreachable(&f.ip, &packet, HAVEN_ICMP_HOST_UNREACHABLE, 0, NULL);
	assert_int_equal(f.frame_count, 1);
	packet.d.src = ip("fd00::100");
	packet.d.dst = ip("fd00::2");
	packet.d.proto = IPPROTO_ICMPV6;
	packet.d.l4[0] = HV_ICMP6_TOO_BIG;
	hv_ip_unreachable(&f.ip, &packet, HAVEN_ICMP_HOST_UNREACHABLE, 0, NULL);
	packet.d.l4[0] = HV_ND_REDIRECT;
	hv_ip_unreachable(&f.ip, &packet, HAVEN_ICMP_HOST_UNREACHABLE, 0, NULL);
	packet.d.src = ip("::");
	packet.d.l4[0] = HV_ICMP6_ECHO_REQUEST;
	hv_ip_unreachable(&f.ip, &packet, HAVEN_ICMP_HOST_UNREACHABLE, 0, NULL);
	assert_int_equal(f.frame_count, 1);
}

static unsigned burst(const char *to, unsigned tries)
{
	struct hv_addr dst = ip(to);
	uint8_t quote[28] = {0x45};
	unsigned good = 0;

	for (unsigned i = 0; i < tries; i++) {
		int error = hv_ip_icmp_error_output(&f.ip, HAVEN_ICMP_HOST_UNREACHABLE, 0, NULL,
						    &dst, quote, sizeof(quote));

		assert_true(error == 0 || error == -EAGAIN);
		good += error == 0;
		fixture_forget();
	}
	return good;
}

static void errors_are_limited(void **state)
{
	unsigned good = 0;

	(void)state;
	/* One destination has a share of the burst, another the rest. */
	assert_int_equal(burst("10.0.2.100", 100), HV_ICMP_PEER_BURST);
	assert_int_equal(burst("10.0.2.101", 100), HV_ICMP_BURST - HV_ICMP_PEER_BURST);
	assert_int_equal(drops(HV_DROP_ICMP_RATE), 200 - HV_ICMP_BURST);
	fixture_advance(SECOND);
	assert_int_equal(burst("10.0.2.100", 100), HV_ICMP_PEER_BURST);
	for (unsigned i = 0; i < 1000; i++) {
		fixture_advance(SECOND / 1000);
		good += burst("10.0.2.100", 5);
	}
	assert_true(good >= HV_ICMP_PEER_RATE - 2 && good <= HV_ICMP_PEER_RATE + 2);
}

static void an_error_needs_a_way(void **state)
{
	struct hv_addr dst = ip("192.0.2.1");
	uint8_t quote[28] = {0x45};

	(void)state;
	assert_int_equal(hv_ip_icmp_error_output(&f.ip, HAVEN_ICMP_HOST_UNREACHABLE, 0, NULL,
						 &dst, quote, sizeof(quote)),
			 -ENETUNREACH);
	assert_int_equal(hv_ip_icmp_error_output(&f.ip, 77, 0, NULL, &dst, quote,
						 sizeof(quote)),
			 -EINVAL);
}

/* --- errors in -------------------------------------------------------------------------- */

/* The peer complains about a packet from `src` to 10.0.2.100, cut to transport_len. */
static void error4(uint8_t type, uint8_t code, uint32_t rest, const char *src,
		   uint32_t transport_len)
{
	struct hv_ipv4_header quoted = {.src = ip(src),
					.dst = ip("10.0.2.100"),
					.total_length = 1480,
					.ttl = 60,
					.protocol = IPPROTO_UDP};
	struct hv_ipv4_header h = from_peer4(IPPROTO_ICMP);

	h.dst = ip(src);
	hv_icmp_write(message, type, code, rest);
	hv_wire_ipv4_write(message + 8, &quoted);
	for (uint32_t i = 0; i < transport_len; i++)
		message[28 + i] = pattern(i);
	fixture_input(f.frame, build_icmp4(h, message, 28 + transport_len));
}

static void error6(uint8_t type, uint8_t code, uint32_t rest, const char *src)
{
	struct hv_ipv6_header quoted = {.src = ip(src),
					.dst = ip("fd00::100"),
					.payload_length = 1400,
					.hop_limit = 60,
					.next_header = IPPROTO_TCP};
	struct hv_ipv6_header h = from_peer6(IPPROTO_ICMPV6);

	h.dst = ip(src);
	hv_icmp_write(message, type, code, rest);
	hv_wire_ipv6_write(message + 8, &quoted);
	for (uint32_t i = 0; i < 20; i++)
		message[48 + i] = pattern(i);
	fixture_input(f.frame, build_icmp6(h, message, 68));
}

static void reports_errors_by_their_codes(void **state)
{
	static const struct {
		uint8_t type, code;
		int error;
		bool hard;
	} v4[] = {{3, 0, ENETUNREACH, false},	{3, 1, EHOSTUNREACH, false},
		  {3, 2, EPROTO, true},		{3, 3, ECONNREFUSED, true},
		  {3, 10, EACCES, false},	{3, 13, EACCES, false},
		  {11, 0, EHOSTUNREACH, false}, {12, 0, EPROTO, false}},
	  v6[] = {{1, 0, ENETUNREACH, false},  {1, 1, EACCES, false},
		  {1, 3, EHOSTUNREACH, false}, {1, 4, ECONNREFUSED, true},
		  {3, 0, EHOSTUNREACH, false}, {4, 1, EPROTO, true}};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(v4); i++) {
		error4(v4[i].type, v4[i].code, 0, "10.0.2.2", 8);
		assert_int_equal(f.report_count, i + 1);
		assert_int_equal(f.report.error, v4[i].error);
		assert_int_equal(f.report.hard, v4[i].hard);
	}
	f.report_count = 0;
	for (unsigned i = 0; i < TEST_COUNT(v6); i++) {
		error6(v6[i].type, v6[i].code, 0, "fd00::2");
		assert_int_equal(f.report_count, i + 1);
		assert_int_equal(f.report.error, v6[i].error);
		assert_int_equal(f.report.hard, v6[i].hard);
	}
	assert_int_equal(f.report.proto, IPPROTO_TCP);
	assert_int_equal(f.report.transport_len, 20);
	assert_int_equal(f.report_transport[19], pattern(19));
	assert_true(hv_addr_equal(&f.report.src, &(struct hv_addr){.b = {0xfd, [15] = 2}}));
	assert_true(
		hv_addr_equal(&f.report.offender, &(struct hv_addr){.b = {0xfd, [14] = 1}}));
}

static void errors_that_help_nobody_are_ignored(void **state)
{
	struct hv_ipv4_header h = from_peer4(IPPROTO_ICMP);
	uint32_t size;

	(void)state;
	error4(3, 3, 0, "10.0.2.2", 7); /* too short for a transport */
	error4(4, 0, 0, "10.0.2.2", 8); /* source quench: RFC 6633 */
	error4(5, 0, 0, "10.0.2.2", 8); /* redirect */
	error4(3, 99, 0, "10.0.2.2", 8);
	error6(100, 0, 0, "fd00::2");
	/* About somebody else's packet. */
	error4(3, 3, 0, "10.0.2.2", 8);
	assert_int_equal(f.report_count, 1);
	h.dst = ip("10.0.2.2");
	memcpy(message + 8 + 12, ip("10.0.2.77").b + 12, 4);
	size = build_icmp4(h, message, 36);
	fixture_input(f.frame, size);
	fixture_input(f.frame,
		      build_icmp4(h, message, 8 + 12)); /* quotation cut in the header */
	assert_int_equal(f.report_count, 1);
}

static void errors_reach_any_address_that_is_taken(void **state)
{
	(void)state;
	error4(3, 3, 0, "8.8.8.8", 8);
	assert_int_equal(f.report_count, 0);
	f.ip.config.accept_any_address = true;
	error4(3, 3, 0, "8.8.8.8", 8); /* we sent from there */
	assert_int_equal(f.report_count, 1);
	assert_int_equal(f.report.error, ECONNREFUSED);
	error6(1, 4, 0, "2001:db8::1");
	assert_int_equal(f.report_count, 2);
}

static void other_messages_are_ignored(void **state)
{
	(void)state;
	memset(message, 0, 64);
	message[0] = 13; /* timestamp */
	fixture_input(f.frame, build_icmp4(from_peer4(IPPROTO_ICMP), message, 20));
	message[0] = HV_ICMP4_ECHO_REPLY;
	fixture_input(f.frame, build_icmp4(from_peer4(IPPROTO_ICMP), message, 20));
	message[0] = HV_ICMP6_ECHO_REPLY;
	fixture_input(f.frame, build_icmp6(from_peer6(IPPROTO_ICMPV6), message, 20));
	assert_int_equal(drops(HV_DROP_ICMP_IGNORED), 3);
	assert_int_equal(f.frame_count, 0);
}

#define TEST(name)     cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
#define REFUSING(name) cmocka_unit_test_setup_teardown(name, refusing_setup, fixture_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(answers_echo),
		TEST(answers_echo_larger_than_the_mtu),
		TEST(hands_on_echo_for_others),
		TEST(broadcast_echo_is_ignored_multicast_echo_is_not),
		TEST(bad_messages_are_dropped),
		REFUSING(each_kind_has_its_message),
		REFUSING(quotes_as_much_as_fits),
		REFUSING(comes_from_the_address_asked_or_ours_or_the_offender),
		REFUSING(nothing_about_groups),
		REFUSING(nothing_about_errors),
		TEST(errors_are_limited),
		TEST(an_error_needs_a_way),
		TEST(reports_errors_by_their_codes),
		TEST(errors_that_help_nobody_are_ignored),
		TEST(errors_reach_any_address_that_is_taken),
		TEST(other_messages_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
