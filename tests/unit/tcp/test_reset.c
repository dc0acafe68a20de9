/* RST, SYN and impossible ACKs against live connections: RFC 9293 section 3.10.7.4, RFC 5961. */
#include "tcp/fixture.h"

/* Bring the connection into the state; what the two sides have sent is in *seq and *ack. */
static void enter(struct script *s, enum hv_tcp_state state, uint32_t *seq, uint32_t *ack)
{
	script_accept(s);
	*seq = *ack = 1;
	if (state == HV_TCP_CLOSE_WAIT || state == HV_TCP_LAST_ACK) {
		script_in(s, FLAGS_FA, 1, 1, NULL, 0);
		*seq = 2;
	}
	if (state == HV_TCP_LAST_ACK || state == HV_TCP_FIN_WAIT_1 ||
	    state == HV_TCP_FIN_WAIT_2 || state == HV_TCP_CLOSING) {
		hv_tcp_shutdown_send(s->conn);
		hv_tcp_flush(&s->host.tcp);
	}
	if (state == HV_TCP_FIN_WAIT_2) {
		script_in(s, FLAGS_A, 1, 2, NULL, 0);
		*ack = 2;
	}
	if (state == HV_TCP_CLOSING) {
		script_in(s, FLAGS_FA, 1, 1, NULL, 0);
		*seq = 2;
	}
	script_skip(s);
	assert_int_equal(s->conn->state, state);
}

static const enum hv_tcp_state synchronized[] = {
	HV_TCP_ESTABLISHED, HV_TCP_FIN_WAIT_1, HV_TCP_FIN_WAIT_2,
	HV_TCP_CLOSE_WAIT,  HV_TCP_CLOSING,    HV_TCP_LAST_ACK,
};

/* Runs check() on a fresh script for every synchronized state. */
static void each_state(void (*check)(struct script *s, enum hv_tcp_state state, uint32_t seq,
				     uint32_t ack))
{
	for (unsigned i = 0; i < TEST_COUNT(synchronized); i++) {
		struct script *s;
		uint32_t seq, ack;

		assert_int_equal(script_setup((void **)&s), 0);
		enter(s, synchronized[i], &seq, &ack);
		check(s, synchronized[i], seq, ack);
		assert_int_equal(script_teardown((void **)&s), 0);
	}
}

static void check_exact(struct script *s, enum hv_tcp_state state, uint32_t seq, uint32_t ack)
{
	bool quiet = state == HV_TCP_CLOSING || state == HV_TCP_LAST_ACK;

	(void)ack;
	script_in(s, FLAGS_R, seq, 0, NULL, 0);
	script_quiet(s);
	assert_state(s->conn, "CLOSED");
	assert_int_equal(hv_tcp_take_error(s->conn), quiet ? 0 : ECONNRESET);
	hv_tcp_close(s->conn);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

static void test_exact_reset(void **state)
{
	(void)state;
	each_state(check_exact);
}

static void check_in_window(struct script *s, enum hv_tcp_state state, uint32_t seq,
			    uint32_t ack)
{
	(void)ack;
	script_in(s, FLAGS_R, seq + 100, 0, NULL, 0);
	assert_int_equal(s->conn->state, state);
	assert_int_equal(script_skip(s), 1); /* the challenge */
	script_in(s, FLAGS_R, seq - 1, 0, NULL, 0);
	script_in(s, FLAGS_R, seq + 10000000, 0, NULL, 0);
	script_quiet(s);
	assert_int_equal(s->conn->state, state);
}

static void test_reset_in_window(void **state)
{
	(void)state;
	each_state(check_in_window);
}

static void check_syn(struct script *s, enum hv_tcp_state state, uint32_t seq, uint32_t ack)
{
	(void)ack;
	script_in(s, FLAGS_S, seq, 0, NULL, 0);
	assert_int_equal(script_skip(s), 1);
	s->conn->challenged_ms = 0;
	script_in(s, FLAGS_SA, seq + 1000000000, 1, NULL, 0);
	assert_int_equal(script_skip(s), 1);
	assert_int_equal(s->conn->state, state);
}

static void test_syn(void **state)
{
	(void)state;
	each_state(check_syn);
}

static void check_ack(struct script *s, enum hv_tcp_state state, uint32_t seq, uint32_t ack)
{
	script_in(s, FLAGS_A, seq, ack + 1000, NULL, 0); /* of what was never sent */
	assert_int_equal(script_skip(s), 1);
	s->conn->challenged_ms = 0;
	script_in(s, FLAGS_A, seq, ack - 100000, NULL,
		  0); /* older than any window: RFC 5961 5.2 */
	assert_int_equal(script_skip(s), 1);
	assert_int_equal(script_drops(s, HV_DROP_TCP_ACK), 2);
	script_in(s, 0, seq, 0, NULL, 0);
	script_quiet(s);
	assert_int_equal(s->conn->state, state);
}

static void test_impossible_ack(void **state)
{
	(void)state;
	each_state(check_ack);
}

static void check_old_data(struct script *s, enum hv_tcp_state state, uint32_t seq,
			   uint32_t ack)
{
	script_in(s, FLAGS_A, seq - 500, ack, NULL, 100);
	assert_int_equal(script_skip(s), 1); /* RFC 9293: an ACK in reply */
	script_in(s, FLAGS_A, seq + 5000000, ack, NULL, 100);
	assert_int_equal(script_skip(s), 1);
	assert_int_equal(s->conn->state, state);
	assert_int_equal(s->conn->receive.used, 0);
}

static void test_outside_of_window(void **state)
{
	(void)state;
	each_state(check_old_data);
}

static void test_reset_of_half_open(void **state)
{
	struct script *s = *state;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_R, 1, 0, NULL, 0);
	assert_int_equal(s->host.tcp.connection_count, 0);
	assert_int_equal(s->listener->half_open_count, 0);
	assert_int_equal(s->host.incoming, 0);
}

