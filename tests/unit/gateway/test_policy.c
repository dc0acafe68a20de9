/* Which destinations are the host's, and which are none; which sources the guest may be shown. */
#include "gateway/policy_address.h"
#include "support/test.h"

static void address(uint8_t out[16], const char *text)
{
	assert_true(hv_address_parse(text, out));
}

static struct hv_network usual(void)
{
	struct hv_network network = {
		.v4 = {.enabled = true, .prefix = 24, .has_dns = true},
		.v6 = {.enabled = true, .prefix = 64, .has_dns = true},
	};

	address(network.v4.guest, "10.0.2.100");
	address(network.v4.gateway, "10.0.2.2");
	address(network.v4.dns, "10.0.2.3");
	address(network.v6.guest, "fd00::100");
	address(network.v6.gateway, "fd00::2");
	address(network.v6.dns, "fd00::3");
	return network;
}

static enum hv_destination go(const struct hv_network *network, const char *text, uint16_t port,
			      struct haven_endpoint *host)
{
	struct haven_endpoint destination = {.port = port};

	address(destination.address, text);
	return hv_policy_destination(network, &destination, host);
}

static void destinations(void **state)
{
	static const struct {
		const char *address;
		uint16_t port;
		enum hv_destination destination;
	} cases[] = {
		{"192.0.2.1", 80, HV_DESTINATION_HOST},
		{"10.0.2.7", 80, HV_DESTINATION_HOST},
		{"169.254.1.1", 80, HV_DESTINATION_HOST},
		{"2001:db8::1", 80, HV_DESTINATION_HOST},
		{"10.0.2.3", 53, HV_DESTINATION_DNS},
		{"fd00::3", 53, HV_DESTINATION_DNS},
		{"10.0.2.3", 54, HV_DESTINATION_REFUSED},
		{"10.0.2.2", 53, HV_DESTINATION_REFUSED},
		{"fd00::2", 22, HV_DESTINATION_REFUSED},
		{"127.0.0.1", 80, HV_DESTINATION_UNREACHABLE},
		{"127.255.255.255", 80, HV_DESTINATION_UNREACHABLE},
		{"::1", 80, HV_DESTINATION_UNREACHABLE},
		{"0.0.0.0", 80, HV_DESTINATION_UNREACHABLE},
		{"0.1.2.3", 80, HV_DESTINATION_UNREACHABLE},
		{"::", 80, HV_DESTINATION_UNREACHABLE},
		{"fe80::1", 80, HV_DESTINATION_UNREACHABLE},
		{"febf::1", 80, HV_DESTINATION_UNREACHABLE},
		{"224.0.0.251", 5353, HV_DESTINATION_IGNORED},
		{"255.255.255.255", 67, HV_DESTINATION_IGNORED},
		{"ff02::fb", 5353, HV_DESTINATION_IGNORED},
		/* v4-mapped is IPv4, whatever packet it came in */
		{"::ffff:127.0.0.1", 80, HV_DESTINATION_UNREACHABLE},
	};
	struct hv_network network = usual();
	struct haven_endpoint host;

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++)
		assert_int_equal(go(&network, cases[i].address, cases[i].port, &host),
				 cases[i].destination);
}

static void loopback_is_mapped_when_asked(void **state)
{
	struct hv_network network = usual();
	struct haven_endpoint host, seen;
	uint8_t loopback[16];

	(void)state;
	network.v4.has_host_loopback = true;
	address(network.v4.host_loopback, "10.0.2.2");
	assert_int_equal(go(&network, "10.0.2.2", 80, &host), HV_DESTINATION_HOST);
	address(loopback, "127.0.0.1");
	assert_memory_equal(host.address, loopback, 16);
	assert_int_equal(host.port, 80);
	hv_policy_source(&network, &host, &seen);
	assert_memory_equal(seen.address, network.v4.host_loopback, 16);
	/* Another loopback address of the host. */
	address(network.v4.host_loopback_is, "127.0.0.53");
	assert_int_equal(go(&network, "10.0.2.2", 80, &host), HV_DESTINATION_HOST);
	assert_memory_equal(host.address, network.v4.host_loopback_is, 16);
	hv_policy_source(&network, &host, &seen);
	assert_memory_equal(seen.address, network.v4.host_loopback, 16);
	/* The other family's loopback stays out of reach. */
	assert_int_equal(go(&network, "fd00::2", 80, &host), HV_DESTINATION_REFUSED);
}

static void sources_that_come_back(void **state)
{
	static const char *const kept[] = {"192.0.2.1", "10.0.3.1", "2001:db8::1", "fd01::1"};
	static const char *const replaced[] = {"127.0.0.1", "10.0.2.50",      "10.0.2.100",
					       "::1",	    "fe80::1",	      "fd00::77",
					       "0.0.0.0",   "255.255.255.255"};
	struct hv_network network = usual();
	uint8_t peer[16];

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(kept); i++) {
		address(peer, kept[i]);
		assert_true(hv_policy_keeps_source(&network, peer));
	}
	for (unsigned i = 0; i < TEST_COUNT(replaced); i++) {
		address(peer, replaced[i]);
		assert_false(hv_policy_keeps_source(&network, peer));
	}
	network.v6.enabled = false;
	address(peer, "2001:db8::1");
	assert_false(hv_policy_keeps_source(&network, peer));
}

static void endpoint_as_text(void **state)
{
	struct haven_endpoint endpoint = {.port = 65535};
	char text[HV_ENDPOINT_TEXT];

	(void)state;
	address(endpoint.address, "255.255.255.255");
	assert_string_equal(hv_endpoint_text(&endpoint, text), "255.255.255.255:65535");
	address(endpoint.address, "2001:db8:1111:2222:3333:4444:5555:6666");
	assert_string_equal(hv_endpoint_text(&endpoint, text),
			    "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations),
		cmocka_unit_test(loopback_is_mapped_when_asked),
		cmocka_unit_test(sources_that_come_back),
		cmocka_unit_test(endpoint_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
