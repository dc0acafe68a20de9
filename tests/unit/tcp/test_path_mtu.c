/* Segment size by the connection itself: RFC 4821, and claims of routers: RFC 5927 section 7.2. */
#include "tcp/fixture.h"

#include "tcp/tcp_congestion.h"

static uint8_t bytes[100000];

/* An ACK with a SACK block; left 0: without. */
static void ack(struct script *s, uint32_t ack, uint32_t left, uint32_t right)
{
	s->extra = (struct hv_tcp_options){0};
	if (left) {
		s->extra.sack_count = 1;
		s->extra.sack[0][0] = s->host_iss + left;
		s->extra.sack[0][1] = s->host_iss + right;
	}
	script_in(s, FLAGS_A, 1, ack, NULL, 0);
	s->extra = (struct hv_tcp_options){0};
}

static void begin(struct script *s, uint8_t probing, bool sack)
{
	s->host.tcp.config.mtu_probing = probing;
	s->syn.mss = 1460;
	s->syn.sack_permitted = sack;
	script_accept(s);
	s->conn->srtt_ns = 20 * HV_TCP_MS; /* the handshake took no time */
}

static void report(struct script *s, uint32_t mtu, uint32_t seq)
{
	script_icmp(s, EMSGSIZE, false, mtu, seq);
}

/* --- down ------------------------------------------------------------------------------ */

/* What is too big vanishes without a word. */
static void test_black_hole(void **state)
{
	struct script *s = *state;

	begin(s, 1, false);
	script_send(s, bytes, 5840);
	script_out(s, FLAGS_PA, 1, 1, 5840);
	script_wait_ms(s, 700);
	script_out(s, FLAGS_A, 1, 1, 1460);
	script_out(s, FLAGS_A, 1, 1, 1460);
	script_quiet(s);
	script_wait_ms(s, 800);
	assert_int_equal(s->conn->mss, 1024);
	script_out(s, FLAGS_A, 1, 1, 1024); /* the third time */
	script_wait_ms(s, 1700);
	script_out(s, FLAGS_A, 1, 1, 512);
	script_in(s, FLAGS_A, 1, 513, NULL, 0);
	script_skip(s);
	assert_int_equal(s->conn->mss, 512);
	assert_true(s->conn->path.searching);
}

static void test_least(void **state)
{
	struct script *s = *state;

	begin(s, 1, true);
	script_send(s, bytes, 5840);
	script_wait_ms(s, 500000);
	assert_int_equal(s->conn->mss, 48);
	script_skip(s);
}

/* Segments that large have arrived before: other losses are likelier, and are given more time. */
static void test_loss_is_likelier(void **state)
{
	struct script *s = *state;

	begin(s, 1, true);
	script_send(s, bytes, 2920);
	script_skip(s);
	ack(s, 2921, 0, 0);
	script_send(s, bytes, 5840);
	script_wait_ms(s, 3100); /* four */
	assert_int_equal(s->conn->mss, 1460);
	script_wait_ms(s, 20000);
	assert_true(s->conn->mss <= 1024);
	script_skip(s);
}

/* Without SACK nothing leads up again. */
static void test_least_without_sack(void **state)
{
	struct script *s = *state;

	begin(s, 1, false);
	script_send(s, bytes, 5840);
	script_wait_ms(s, 300000);
	assert_int_equal(s->conn->mss, 512);
	script_skip(s);
}

static void test_probing_off(void **state)
{
	struct script *s = *state;

	begin(s, 0, true);
	script_send(s, bytes, 5840);
	script_wait_ms(s, 100000);
	assert_int_equal(s->conn->mss, 1460);
	script_skip(s);
}

/* A small segment is not lost for its size. */
static void test_small_segment(void **state)
{
	struct script *s = *state;

	begin(s, 1, true);
	script_send(s, bytes, 900);
	script_wait_ms(s, 100000);
	assert_int_equal(s->conn->mss, 1460);
	script_skip(s);
}

