/* Loss: retransmission timer, fast retransmit, NewReno, round trip times. RFC 5681, 6298, 6582. */
#include "tcp/fixture.h"

#include <netinet/tcp.h>

static uint8_t bytes[200000];

static void test_timeout(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 5000);
	script_out(s, FLAGS_PA, 1, 1, 5000);
	script_wait_ms(s, 190); /* the handshake took no time: RTO is at its least */
	script_quiet(s);
	script_wait_ms(s, 20);
	script_out(s, FLAGS_A, 1, 1, 1000); /* one segment: the loss window */
	assert_int_equal(s->conn->cwnd, 1000);
	assert_int_equal(s->conn->ssthresh, 2500);
	script_quiet(s);
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	script_out(s, FLAGS_A, 1001, 1, 2000);	 /* slow start */
	script_in(s, FLAGS_A, 1, 5001, NULL, 0); /* the others had arrived */
	script_quiet(s);
	assert_int_equal(hv_tcp_send_queued(s->conn), 0);
	assert_int_equal(s->host.tcp.retransmits, 3);
	script_wait_ms(s, 10000);
	script_quiet(s);
}

static void test_backoff(void **state)
{
	struct script *s = *state;
	unsigned wait_ms = 200;

	script_accept(s);
	script_send(s, bytes, 100);
	script_out(s, FLAGS_PA, 1, 1, 100);
	script_wait_ms(s, 10);
	for (unsigned i = 0; i < 15; i++) {
		script_wait_ms(s, wait_ms - 20);
		script_quiet(s);
		script_wait_ms(s, 20);
		script_out(s, FLAGS_PA, 1, 1, 100);
		/* R1, RFC 9293 section 3.8.3: the owner is told, and nothing ends. */
		assert_int_equal(s->host.events & HAVEN_EVENT_SOFT_ERROR,
				 i < 2 ? 0 : HAVEN_EVENT_SOFT_ERROR);
		assert_int_equal(hv_tcp_soft_error_of(s->conn), i < 2 ? 0 : ETIMEDOUT);
		wait_ms = wait_ms * 2 > 120000 ? 120000 : wait_ms * 2;
	}
	assert_state(s->conn, "ESTABLISHED");
	script_wait_ms(s, 121000);
	assert_state(s->conn, "CLOSED");
	assert_int_equal(hv_tcp_take_error(s->conn), ETIMEDOUT);
	script_quiet(s); /* should it come back, its next segment meets a reset */
	hv_tcp_close(s->conn);
}

static void test_user_timeout(void **state)
{
	struct script *s = *state;

	script_accept(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000), 0);
	script_send(s, bytes, 100);
	script_wait_ms(s, 2900);
	assert_state(s->conn, "ESTABLISHED");
	script_wait_ms(s, 200);
	assert_state(s->conn, "CLOSED");
	assert_int_equal(hv_tcp_take_error(s->conn), ETIMEDOUT);
	script_skip(s);
	hv_tcp_close(s->conn);
}

/* A closed window is probed for as long as the user waits, from when it began to matter. */
static void test_user_timeout_of_closed_window(void **state)
{
	struct script *s = *state;

	script_accept(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000), 0);
	s->peer_window = 0;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_wait_ms(s, 60000); /* idle: that does not count */
	script_send(s, bytes, 100);
	for (unsigned i = 0; i < 29; i++) {
		script_wait_ms(s, 100);
		if (script_skip(s))
			script_in(s, FLAGS_A, 1, 1, NULL, 0);
	}
	assert_state(s->conn, "ESTABLISHED");
	script_wait_ms(s, 200);
	assert_state(s->conn, "CLOSED");
	assert_int_equal(hv_tcp_take_error(s->conn), ETIMEDOUT);
	script_skip(s);
	hv_tcp_close(s->conn);
}

/* RFC 9293 section 3.8.6.1: for ever, while the peer answers. */
static void test_closed_window_for_ever(void **state)
{
	struct script *s = *state;
	unsigned probes = 0;

	script_accept(s);
	s->peer_window = 0;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_send(s, bytes, 100);
	for (unsigned i = 0; i < 3600; i++) {
		script_wait_ms(s, 1000);
		if (script_skip(s)) {
			script_in(s, FLAGS_A, 1, 1, NULL, 0);
			probes++;
		}
	}
	assert_state(s->conn, "ESTABLISHED");
	assert_in_range(probes, 60, 75); /* one a minute in the end */
	s->peer_window = 1000;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_PA, 1, 1, 100);
}

