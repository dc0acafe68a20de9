/* TCP options (RFC 7323, RFC 6691) and socket options. */
#include "tcp/fixture.h"

#include <netinet/tcp.h>

static uint8_t bytes[10000];

static void test_timestamps(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	script_accept(s);
	assert_true(s->got.has_timestamps);
	assert_int_equal(s->got.ts_echo, 100);
	assert_int_equal(s->conn->mss, 988); /* what options take, RFC 6691 */
	script_wait_ms(s, 10);
	script_in(s, FLAGS_PA, 1, 1, "x", 1);
	script_out(s, FLAGS_A, 1, 2, 0);
	assert_true(s->got.has_timestamps);
	assert_int_equal(s->got.ts_echo, 110);
	/* One that is ahead of its time is not echoed (section 4.3). */
	s->ts_value = 200;
	script_in(s, FLAGS_PA, 5, 1, "x", 1);
	script_out(s, FLAGS_A, 1, 2, 0);
	assert_int_equal(s->got.ts_echo, 110);
}

/* A stack can do without each: neither offered nor agreed to. */
static void test_nothing_agreed(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.no_timestamps = true;
	s->host.tcp.config.no_window_scaling = true;
	s->host.tcp.config.no_sack = true;
	s->timestamps = true;
	s->syn.has_window_scale = s->syn.sack_permitted = true;
	script_accept(s);
	assert_false(s->got.has_timestamps || s->got.has_window_scale || s->got.sack_permitted);
	assert_false(s->conn->timestamps || s->conn->wscale_ok || s->conn->sack_ok);
	hv_tcp_abort(s->conn);
	script_skip(s);
	script_connect(s); /* the peer's SYN-ACK has them all the same */
	assert_false(s->conn->timestamps || s->conn->wscale_ok || s->conn->sack_ok);
	assert_int_equal(s->conn->rcv_wscale, 0);
}

/* TCP_MAXSEG of a listener: told in the SYN-ACK, kept to by the connection. */
static void test_listener_mss(void **state)
{
	struct script *s = *state;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	assert_non_null(s->listener);
	hv_tcp_listener_set_option(s->listener, IPPROTO_TCP, TCP_MAXSEG, 700);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->got.mss, 700);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->conn = hv_tcp_accept(s->listener);
	assert_non_null(s->conn);
	hv_tcp_set_owner(s->conn, &s->host);
	assert_int_equal(s->conn->rcv_mss, 700);
	assert_int_equal(s->conn->mss, 700);
}

static void test_mtu_discover(void **state)
{
	struct script *s = *state;
	int value;

	script_accept(s);
	assert_int_equal(hv_tcp_get_option(s->conn, IPPROTO_IP, IP_MTU_DISCOVER, &value), 0);
	assert_int_equal(value, IP_PMTUDISC_WANT);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_IP, IP_MTU_DISCOVER,
					   IP_PMTUDISC_DONT),
			 0);
	assert_int_equal(hv_tcp_get_option(s->conn, IPPROTO_IP, IP_MTU_DISCOVER, &value), 0);
	assert_int_equal(value, IP_PMTUDISC_DONT);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_IP, IP_MTU_DISCOVER, 6), -EINVAL);
}

/* A segment whose ACK is not acceptable does not change what is echoed, nor what PAWS compares with. */
static void test_timestamp_of_bad_ack(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	script_accept(s);
	s->ts_value = 200000;
	script_in(s, FLAGS_FA, 1, 9999, NULL, 0);
	script_skip(s);
	s->ts_value = 101;
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1001, 0);
	assert_int_equal(s->got.ts_echo, 101);
}

static void test_paws(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	script_accept(s);
	s->ts_value = 99;
	script_in(s, FLAGS_PA, 1, 1, "old", 3);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(script_drops(s, HV_DROP_TCP_PAWS), 1);
	assert_int_equal(s->conn->receive.used, 0);
	script_in(s, FLAGS_R, 1, 0, NULL, 0); /* RST is not subject to PAWS */
	assert_state(s->conn, "CLOSED");
	hv_tcp_close(s->conn);
}

static void test_paws_after_24_days(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	script_accept(s);
	s->host.core.now_ns += 25 * 86400 * HV_TCP_SECOND;
	s->ts_value -= 50;
	script_in(s, FLAGS_PA, 1, 1, "new", 3);
	assert_int_equal(s->conn->receive.used, 3);
	script_skip(s);
}

