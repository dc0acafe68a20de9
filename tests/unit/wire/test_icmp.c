/* ICMP, ICMPv6 and Neighbour Discovery messages. */
#include <string.h>

#include "support/test.h"
#include "wire/icmp.h"

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

static struct hv_addr local(uint8_t last)
{
	const uint8_t bytes[16] = {0xfe, 0x80, [13] = 0xaa, [14] = 0xbb, [15] = last};

	return hv_addr_v6(bytes);
}

static void echo_is_written_and_checked(void **state)
{
	uint8_t p[12] = {[8] = 'd', 'a', 't', 'a'};
	struct hv_addr src = local(1), dst = local(2);

	(void)state;
	hv_icmp_write_echo(p, HV_ICMP4_ECHO_REQUEST, 0x1234, 0xfffe);
	hv_wire_icmp4_finish(p, sizeof(p));
	assert_true(hv_wire_icmp4_check(p, sizeof(p)));
	assert_int_equal(hv_icmp_type(p), 8);
	assert_int_equal(hv_icmp_code(p), 0);
	assert_int_equal(hv_icmp_identifier(p), 0x1234);
	assert_int_equal(hv_icmp_sequence(p), 0xfffe);
	p[9] ^= 1;
	assert_false(hv_wire_icmp4_check(p, sizeof(p)));
	assert_false(hv_wire_icmp4_check(p, 7));

	hv_icmp_write_echo(p, HV_ICMP6_ECHO_REPLY, 1, 2);
	hv_wire_icmp6_finish(p, sizeof(p), &src, &dst);
	assert_true(hv_wire_icmp6_check(p, sizeof(p), &src, &dst));
	/* The addresses are part of it (RFC 4443 section 2.3); which is which is not. */
	assert_true(hv_wire_icmp6_check(p, sizeof(p), &dst, &src));
	assert_false(hv_wire_icmp6_check(p, sizeof(p), &dst, &dst));
	assert_false(hv_wire_icmp6_check(p, 7, &src, &dst));
}

static void errors_are_told_from_questions(void **state)
{
	(void)state;
	assert_true(hv_icmp4_is_error(HV_ICMP4_UNREACHABLE));
	assert_true(hv_icmp4_is_error(HV_ICMP4_TIME_EXCEEDED));
	assert_false(hv_icmp4_is_error(HV_ICMP4_ECHO_REQUEST));
	assert_true(hv_icmp6_is_error(HV_ICMP6_TOO_BIG));
	assert_false(hv_icmp6_is_error(HV_ICMP6_ECHO_REQUEST));
}

static void neighbour_messages(void **state)
{
	struct hv_addr target = local(9);
	const uint8_t *found;
	uint8_t p[64];

	(void)state;
	assert_int_equal(hv_wire_nd_solicit_write(p, &target, NULL), 24);
	assert_int_equal(hv_wire_nd_solicit_write(p, &target, mac), 32);
	assert_int_equal(hv_icmp_type(p), HV_ND_NEIGHBOUR_SOLICIT);
	assert_memory_equal(hv_nd_target(p), target.b, 16);
	assert_true(hv_wire_nd_link_address(p + 24, 8, HV_ND_OPTION_SOURCE, &found));
	assert_memory_equal(found, mac, 6);
	assert_true(hv_wire_nd_link_address(p + 24, 8, HV_ND_OPTION_TARGET, &found));
	assert_null(found);

	assert_int_equal(hv_wire_nd_advert_write(p, HV_ND_SOLICITED | HV_ND_OVERRIDE, &target,
						 mac),
			 32);
	assert_int_equal(hv_icmp_type(p), HV_ND_NEIGHBOUR_ADVERT);
	assert_int_equal(hv_nd_flags(p), 0x60);
	assert_true(hv_wire_nd_link_address(p + 24, 8, HV_ND_OPTION_TARGET, &found));
	assert_memory_equal(found, mac, 6);
}

static void router_advertisement(void **state)
{
	struct hv_addr prefix = local(0);
	const struct hv_nd_router_advert advert = {
		.hop_limit = 64,
		.lifetime_s = 1800,
		.mac = mac,
		.mtu = 65520,
		.prefix = &prefix,
		.prefix_bits = 64,
		.prefix_flags = HV_ND_PREFIX_ON_LINK,
		.prefix_lifetime_s = 86400,
	};
	static const uint8_t types[] = {HV_ND_OPTION_SOURCE, HV_ND_OPTION_MTU,
					HV_ND_OPTION_PREFIX};
	struct hv_nd_option option;
	uint32_t offset = 0, size;
	uint8_t p[64];

	(void)state;
	size = hv_wire_nd_router_advert_write(p, &advert);
	assert_int_equal(size, 64);
	assert_int_equal(p[4], 64);
	assert_int_equal(hv_get16(p + 6), 1800);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(hv_wire_nd_option_next(p + 16, size - 16, &offset, &option),
				 1);
		assert_int_equal(option.type, types[i]);
	}
	assert_int_equal(hv_get32(p + 16 + 8 + 4), 65520);
	assert_int_equal(option.bytes[2], 64);
	assert_memory_equal(option.bytes + 16, prefix.b, 16);
	assert_int_equal(hv_wire_nd_option_next(p + 16, size - 16, &offset, &option), 0);
}

static void malformed_options_spoil_the_message(void **state)
{
	static const uint8_t zero_length[16] = {1, 1, 2, 0, 0, 0, 0, 1, 5, 0};
	static const uint8_t beyond[8] = {1, 2};
	static const uint8_t wrong_size[16] = {1, 2, 2, 0, 0, 0, 0, 1};
	const uint8_t *found;

	(void)state;
	assert_false(hv_wire_nd_link_address(zero_length, 16, HV_ND_OPTION_SOURCE, &found));
	assert_true(hv_wire_nd_link_address(zero_length, 8, HV_ND_OPTION_SOURCE, &found));
	assert_non_null(found);
	assert_false(hv_wire_nd_link_address(zero_length, 12, HV_ND_OPTION_SOURCE, &found));
	assert_false(hv_wire_nd_link_address(beyond, 8, HV_ND_OPTION_SOURCE, &found));
	assert_true(hv_wire_nd_link_address(wrong_size, 16, HV_ND_OPTION_SOURCE, &found));
	assert_null(found);
	assert_true(hv_wire_nd_link_address(NULL, 0, HV_ND_OPTION_SOURCE, &found));
}

static void solicited_node_group(void **state)
{
	const uint8_t expected[16] = {0xff, 2, 0, 0, 0,	   0,	 0,    0,
				      0,    0, 0, 1, 0xff, 0xaa, 0xbb, 9};
	struct hv_addr target = local(9), group = hv_nd_solicited_node(&target);

	(void)state;
	assert_memory_equal(group.b, expected, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_is_written_and_checked),
		cmocka_unit_test(errors_are_told_from_questions),
		cmocka_unit_test(neighbour_messages),
		cmocka_unit_test(router_advertisement),
		cmocka_unit_test(malformed_options_spoil_the_message),
		cmocka_unit_test(solicited_node_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