/* R1: ip/ is told that nobody answers. */
static void test_advice(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 100);
	script_wait_ms(s, 700);
	assert_int_equal(s->host.ip.suspected, 0);
	script_wait_ms(s, 800);
	assert_int_equal(s->host.ip.suspected, 1);
	script_wait_ms(s, 10000);
	assert_int_equal(s->host.ip.suspected, 1);
	script_skip(s);
}

/* RFC 6582: the timer starts again with the first partial ACK only. */
static void test_impatient(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 10000);
	script_skip(s);
	for (unsigned i = 0; i < 3; i++)
		script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 1000);
	for (unsigned i = 1; i < 4; i++) {
		script_wait_ms(s, 80);
		script_in(s, FLAGS_A, 1, i * 1000 + 1, NULL, 0);
		script_out(s, FLAGS_A, i * 1000 + 1, 1, 1000);
	}
	assert_true(s->conn->in_recovery);
	script_wait_ms(s, 60); /* 220 ms after the first of them */
	assert_true(s->conn->loss_recovery);
	script_skip(s);
}

static void test_fast_retransmit(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 12000);
	script_out(s, FLAGS_A, 1, 1, 10000);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_A, 10001, 1, 1000); /* limited transmit, RFC 3042 */
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_PA, 11001, 1, 1000);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 1000); /* the third */
	assert_true(s->conn->in_recovery);
	assert_int_equal(s->conn->ssthresh, 6000);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_quiet(s);
	script_in(s, FLAGS_A, 1, 4001, NULL, 0); /* partial: the next hole */
	script_out(s, FLAGS_A, 4001, 1, 1000);
	script_in(s, FLAGS_A, 1, 12001, NULL, 0);
	assert_false(s->conn->in_recovery);
	assert_in_range(s->conn->cwnd, 1000, 6000);
	script_quiet(s);
	assert_int_equal(s->host.tcp.retransmits, 2);
}

/* What is no duplicate ACK in the sense of RFC 5681 section 2. */
static void test_not_duplicate(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 0); /* nothing is outstanding */
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_send(s, bytes, 5000);
	script_out(s, FLAGS_PA, 1, 1, 5000);
	for (unsigned i = 0; i < 5; i++) { /* window updates */
		s->peer_window--;
		script_in(s, FLAGS_A, 1, 1, NULL, 0);
	}
	script_quiet(s);
	for (unsigned i = 0; i < 5; i++) { /* with data */
		script_in(s, FLAGS_A, 1 + i * 10, 1, NULL, 10);
		assert_int_equal(script_skip(s), 1);
	}
	assert_false(s->conn->in_recovery);
	assert_int_equal(s->host.tcp.retransmits, 0);
}

static void test_congestion_avoidance(void **state)
{
	struct script *s = *state;
	uint32_t acked = 1;

	script_accept(s);
	s->conn->ssthresh = 5000;
	script_send(s, bytes, 100000);
	script_out(s, FLAGS_A, 1, 1, 10000);
	for (unsigned i = 0; i < 10; i++) {
		acked += 1000;
		script_in(s, FLAGS_A, 1, acked, NULL, 0);
		script_skip(s);
	}
	assert_int_equal(s->conn->cwnd, 11000); /* one segment a round trip */
}

/* A window that nothing fills does not grow. */
static void test_not_limited(void **state)
{
	struct script *s = *state;

	script_accept(s);
	for (unsigned i = 0; i < 50; i++) {
		script_send(s, bytes, 1000);
		script_skip(s);
		script_in(s, FLAGS_A, 1, 1001 + i * 1000, NULL, 0);
	}
	assert_int_equal(s->conn->cwnd, 10000);
}

static void test_round_trip(void **state)
{
	struct script *s = *state;

	script_accept(s);
	for (unsigned i = 0; i < 30; i++) {
		script_send(s, bytes, 1000);
		script_out(s, FLAGS_PA, 1 + i * 1000, 1, 1000);
		script_wait_ms(s, 50);
		script_in(s, FLAGS_A, 1, 1001 + i * 1000, NULL, 0);
	}
	assert_in_range(hv_tcp_rtt_ns(s->conn), 45 * HV_TCP_MS, 51 * HV_TCP_MS);
	assert_in_range(s->conn->rto_ns, 245 * HV_TCP_MS, 251 * HV_TCP_MS);
}

