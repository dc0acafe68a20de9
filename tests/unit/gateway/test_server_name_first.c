/* What streams begin with: other protocols are let go with the byte that tells, tricks are not. */
#include <string.h>

#include "names_fixture.h"

struct text {
	const char *data;
	size_t size;
};

#define TEXT(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* Harmless, and decided after so many bytes: all of a line, or the first that no request has. */
static void other_protocols(void **state)
{
	static const struct {
		const char *what; /* in a debugger */
		struct text text;
		size_t decided;
	} cases[] = {
		{"SSH", TEXT("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"), 40},
		{"SSH without comment", TEXT("SSH-2.0-OpenSSH_for_Windows_8.1\r\n"), 33},
		{"SMTP", TEXT("EHLO client.example\r\n"), 21},
		{"SMTP STARTTLS", TEXT("STARTTLS\r\n"), 10},
		{"Redis", TEXT("*1\r\n$4\r\nPING\r\n"), 4},
		{"Redis inline", TEXT("PING\r\n"), 6},
		{"Redis inline with a key", TEXT("GET key\r\n"), 9},
		{"memcached", TEXT("get /key\r\n"), 10},
		{"PostgreSQL", TEXT("\0\0\0\x08\x04\xd2\x16\x2f"), 1},
		{"MySQL", TEXT("\x54\0\0\x01\x8d\xa6\x0f\0"), 2},
		{"IRC", TEXT("NICK me\r\nUSER me 0 * :me\r\n"), 9},
		{"IRC with capabilities", TEXT("CAP LS 302\r\n"), 8},
		{"telnet", TEXT("\xff\xfb\x1f\xff\xfd\x03"), 1},
		{"telnet ECHO", TEXT("\xff\xfd\x01"), 1},
		{"DNS", TEXT("\0\x1d\x12\x34\x01\0"), 1},
		{"FTP", TEXT("USER anonymous\r\n"), 16},
		{"IMAP", TEXT("a001 LOGIN me secret\r\n"), 12},
		{"POP3", TEXT("CAPA\r\n"), 6},
		{"XMPP", TEXT("<?xml version='1.0'?>"), 1},
		{"SOCKS 5", TEXT("\x05\x01\0"), 1},
		{"SOCKS 4", TEXT("\x04\x01\0\x50"), 1},
		{"BitTorrent",
		 TEXT("\x13"
		      "BitTorrent protocol"),
		 1},
		{"VNC", TEXT("RFB 003.008\n"), 12},
		{"Git", TEXT("0033git-upload-pack /project.git\0host=a.test\0"), 33},
		{"rsync", TEXT("@RSYNCD: 31.0\n"), 1},
		{"SIP", TEXT("REGISTER sip:a.test SIP/2.0\r\n"), 21},
		{"RTSP", TEXT("OPTIONS rtsp://a.test/x RTSP/1.0\r\n"), 34},
		{"NATS", TEXT("CONNECT {\"verbose\":false}\r\n"), 27},
		{"STOMP", TEXT("CONNECT\naccept-version:1.2\n\n\0"), 8},
		{"AMQP", TEXT("AMQP\0\0\x09\x01"), 5},
		{"MQTT", TEXT("\x10\x0c\0\x04MQTT"), 1},
		{"LDAP", TEXT("\x30\x0c\x02\x01\x01"), 3},
		{"RDP", TEXT("\x03\0\0\x13"), 1},
		{"MS SQL", TEXT("\x12\x01\0\x2f"), 1},
		{"MongoDB", TEXT("\x3f\0\0\0"), 1},
		{"GDB", TEXT("+$qSupported:multiprocess+#c6"), 13},
		{"X11", TEXT("l\0\x0b\0"), 2},
		{"JSON", TEXT("{\"id\":1}\n"), 1},
		{"WireGuard over TCP", TEXT("\x01\0\0\0"), 1},
		{"an answer of HTTP", TEXT("HTTP/1.1 200 OK\r\n"), 5},
		{"empty lines", TEXT("\r\n\r\nHELP\r\n"), 10},
		{"blanks", TEXT("  HELP\r\n"), 8},
		{"a path that is none", TEXT("GET x y z HTTP/1.1\r\n"), 7},
		{"a line with a path", TEXT("WALK /a/b c d\r\n"), 15},
		{"0x85", TEXT("\x85\0\0"), 3},
		{"0xa0", TEXT("\xa0 \0"), 3},
		{"0xa0 and a line", TEXT("\xa0 x\r\n"), 5},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		names_expect_done(cases[i].text.data, cases[i].text.size, cases[i].decided);
	}
}

