/* SYN cookies: what they keep, how long they hold, who cannot make them (RFC 4987 section 3.6). */
#include "tcp/fixture.h"

#include "tcp/tcp_half_open.h"
#include "tcp/tcp_syn_cookie.h"

/* A listener that answers with cookies alone. */
static void under_pressure(struct script *s)
{
	s->host.tcp.config.max_half_open = 0;
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
}

static void syn(struct script *s)
{
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->host.tcp.half_open_count, 0);
}

static void test_keeps_nothing(void **state)
{
	struct script *s = *state;
	size_t before;

	under_pressure(s);
	syn(s);
	before = s->host.core.memory_bytes;
	for (unsigned i = 0; i < 1000; i++) {
		s->peer_port++;
		syn(s);
	}
	assert_int_equal(s->host.core.memory_bytes, before);
	assert_int_equal(s->host.tcp.cookies_sent, 1001);
	script_wait_ms(s, 60000);
	script_quiet(s); /* nothing to retransmit */
}

static void test_without_timestamps(void **state)
{
	struct script *s = *state;

	s->syn = (struct hv_tcp_options){
		.has_mss = true,
		.mss = 1400,
		.has_window_scale = true,
		.window_scale = 7,
		.sack_permitted = true,
	};
	under_pressure(s);
	syn(s);
	/* What cannot be kept is not agreed upon. */
	assert_false(s->got.has_window_scale || s->got.sack_permitted || s->got.has_timestamps);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_quiet(s);
	s->conn = hv_tcp_accept(s->listener);
	assert_non_null(s->conn);
	assert_state(s->conn, "ESTABLISHED");
	assert_int_equal(s->conn->mss, 1360); /* the table's */
	assert_false(s->conn->sack_ok || s->conn->wscale_ok || s->conn->timestamps);
	assert_int_equal(s->conn->snd_wnd, 65535);
	assert_int_equal(s->host.tcp.cookies_good, 1);
}

static void test_with_timestamps(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	s->syn = (struct hv_tcp_options){
		.has_mss = true,
		.mss = 1460,
		.has_window_scale = true,
		.window_scale = 9,
		.sack_permitted = true,
	};
	under_pressure(s);
	syn(s);
	assert_true(s->got.has_window_scale && s->got.sack_permitted && s->got.has_timestamps);
	assert_int_equal(s->got.ts_echo, 100);
	script_in(s, FLAGS_PA, 1, 1, "hello", 5);
	script_out(s, FLAGS_A, 1, 6, 0);
	s->conn = hv_tcp_accept(s->listener);
	assert_non_null(s->conn);
	assert_int_equal(s->conn->mss, 1460 - HV_TCP_TIMESTAMP_BYTES);
	assert_true(s->conn->sack_ok && s->conn->wscale_ok && s->conn->timestamps);
	assert_int_equal(s->conn->snd_wscale, 9);
	assert_int_equal(s->conn->snd_wnd, 65535u << 9);
	assert_int_equal(s->conn->receive.used, 5);
}

/* Every combination of options comes back, whatever the clock's low bits; our clock is never ahead of itself. */
static void test_stamp(void **state)
{
	(void)state;
	for (uint32_t now_ms = 0xffffffc0; now_ms != 200; now_ms++) {
		for (unsigned wscale = 0; wscale <= 15; wscale++) {
			struct hv_tcp_half_open half = {
				.wscale_ok = wscale < 15,
				.peer_wscale = (uint8_t)wscale,
				.sack_ok = now_ms & 1,
			};
			uint32_t stamp = hv_tcp_syn_cookie_stamp(now_ms, &half);

			assert_int_equal(stamp & 15, wscale);
			assert_int_equal(!!(stamp & 16), now_ms & 1);
			assert_true(hv_seq_leq(stamp, now_ms));
			assert_in_range(now_ms - stamp, 0, 127);
		}
	}
}

static void test_mss(void **state)
{
	static const struct {
		uint16_t offered, kept;
	} cases[] = {
		{1, 64},      {64, 64},	    {535, 64},	  {536, 536},	{1219, 536},
		{1220, 1220}, {1439, 1360}, {1460, 1460}, {8960, 8940}, {65495, 65460},
	};
	struct script *s = *state;

	under_pressure(s);
	s->host.ip.mtu = 65535;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		s->peer_port++;
		s->syn.mss = cases[i].offered;
		syn(s);
		script_in(s, FLAGS_A, 1, 1, NULL, 0);
		s->conn = hv_tcp_accept(s->listener);
		assert_non_null(s->conn);
		assert_int_equal(s->conn->peer_mss, cases[i].kept);
		hv_tcp_abort(s->conn);
		script_skip(s);
	}
	s->conn = NULL;
}

