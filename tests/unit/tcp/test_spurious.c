/* Retransmissions that were not needed: RFC 3522 and 4015, 5682, D-SACK. */
#include "tcp/fixture.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_scoreboard.h"

static uint8_t bytes[100000];

/* Ten segments of 1000 under way, after a round trip of 20 ms. Returns their timestamp. */
static uint32_t begin(struct script *s, bool timestamps, bool sack)
{
	s->syn.sack_permitted = sack;
	s->timestamps = timestamps;
	s->syn.mss = timestamps ? 1012 : 1000;
	script_accept(s);
	host_send(s->conn, bytes, 1000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 1, 1000);
	script_wait_ms(s, 20);
	script_ack(s, 1001, NULL);
	s->conn->srtt_ns = 20 * HV_TCP_MS; /* the handshake took no time */
	s->conn->cwnd = 10000;
	assert_int_equal(host_send(s->conn, bytes, 40000), 40000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 1001, 1, 10000);
	script_quiet(s);
	return s->ts_echo;
}

/* The timer fires, and the first segment goes again (with SACK a tail loss probe went before). */
static void time_out(struct script *s)
{
	script_wait_ms(s, 260);
	if (s->conn->sack_ok)
		script_out(s, FLAGS_A, 11001, 1, 1000);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_quiet(s);
	assert_true(s->conn->loss_recovery);
	assert_int_equal(s->conn->cwnd, 1000);
}

static void assert_taken_back(struct script *s)
{
	assert_false(s->conn->loss_recovery);
	assert_false(s->conn->in_recovery);
	assert_in_range(s->conn->cwnd, 10000, 12000);
	assert_int_equal(s->conn->ssthresh, HV_TCP_CWND_MAX);
	assert_int_equal(s->conn->lost_bytes, 0);
}

/* --- Eifel ----------------------------------------------------------------------------- */

/* All had arrived, and the ACK was lost: the D-SACK tells that this one answers what the time-out sent. */
static void test_duplicate_measures(void **state)
{
	struct script *s = *state;
	uint32_t first = begin(s, true, true);

	s->conn->min_rtt_ns = 20 * HV_TCP_MS;
	time_out(s);
	assert_int_equal(s->conn->backoff, 1);
	script_wait_ms(s, 20);
	s->ts_echo = first;
	script_ack(s, 12001, SACK(1001, 2001));
	assert_int_equal(s->conn->backoff, 0);
	assert_in_range(s->conn->srtt_ns, 20 * HV_TCP_MS, 40 * HV_TCP_MS);
	script_skip(s);
}

static void test_eifel_timeout(void **state)
{
	struct script *s = *state;
	uint32_t first = begin(s, true, true);

	time_out(s);
	s->ts_echo = first; /* the answer is to what was sent first */
	script_ack(s, 2001, NULL);
	assert_taken_back(s);
	assert_int_equal(s->conn->backoff, 0);
	assert_true(s->conn->rto_ns >= 500 * HV_TCP_MS); /* it took 260 ms: be patient */
	script_quiet(s);				 /* nine are under way, and one more */
	assert_int_equal(s->host.tcp.retransmits, 1);
	s->ts_echo = first;
	script_ack(s, 11001, NULL);
	script_skip(s);
	assert_int_equal(s->host.tcp.retransmits, 1);
}

static void test_eifel_timeout_without_sack(void **state)
{
	struct script *s = *state;
	uint32_t first = begin(s, true, false);

	script_wait_ms(s, 300);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	s->ts_echo = first;
	script_ack(s, 2001, NULL);
	assert_taken_back(s);
	assert_int_equal(s->conn->snd_nxt, s->conn->snd_max);
	script_out(s, FLAGS_A, 11001, 1, 1000);
	assert_int_equal(s->host.tcp.retransmits, 1);
}

static void test_eifel_real_timeout(void **state)
{
	struct script *s = *state;

	begin(s, true, true);
	time_out(s);
	script_ack(s, 2001, NULL); /* it echoes the retransmission */
	assert_true(s->conn->loss_recovery);
	script_out(s, FLAGS_A, 2001, 1, 2000);
	assert_int_equal(s->conn->cwnd, 2000);
}

/* Reordering beyond three segments looked like a loss. */
static void test_eifel_fast_retransmit(void **state)
{
	struct script *s = *state;
	uint32_t first = begin(s, true, true);

	script_wait_ms(s, 20);
	s->ts_echo = first;
	script_ack(s, 1001, SACK(2001, 6001));
	assert_true(s->conn->in_recovery);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_skip(s);
	s->ts_echo = first;
	script_ack(s, 6001, NULL); /* there it is, late */
	assert_taken_back(s);
	assert_true(s->conn->reordering);
}

/* --- D-SACK ---------------------------------------------------------------------------- */

static void test_dsack_fast_retransmit(void **state)
{
	struct script *s = *state;

	begin(s, false, true);
	script_wait_ms(s, 20);
	script_ack(s, 1001, SACK(2001, 6001));
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_skip(s);
	script_ack(s, 11001, NULL);
	script_skip(s);
	assert_true(s->conn->cwnd < 10000);
	script_ack(s, s->conn->snd_max - s->host_iss, NULL); /* the end of recovery */
	script_skip(s);
	assert_false(s->conn->in_recovery);
	script_ack(s, s->conn->snd_una - s->host_iss, SACK(1001, 2001)); /* the second copy */
	assert_true(s->conn->cwnd >= 10000);
	assert_int_equal(s->conn->ssthresh, HV_TCP_CWND_MAX);
}