/* Less than a full segment, because there is no more to say: but more than the path takes. */
static void test_segment_below_mss(void **state)
{
	struct script *s = *state;

	begin(s, 1, true);
	script_send(s, bytes, 1300);
	script_wait_ms(s, 2500); /* three time-outs, after a probe */
	assert_int_equal(s->conn->mss, 1024);
	script_skip(s);
}

/* --- up -------------------------------------------------------------------------------- */

static void begin_search(struct script *s)
{
	begin(s, 2, true);
	assert_int_equal(s->conn->mss, 1024);
	s->conn->cwnd = 20000;
	script_send(s, bytes, 8000);
	script_out(s, FLAGS_A, 1, 1, 1242); /* half of the way to 1460, in one piece */
	script_out(s, FLAGS_PA, 1243, 1, 6758);
	script_quiet(s);
	assert_int_equal(s->conn->path.probe, 1242);
	script_wait_ms(s, 5);
}

static void test_probe_arrives(void **state)
{
	struct script *s = *state;

	begin_search(s);
	ack(s, 8001, 0, 0);
	assert_int_equal(s->conn->mss, 1242);
	s->conn->cwnd = 20000;
	script_send(s, bytes, 8000);
	script_out(s, FLAGS_A, 8001, 1, 1351);
	script_skip(s);
	ack(s, 16001, 0, 0);
	assert_int_equal(s->conn->mss, 1351);
}

static void test_probe_is_lost(void **state)
{
	struct script *s = *state;
	uint32_t cwnd;

	begin_search(s);
	cwnd = s->conn->cwnd;
	ack(s, 1, 1243, 8001);
	assert_false(s->conn->in_recovery);
	assert_int_equal(s->conn->cwnd, cwnd); /* no sign of congestion */
	assert_int_equal(s->conn->ssthresh, HV_TCP_CWND_MAX);
	script_out(s, FLAGS_A, 1, 1, 1242); /* again, as two segments */
	script_quiet(s);
	assert_int_equal(s->conn->mss, 1024);
	assert_int_equal(s->conn->path.high, 1241);
	ack(s, 8001, 0, 0);
	assert_int_equal(s->conn->mss, 1024);
	script_send(s, bytes, 8000);
	script_out(s, FLAGS_A, 8001, 1, 1132);
	script_skip(s);
}

/* More than the probe is lost: that is congestion, and says nothing about the size. */
static void test_probe_and_more_lost(void **state)
{
	struct script *s = *state;

	begin_search(s);
	ack(s, 1, 3000, 8001);
	assert_true(s->conn->in_recovery);
	assert_int_equal(s->conn->path.probe, 0);
	assert_int_equal(s->conn->path.high, 1460);
	script_skip(s);
	ack(s, 8001, 0, 0);
	assert_int_equal(s->conn->mss, 1024);
}

static void test_search_ends(void **state)
{
	struct script *s = *state;
	uint32_t end = 8001;

	begin_search(s);
	for (unsigned i = 0; i < 20; i++) {
		ack(s, end, 0, 0);
		s->conn->cwnd = 20000;
		script_send(s, bytes, 8000);
		script_skip(s);
		end += 8000;
	}
	ack(s, end, 0, 0);
	assert_in_range(s->conn->mss, 1450, 1460);
	assert_int_equal(s->conn->path.probe, 0);
}

/* Ten minutes later the path may carry more. */
static void test_search_again(void **state)
{
	struct script *s = *state;

	begin(s, 2, true);
	s->conn->path.high = 1030;
	s->conn->cwnd = 20000;
	script_send(s, bytes, 8000);
	script_out(s, FLAGS_PA, 1, 1, 8000);
	ack(s, 8001, 0, 0);
	script_wait_ms(s, 601000);
	script_send(s, bytes, 1000);
	script_skip(s);
	ack(s, 9001, 0, 0);
	s->conn->cwnd = 20000;
	script_send(s, bytes, 8000);
	script_out(s, FLAGS_A, 9001, 1, 1242);
	script_skip(s);
}