static void test_reset_before_accept(void **state)
{
	struct script *s = *state;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_in(s, FLAGS_R, 1, 0, NULL, 0);
	assert_null(hv_tcp_accept(s->listener));
	assert_int_equal(s->host.tcp.connection_count, 0);
}

/* What was received stays readable; what was not sent is gone. */
static void test_reset_with_data(void **state)
{
	struct script *s = *state;
	char text[8] = "";
	struct iovec slices[2];
	int count;

	script_accept(s);
	script_in(s, FLAGS_PA, 1, 1, "data", 4);
	script_in(s, FLAGS_R, 5, 0, NULL, 0);
	assert_true(s->host.events & HAVEN_EVENT_ERROR);
	assert_int_equal(hv_tcp_send_reserve(s->conn, 1, slices, &count), -EPIPE);
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 4);
	assert_true(hv_tcp_receive_ended(s->conn));
	assert_int_equal(hv_tcp_shutdown_send(s->conn), -ENOTCONN);
	hv_tcp_close(s->conn);
}

/* RFC 5961 section 7: for the whole stack, whatever the number of connections. */
static void test_challenge_limit(void **state)
{
	struct script *s = *state;

	script_accept(s);
	for (unsigned i = 0; i < 3000; i++) {
		s->conn->challenged_ms = 0; /* as if each came on a connection of its own */
		script_in(s, FLAGS_S, 100, 0, NULL, 0);
	}
	assert_in_range(script_skip(s), 200, 1000);
	script_wait_ms(s, 1100);
	script_in(s, FLAGS_S, 100, 0, NULL, 0);
	assert_int_equal(script_skip(s), 1);
}

/* Two ends that disagree: each ACK of the one is unacceptable to the other. It must come to rest. */
static void test_ack_loop(void **state)
{
	struct script *s = *state;
	unsigned answers = 0;

	script_accept(s);
	for (unsigned i = 0; i < 100; i++) {
		script_in(s, FLAGS_A, 10000000, 1, NULL, 0);
		answers += script_skip(s);
		script_wait_ms(s, 20);
	}
	assert_in_range(answers, 3, 5); /* two a second */
	/* What took sequence space is not part of such a loop, and is answered each time. */
	for (unsigned i = 0; i < 5; i++) {
		script_in(s, FLAGS_A, 0u - 100, 1, NULL, 50);
		assert_int_equal(script_skip(s), 1);
	}
}

static void on_event_close(void *ctx, void *owner, unsigned events)
{
	struct script *s = owner;

	(void)ctx;
	if ((events & (HAVEN_EVENT_ERROR | HAVEN_EVENT_READABLE)) && s->conn) {
		struct hv_tcp_conn *conn = s->conn;

		s->conn = NULL;
		if (events & HAVEN_EVENT_ERROR)
			hv_tcp_close(conn);
		else
			hv_tcp_abort(conn);
	}
}

/* An owner may close or abort from within its event. */
static void test_close_from_event(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_set_owner(s->conn, s);
	s->host.tcp.up.event = on_event_close;
	script_in(s, FLAGS_R, 1, 0, NULL, 0);
	assert_null(s->conn);
	assert_int_equal(s->host.tcp.connection_count, 0);
	hv_tcp_listener_close(s->listener);
	hv_port_unbind(&s->host.ports, &s->bind);
	script_accept(s);
	hv_tcp_set_owner(s->conn, s);
	script_in(s, FLAGS_PA, 1, 1, "x", 1);
	assert_null(s->conn);
	assert_int_equal(s->host.tcp.connection_count, 0);
	script_out(s, FLAGS_RA, 1, 2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_reset),
		cmocka_unit_test(test_reset_in_window),
		cmocka_unit_test(test_syn),
		cmocka_unit_test(test_impossible_ack),
		cmocka_unit_test(test_outside_of_window),
		SCRIPT_TEST(test_reset_of_half_open),
		SCRIPT_TEST(test_reset_before_accept),
		SCRIPT_TEST(test_reset_with_data),
		SCRIPT_TEST(test_challenge_limit),
		SCRIPT_TEST(test_ack_loop),
		SCRIPT_TEST(test_close_from_event),
	};

	return cmocka_run_group_tests_name("tcp reset", tests, NULL, NULL);
}
