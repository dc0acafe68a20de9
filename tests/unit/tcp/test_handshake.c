/* Opening: RFC 9293 sections 3.5, 3.10.1, 3.10.7.2 and .3; listeners and their limits. */
#include "tcp/fixture.h"

static void test_passive(void **state)
{
	struct script *s = *state;

	script_accept(s);
	assert_int_equal(s->host.incoming, 1);
	assert_true(hv_tcp_conn_events(s->conn) & HAVEN_EVENT_CONNECTED);
	assert_true(hv_tcp_conn_events(s->conn) & HAVEN_EVENT_WRITABLE);
	assert_false(hv_tcp_conn_events(s->conn) & HAVEN_EVENT_READABLE);
	assert_null(hv_tcp_accept(s->listener));
}

static void test_active(void **state)
{
	struct script *s = *state;

	script_connect(s);
	assert_true(s->host.events & HAVEN_EVENT_CONNECTED);
	assert_true(s->host.events & HAVEN_EVENT_WRITABLE);
	assert_false(s->host.events & HAVEN_EVENT_ERROR);
}

static void test_syn_options(void **state)
{
	struct script *s = *state;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	assert_int_equal(s->got.mss, 1460); /* MTU 1500, RFC 9293 section 3.7.1 */
	assert_true(s->got.has_window_scale);
	assert_int_equal(s->got.window_scale, 7); /* 4 MiB in 16 bits */
	assert_true(s->got.has_timestamps);
	assert_int_equal(s->got.ts_echo, 0);
}

/* The answer offers only what was offered. */
static void test_syn_ack_options(void **state)
{
	struct script *s = *state;

	script_accept(s);
	assert_false(s->got.has_window_scale);
	assert_false(s->got.has_timestamps);
	assert_true(s->got.has_mss);
	assert_int_equal(s->conn->mss, 1000);
}

static void test_no_mss_option(void **state)
{
	struct script *s = *state;

	s->syn.has_mss = false;
	script_accept(s);
	assert_int_equal(s->conn->mss, 536); /* MUST-15 */
}

static void test_simultaneous_open(void **state)
{
	struct script *s = *state;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_state(s->conn, "SYN-RECEIVED");
	script_in(s, FLAGS_SA, 0, 1, NULL, 0); /* RFC 9293 figure 8 */
	assert_state(s->conn, "ESTABLISHED");
	assert_int_equal(hv_tcp_take_error(s->conn), 0);
	script_in(s, FLAGS_PA, 1, 1, "hello", 5);
	script_out(s, FLAGS_A, 1, 6, 0);
}

static void test_refused(void **state)
{
	struct script *s = *state;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	script_in(s, FLAGS_RA, 0, 1, NULL, 0);
	assert_state(s->conn, "CLOSED");
	assert_true(s->host.events & HAVEN_EVENT_ERROR);
	assert_int_equal(hv_tcp_take_error(s->conn), ECONNREFUSED);
	assert_int_equal(hv_tcp_take_error(s->conn), 0);
	hv_tcp_close(s->conn);
}

/* A reset without the right ACK is somebody else's (RFC 9293 section 3.10.7.3). */
static void test_blind_reset_in_syn_sent(void **state)
{
	struct script *s = *state;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	script_in(s, FLAGS_R, 0, 0, NULL, 0);
	assert_state(s->conn, "SYN-SENT");
	script_in(s, FLAGS_RA, 0, 2, NULL, 0);
	assert_state(s->conn, "SYN-SENT");
	script_in(s, FLAGS_A, 1, 77, NULL, 0); /* of an old connection: reset it */
	script_out(s, FLAGS_R, 77, 0, 0);
	assert_state(s->conn, "SYN-SENT");
	script_quiet(s);
}

static void test_syn_retries(void **state)
{
	struct script *s = *state;
	static const unsigned wait_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 64000};

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	script_wait_ms(s, 10);
	for (unsigned i = 0; i < TEST_COUNT(wait_ms); i++) {
		script_wait_ms(s, wait_ms[i] - 20);
		script_quiet(s);
		script_wait_ms(s, 20);
		script_out(s, FLAGS_S, 0, 0, 0);
	}
	assert_state(s->conn, "SYN-SENT");
	script_wait_ms(s, 120000); /* the RTO grows no further */
	script_quiet(s);
	assert_state(s->conn, "CLOSED");
	assert_int_equal(hv_tcp_take_error(s->conn), ETIMEDOUT);
	hv_tcp_close(s->conn);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

