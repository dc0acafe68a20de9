/* Half-open connections of listeners: SYN-RECEIVED in RFC 9293 section 3.10.7.4, kept in a record. */
#include "tcp/fixture.h"

#include "tcp/tcp_half_open.h"

/* A listener with one record; its SYN-ACK was seen. */
static void half_open(struct script *s)
{
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->listener->half_open_count, 1);
	assert_int_equal(s->host.tcp.half_open_count, 1);
}

static struct hv_tuple *find(struct script *s)
{
	return hv_port_find(&s->host.ports, IPPROTO_TCP, &s->host.addr, HOST_PORT, &s->peer,
			    s->peer_port);
}

/* No connection, no buffer, before the client has answered. */
static void test_costs_a_record(void **state)
{
	struct script *s = *state;
	size_t before;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 40);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->host.tcp.connection_count, 0);
	assert_int_equal(find(s)->kind, HV_TCP_KIND_HALF_OPEN);
	assert_string_equal(hv_tcp_tuple_state(find(s), NULL), "SYN-RECEIVED");
	before = s->host.core.memory_bytes;
	for (unsigned i = 0; i < 10; i++) {
		s->peer_port++;
		script_in(s, FLAGS_S, 0, 0, NULL, 0);
		script_skip(s);
	}
	assert_in_range((s->host.core.memory_bytes - before) / 10, 0, 160);
}

static void test_establishes(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	s->syn = (struct hv_tcp_options){
		.has_mss = true,
		.mss = 900,
		.has_window_scale = true,
		.window_scale = 5,
		.sack_permitted = true,
	};
	half_open(s);
	assert_true(s->got.has_timestamps && s->got.sack_permitted && s->got.has_window_scale);
	assert_int_equal(s->got.ts_echo, 100);
	assert_int_equal(s->got_window, 65535);
	script_wait_ms(s, 30);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_quiet(s);
	s->conn = hv_tcp_accept(s->listener);
	assert_non_null(s->conn);
	assert_state(s->conn, "ESTABLISHED");
	assert_int_equal(s->host.tcp.half_open_count, 0);
	assert_int_equal(s->listener->half_open_count, 0);
	assert_true(s->conn->timestamps && s->conn->sack_ok && s->conn->wscale_ok);
	assert_int_equal(s->conn->snd_wscale, 5);
	assert_int_equal(s->conn->mss, 900 - HV_TCP_TIMESTAMP_BYTES);
	assert_int_equal(s->conn->snd_wnd, 65535u << 5);
	assert_in_range(hv_tcp_rtt_ns(s->conn), 30 * HV_TCP_MS, 31 * HV_TCP_MS);
	hv_tcp_set_owner(s->conn, &s->host);
	assert_int_equal(host_send(s->conn, "abc", 3), 3);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 1, 3);
}

/* A SYN-ACK that was repeated measures nothing, and the window begins with one segment (RFC 5681 section 3.1). */
static void test_after_a_retransmission(void **state)
{
	struct script *s = *state;

	half_open(s);
	script_wait_ms(s, 1010);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->conn = hv_tcp_accept(s->listener);
	assert_int_equal(hv_tcp_rtt_ns(s->conn), 0);
	assert_int_equal(s->conn->cwnd, s->conn->mss);
	assert_int_equal(s->host.tcp.retransmits, 1);
}

static void test_gives_up(void **state)
{
	struct script *s = *state;

	half_open(s);
	script_wait_ms(s, 500);
	s->peer_port++; /* another one, half a second later */
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_wait_ms(s, 62000);
	assert_int_equal(script_skip(s), 10); /* at 1, 3, 7, 15, 31 s each */
	assert_int_equal(s->host.tcp.half_open_count, 2);
	script_wait_ms(s, 700);
	assert_int_equal(s->host.tcp.half_open_count, 1);
	script_wait_ms(s, 500);
	assert_int_equal(s->host.tcp.half_open_count, 0);
	script_quiet(s);
	assert_int_equal(s->host.incoming, 0);
	assert_false(hv_timer_is_set(&s->host.tcp.half_open_timer));
}

/* The SYN again: so was our answer lost. */
static void test_syn_again(void **state)
{
	struct script *s = *state;

	half_open(s);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->host.tcp.half_open_count, 1);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 1);
}

/* RFC 5961 section 3.2: exactly next, else a challenge or nothing. */
static void test_reset(void **state)
{
	struct script *s = *state;

	half_open(s);
	script_in(s, FLAGS_R, 0, 0, NULL, 0); /* behind */
	script_in(s, FLAGS_R, 1 + 65536, 0, NULL, 0);
	script_quiet(s);
	script_in(s, FLAGS_R, 2, 0, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->host.tcp.half_open_count, 1);
	script_in(s, FLAGS_R, 1, 0, NULL, 0);
	script_quiet(s);
	assert_int_equal(s->host.tcp.half_open_count, 0);
	assert_int_equal(s->host.incoming, 0);
	assert_null(find(s));
}

