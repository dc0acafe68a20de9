/* What is inside: bytes both ways, held back where nobody takes them, and how streams end. */
#include "tls/raw.h"
#include "tls/tls_state.h"

#include <string.h>

static void begin(struct pair *p, int version)
{
	pair_init(p);
	p->config[SERVER].max_version = (enum haven_tls_version)version;
	pair_connect(p, "a.test");
}

static uint8_t byte_at(uint64_t position)
{
	return (uint8_t)(position * 31 + (position >> 8) + (position >> 16));
}

/* Write as much as goes of a stream of known bytes, at most until `total`. */
static void write_stream(struct pair *p, int from, uint64_t *sent, uint64_t total)
{
	uint8_t bytes[40000];

	for (;;) {
		size_t size =
			total - *sent < sizeof(bytes) ? (size_t)(total - *sent) : sizeof(bytes);
		ssize_t result;

		if (!size)
			return;
		for (size_t i = 0; i < size; i++)
			bytes[i] = byte_at(*sent + i);
		result = haven_tls_write(p->end[from], bytes, size);
		if (result == -EAGAIN)
			return;
		assert_true(result > 0);
		*sent += (uint64_t)result;
	}
}

static void read_stream(struct pair *p, int to, uint64_t *received, size_t portion)
{
	uint8_t bytes[20000];
	ssize_t size;

	while ((size = haven_tls_read(p->end[to], bytes, portion)) > 0) {
		for (ssize_t i = 0; i < size; i++)
			assert_int_equal(bytes[i], byte_at(*received + (uint64_t)i));
		*received += (uint64_t)size;
	}
	assert_true(size == -EAGAIN || size == 0);
}

static void transfer(int version, size_t step, size_t portion)
{
	uint64_t sent[2] = {0}, received[2] = {0}, total = step ? 100000 : 1000000;
	struct pair p;

	begin(&p, version);
	p.step = step;
	while (received[0] < total || received[1] < total) {
		for (int end = 0; end < 2; end++) {
			write_stream(&p, end, &sent[end], total);
			pair_carry(&p, end);
			read_stream(&p, !end, &received[!end], portion);
		}
	}
	pair_finish(&p);
}

static void test_both_ways(void **state)
{
	(void)state;
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		transfer(version, 0, 20000);
		transfer(version, 1000, 20000);
		transfer(version, 0, 1000);
		transfer(version, 17, 7);
	}
}

/* Nobody takes the output: writing stops at the limit, and goes on when there is room again. */
static void test_write_waits(void **state)
{
	struct pair p;
	struct iovec slices[2];
	uint64_t sent = 0, held, received = 0;

	(void)state;
	begin(&p, HAVEN_TLS_1_3);
	held = p.env.live_bytes;
	write_stream(&p, CLIENT, &sent, UINT64_MAX);
	assert_true(haven_tls_output(p.end[CLIENT], slices) <= 64 << 10);
	assert_true(sent >= 32 << 10);
	assert_true(p.env.live_bytes - held <= 64 << 10);
	assert_false(haven_tls_events(p.end[CLIENT]) & HAVEN_EVENT_WRITABLE);
	while (received < sent) {
		pair_carry(&p, CLIENT);
		read_stream(&p, SERVER, &received, 20000);
	}
	assert_true(haven_tls_events(p.end[CLIENT]) & HAVEN_EVENT_WRITABLE);
	/* Memory goes with the bytes. */
	assert_int_equal(p.env.live_bytes, held);
	pair_finish(&p);
}

