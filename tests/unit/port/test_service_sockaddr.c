/* Socket addresses as people type them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <haven/service.h>

#include "support/test.h"

static void what_is_taken(void **state)
{
	static const struct {
		const char *text;
		int family;
		const char *address;
		uint32_t zone;
		uint16_t port;
		unsigned protocols;
	} cases[] = {
		{"10.0.2.2:https", AF_INET, "10.0.2.2", 0, 443, HAVEN_SERVICE_TCP},
		{"10.0.2.2:443", AF_INET, "10.0.2.2", 0, 443, 0},
		{"10.0.2.2:DOMAIN", AF_INET, "10.0.2.2", 0, 53, HAVEN_SERVICE_UDP},
		{":8080", AF_INET, "0.0.0.0", 0, 8080, HAVEN_SERVICE_TCP},
		{":http", AF_INET, "0.0.0.0", 0, 80, HAVEN_SERVICE_TCP},
		{"255.255.255.255:65535", AF_INET, "255.255.255.255", 0, 65535, 0},
		{"127.0.0.1:0", AF_INET, "127.0.0.1", 0, 0, 0},
		{"[fd00::1]:53", AF_INET6, "fd00::1", 0, 53, HAVEN_SERVICE_UDP},
		{"[::]:ssh", AF_INET6, "::", 0, 22, HAVEN_SERVICE_TCP},
		{"[fe80::1%3]:http", AF_INET6, "fe80::1", 3, 80, HAVEN_SERVICE_TCP},
		{"[fe80::1%4294967295]:1", AF_INET6, "fe80::1", UINT32_MAX, 1, 0},
		{"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%4294967295]:1", AF_INET6,
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UINT32_MAX, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(cases); i++) {
		struct sockaddr_storage out;
		const struct sockaddr_in *in = (const struct sockaddr_in *)&out;
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&out;
		socklen_t length = 0;
		char text[INET6_ADDRSTRLEN];
		bool v4 = cases[i].family == AF_INET;
		int error = haven_sockaddr_parse(NULL, cases[i].text, cases[i].protocols, &out,
						 &length);

		if (error < 0)
			fail_msg("%s: %s", cases[i].text, haven_errname(error));
		assert_int_equal(out.ss_family, cases[i].family);
		assert_int_equal(length, v4 ? sizeof(*in) : sizeof(*in6));
		assert_int_equal(ntohs(v4 ? in->sin_port : in6->sin6_port), cases[i].port);
		inet_ntop(cases[i].family,
			  v4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr,
			  text, sizeof(text));
		assert_string_equal(text, cases[i].address);
		if (!v4)
			assert_int_equal(in6->sin6_scope_id, cases[i].zone);
	}
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"", -EINVAL},
		{":", -EINVAL},
		{"10.0.2.2", -EINVAL},
		{"10.0.2.2:", -EINVAL},
		{"443", -EINVAL},
		{"example.org:443", -EINVAL}, /* no DNS here */
		{"10.0.2:80", -EINVAL},
		{"10.0.2.256:80", -EINVAL},
		{"*:80", -EINVAL},
		{"[]:80", -EINVAL},
		{"[:80", -EINVAL},
		{"]:80", -EINVAL},
		{"[10.0.2.2]:80", -EINVAL},
		{"fd00::1:80", -EINVAL},
		{"[fd00::1]", -EINVAL},
		{"[fd00::1]80", -EINVAL},
		{"[fd00::1]:", -EINVAL},
		{"[fe80::1%]:80", -EINVAL},
		{"[fe80::1%eth0]:80", -EINVAL},
		{"[fe80::1%4294967296]:80", -EINVAL},
		{"[fe80::1%1%2]:80", -EINVAL},
		{"10.0.2.2:80 ", -EINVAL},
		{" 10.0.2.2:80", -EINVAL},
		{"10.0.2.2:-1", -EINVAL},
		{"10.0.2.2:+1", -EINVAL},
		{"10.0.2.2:80/tcp", -EINVAL},
		{"10.0.2.2:65536", -ERANGE},
		{"[fd00::1]:99999999999999999999", -ERANGE},
		{"10.0.2.2:no-such-service", -ENOENT},
		{"10.0.2.2:biff", -ENOENT}, /* UDP's */
		{"10.0.2.2:6000-6063", -ENOTUNIQ},
		{"10.0.2.2:x11", -ENOTUNIQ},
		{"10.0.2.2:http-alt", -ENOTUNIQ},
	};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(cases); i++) {
		struct sockaddr_storage out, before;
		socklen_t length = 7;
		int error;

		memset(&before, 0x5a, sizeof(before));
		out = before;
		error = haven_sockaddr_parse(NULL, cases[i].text, HAVEN_SERVICE_TCP, &out,
					     &length);
		if (error != cases[i].error)
			fail_msg("%s: %s", cases[i].text, haven_errname(error));
		assert_memory_equal(&out, &before, sizeof(out));
		assert_int_equal(length, 7);
	}
}

static void long_texts_are_refused(void **state)
{
	struct sockaddr_storage out;
	socklen_t length;
	char text[400];

	(void)state;
	for (size_t size = 1; size < sizeof(text) - 4; size++) {
		memset(text, '1', size);
		memcpy(text + size, ":80", sizeof(":80"));
		assert_int_equal(haven_sockaddr_parse(NULL, text, 0, &out, &length), -EINVAL);
		text[0] = '[';
		text[size - 1] = ']';
		assert_int_equal(haven_sockaddr_parse(NULL, text, 0, &out, &length), -EINVAL);
	}
}

static void the_overlay_counts(void **state)
{
	static const char file[] = "our-app 4711/tcp\n";
	struct sockaddr_storage out;
	struct haven_services *overlay;
	struct haven_env env;
	socklen_t length;

	(void)state;
	haven_env_default(&env);
	assert_int_equal(haven_services_parse(&env, file, sizeof(file) - 1, &overlay, NULL), 0);
	assert_int_equal(haven_sockaddr_parse(overlay, "[::1]:our-app", HAVEN_SERVICE_TCP, &out,
					      &length),
			 0);
	assert_int_equal(((struct sockaddr_in6 *)&out)->sin6_port, htons(4711));
	haven_services_destroy(overlay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(long_texts_are_refused),
		cmocka_unit_test(the_overlay_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