/* Karn: the ACK of a segment that went twice says nothing, and the RTO stays backed off. */
static void test_karn(void **state)
{
	struct script *s = *state;
	uint64_t before;

	script_accept(s);
	before = s->conn->srtt_ns;
	script_send(s, bytes, 1000);
	script_wait_ms(s, 700);
	assert_int_equal(script_skip(s), 3);
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	assert_int_equal(s->conn->srtt_ns, before);
	assert_int_equal(s->conn->backoff, 2);
	script_send(s, bytes, 1000);
	script_wait_ms(s, 300); /* not sent again after 200 ms */
	assert_int_equal(script_skip(s), 1);
	script_in(s, FLAGS_A, 1, 2001, NULL, 0);
	assert_int_equal(s->conn->backoff, 0);
}

static void test_timestamps_measure(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	script_accept(s);
	script_send(s, bytes, 1000);
	script_out(s, FLAGS_PA, 1, 1, 1000); /* 988 and 12 */
	script_wait_ms(s, 250);
	script_out(s, FLAGS_A, 1, 1, 988); /* again: its echo tells which was answered */
	script_wait_ms(s, 30);
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	assert_in_range(s->conn->srtt_ns, 1, 90 * HV_TCP_MS);
	assert_int_equal(s->conn->backoff, 0);
}

static void test_lost_syn_is_modest(void **state)
{
	struct script *s = *state;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	script_wait_ms(s, 1100);
	script_out(s, FLAGS_S, 0, 0, 0);
	script_in(s, FLAGS_SA, 0, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->conn->cwnd, 1000);		      /* RFC 5681 section 3.1 */
	assert_int_equal(s->conn->rto_ns, 3 * HV_TCP_SECOND); /* RFC 6298 5.7 */
}

static void test_keepalive(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_set_option(s->conn, SOL_SOCKET, SO_KEEPALIVE, 1);
	hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_KEEPINTVL, 2);
	hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_KEEPCNT, 3);
	script_wait_ms(s, 5000);
	script_in(s, FLAGS_PA, 1, 1, "x", 1);
	script_out(s, FLAGS_A, 1, 2, 0);
	script_wait_ms(s, 9900);
	script_quiet(s);
	script_wait_ms(s, 200);
	script_out(s, FLAGS_A, 0, 2, 0); /* one before what is expected */
	script_in(s, FLAGS_A, 2, 1, NULL, 0);
	script_wait_ms(s, 9900);
	script_quiet(s);
	script_wait_ms(s, 200);
	script_out(s, FLAGS_A, 0, 2, 0);
	script_wait_ms(s, 2000);
	script_out(s, FLAGS_A, 0, 2, 0);
	script_wait_ms(s, 2000);
	script_out(s, FLAGS_A, 0, 2, 0);
	script_wait_ms(s, 2000);
	assert_int_equal(hv_tcp_take_error(s->conn), ETIMEDOUT);
	script_out(s, FLAGS_RA, 1, 2, 0);
	hv_tcp_close(s->conn);
}

/* A peer's keepalive is answered. */
static void test_peer_keepalive(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_in(s, FLAGS_A, 0, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
}

static void test_retransmission_after_fin(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 3000);
	script_skip(s);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 3001, 1, 0);
	script_wait_ms(s, 250);
	script_out(s, FLAGS_A, 1, 1, 1000);
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	script_out(s, FLAGS_FPA, 1001, 1, 2000);
	script_in(s, FLAGS_A, 1, 3002, NULL, 0);
	script_quiet(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_timeout),
		SCRIPT_TEST(test_backoff),
		SCRIPT_TEST(test_user_timeout),
		SCRIPT_TEST(test_user_timeout_of_closed_window),
		SCRIPT_TEST(test_closed_window_for_ever),
		SCRIPT_TEST(test_advice),
		SCRIPT_TEST(test_impatient),
		SCRIPT_TEST(test_fast_retransmit),
		SCRIPT_TEST(test_not_duplicate),
		SCRIPT_TEST(test_congestion_avoidance),
		SCRIPT_TEST(test_not_limited),
		SCRIPT_TEST(test_round_trip),
		SCRIPT_TEST(test_karn),
		SCRIPT_TEST(test_timestamps_measure),
		SCRIPT_TEST(test_lost_syn_is_modest),
		SCRIPT_TEST(test_keepalive),
		SCRIPT_TEST(test_peer_keepalive),
		SCRIPT_TEST(test_retransmission_after_fin),
	};

	return cmocka_run_group_tests_name("tcp loss", tests, NULL, NULL);
}
