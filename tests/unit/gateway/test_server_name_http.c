/* Server names in the heads of HTTP requests. */
#include <stdio.h>
#include <string.h>

#include "names_fixture.h"

#define NO_HOST_NAME	"the Host of an HTTP request is no host name"
#define MALFORMED_LINE	"the first line of an HTTP request is malformed"
#define MALFORMED_FIELD "a field of an HTTP request is malformed"
#define BAD_TARGET	"the target of an HTTP request is malformed"
#define NO_AUTHORITY	"the target of an HTTP request has no host name where one must be"
#define DISAGREE	"the target and the Host of an HTTP request do not agree"
#define MIXED_LINES	"the lines of an HTTP request do not all end alike"

/* The head alone is judged, and says this name. */
static void expect_name(const char *head, const char *name)
{
	size_t n = strlen(head);

	names_expect(head, n, "name %s %zu %zu\nheld 0\n", name, n, n - names_harmless(head));
}

static void expect_missing(const char *head)
{
	size_t n = strlen(head);

	names_expect(head, n, "missing %zu %zu\nheld 0\n", n, n - names_harmless(head));
}

/* The head is complete, or what is wrong is seen before. */
static void expect_fault(const char *head, const char *fault)
{
	names_expect_fault(head, strlen(head), fault);
}

/* --- Host ----------------------------------------------------------------------------------- */

static void hosts(void **state)
{
	static const char *const cases[][2] = {
		{"example.com", "example.com"},
		{"EXAMPLE.com:8080", "example.com"},
		{"example.com.", "example.com"},
		{"example.com.:443", "example.com"},
		{"example.com:", "example.com"},
		{"  example.com \t", "example.com"},
		{"a_b-c", "a_b-c"},
		{"192.0.2.1:80", "192.0.2.1"},
		{"[2001:DB8::1]", "2001:db8::1"},
		{"[2001:db8:0:0::1]:8080", "2001:db8::1"},
		{"[::1]:", "::1"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		char head[128];

		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nhOsT:%s\r\nX: y\r\n\r\n",
			 cases[i][0]);
		expect_name(head, cases[i][1]);
	}
}

/* Another server may cut such a value elsewhere. */
static void hosts_that_are_none(void **state)
{
	static const char *const cases[] = {
		"a b",	       "a,b",
		"a/b",	       "a@b",
		"a:b",	       "a:1:2",
		"a:65536",     "a:-1",
		"a:1x",	       "a..b",
		".a",	       ".",
		"..",	       ":80",
		"a;b",	       "a\\b",
		"a?b",	       "a#b",
		"a%2eb",       "\xc3\xa4",
		"http://a",    "*",
		"a\"",	       "[]",
		"[::1",	       "::1",
		"[::1]x",      "[::1]:x",
		"[::1%25lo]",  "[a]",
		"[v1.a]:80",   "[::1]]",
		"[192.0.2.1]", "good.test evil.test",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		char head[128];

		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i]);
		expect_fault(head, NO_HOST_NAME);
	}
}

static void name_of_any_length(void **state)
{
	char name[300], head[400];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[253] = '\0';
	snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
	expect_name(head, name);
	name[253] = 'a';
	name[254] = '\0';
	snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
	expect_fault(head, NO_HOST_NAME);
}

static void no_host(void **state)
{
	(void)state;
	expect_missing("GET / HTTP/1.1\r\n\r\n");
	expect_missing("GET / HTTP/1.0\r\n\r\n");
	expect_missing("GET / HTTP/1.0\r\nHost:\r\n\r\n");
	expect_missing("GET / HTTP/1.1\r\nHost: \t \r\n\r\n");
	expect_missing("OPTIONS * HTTP/1.1\r\n\r\n");
	expect_missing("GET / HTTP/1.1\n\n");
}