/* Whatever byte a stream begins with, it is not held longer than it could be TLS, SSL 2 or a method. */
static void any_first_byte(void **state)
{
	static struct names_log log;

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		const uint8_t stream[] = {(uint8_t)byte, 0, 0, 0, 0, 0};
		bool tls = byte >= 0x14 && byte <= 0x18, ssl2 = byte >= 0x80 && byte <= 0xc8;

		names_run(stream, sizeof(stream), 1, 1, &log);
		assert_true(log.decided > 0 && log.decided <= (tls ? 5 : ssl2 ? 3 : 2));
	}
}

/* What is written before the first request, and is no reason to wait, goes on at once. */
static void blanks_are_not_held(void **state)
{
	(void)state;
	names_expect("\r\n\r\n", 4, "held 0\n");
	names_expect(" \t\r\n", 4, "held 0\n");
	names_expect("\r\nGET /", 7, "held 1\n");
}

/* Who says something short and waits for an answer gets one: no server acts upon these before more has come. */
static void harmless_words_are_not_held(void **state)
{
	static const char *const words[] = {"x",	   "hello",
					    "GET",	   "GET ",
					    "hello world", "GET a",
					    "set key",	   "CONNECT evil.test:443"};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(words); i++)
		names_expect(words[i], strlen(words[i]), "held 0\n");
	names_expect("GET /a", 6, "held 2\n");
	names_expect("GET a HTTP", 10, "held 5\n");
	names_expect("GET http://evil.test", 20, "held 10\n");
	names_expect("CONNECT evil.test:443 ", 22, "held 1\n");
}

static void too_many_blanks(void **state)
{
	char blanks[1025];

	(void)state;
	memset(blanks, '\n', sizeof(blanks));
	names_expect(blanks, 1024, "held 0\n");
	names_expect_fault(blanks, 1025, "there is too much white space for HTTP");
}

/* --- attacks -------------------------------------------------------------------------------- */

static void expect_fault(const char *text, const char *fault)
{
	names_expect_fault(text, strlen(text), fault);
}

/* Apache may pass over blanks, and Python's servers over what Latin-1 has of them. */
static void white_space_before_the_request(void **state)
{
	static const char *const before[] = {" ",    "\t",   "\v",    "\f", "\x1c", "\x1f",
					     "\x85", "\xa0", "\r\n ", "\r", "\n\r", "\xa0\xa0"};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(before); i++) {
		static const char fault[] = "white space stands before an HTTP request";

		expect_fault(names_join(before[i], "GET / HTTP/1.1\r\n"), fault);
		expect_fault(names_join(before[i], "GET /\r\n"), fault); /* HTTP/0.9 */
	}
}