/* Nobody reads: a record is opened, and nothing more is taken. */
static void test_read_waits(void **state)
{
	struct pair p;
	uint64_t sent = 0, received = 0, held;
	uint8_t first;
	size_t before;

	(void)state;
	begin(&p, HAVEN_TLS_1_3);
	held = p.env.live_bytes;
	write_stream(&p, CLIENT, &sent, 60000);
	before = (size_t)p.carried[CLIENT];
	pair_run(&p);
	assert_true(p.carried[CLIENT] - before < 17000);
	assert_true(haven_tls_events(p.end[SERVER]) & HAVEN_EVENT_READABLE);
	assert_int_equal(pair_carry(&p, CLIENT), 0);
	/* One byte less does not make room for another record. */
	assert_int_equal(haven_tls_read(p.end[SERVER], &first, 1), 1);
	assert_int_equal(first, byte_at(received++));
	assert_int_equal(pair_carry(&p, CLIENT), 0);
	while (received < sent) {
		read_stream(&p, SERVER, &received, 20000);
		pair_carry(&p, CLIENT);
	}
	assert_false(haven_tls_events(p.end[SERVER]) & HAVEN_EVENT_READABLE);
	assert_int_equal(p.env.live_bytes, held);
	pair_finish(&p);
}

static void test_peek(void **state)
{
	struct pair p;
	char bytes[16];

	(void)state;
	begin(&p, HAVEN_TLS_1_3);
	assert_int_equal(haven_tls_peek(p.end[SERVER], bytes, sizeof(bytes)), -EAGAIN);
	haven_tls_write(p.end[CLIENT], "hello", 5);
	pair_run(&p);
	assert_int_equal(haven_tls_peek(p.end[SERVER], bytes, 2), 2);
	assert_int_equal(haven_tls_peek(p.end[SERVER], bytes, sizeof(bytes)), 5);
	assert_int_equal(haven_tls_read(p.end[SERVER], bytes, 3), 3);
	assert_int_equal(haven_tls_peek(p.end[SERVER], bytes, sizeof(bytes)), 2);
	assert_memory_equal(bytes, "lo", 2);
	assert_int_equal(haven_tls_read(p.end[SERVER], bytes, sizeof(bytes)), 2);
	assert_int_equal(haven_tls_read(p.end[SERVER], bytes, sizeof(bytes)), -EAGAIN);
	pair_finish(&p);
}

/* Nothing goes before the handshake is complete; nothing of no bytes goes ever. */
static void test_too_early(void **state)
{
	struct pair p;
	char byte;

	(void)state;
	pair_init(&p);
	pair_open(&p, "a.test");
	assert_int_equal(haven_tls_write(p.end[CLIENT], "x", 1), -EAGAIN);
	assert_int_equal(haven_tls_read(p.end[CLIENT], &byte, 1), -EAGAIN);
	assert_int_equal(haven_tls_shutdown(p.end[CLIENT]), -ENOTCONN);
	assert_int_equal(haven_tls_events(p.end[CLIENT]), 0);
	pair_run(&p);
	assert_int_equal(haven_tls_write(p.end[CLIENT], "", 0), 0);
	assert_int_equal(haven_tls_events(p.end[CLIENT]),
			 HAVEN_EVENT_CONNECTED | HAVEN_EVENT_WRITABLE);
	pair_finish(&p);
}

/* --- ends ------------------------------------------------------------------------------------------------ */

static void test_half_close(void **state)
{
	(void)state;
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		struct pair p;
		char byte;

		begin(&p, version);
		haven_tls_write(p.end[CLIENT], "?", 1);
		assert_int_equal(haven_tls_shutdown(p.end[CLIENT]), 0);
		assert_int_equal(haven_tls_shutdown(p.end[CLIENT]), 0);
		assert_int_equal(haven_tls_write(p.end[CLIENT], "x", 1), -EPIPE);
		pair_run(&p);
		assert_int_equal(haven_tls_read(p.end[SERVER], &byte, 1), 1);
		pair_run(&p);
		assert_int_equal(haven_tls_read(p.end[SERVER], &byte, 1), 0);
		assert_int_equal(haven_tls_read(p.end[SERVER], &byte, 1), 0);
		assert_true(haven_tls_events(p.end[SERVER]) & HAVEN_EVENT_PEER_CLOSED);
		/* The other direction goes on. */
		expect_message(&p, SERVER, "the answer is long");
		assert_int_equal(haven_tls_shutdown(p.end[SERVER]), 0);
		pair_run(&p);
		assert_int_equal(haven_tls_read(p.end[CLIENT], &byte, 1), 0);
		assert_true(haven_tls_events(p.end[CLIENT]) & HAVEN_EVENT_HANGUP);
		/* The transport's end after that is none of our business. */
		haven_tls_input_end(p.end[CLIENT], 0);
		assert_int_equal(haven_tls_read(p.end[CLIENT], &byte, 1), 0);
		/* Nor is what comes behind close_notify. */
		assert_int_equal(haven_tls_input(p.end[CLIENT], "rubbish", 7), 7);
		pair_finish(&p);
	}
}

