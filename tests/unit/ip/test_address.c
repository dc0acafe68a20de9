/* src/ip/address.c: our addresses, groups, and which one to send from. */
#include "fixture.h"

static int add(const char *text, unsigned bits)
{
	struct hv_addr addr = ip(text);

	return hv_ip_address_add(&f.ip, 1, &addr, bits);
}

static enum hv_ip_scope scope(const char *text)
{
	struct hv_addr addr = ip(text);

	return hv_ip_scope(&f.ip, &f.link, &addr);
}

static const char *source(const char *text)
{
	static char buffer[64];
	struct hv_addr dst = ip(text), src;
	int error = hv_ip_source(&f.ip, &dst, &src);

	if (error)
		return strerror(-error);
	return hv_addr_text(&src, buffer, sizeof(buffer));
}

static void refuses_what_is_no_address(void **state)
{
	struct hv_addr addr = ip("10.0.3.1");

	(void)state;
	assert_int_equal(add("0.0.0.0", 24), -EINVAL);
	assert_int_equal(add("224.0.0.1", 24), -EINVAL);
	assert_int_equal(add("255.255.255.255", 32), -EINVAL);
	assert_int_equal(add("10.0.3.1", 33), -EINVAL);
	assert_int_equal(add("fd00::9", 129), -EINVAL);
	assert_int_equal(add("10.0.2.2", 24), -EADDRINUSE);
	assert_int_equal(hv_ip_address_add(&f.ip, 2, &addr, 24), -ENOENT);
	assert_int_equal(hv_ip_address_add(&f.ip, 0, &addr, 24), -ENOENT);
}

static void has_a_limit(void **state)
{
	char text[32];
	int error = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < 100 && !error; i++) {
		snprintf(text, sizeof(text), "10.1.0.%u", i + 1);
		error = add(text, 16); /* one network: the routes do not run out first */
	}
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(f.ip.address_count, HV_IP_MAX_ADDRESSES);
}

static void makes_a_link_local_address(void **state)
{
	struct hv_addr expected = ip("fe80::ff:fe00:1");

	(void)state;
	assert_non_null(hv_ip_link_local(&f.ip, &f.link));
	assert_true(hv_addr_equal(&hv_ip_link_local(&f.ip, &f.link)->addr, &expected));
	assert_int_equal(add("fd01::2", 64), 0);
	assert_int_equal(f.ip.address_count, 4); /* no second one */
}

static void knows_groups(void **state)
{
	(void)state;
	assert_int_equal(scope("10.0.2.2"), HV_IP_SCOPE_OURS);
	assert_int_equal(scope("10.0.2.3"), HV_IP_SCOPE_ELSEWHERE);
	assert_int_equal(scope("10.0.2.255"), HV_IP_SCOPE_GROUP);
	assert_int_equal(scope("255.255.255.255"), HV_IP_SCOPE_GROUP);
	assert_int_equal(scope("224.0.0.1"), HV_IP_SCOPE_GROUP);
	assert_int_equal(scope("224.0.0.251"), HV_IP_SCOPE_OTHER_GROUP);
	assert_int_equal(scope("ff02::1"), HV_IP_SCOPE_GROUP);
	assert_int_equal(scope("ff02::2"), HV_IP_SCOPE_OTHER_GROUP);
	assert_int_equal(scope("ff02::1:ff00:2"), HV_IP_SCOPE_GROUP);
	assert_int_equal(scope("ff02::1:ff00:3"), HV_IP_SCOPE_OTHER_GROUP);
	f.ip.config.router = true;
	assert_int_equal(scope("ff02::2"), HV_IP_SCOPE_GROUP);
}

static void a_point_to_point_prefix_has_no_broadcast(void **state)
{
	(void)state;
	assert_int_equal(add("192.0.2.4", 31), 0);
	assert_int_equal(scope("192.0.2.5"), HV_IP_SCOPE_ELSEWHERE);
	assert_int_equal(add("192.0.2.8", 32), 0);
	assert_int_equal(scope("192.0.2.9"), HV_IP_SCOPE_ELSEWHERE);
}

static void chooses_the_source(void **state)
{
	struct hv_addr any4 = ip("0.0.0.0"), any6 = ip("::"), gateway4 = ip("10.0.2.1");

	(void)state;
	assert_int_equal(add("10.0.7.2", 24), 0);
	assert_int_equal(add("fd07::2", 64), 0);
	assert_string_equal(source("10.0.2.9"), "10.0.2.2");
	assert_string_equal(source("10.0.7.9"), "10.0.7.2");
	assert_string_equal(source("10.0.7.2"), "10.0.7.2"); /* our own: rule 1 */
	assert_string_equal(source("fd00::9"), "fd00::2");
	assert_string_equal(source("fd07::9"), "fd07::2");
	assert_string_equal(source("fe80::9"), "fe80::ff:fe00:1");
	assert_string_equal(source("8.8.8.8"), strerror(ENETUNREACH));
	assert_string_equal(source("2001:db8::1"), strerror(ENETUNREACH));
	assert_int_equal(hv_ip_route_add(&f.ip, 1, &any4, 0, &gateway4), 0);
	assert_int_equal(hv_ip_route_add(&f.ip, 1, &any6, 0, NULL), 0);
	assert_string_equal(source("8.8.8.8"), "10.0.2.2");
	/* Not link-local for the world: rule 2. */
	assert_string_equal(source("2001:db8::1"), "fd00::2");
}

static void says_when_there_is_no_source(void **state)
{
	struct hv_addr any = ip("0.0.0.0");

	(void)state;
	f.ip.address_count = 0;
	assert_int_equal(hv_ip_route_add(&f.ip, 1, &any, 0, NULL), 0);
	assert_string_equal(source("8.8.8.8"), strerror(EADDRNOTAVAIL));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(refuses_what_is_no_address),
		FIXTURE_TEST(has_a_limit),
		FIXTURE_TEST(makes_a_link_local_address),
		FIXTURE_TEST(knows_groups),
		FIXTURE_TEST(a_point_to_point_prefix_has_no_broadcast),
		FIXTURE_TEST(chooses_the_source),
		FIXTURE_TEST(says_when_there_is_no_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
