/* What `-p` takes, and what it says about the rest. */
#include <netinet/in.h>
#include <string.h>

#include "gateway/address.h"
#include "gateway/publish_parse.h"
#include "support/test.h"

static const struct {
	const char *text;
	const char *address; /* NULL: any */
	unsigned host_first, host_last, guest_first, guest_last;
	int protocol;
} good[] = {
	{"80", NULL, 0, 0, 80, 80, IPPROTO_TCP},
	{"8080:80", NULL, 8080, 8080, 80, 80, IPPROTO_TCP},
	{"0:80", NULL, 0, 0, 80, 80, IPPROTO_TCP},
	{"65535:65535/tcp", NULL, 65535, 65535, 65535, 65535, IPPROTO_TCP},
	{"53:53/udp", NULL, 53, 53, 53, 53, IPPROTO_UDP},
	{"8000-8009:80-89", NULL, 8000, 8009, 80, 89, IPPROTO_TCP},
	{"8000-8009:80", NULL, 8000, 8009, 80, 80, IPPROTO_TCP},
	{"80-89", NULL, 0, 0, 80, 89, IPPROTO_TCP},
	{"1-65535:1-65535/udp", NULL, 1, 65535, 1, 65535, IPPROTO_UDP},
	{"127.0.0.1:8080:80", "127.0.0.1", 8080, 8080, 80, 80, IPPROTO_TCP},
	{"127.0.0.1::80", "127.0.0.1", 0, 0, 80, 80, IPPROTO_TCP},
	{"127.0.0.1:0:80/udp", "127.0.0.1", 0, 0, 80, 80, IPPROTO_UDP},
	{"[::1]:8080:80", "::1", 8080, 8080, 80, 80, IPPROTO_TCP},
	{"[::1]::80", "::1", 0, 0, 80, 80, IPPROTO_TCP},
	{"[2001:db8::1]:8000-8001:80-81/udp", "2001:db8::1", 8000, 8001, 80, 81, IPPROTO_UDP},
};

/* Services by name: what their ports are is the registry's. */
static const struct {
	const char *text;
	unsigned host, guest_first, guest_last;
	int protocol;
} named[] = {
	{"http", 0, 80, 80, IPPROTO_TCP},
	{"8080:http", 8080, 80, 80, IPPROTO_TCP},
	{"8443:HTTPS", 8443, 443, 443, IPPROTO_TCP},
	{"https:https", 443, 443, 443, IPPROTO_TCP},
	{"postgresql:5432", 5432, 5432, 5432, IPPROTO_TCP},
	{"127.0.0.1:5353:domain/udp", 5353, 53, 53, IPPROTO_UDP},
	{"[::1]::rdp", 0, 3389, 3389, IPPROTO_TCP},
	{"ms-sql-s", 0, 1433, 1433, IPPROTO_TCP},
	{"ftp-data-ftp", 0, 20, 21, IPPROTO_TCP},
	{"8022:ssh-22", 8022, 22, 22, IPPROTO_TCP},
};

static void names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(named); i++) {
		struct hv_publication p;
		char error[512] = "";

		if (!hv_publication_parse(named[i].text, &p, error, sizeof(error)))
			fail_msg("%s: %s", named[i].text, error);
		assert_int_equal(p.host_first, named[i].host);
		assert_int_equal(p.guest_first, named[i].guest_first);
		assert_int_equal(p.guest_last, named[i].guest_last);
		assert_int_equal(p.protocol, named[i].protocol);
	}
}

static void wrong_names_get_near_ones(void **state)
{
	struct hv_publication p;
	char error[512];

	(void)state;
	assert_false(hv_publication_parse("8080:htps", &p, error, sizeof(error)));
	assert_non_null(strstr(error, "no TCP service is called 'htps'; did you mean "));
	assert_non_null(strstr(error, "'https'"));
	assert_false(hv_publication_parse("igmpv3lite", &p, error, sizeof(error)));
	assert_non_null(strstr(error, "is a service of UDP, not of TCP"));
}

static void grammar(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(good); i++) {
		struct hv_publication p;
		uint8_t address[16];
		char error[256] = "";

		if (!hv_publication_parse(good[i].text, &p, error, sizeof(error)))
			fail_msg("%s: %s", good[i].text, error);
		assert_int_equal(p.host_first, good[i].host_first);
		assert_int_equal(p.host_last, good[i].host_last);
		assert_int_equal(p.guest_first, good[i].guest_first);
		assert_int_equal(p.guest_last, good[i].guest_last);
		assert_int_equal(p.protocol, good[i].protocol);
		assert_int_equal(p.any_address, good[i].address == NULL);
		if (good[i].address) {
			assert_true(hv_address_parse(good[i].address, address));
			assert_memory_equal(p.address, address, 16);
		}
	}
}

static void with_tls(void **state)
{
	static const char *const texts[] = {"8443:80/tls", "80/tcp/tls", "[::1]:8443:http/tls",
					    "8000-8009:80-89/tls"};
	struct hv_publication p;
	char error[256];

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(texts); i++) {
		if (!hv_publication_parse(texts[i], &p, error, sizeof(error)))
			fail_msg("%s: %s", texts[i], error);
		assert_true(p.tls);
		assert_int_equal(p.protocol, IPPROTO_TCP);
	}
	assert_true(hv_publication_parse("8443:80/tcp", &p, error, sizeof(error)));
	assert_false(p.tls);
	assert_false(hv_publication_parse("8443:80/udp/tls", &p, error, sizeof(error)));
	assert_non_null(strstr(error, "TLS is spoken over tcp"));
}

static const char *const bad[] = {
	"",
	":",
	"80:",
	":80:80",
	"0",
	"65536",
	"8080:0",
	"8080:65536",
	"8080:80/sctp",
	"8080:80/",
	"8080:80/TCP",
	"-1:80",
	"8080:80:90:100",
	"8000-8009:80-88",
	"90-80:90-80",
	"0-9:0-9",
	"8080:htpp",
	"8080:http/udpp",
	"http:",
	"8080:igmpv3lite",
	"ssh-ftp:22-21",
	"http:ftp-data-ssh",
	"::1:8080:80",
	"[::1:8080:80",
	"[127.0.0.1]:8080:80",
	"host:8080:80",
	"8080 :80",
	"8080:+80",
	"8080:80-",
	"[::1]:80",
	"127.0.0.1:80",
	"080000:80",
	"8080:80/tcp/udp",
	"8080:80/tls/tcp",
	"8080:80/tls/tls",
	"8080:80/TLS",
	"8080:80//tls",
};

static void refused_with_a_line(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bad); i++) {
		struct hv_publication p;
		char error[256] = "";

		if (hv_publication_parse(bad[i], &p, error, sizeof(error)))
			fail_msg("'%s' was taken", bad[i]);
		assert_true(strlen(error) > 20);
		assert_null(strchr(error, '\n'));
	}
}

static void long_text_is_refused(void **state)
{
	char text[1000], error[256];
	struct hv_publication p;

	(void)state;
	memset(text, '8', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(hv_publication_parse(text, &p, error, sizeof(error)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(with_tls),
		cmocka_unit_test(names),
		cmocka_unit_test(wrong_names_get_near_ones),
		cmocka_unit_test(refused_with_a_line),
		cmocka_unit_test(long_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
