/* Where 'haven connect' goes to: hosts and ports of the guest's network, and what is none. */
#include <string.h>

#include "gateway/connect_target.h"
#include "support/test.h"

static void address(const char *text, uint8_t out[16])
{
	assert_true(hv_address_parse(text, out));
}

static struct hv_network network_of(bool v4, bool v6)
{
	struct hv_network network = {0};

	network.v4.enabled = v4;
	network.v4.prefix = 24;
	address("10.0.2.100", network.v4.guest);
	address("10.0.2.2", network.v4.gateway);
	network.v4.has_dns = true;
	address("10.0.2.3", network.v4.dns);
	network.v4.has_host_loopback = true;
	address("10.0.2.4", network.v4.host_loopback);
	network.v6.enabled = v6;
	network.v6.prefix = 64;
	address("fd00::100", network.v6.guest);
	address("fd00::2", network.v6.gateway);
	return network;
}

static void what_is_of_the_network_is_found(void **state)
{
	static const struct {
		const char *text, *endpoint;
		bool any_family;
	} cases[] = {
		{"localhost:22", "10.0.2.100:22", true},
		{"guest:ssh", "10.0.2.100:22", true},
		{"LOCALHOST:65535", "10.0.2.100:65535", true},
		{":80", "10.0.2.100:80", true},
		{"10.0.2.100:1", "10.0.2.100:1", false},
		{"127.0.0.1:22", "10.0.2.100:22", false},
		{"127.1.2.3:22", "10.0.2.100:22", false},
		{"[::1]:22", "[fd00::100]:22", false},
		{"[fd00::100]:https", "[fd00::100]:443", false},
		{"10.0.2.77:22", "10.0.2.77:22", false},
		{"[fd00::77]:22", "[fd00::77]:22", false},
		{"[10.0.2.100]:22", "10.0.2.100:22", false},
	};
	struct hv_network network = network_of(true, true);

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(cases); i++) {
		struct hv_connect_target target;
		char error[256] = "", text[HV_ENDPOINT_TEXT];

		if (!hv_connect_target_parse(cases[i].text, &network, &target, error,
					     sizeof(error)))
			fail_msg("%s: %s", cases[i].text, error);
		assert_string_equal(hv_endpoint_text(&target.endpoint, text),
				    cases[i].endpoint);
		assert_int_equal(target.any_family, cases[i].any_family);
	}
}

static void what_is_not_is_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "no HOST:PORT"},
		{"localhost", "no HOST:PORT"},
		{"localhost:", "no port"},
		{"localhost:0", "no port"},
		{"localhost:65536", "no port"},
		{"localhost:22-23", "no port"},
		{"localhost:53/udp", "port"},
		{"localhost:sssh", "did you mean"},
		{"fd00::100:22", "brackets"},
		{"[fd00::100:22", "brackets"},
		{"example.org:80", "say 'localhost'"},
		{"10.0.3.1:80", "not in the guest's network (10.0.2.100/24 and fd00::100/64)"},
		{"[fd01::1]:80", "not in the guest's network"},
		{"[fe80::1]:80", "not in the guest's network"},
		{"224.0.0.1:80", "not in the guest's network"},
		{"0.0.0.0:80", "not in the guest's network"},
		{"10.0.2.2:53", "haven's own end"},
		{"10.0.2.3:53", "haven's own end"},
		{"10.0.2.4:80", "haven's own end"},
		{"[fd00::2]:80", "haven's own end"},
	};
	struct hv_network network = network_of(true, true);
	struct hv_connect_target target;
	char error[256], text[300];

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(cases); i++) {
		error[0] = '\0';
		assert_false(hv_connect_target_parse(cases[i].text, &network, &target, error,
						     sizeof(error)));
		if (!strstr(error, cases[i].error))
			fail_msg("%s: %s", cases[i].text, error);
	}
	memset(text, 'a', sizeof(text));
	memcpy(text + sizeof(text) - 4, ":22", 4);
	assert_false(hv_connect_target_parse(text, &network, &target, error, sizeof(error)));
}

static void a_family_may_be_missing(void **state)
{
	struct hv_network network = network_of(false, true);
	struct hv_connect_target target;
	char error[256], text[HV_ENDPOINT_TEXT];

	(void)state;
	assert_true(hv_connect_target_parse("localhost:22", &network, &target, error,
					    sizeof(error)));
	assert_string_equal(hv_endpoint_text(&target.endpoint, text), "[fd00::100]:22");
	assert_false(hv_connect_target_parse("10.0.2.100:22", &network, &target, error,
					     sizeof(error)));
	assert_string_equal(error, "the guest has no IPv4");
	assert_false(hv_connect_target_parse("127.0.0.1:22", &network, &target, error,
					     sizeof(error)));
	assert_string_equal(error, "the guest has no IPv4");
	network = network_of(true, false);
	assert_false(
		hv_connect_target_parse("[::1]:22", &network, &target, error, sizeof(error)));
	assert_string_equal(error, "the guest has no IPv6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_of_the_network_is_found),
		cmocka_unit_test(what_is_not_is_refused),
		cmocka_unit_test(a_family_may_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
