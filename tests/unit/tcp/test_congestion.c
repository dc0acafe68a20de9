/* What congestion control algorithms share: RFC 2861, 3465, 5681, 6928; NewReno, and none. */
#include "tcp/fixture.h"

#include "tcp/tcp_congestion.h"

static uint8_t bytes[200000];

/* Everything sent so far is acknowledged. */
static void ack_all(struct script *s)
{
	script_in(s, FLAGS_A, 1, s->conn->snd_max - s->host_iss, NULL, 0);
	script_skip(s);
}

static void test_names(void **state)
{
	(void)state;
	assert_ptr_equal(hv_tcp_congestion_find("cubic"), &hv_tcp_cubic);
	assert_ptr_equal(hv_tcp_congestion_find("reno"), &hv_tcp_reno);
	assert_ptr_equal(hv_tcp_congestion_find("newreno"), &hv_tcp_reno);
	assert_ptr_equal(hv_tcp_congestion_find("none"), &hv_tcp_none);
	assert_null(hv_tcp_congestion_find(""));
	assert_null(hv_tcp_congestion_find("cubi"));
	assert_null(hv_tcp_congestion_find("bbr"));
	for (int i = 0; hv_tcp_congestion_at(i); i++) {
		const char *name = hv_tcp_congestion_name(i);

		assert_int_equal(hv_tcp_congestion_number(name), i);
		assert_ptr_equal(hv_tcp_congestion_find(name), hv_tcp_congestion_at(i));
		assert_true(strlen(name) < 16);
	}
	assert_null(hv_tcp_congestion_at(-1));
	assert_null(hv_tcp_congestion_at(100));
	assert_int_equal(hv_tcp_congestion_number("bbr"), -ENOENT);
}

/* RFC 6928: ten segments, but no more than 14600 bytes, and two in any case. */
static void test_initial_window(void **state)
{
	static const struct {
		uint16_t mss;
		uint32_t window;
	} cases[] = {{536, 5360},   {1000, 10000}, {1448, 14480}, {1460, 14600},
		     {2000, 14600}, {7300, 14600}, {9000, 18000}, {65000, 130000}};
	struct script *s = *state;

	script_accept(s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s->conn->mss = cases[i].mss;
		hv_tcp_congestion_start(s->conn, false);
		assert_int_equal(s->conn->cwnd, cases[i].window);
		assert_int_equal(s->conn->ssthresh, HV_TCP_CWND_MAX);
		hv_tcp_congestion_start(s->conn, true); /* RFC 5681 section 3.1 */
		assert_int_equal(s->conn->cwnd, cases[i].mss);
	}
}

/* RFC 3465: what is acknowledged counts, not how many ACKs say it. */
static void test_bytes_count(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 100000);
	script_skip(s);
	script_in(s, FLAGS_A, 1, 101, NULL, 0);
	assert_int_equal(s->conn->cwnd, 10100);
	script_in(s, FLAGS_A, 1, 8001, NULL, 0);
	assert_int_equal(s->conn->cwnd, 18000);
	script_skip(s);
	/* Up to ssthresh, and what is left counts for congestion avoidance. */
	s->conn->ssthresh = 19000;
	script_in(s, FLAGS_A, 1, 10001, NULL, 0);
	assert_int_equal(s->conn->cwnd, 19000);
	assert_int_equal(s->conn->cwnd_acked, 1000);
}

/* After a time-out an ACK counts for one segment only: RFC 3465 section 2.3. */
static void test_bytes_after_timeout(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 50000);
	script_skip(s);
	script_wait_ms(s, 1100);
	script_skip(s);
	assert_int_equal(s->conn->cwnd, 1000);
	assert_int_equal(s->conn->ssthresh, 5000);
	script_in(s, FLAGS_A, 1, 4001, NULL, 0);
	assert_int_equal(s->conn->cwnd, 2000);
}

/* An idle window is halved for each RTO (RFC 2861), down to the initial one (RFC 5681 section 4.1). */
static void test_idle(void **state)
{
	struct script *s = *state;

	script_accept(s);
	s->conn->cwnd = 60000;
	s->conn->ssthresh = 20000;
	script_wait_ms(s, 150); /* the RTO is 200 */
	script_send(s, bytes, 1000);
	assert_int_equal(s->conn->cwnd, 60000);
	ack_all(s);
	script_wait_ms(s, 500);
	script_send(s, bytes, 50000);
	assert_int_equal(s->conn->cwnd, 15000);
	assert_int_equal(s->conn->ssthresh, 45000); /* slow start back to three quarters */
	script_out(s, FLAGS_A, 1001, 1, 15000);
	script_quiet(s);
	ack_all(s);
	while (s->conn->snd_una != s->conn->snd_max)
		ack_all(s);
	script_wait_ms(s, 30000);
	script_send(s, bytes, 50000);
	script_skip(s);
	assert_int_equal(s->conn->cwnd, 10000);
}