/* A client that began anew with another ISN: out of the window it is challenged, its reset ends the record. */
static void test_other_syn(void **state)
{
	struct script *s = *state;

	half_open(s);
	script_in(s, FLAGS_S, 500000, 0, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
	script_in(s, FLAGS_S, 500000, 0, NULL, 0); /* one in half a second */
	script_quiet(s);
	script_wait_ms(s, 600);
	script_in(s, FLAGS_S, 500000, 0, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->host.tcp.half_open_count, 1);
	/* In the window a passive open returns to LISTEN (fourth check). */
	script_in(s, FLAGS_S, 100, 0, NULL, 0);
	script_quiet(s);
	assert_int_equal(s->host.tcp.half_open_count, 0);
	s->peer_iss += 100;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
}

static void test_wrong_ack(void **state)
{
	struct script *s = *state;

	half_open(s);
	script_in(s, FLAGS_A, 1, 2, NULL, 0); /* <SEQ=SEG.ACK><CTL=RST> */
	script_out(s, FLAGS_R, 2, 0, 0);
	script_in(s, FLAGS_A, 1, 0, NULL, 0);
	script_out(s, FLAGS_R, 0, 0, 0);
	script_in(s, FLAGS_SA, 0, 1, NULL, 0);
	script_quiet(s);
	script_in(s, 0, 1, 0, NULL, 10); /* no ACK at all */
	script_quiet(s);
	script_in(s, FLAGS_A, 1 + 65536, 1, NULL, 0); /* outside of the window */
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->host.tcp.half_open_count, 1);
	assert_int_equal(script_drops(s, HV_DROP_TCP_ACK), 2);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 1);
}

static void test_paws(void **state)
{
	struct script *s = *state;

	s->timestamps = true;
	half_open(s);
	s->ts_value -= 10;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->got.ts_echo, 100);
	assert_int_equal(script_drops(s, HV_DROP_TCP_PAWS), 1);
	s->ts_value += 10;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 1);
}

/* FIN with the completing ACK, and data: all of it counts. */
static void test_all_at_once(void **state)
{
	struct script *s = *state;
	char text[8] = "";

	half_open(s);
	script_in(s, FLAGS_FPA, 1, 1, "hello", 5);
	script_out(s, FLAGS_A, 1, 7, 0);
	s->conn = hv_tcp_accept(s->listener);
	assert_state(s->conn, "CLOSE-WAIT");
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
}

/* The accept queue is full at the completing ACK: it is ignored, and the SYN-ACK repeated. */
static void test_accept_queue_full(void **state)
{
	struct script *s = *state;
	struct hv_tcp_conn *first;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 1);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 1);
	first = hv_tcp_accept(s->listener);
	s->listener->backlog = 0; /* as if others had filled it */
	s->peer_port--;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_skip(s);
	s->listener->backlog = 1;
	assert_int_equal(s->host.tcp.half_open_count, 1);
	script_wait_ms(s, 1010);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 1);
	hv_tcp_close(first);
	script_skip(s);
}

/* As many as the backlog says, 64 at least, and three quarters of the stack's; then cookies (test_syn_cookie.c). */
static void test_limits(void **state)
{
	static const struct {
		int backlog;
		uint32_t max, kept;
	} cases[] = {{2, 1000, 64}, {100, 1000, 100}, {100, 100, 75}};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		struct script *s;

		assert_int_equal(script_setup((void **)&s), 0);
		s->host.tcp.config.max_half_open = cases[i].max;
		s->listener = host_listen(&s->host, &s->bind, HOST_PORT, cases[i].backlog);
		for (unsigned n = 0; n < 150; n++) {
			s->peer_port++;
			script_in(s, FLAGS_S, 0, 0, NULL, 0);
			script_out(s, FLAGS_SA, 0, 1, 0);
		}
		assert_int_equal(s->host.tcp.half_open_count, cases[i].kept);
		assert_int_equal(s->host.tcp.cookies_sent, 150 - cases[i].kept);
		assert_int_equal(script_teardown((void **)&s), 0);
	}
}

static void test_connection_limit(void **state)
{
	struct script *s = *state;

	half_open(s);
	s->host.tcp.config.max_connections = 0;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_quiet(s);
	assert_int_equal(script_drops(s, HV_DROP_TCP_CONNECTION_LIMIT), 1);
	assert_int_equal(s->host.tcp.half_open_count, 1);
	s->host.tcp.config.max_connections = 10;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_int_equal(s->listener->ready_count, 1);
}

/* ICMP about our SYN-ACK: hard errors end the record when they quote it (RFC 5927 section 4.1). */
static void test_icmp(void **state)
{
	struct script *s = *state;
	uint8_t quoted[8];
	struct hv_icmp_report report = {
		.error = ECONNREFUSED,
		.hard = true,
		.src = s->host.addr,
		.dst = s->peer,
		.transport = quoted,
		.transport_len = sizeof(quoted),
	};

	half_open(s);
	hv_put16(quoted, HOST_PORT);
	hv_put16(quoted + 2, s->peer_port);
	hv_put32(quoted + 4, s->host_iss + 5);
	hv_tcp_icmp_error(&s->host.tcp, &report);
	assert_int_equal(s->host.tcp.half_open_count, 1);
	hv_put32(quoted + 4, s->host_iss);
	report.hard = false;
	hv_tcp_icmp_error(&s->host.tcp, &report);
	assert_int_equal(s->host.tcp.half_open_count, 1);
	report.hard = true;
	hv_tcp_icmp_error(&s->host.tcp, &report);
	assert_int_equal(s->host.tcp.half_open_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_costs_a_record),
		SCRIPT_TEST(test_establishes),
		SCRIPT_TEST(test_after_a_retransmission),
		SCRIPT_TEST(test_gives_up),
		SCRIPT_TEST(test_syn_again),
		SCRIPT_TEST(test_reset),
		SCRIPT_TEST(test_other_syn),
		SCRIPT_TEST(test_wrong_ack),
		SCRIPT_TEST(test_paws),
		SCRIPT_TEST(test_all_at_once),
		SCRIPT_TEST(test_accept_queue_full),
		SCRIPT_TEST(test_limits),
		SCRIPT_TEST(test_connection_limit),
		SCRIPT_TEST(test_icmp),
	};

	return cmocka_run_group_tests_name("tcp half-open", tests, NULL, NULL);
}
