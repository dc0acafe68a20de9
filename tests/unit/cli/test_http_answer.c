/* Answers of HTTP/1.1, in pieces of every size. */
#include <stdlib.h>
#include <string.h>

#include "cli/http_answer.h"
#include "support/test.h"

static struct hv_http_answer answer;
static char body[4096];

/* Feeds `text` in pieces of `step` bytes; the body's bytes are put together. Returns how many bytes were taken. */
static size_t feed(const char *text, size_t step)
{
	size_t size = strlen(text), at = 0, used = 0;

	memset(&answer, 0, sizeof(answer));
	while (at < size && !answer.fault && answer.stage != HV_HTTP_DONE) {
		size_t piece = size - at < step ? size - at : step;
		struct hv_http_span span;
		/* On the heap, so that a sanitizer sees what is read beyond. */
		uint8_t *copy = malloc(piece ? piece : 1);
		size_t taken;

		memcpy(copy, text + at, piece);
		taken = hv_http_answer_take(&answer, copy, piece, &span);
		assert_true(taken > 0 && taken <= piece);
		assert_true(span.size == 0 || span.data + span.size == copy + taken);
		memcpy(body + used, span.size ? (const char *)span.data : "", span.size);
		used += span.size;
		free(copy);
		at += taken;
	}
	body[used] = '\0';
	assert_int_equal(answer.body_bytes, used);
	return at;
}

/* In every size of piece: the whole is taken, or `rest` bytes are left; then the connection ends. */
static void whole(const char *text, unsigned status, const char *wanted, size_t rest)
{
	for (size_t step = 1; step <= strlen(text); step++) {
		assert_int_equal(feed(text, step), strlen(text) - rest);
		assert_true(hv_http_answer_end(&answer));
		assert_int_equal(answer.status, status);
		assert_string_equal(body, wanted);
	}
}

static void broken(const char *text, const char *wanted, const char *fault)
{
	for (size_t step = 1; step <= strlen(text) + 1; step++) {
		feed(text, step);
		if (!answer.fault)
			assert_false(hv_http_answer_end(&answer));
		assert_string_equal(body, wanted);
		if (!answer.fault || !strstr(answer.fault, fault))
			fail_msg("no '%s' in '%s'", fault, answer.fault ? answer.fault : "");
	}
}

static void lengths(void **state)
{
	(void)state;
	whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", 0);
	whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloXX", 200, "hello", 2);
	whole("HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", 404, "", 0);
	whole("HTTP/1.0 200 OK\n\nto the end", 200, "to the end", 0);
	whole("HTTP/1.1 200\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", 200, "ab", 0);
	whole("HTTP/1.1 204 No Content\r\n\r\nXX", 204, "", 2);
	whole("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, "", 0);
}

static void chunks(void **state)
{
	(void)state;
	whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
	      "5;a=b\r\nhello\r\n00A\r\n, worlds..\r\n0\r\nX: y\r\n\r\n",
	      200, "hello, worlds..", 0);
	whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nXX", 200, "", 2);
}

static void interim_answers_are_passed_over(void **state)
{
	(void)state;
	whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLocation: /a\r\n\r\n"
	      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
	      200, "x", 0);
	assert_string_equal(answer.location, "");
}

static void what_is_kept_of_the_head(void **state)
{
	(void)state;
	feed("HTTP/1.1 302 Found it\r\nLocation:  /b \r\nContent-Type: text/html\r\n\r\n", 7);
	assert_int_equal(answer.stage, HV_HTTP_BODY_TO_END);
	assert_string_equal(answer.reason, "Found it");
	assert_string_equal(answer.location, "/b");
	assert_string_equal(answer.type, "text/html");
}

static void cut_short(void **state)
{
	(void)state;
	broken("", "", "without one");
	broken("HTTP/1.1 200 OK\r\nContent-Le", "", "head was cut short");
	broken("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "hello",
	       "body was cut short");
	broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello",
	       "body was cut short");
	broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r",
	       "hello", "body was cut short");
	broken("HTTP/1.1 100 Continue\r\n\r\n", "", "head was cut short");
}

static void malformed(void **state)
{
	(void)state;
	broken("SSH-2.0-OpenSSH\r\n", "", "not one of HTTP/1");
	broken("HTTP/1.1 2x0 OK\r\n", "", "no number");
	broken("HTTP/1.1 200 OK\r\nno colon\r\n", "", "no field");
	broken("HTTP/1.1 200 OK\r\nContent-Length: x\r\n", "", "Content-Length");
	broken("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "",
	       "Content-Length");
	broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", "",
	       "Transfer-Encoding");
	broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "",
	       "both");
	broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!", "hello",
	       "malformed");
	broken("HTTP/1.1 101 Switching\r\n\r\n", "", "changes the protocol");
}

static void heads_have_a_limit(void **state)
{
	struct hv_http_span span;
	static uint8_t line[HV_HTTP_LINE_MAX + 1];

	(void)state;
	memset(&answer, 0, sizeof(answer));
	memset(line, 'a', sizeof(line));
	hv_http_answer_take(&answer, line, sizeof(line), &span);
	assert_string_equal(answer.fault, "its head is too long");
	memset(&answer, 0, sizeof(answer));
	hv_http_answer_take(&answer, (const uint8_t *)"HTTP/1.1 200 OK\n", 16, &span);
	for (int i = 0; i < HV_HTTP_HEAD_MAX / 5; i++)
		hv_http_answer_take(&answer, (const uint8_t *)"a: b\n", 5, &span);
	assert_string_equal(answer.fault, "its head is too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(chunks),
		cmocka_unit_test(interim_answers_are_passed_over),
		cmocka_unit_test(what_is_kept_of_the_head),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(malformed),
		cmocka_unit_test(heads_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
