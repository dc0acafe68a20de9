/* What a URL asks for. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <haven/service.h>

#include "support/test.h"

#define TCP HAVEN_SERVICE_TCP
#define UDP HAVEN_SERVICE_UDP

static const struct {
	const char *text;
	unsigned protocol;
	const char *host;
	unsigned port;
	bool tls;
	const char *rest;
	int family;
} good[] = {
	{"https://upload.academy", TCP, "upload.academy", 443, true, "", AF_UNSPEC},
	{"https://upload.academy/x", TCP, "upload.academy", 443, true, "/x", AF_UNSPEC},
	{"HTTPS://Upload.Academy/X", TCP, "upload.academy", 443, true, "/X", AF_UNSPEC},
	{"http://a", TCP, "a", 80, false, "", AF_UNSPEC},
	{"http://a:8080/", TCP, "a", 8080, false, "/", AF_UNSPEC},
	{"http://a:", TCP, "a", 80, false, "", AF_UNSPEC},
	{"http://a:00080", TCP, "a", 80, false, "", AF_UNSPEC},
	{"http://a?q=1:2@3", TCP, "a", 80, false, "?q=1:2@3", AF_UNSPEC},
	{"http://a#f/@b:9", TCP, "a", 80, false, "#f/@b:9", AF_UNSPEC},
	{"http://user@a/", TCP, "a", 80, false, "/", AF_UNSPEC},
	{"http://user:pass@a:81/", TCP, "a", 81, false, "/", AF_UNSPEC},
	{"http://user:p@ss@a:81/", TCP, "a", 81, false, "/", AF_UNSPEC},
	{"http://evil.example:80@good.example/", TCP, "good.example", 80, false, "/",
	 AF_UNSPEC},
	{"http://192.0.2.1:65535/", TCP, "192.0.2.1", 65535, false, "/", AF_INET},
	{"https://[2001:DB8::1]/", TCP, "2001:db8::1", 443, true, "/", AF_INET6},
	{"https://u@[::1]:8443/x?y", TCP, "::1", 8443, true, "/x?y", AF_INET6},
	{"https://[::ffff:192.0.2.1]", TCP, "::ffff:192.0.2.1", 443, true, "", AF_INET6},
	{"https://xn--mller-kva.example./", TCP, "xn--mller-kva.example.", 443, true, "/",
	 AF_UNSPEC},
	{"http://_srv.a_b/", TCP, "_srv.a_b", 80, false, "/", AF_UNSPEC},
	{"ws://a/chat", TCP, "a", 80, false, "/chat", AF_UNSPEC},
	{"wss://a/chat", TCP, "a", 443, true, "/chat", AF_UNSPEC},
	{"ftp://a/f", TCP, "a", 21, false, "/f", AF_UNSPEC},
	{"ftps://a", TCP, "a", 990, true, "", AF_UNSPEC},
	{"ssh://git@a:2222/r.git", TCP, "a", 2222, false, "/r.git", AF_UNSPEC},
	{"telnet://a", TCP, "a", 23, false, "", AF_UNSPEC},
	{"smtp://a", TCP, "a", 25, false, "", AF_UNSPEC},
	{"smtps://a", TCP, "a", 465, true, "", AF_UNSPEC},
	{"submission://a", TCP, "a", 587, false, "", AF_UNSPEC},
	{"pop3://a", TCP, "a", 110, false, "", AF_UNSPEC},
	{"pop3s://a", TCP, "a", 995, true, "", AF_UNSPEC},
	{"imap://a", TCP, "a", 143, false, "", AF_UNSPEC},
	{"imaps://a", TCP, "a", 993, true, "", AF_UNSPEC},
	{"ldap://a", TCP, "a", 389, false, "", AF_UNSPEC},
	{"ldaps://a", TCP, "a", 636, true, "", AF_UNSPEC},
	{"dns://a/example.org", UDP, "a", 53, false, "/example.org", AF_UNSPEC},
	{"ntp://a", UDP, "a", 123, false, "", AF_UNSPEC},
	{"bgp://a", TCP, "a", 179, false, "", AF_UNSPEC},
	{"mqtt://a", TCP, "a", 1883, false, "", AF_UNSPEC},
	{"mqtts://a", TCP, "a", 8883, true, "", AF_UNSPEC},
	{"amqp://a", TCP, "a", 5672, false, "", AF_UNSPEC},
	{"amqps://a", TCP, "a", 5671, true, "", AF_UNSPEC},
	{"redis://a", TCP, "a", 6379, false, "", AF_UNSPEC},
	{"rediss://a", TCP, "a", 6379, true, "", AF_UNSPEC},
	{"postgres://a/db", TCP, "a", 5432, false, "/db", AF_UNSPEC},
	{"postgresql://a/db", TCP, "a", 5432, false, "/db", AF_UNSPEC},
	{"mysql://a", TCP, "a", 3306, false, "", AF_UNSPEC},
	{"rdp://a", TCP, "a", 3389, false, "", AF_UNSPEC},
	{"irc://a", TCP, "a", 6667, false, "", AF_UNSPEC},
	{"ircs://a", TCP, "a", 6697, true, "", AF_UNSPEC},
	{"coaps://a", UDP, "a", 5684, true, "", AF_UNSPEC},
	/* Any name of the registry. */
	{"git://a/r", TCP, "a", 9418, false, "/r", AF_UNSPEC},
	{"ms-sql-s://a", TCP, "a", 1433, false, "", AF_UNSPEC},
	{"bootps://a", TCP, "a", 67, false, "", AF_UNSPEC},
	{"igmpv3lite://a", UDP, "a", 465, false, "", AF_UNSPEC},
};

