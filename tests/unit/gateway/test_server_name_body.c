/* Requests after requests: where each ends, so that the next one's name is seen. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "names_fixture.h"

#define POST	  "POST / HTTP/1.1\r\nHost: a\r\n"
#define NEXT	  "GET / HTTP/1.1\r\nHost: b\r\n\r\n"
#define CHUNKED	  POST "Transfer-Encoding: chunked\r\n\r\n"
#define BAD_BODY  "the body of an HTTP request is malformed"
#define LIKE_BODY "the body of an HTTP request begins like another request"

static size_t length_of(const char *text)
{
	return strlen(text);
}

/* A head, its body (or what stands before the next request), and then the next request. */
static void expect_next(const char *head, const char *body)
{
	static char text[200000];
	size_t n = length_of(head), next = length_of(NEXT), all;

	all = (size_t)snprintf(text, sizeof(text), "%s%s%s", head, body, NEXT);
	names_expect(text, all, "name a %zu %zu\nname b %zu %zu\nheld 0\n", n,
		     n - names_harmless(head), all, next);
	/* And when there is no next one, nothing is held. */
	names_expect(text, all - next, "name a %zu %zu\nheld 0\n", n, n - names_harmless(head));
}

static void expect_fault(const char *head, const char *body, const char *fault)
{
	static char text[200000];
	int all = snprintf(text, sizeof(text), "%s%s%s", head, body, NEXT);

	names_expect_fault(text, (size_t)all, fault);
}

