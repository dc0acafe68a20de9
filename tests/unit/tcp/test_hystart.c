/* HyStart++: RFC 9406. */
#include "tcp/fixture.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_hystart.h"

enum { MSS = 1000 };

static void begin(struct script *s)
{
	script_accept(s);
	hv_tcp_congestion_set(s->conn, &hv_tcp_cubic);
	s->conn->cwnd_limited = true;
}

/* The window is acknowledged in `count` ACKs, each after a round trip of that many microseconds. */
static void round_trip(struct script *s, unsigned count, uint64_t rtt_us)
{
	uint32_t window = s->conn->cwnd;

	s->conn->snd_nxt = s->conn->snd_max = s->conn->snd_una + window;
	for (unsigned i = 0; i < count; i++) {
		/* What ACKs let out is on its way before the next one comes. */
		s->conn->snd_una += window / count;
		s->conn->snd_nxt = s->conn->snd_max = s->conn->snd_nxt + 2 * window / count;
		hv_tcp_congestion_rtt(s->conn, rtt_us * 1000);
		hv_tcp_congestion_acked(s->conn, window / count);
	}
	s->conn->snd_una = s->conn->snd_max - s->conn->cwnd;
}

static bool is_over(const struct script *s)
{
	return s->conn->ssthresh != HV_TCP_CWND_MAX;
}

static void rounds(struct script *s, unsigned count, uint64_t rtt_us)
{
	while (count--)
		round_trip(s, 10, rtt_us);
}

/* The connection's counters are made up: nothing of them may be sent or checked any more. */
static void finish(struct script *s)
{
	s->conn->snd_una = s->conn->snd_nxt = s->conn->snd_max = s->host_iss + 1;
}

/* Round trips that do not change: slow start doubles on. */
static void test_steady(void **state)
{
	struct script *s = *state;

	begin(s);
	rounds(s, 8, 100000);
	assert_int_equal(s->conn->cwnd, 10 * MSS << 8);
	assert_false(is_over(s));
	finish(s);
}

/* A queue fills: a quarter of the growth, and then the end. */
static void test_queue(void **state)
{
	struct script *s = *state;
	uint32_t before;

	begin(s);
	rounds(s, 3, 100000);
	rounds(s, 1, 113000);
	assert_false(is_over(s));
	before = s->conn->cwnd;
	rounds(s, 1, 120000);
	assert_true(s->conn->cwnd > before + before / 5 && s->conn->cwnd < before + before / 3);
	assert_false(is_over(s));
	rounds(s, 5, 130000);
	assert_true(is_over(s));
	assert_true(s->conn->cwnd >= s->conn->ssthresh);
	finish(s);
}

/* It was not a queue: full speed again. */
static void test_jitter(void **state)
{
	struct script *s = *state;
	uint32_t before;

	begin(s);
	rounds(s, 3, 100000);
	rounds(s, 1, 115000);
	rounds(s, 1, 100000);
	before = s->conn->cwnd;
	rounds(s, 6, 100000);
	assert_int_equal(s->conn->cwnd, before << 6);
	assert_false(is_over(s));
	finish(s);
}

/* Section 4.2: less than eight samples say nothing. */
static void test_few_samples(void **state)
{
	struct script *s = *state;

	begin(s);
	for (unsigned i = 0; i < 8; i++)
		round_trip(s, 5, 100000 + i * 50000);
	assert_int_equal(s->conn->cwnd, 10 * MSS << 8);
	finish(s);
}

/* Section 4.3: between 4 ms and 16 ms, an eighth of the round trip. */
static void test_thresholds(void **state)
{
	static const struct {
		uint64_t rtt_us, more_us;
	} cases[] = {
		{1000, 4000}, {32000, 4000}, {80000, 10000}, {128000, 16000}, {500000, 16000}};
	struct script *s = *state;

	begin(s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hv_tcp_hystart *h = (struct hv_tcp_hystart *)s->conn->congestion_state;

		for (unsigned beyond = 0; beyond < 2; beyond++) {
			hv_tcp_congestion_start(s->conn, false);
			s->conn->cwnd_limited = true;
			rounds(s, 2, cases[i].rtt_us);
			rounds(s, 1, cases[i].rtt_us + cases[i].more_us - 1 + beyond);
			assert_int_equal(h->careful_rounds != 0, beyond);
		}
	}
	finish(s);
}

/* Section 4.3: after a loss it is ordinary slow start. */
static void test_first_only(void **state)
{
	struct script *s = *state;

	begin(s);
	s->conn->cwnd = 1000 * MSS;
	hv_tcp_congestion_timed_out(s->conn, false);
	s->conn->loss_recovery = false;
	s->conn->cwnd = 10 * MSS;
	rounds(s, 2, 100000);
	rounds(s, 2, 200000);
	assert_int_equal(s->conn->cwnd, 160 * MSS);
	finish(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_steady),     SCRIPT_TEST(test_queue),
		SCRIPT_TEST(test_jitter),     SCRIPT_TEST(test_few_samples),
		SCRIPT_TEST(test_thresholds), SCRIPT_TEST(test_first_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