/* Slow start goes on while half of the window is in use, even if its end is never met. */
static void test_half_used(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 6000); /* of 10000 */
	script_skip(s);
	ack_all(s);
	assert_int_equal(s->conn->cwnd, 16000);
	script_send(s, bytes, 6000);
	script_skip(s);
	ack_all(s);
	assert_int_equal(s->conn->cwnd, 16000);
	/* Congestion avoidance does not. */
	s->conn->ssthresh = 10000;
	for (unsigned i = 0; i < 20; i++) {
		script_send(s, bytes, 15000);
		script_skip(s);
		ack_all(s);
	}
	assert_int_equal(s->conn->cwnd, 16000);
}

/* RFC 2861: a window that was not used for an RTO comes down half of the way to what was. */
static void test_application_limited(void **state)
{
	struct script *s = *state;

	script_accept(s);
	s->conn->cwnd = 100000;
	s->conn->ssthresh = 50000;
	for (unsigned i = 0; i < 6; i++) { /* the last one an RTO after the first */
		script_send(s, bytes, 20000);
		script_skip(s);
		script_wait_ms(s, 50);
		ack_all(s);
	}
	assert_int_equal(s->conn->cwnd, 60000);
	assert_int_equal(s->conn->ssthresh, 75000);
	/* Not where the application would send, but the peer's window is full. */
	s->conn->cwnd = 100000;
	s->peer_window = 10000;
	ack_all(s);
	host_send(s->conn, bytes, sizeof(bytes));
	for (unsigned i = 0; i < 4; i++) {
		hv_tcp_flush(&s->host.tcp);
		script_skip(s);
		script_wait_ms(s, 60);
		ack_all(s);
	}
	assert_int_equal(s->conn->cwnd, 100000);
}

static void test_undo(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_congestion_undo(s->conn); /* nothing to undo */
	assert_int_equal(s->conn->cwnd, 10000);
	script_send(s, bytes, 50000);
	script_skip(s);
	script_wait_ms(s, 1100);
	script_skip(s);
	assert_int_equal(s->conn->cwnd, 1000);
	hv_tcp_congestion_undo(s->conn);
	assert_int_equal(s->conn->cwnd, 10000);
	assert_int_equal(s->conn->ssthresh, HV_TCP_CWND_MAX);
	s->conn->cwnd = 5000;
	hv_tcp_congestion_undo(s->conn); /* once */
	assert_int_equal(s->conn->cwnd, 5000);
}

/* No window of ours: the peer's decides, and a loss is repaired without slowing down. */
static void test_none(void **state)
{
	struct script *s = *state;

	s->syn.sack_permitted = true;
	script_accept(s);
	hv_tcp_congestion_set(s->conn, &hv_tcp_none);
	s->peer_window = 60000;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_send(s, bytes, 100000);
	script_out(s, FLAGS_A, 1, 1, 60000);
	script_quiet(s);
	script_wait_ms(s, 2000);
	script_skip(s);
	assert_true(s->host.tcp.retransmits >= 60); /* all of it at once */
	script_in(s, FLAGS_A, 1, 50001, NULL, 0);
	script_out(s, FLAGS_PA, 60001, 1, 40000);
	assert_int_equal(s->conn->cwnd, HV_TCP_CWND_MAX);
	/* Back under control: nothing is known of the path. */
	hv_tcp_congestion_set(s->conn, &hv_tcp_cubic);
	assert_int_equal(s->conn->cwnd, 10000);
	hv_tcp_congestion_set(s->conn, &hv_tcp_reno);
	assert_int_equal(s->conn->cwnd, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		SCRIPT_TEST(test_initial_window),
		SCRIPT_TEST(test_bytes_count),
		SCRIPT_TEST(test_bytes_after_timeout),
		SCRIPT_TEST(test_idle),
		SCRIPT_TEST(test_half_used),
		SCRIPT_TEST(test_application_limited),
		SCRIPT_TEST(test_undo),
		SCRIPT_TEST(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
