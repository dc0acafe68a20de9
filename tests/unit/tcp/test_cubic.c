/* CUBIC: RFC 9438, beside a model of it in floating point. */
#include "tcp/fixture.h"

#include "tcp/tcp_congestion.h"
#include "tcp/tcp_cubic.h"

static void test_cube_root(void **state)
{
	struct test_random random;

	(void)state;
	/* Every root there is, at its first value and just before it. */
	for (uint64_t root = 1; root <= 2642245; root++) {
		uint64_t cube = root * root * root;

		assert_int_equal(hv_tcp_cube_root(cube), root);
		assert_int_equal(hv_tcp_cube_root(cube - 1), root - 1);
	}
	assert_int_equal(hv_tcp_cube_root(UINT64_MAX), 2642245);
	test_random_init(&random, 1);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t value = test_random64(&random) >> (i % 64);
		uint64_t root = hv_tcp_cube_root(value), next = root + 1;

		assert_true(root * root * root <= value);
		assert_true((unsigned __int128)next * next * next > value);
	}
}

static bool is_near(double is, double wanted, double part, double absolute)
{
	double off = is > wanted ? is - wanted : wanted - is;

	return off <= wanted * part + absolute;
}

/* K and C * (t - K)^3 are inverse to each other, and what the RFC's own units give. */
static void test_distance(void **state)
{
	(void)state;
	/* 1000 segments to go: K = cbrt(1000 / 0.4) s = 13.572 s. */
	assert_int_equal(hv_tcp_cubic_k(1448 * 1000, 1448), 13572);
	assert_int_equal(hv_tcp_cubic_k(0, 1448), 0);
	/* A second: 0.4 segments. */
	assert_int_equal(hv_tcp_cubic_distance(1000, 1000), 400);
	assert_int_equal(hv_tcp_cubic_distance(UINT32_MAX, 65535), UINT32_C(1) << 31);
	for (uint32_t bytes = 1; bytes < UINT32_C(1) << 30; bytes += bytes / 7 + 1)
		assert_true(is_near(hv_tcp_cubic_distance(hv_tcp_cubic_k(bytes, 1448), 1448),
				    bytes, 0.01, 1000));
}

/* --- a connection that never lacks data, on a path of 100 ms ------------------------------ */

enum { MSS = 1000, RTT_MS = 100 };

static void begin(struct script *s, uint32_t cwnd)
{
	script_accept(s);
	hv_tcp_congestion_set(s->conn, &hv_tcp_cubic);
	s->conn->cwnd = cwnd;
	s->conn->srtt_ns = RTT_MS * HV_TCP_MS;
	s->conn->cwnd_limited = true;
}

static void lose(struct script *s)
{
	hv_tcp_congestion_reduce(s->conn, s->conn->cwnd);
	s->conn->cwnd = s->conn->ssthresh;
}

/* A round trip: the window is acknowledged in steps. */
static void round_trip(struct script *s)
{
	uint32_t window = s->conn->cwnd;

	for (unsigned i = 0; i < 10; i++) {
		s->host.core.now_ns += RTT_MS * HV_TCP_MS / 10;
		hv_tcp_congestion_acked(s->conn, window / 10);
	}
}

static double seconds(const struct script *s, uint64_t since_ns)
{
	return (double)(s->host.core.now_ns - since_ns) / 1e9;
}

/* The window follows W(t) = C (t - K)^3 + W_max, first below W_max, then beyond. */
static void test_curve(void **state)
{
	struct script *s = *state;
	uint64_t start_ns;
	double k = 9.0856; /* cbrt(1000 * 0.3 / 0.4) */

	begin(s, 1000 * MSS);
	lose(s);
	assert_int_equal(s->conn->cwnd, 700 * MSS); /* beta: section 4.6 */
	hv_tcp_congestion_acked(s->conn, 1);
	start_ns = s->host.core.now_ns;
	for (unsigned i = 0; i < 140; i++) {
		/* What ACKs aim for is a round trip ahead: half of the way there on average. */
		double t, w;

		round_trip(s);
		t = seconds(s, start_ns) - k;
		w = (0.4 * t * t * t + 1000) * MSS;
		if (i >= 10)
			assert_true(is_near(s->conn->cwnd, w, 0.01, 2 * MSS));
		if (i == 90)
			assert_true(is_near(s->conn->cwnd, 1000 * MSS, 0.003, 0));
	}
	assert_true(s->conn->cwnd > 1040 * MSS);
}

