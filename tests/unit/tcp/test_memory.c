/* Without memory: the N-th allocation fails, for every N of a whole conversation. Nothing leaks. */
#include "tcp/fixture.h"

#include <stdlib.h>

static uint8_t bytes[5000];

/* Connect, send both ways, out of order too, close. Anything may fail; nothing may break. */
static void converse(struct script *s)
{
	uint8_t data[6000];

	s->syn.sack_permitted = true;
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 2);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_wait_ms(s, 1100);
	if (s->host.ip.sent.count) {
		struct hv_packet *packet = host_take(&s->host);

		s->host_iss = packet->d.seq;
		hv_packet_free(&s->host.core, packet);
	}
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	if (s->listener)
		s->conn = hv_tcp_accept(s->listener);
	if (!s->conn)
		return;
	hv_tcp_set_owner(s->conn, &s->host);
	script_in(s, FLAGS_A, 2001, 1, NULL, 1000);
	script_in(s, FLAGS_A, 1001, 1, NULL, 1000);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	host_read(s->conn, data, sizeof(data));
	host_send(s->conn, bytes, sizeof(bytes));
	hv_tcp_flush(&s->host.tcp);
	script_wait_ms(s, 500);
	script_in(s, FLAGS_FA, s->conn->rcv_nxt - s->peer_iss, s->conn->snd_max - s->host_iss,
		  NULL, 0);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_wait_ms(s, 200000);
}

static void test_every_allocation(void **state)
{
	(void)state;
	for (uint64_t nth = 1;; nth++) {
		struct script *s;
		bool failed;

		assert_int_equal(script_setup((void **)&s), 0);
		test_env_fail(&s->env, nth);
		converse(s);
		failed = test_env_failed(&s->env);
		test_env_fail(&s->env, 0);
		assert_int_equal(script_teardown((void **)&s), 0);
		if (!failed) {
			assert_true(nth > 8);
			break;
		}
	}
}

static void test_random_failures(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		struct script *s;

		assert_int_equal(script_setup((void **)&s), 0);
		s->env.random.state += seed;
		s->env.fail_ppm = 200000;
		converse(s);
		s->env.fail_ppm = 0;
		assert_int_equal(script_teardown((void **)&s), 0);
	}
}

/* Finish in the middle of everything: connections, requests and TIME-WAIT go without a word. */
static void test_finish(void **state)
{
	struct script *s = *state;

	script_accept(s);
	host_send(s->conn, bytes, sizeof(bytes));
	script_in(s, FLAGS_A, 5001, 1, NULL, 1000);
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	host_connect(&s->host, &s->peer, 1);
	assert_int_equal(s->host.tcp.connection_count, 2);
	hv_tcp_listener_close(s->listener);
	s->listener = NULL;
	script_skip(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation),
		cmocka_unit_test(test_random_failures),
		SCRIPT_TEST(test_finish),
	};

	return cmocka_run_group_tests_name("tcp memory", tests, NULL, NULL);
}
