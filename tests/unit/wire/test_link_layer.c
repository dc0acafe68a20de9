/* Ethernet and ARP. */
#include <arpa/inet.h>
#include <string.h>

#include "support/test.h"
#include "wire/arp.h"
#include "wire/ethernet.h"

static const uint8_t ours[6] = {2, 0, 0, 0, 0, 1}, theirs[6] = {2, 0, 0, 0, 0, 2};

static struct hv_addr addr(const char *text)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return hv_addr_v4(bytes);
	assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
	return hv_addr_v6(bytes);
}

static void ethernet_reads_what_was_written(void **state)
{
	uint8_t p[14];

	(void)state;
	hv_eth_write(p, ours, theirs, HV_ETHERTYPE_IPV6);
	assert_true(hv_eth_equal(hv_eth_dst(p), ours));
	assert_true(hv_eth_equal(hv_eth_src(p), theirs));
	assert_int_equal(hv_eth_type(p), 0x86dd);
}

static void ethernet_address_kinds(void **state)
{
	const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const uint8_t group[6] = {0x01, 0, 0x5e, 0, 0, 1}, zero[6] = {0};

	(void)state;
	assert_true(hv_eth_is_broadcast(broadcast) && hv_eth_is_group(broadcast));
	assert_true(hv_eth_is_group(group) && !hv_eth_is_broadcast(group));
	assert_false(hv_eth_is_group(ours) || hv_eth_is_zero(ours));
	assert_true(hv_eth_is_zero(zero));
}

static void groups_have_their_addresses(void **state)
{
	static const struct {
		const char *ip;
		uint8_t mac[6];
	} cases[] = {
		{"255.255.255.255", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"224.0.0.251", {0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb}},
		{"239.255.1.2", {0x01, 0x00, 0x5e, 0x7f, 0x01, 0x02}},
		{"ff02::1:ff00:1234", {0x33, 0x33, 0xff, 0x00, 0x12, 0x34}},
	};
	uint8_t mac[6];
	struct hv_addr a;

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		a = addr(cases[i].ip);
		assert_true(hv_eth_group_address(&a, mac));
		assert_memory_equal(mac, cases[i].mac, 6);
	}
	a = addr("10.0.2.2");
	assert_false(hv_eth_group_address(&a, mac));
	a = addr("fd00::2");
	assert_false(hv_eth_group_address(&a, mac));
}

static void arp_write(uint8_t *p)
{
	struct hv_arp arp = {.operation = HV_ARP_REPLY,
			     .sender = addr("10.0.2.2"),
			     .target = addr("10.0.2.100")};

	memcpy(arp.sender_mac, ours, 6);
	memcpy(arp.target_mac, theirs, 6);
	hv_wire_arp_write(p, &arp);
}

static void arp_reads_what_was_written(void **state)
{
	static const uint8_t expected[28] = {0,	 1, 8, 0, 6, 4, 0, 2, 2, 0, 0,	0, 0, 1,
					     10, 0, 2, 2, 2, 0, 0, 0, 0, 2, 10, 0, 2, 100};
	struct hv_arp out;
	uint8_t p[28];

	(void)state;
	arp_write(p);
	assert_memory_equal(p, expected, 28);
	assert_true(hv_wire_arp_parse(p, 28, &out));
	assert_int_equal(out.operation, HV_ARP_REPLY);
	assert_memory_equal(out.sender_mac, ours, 6);
	assert_memory_equal(out.target_mac, theirs, 6);
	assert_int_equal(out.sender.b[15], 2);
	assert_int_equal(out.target.b[15], 100);
}

static void arp_refuses_what_is_not_for_ethernet_and_ipv4(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
	} changes[] = {{1, 6}, {2, 0x86}, {4, 8}, {5, 16}, {7, 0}, {7, 3}, {6, 1}, {8, 1}};
	struct hv_arp out;
	uint8_t p[28];

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(changes); i++) {
		arp_write(p);
		p[changes[i].at] = changes[i].value;
		assert_false(hv_wire_arp_parse(p, 28, &out));
	}
	arp_write(p);
	assert_false(hv_wire_arp_parse(p, 27, &out));
	memset(p + 8, 0, 6);
	assert_false(hv_wire_arp_parse(p, 28, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ethernet_reads_what_was_written),
		cmocka_unit_test(ethernet_address_kinds),
		cmocka_unit_test(groups_have_their_addresses),
		cmocka_unit_test(arp_reads_what_was_written),
		cmocka_unit_test(arp_refuses_what_is_not_for_ethernet_and_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