/* A small window on a short path: NewReno is faster, and CUBIC does as it does (section 4.3). */
static void test_reno_friendly(void **state)
{
	struct script *s = *state;
	uint32_t before;

	begin(s, 20 * MSS);
	s->conn->srtt_ns = 10 * HV_TCP_MS;
	lose(s);
	assert_int_equal(s->conn->cwnd, 14 * MSS);
	for (unsigned i = 0; i < 10; i++) {
		s->host.core.now_ns += 10 * HV_TCP_MS;
		hv_tcp_congestion_acked(s->conn, s->conn->cwnd);
	}
	/* alpha = 9/17 of a segment in a round trip. */
	assert_true(is_near(s->conn->cwnd, 14 * MSS + 10 * MSS * 9 / 17.0, 0, 30));
	/* And 1, from where the loss was. */
	while (s->conn->cwnd < 20 * MSS) {
		s->host.core.now_ns += 10 * HV_TCP_MS;
		hv_tcp_congestion_acked(s->conn, s->conn->cwnd);
	}
	before = s->conn->cwnd;
	for (unsigned i = 0; i < 5; i++) {
		s->host.core.now_ns += 10 * HV_TCP_MS;
		hv_tcp_congestion_acked(s->conn, s->conn->cwnd);
	}
	assert_true(is_near(s->conn->cwnd, before + 5 * MSS, 0, 30));
}

/* Section 4.7: lost before it was back where it was: make room for others. */
static void test_fast_convergence(void **state)
{
	struct script *s = *state;

	begin(s, 1000 * MSS);
	lose(s);
	lose(s); /* at 700 */
	assert_int_equal(s->conn->cwnd, 490 * MSS);
	/* W_max is 700 * 0.85: flat there. K = cbrt(105 / 0.4) = 6.4 s */
	hv_tcp_congestion_acked(s->conn, 1);
	for (unsigned i = 0; i < 64; i++)
		round_trip(s);
	assert_true(is_near(s->conn->cwnd, 595 * MSS, 0.005, 0));
}

/* Section 4.8: after a time-out the cubic begins at ssthresh, with K = 0. */
static void test_timeout(void **state)
{
	struct script *s = *state;

	begin(s, 1000 * MSS);
	hv_tcp_congestion_timed_out(s->conn, false);
	assert_int_equal(s->conn->cwnd, MSS);
	assert_int_equal(s->conn->ssthresh, 700 * MSS);
	hv_tcp_congestion_timed_out(s->conn, true);
	assert_int_equal(s->conn->ssthresh,
			 700 * MSS); /* held constant: RFC 5681 section 3.1 */
	for (unsigned i = 0; i < 10 && s->conn->cwnd < s->conn->ssthresh; i++)
		round_trip(s);
	assert_true(is_near(s->conn->cwnd, 700 * MSS, 0.01, 0));
	for (unsigned i = 0; i < 50; i++)
		round_trip(s);
	assert_true(is_near(s->conn->cwnd, (700 + 0.4 * 125) * MSS, 0.02, 0));
}

/* Never below two segments. */
static void test_floor(void **state)
{
	struct script *s = *state;

	begin(s, 2 * MSS);
	lose(s);
	assert_int_equal(s->conn->cwnd, 2 * MSS);
}

/* Sections 4.2 and 5.8: time that the application lets go by is not time of growth. */
static void test_pause(void **state)
{
	struct script *s = *state;
	uint32_t before;

	begin(s, 1000 * MSS);
	lose(s);
	hv_tcp_congestion_acked(s->conn, 1);
	for (unsigned i = 0; i < 40; i++)
		round_trip(s);
	before = s->conn->cwnd;
	s->host.core.now_ns += 100 * HV_TCP_SECOND;
	round_trip(s);
	assert_true(s->conn->cwnd - before < 10 * MSS);
}

/* Section 4.9: the window, and the cubic it was on, come back. */
static void test_undo(void **state)
{
	struct script *s = *state;
	uint32_t before, ssthresh;

	begin(s, 1000 * MSS);
	lose(s);
	hv_tcp_congestion_acked(s->conn, 1);
	for (unsigned i = 0; i < 40; i++)
		round_trip(s);
	before = s->conn->cwnd;
	ssthresh = s->conn->ssthresh;
	hv_tcp_congestion_timed_out(s->conn, false);
	hv_tcp_congestion_undo(s->conn);
	assert_int_equal(s->conn->cwnd, before);
	assert_int_equal(s->conn->ssthresh, ssthresh);
	for (unsigned i = 0; i < 50; i++)
		round_trip(s);
	assert_true(is_near(s->conn->cwnd, 1000 * MSS, 0.003, 0)); /* as in test_curve */
}

/* Undone in the first slow start: it goes on, and is watched again. */
static void test_undo_slow_start(void **state)
{
	struct script *s = *state;

	begin(s, 100 * MSS);
	round_trip(s);
	assert_int_equal(s->conn->cwnd, 200 * MSS);
	hv_tcp_congestion_timed_out(s->conn, false);
	hv_tcp_congestion_undo(s->conn);
	assert_int_equal(s->conn->ssthresh, HV_TCP_CWND_MAX);
	round_trip(s);
	assert_int_equal(s->conn->cwnd, 400 * MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cube_root),
		cmocka_unit_test(test_distance),
		SCRIPT_TEST(test_curve),
		SCRIPT_TEST(test_reno_friendly),
		SCRIPT_TEST(test_fast_convergence),
		SCRIPT_TEST(test_timeout),
		SCRIPT_TEST(test_floor),
		SCRIPT_TEST(test_pause),
		SCRIPT_TEST(test_undo),
		SCRIPT_TEST(test_undo_slow_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
