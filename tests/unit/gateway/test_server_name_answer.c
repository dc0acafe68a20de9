/* Connections that may stop to be HTTP: the server's answer tells, if it is that request's. */
#include <stdio.h>
#include <string.h>

#include "names_fixture.h"

#define UPGRADE	       "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define CONNECT	       "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
#define GET	       "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD	       "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OTHER	       "GET / HTTP/1.1\r\nHost: evil\r\n\r\n"
#define SWITCHED       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
#define OK_EMPTY       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define STILL_DUE      "an HTTP request wants to go on as another protocol while answers are due"
#define NOT_UNDERSTOOD "the answer to an HTTP request cannot be understood"

static const char after_continue[] = "HTTP/1.1 100 Continue\r\n\r\n" OK_EMPTY;
static const char one_too_many[] = OK_EMPTY OK_EMPTY;

static struct hv_server_name_reader *reader;

static int start(void **state)
{
	(void)state;
	reader = hv_server_name_new();
	return reader ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	hv_server_name_free(reader);
	return 0;
}

/* All of it, but for one event in its midst. */
static enum hv_server_name_event client(const char *text, size_t *used)
{
	return hv_server_name_feed(reader, (const uint8_t *)text, strlen(text), used);
}

/* A whole request, which is judged. */
static void request(const char *text)
{
	size_t used;

	assert_int_equal(client(text, &used), HV_SERVER_NAME_NAME);
	assert_int_equal(used, strlen(text));
	assert_string_equal(hv_server_name(reader), "a");
}

static void expect(enum hv_server_name_event event, const char *text)
{
	size_t used;

	assert_int_equal(client(text, &used), event);
	if (event == HV_SERVER_NAME_WAIT)
		assert_int_equal(used, 0);
}

static void expect_fault(const char *text, const char *fault)
{
	expect(HV_SERVER_NAME_UNREADABLE, text);
	assert_string_equal(hv_server_name_fault(reader), fault);
}

/* Byte by byte, true only with the last one. */
static void answer(const char *text, bool settles)
{
	size_t size = strlen(text);

	assert_true(hv_server_name_listens(reader));
	for (size_t i = 0; i + 1 < size; i++) {
		bool settled = hv_server_name_answered(reader, (const uint8_t *)text + i, 1);

		if (settles)
			assert_false(settled);
	}
	assert_int_equal(hv_server_name_answered(reader, (const uint8_t *)text + size - 1, 1),
			 settles);
}

/* What answers requests that ask for nothing. */
static void answer_others(const char *text)
{
	assert_true(hv_server_name_answered(reader, (const uint8_t *)text, strlen(text)));
}

static void upgrade_is_granted(void **state)
{
	(void)state;
	request(UPGRADE);
	expect(HV_SERVER_NAME_WAIT, OTHER);
	expect(HV_SERVER_NAME_WAIT, OTHER);
	assert_int_equal(hv_server_name_held(reader), 0);
	answer(SWITCHED, true);
	expect(HV_SERVER_NAME_DONE, OTHER);
	assert_false(hv_server_name_listens(reader));
}

/* The client waited for the answer, as it should. */
static void upgrade_is_granted_before_the_client_goes_on(void **state)
{
	(void)state;
	request(UPGRADE);
	answer(SWITCHED, true);
	expect(HV_SERVER_NAME_DONE, "\x81\x05hello");
}

static void wait_stands_where_the_request_ends(void **state)
{
	static const char text[] = UPGRADE "\x81\x05hello";
	size_t n = strlen(UPGRADE);

	(void)state;
	names_expect(text, sizeof(text) - 1, "name a %zu %zu\nwait %zu\n", n,
		     n - names_harmless(UPGRADE), n);
}

static void upgrade_is_declined(void **state)
{
	size_t used;

	(void)state;
	request(UPGRADE);
	expect(HV_SERVER_NAME_WAIT, OTHER);
	answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true);
	assert_int_equal(client(OTHER, &used), HV_SERVER_NAME_NAME);
	assert_string_equal(hv_server_name(reader), "evil");
}

static void answer_that_is_not_the_last(void **state)
{
	(void)state;
	request(UPGRADE);
	answer("HTTP/1.1 100 Continue\r\n\r\n", false);
	answer("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", false);
	expect(HV_SERVER_NAME_WAIT, OTHER);
	answer(SWITCHED, true);
	expect(HV_SERVER_NAME_DONE, OTHER);
}

static void tunnel(void **state)
{
	(void)state;
	request(CONNECT);
	expect(HV_SERVER_NAME_WAIT, "\x16\x03\x01");
	answer("HTTP/1.0 200 Connection established\r\n\r\n", true);
	expect(HV_SERVER_NAME_DONE, "\x16\x03\x01");
}

/* curl asks again on the same connection, with a password. */
static void tunnel_at_the_second_try(void **state)
{
	(void)state;
	request(CONNECT);
	answer("HTTP/1.1 407 Who?\r\nContent-Length: 5\r\n\r\n", true);
	answer_others("hello");
	request(CONNECT);
	answer("HTTP/1.1 200\r\n\r\n", true);
	expect(HV_SERVER_NAME_DONE, "\x16\x03\x01");
}

static int failing(const char *const *texts)
{
	int n = 0;

	for (; *texts; texts++, n++) {
		start(NULL);
		request(CONNECT);
		assert_true(hv_server_name_answered(reader, (const uint8_t *)*texts,
						    strlen(*texts)));
		expect_fault(OTHER, NOT_UNDERSTOOD);
		stop(NULL);
	}
	return n;
}

