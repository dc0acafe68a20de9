/* /etc/hosts. */
#include <stdio.h>
#include <string.h>

#include "cli/hosts.h"
#include "gateway/address.h"
#include "support/test.h"

static const char text[] = "127.0.0.1\tlocalhost\n"
			   "# 192.0.2.9 commented.test\n"
			   "  192.0.2.1   one.test alias.test # and.not this\r\n"
			   "::1 localhost ip6-localhost\n"
			   "\n"
			   "no-address one.test\n"
			   "192.0.2.1 One.Test\n"
			   "2001:db8::1 one.test\n"
			   "192.0.2.3 last.test";

/* Addresses of a name, with blanks between. */
static const char *find(const char *name)
{
	static char out[HV_HOSTS_MAX * HV_ENDPOINT_TEXT];
	uint8_t addresses[HV_HOSTS_MAX][16];
	unsigned count = hv_hosts_find(text, strlen(text), name, addresses);
	char one[HV_ENDPOINT_TEXT];
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < count; i++)
		used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%s", i ? " " : "",
					 hv_address_text(addresses[i], one));
	return out;
}

static void names_are_found(void **state)
{
	(void)state;
	assert_string_equal(find("localhost"), "127.0.0.1 ::1");
	assert_string_equal(find("one.test"), "192.0.2.1 2001:db8::1");
	assert_string_equal(find("alias.test"), "192.0.2.1");
	assert_string_equal(find("last.test"), "192.0.2.3");
	assert_string_equal(find("commented.test"), "");
	assert_string_equal(find("and.not"), "");
	assert_string_equal(find("one"), "");
	assert_string_equal(find("192.0.2.1"), "");
}

static void no_more_than_there_is_room_for(void **state)
{
	uint8_t addresses[HV_HOSTS_MAX][16];
	char many[100 * 24] = "";
	size_t used = 0;

	(void)state;
	for (int i = 1; i < 100; i++)
		used += (size_t)snprintf(many + used, sizeof(many) - used,
					 "192.0.2.%d a.test\n", i);
	assert_int_equal(hv_hosts_find(many, strlen(many), "a.test", addresses), HV_HOSTS_MAX);
	assert_int_equal(hv_hosts_find(many, 0, "a.test", addresses), 0);
	assert_int_equal(hv_hosts_lookup("/nonexistent/hosts", "a.test", addresses), 0);
}

static void localhost_is_a_domain(void **state)
{
	(void)state;
	assert_true(hv_hosts_is_localhost("localhost"));
	assert_true(hv_hosts_is_localhost("a.localhost"));
	assert_false(hv_hosts_is_localhost(".localhost"));
	assert_false(hv_hosts_is_localhost("notlocalhost"));
	assert_false(hv_hosts_is_localhost("localhost.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(no_more_than_there_is_room_for),
		cmocka_unit_test(localhost_is_a_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