static void requests_in_a_row(void **state)
{
	(void)state;
	expect_next("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "");
	expect_next("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "\r\n\r\n");
	expect_next(POST "Content-Length: 0\r\n\r\n", "");
	expect_next("GET / HTTP/1.1\nHost: a\n\n", "\n");
}

static void bodies_with_a_length(void **state)
{
	(void)state;
	expect_next(POST "Content-Length: 5\r\n\r\n", "{abc}");
	expect_next(POST "content-length:  05\r\n\r\n", "{abc}\r\n");
	expect_next(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "{abc}");
	expect_next("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", "{}");
}

/* A request without a name does not end the watch. */
static void request_after_one_without_a_host(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\n\r\n" NEXT;
	size_t n = sizeof(text) - 1, first = n - length_of(NEXT);

	(void)state;
	names_expect(text, n, "missing %zu %zu\nname b %zu %zu\nheld 0\n", first,
		     first - names_harmless(text), n, length_of(NEXT));
}

static void lengths_that_are_none(void **state)
{
	static const char *const cases[][2] = {
		{"Content-Length: 5\r\nContent-Length: 6", "an HTTP request has two lengths"},
		{"Content-Length: 5, 5", "the Content-Length of an HTTP request is no number"},
		{"Content-Length: +5", "the Content-Length of an HTTP request is no number"},
		{"Content-Length: -5", "the Content-Length of an HTTP request is no number"},
		{"Content-Length: 5 5", "the Content-Length of an HTTP request is no number"},
		{"Content-Length: 0x5", "the Content-Length of an HTTP request is no number"},
		{"Content-Length: 5.0", "the Content-Length of an HTTP request is no number"},
		{"Content-Length:", "the Content-Length of an HTTP request is no number"},
		{"Content-Length: 9223372036854775808",
		 "the Content-Length of an HTTP request is no number"},
		{"Content-Length: 99999999999999999999999",
		 "the Content-Length of an HTTP request is no number"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		char head[200];

		snprintf(head, sizeof(head), "%s%s\r\n\r\n", POST, cases[i][0]);
		expect_fault(head, "", cases[i][1]);
	}
}

static void codings_that_are_not_just_chunked(void **state)
{
	static const char *const cases[] = {
		"identity",
		"gzip, chunked",
		"chunked, identity",
		"chunked, chunked",
		"\"chunked\"",
		"chunked;q=1",
		"xchunked",
		"chunke",
		"chunked\r\nTransfer-Encoding: chunked",
		"",
		",chunked",
		"chunked,",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		char head[200];

		snprintf(head, sizeof(head), "%sTransfer-Encoding: %s\r\n\r\n", POST, cases[i]);
		expect_fault(head, "0\r\n\r\n",
			     "the Transfer-Encoding of an HTTP request is not just chunked");
	}
}

/* RFC 9112 section 6.1: this is how requests are smuggled. */
static void two_ways_to_end(void **state)
{
	static const char two[] = "an HTTP request has two ways to say how long it is";

	(void)state;
	expect_fault(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "", two);
	expect_fault(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "", two);
	expect_fault("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "",
		     "a request of HTTP/1.0 has a Transfer-Encoding");
	expect_fault("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "",
		     "an HTTP request CONNECT has a body");
	expect_fault("CONNECT a:1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "",
		     "an HTTP request CONNECT has a body");
}

static void huge_body(void **state)
{
	static char body[150000];

	(void)state;
	memset(body, '=', sizeof(body) - 1);
	expect_next(POST "Content-Length: 149999\r\n\r\n", body);
}

/* A length near 2^63 is passed over like any other. */
static void endless_body(void **state)
{
	static const char text[] = POST "Content-Length: 9223372036854775807\r\n\r\n{}" NEXT;
	size_t n = length_of(text) - length_of(NEXT) - 2;

	(void)state;
	names_expect(text, sizeof(text) - 1, "name a %zu %zu\nheld 0\n", n,
		     n - names_harmless(text));
}

/* --- chunks --------------------------------------------------------------------------------- */

static void chunks(void **state)
{
	static const char *const bodies[] = {
		"0\r\n\r\n",
		"000\r\n\r\n",
		"5\r\nabcde\r\n0\r\n\r\n",
		"5\r\nab\r\nc\r\nA\r\n0123456789\r\n0\r\n\r\n",
		"0000000000005\r\nabcde\r\n0\r\n\r\n",
		"5;x\r\nabcde\r\n0;y=\"z\"\r\n\r\n",
		"5 ;x=y;z\r\nabcde\r\n0 \t\r\n\r\n",
		"0\r\nX: y\r\nZ-9:\r\n\r\n",
		"1b\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n\r\n0\r\n\r\n",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bodies); i++)
		expect_next(CHUNKED, bodies[i]);
}

static void chunks_that_are_malformed(void **state)
{
	static const char *const bodies[] = {
		"\r\n", /* no size */
		";x\r\n",
		" 5\r\nabcde\r\n0\r\n\r\n",
		"x\r\n",
		"0x5\r\nabcde\r\n",
		"-1\r\n",
		"+5\r\nabcde\r\n",
		"5 5\r\nabcde\r\n",
		"5\nabcde\r\n0\r\n\r\n",   /* LF alone */
		"5;x\nabcde\r\n0\r\n\r\n", /* and where some pass over it */
		"5\r\r\nabcde\r\n",
		"5;\x01\r\nabcde\r\n",
		"5;a\rb\r\nabcde\r\n",
		"5\r\nabcde\n0\r\n\r\n",
		"5\r\nabcdef\r\n0\r\n\r\n", /* more than it said */
		"5\r\nabcd\r\n0\r\n\r\n",
		"5\r\nabcde0\r\n\r\n",	/* nothing between */
		"1000000000000000\r\n", /* 2^60 */
		"0000000000000005\r\n",
		"0\r\n\n",
		"0\r\nX: y\n\r\n",
		"0\r\n X: y\r\n\r\n",
		"0\r\nX\r\n\r\n",
		"0\r\nX : y\r\n\r\n",
		"0\r\n: y\r\n\r\n",
		"0\r\nX: \x01\r\n\r\n",
		"0\r\nX: y\r\r\n\r\n",
		"0\r\nHost: b\r\n\r\n", /* what must not be in trailers */
		"0\r\nContent_Length: 5\r\n\r\n",
		"0\r\ntransfer-encoding: x\r\n\r\n",
		"0\r\n\r\r\n",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bodies); i++)
		expect_fault(CHUNKED, bodies[i], BAD_BODY);
}

static const char *body_with_run(const char *before, size_t count)
{
	static struct names_bytes body;

	body.size = 0;
	names_put_text(&body, before);
	names_put_run(&body, 'x', count);
	names_put_text(&body, "\r\n\r\n");
	return names_text(&body);
}

static void extensions_and_trailers_of_any_length(void **state)
{
	(void)state;
	expect_next(CHUNKED, body_with_run("0;", 4095));
	expect_fault(CHUNKED, body_with_run("0;", 4096), BAD_BODY);
	expect_next(CHUNKED, body_with_run("0\r\nx:", 65531));
	expect_fault(CHUNKED, body_with_run("0\r\nx:", 65532), BAD_BODY);
}

/* --- bodies that some do not read ----------------------------------------------------------- */

/* A server that does not read this body takes it for the next request. */
static void body_that_is_a_request(void **state)
{
	static const char *const bodies[] = {
		"GET /x HTTP/1.1\r\nHost: b\r\n\r\n",
		"\r\n\nGET / HTTP/1.1\r\n\r\n\r\n\r\n",
		"GET /0123456789012345678901\r\n",
		" \tA b HTTP/1.1\r\n\r\n\r\n\r\n\r\n",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bodies); i++)
		expect_fault(POST "Content-Length: 28\r\n\r\n", bodies[i], LIKE_BODY);
	/* The line of a chunk's size is not above suspicion. */
	expect_fault(CHUNKED, "A ;x HTTP/1.1\r\nHost: b\r\n\r\n0\r\n\r\n", LIKE_BODY);
}