/* A probe waits until ACKs have made room for it; nothing overtakes it. */
static void test_probe_waits(void **state)
{
	struct script *s = *state;

	begin(s, 2, true);
	s->conn->cwnd = 20000;
	script_send(s, bytes, 4000); /* not enough to show the loss of a probe */
	script_out(s, FLAGS_PA, 1, 1, 4000);
	s->conn->cwnd = 11300;
	s->conn->ssthresh = 11300;
	s->conn->path.probe = 1; /* as if one was out */
	s->conn->path.probe_end = s->conn->snd_max + 100000;
	script_send(s, bytes, 40000);
	script_out(s, FLAGS_A, 4001, 1, 7168);
	s->conn->path.probe = 0;
	ack(s, 1025, 0, 0);
	script_quiet(s); /* room for 1024 */
	ack(s, 2049, 0, 0);
	script_out(s, FLAGS_A, 11169, 1, 1242);
	script_skip(s);
}

/* --- routers --------------------------------------------------------------------------- */

/* Larger segments have arrived: the claim is believed when the segment times out, not before. */
static void test_doubtful_claim(void **state)
{
	struct script *s = *state;

	begin(s, 1, true);
	script_send(s, bytes, 1460);
	script_out(s, FLAGS_PA, 1, 1, 1460);
	ack(s, 1461, 0, 0);
	script_send(s, bytes, 1460);
	script_out(s, FLAGS_PA, 1461, 1, 1460);
	report(s, 600, 1461);
	assert_int_equal(s->conn->mss, 1460);
	ack(s, 2921, 0, 0); /* it did arrive: a lie */
	script_wait_ms(s, 10000);
	assert_int_equal(s->conn->mss, 1460);
	assert_int_equal(s->host.ip.mtu, 1500);
	script_send(s, bytes, 1460);
	script_skip(s);
	report(s, 600, 2921);
	script_wait_ms(s, 150);
	assert_int_equal(s->conn->mss, 1460);
	script_wait_ms(s, 500);
	assert_int_equal(s->conn->mss, 560);
	script_skip(s);
}

static void test_claim_of_nothing(void **state)
{
	struct script *s = *state;

	begin(s, 1, true);
	report(s, 600, 1); /* nothing is under way */
	assert_int_equal(s->host.ip.mtu, 1500);
	script_send(s, bytes, 1460);
	script_skip(s);
	report(s, 1500, 1); /* that fits */
	report(s, 600, 1461);
	assert_int_equal(s->conn->mss, 1460);
	assert_int_equal(s->host.ip.mtu, 1500);
}

/* The route changes, or what ip/ believed has run out. */
static void test_route_changes(void **state)
{
	struct script *s = *state;

	s->host.ip.mtu = 1000;
	begin(s, 1, true);
	assert_int_equal(s->conn->mss, 960);
	s->host.ip.mtu = 1500;
	script_send(s, bytes, 2920);
	script_out(s, FLAGS_PA, 1, 1, 2920);
	assert_int_equal(s->conn->mss, 1460);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_black_hole),	      SCRIPT_TEST(test_least),
		SCRIPT_TEST(test_least_without_sack), SCRIPT_TEST(test_loss_is_likelier),
		SCRIPT_TEST(test_probing_off),	      SCRIPT_TEST(test_small_segment),
		SCRIPT_TEST(test_segment_below_mss),  SCRIPT_TEST(test_probe_arrives),
		SCRIPT_TEST(test_probe_is_lost),      SCRIPT_TEST(test_probe_and_more_lost),
		SCRIPT_TEST(test_search_ends),	      SCRIPT_TEST(test_search_again),
		SCRIPT_TEST(test_probe_waits),	      SCRIPT_TEST(test_doubtful_claim),
		SCRIPT_TEST(test_claim_of_nothing),   SCRIPT_TEST(test_route_changes),
	};

	return cmocka_run_group_tests_name("tcp path mtu", tests, NULL, NULL);
}