/* What is no answer ends all trust. */
static void answers_that_are_none(void **state)
{
	static const char *const texts[] = {
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 2000\r\n",
		"HTTP/1.1 2x0 OK\r\n",
		"HTTP/1.1  200 OK\r\n",
		"http/1.1 200 OK\r\n",
		"\r\n",
		"HTTP/1.1 101 Odd\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : y\r\n",
		"hello\n",
		"HTTP/1.1 404 No\r\nTransfer-Encoding: gzip\r\n",
		"HTTP/1.1 404 No\r\nX\r\n",
		"HTTP/1.1 404 No\r\nContent-Length: x\r\n",
		"HTTP/1.1 404 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
		NULL,
	};

	hv_server_name_free(reader);
	assert_true(failing(texts) > 0);
	start(state);
}

/* --- which answer is whose ------------------------------------------------------------------ */

/* The answer to another request may hold what looks like the one that is waited for. */
static void upgrade_while_another_answer_is_due(void **state)
{
	(void)state;
	request(GET);
	expect_fault(UPGRADE, STILL_DUE);
}

static void upgrade_after_all_is_answered(void **state)
{
	static const char *const answers[] = {
		OK_EMPTY,
		"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHTTP/1.1 101",
		"HTTP/1.1 204 None\r\n\r\n",
		"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
		after_continue,
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(answers); i++) {
		request(GET);
		answer_others(answers[i]);
	}
	request(HEAD);
	answer_others("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	/* Some at once. */
	request(GET);
	request(HEAD);
	request(GET);
	answer_others(OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" OK_EMPTY);
	request(UPGRADE);
	answer(SWITCHED, true);
	expect(HV_SERVER_NAME_DONE, OTHER);
}

/* A body holds what would be a switch, if its end were believed too early. */
static void switch_inside_of_a_body(void **state)
{
	(void)state;
	request(UPGRADE);
	answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", true);
	answer_others(SWITCHED);
	expect_fault(UPGRADE, STILL_DUE);
}

/* Nobody can tell where such an answer ends, or people differ. */
static void answers_without_an_end(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
		"HTTP/1.1 101 Why\r\n\r\n",
		one_too_many,
	};

	hv_server_name_free(reader);
	for (unsigned i = 0; i < TEST_COUNT(texts); i++) {
		start(state);
		request(GET);
		answer_others(texts[i]);
		request(GET); /* which is no harm */
		expect_fault(UPGRADE, STILL_DUE);
		stop(state);
	}
	start(state);
}

static void more_requests_than_are_counted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 65; i++)
		request(HEAD);
	for (unsigned i = 0; i < 65; i++)
		answer_others("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	expect_fault(UPGRADE, STILL_DUE);
}

static void as_many_requests_as_are_counted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 64; i++)
		request(i % 3 ? HEAD : GET);
	for (unsigned i = 0; i < 64; i++)
		answer_others(i % 3 ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
				    : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	request(UPGRADE);
}

static void long_lines_of_an_answer(void **state)
{
	static struct names_bytes text;

	(void)state;
	request(GET);
	names_put_text(&text, "HTTP/1.1 200 OK\r\nSet-Cookie: ");
	names_put_run(&text, 'x', 4000);
	names_put_text(&text, "\r\nContent-Length: 0\r\n\r\n");
	answer_others(names_text(&text));
	request(UPGRADE);
}

/* --- what is asked for ---------------------------------------------------------------------- */

/* In TLS and HTTP/2 there could be other names. */
static void upgrade_to_what_cannot_be_looked_into(void **state)
{
	static const char *const fields[] = {
		"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
		"Upgrade: websocket, H2C\r\n",
		"Upgrade: TLS/1.2, HTTP/1.1\r\n",
		"Upgrade: websocket\r\nUpgrade: ,HTTP/2.0\r\n",
		"Upgrade:\t,, h2\r\n",
		"HTTP2-Settings: AAMAAABk\r\n",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(fields); i++) {
		char head[200];

		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields[i]);
		names_expect_fault(head, strlen(head), NULL);
	}
}

/* Whatever Connection says: a server may switch all the same. */
static void upgrade_without_connection(void **state)
{
	(void)state;
	request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n");
	expect(HV_SERVER_NAME_WAIT, OTHER);
}

/* The body comes first, and the answer may come before its end. */
static void upgrade_of_a_request_with_a_body(void **state)
{
	static const char head[] =
		"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nContent-Length: 4\r\n\r\n";

	(void)state;
	request(head);
	expect(HV_SERVER_NAME_MORE, "{}{");
	assert_true(
		hv_server_name_answered(reader, (const uint8_t *)SWITCHED, strlen(SWITCHED)));
	expect(HV_SERVER_NAME_MORE, "}");
	expect(HV_SERVER_NAME_DONE, OTHER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(upgrade_is_granted),
		TEST(upgrade_is_granted_before_the_client_goes_on),
		TEST(wait_stands_where_the_request_ends),
		TEST(upgrade_is_declined),
		TEST(answer_that_is_not_the_last),
		TEST(tunnel),
		TEST(tunnel_at_the_second_try),
		TEST(answers_that_are_none),
		TEST(upgrade_while_another_answer_is_due),
		TEST(upgrade_after_all_is_answered),
		TEST(switch_inside_of_a_body),
		TEST(answers_without_an_end),
		TEST(more_requests_than_are_counted),
		TEST(as_many_requests_as_are_counted),
		TEST(long_lines_of_an_answer),
		TEST(upgrade_to_what_cannot_be_looked_into),
		TEST(upgrade_without_connection),
		TEST(upgrade_of_a_request_with_a_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