/* Good in its minute and in the next. */
static void test_age(void **state)
{
	struct script *s = *state;

	under_pressure(s);
	/* The clock starts at 1000 s: 20 s are left of that minute. */
	syn(s);
	script_wait_ms(s, 79000);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_quiet(s);
	assert_int_equal(s->listener->ready_count, 1);
	s->peer_port++;
	syn(s);
	script_wait_ms(s, 119000);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_R, 1, 0, 0);
	assert_int_equal(s->listener->ready_count, 1);
	assert_int_equal(s->host.tcp.cookies_bad, 1);
	assert_int_equal(script_drops(s, HV_DROP_TCP_COOKIE), 1);
}

/* Anything but the very ACK is refused: another sequence, port, address, cookie. */
static void test_forged(void **state)
{
	struct script *s = *state;
	uint64_t state_random = 1;

	under_pressure(s);
	syn(s);
	script_in(s, FLAGS_A, 2, 1, NULL, 0);
	script_out(s, FLAGS_R, 1, 0, 0);
	s->peer_port++;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_R, 1, 0, 0);
	s->peer_port--;
	s->peer.b[15]++;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_R, 1, 0, 0);
	s->peer.b[15]--;
	for (unsigned i = 0; i < 20000; i++) {
		state_random = state_random * 6364136223846793005u + 1442695040888963407u;
		script_in(s, FLAGS_A, 1, 2 + (uint32_t)(state_random >> 33), NULL, 0);
		script_skip(s);
	}
	assert_int_equal(s->listener->ready_count, 0);
	assert_int_equal(s->host.tcp.cookies_bad, 20003);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 1);
}

/* Without pressure an ACK is not looked at: an old cookie, or a guess, opens nothing. */
static void test_only_under_pressure(void **state)
{
	struct script *s = *state;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	s->host_iss = 0;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_R, 1, 0, 0);
	assert_int_equal(s->host.tcp.cookies_bad, 0);
	s->host.tcp.config.max_half_open = 0;
	syn(s);
	script_wait_ms(s, 121000);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_R, 1, 0, 0);
	assert_int_equal(s->host.tcp.cookies_bad, 0);
	script_in(s, FLAGS_FA, 1, 1, NULL, 0);
	script_out(s, FLAGS_R, 1, 0, 0);
	script_in(s, HV_TCP_FIN, 1, 0, NULL, 0);
	script_quiet(s);
}

/* The accept queue was filled meanwhile: the client, which is real, gets a record and its SYN-ACK again. */
static void test_accept_queue_full(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.max_half_open = 4; /* three for those that did not answer */
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 8);
	for (unsigned i = 0; i < 4; i++) {
		s->peer_port++;
		script_in(s, FLAGS_S, 0, 0, NULL, 0);
		script_out(s, FLAGS_SA, 0, 1, 0);
	}
	assert_int_equal(s->host.tcp.half_open_count, 3);
	assert_int_equal(s->host.tcp.cookies_sent, 1);
	s->listener->backlog = 0;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_quiet(s);
	assert_int_equal(s->host.tcp.half_open_count, 4);
	assert_int_equal(script_drops(s, HV_DROP_TCP_LISTEN_OVERFLOW), 1);
	script_in(s, FLAGS_A, 1, 1, NULL, 0); /* the client's data, say */
	script_quiet(s);
	s->listener->backlog = 8;
	script_wait_ms(s, 1010);
	assert_int_equal(script_skip(s), 4);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 1);
	assert_int_equal(s->host.tcp.half_open_count, 3);
}

/* After TIME-WAIT the ISS must be beyond the old one's: no cookie can promise that. */
static void test_after_time_wait(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_FA, 1, 2, NULL, 0);
	script_out(s, FLAGS_A, 2, 2, 0);
	assert_int_equal(s->host.tcp.time_wait_count, 1);
	s->host.tcp.config.max_half_open = 0;
	s->peer_iss += 100000;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_quiet(s);
	assert_int_equal(script_drops(s, HV_DROP_TCP_LISTEN_OVERFLOW), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_keeps_nothing),
		SCRIPT_TEST(test_without_timestamps),
		SCRIPT_TEST(test_with_timestamps),
		SCRIPT_TEST(test_stamp),
		SCRIPT_TEST(test_mss),
		SCRIPT_TEST(test_age),
		SCRIPT_TEST(test_forged),
		SCRIPT_TEST(test_only_under_pressure),
		SCRIPT_TEST(test_accept_queue_full),
		SCRIPT_TEST(test_after_time_wait),
	};

	return cmocka_run_group_tests_name("tcp SYN cookies", tests, NULL, NULL);
}