static void test_missing_timestamp(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	script_accept(s);
	s->timestamps = false;
	script_in(s, FLAGS_PA, 1, 1, "x", 1);
	assert_int_equal(script_drops(s, HV_DROP_TCP_PAWS), 1);
	assert_int_equal(s->conn->receive.used, 0);
	script_skip(s);
}

static void test_random_offset(void **state)
{
	struct script *s = *state;
	uint32_t first;

	s->conn = host_connect(&s->host, &s->peer, 1000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	first = s->got.ts_value;
	host_connect(&s->host, &s->peer, 1001);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	assert_true(first != s->got.ts_value);
}

static void test_window_scale(void **state)
{
	struct script *s = *state;

	s->syn.has_window_scale = true;
	s->syn.window_scale = 4;
	s->peer_window = 1000;
	script_accept(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->conn->snd_wnd, 16000);
	assert_int_equal(s->conn->rcv_wscale, 7);
}

static void test_window_scale_too_large(void **state)
{
	struct script *s = *state;

	s->syn.has_window_scale = true;
	s->syn.window_scale = 200;
	script_accept(s);
	assert_int_equal(s->conn->snd_wscale, 14);
}

static void test_tiny_mss(void **state)
{
	struct script *s = *state;

	s->syn.mss = 1;
	script_accept(s);
	assert_int_equal(s->conn->mss, HV_TCP_MSS_MIN);
	assert_int_equal(host_send(s->conn, bytes, 100), 100);
	hv_tcp_flush(&s->host.tcp);
	assert_true(script_skip(s) > 0);
}

static void test_user_mss(void **state)
{
	struct script *s = *state;

	script_accept(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_MAXSEG, 87), -EINVAL);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_MAXSEG, 500), 0);
	assert_int_equal(s->conn->mss, 500);
}

static void test_socket_options(void **state)
{
	static const struct {
		int level, option, value, bad, bad_error;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1, 0, 0},
		{IPPROTO_TCP, TCP_CORK, 1, 0, 0},
		{IPPROTO_TCP, TCP_QUICKACK, 1, 0, 0},
		{IPPROTO_TCP, TCP_KEEPIDLE, 77, 0, -EINVAL},
		{IPPROTO_TCP, TCP_KEEPIDLE, 32767, 32768, -EINVAL},
		{IPPROTO_TCP, TCP_KEEPINTVL, 8, -1, -EINVAL},
		{IPPROTO_TCP, TCP_KEEPCNT, 127, 128, -EINVAL},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, 12345, -1, -EINVAL},
		{SOL_SOCKET, SO_KEEPALIVE, 1, 0, 0},
		{SOL_SOCKET, SO_LINGER, 5, 0, 0},
		{SOL_SOCKET, SO_LINGER, -1, 0, 0},
		{SOL_SOCKET, SO_RCVLOWAT, 1000, 0, 0},
		{IPPROTO_TCP, TCP_SYNCNT, 127, 0, -EINVAL},
		{IPPROTO_TCP, TCP_SYNCNT, 1, 128, -EINVAL},
		{IPPROTO_TCP, TCP_LINGER2, 120, 0, 0},
		{IPPROTO_TCP, TCP_LINGER2, -1, 0, 0},
		{IPPROTO_TCP, TCP_WINDOW_CLAMP, 20000, 0, -EINVAL},
		{IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000, 0, 0},
		{IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1, 0, 0},
		{IPPROTO_IP, IP_TTL, 33, 256, -EINVAL},
		{IPPROTO_IP, IP_TOS, 0x10, 256, -EINVAL},
		{IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44, 0, -EINVAL},
		{IPPROTO_IPV6, IPV6_TCLASS, 0x20, 999, -EINVAL},
	};
	struct script *s = *state;
	int value;

	script_accept(s);
	for (unsigned i = 0; i < TEST_COUNT(options); i++) {
		if (options[i].bad_error)
			assert_int_equal(hv_tcp_set_option(s->conn, options[i].level,
							   options[i].option, options[i].bad),
					 options[i].bad_error);
		assert_int_equal(hv_tcp_set_option(s->conn, options[i].level, options[i].option,
						   options[i].value),
				 0);
		assert_int_equal(hv_tcp_get_option(s->conn, options[i].level, options[i].option,
						   &value),
				 0);
		assert_int_equal(value, options[i].value);
	}
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, 9999, 0), -ENOPROTOOPT);
	assert_int_equal(hv_tcp_set_option(s->conn, SOL_SOCKET, 9999, 0), -ENOPROTOOPT);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_IP, 9999, 0), -ENOPROTOOPT);
	assert_int_equal(hv_tcp_get_option(s->conn, IPPROTO_TCP, 9999, &value), -ENOPROTOOPT);
	assert_int_equal(hv_tcp_get_option(s->conn, SOL_SOCKET, 9999, &value), -ENOPROTOOPT);
	assert_int_equal(hv_tcp_get_option(s->conn, IPPROTO_IP, 9999, &value), -ENOPROTOOPT);
	script_skip(s);
}