static void test_syn_ack_retries(void **state)
{
	struct script *s = *state;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_S, 0, 0, NULL, 0); /* the client repeats: so do we */
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_wait_ms(s, 1100);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_wait_ms(s, 200000);
	assert_int_equal(script_skip(s), 4);
	assert_int_equal(s->host.tcp.connection_count, 0);
	assert_int_equal(s->listener->half_open_count, 0);
}

static void test_bad_ack_of_syn_ack(void **state)
{
	struct script *s = *state;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 5, NULL, 0);
	script_out(s, FLAGS_R, 5, 0, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_true(hv_tcp_can_accept(s->listener));
}

/* Data may come with the ACK that completes the handshake. */
static void test_data_with_ack(void **state)
{
	struct script *s = *state;
	char text[8] = "";

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_PA, 1, 1, "hello", 5);
	script_out(s, FLAGS_A, 1, 6, 0);
	s->conn = hv_tcp_accept(s->listener);
	assert_non_null(s->conn);
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
}

/* When the ready ones are too many, SYNs get no answer. */
static void test_backlog(void **state)
{
	struct script *s = *state;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 2);
	for (unsigned i = 0; i < 3; i++) {
		s->peer_port++;
		script_in(s, FLAGS_S, 0, 0, NULL, 0);
		script_out(s, FLAGS_SA, 0, 1, 0);
	}
	assert_int_equal(s->listener->half_open_count, 3);
	assert_int_equal(s->host.tcp.cookies_sent, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 1);
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 2);
	/* Ready is full: what is half-open stays so, new ones are ignored. */
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_quiet(s);
	assert_int_equal(script_drops(s, HV_DROP_TCP_LISTEN_OVERFLOW), 1);
	hv_tcp_close(hv_tcp_accept(s->listener));
	assert_int_equal(s->listener->ready_count, 1);
	script_skip(s);
}

static void test_listener_close(void **state)
{
	struct script *s = *state;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_skip(s);
	hv_tcp_listener_close(s->listener);
	s->listener = NULL;
	assert_int_equal(script_skip(s), 2); /* a reset for each */
	assert_int_equal(s->host.tcp.connection_count, 0);
	hv_port_unbind(&s->host.ports, &s->bind);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_RA, 0u - s->host_iss, 1, 0);
}

static void test_closed_port(void **state)
{
	struct script *s = *state;

	s->host_iss = 0;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_RA, 0, 1, 0);
	script_in(s, FLAGS_A, 10, 1234, NULL, 0);
	script_out(s, FLAGS_R, 1234, 0, 0);
	script_in(s, FLAGS_R, 10, 0, NULL, 0);
	script_quiet(s);
	script_in(s, HV_TCP_FIN, 10, 0, NULL, 3);
	script_out(s, FLAGS_RA, 0, 14, 0);
}

static void test_connection_limit(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.max_connections = 1;
	script_accept(s);
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_quiet(s);
	assert_int_equal(script_drops(s, HV_DROP_TCP_CONNECTION_LIMIT), 1);
	assert_null(host_connect(&s->host, &s->peer, PEER_PORT));
}

static void test_no_route(void **state)
{
	struct script *s = *state;
	struct hv_tcp_conn *conn;

	s->host.ip.mtu = 0;
	assert_int_equal(hv_tcp_connect(&s->host.tcp, &s->host.addr, 0, 0, &s->peer, 80, NULL,
					&conn),
			 -ENETUNREACH);
}

static void test_iss(void **state)
{
	struct script *s = *state;
	uint32_t first;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	first = s->host_iss;
	host_connect(&s->host, &s->peer, PEER_PORT + 1);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	assert_true(first != s->host_iss); /* keyed by the 4-tuple: RFC 6528 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_passive),
		SCRIPT_TEST(test_active),
		SCRIPT_TEST(test_syn_options),
		SCRIPT_TEST(test_syn_ack_options),
		SCRIPT_TEST(test_no_mss_option),
		SCRIPT_TEST(test_simultaneous_open),
		SCRIPT_TEST(test_refused),
		SCRIPT_TEST(test_blind_reset_in_syn_sent),
		SCRIPT_TEST(test_syn_retries),
		SCRIPT_TEST(test_syn_ack_retries),
		SCRIPT_TEST(test_bad_ack_of_syn_ack),
		SCRIPT_TEST(test_data_with_ack),
		SCRIPT_TEST(test_backlog),
		SCRIPT_TEST(test_listener_close),
		SCRIPT_TEST(test_closed_port),
		SCRIPT_TEST(test_connection_limit),
		SCRIPT_TEST(test_no_route),
		SCRIPT_TEST(test_iss),
	};

	return cmocka_run_group_tests_name("tcp handshake", tests, NULL, NULL);
}
