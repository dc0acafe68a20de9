/* Closing in every order: RFC 9293 sections 3.6, 3.10.4, 3.10.5; TIME-WAIT and its re-use. */
#include "tcp/fixture.h"

static void test_active_close(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_A, 1, 2, NULL, 0);
	script_quiet(s);
	script_in(s, FLAGS_FA, 1, 2, NULL, 0);
	script_out(s, FLAGS_A, 2, 2, 0);
	assert_int_equal(s->host.tcp.connection_count, 0);
	assert_int_equal(s->host.tcp.time_wait_count, 1);
	script_wait_ms(s, 59000);
	assert_int_equal(s->host.tcp.time_wait_count, 1);
	script_wait_ms(s, 2000);
	assert_int_equal(s->host.tcp.time_wait_count, 0);
	script_quiet(s);
}

static void test_passive_close(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_in(s, FLAGS_FA, 1, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 2, 0);
	assert_state(s->conn, "CLOSE-WAIT");
	assert_true(s->host.events & HAVEN_EVENT_PEER_CLOSED);
	assert_true(hv_tcp_receive_ended(s->conn));
	/* Half-closed: data still goes the other way. */
	assert_int_equal(host_send(s->conn, "bye", 3), 3);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 2, 3);
	script_in(s, FLAGS_A, 2, 4, NULL, 0);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 4, 2, 0);
	script_in(s, FLAGS_A, 2, 5, NULL, 0);
	script_quiet(s);
	assert_int_equal(s->host.tcp.connection_count, 0);
	assert_int_equal(s->host.tcp.time_wait_count, 0);
}

static void test_simultaneous_close(void **state)
{
	struct script *s = *state;

	script_accept(s);
	assert_int_equal(hv_tcp_shutdown_send(s->conn), 0);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_FA, 1, 1, NULL, 0);
	script_out(s, FLAGS_A, 2, 2, 0);
	assert_state(s->conn, "CLOSING");
	script_in(s, FLAGS_A, 2, 2, NULL, 0);
	assert_state(s->conn, "TIME-WAIT");
	assert_int_equal(s->host.tcp.time_wait_count, 1);
	assert_true(s->host.events & HAVEN_EVENT_HANGUP);
	assert_false(s->host.events & HAVEN_EVENT_ERROR);
	hv_tcp_close(s->conn);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

static void test_half_close(void **state)
{
	struct script *s = *state;
	char text[8] = "";

	script_accept(s);
	assert_int_equal(hv_tcp_shutdown_send(s->conn), 0);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_A, 1, 2, NULL, 0);
	assert_state(s->conn, "FIN-WAIT-2");
	assert_true(s->host.events & HAVEN_EVENT_SENT);
	script_wait_ms(s, 100000); /* the owner is there: no limit */
	script_in(s, FLAGS_PA, 1, 2, "data", 4);
	script_out(s, FLAGS_A, 2, 5, 0);
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 4);
	script_in(s, FLAGS_FPA, 5, 2, "end", 3);
	script_out(s, FLAGS_A, 2, 9, 0);
	assert_state(s->conn, "TIME-WAIT");
	assert_false(hv_tcp_receive_ended(s->conn)); /* what came before FIN is readable */
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 3);
	assert_true(hv_tcp_receive_ended(s->conn));
	hv_tcp_close(s->conn);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

static void test_fin_after_data(void **state)
{
	struct script *s = *state;
	uint8_t data[2500] = {1};
	struct iovec slices[2];
	int count;

	script_accept(s);
	assert_int_equal(host_send(s->conn, data, sizeof(data)), sizeof(data));
	assert_int_equal(hv_tcp_shutdown_send(s->conn), 0);
	assert_int_equal(hv_tcp_send_reserve(s->conn, 10, slices, &count), -EPIPE);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FPA, 1, 1, 2500);	 /* one packet, three segments */
	script_in(s, FLAGS_A, 1, 2501, NULL, 0); /* all but the FIN */
	assert_state(s->conn, "FIN-WAIT-1");
	script_wait_ms(s, 300);
	script_out(s, FLAGS_FA, 2501, 1, 0);
	script_in(s, FLAGS_A, 1, 2502, NULL, 0);
	assert_state(s->conn, "FIN-WAIT-2");
	script_quiet(s);
}

static void test_fin_with_fin_ack(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_FA, 1, 2, NULL, 0);
	script_out(s, FLAGS_A, 2, 2, 0);
	assert_int_equal(s->host.tcp.time_wait_count, 1);
}

/* FIN-WAIT-2 without an owner does not wait for ever. */
static void test_fin_wait_2_orphan(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_A, 1, 2, NULL, 0);
	assert_int_equal(s->host.tcp.connection_count, 1);
	script_wait_ms(s, 61000);
	assert_int_equal(s->host.tcp.connection_count, 0);
	script_quiet(s);
}

