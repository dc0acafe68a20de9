/* Explicit congestion notification: RFC 3168 section 6.1, one rule after the other. */
#include "tcp/tcp_ecn.h"

#include "tcp/fixture.h"
#include "tcp/tcp_info.h"

static const uint8_t bytes[20000];

enum {
	FLAGS_SEW = HV_TCP_SYN | HV_TCP_ECE | HV_TCP_CWR,
	FLAGS_SAE = HV_TCP_SYN | HV_TCP_ACK | HV_TCP_ECE,
	FLAGS_AE = HV_TCP_ACK | HV_TCP_ECE,
	FLAGS_AW = HV_TCP_ACK | HV_TCP_CWR,
};

static uint8_t got_ecn(const struct script *s)
{
	return s->got_traffic_class & HV_ECN_MASK;
}

static void accept_with(struct script *s, uint8_t syn, uint8_t answer)
{
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, syn, 0, 0, NULL, 0);
	script_out(s, answer, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->conn = hv_tcp_accept(s->listener);
	hv_tcp_set_owner(s->conn, &s->host);
}

static void accept_ecn(struct script *s)
{
	s->host.tcp.config.ecn = HV_TCP_ECN_ACCEPT;
	s->syn.sack_permitted = true;
	accept_with(s, FLAGS_SEW, FLAGS_SAE);
	assert_true(s->conn->ecn_ok);
}

static void connect_with(struct script *s, uint8_t syn, uint8_t answer)
{
	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, syn, 0, 0, 0);
	assert_int_equal(got_ecn(s), HV_ECN_NOT_ECT);
	script_in(s, answer, 0, 1, NULL, 0);
}

/* --- section 6.1.1: agreement --------------------------------------------------------------- */

static void test_accept(void **state)
{
	struct script *s = *state;

	accept_ecn(s);
	assert_int_equal(got_ecn(s), HV_ECN_NOT_ECT); /* the SYN-ACK */
	script_send(s, bytes, 500);
	script_out(s, FLAGS_PA, 1, 1, 500);
	assert_int_equal(got_ecn(s), HV_ECN_ECT_0);
	script_in(s, FLAGS_PA, 1, 501, NULL, 100);
	script_out(s, FLAGS_A, 501, 101, 0);
	assert_int_equal(got_ecn(s), HV_ECN_NOT_ECT); /* section 6.1.4 */
}

static void test_not_asked(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ACCEPT;
	accept_with(s, FLAGS_S, FLAGS_SA);
	assert_false(s->conn->ecn_ok);
	script_send(s, bytes, 500);
	script_out(s, FLAGS_PA, 1, 1, 500);
	assert_int_equal(got_ecn(s), HV_ECN_NOT_ECT);
	s->traffic_class = HV_ECN_CE; /* means nothing then */
	script_in(s, FLAGS_PA, 1, 501, NULL, 100);
	script_out(s, FLAGS_A, 501, 101, 0);
}

static void test_off(void **state)
{
	struct script *s = *state;

	accept_with(s, FLAGS_SEW, FLAGS_SA);
	assert_false(s->conn->ecn_ok);
}

/* One flag alone asks for nothing; neither does a SYN whose traffic class was written over. */
static void test_no_setup(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ON;
	s->traffic_class = HV_ECN_ECT_1;
	accept_with(s, FLAGS_SEW, FLAGS_SA);
	hv_tcp_abort(s->conn);
	script_skip(s);
	s->traffic_class = 0;
	s->peer_port++;
	script_in(s, HV_TCP_SYN | HV_TCP_ECE, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
}

/*
 * A second SYN without the flags: the client gave it up, or takes our first answer all the same, as
 * Linux does. What it marks is echoed; what we send is not ECN-capable.
 */
static void test_client_falls_back(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ACCEPT;
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_SEW, 0, 0, NULL, 0);
	script_out(s, FLAGS_SAE, 0, 1, 0);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->conn = hv_tcp_accept(s->listener);
	hv_tcp_set_owner(s->conn, &s->host);
	script_send(s, bytes, 500);
	script_out(s, FLAGS_PA, 1, 1, 500);
	assert_int_equal(got_ecn(s), HV_ECN_NOT_ECT);
	s->traffic_class = HV_ECN_CE;
	script_in(s, FLAGS_PA, 1, 501, NULL, 100);
	script_out(s, FLAGS_AE, 501, 101, 0);
}