/* A D-SACK about one of two says nothing about the other. */
static void test_dsack_of_one(void **state)
{
	struct script *s = *state;

	begin(s, false, true);
	script_wait_ms(s, 20);
	script_ack(s, 1001, SACK(4001, 8001, 2001, 3001));
	script_skip(s);
	script_ack(s, 1001, SACK(4001, 10001, 2001, 3001));
	script_skip(s);
	assert_int_equal(s->host.tcp.retransmits, 2);
	script_ack(s, s->conn->snd_max - s->host_iss, NULL);
	script_skip(s);
	script_ack(s, s->conn->snd_una - s->host_iss, SACK(3001, 4001));
	assert_true(s->conn->ssthresh < HV_TCP_CWND_MAX);
	script_ack(s, s->conn->snd_una - s->host_iss, SACK(1001, 2001));
	assert_int_equal(s->conn->ssthresh, HV_TCP_CWND_MAX);
}

/* --- F-RTO ----------------------------------------------------------------------------- */

static void test_forward_spurious(void **state)
{
	struct script *s = *state;

	begin(s, false, false);
	script_wait_ms(s, 300);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_ack(s, 2001, NULL);
	script_out(s, FLAGS_A, 11001, 1, 1000); /* new data, not the second segment */
	script_out(s, FLAGS_A, 12001, 1, 1000);
	script_quiet(s);
	script_ack(s, 3001, NULL); /* nobody sent that again */
	assert_taken_back(s);
	assert_int_equal(s->host.tcp.retransmits, 1);
	assert_int_equal(s->conn->snd_nxt, s->conn->snd_max);
}

static void test_forward_real(void **state)
{
	struct script *s = *state;

	begin(s, false, false);
	script_wait_ms(s, 300);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_ack(s, 2001, NULL);
	script_out(s, FLAGS_A, 11001, 1, 1000);
	script_out(s, FLAGS_A, 12001, 1, 1000);
	script_ack(s, 2001, NULL); /* the second is missing */
	assert_true(s->conn->loss_recovery);
	assert_in_range(s->conn->cwnd, 1000, 3000);
	script_out(s, FLAGS_A, 2001, 1, 2000);
}

/* The first ACK is a duplicate: the usual recovery. */
static void test_forward_duplicate_first(void **state)
{
	struct script *s = *state;

	begin(s, false, false);
	script_wait_ms(s, 300);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_ack(s, 1001, NULL);
	script_ack(s, 2001, NULL);
	script_out(s, FLAGS_A, 2001, 1, 2000);
	assert_true(s->conn->loss_recovery);
}

/* All of it is acknowledged at once: the first may have been the only one that was lost. */
static void test_forward_all(void **state)
{
	struct script *s = *state;

	begin(s, false, false);
	script_wait_ms(s, 300);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_ack(s, 11001, NULL);
	assert_true(s->conn->ssthresh < 10000);
	assert_false(s->conn->loss_recovery);
	assert_int_equal(s->host.tcp.retransmits, 1);
}

/* Nothing new to send: the usual recovery. */
static void test_forward_nothing_new(void **state)
{
	struct script *s = *state;

	s->peer_window = 10000;
	begin(s, false, false);
	script_wait_ms(s, 300);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	s->peer_window = 9000; /* the right edge stays */
	script_ack(s, 2001, NULL);
	script_out(s, FLAGS_A, 2001, 1, 2000);
	assert_true(s->conn->loss_recovery);
}

static void test_forward_sack(void **state)
{
	struct script *s = *state;

	begin(s, false, true);
	time_out(s);
	script_ack(s, 2001, NULL);
	script_out(s, FLAGS_A, 12001, 1, 1000);
	script_out(s, FLAGS_A, 13001, 1, 1000);
	script_ack(s, 3001, NULL);
	assert_taken_back(s);
	script_skip(s);
	assert_int_equal(s->host.tcp.retransmits, 1);
}

/* Time-out after time-out: the first ACK still decides. */
static void test_forward_twice(void **state)
{
	struct script *s = *state;

	begin(s, false, false);
	script_wait_ms(s, 900);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	script_ack(s, 2001, NULL);
	script_out(s, FLAGS_A, 11001, 1, 1000);
	script_out(s, FLAGS_A, 12001, 1, 1000);
	script_ack(s, 11001, NULL);
	assert_taken_back(s);
	script_skip(s);
	assert_int_equal(s->host.tcp.retransmits, 2);
}

/* Without memory there is no way back, and nothing worse. */
static void test_no_memory(void **state)
{
	struct script *s = *state;

	begin(s, false, false);
	assert_null(s->conn->flight);
	script_wait_ms(s, 180);
	test_env_fail(&s->env, 1);
	script_wait_ms(s, 40);
	test_env_fail(&s->env, 0);
	script_skip(s);
	assert_true(s->conn->loss_recovery);
	script_ack(s, 2001, NULL);
	assert_true(script_skip(s) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_duplicate_measures),
		SCRIPT_TEST(test_eifel_timeout),
		SCRIPT_TEST(test_eifel_timeout_without_sack),
		SCRIPT_TEST(test_eifel_real_timeout),
		SCRIPT_TEST(test_eifel_fast_retransmit),
		SCRIPT_TEST(test_dsack_fast_retransmit),
		SCRIPT_TEST(test_dsack_of_one),
		SCRIPT_TEST(test_forward_spurious),
		SCRIPT_TEST(test_forward_real),
		SCRIPT_TEST(test_forward_duplicate_first),
		SCRIPT_TEST(test_forward_all),
		SCRIPT_TEST(test_forward_nothing_new),
		SCRIPT_TEST(test_forward_sack),
		SCRIPT_TEST(test_forward_twice),
		SCRIPT_TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("tcp spurious", tests, NULL, NULL);
}