static void test_fin_retransmission(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_wait_ms(s, 250);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_wait_ms(s, 450);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_A, 1, 2, NULL, 0);
	script_in(s, FLAGS_FA, 1, 2, NULL, 0);
	script_out(s, FLAGS_A, 2, 2, 0);
}

/* RFC 1122 section 4.2.2.13: data for which there is no reader any more. */
static void test_data_after_close(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_PA, 1, 2, "late", 4);
	script_out(s, FLAGS_R, 2, 0, 0);
	assert_int_equal(s->host.tcp.connection_count, 0);
	assert_int_equal(script_drops(s, HV_DROP_TCP_CLOSED), 1);
}

/* RFC 2525 section 2.17. */
static void test_close_with_unread_data(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_in(s, FLAGS_PA, 1, 1, "unread", 6);
	script_out(s, FLAGS_A, 1, 7, 0);
	hv_tcp_close(s->conn);
	script_out(s, FLAGS_RA, 1, 7, 0);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

static void test_linger_zero(void **state)
{
	struct script *s = *state;

	script_accept(s);
	assert_int_equal(hv_tcp_set_option(s->conn, SOL_SOCKET, SO_LINGER, 0), 0);
	hv_tcp_close(s->conn);
	script_out(s, FLAGS_RA, 1, 1, 0);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

static void test_abort(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_abort(s->conn);
	script_out(s, FLAGS_RA, 1, 1, 0);
	assert_int_equal(s->host.tcp.connection_count, 0);
	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	hv_tcp_abort(s->conn); /* nothing to reset in SYN-SENT */
	script_quiet(s);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

static void test_close_in_syn_sent(void **state)
{
	struct script *s = *state;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	assert_int_equal(hv_tcp_shutdown_send(s->conn), -ENOTCONN);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	hv_tcp_close(s->conn);
	script_quiet(s);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

static void test_fin_out_of_order(void **state)
{
	struct script *s = *state;
	char text[16] = "";

	script_accept(s);
	script_in(s, FLAGS_FPA, 6, 1, "world", 5);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_state(s->conn, "ESTABLISHED");
	script_in(s, FLAGS_FA, 11, 1, NULL, 0); /* the FIN again, alone */
	script_out(s, FLAGS_A, 1, 1, 0);
	script_in(s, FLAGS_A, 1, 1, "hello", 5);
	script_out(s, FLAGS_A, 1, 12, 0);
	assert_state(s->conn, "CLOSE-WAIT");
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 10);
	assert_string_equal(text, "helloworld");
}

static void make_time_wait(struct script *s)
{
	script_accept(s);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_FA, 1, 2, NULL, 0);
	script_out(s, FLAGS_A, 2, 2, 0);
	assert_int_equal(s->host.tcp.time_wait_count, 1);
}

static void test_time_wait_answers(void **state)
{
	struct script *s = *state;

	make_time_wait(s);
	script_wait_ms(s, 30000);
	script_in(s, FLAGS_FA, 1, 2, NULL, 0); /* our ACK was lost */
	script_out(s, FLAGS_A, 2, 2, 0);
	script_wait_ms(s, 59000); /* it began anew */
	assert_int_equal(s->host.tcp.time_wait_count, 1);
	script_in(s, FLAGS_R, 2, 0, NULL, 0); /* RFC 1337 */
	assert_int_equal(s->host.tcp.time_wait_count, 1);
	script_in(s, FLAGS_A, 2, 2, NULL, 0);
	script_quiet(s);
	script_wait_ms(s, 2000);
	assert_int_equal(s->host.tcp.time_wait_count, 0);
}

/* RFC 1122 section 4.2.2.13, RFC 6191. */
static void test_time_wait_reuse(void **state)
{
	struct script *s = *state;
	uint32_t old_iss;

	make_time_wait(s);
	old_iss = s->host_iss;
	script_in(s, FLAGS_S, 0, 0, NULL,
		  0); /* not beyond what was received: an old duplicate */
	script_out(s, FLAGS_A, 2, 2, 0);
	assert_int_equal(s->host.tcp.time_wait_count, 1);
	s->peer_iss += 100000;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->host.tcp.time_wait_count, 0);
	assert_true(hv_seq_gt(s->host_iss, old_iss + 2));
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_true(hv_tcp_can_accept(s->listener));
}

static void test_time_wait_reuse_by_timestamp(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	make_time_wait(s);
	s->peer_iss -= 100000;
	script_in(s, FLAGS_S, 0, 0, NULL, 0); /* same timestamp, lower sequence */
	script_skip(s);
	assert_int_equal(s->host.tcp.time_wait_count, 1);
	s->ts_value++;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->host.tcp.time_wait_count, 0);
}

