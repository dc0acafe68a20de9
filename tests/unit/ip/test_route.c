/* src/ip/route.c: longest prefix, families apart, the cache of paths. */
#include "fixture.h"

static int add(const char *dst_text, unsigned bits, const char *gateway_text)
{
	struct hv_addr dst = ip(dst_text), gateway;

	if (gateway_text)
		gateway = ip(gateway_text);
	return hv_ip_route_add(&f.ip, 1, &dst, bits, gateway_text ? &gateway : NULL);
}

static const char *next_hop(const char *text)
{
	static char buffer[64];
	struct hv_addr dst = ip(text);
	struct hv_ip_path *path = hv_ip_path(&f.ip, &dst);

	return path ? hv_addr_text(&path->next_hop, buffer, sizeof(buffer)) : "none";
}

static void refuses_nonsense(void **state)
{
	struct hv_addr any = ip("0.0.0.0");

	(void)state;
	assert_int_equal(add("10.0.0.0", 33, NULL), -EINVAL);
	assert_int_equal(add("10.0.0.0", 8, "fd00::1"), -EINVAL);
	assert_int_equal(add("10.0.0.0", 8, "0.0.0.0"), -EINVAL);
	assert_int_equal(add("10.0.0.0", 8, "224.0.0.1"), -EINVAL);
	assert_int_equal(hv_ip_route_add(&f.ip, 9, &any, 0, NULL), -ENOENT);
	assert_int_equal(add("10.0.0.0", 8, "10.0.2.1"), 0);
	assert_int_equal(add("10.99.0.0", 8, "10.0.2.1"),
			 -EADDRINUSE); /* host bits do not count */
}

static void longest_prefix_wins(void **state)
{
	(void)state;
	assert_string_equal(next_hop("10.9.9.9"), "none");
	assert_int_equal(add("0.0.0.0", 0, "10.0.2.1"), 0);
	assert_int_equal(add("10.9.9.0", 24, "10.0.2.4"), 0);
	assert_int_equal(add("10.0.0.0", 8, "10.0.2.3"), 0);
	assert_int_equal(add("10.9.9.9", 32, "10.0.2.5"), 0);
	assert_string_equal(next_hop("10.9.9.9"), "10.0.2.5");
	assert_string_equal(next_hop("10.9.9.8"), "10.0.2.4");
	assert_string_equal(next_hop("10.9.8.8"), "10.0.2.3");
	assert_string_equal(next_hop("11.9.8.8"), "10.0.2.1");
	assert_string_equal(next_hop("10.0.2.77"), "10.0.2.77"); /* on the link */
}

static void families_do_not_mix(void **state)
{
	(void)state;
	assert_int_equal(add("::", 0, "fd00::1"), 0);
	assert_string_equal(next_hop("2001:db8::1"), "fd00::1");
	assert_string_equal(next_hop("8.8.8.8"), "none");
	assert_int_equal(add("0.0.0.0", 0, "10.0.2.1"), 0);
	assert_string_equal(next_hop("8.8.8.8"), "10.0.2.1");
}

static void a_new_route_changes_known_paths(void **state)
{
	(void)state;
	assert_int_equal(add("0.0.0.0", 0, "10.0.2.1"), 0);
	assert_string_equal(next_hop("8.8.8.8"), "10.0.2.1");
	assert_int_equal(add("8.8.0.0", 16, "10.0.2.3"), 0);
	assert_string_equal(next_hop("8.8.8.8"), "10.0.2.3");
}

static void the_cache_tells_destinations_apart(void **state)
{
	char text[32], expected[32];

	(void)state;
	for (unsigned i = 1; i < 60; i++) {
		snprintf(text, sizeof(text), "10.1.%u.0", i);
		snprintf(expected, sizeof(expected), "10.0.2.%u", i);
		if (i != 2)
			assert_int_equal(add(text, 24, expected), 0);
	}
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 3; i < 60; i++) {
			snprintf(text, sizeof(text), "10.1.%u.7", i);
			snprintf(expected, sizeof(expected), "10.0.2.%u", i);
			assert_string_equal(next_hop(text), expected);
		}
}

static void has_a_limit(void **state)
{
	char text[32];
	int error = 0;

	(void)state;
	for (unsigned i = 0; i < 100 && !error; i++) {
		snprintf(text, sizeof(text), "10.1.%u.0", i);
		error = add(text, 24, NULL);
	}
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(f.ip.route_count, HV_IP_MAX_ROUTES);
}

static void generations_wrap(void **state)
{
	(void)state;
	assert_int_equal(add("0.0.0.0", 0, "10.0.2.1"), 0);
	assert_string_equal(next_hop("8.8.8.8"), "10.0.2.1");
	f.ip.generation = UINT32_MAX;
	hv_ip_paths_changed(&f.ip);
	assert_int_not_equal(f.ip.generation, 0);
	assert_string_equal(next_hop("8.8.8.8"), "10.0.2.1");
}

static void tells_mtu_and_busy(void **state)
{
	struct hv_addr near = ip("10.0.2.9"), own = ip("10.0.2.2"), far = ip("8.8.8.8");
	struct hv_packet *packet = hv_packet_new(&f.core, 0, 10);

	(void)state;
	assert_int_equal(hv_ip_mtu(&f.ip, &near), 1500);
	assert_int_equal(hv_ip_mtu(&f.ip, &own), 65535);
	assert_int_equal(hv_ip_mtu(&f.ip, &far), 0);
	assert_false(hv_ip_is_busy(&f.ip, &near));
	hv_packet_queue_push(&f.link.blocked, packet);
	assert_true(hv_ip_is_busy(&f.ip, &near));
	assert_false(hv_ip_is_busy(&f.ip, &own));
	assert_false(hv_ip_is_busy(&f.ip, &far));
	hv_packet_queue_clear(&f.core, &f.link.blocked);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(refuses_nonsense),
		FIXTURE_TEST(longest_prefix_wins),
		FIXTURE_TEST(families_do_not_mix),
		FIXTURE_TEST(a_new_route_changes_known_paths),
		FIXTURE_TEST(the_cache_tells_destinations_apart),
		FIXTURE_TEST(has_a_limit),
		FIXTURE_TEST(generations_wrap),
		FIXTURE_TEST(tells_mtu_and_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