/* What cannot be one any more is not held, and what is whole neither. */
static void body_that_is_none(void **state)
{
	static const char *const bodies[] = {
		"hello",	"a=b&c",     "GET ",   "x y z", "\r\n\r\n\r",
		"x\r\nGET / H", "PUT / HTT", "GETGET", "{",	"PROXY TCP4 ",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bodies); i++) {
		char head[200];

		snprintf(head, sizeof(head), "%sContent-Length: %zu\r\n\r\n", POST,
			 length_of(bodies[i]));
		expect_next(head, bodies[i]);
	}
}

static void body_in_doubt_is_held(void **state)
{
	static struct names_bytes text;
	size_t n, held;

	(void)state;
	names_put_text(&text, POST "Content-Length: 100000\r\n\r\n");
	n = text.size;
	held = n - names_harmless(POST);
	names_put_run(&text, 'x', 254);
	names_expect(text.data, n + 253, "name a %zu %zu\nheld 0\n", n, held);
	text.size = n;
	names_put_text(&text, "see /");
	names_put_run(&text, 'x', 65535);
	names_expect(text.data, n + 65539, "name a %zu %zu\nheld 65535\n", n, held);
	names_expect(text.data, n + 65540, "name a %zu %zu\nheld 0\n", n, held);
}

/* --- after a request ------------------------------------------------------------------------ */

/* Once it is HTTP, what is not a request is no harmless protocol. */
static void what_is_no_request(void **state)
{
	static const char *const cases[][2] = {
		{"HELP\r\n", "the first line of an HTTP request is malformed"},
		{"\x16\x03\x01\n", "the first line of an HTTP request is malformed"},
		{"GET /\r\n", "the first line of an HTTP request is malformed"},
		{" GET / HTTP/1.1\r\n", "white space stands before an HTTP request"},
		{"\rGET / HTTP/1.1\r\n", "white space stands before an HTTP request"},
		{"\r\n\t", "white space stands before an HTTP request"},
		{"PRI * HTTP/2.0\r\n", "HTTP/2 without TLS cannot be looked into"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++)
		expect_fault("GET / HTTP/1.1\r\nHost: a\r\n\r\n", cases[i][0], cases[i][1]);
}

static void many_requests(void **state)
{
	static struct names_bytes text;
	static struct names_log log;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		names_put_text(&text, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	names_run(text.data, text.size, text.size, text.size, &log);
	assert_non_null(strstr(log.text, "name a 2700 27\nheld 0\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_in_a_row),
		cmocka_unit_test(bodies_with_a_length),
		cmocka_unit_test(request_after_one_without_a_host),
		cmocka_unit_test(lengths_that_are_none),
		cmocka_unit_test(codings_that_are_not_just_chunked),
		cmocka_unit_test(two_ways_to_end),
		cmocka_unit_test(huge_body),
		cmocka_unit_test(endless_body),
		cmocka_unit_test(chunks),
		cmocka_unit_test(chunks_that_are_malformed),
		cmocka_unit_test(extensions_and_trailers_of_any_length),
		cmocka_unit_test(body_that_is_a_request),
		cmocka_unit_test(body_that_is_none),
		cmocka_unit_test(body_in_doubt_is_held),
		cmocka_unit_test(what_is_no_request),
		cmocka_unit_test(many_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