static void test_connect(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ON;
	connect_with(s, FLAGS_SEW, FLAGS_SAE);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_true(s->conn->ecn_ok);
	script_send(s, bytes, 500);
	script_out(s, FLAGS_PA, 1, 1, 500);
	assert_int_equal(got_ecn(s), HV_ECN_ECT_0);
}

/* A broken peer reflects the two flags; an old one knows neither. */
static void test_not_agreed(void **state)
{
	static const uint8_t answers[] = {FLAGS_SA, FLAGS_SAE | HV_TCP_CWR,
					  FLAGS_SA | HV_TCP_CWR};
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ON;
	for (unsigned i = 0; i < TEST_COUNT(answers); i++) {
		connect_with(s, FLAGS_SEW, answers[i]);
		script_out(s, FLAGS_A, 1, 1, 0);
		assert_false(s->conn->ecn_ok);
		hv_tcp_abort(s->conn);
		script_skip(s);
	}
}

/* An answer that nobody asked for. */
static void test_connect_accept_only(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ACCEPT;
	connect_with(s, FLAGS_S, FLAGS_SAE);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_false(s->conn->ecn_ok);
}

/* Section 6.1.1.1: what swallows such SYNs lets the second one through. */
static void test_fall_back(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ON;
	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_SEW, 0, 0, 0);
	script_wait_ms(s, 1010);
	script_out(s, FLAGS_S, 0, 0, 0);
	script_in(s, FLAGS_SAE, 0, 1, NULL,
		  0); /* the answer to the first one, late: the peer agrees */
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_true(s->conn->ecn_ok);
}

static void test_simultaneous_open(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ON;
	connect_with(s, FLAGS_SEW, FLAGS_SEW);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_false(s->conn->ecn_ok);
	script_in(s, FLAGS_SAE, 0, 1, NULL, 0);
	assert_false(s->conn->ecn_ok);
	script_skip(s);
}

/* --- section 6.1.3: the receiver -------------------------------------------------------------- */

static void test_echo(void **state)
{
	struct script *s = *state;
	uint32_t at = 1;

	accept_ecn(s);
	s->conn->quick_acks = 0;
	s->traffic_class = HV_ECN_CE;
	script_in(s, FLAGS_PA, at, 1, NULL, 100);
	script_out(s, FLAGS_AE, 1, 101, 0); /* at once */
	s->traffic_class = HV_ECN_ECT_0;
	s->conn->quick_acks = 10;
	for (at = 101; at < 401; at += 100) { /* again and again */
		script_in(s, FLAGS_PA, at, 1, NULL, 100);
		script_out(s, FLAGS_AE, 1, at + 100, 0);
	}
	script_send(s, bytes, 50); /* on data, too */
	script_out(s, FLAGS_PA | HV_TCP_ECE, 1, 401, 50);
	script_in(s, FLAGS_AW, 401, 51, NULL, 100); /* until the sender says that it heard */
	script_out(s, FLAGS_A, 51, 501, 0);
	s->traffic_class = HV_ECN_CE; /* heard, and marked anew */
	script_in(s, FLAGS_AW, 501, 51, NULL, 100);
	script_out(s, FLAGS_AE, 51, 601, 0);
	assert_true(s->conn->ecn_seen);
}

/* Section 6.1.5: a mark on what is not in the window is nothing that a receiver should believe. */
static void test_mark_outside_of_the_window(void **state)
{
	struct script *s = *state;

	accept_ecn(s);
	script_in(s, FLAGS_PA, 1, 1, NULL, 100);
	script_out(s, FLAGS_A, 1, 101, 0);
	s->traffic_class = HV_ECN_CE;
	script_in(s, FLAGS_PA, 1, 1, NULL, 100); /* old */
	script_out(s, FLAGS_A, 1, 101, 0);
	script_in(s, FLAGS_PA, 1 << 20, 1, NULL, 100);
	script_out(s, FLAGS_A, 1, 101, 0);
	script_in(s, FLAGS_PA, 301, 1, NULL, 100); /* ahead of its time, but in the window */
	script_out(s, FLAGS_AE, 1, 101, 0);
}