/* RFC 2018: what is held, the latest first; RFC 2883: what came twice. */
static void test_sack_blocks(void **state)
{
	struct script *s = *state;
	uint32_t base = s->peer_iss;

	s->syn.sack_permitted = true;
	script_accept(s);
	script_in(s, FLAGS_A, 2001, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->got.sack_count, 1);
	assert_int_equal(s->got.sack[0][0] - base, 2001);
	assert_int_equal(s->got.sack[0][1] - base, 3001);
	script_in(s, FLAGS_A, 6001, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1, 0);
	script_in(s, FLAGS_A, 4001, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->got.sack_count, 3);
	assert_int_equal(s->got.sack[0][0] - base, 4001);
	assert_int_equal(s->got.sack[1][0] - base, 6001);
	assert_int_equal(s->got.sack[2][0] - base, 2001);
	script_in(s, FLAGS_A, 5001, 1, NULL, 1000); /* two become one */
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->got.sack_count, 2);
	assert_int_equal(s->got.sack[0][0] - base, 4001);
	assert_int_equal(s->got.sack[0][1] - base, 7001);
	script_in(s, FLAGS_A, 4501, 1, NULL, 500);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->got.sack_count, 3);
	assert_int_equal(s->got.sack[0][0] - base, 4501);
	assert_int_equal(s->got.sack[0][1] - base, 5001);
	script_in(s, FLAGS_A, 1, 1, NULL, 2000);
	script_out(s, FLAGS_A, 1, 3001, 0);
	assert_int_equal(s->got.sack_count, 1);
	script_in(s, FLAGS_A, 3001, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 7001, 0);
	assert_int_equal(s->got.sack_count, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 7001, 0);
	assert_int_equal(s->got.sack_count, 1);
	assert_int_equal(s->got.sack[0][1] - base, 1001);
}

/* A window of one small segment is less than a large one: it must not hold that back for ever. */
static void test_window_grows_with_mss(void **state)
{
	struct script *s = *state;
	uint8_t data[2000] = {0};

	script_accept(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_MAXSEG, 100), 0);
	s->conn->cwnd = s->conn->mss; /* as after a time-out */
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_MAXSEG, 0), 0);
	s->conn->ssthresh = 200; /* so is this */
	assert_int_equal(host_send(s->conn, data, sizeof(data)), sizeof(data));
	script_wait_ms(s, 1);
	assert_true(script_skip(s) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_timestamps),
		SCRIPT_TEST(test_nothing_agreed),
		SCRIPT_TEST(test_listener_mss),
		SCRIPT_TEST(test_mtu_discover),
		SCRIPT_TEST(test_timestamp_of_bad_ack),
		SCRIPT_TEST(test_paws),
		SCRIPT_TEST(test_paws_after_24_days),
		SCRIPT_TEST(test_missing_timestamp),
		SCRIPT_TEST(test_random_offset),
		SCRIPT_TEST(test_window_scale),
		SCRIPT_TEST(test_window_scale_too_large),
		SCRIPT_TEST(test_tiny_mss),
		SCRIPT_TEST(test_user_mss),
		SCRIPT_TEST(test_window_grows_with_mss),
		SCRIPT_TEST(test_sack_blocks),
		SCRIPT_TEST(test_socket_options),
	};

	return cmocka_run_group_tests_name("tcp options", tests, NULL, NULL);
}