/* Behind it some servers take anything, from anybody. */
static void proxy_protocol(void **state)
{
	static const char binary[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11";

	(void)state;
	expect_fault("PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n",
		     "the PROXY protocol cannot be looked into");
	names_expect_fault(binary, sizeof(binary) - 1,
			   "the PROXY protocol cannot be looked into");
	names_expect_done("\r\n\0", 3, 3);
}

/* Go takes any method of any length. */
static void method_that_is_too_long(void **state)
{
	static struct names_bytes text;

	(void)state;
	names_put_run(&text, 'A', 33);
	names_put_text(&text, " / HTTP/1.1\r\n");
	expect_fault(names_text(&text), "the first line of an HTTP request is malformed");
	text.size = 0;
	names_put_run(&text, 'A', 254);
	names_expect(text.data, 253, "held 0\n");
	names_expect_fault(text.data, 254, "the first word is too long for a method of HTTP");
}

/* Seen as HTTP, but not the way that everybody sees it. */
static void requests_that_only_some_take(void **state)
{
	static const char *const lines[] = {
		"GET  / HTTP/1.1", "GET / HTTP/1.1 ",  "GET\t/ HTTP/1.1",  "GET /\tHTTP/1.1",
		"GET /\vHTTP/1.1", "GET\r/\rHTTP/1.1", "GET / x HTTP/1.1", "GET /\xa0HTTP/1.1",
		"GET / HTTP/1.1x", "GET /  HTTP/1.1",  "GET / HTTP/1.1\r", "GET / http/1.1",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(lines); i++) {
		const char *text = names_join(lines[i], "\r\nHost: a\r\n\r\n");

		names_expect_fault(text, strlen(text), NULL);
	}
}

static void control_characters_in_the_request(void **state)
{
	(void)state;
	names_expect_fault("GET /\0", 6, "a control character stands in an HTTP request");
	names_expect_fault("GET / \x01", 7, "a control character stands in an HTTP request");
	names_expect_fault("GET /\x7f", 6, "a control character stands in an HTTP request");
}

/* --- HTTP/0.9 ------------------------------------------------------------------------------- */

static void request_of_one_line(void **state)
{
	static const char *const lines[] = {"GET /\r\n",
					    "GET /\n",
					    "GET / \r\n",
					    "GET  /\n",
					    "GET http://a.test/\r\n",
					    "GET /a b\r\n",
					    "GET / HTTP\r\n"};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(lines); i++) {
		size_t n = strlen(lines[i]);

		names_expect(lines[i], n, "missing %zu %zu\nheld 0\n", n,
			     n - names_harmless(lines[i]));
	}
}

/* --- the end of the stream ------------------------------------------------------------------ */

static enum hv_server_name_event end_after(const char *text)
{
	struct hv_server_name_reader *reader = hv_server_name_new();
	enum hv_server_name_event event;
	size_t size = strlen(text), used;

	assert_non_null(reader);
	for (size_t at = 0; at < size; at += used)
		hv_server_name_feed(reader, (const uint8_t *)text + at, size - at, &used);
	event = hv_server_name_end(reader);
	if (event == HV_SERVER_NAME_DONE)
		assert_int_equal(hv_server_name_held(reader), 0);
	else
		assert_non_null(hv_server_name_fault(reader));
	hv_server_name_free(reader);
	return event;
}

/* A server may take the end of the stream for the end of a line, and of a head. */
static void end_of_stream(void **state)
{
	(void)state;
	assert_int_equal(end_after(""), HV_SERVER_NAME_DONE);
	assert_int_equal(end_after("hello"), HV_SERVER_NAME_DONE);
	assert_int_equal(end_after("hello you"), HV_SERVER_NAME_DONE);
	assert_int_equal(end_after("\x16"), HV_SERVER_NAME_DONE);
	assert_int_equal(end_after("\x80\x2e\x01"), HV_SERVER_NAME_DONE);
	assert_int_equal(end_after("\r\n"), HV_SERVER_NAME_DONE);
	assert_int_equal(end_after("\xff"), HV_SERVER_NAME_DONE);
	assert_int_equal(end_after("\x16\x03\x01"), HV_SERVER_NAME_UNREADABLE);
	assert_int_equal(end_after("GET /"), HV_SERVER_NAME_MISSING);
	assert_int_equal(end_after("GET / HTTP/1.0"), HV_SERVER_NAME_UNREADABLE);
	assert_int_equal(end_after("GET / HTTP/1.0\r\nHost: a\r\n"), HV_SERVER_NAME_UNREADABLE);
	assert_int_equal(end_after("GET / HTTP/1.0\r\nHost: a\r\n\r\n"), HV_SERVER_NAME_DONE);
	assert_int_equal(
		end_after("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET /"),
		HV_SERVER_NAME_UNREADABLE);
	assert_int_equal(end_after(
				 "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET"),
			 HV_SERVER_NAME_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_protocols),
		cmocka_unit_test(any_first_byte),
		cmocka_unit_test(blanks_are_not_held),
		cmocka_unit_test(harmless_words_are_not_held),
		cmocka_unit_test(too_many_blanks),
		cmocka_unit_test(white_space_before_the_request),
		cmocka_unit_test(proxy_protocol),
		cmocka_unit_test(method_that_is_too_long),
		cmocka_unit_test(requests_that_only_some_take),
		cmocka_unit_test(control_characters_in_the_request),
		cmocka_unit_test(request_of_one_line),
		cmocka_unit_test(end_of_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
