/* The pure parts of the wire: what options are refused, prefixes, link-local addresses. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "gateway/device.h"
#include "gateway/netns.h"

static struct hv_guest_network defaults(void)
{
	struct hv_guest_options options;

	hv_guest_options_init(&options);
	return options.network;
}

static void test_defaults(void **state)
{
	struct hv_guest_network network = defaults();
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_null(hv_device_check(&network));
	assert_int_equal(network.mtu, 65520);
	assert_string_equal(inet_ntop(AF_INET, &network.ipv4.address, text, sizeof(text)),
			    "10.0.2.100");
	assert_string_equal(inet_ntop(AF_INET6, &network.ipv6.gateway, text, sizeof(text)),
			    "fd00::2");
}

static void test_mtu_limits(void **state)
{
	struct hv_guest_network network = defaults();

	(void)state;
	network.mtu = 65521;
	assert_null(hv_device_check(&network));
	network.mtu = 65522;
	assert_non_null(hv_device_check(&network));
	network.mtu = 1280;
	assert_null(hv_device_check(&network));
	network.mtu = 1279;
	assert_non_null(hv_device_check(&network));
	network.ipv6.enabled = false;
	assert_null(hv_device_check(&network));
	network.mtu = 68;
	assert_null(hv_device_check(&network));
	network.mtu = 67;
	assert_non_null(hv_device_check(&network));
}

static void test_refuses_what_no_kernel_takes(void **state)
{
	struct hv_guest_network network = defaults();

	(void)state;
	network.mac[0] = 0x01;
	assert_non_null(hv_device_check(&network));
	network = defaults();
	network.ipv4.prefix = 33;
	assert_non_null(hv_device_check(&network));
	network = defaults();
	network.ipv6.prefix = 129;
	assert_non_null(hv_device_check(&network));
	network = defaults();
	network.ipv4.enabled = network.ipv6.enabled = false;
	assert_non_null(hv_device_check(&network));
	network = defaults();
	strcpy(network.ifname, "../x");
	assert_non_null(hv_device_check(&network));
}

static void test_same_prefix(void **state)
{
	const uint8_t a[4] = {10, 0, 2, 100}, b[4] = {10, 0, 2, 2}, c[4] = {10, 0, 3, 2};

	(void)state;
	assert_true(hv_device_same_prefix(a, b, 4, 24));
	assert_true(hv_device_same_prefix(a, b, 4, 25));
	assert_false(hv_device_same_prefix(a, b, 4, 26));
	assert_false(hv_device_same_prefix(a, b, 4, 32));
	assert_true(hv_device_same_prefix(a, a, 4, 32));
	assert_false(hv_device_same_prefix(a, c, 4, 24));
	assert_true(hv_device_same_prefix(a, c, 4, 23));
	assert_true(hv_device_same_prefix(a, c, 4, 0));
}

static void test_link_local(void **state)
{
	const uint8_t mac[6] = {0x02, 0x68, 0x76, 0x6e, 0x00, 0x64};
	struct in6_addr address = hv_device_link_local(mac);
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_string_equal(inet_ntop(AF_INET6, &address, text, sizeof(text)),
			    "fe80::68:76ff:fe6e:64");
}

static void test_process_in_a_path(void **state)
{
	(void)state;
	assert_int_equal(hv_netns_path_pid("/proc/17/ns/net"), 17);
	assert_int_equal(hv_netns_path_pid("/proc/self/ns/net"), 0);
	assert_int_equal(hv_netns_path_pid("/proc/17/ns/mnt"), 0);
	assert_int_equal(hv_netns_path_pid("/proc/17/ns/net/x"), 0);
	assert_int_equal(hv_netns_path_pid("/proc/-1/ns/net"), 0);
	assert_int_equal(hv_netns_path_pid("/proc/99999999999/ns/net"), 0);
	assert_int_equal(hv_netns_path_pid("/run/netns/17"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_mtu_limits),
		cmocka_unit_test(test_refuses_what_no_kernel_takes),
		cmocka_unit_test(test_same_prefix),
		cmocka_unit_test(test_link_local),
		cmocka_unit_test(test_process_in_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