/* Feed these bytes, reading what comes of them. Returns how many were read. */
static size_t feed(struct haven_tls *tls, const uint8_t *bytes, size_t size)
{
	size_t done = 0, got = 0;
	char text[64];

	while (done < size) {
		ssize_t taken = haven_tls_input(tls, bytes + done, size - done), read;

		assert_true(taken >= 0);
		done += (size_t)taken;
		while ((read = haven_tls_read(tls, text, sizeof(text))) > 0)
			got += (size_t)read;
		assert_true(taken || done == size || read == 0);
	}
	return got;
}

/* The stream is cut after so many of its bytes: whole records are read, and then an error, never the end. Returns whether that was all. */
static bool cut_after(int version, size_t cut)
{
	struct pair p;
	struct iovec slices[2];
	size_t all, got;
	char byte;

	begin(&p, version);
	haven_tls_write(p.end[CLIENT], "0123456789", 10);
	haven_tls_write(p.end[CLIENT], "0123456789", 10);
	haven_tls_shutdown(p.end[CLIENT]);
	all = haven_tls_output(p.end[CLIENT], slices);
	assert_int_equal(all, slices[0].iov_len);
	if (cut > all)
		cut = all;
	got = feed(p.end[SERVER], slices[0].iov_base, cut);
	haven_tls_input_end(p.end[SERVER], 0);
	if (cut == all) {
		assert_int_equal(got, 20);
		assert_int_equal(haven_tls_read(p.end[SERVER], &byte, 1), 0);
	} else {
		assert_int_equal(got % 10, 0);
		assert_int_equal(haven_tls_read(p.end[SERVER], &byte, 1), -ECONNABORTED);
		expect_error(&p, SERVER, HAVEN_TLS_ERROR_TRUNCATED,
			     "the peer ended without close_notify: what was read may be "
			     "incomplete");
	}
	pair_finish(&p);
	return cut == all;
}

static void test_truncation(void **state)
{
	(void)state;
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		size_t cut = 0;

		while (!cut_after(version, cut))
			cut++;
		assert_true(cut > 40);
	}
}

/* What has come before is read first. */
static void test_truncation_behind_data(void **state)
{
	struct pair p;
	char bytes[16];

	(void)state;
	begin(&p, HAVEN_TLS_1_3);
	haven_tls_write(p.end[CLIENT], "hello", 5);
	pair_run(&p);
	haven_tls_input_end(p.end[SERVER], 0);
	assert_int_equal(haven_tls_error(p.end[SERVER])->code, HAVEN_TLS_ERROR_NONE);
	assert_int_equal(haven_tls_read(p.end[SERVER], bytes, 2), 2);
	assert_int_equal(haven_tls_read(p.end[SERVER], bytes, sizeof(bytes)), 3);
	assert_int_equal(haven_tls_read(p.end[SERVER], bytes, sizeof(bytes)), -ECONNABORTED);
	assert_int_equal(haven_tls_read(p.end[SERVER], bytes, sizeof(bytes)), -ECONNABORTED);
	assert_int_equal(haven_tls_write(p.end[SERVER], bytes, 1), -ECONNABORTED);
	pair_finish(&p);
}