/* --- section 6.1.2: the sender ---------------------------------------------------------------- */

static void test_reduction(void **state)
{
	struct script *s = *state;
	struct hv_tcp_info info;

	accept_ecn(s);
	script_send(s, bytes, 20000);
	script_out(s, FLAGS_A, 1, 1, 10000);
	script_in(s, FLAGS_AE, 1, 1001, NULL, 0);
	hv_tcp_info_fill(s->conn, &info);
	assert_int_equal(info.ca_state, HV_TCP_INFO_CWR);
	assert_int_equal(info.snd_ssthresh, 5);
	assert_int_equal(info.delivered_ce, 1);
	assert_int_equal(info.options & HV_TCP_INFO_ECN, HV_TCP_INFO_ECN);
	/* The window goes down step by step; CWR is on the first new data, which goes alone. */
	script_out(s, FLAGS_AW, 10001, 1, 1000);
	assert_int_equal(got_ecn(s), HV_ECN_ECT_0);
	script_in(s, FLAGS_AE, 1, 4001, NULL, 0); /* the same round trip */
	assert_int_equal(s->conn->ssthresh, 5000);
	while (s->host.ip.sent.count)
		script_out(s, FLAGS_A, s->conn->snd_nxt - s->host_iss - 1000, 1, 1000);
	script_in(s, FLAGS_A, 1, 10001, NULL, 0);
	assert_in_range(s->conn->cwnd, 5000, 6000);
	script_skip(s);
	hv_tcp_info_fill(s->conn, &info);
	assert_int_equal(info.ca_state, HV_TCP_INFO_OPEN);
	script_in(s, FLAGS_AE, 1, 11001, NULL, 0); /* the next round trip */
	assert_true(s->conn->ssthresh < 4000);
	script_skip(s);
}

static void test_reduction_without_sack(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ACCEPT;
	accept_with(s, FLAGS_SEW, FLAGS_SAE);
	script_send(s, bytes, 20000);
	script_skip(s);
	script_in(s, FLAGS_AE, 1, 1001, NULL, 0);
	assert_int_equal(s->conn->ssthresh, 5000);
	assert_in_range(s->conn->cwnd, 5000, 5200);
	script_quiet(s); /* 9000 are under way */
	script_in(s, FLAGS_AE, 1, 3001, NULL, 0);
	assert_int_equal(s->conn->ssthresh, 5000);
	script_in(s, FLAGS_A, 1, 6001, NULL, 0);
	script_out(s, FLAGS_AW, 10001, 1, 1000);
	script_skip(s);
}

/* A loss in the same round trip is repaired, and costs no more. */
static void test_loss_after_mark(void **state)
{
	struct script *s = *state;

	accept_ecn(s);
	script_send(s, bytes, 10000);
	script_skip(s);
	script_in(s, FLAGS_AE, 1, 1001, NULL, 0);
	s->extra.sack_count = 1;
	s->extra.sack[0][0] = s->host_iss + 2001;
	s->extra.sack[0][1] = s->host_iss + 6001;
	script_in(s, FLAGS_AE, 1, 1001, NULL, 0);
	assert_true(s->conn->in_recovery);
	assert_int_equal(s->conn->ssthresh, 5000);
	script_out(s, FLAGS_A, 1001, 1, 1000);
	assert_int_equal(got_ecn(s), HV_ECN_NOT_ECT); /* section 6.1.5 */
	script_skip(s);
}

