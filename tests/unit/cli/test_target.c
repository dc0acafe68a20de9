/* What to connect to, and what to listen at. */
#include <string.h>

#include "cli/target.h"
#include "support/test.h"

static struct hv_target target;
static char error[HV_TARGET_ERROR];

static void good(const char *text, bool udp, const char *host, uint16_t port, bool tls)
{
	error[0] = '\0';
	if (!hv_target_parse(NULL, text, udp, &target, error))
		fail_msg("%s: %s", text, error);
	assert_string_equal(target.host, host);
	assert_int_equal(target.port, port);
	assert_int_equal(target.tls, tls);
}

static void bad(const char *text, bool udp, const char *part)
{
	if (hv_target_parse(NULL, text, udp, &target, error))
		fail_msg("'%s' was taken", text);
	if (!strstr(error, part))
		fail_msg("'%s': no '%s' in '%s'", text, part, error);
}

static void hosts_and_ports(void **state)
{
	(void)state;
	good("example.org:443", false, "example.org", 443, false);
	good("Example.ORG:https", false, "example.org", 443, false);
	good("example.org.:https", false, "example.org", 443, false);
	good("tls:example.org:443", false, "example.org", 443, true);
	good("192.0.2.1:65535", false, "192.0.2.1", 65535, false);
	assert_int_equal(target.family, AF_INET);
	good("[2001:DB8::1]:domain", true, "2001:db8::1", 53, false);
	assert_int_equal(target.family, AF_INET6);
	assert_false(target.is_url);
	assert_string_equal(target.path, "");
}

static void urls(void **state)
{
	(void)state;
	good("https://example.org/a?b#c", false, "example.org", 443, true);
	assert_true(target.http);
	assert_false(target.port_given);
	assert_string_equal(target.path, "/a?b#c");
	assert_string_equal(target.service, "https");
	good("http://[::1]:8080", false, "::1", 8080, false);
	assert_true(target.http && target.port_given);
	good("imaps://mail.test", false, "mail.test", 993, true);
	assert_false(target.http);
	good("ntp://time.test", false, "time.test", 123, false);
	assert_true(target.udp);
	good("echo://a.test", true, "a.test", 7, false);
	assert_true(target.udp);
}

static void what_is_none(void **state)
{
	(void)state;
	bad("example.org", false, "has no port");
	bad("[::1]", false, "has no port");
	bad("[::1", false, "has no port");
	bad("::1:80", false, "in brackets");
	bad(":80", false, "is no host");
	bad("a@b:80", false, "is no host");
	bad("a/b:80", false, "is no host");
	bad("1.2.3:80", false, "is no host");
	bad("a:0", false, "port 0");
	bad("a:65536", false, "0 to 65535");
	bad("a:80-90", false, "not one port");
	bad("a:htpps", false, "'https'");
	bad("a:ntp/udp", false, "not one port");
	bad("a:", false, "neither a port");
	bad("tls:a", false, "has no port");
	bad("tls:a:443", true, "datagrams");
	bad("http://a.test/", true, "HTTP is over TCP");
	bad("coaps://a.test/", false, "DTLS");
	bad("gopherz://a.test/", false, "'gopherz'");
	bad("http://a.test:0/", false, "1 to 65535");
	bad("https://me:secret@a.test/", false, "a user name");
	assert_null(strstr(error, "secret"));
}

static void where_to_listen(void **state)
{
	(void)state;
	assert_true(hv_target_parse_listen(NULL, "8080", false, &target, error));
	assert_int_equal(target.family, AF_UNSPEC);
	assert_int_equal(target.port, 8080);
	assert_true(hv_target_parse_listen(NULL, "0", false, &target, error));
	assert_true(hv_target_parse_listen(NULL, "127.0.0.1:http", false, &target, error));
	assert_int_equal(target.family, AF_INET);
	assert_int_equal(target.port, 80);
	assert_true(hv_target_parse_listen(NULL, "[::1]:53", true, &target, error));
	assert_string_equal(target.host, "::1");
	assert_false(hv_target_parse_listen(NULL, "a.test:80", false, &target, error));
	assert_non_null(strstr(error, "is a name"));
	assert_false(hv_target_parse_listen(NULL, "", false, &target, error));
	assert_false(hv_target_parse_listen(NULL, "127.0.0.1", false, &target, error));
}

static void as_text(void **state)
{
	char text[HV_TARGET_TEXT];

	(void)state;
	good("[::1]:80", false, "::1", 80, false);
	assert_string_equal(hv_target_text(&target, text), "[::1]:80");
	good("https://a.test", false, "a.test", 443, true);
	assert_string_equal(hv_target_text(&target, text), "a.test:443");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_and_ports), cmocka_unit_test(urls),
		cmocka_unit_test(what_is_none),	   cmocka_unit_test(where_to_listen),
		cmocka_unit_test(as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