static void test_transport_fails(void **state)
{
	struct pair p;
	char byte;

	(void)state;
	begin(&p, HAVEN_TLS_1_3);
	haven_tls_input_end(p.end[SERVER], -ETIMEDOUT);
	assert_int_equal(haven_tls_read(p.end[SERVER], &byte, 1), -ETIMEDOUT);
	expect_error(&p, SERVER, HAVEN_TLS_ERROR_TRANSPORT,
		     "the connection under TLS failed: connection timed out");
	pair_finish(&p);
}

/* A bit turns over on the way: an alert, and the end. */
static void test_corruption(void **state)
{
	(void)state;
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		struct pair p;
		struct iovec slices[2];

		begin(&p, version);
		haven_tls_write(p.end[CLIENT], "hello", 5);
		haven_tls_output(p.end[CLIENT], slices);
		((uint8_t *)slices[0].iov_base)[slices[0].iov_len - 1] ^= 1;
		pair_run(&p);
		expect_error(
			&p, SERVER, HAVEN_TLS_ERROR_PROTOCOL,
			"the peer broke the protocol: decryption failed or bad record mac");
		expect_error(&p, CLIENT, HAVEN_TLS_ERROR_ALERT,
			     "the peer ended it with alert 'bad record mac' (20)");
		pair_finish(&p);
	}
}

/* --- what a peer may do besides ---------------------------------------------------------------------------- */

/* Keys are changed on the peer's wish (RFC 8446 section 4.6.3), also while nobody takes the answers. */
static void test_key_updates(void **state)
{
	struct pair p;
	struct raw raw;
	struct iovec slices[2];
	char got[16];

	(void)state;
	pair_init(&p);
	raw_init(&raw, &p, CLIENT);
	raw_open(&raw, CLIENT);
	pair_open_one(&p, SERVER, NULL);
	raw_run(&raw, &p, SERVER);
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(raw.ssl), 1);
		if (!raw_to_end(&raw, p.end[SERVER]))
			break; /* held back */
		assert_true(haven_tls_output(p.end[SERVER], slices) <= 64 << 10);
	}
	assert_int_equal(haven_tls_error(p.end[SERVER])->code, HAVEN_TLS_ERROR_NONE);
	assert_int_equal(SSL_write(raw.ssl, "hello", 5), 5);
	while (raw_to_end(&raw, p.end[SERVER]) + end_to_raw(p.end[SERVER], &raw))
		;
	assert_int_equal(haven_tls_read(p.end[SERVER], got, sizeof(got)), 5);
	haven_tls_write(p.end[SERVER], "there", 5);
	while (end_to_raw(p.end[SERVER], &raw))
		;
	assert_int_equal(SSL_read(raw.ssl, got, sizeof(got)), 5);
	raw_finish(&raw);
	pair_finish(&p);
}

/* Ours changes its own before it has been used for too long. */
static void test_own_key_update(void **state)
{
	(void)state;
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		struct pair p;
		size_t usual;

		begin(&p, version);
		expect_message(&p, CLIENT, "hello");
		usual = (size_t)p.carried[CLIENT];
		expect_message(&p, CLIENT, "hello");
		usual = (size_t)p.carried[CLIENT] - usual;
		p.end[CLIENT]->records_out = HV_TLS_RECORDS_OF_KEY - 1;
		p.carried[CLIENT] = 0;
		expect_message(&p, CLIENT, "hello");
		/* A KeyUpdate in front: header, 5 bytes, type, tag. */
		assert_int_equal(p.carried[CLIENT],
				 usual + (version == HAVEN_TLS_1_3 ? 5 + 5 + 1 + 16 : 0));
		expect_message(&p, CLIENT, "hello");
		expect_message(&p, SERVER, "hello");
		pair_finish(&p);
	}
}

