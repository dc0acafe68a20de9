/* How TLS on a socket ends: in order, cut short, refused, given up. */
#include "tls_support.h"

/* What was sent before haven_close() arrives whole, though it did not fit into the connection's buffer. */
static void test_close_delivers(void **state)
{
	struct transfer t = {0};
	struct secure s;
	size_t size;
	int small = 4096;
	ssize_t put;

	(void)state;
	secure_init(&s, &(struct world_options){.fault = "delay=20ms rate=1mbit"});
	secure_connect(&s);
	haven_setsockopt(s.client, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	do {
		const uint8_t *data = pattern_at(t.sent, &size);

		put = haven_send(s.client, data, size, 0);
		if (put > 0)
			t.sent += (uint64_t)put;
	} while (put > 0);
	assert_int_equal(put, -EAGAIN);
	assert_true(haven_send_queued(s.client) > 4096);
	haven_close(s.client);
	assert_int_equal(stats_of(&s.w, LEFT).sockets, 1);
	t.to = s.server;
	t.total = t.sent;
	t.ended = true;
	{
		struct both both = {.w = &s.w, .up = t};

		both.down = (struct transfer){.from = s.server, .to = s.server};
		both.down.saw_end = true;
		world_run(&s.w, both_done, &both, 120 * SECOND);
	}
	haven_close(s.server);
	world_pass(&s.w, 300 * SECOND);
	drain(&s.w);
	assert_int_equal(stats_of(&s.w, LEFT).sockets, 0);
	secure_finish(&s);
}

static void test_half_close(void **state)
{
	struct secure s;
	char got[8];

	(void)state;
	secure_init(&s, &(struct world_options){0});
	secure_connect(&s);
	assert_int_equal(haven_send(s.client, "?", 1, 0), 1);
	assert_int_equal(haven_shutdown(s.client, SHUT_WR), 0);
	assert_int_equal(haven_send(s.client, "x", 1, 0), -EPIPE);
	wait_for(&s.w, s.server, HAVEN_EVENT_READABLE);
	assert_int_equal(haven_recv(s.server, got, sizeof(got), 0), 1);
	/* TLS sees the end when all before it is read. */
	assert_true(haven_socket_events(s.server) & HAVEN_EVENT_PEER_CLOSED);
	assert_int_equal(haven_recv(s.server, got, sizeof(got), 0), 0);
	assert_int_equal(haven_send(s.server, "answer", 6, 0), 6);
	wait_for(&s.w, s.client, HAVEN_EVENT_READABLE);
	assert_int_equal(haven_recv(s.client, got, sizeof(got), 0), 6);
	secure_close(&s);
	secure_finish(&s);
}

/* TCP ends, TLS did not: the reader must not take it for the end. */
static void test_truncation(void **state)
{
	struct secure s;
	struct haven_socket *plain;
	char got[8];
	int error;

	(void)state;
	secure_init(&s, &(struct world_options){0});
	secure_contexts(&s);
	connect_pair(&s.w, false, TLS_PORT, &plain, &s.server);
	assert_int_equal(haven_tls_attach(s.server, s.context[RIGHT], NULL, NULL), 0);
	haven_close(plain);
	wait_for(&s.w, s.server, HAVEN_EVENT_ERROR);
	assert_int_equal(haven_recv(s.server, got, sizeof(got), 0), -ECONNABORTED);
	assert_int_equal(error_of(s.server)->code, HAVEN_TLS_ERROR_HUNG_UP);
	error = socket_error(s.server);
	assert_int_equal(error, ECONNABORTED);
	haven_close(s.server);
	world_pass(&s.w, 300 * SECOND);
	secure_finish(&s);
}

static void test_reset(void **state)
{
	struct secure s;
	char byte;

	(void)state;
	secure_init(&s, &(struct world_options){0});
	secure_connect(&s);
	assert_int_equal(haven_send(s.client, "last", 4, 0), 4);
	world_settle(&s.w);
	haven_abort(s.client);
	wait_for(&s.w, s.server, HAVEN_EVENT_READABLE);
	/* A reset throws away what was not read. */
	while (haven_recv(s.server, &byte, 1, 0) == 1)
		;
	assert_int_equal(haven_recv(s.server, &byte, 1, 0), -ECONNRESET);
	assert_int_equal(haven_send(s.server, &byte, 1, 0), -ECONNRESET);
	assert_int_equal(error_of(s.server)->code, HAVEN_TLS_ERROR_TRANSPORT);
	s.client = NULL;
	secure_close(&s);
	secure_finish(&s);
}

/* --- what must not be ---------------------------------------------------------------------------------------- */

static void test_wrong_name(void **state)
{
	struct secure s;
	char byte;

	(void)state;
	secure_init(&s, &(struct world_options){0});
	secure_open(&s, "b.test");
	wait_for(&s.w, s.client, HAVEN_EVENT_ERROR);
	assert_int_equal(error_of(s.client)->code, HAVEN_TLS_ERROR_WRONG_NAME);
	assert_string_equal(error_of(s.client)->text,
			    "certificate is for a.test; asked for b.test");
	assert_int_equal(haven_send(s.client, "secret", 6, 0), -EBADMSG);
	assert_int_equal(haven_recv(s.client, &byte, 1, 0), -EBADMSG);
	/* The alert tells the server. */
	wait_for(&s.w, s.server, HAVEN_EVENT_ERROR);
	assert_int_equal(error_of(s.server)->code, HAVEN_TLS_ERROR_ALERT);
	secure_close(&s);
	secure_finish(&s);
}

/* A peer that connects and says nothing, or stops in the middle, is dropped. */
static void test_stall(void **state)
{
	struct secure s;
	struct haven_socket *plain;

	(void)state;
	for (int said = 0; said < 2; said++) {
		secure_init(&s, &(struct world_options){0});
		secure_contexts(&s);
		connect_pair(&s.w, false, TLS_PORT, &plain, &s.server);
		assert_int_equal(haven_tls_attach(s.server, s.context[RIGHT], NULL, NULL), 0);
		if (said)
			assert_int_equal(haven_send(plain, "\x16\x03\x01\x02\x00\x01", 6, 0),
					 6);
		world_pass(&s.w, 9900 * MILLISECOND);
		drain(&s.w);
		assert_false(haven_socket_events(s.server) & HAVEN_EVENT_ERROR);
		world_pass(&s.w, 200 * MILLISECOND);
		drain(&s.w);
		assert_int_equal(error_of(s.server)->code, HAVEN_TLS_ERROR_TIMEOUT);
		assert_int_equal(socket_error(s.server), ETIMEDOUT);
		haven_close(s.server);
		/* Not with a polite goodbye. */
		wait_events(&s.w, plain, HAVEN_EVENT_ERROR, SECOND);
		assert_int_equal(socket_error(plain), ECONNRESET);
		haven_close(plain);
		world_pass(&s.w, 300 * SECOND);
		secure_finish(&s);
	}
}

/* The stack goes with everything on it, in any state. */
static void test_destroy(void **state)
{
	(void)state;
	for (uint64_t at = 0; at < 8; at++) {
		struct secure s;

		secure_init(&s, &(struct world_options){.fault = "delay=10ms"});
		secure_open(&s, "a.test");
		world_pass(&s.w, at * 10 * MILLISECOND);
		drain(&s.w);
		haven_send(s.client, "unsent", 6, 0);
		secure_finish(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_delivers), cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_truncation),     cmocka_unit_test(test_reset),
		cmocka_unit_test(test_wrong_name),     cmocka_unit_test(test_stall),
		cmocka_unit_test(test_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