/* CWR after every reduction, also one for a loss. */
static void test_cwr_after_loss(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_ACCEPT;
	accept_with(s, FLAGS_SEW, FLAGS_SAE);
	script_send(s, bytes, 1000);
	script_out(s, FLAGS_PA, 1, 1, 1000);
	script_wait_ms(s, 450);
	script_skip(s);
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	if (!s->conn->ecn_cwr_due)
		fail_msg("no reduction after a time-out");
	script_send(s, bytes, 100);
	script_out(s, FLAGS_AW, 1001, 1, 100);
	script_send(s, bytes, 100);
	script_in(s, FLAGS_A, 1, 1101, NULL, 0);
	script_out(s, FLAGS_A, 1101, 1, 100);
}

/* Section 6.1.6 */
static void test_window_probe(void **state)
{
	struct script *s = *state;

	s->peer_window = 1000;
	accept_ecn(s);
	script_send(s, bytes, 2000);
	script_out(s, FLAGS_A, 1, 1, 1000);
	s->peer_window = 0;
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	script_wait_ms(s, 1000);
	script_out(s, FLAGS_A, 1001, 1, 1);
	assert_int_equal(got_ecn(s), HV_ECN_NOT_ECT);
	script_skip(s);
}

/* --- more than RFC 3168 (RFC 8311) -------------------------------------------------------------- */

static void test_more(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_MORE;
	accept_with(s, FLAGS_SEW, FLAGS_SAE);
	assert_int_equal(got_ecn(s), HV_ECN_ECT_0); /* RFC 5562 */
	script_send(s, bytes, 1000);
	script_out(s, FLAGS_PA, 1, 1, 1000);
	script_wait_ms(s, 400);
	script_out(s, FLAGS_PA, 1, 1, 1000);
	assert_int_equal(got_ecn(s), HV_ECN_ECT_0);
	script_in(s, FLAGS_PA, 1, 1001, NULL, 10);
	script_out(s, FLAGS_A, 1001, 11, 0);
	assert_int_equal(got_ecn(s), HV_ECN_NOT_ECT);
}

/* RFC 5562 section 3: a mark on the SYN-ACK, on either side. */
static void test_marked_syn_ack(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.ecn = HV_TCP_ECN_MORE;
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_SEW, 0, 0, NULL, 0);
	script_out(s, FLAGS_SAE, 0, 1, 0);
	script_in(s, FLAGS_AE, 1, 1, NULL, 0);
	s->conn = hv_tcp_accept(s->listener);
	hv_tcp_set_owner(s->conn, &s->host);
	assert_int_equal(s->conn->cwnd, s->conn->mss);
	hv_tcp_abort(s->conn);
	script_skip(s);
	s->traffic_class = HV_ECN_CE;
	connect_with(s, FLAGS_SEW, FLAGS_SAE);
	script_out(s, FLAGS_AE, 1, 1, 0);
}

/* The field of the owner is left alone, and the owner leaves ours alone. */
static void test_traffic_class(void **state)
{
	struct script *s = *state;

	accept_ecn(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_IP, IP_TOS, 0x13), 0);
	script_send(s, bytes, 500);
	script_out(s, FLAGS_PA, 1, 1, 500);
	assert_int_equal(s->got_traffic_class, 0x10 | HV_ECN_ECT_0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_accept),
		SCRIPT_TEST(test_not_asked),
		SCRIPT_TEST(test_off),
		SCRIPT_TEST(test_no_setup),
		SCRIPT_TEST(test_client_falls_back),
		SCRIPT_TEST(test_connect),
		SCRIPT_TEST(test_not_agreed),
		SCRIPT_TEST(test_connect_accept_only),
		SCRIPT_TEST(test_fall_back),
		SCRIPT_TEST(test_simultaneous_open),
		SCRIPT_TEST(test_echo),
		SCRIPT_TEST(test_mark_outside_of_the_window),
		SCRIPT_TEST(test_reduction),
		SCRIPT_TEST(test_reduction_without_sack),
		SCRIPT_TEST(test_loss_after_mark),
		SCRIPT_TEST(test_cwr_after_loss),
		SCRIPT_TEST(test_window_probe),
		SCRIPT_TEST(test_more),
		SCRIPT_TEST(test_marked_syn_ack),
		SCRIPT_TEST(test_traffic_class),
	};

	return cmocka_run_group_tests_name("tcp ecn", tests, NULL, NULL);
}