/* Half of a message of the handshake has come: writing waits for the rest, and then goes on. */
static void test_half_a_key_update(void **state)
{
	struct pair p;
	struct raw raw;
	char *bytes;
	long size;

	(void)state;
	pair_init(&p);
	raw_init(&raw, &p, CLIENT);
	/* One byte of the message in each record. */
	SSL_CTX_set_max_send_fragment(raw.context, 512);
	raw_open(&raw, CLIENT);
	pair_open_one(&p, SERVER, NULL);
	raw_run(&raw, &p, SERVER);
	assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
	assert_int_equal(SSL_do_handshake(raw.ssl), 1);
	size = BIO_get_mem_data(raw.out, &bytes);
	assert_int_equal(haven_tls_input(p.end[SERVER], bytes, (size_t)size - 1), size - 1);
	assert_int_equal(haven_tls_write(p.end[SERVER], "now", 3), 3);
	assert_int_equal(haven_tls_input(p.end[SERVER], bytes + size - 1, 1), 1);
	assert_int_equal(haven_tls_write(p.end[SERVER], "then", 4), 4);
	assert_int_equal(haven_tls_error(p.end[SERVER])->code, HAVEN_TLS_ERROR_NONE);
	raw_finish(&raw);
	pair_finish(&p);
}

/* TLS 1.2: asked to do it all again, the server says no (RFC 5746 has the reason). */
static void test_renegotiation(void **state)
{
	struct pair p;
	struct raw raw;
	char byte;

	(void)state;
	pair_init(&p);
	raw_init(&raw, &p, CLIENT);
	SSL_CTX_set_max_proto_version(raw.context, TLS1_2_VERSION);
	raw_open(&raw, CLIENT);
	pair_open_one(&p, SERVER, NULL);
	raw_run(&raw, &p, SERVER);
	assert_int_equal(SSL_renegotiate(raw.ssl), 1);
	raw_run(&raw, &p, SERVER);
	/* It was a warning, which the client takes for the end. */
	assert_int_equal(haven_tls_error(p.end[SERVER])->code, HAVEN_TLS_ERROR_ALERT);
	assert_true(SSL_read(raw.ssl, &byte, 1) <= 0);
	raw_finish(&raw);
	pair_finish(&p);
}

/* A client that asks for small records has them (RFC 6066 section 4). */
static void test_small_records(void **state)
{
	struct pair p;
	struct raw raw;
	uint64_t sent = 0, received = 0;
	uint8_t bytes[1024];

	(void)state;
	pair_init(&p);
	raw_init(&raw, &p, CLIENT);
	SSL_CTX_set_tlsext_max_fragment_length(raw.context, TLSEXT_max_fragment_length_512);
	raw_open(&raw, CLIENT);
	pair_open_one(&p, SERVER, NULL);
	raw_run(&raw, &p, SERVER);
	write_stream(&p, SERVER, &sent, 200000);
	assert_true(sent > 30000);
	while (received < sent) {
		int size;

		end_to_raw(p.end[SERVER], &raw);
		while ((size = SSL_read(raw.ssl, bytes, sizeof(bytes))) > 0) {
			assert_true(size <= 512);
			received += (uint64_t)size;
		}
	}
	assert_int_equal(haven_tls_error(p.end[SERVER])->code, HAVEN_TLS_ERROR_NONE);
	raw_finish(&raw);
	pair_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_write_waits),
		cmocka_unit_test(test_read_waits),
		cmocka_unit_test(test_peek),
		cmocka_unit_test(test_too_early),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_truncation_behind_data),
		cmocka_unit_test(test_transport_fails),
		cmocka_unit_test(test_corruption),
		cmocka_unit_test(test_key_updates),
		cmocka_unit_test(test_own_key_update),
		cmocka_unit_test(test_half_a_key_update),
		cmocka_unit_test(test_renegotiation),
		cmocka_unit_test(test_small_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
