/* ICMP errors about TCP segments: RFC 5927, RFC 9293 section 3.9.2.2, RFC 1191. */
#include "tcp/fixture.h"

static uint8_t bytes[10000];

static void report(struct script *s, int error, bool hard, uint32_t seq)
{
	script_icmp(s, error, hard, s->host.ip.mtu, seq);
}

static void begin_connect(struct script *s)
{
	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
}

static void test_hard_error_in_syn_sent(void **state)
{
	struct script *s = *state;

	begin_connect(s);
	report(s, ECONNREFUSED, true, 5000); /* not of ours */
	assert_state(s->conn, "SYN-SENT");
	report(s, ECONNREFUSED, true, 0);
	assert_state(s->conn, "CLOSED");
	assert_int_equal(hv_tcp_take_error(s->conn), ECONNREFUSED);
	hv_tcp_close(s->conn);
}

static void test_soft_error_in_syn_sent(void **state)
{
	struct script *s = *state;

	begin_connect(s);
	report(s, EHOSTUNREACH, false, 0);
	assert_state(s->conn, "SYN-SENT");
	assert_true(s->host.events & HAVEN_EVENT_SOFT_ERROR);
	assert_int_equal(hv_tcp_soft_error_of(s->conn), EHOSTUNREACH);
	script_wait_ms(s, 250000);
	assert_int_equal(hv_tcp_soft_error_of(s->conn), 0);
	assert_int_equal(hv_tcp_take_error(s->conn), EHOSTUNREACH); /* told at the end */
	script_skip(s);
	hv_tcp_close(s->conn);
}

static void test_established(void **state)
{
	struct script *s = *state;

	script_accept(s);
	host_send(s->conn, bytes, 1000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 1, 1000);
	report(s, ECONNREFUSED, true, 1);
	report(s, EHOSTUNREACH, false, 1);
	assert_state(s->conn, "ESTABLISHED"); /* RFC 5927 section 4.2 */
	assert_true(hv_tcp_conn_events(s->conn) & HAVEN_EVENT_SOFT_ERROR);
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	assert_false(hv_tcp_conn_events(s->conn) & HAVEN_EVENT_SOFT_ERROR);
	assert_int_equal(hv_tcp_soft_error_of(s->conn), 0);
}

static void test_too_big(void **state)
{
	struct script *s = *state;

	s->syn.mss = 1460;
	script_accept(s);
	host_send(s->conn, bytes, 2920);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 1, 2920);
	s->host.ip.mtu = 1000;		  /* ip/ has noted it */
	report(s, EMSGSIZE, false, 9000); /* not in flight: not believed */
	assert_int_equal(s->conn->mss, 1460);
	report(s, EMSGSIZE, false, 1);
	assert_int_equal(s->conn->mss, 960);
	script_out(s, FLAGS_PA, 1, 1, 2920); /* again, in smaller segments */
	assert_true(s->conn->cwnd >= 14600); /* no sign of congestion */
}

static void test_unknown(void **state)
{
	struct script *s = *state;

	script_accept(s);
	s->peer_port++;
	report(s, ECONNREFUSED, true, 1);
	script_quiet(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_hard_error_in_syn_sent),
		SCRIPT_TEST(test_soft_error_in_syn_sent),
		SCRIPT_TEST(test_established),
		SCRIPT_TEST(test_too_big),
		SCRIPT_TEST(test_unknown),
	};

	return cmocka_run_group_tests_name("tcp icmp", tests, NULL, NULL);
}