static void host_said_twice(void **state)
{
	(void)state;
	expect_fault("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		     "an HTTP request has two fields Host");
	expect_fault("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: a\r\n\r\n",
		     "an HTTP request has two fields Host");
	expect_fault("GET / HTTP/1.1\r\nHost:\r\nHost: b\r\n\r\n",
		     "an HTTP request has two fields Host");
}

/* --- the request line ----------------------------------------------------------------------- */

static void targets(void **state)
{
	static const char *const cases[][2] = {
		{"GET /a/b?c=d&e=http://x HTTP/1.1", "good.test"},
		{"GET // HTTP/1.1", "good.test"},
		{"GET /\xc3\xa4 HTTP/1.0", "good.test"},
		{"OPTIONS * HTTP/1.1", "good.test"},
		{"M-SEARCH / HTTP/1.1", "good.test"},
		{"get / HTTP/1.1", "good.test"},
		{"GET http://good.test/ HTTP/1.1", "good.test"},
		{"GET HTTPS://GOOD.test.:443 HTTP/1.1", "good.test"},
		{"GET ws://good.test?x=@evil.test HTTP/1.1", "good.test"},
		{"CONNECT good.test:443 HTTP/1.1", "good.test"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		char head[128];

		snprintf(head, sizeof(head), "%s\r\nHost: good.test:8\r\n\r\n", cases[i][0]);
		expect_name(head, cases[i][1]);
	}
	expect_name("CONNECT good.test:443 HTTP/1.1\r\n\r\n", "good.test");
	expect_name("CONNECT [::1]:443 HTTP/1.1\r\n\r\n", "::1");
}

/* nginx believes the target, others the field. */
static void target_and_host_that_differ(void **state)
{
	static const char *const heads[] = {
		"GET http://evil.test/ HTTP/1.1\r\nHost: good.test\r\n\r\n",
		"GET http://good.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n",
		"GET http://good.test/ HTTP/1.1\r\n\r\n",
		"GET http://good.test/ HTTP/1.1\r\nHost:\r\n\r\n",
		"CONNECT good.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n",
		"CONNECT good.test:443 HTTP/1.1\r\nHost:\r\n\r\n",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(heads); i++)
		expect_fault(heads[i], DISAGREE);
}

static void request_lines_that_are_malformed(void **state)
{
	static const char *const cases[][2] = {
		{"GET  / HTTP/1.1", MALFORMED_LINE},
		{"GET / HTTP/1.1 ", "the version of an HTTP request is neither 1.0 nor 1.1"},
		{"GET / HTTP/1.2", "the version of an HTTP request is neither 1.0 nor 1.1"},
		{"GET / HTTP/1.10", "the version of an HTTP request is neither 1.0 nor 1.1"},
		{"GET / HTTP/0.9", "the version of an HTTP request is neither 1.0 nor 1.1"},
		{"GET / HTTP/3.0", "the version of an HTTP request is neither 1.0 nor 1.1"},
		{"GET / HTTP/11", "the version of an HTTP request is neither 1.0 nor 1.1"},
		{"GET / http/1.1", "the version of an HTTP request is neither 1.0 nor 1.1"},
		{"GET / x HTTP/1.1", "the version of an HTTP request is neither 1.0 nor 1.1"},
		{"PRI * HTTP/2.0", "HTTP/2 without TLS cannot be looked into"},
		{"GET / HTTP/2.0", "HTTP/2 without TLS cannot be looked into"},
		{"GET x HTTP/1.1", BAD_TARGET},
		{"GET * HTTP/1.1", BAD_TARGET},
		{"GET a:80 HTTP/1.1", BAD_TARGET},
		{"GET http:/a HTTP/1.1", BAD_TARGET},
		{"GET ://a HTTP/1.1", BAD_TARGET},
		{"connect a:80 HTTP/1.1", BAD_TARGET},
		{"GET http:/// HTTP/1.1", NO_AUTHORITY},
		{"GET http://a@a/ HTTP/1.1", NO_AUTHORITY},
		{"GET http://a\\b/ HTTP/1.1", NO_AUTHORITY},
		{"GET http://a:b/ HTTP/1.1", NO_AUTHORITY},
		{"CONNECT / HTTP/1.1", NO_AUTHORITY},
		{"CONNECT http://a HTTP/1.1", NO_AUTHORITY},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		char head[128];

		snprintf(head, sizeof(head), "%s\r\nHost: a\r\n\r\n", cases[i][0]);
		expect_fault(head, cases[i][1]);
	}
}

static void method_of_any_length(void **state)
{
	char head[128] = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\nHost: a\r\n\r\n";

	(void)state;
	expect_name(head, "a");
	memmove(head + 1, head, strlen(head) + 1);
	expect_fault(head, MALFORMED_LINE);
}

/* --- fields --------------------------------------------------------------------------------- */

/* Each is read in two ways by someone. */
static void fields_that_are_malformed(void **state)
{
	static const char *const cases[] = {
		"Host : a",	    /* space before the colon: RFC 9112 section 5.1 */
		" Host: a",	    /* a fold, or a field */
		"X: y\r\n Host: a", /* a fold: section 5.2 */
		"X: y\r\n\tHost: a", "Host\t: a",      "Host",	  ": a",
		"Ho\"st: a",	     "Host: a\rX: y", /* CR alone */
		"X: y\rHost: b",     "X: \r\r",	       "X: \x01", "X: \x7f",
		"X\x01: y",	     "H\xc3\xb6st: a", "X: \v",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		char head[128];

		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n%s\r\n\r\n", cases[i]);
		expect_fault(head, MALFORMED_FIELD);
	}
	names_expect_fault("GET / HTTP/1.1\r\nX: \0\r\n", 22, MALFORMED_FIELD);
}

static void fields_of_all_sorts(void **state)
{
	(void)state;
	expect_name("GET / HTTP/1.1\r\nX-Empty:\r\nHost: a\r\nX_y.z~!#$%&'*+^`|: \xff \"(\t\r\n"
		    "Expect: 100-continue\r\nConnection: close\r\n\r\n",
		    "a");
}

/* Some take an underscore for a hyphen. */
static void almost_the_name_of_a_field(void **state)
{
	static const char *const names[] = {"Content_Length: 5", "Transfer_Encoding: chunked",
					    "transfer_encoding: x"};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(names); i++) {
		char head[128];

		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n",
			 names[i]);
		expect_fault(head, "a field of an HTTP request has almost the name of one that "
				   "matters");
	}
}

