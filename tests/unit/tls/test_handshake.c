/* Handshakes: versions, groups, protocols, key log, bytes in any portion; and what is no handshake at all. */
#include "tls/raw.h"

#include <stdio.h>
#include <string.h>

static void test_connects(void **state)
{
	struct pair p;
	struct haven_tls_info info;

	(void)state;
	pair_init(&p);
	pair_connect(&p, "a.test");
	info = info_of(&p, CLIENT);
	assert_int_equal(info.version, HAVEN_TLS_1_3);
	assert_string_equal(info.version_name, "TLSv1.3");
	assert_string_equal(info.cipher, "TLS_AES_256_GCM_SHA384");
	assert_string_equal(info.group, "x25519");
	assert_string_equal(info.alpn, "");
	assert_true(info.connected && info.verified);
	assert_false(info.resumed);
	assert_int_equal(info.certificate_count, 1);
	assert_string_equal(info_of(&p, SERVER).server_name, "a.test");
	assert_false(info_of(&p, SERVER).verified);
	expect_message(&p, CLIENT, "hello, server");
	expect_message(&p, SERVER, "hello, client");
	pair_finish(&p);
}

static void test_tls_1_2(void **state)
{
	struct pair p;
	struct haven_tls_info info;

	(void)state;
	pair_init(&p);
	p.config[SERVER].max_version = HAVEN_TLS_1_2;
	pair_connect(&p, "a.test");
	info = info_of(&p, CLIENT);
	assert_int_equal(info.version, HAVEN_TLS_1_2);
	assert_string_equal(info.cipher, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
	assert_true(info.verified);
	expect_message(&p, CLIENT, "hello, server");
	expect_message(&p, SERVER, "hello, client");
	pair_finish(&p);
}

static void test_no_common_version(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.config[SERVER].max_version = HAVEN_TLS_1_2;
	p.config[CLIENT].min_version = HAVEN_TLS_1_3;
	pair_open(&p, "a.test");
	pair_run(&p);
	expect_error(
		&p, SERVER, HAVEN_TLS_ERROR_VERSION,
		"no version of TLS in common with the peer; here it is TLS 1.2 to TLS 1.2");
	expect_error(&p, CLIENT, HAVEN_TLS_ERROR_VERSION,
		     "the peer speaks none of TLS 1.3 to TLS 1.3 (alert 'protocol version')");
	assert_int_equal(haven_tls_write(p.end[CLIENT], "x", 1), -EBADMSG);
	assert_int_equal(haven_tls_read(p.end[CLIENT], &p, 1), -EBADMSG);
	assert_true(haven_tls_events(p.end[CLIENT]) & HAVEN_EVENT_ERROR);
	pair_finish(&p);
}

/* A peer as old as 2011. */
static void old_peer(struct raw *raw)
{
	SSL_CTX_set_security_level(raw->context, 0);
	SSL_CTX_set_min_proto_version(raw->context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(raw->context, TLS1_1_VERSION);
	SSL_CTX_set_cipher_list(raw->context, "ALL:@SECLEVEL=0");
}

static void test_old_client(void **state)
{
	struct pair p;
	struct raw raw;

	(void)state;
	pair_init(&p);
	raw_init(&raw, &p, CLIENT);
	old_peer(&raw);
	raw_open(&raw, CLIENT);
	pair_open_one(&p, SERVER, NULL);
	raw_run(&raw, &p, SERVER);
	expect_error(&p, SERVER, HAVEN_TLS_ERROR_VERSION,
		     "the peer offers TLS 1.1 at most; TLS 1.2 is needed");
	raw_finish(&raw);
	pair_finish(&p);
}

static void test_old_server(void **state)
{
	/* ServerHello of TLS 1.1: what a server says that does not know better. */
	static const uint8_t hello[] = {22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2};
	uint8_t bytes[5 + 42] = {0};
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_open_one(&p, CLIENT, "a.test");
	memcpy(bytes, hello, sizeof(hello));
	assert_int_equal(haven_tls_input(p.end[CLIENT], bytes, sizeof(bytes)), -EBADMSG);
	expect_error(&p, CLIENT, HAVEN_TLS_ERROR_VERSION,
		     "the peer chose TLS 1.1; TLS 1.2 is needed");
	pair_finish(&p);
}

static void test_no_common_cipher(void **state)
{
	struct pair p;
	struct raw raw;

	(void)state;
	pair_init(&p);
	raw_init(&raw, &p, CLIENT);
	SSL_CTX_set_max_proto_version(raw.context, TLS1_2_VERSION);
	/* No forward secrecy: not with us. */
	assert_int_equal(SSL_CTX_set_cipher_list(raw.context, "AES128-GCM-SHA256"), 1);
	raw_open(&raw, CLIENT);
	pair_open_one(&p, SERVER, NULL);
	raw_run(&raw, &p, SERVER);
	expect_error(&p, SERVER, HAVEN_TLS_ERROR_NO_CIPHER, "no cipher in common");
	raw_finish(&raw);
	pair_finish(&p);
}

/* The client's first key share is of a group that the server does not have (RFC 8446 section 4.1.4). */
static void test_hello_retry_request(void **state)
{
	struct pair p;
	struct raw raw;

	(void)state;
	pair_init(&p);
	raw_init(&raw, &p, CLIENT);
	assert_int_equal(SSL_CTX_set1_groups_list(raw.context, "P-521:P-384"), 1);
	raw_open(&raw, CLIENT);
	pair_open_one(&p, SERVER, NULL);
	raw_run(&raw, &p, SERVER);
	assert_int_equal(haven_tls_error(p.end[SERVER])->code, HAVEN_TLS_ERROR_NONE);
	assert_true(info_of(&p, SERVER).connected);
	assert_string_equal(info_of(&p, SERVER).group, "secp384r1");
	raw_finish(&raw);
	pair_finish(&p);
}

/* And the other way round: the server asks ours to try again. */
static void test_hello_retry_request_of_server(void **state)
{
	struct pair p;
	struct raw raw;

	(void)state;
	pair_init(&p);
	raw_init(&raw, &p, SERVER);
	assert_int_equal(SSL_CTX_set1_groups_list(raw.context, "P-384"), 1);
	raw_open(&raw, SERVER);
	pair_open_one(&p, CLIENT, "a.test");
	raw_run(&raw, &p, CLIENT);
	assert_true(info_of(&p, CLIENT).connected);
	assert_string_equal(info_of(&p, CLIENT).group, "secp384r1");
	raw_finish(&raw);
	pair_finish(&p);
}

static void test_no_common_group(void **state)
{
	struct pair p;
	struct raw raw;

	(void)state;
	pair_init(&p);
	raw_init(&raw, &p, CLIENT);
	SSL_CTX_set_min_proto_version(raw.context, TLS1_3_VERSION);
	assert_int_equal(SSL_CTX_set1_groups_list(raw.context, "P-521"), 1);
	raw_open(&raw, CLIENT);
	pair_open_one(&p, SERVER, NULL);
	raw_run(&raw, &p, SERVER);
	expect_error(&p, SERVER, HAVEN_TLS_ERROR_NO_CIPHER, "no group for the key exchange");
	raw_finish(&raw);
	pair_finish(&p);
}

/* --- ALPN ---------------------------------------------------------------------------------------- */

static const char *const h2_http[] = {"h2", "http/1.1"};
static const char *const http_h2[] = {"http/1.1", "h2"};
static const char *const smtp[] = {"smtp"};

static void alpn(struct pair *p, const char *const *client, unsigned clients,
		 const char *const *server, unsigned servers)
{
	pair_init(p);
	p->config[CLIENT].alpn = client;
	p->config[CLIENT].alpn_count = clients;
	p->config[SERVER].alpn = server;
	p->config[SERVER].alpn_count = servers;
	pair_open(p, "a.test");
	pair_run(p);
}

static void test_alpn(void **state)
{
	struct pair p;

	(void)state;
	/* The server's order counts. */
	alpn(&p, h2_http, 2, http_h2, 2);
	assert_string_equal(info_of(&p, CLIENT).alpn, "http/1.1");
	assert_string_equal(info_of(&p, SERVER).alpn, "http/1.1");
	pair_finish(&p);
	/* One of them has no list: none is agreed upon. */
	alpn(&p, NULL, 0, http_h2, 2);
	assert_true(info_of(&p, CLIENT).connected);
	assert_string_equal(info_of(&p, CLIENT).alpn, "");
	pair_finish(&p);
	alpn(&p, h2_http, 2, NULL, 0);
	assert_true(info_of(&p, CLIENT).connected);
	assert_string_equal(info_of(&p, SERVER).alpn, "");
	pair_finish(&p);
}

static void test_alpn_nothing_in_common(void **state)
{
	struct pair p;

	(void)state;
	alpn(&p, smtp, 1, http_h2, 2);
	expect_error(&p, SERVER, HAVEN_TLS_ERROR_NO_ALPN,
		     "the client speaks none of our application protocols");
	expect_error(&p, CLIENT, HAVEN_TLS_ERROR_NO_ALPN,
		     "the peer speaks none of our application protocols");
	pair_finish(&p);
}

static int choose_smtp(SSL *ssl, const unsigned char **out, unsigned char *size,
		       const unsigned char *theirs, unsigned theirs_size, void *user)
{
	(void)ssl;
	(void)theirs;
	(void)theirs_size;
	(void)user;
	*out = (const unsigned char *)"smtp";
	*size = 4;
	return SSL_TLSEXT_ERR_OK;
}

static void test_alpn_not_offered(void **state)
{
	struct pair p;
	struct raw raw;

	(void)state;
	pair_init(&p);
	p.config[CLIENT].alpn = h2_http;
	p.config[CLIENT].alpn_count = 2;
	raw_init(&raw, &p, SERVER);
	SSL_CTX_set_alpn_select_cb(raw.context, choose_smtp, NULL);
	raw_open(&raw, SERVER);
	pair_open_one(&p, CLIENT, "a.test");
	raw_run(&raw, &p, CLIENT);
	assert_int_equal(haven_tls_error(p.end[CLIENT])->code, HAVEN_TLS_ERROR_PROTOCOL);
	raw_finish(&raw);
	pair_finish(&p);
}

/* --- key log ---------------------------------------------------------------------------------------- */

struct log {
	int64_t wall; /* the clock's, which comes first */
	unsigned lines;
	char first[256];
};

static void log_line(void *user, const char *line)
{
	struct log *log = user;

	if (!log->lines++)
		snprintf(log->first, sizeof(log->first), "%s", line);
}

static void key_log(enum haven_tls_version version, unsigned lines, const char *label)
{
	struct log log = {.wall = TEST_NOW};
	struct pair p;

	pair_init(&p);
	p.config[CLIENT].key_log = log_line;
	p.config[CLIENT].user = &log;
	p.config[CLIENT].max_version = version;
	pair_connect(&p, "a.test");
	assert_int_equal(log.lines, lines);
	assert_memory_equal(log.first, label, strlen(label));
	pair_finish(&p);
}

static void test_key_log(void **state)
{
	(void)state;
	key_log(HAVEN_TLS_1_2, 1, "CLIENT_RANDOM ");
	/* Handshake and application, both ways, and the exporter's. */
	key_log(HAVEN_TLS_1_3, 5, "SERVER_HANDSHAKE_TRAFFIC_SECRET ");
}

/* --- portions ------------------------------------------------------------------------------------------ */

static void test_byte_by_byte(void **state)
{
	(void)state;
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		for (size_t step = 1; step <= 7; step += 3) {
			struct pair p;

			pair_init(&p);
			p.step = step;
			p.config[SERVER].max_version = (enum haven_tls_version)version;
			pair_connect(&p, "a.test");
			expect_message(&p, CLIENT, "one byte at a time");
			expect_message(&p, SERVER, "and back");
			pair_finish(&p);
		}
	}
}

/* A stream that ends at any place of the handshake: never connected, never without a reason. */
static void cut_after(struct pair *p, int from, uint64_t bytes)
{
	pair_open(p, "a.test");
	p->step = 1;
	while (p->carried[from] < bytes) {
		size_t moved = pair_carry(p, from);

		if (!moved && !pair_carry(p, !from))
			break;
	}
	p->step = 0;
	haven_tls_input_end(p->end[!from], 0);
	if (!info_of(p, !from).connected)
		expect_error(p, !from, HAVEN_TLS_ERROR_HUNG_UP,
			     bytes ? "in the middle of the handshake"
				   : "before it said anything");
	else
		expect_error(p, !from, HAVEN_TLS_ERROR_TRUNCATED, "without close_notify");
	pair_close(p);
}

static void test_cut_anywhere(void **state)
{
	struct pair p;
	uint64_t total[2];

	(void)state;
	pair_init(&p);
	p.config[CLIENT].no_resumption = true; /* each as the first */
	pair_connect(&p, "a.test");
	memcpy(total, p.carried, sizeof(total));
	pair_close(&p);
	for (int from = 0; from < 2; from++) {
		for (uint64_t bytes = 0; bytes < total[from]; bytes += bytes % 5 ? 1 : 3)
			cut_after(&p, from, bytes);
	}
	pair_finish(&p);
}

/* --- no TLS -------------------------------------------------------------------------------------------- */

static void not_tls(int end, const char *said, size_t size, const char *text)
{
	struct pair p;

	pair_init(&p);
	pair_open_one(&p, end, end == CLIENT ? "a.test" : NULL);
	assert_int_equal(haven_tls_input(p.end[end], said, size), -EBADMSG);
	expect_error(&p, end, HAVEN_TLS_ERROR_NOT_TLS, text);
	pair_finish(&p);
}

static void test_not_tls(void **state)
{
	static const char http[] = "HTTP/1.1 400 Bad Request\r\nServer: x\r\n";
	static const char get[] = "GET / HTTP/1.1\r\n";
	static const char ssh[] =
		"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3 and a very long line\n";
	static const char bytes[] = "\x00\x01\xff\x7f";
	static const char ssl2[] = "\x80\x2e\x01\x00\x02";

	(void)state;
	not_tls(CLIENT, http, sizeof(http) - 1,
		"the peer does not speak TLS: it said 'HTTP/1.1 400 Bad Request'");
	not_tls(SERVER, get, sizeof(get) - 1, "it said 'GET / HTTP/1.1'");
	not_tls(CLIENT, ssh, sizeof(ssh) - 1, "it said 'SSH-2.0-OpenSSH_9.2p1 Debian");
	not_tls(CLIENT, bytes, 4, "its first bytes are 00 01 ff 7f");
	not_tls(SERVER, ssl2, 5, "its first bytes are 80 2e 01 00 02");
	not_tls(SERVER, "\x16\x04", 2, "its first bytes are 16 04");
	not_tls(SERVER, "G", 1, "it said 'G'");
}

/* TLS to begin with, and then rubbish: refused with an alert, whatever it is. */
static void test_rubbish(void **state)
{
	struct test_random random;

	(void)state;
	test_random_init(&random, 7);
	for (int round = 0; round < 200; round++) {
		struct pair p;
		uint8_t bytes[300];
		int end = round & 1;
		ssize_t result;

		pair_init(&p);
		pair_open_one(&p, end, end == CLIENT ? "a.test" : NULL);
		test_random_fill(&random, bytes, sizeof(bytes));
		bytes[0] = 22;
		bytes[1] = bytes[2] = 3;
		bytes[3] = (uint8_t)(bytes[3] % 2); /* up to 511 bytes in the record */
		result = haven_tls_input(p.end[end], bytes, sizeof(bytes));
		assert_true(result == -EBADMSG || result == (ssize_t)sizeof(bytes));
		assert_false(haven_tls_events(p.end[end]) & HAVEN_EVENT_CONNECTED);
		pair_finish(&p);
	}
}

static void test_time_out(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_open(&p, "a.test");
	assert_int_equal(haven_tls_deadline(p.end[SERVER]), p.now_ns + UINT64_C(10000000000));
	haven_tls_poll(p.end[SERVER], p.now_ns + UINT64_C(9999999999));
	assert_int_equal(haven_tls_error(p.end[SERVER])->code, HAVEN_TLS_ERROR_NONE);
	haven_tls_poll(p.end[SERVER], p.now_ns + UINT64_C(10000000000));
	expect_error(&p, SERVER, HAVEN_TLS_ERROR_TIMEOUT,
		     "the handshake was not complete after 10 s: the peer said nothing");
	assert_int_equal(haven_tls_read(p.end[SERVER], &p, 1), -ETIMEDOUT);
	assert_int_equal(haven_tls_deadline(p.end[SERVER]), UINT64_MAX);
	pair_close(&p);

	pair_open(&p, "a.test");
	p.step = 20;
	pair_carry(&p, CLIENT);
	haven_tls_poll(p.end[SERVER], p.now_ns + UINT64_C(10000000000));
	expect_error(&p, SERVER, HAVEN_TLS_ERROR_TIMEOUT,
		     "the peer stopped in the middle of it");
	pair_close(&p);

	/* Once connected there is none. */
	p.step = 0;
	pair_connect(&p, "a.test");
	assert_int_equal(haven_tls_deadline(p.end[SERVER]), UINT64_MAX);
	haven_tls_poll(p.end[SERVER], UINT64_MAX - 1);
	assert_int_equal(haven_tls_error(p.end[SERVER])->code, HAVEN_TLS_ERROR_NONE);
	pair_finish(&p);
}

/* ClientHellos that never end: a message may be 131 kB for all that OpenSSL cares. */
static void test_handshake_limit(void **state)
{
	uint8_t record[5 + 16384] = {22, 3, 1, 64, 0, 1, 1, 255, 255, 3, 3};
	struct pair p;
	uint64_t taken = 0;

	(void)state;
	pair_init(&p);
	p.config[SERVER].handshake_bytes = 50000;
	pair_open_one(&p, SERVER, NULL);
	for (int i = 0; i < 10; i++) {
		ssize_t result = haven_tls_input(p.end[SERVER], record, sizeof(record));

		if (result < 0)
			break;
		taken += (uint64_t)result;
		memset(record + 5, 0, sizeof(record) - 5);
	}
	expect_error(&p, SERVER, HAVEN_TLS_ERROR_LIMIT, "larger than 50000 bytes");
	assert_true(taken <= 50000);
	pair_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connects),
		cmocka_unit_test(test_tls_1_2),
		cmocka_unit_test(test_no_common_version),
		cmocka_unit_test(test_old_client),
		cmocka_unit_test(test_old_server),
		cmocka_unit_test(test_no_common_cipher),
		cmocka_unit_test(test_hello_retry_request),
		cmocka_unit_test(test_hello_retry_request_of_server),
		cmocka_unit_test(test_no_common_group),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_alpn_nothing_in_common),
		cmocka_unit_test(test_alpn_not_offered),
		cmocka_unit_test(test_key_log),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_not_tls),
		cmocka_unit_test(test_rubbish),
		cmocka_unit_test(test_time_out),
		cmocka_unit_test(test_handshake_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
