/* Pacing: what goes at once, and when the rest follows. */
#include "tcp/fixture.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_pacing.h"

static uint8_t bytes[400000];

/* A window of 100 segments of 1000 bytes on a path of 100 ms, in congestion avoidance, in full use. */
static void begin(struct script *s)
{
	script_accept(s);
	s->host.tcp.config.no_pacing = false;
	s->peer_window = 65535;
	s->conn->snd_wnd = s->conn->snd_wnd_max = 1000000;
	s->conn->cwnd = 100000;
	s->conn->ssthresh = 50000;
	s->conn->srtt_ns = 100 * HV_TCP_MS;
	s->conn->cwnd_limited = true;
	s->conn->send.limit = sizeof(bytes);
}

static uint32_t flight(const struct script *s)
{
	return s->conn->snd_nxt - s->conn->snd_una;
}

/* Ten segments at once, then 1.2 times the window in a round trip. */
static void test_avoidance(void **state)
{
	struct script *s = *state;

	begin(s);
	script_send(s, bytes, 200000);
	script_out(s, FLAGS_PA, 1, 1, 10000);
	script_quiet(s);
	script_wait_ms(s, 1);
	script_quiet(
		s); /* half of the bucket must be there: five segments at 1.2 in a millisecond */
	script_wait_ms(s, 4);
	assert_int_equal(script_skip(s), 1);
	assert_in_range(flight(s), 14000, 16000);
	script_wait_ms(s, 45);
	script_skip(s);
	assert_in_range(flight(s), 10000 + 54000, 10000 + 60000);
	script_wait_ms(s, 40);
	script_skip(s);
	assert_int_equal(flight(s), 100000); /* the window */
}

/* Twice the window in slow start. */
static void test_slow_start(void **state)
{
	struct script *s = *state;

	begin(s);
	s->conn->ssthresh = HV_TCP_CWND_MAX;
	script_send(s, bytes, 200000);
	script_skip(s);
	script_wait_ms(s, 20);
	script_skip(s);
	assert_in_range(flight(s), 10000 + 34000, 10000 + 40000);
}

/* A bucket that was full is full, however long nothing was sent. */
static void test_no_hoard(void **state)
{
	struct script *s = *state;

	begin(s);
	script_send(s, bytes, 4000);
	script_skip(s);
	script_wait_ms(s, 150);
	script_in(s, FLAGS_A, 1, 4001, NULL, 0);
	s->conn->cwnd_limited = true;
	script_send(s, bytes, 100000);
	script_out(s, FLAGS_PA, 4001, 1, 10000);
	script_quiet(s);
}

/* What the rate allows in a millisecond goes at once: here 24 segments. */
static void test_fast(void **state)
{
	struct script *s = *state;

	begin(s);
	s->conn->srtt_ns = 5 * HV_TCP_MS;
	script_send(s, bytes, 200000);
	script_out(s, FLAGS_PA, 1, 1, 24000);
	script_quiet(s);
}

/* A timer that comes late loses no more than was over 4 ms. */
static void test_late(void **state)
{
	struct script *s = *state;

	begin(s);
	s->conn->srtt_ns = 10 * HV_TCP_MS; /* 12 segments in a millisecond */
	script_send(s, bytes, 300000);
	script_out(s, FLAGS_PA, 1, 1, 12000);
	s->host.core.now_ns += 4 * HV_TCP_MS;
	host_run(&s->host, s->host.core.now_ns);
	script_skip(s);
	assert_in_range(flight(s), 12000 + 46000, 12000 + 48000);
}

/* A local path is not paced, nor is one without congestion control. */
static void test_unpaced(void **state)
{
	struct script *s = *state;

	begin(s);
	s->conn->srtt_ns = HV_TCP_MS;
	script_send(s, bytes, 60000);
	script_out(s, FLAGS_PA, 1, 1, 60000);
	s->conn->srtt_ns = 100 * HV_TCP_MS;
	s->conn->min_rtt_ns = HV_TCP_MS; /* the queue is ours */
	script_send(s, bytes, 30000);
	script_out(s, FLAGS_PA, 60001, 1, 30000);
	s->conn->min_rtt_ns = 100 * HV_TCP_MS;
	hv_tcp_congestion_set(s->conn, &hv_tcp_none);
	script_send(s, bytes, 60000);
	script_out(s, FLAGS_PA, 90001, 1, 60000);
}

/* Where the window is not the limit, 64 KiB go at once. */
static void test_not_limited(void **state)
{
	struct script *s = *state;

	begin(s);
	s->conn->cwnd_limited = false;
	script_send(s, bytes, 60000);
	script_out(s, FLAGS_PA, 1, 1, 60000);
	script_quiet(s);
}

/* What is less than the bucket lets out goes by pairs of segments, so that delayed ACKs do not wait. */
static void test_pairs(void **state)
{
	struct script *s = *state;

	begin(s);
	script_send(s, bytes, 7000);
	script_out(s, FLAGS_PA, 1, 1, 7000);
	s->conn->cwnd_limited = true;
	script_send(s, bytes, 50000);
	script_out(s, FLAGS_PA, 7001, 1, 2000);
	script_quiet(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_avoidance),   SCRIPT_TEST(test_slow_start),
		SCRIPT_TEST(test_no_hoard),    SCRIPT_TEST(test_fast),
		SCRIPT_TEST(test_late),	       SCRIPT_TEST(test_unpaced),
		SCRIPT_TEST(test_not_limited), SCRIPT_TEST(test_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