/* --- lines ---------------------------------------------------------------------------------- */

static void lines_that_end_with_lf_alone(void **state)
{
	(void)state;
	expect_name("GET / HTTP/1.1\nHost: a\nX: y\n\n", "a");
}

/*
 * Who takes LF alone for no line end sees other lines, and another end of the head: in the last one, a Host in
 * what is a body for others.
 */
static void lines_that_end_both_ways(void **state)
{
	static const char *const heads[] = {
		"GET / HTTP/1.1\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\n\r\n",
		"GET / HTTP/1.1\r\nX: y\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\n",
		"GET / HTTP/1.1\nHost: a\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\nX: y\n\nHost: b\r\n\r\n",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(heads); i++)
		expect_fault(heads[i], MIXED_LINES);
}

static void longest_head(void **state)
{
	static const char fault[] = "the head of an HTTP request is longer than 65536 bytes";
	static struct names_bytes head;

	(void)state;
	names_put_text(&head, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	names_put_run(&head, 'x', 65536 - 4 - head.size);
	names_put_text(&head, "\r\n\r\n");
	names_expect(head.data, head.size, "name a 65536 65532\nheld 0\n");
	head.size -= 4;
	names_put_run(&head, 'x', 5);
	names_expect(head.data, head.size, "unreadable 65537 65533\nheld 0\n");
	names_expect_fault(head.data, head.size, fault);
	/* The same when nobody can say yet whether it is one. */
	head.size = 0;
	names_put_text(&head, "GET /");
	names_put_run(&head, '/', 65532);
	names_expect_fault(head.data, head.size, fault);
}

static void part_is_held(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

	(void)state;
	for (size_t size = 0; size < sizeof(head) - 1; size++)
		names_expect(head, size, "held %zu\n", size < 5 ? 0 : size - 4);
}

static void kind_is_known(void **state)
{
	static const uint8_t request[] = "GET / HTTP/1.1\r\n", other[] = "HELP\r\n";
	struct hv_server_name_reader *reader = hv_server_name_new();
	size_t used;

	(void)state;
	hv_server_name_feed(reader, request, 10, &used);
	assert_int_equal(hv_server_name_kind_of(reader), HV_SERVER_NAME_UNKNOWN);
	assert_false(hv_server_name_listens(reader));
	hv_server_name_feed(reader, request + 10, 5, &used);
	assert_int_equal(hv_server_name_kind_of(reader), HV_SERVER_NAME_HTTP);
	assert_true(hv_server_name_listens(reader));
	hv_server_name_free(reader);
	reader = hv_server_name_new();
	hv_server_name_feed(reader, other, sizeof(other) - 1, &used);
	assert_int_equal(hv_server_name_kind_of(reader), HV_SERVER_NAME_UNKNOWN);
	assert_true(hv_server_name_answered(reader, other, 1));
	hv_server_name_free(reader);
	hv_server_name_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(hosts_that_are_none),
		cmocka_unit_test(name_of_any_length),
		cmocka_unit_test(no_host),
		cmocka_unit_test(host_said_twice),
		cmocka_unit_test(targets),
		cmocka_unit_test(target_and_host_that_differ),
		cmocka_unit_test(request_lines_that_are_malformed),
		cmocka_unit_test(method_of_any_length),
		cmocka_unit_test(fields_that_are_malformed),
		cmocka_unit_test(fields_of_all_sorts),
		cmocka_unit_test(almost_the_name_of_a_field),
		cmocka_unit_test(lines_that_end_with_lf_alone),
		cmocka_unit_test(lines_that_end_both_ways),
		cmocka_unit_test(longest_head),
		cmocka_unit_test(part_is_held),
		cmocka_unit_test(kind_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