static void what_is_taken(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(good); i++) {
		struct haven_url url;
		int error = haven_url_parse(NULL, good[i].text, &url);

		if (error < 0)
			fail_msg("%s: %s", good[i].text, haven_errname(error));
		assert_true(haven_url_is(good[i].text));
		assert_int_equal(url.protocol, good[i].protocol);
		assert_string_equal(url.host, good[i].host);
		if (url.port != good[i].port)
			fail_msg("%s: %u", good[i].text, url.port);
		assert_int_equal(url.tls, good[i].tls);
		assert_int_equal(url.family, good[i].family);
		assert_string_equal(good[i].text + url.path_at, good[i].rest);
	}
}

static const struct {
	const char *text;
	int error;
} bad[] = {
	{"", -EINVAL},
	{"https", -EINVAL},
	{"https:", -EINVAL},
	{"https:/a", -EINVAL},
	{"://a", -EINVAL},
	{"1http://a", -EINVAL},
	{"ht tp://a", -EINVAL},
	{"mailto:a@b", -EINVAL},
	{"https://", -EINVAL},
	{"https:///x", -EINVAL},
	{"https://user@/x", -EINVAL},
	{"https://:443", -EINVAL},
	{"https://a b/", -EINVAL},
	{"https://a\\@b/", -EINVAL},
	{"https://a/\n", -EINVAL},
	{"https://a:port/", -EINVAL},
	{"https://a:+80/", -EINVAL},
	{"https://a:80:80/", -EINVAL},
	{"https://a..b/", -EINVAL},
	{"https://.a/", -EINVAL},
	{"https://./", -EINVAL},
	{"https://a%2e/", -EINVAL},
	{"https://m\xc3\xbcller/", -EINVAL},
	{"https://1.2.3/", -EINVAL},
	{"https://1.2.3.256/", -EINVAL},
	{"https://12345/", -EINVAL},
	{"https://::1/", -EINVAL},
	{"https://[::1/", -EINVAL},
	{"https://[]/", -EINVAL},
	{"https://[::1]x/", -EINVAL},
	{"https://[127.0.0.1]/", -EINVAL},
	{"https://[fe80::1%25eth0]/", -EINVAL},
	{"https://a:0/", -ERANGE},
	{"https://a:65536/", -ERANGE},
	{"https://a:99999999999999999999/", -ERANGE},
	{"nosuch://a", -EPROTONOSUPPORT},
	{"http-alt://a", -EPROTONOSUPPORT},
	{"x11://a", -EPROTONOSUPPORT},
	{"a-scheme-that-is-much-longer-than-any-of-them://a", -EPROTONOSUPPORT},
};

static void what_is_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bad); i++) {
		struct haven_url url;
		int error = haven_url_parse(NULL, bad[i].text, &url);

		if (error != bad[i].error)
			fail_msg("'%s': %d, not %d", bad[i].text, error, bad[i].error);
	}
}

static void long_hosts(void **state)
{
	struct haven_url url;
	char text[1024];
	size_t at = 0;

	(void)state;
	at += (size_t)snprintf(text, sizeof(text), "http://");
	for (unsigned i = 0; i < 126; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "a.");
	snprintf(text + at, sizeof(text) - at, "b"); /* 253 bytes */
	assert_int_equal(haven_url_parse(NULL, text, &url), 0);
	snprintf(text + at, sizeof(text) - at, "bb");
	assert_int_equal(haven_url_parse(NULL, text, &url), -EINVAL);
	memset(text + 7, 'a', 63);
	text[70] = '\0';
	assert_int_equal(haven_url_parse(NULL, text, &url), 0);
	text[70] = 'a';
	text[71] = '\0';
	assert_int_equal(haven_url_parse(NULL, text, &url), -EINVAL);
}

/* Each default is a service of the registry at that port, in that transport. */
static void defaults_are_registered(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(good); i++) {
		struct haven_service_query query;
		struct haven_service service;
		struct haven_url url;

		assert_int_equal(haven_url_parse(NULL, good[i].text, &url), 0);
		assert_non_null(url.service);
		if (url.port_given)
			continue;
		haven_service_by_port(&query, NULL, url.port, url.protocol);
		do {
			if (!haven_service_next(&query, &service))
				fail_msg("%s: %s is not at %u", url.scheme, url.service,
					 url.port);
		} while (strcmp(service.name, url.service) != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(long_hosts),
		cmocka_unit_test(defaults_are_registered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