/* RFC 6191 section 2, case by case: what the old and the new connection use, the SYN's timestamp and sequence. */
static void test_time_wait_reuse_cases(void **state)
{
	static const struct {
		bool old_timestamps, new_timestamps;
		int32_t timestamp, sequence; /* beyond the last that was seen */
		bool honoured;
	} cases[] = {
		{true, true, 1, -1000, true},	 {true, true, 0, 1000, true},
		{true, true, 0, -1000, false},	 {true, true, -1, 1000, false},
		{true, false, 0, 1000, true},	 {true, false, 0, -1000, false},
		{false, true, 0, -1000, true},	 {false, false, 0, 1000, true},
		{false, false, 0, -1000, false},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		struct script *s;

		assert_int_equal(script_setup((void **)&s), 0);
		s->timestamps = cases[i].old_timestamps;
		make_time_wait(s);
		s->timestamps = cases[i].new_timestamps;
		s->ts_value += (uint32_t)cases[i].timestamp;
		script_in(s, FLAGS_S, 2 + (uint32_t)cases[i].sequence, 0, NULL, 0);
		assert_int_equal(s->host.tcp.half_open_count, cases[i].honoured);
		assert_int_equal(s->host.tcp.time_wait_count, !cases[i].honoured);
		script_skip(s);
		assert_int_equal(script_teardown((void **)&s), 0);
	}
}

/* RFC 1337: neither resets nor old segments end TIME-WAIT; and nobody is answered for ever. */
static void test_time_wait_assassination(void **state)
{
	struct script *s = *state;
	unsigned answers = 0;

	make_time_wait(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 1); /* an old duplicate: figure 1 of RFC 1337 */
	script_out(s, FLAGS_A, 2, 2, 0);
	script_in(s, FLAGS_R, 2, 0, NULL, 0); /* its answer, from who knows nothing of it */
	script_in(s, FLAGS_RA, 2, 2, NULL, 0);
	script_quiet(s);
	assert_int_equal(s->host.tcp.time_wait_count, 1);
	script_in(s, FLAGS_FA, 1, 2, NULL, 0); /* each FIN waits for its ACK */
	script_out(s, FLAGS_A, 2, 2, 0);
	script_in(s, FLAGS_FA, 1, 2, NULL, 0);
	script_out(s, FLAGS_A, 2, 2, 0);
	for (unsigned i = 0; i < 100; i++) { /* ACKs to which we are the one who is wrong */
		script_wait_ms(s, 20);
		script_in(s, FLAGS_A, 100000, 2, NULL, 0);
		answers += script_skip(s);
	}
	assert_in_range(answers, 3, 4);
	assert_int_equal(s->host.tcp.time_wait_count, 1);
}

static void test_time_wait_limit(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.max_time_wait = 2;
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	for (unsigned i = 0; i < 4; i++) {
		s->peer_port++;
		script_in(s, FLAGS_S, 0, 0, NULL, 0);
		script_out(s, FLAGS_SA, 0, 1, 0);
		script_in(s, FLAGS_A, 1, 1, NULL, 0);
		hv_tcp_close(hv_tcp_accept(s->listener));
		hv_tcp_flush(&s->host.tcp);
		script_out(s, FLAGS_FA, 1, 1, 0);
		script_in(s, FLAGS_FA, 1, 2, NULL, 0);
		script_out(s, FLAGS_A, 2, 2, 0);
	}
	assert_int_equal(s->host.tcp.time_wait_count, 2);
	assert_non_null(hv_port_find(&s->host.ports, IPPROTO_TCP, &s->host.addr, HOST_PORT,
				     &s->peer, s->peer_port));
	assert_null(hv_port_find(&s->host.ports, IPPROTO_TCP, &s->host.addr, HOST_PORT,
				 &s->peer, PEER_PORT + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_active_close),
		SCRIPT_TEST(test_passive_close),
		SCRIPT_TEST(test_simultaneous_close),
		SCRIPT_TEST(test_half_close),
		SCRIPT_TEST(test_fin_after_data),
		SCRIPT_TEST(test_fin_with_fin_ack),
		SCRIPT_TEST(test_fin_wait_2_orphan),
		SCRIPT_TEST(test_fin_retransmission),
		SCRIPT_TEST(test_data_after_close),
		SCRIPT_TEST(test_close_with_unread_data),
		SCRIPT_TEST(test_linger_zero),
		SCRIPT_TEST(test_abort),
		SCRIPT_TEST(test_close_in_syn_sent),
		SCRIPT_TEST(test_fin_out_of_order),
		SCRIPT_TEST(test_time_wait_answers),
		SCRIPT_TEST(test_time_wait_reuse),
		SCRIPT_TEST(test_time_wait_reuse_by_timestamp),
		SCRIPT_TEST(test_time_wait_reuse_cases),
		SCRIPT_TEST(test_time_wait_assassination),
		SCRIPT_TEST(test_time_wait_limit),
	};

	return cmocka_run_group_tests_name("tcp close", tests, NULL, NULL);
}
