/* What the guest's resolv.conf says. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "gateway/guest_resolv.h"

static void compose(const char *host, char *text, size_t size)
{
	struct hv_guest_options options;
	size_t length;

	hv_guest_options_init(&options);
	length = hv_resolv_compose(&options, host, text, size);
	assert_int_equal(length, strlen(text));
}

static void test_names_the_gateway(void **state)
{
	char text[HV_RESOLV_SIZE];

	(void)state;
	compose("", text, sizeof(text));
	assert_string_equal(text, "nameserver 10.0.2.3\nnameserver fd00::3\n");
}

static void test_keeps_what_is_not_a_server(void **state)
{
	char text[HV_RESOLV_SIZE];

	(void)state;
	compose("# comment\nnameserver 192.0.2.1\nsearch a.test b.test\n\ndomain\tc.test\n"
		"nameserver ::1\noptions edns0 trust-ad\nsearching x\nsortlist 192.0.2.0\n",
		text, sizeof(text));
	assert_string_equal(text,
			    "nameserver 10.0.2.3\nnameserver fd00::3\nsearch a.test b.test\n"
			    "domain\tc.test\noptions edns0 trust-ad\nsortlist 192.0.2.0\n");
}

static void test_ends_each_line(void **state)
{
	char text[HV_RESOLV_SIZE];

	(void)state;
	compose("search a.test", text, sizeof(text));
	assert_string_equal(text, "nameserver 10.0.2.3\nnameserver fd00::3\nsearch a.test\n");
}

static void test_never_cuts_a_line(void **state)
{
	char text[64];

	(void)state;
	/* 20 + 19 bytes of servers; the first line does not fit any more, the second does. */
	compose("search this.is.too.long.for.what.is.left.test\nsearch a.test\n", text,
		sizeof(text));
	assert_string_equal(text, "nameserver 10.0.2.3\nnameserver fd00::3\nsearch a.test\n");
	for (size_t size = 1; size < sizeof(text); size++) {
		compose("search a.test\n", text, size);
		assert_true(strlen(text) < size);
		assert_true(text[0] == '\0' || text[strlen(text) - 1] == '\n');
	}
}

static void test_lists_each_server(void **state)
{
	struct hv_guest_options options;
	char text[HV_RESOLV_SIZE];

	(void)state;
	hv_guest_options_init(&options);
	options.dns4[1].s_addr = htonl(0xc0000201);
	options.dns4_count = 2;
	options.dns6_count = 0;
	hv_resolv_compose(&options, "", text, sizeof(text));
	assert_string_equal(text, "nameserver 10.0.2.3\nnameserver 192.0.2.1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_the_gateway),
		cmocka_unit_test(test_keeps_what_is_not_a_server),
		cmocka_unit_test(test_ends_each_line),
		cmocka_unit_test(test_never_cuts_a_line),
		cmocka_unit_test(test_lists_each_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
