/* Addresses: kinds, prefixes, sockaddr and text. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"
#include "support/test.h"

static struct hv_addr addr(const char *text)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return hv_addr_v4(bytes);
	assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
	return hv_addr_v6(bytes);
}

static void kinds(void **state)
{
	enum { V4 = 1, ANY = 2, MULTICAST = 4, LOOPBACK = 8, LINK_LOCAL = 16, BROADCAST = 32 };
	static const struct {
		const char *text;
		unsigned kind;
	} cases[] = {
		{"0.0.0.0", V4 | ANY},
		{"10.0.2.2", V4},
		{"127.0.0.1", V4 | LOOPBACK},
		{"127.255.255.255", V4 | LOOPBACK},
		{"169.254.1.1", V4 | LINK_LOCAL},
		{"224.0.0.1", V4 | MULTICAST},
		{"239.255.255.255", V4 | MULTICAST},
		{"240.0.0.1", V4},
		{"255.255.255.255", V4 | BROADCAST},
		{"::", ANY},
		{"::1", LOOPBACK},
		{"::ffff:127.0.0.1", V4 | LOOPBACK},
		{"::127.0.0.1", 0},
		{"::2", 0},
		{"1::1", 0},
		{"fd00::2", 0},
		{"fe80::1", LINK_LOCAL},
		{"febf::1", LINK_LOCAL},
		{"fec0::1", 0},
		{"ff02::1", MULTICAST},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		struct hv_addr a = addr(cases[i].text);
		unsigned kind = 0;

		kind |= hv_addr_is_v4(&a) ? V4 : 0;
		kind |= hv_addr_is_any(&a) ? ANY : 0;
		kind |= hv_addr_is_multicast(&a) ? MULTICAST : 0;
		kind |= hv_addr_is_loopback(&a) ? LOOPBACK : 0;
		kind |= hv_addr_is_link_local(&a) ? LINK_LOCAL : 0;
		kind |= hv_addr_is_v4_broadcast(&a) ? BROADCAST : 0;
		if (kind != cases[i].kind)
			print_error("%s\n", cases[i].text);
		assert_int_equal(kind, cases[i].kind);
	}
}

static void prefixes(void **state)
{
	struct hv_addr a = addr("10.0.2.100"), net = addr("10.0.2.0"), other = addr("10.0.3.0");
	struct hv_addr six = addr("fd00::100"), zero = addr("::");

	(void)state;
	assert_true(hv_addr_in_prefix(&a, &net, 96 + 24));
	assert_false(hv_addr_in_prefix(&a, &other, 96 + 24));
	assert_true(hv_addr_in_prefix(&a, &other, 96 + 23));
	assert_true(hv_addr_in_prefix(&a, &a, 128));
	assert_false(hv_addr_in_prefix(&a, &net, 128));
	assert_false(hv_addr_in_prefix(&six, &net, 96));
	assert_true(hv_addr_in_prefix(&six, &net, 0));
	assert_true(hv_addr_in_prefix(&six, &zero, 0));
	assert_false(hv_addr_in_prefix(&six, &zero, 1));
	assert_true(hv_addr_in_prefix(&six, &six, 1000));
}

static void sockaddr_both_ways(void **state)
{
	struct sockaddr_storage sa;
	struct hv_addr a = addr("10.0.2.2"), b;
	uint16_t port = 0;
	socklen_t length;

	(void)state;
	length = hv_addr_to_sockaddr(&a, 443, false, &sa);
	assert_int_equal(length, sizeof(struct sockaddr_in));
	assert_int_equal(sa.ss_family, AF_INET);
	assert_int_equal(ntohs(((struct sockaddr_in *)&sa)->sin_port), 443);
	assert_int_equal(hv_addr_from_sockaddr((struct sockaddr *)&sa, length, &b, &port), 0);
	assert_true(hv_addr_equal(&a, &b));
	assert_int_equal(port, 443);

	length = hv_addr_to_sockaddr(&a, 65535, true, &sa);
	assert_int_equal(length, sizeof(struct sockaddr_in6));
	assert_int_equal(hv_addr_from_sockaddr((struct sockaddr *)&sa, length, &b, NULL), 0);
	assert_true(hv_addr_equal(&a, &b));

	a = addr("fd00::2");
	length = hv_addr_to_sockaddr(&a, 1, false, &sa);
	assert_int_equal(length, sizeof(struct sockaddr_in6));
	assert_int_equal(hv_addr_from_sockaddr((struct sockaddr *)&sa, length, &b, &port), 0);
	assert_true(hv_addr_equal(&a, &b));
	assert_int_equal(port, 1);
}

static void bad_sockaddr_is_refused(void **state)
{
	struct sockaddr_storage sa = {.ss_family = AF_INET};
	struct sockaddr *p = (struct sockaddr *)&sa;
	struct hv_addr a;

	(void)state;
	assert_int_equal(hv_addr_from_sockaddr(NULL, 16, &a, NULL), -EINVAL);
	assert_int_equal(hv_addr_from_sockaddr(p, 1, &a, NULL), -EINVAL);
	assert_int_equal(hv_addr_from_sockaddr(p, sizeof(struct sockaddr_in) - 1, &a, NULL),
			 -EINVAL);
	sa.ss_family = AF_INET6;
	assert_int_equal(hv_addr_from_sockaddr(p, sizeof(struct sockaddr_in), &a, NULL),
			 -EINVAL);
	sa.ss_family = AF_UNIX;
	assert_int_equal(hv_addr_from_sockaddr(p, sizeof(sa), &a, NULL), -EAFNOSUPPORT);
}

static void text(void **state)
{
	char buffer[46];
	struct hv_addr a = addr("10.0.2.2"), b = addr("fd00::2");

	(void)state;
	assert_string_equal(hv_addr_text(&a, buffer, sizeof(buffer)), "10.0.2.2");
	assert_string_equal(hv_addr_text(&b, buffer, sizeof(buffer)), "fd00::2");
	assert_string_equal(hv_addr_text(&b, buffer, 3), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(sockaddr_both_ways),
		cmocka_unit_test(bad_sockaddr_is_refused),
		cmocka_unit_test(text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
