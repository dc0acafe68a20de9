/* Data out: segment sizes, windows, Nagle, probes, busy links. RFC 9293 sections 3.7.4, 3.8.6. */
#include "tcp/fixture.h"

#include <netinet/tcp.h>
#include <stdlib.h>

static uint8_t bytes[1 << 20];

static void test_payload(void **state)
{
	struct script *s = *state;
	uint8_t text[2000];

	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
	script_accept(s);
	assert_int_equal(host_send(s->conn, text, 300), 300); /* copied */
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 1, 300);
	assert_memory_equal(s->got_payload, text, 300);
	script_in(s, FLAGS_A, 1, 301, NULL, 0);
	assert_int_equal(host_send(s->conn, text, 2000), 2000); /* borrowed */
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 301, 1, 2000);
	assert_memory_equal(s->got_payload, text, 2000);
}

static void test_initial_window(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 50000);
	script_out(s, FLAGS_A, 1, 1, 10000); /* RFC 6928: ten segments, in one packet */
	script_quiet(s);
	script_in(s, FLAGS_A, 1, 10001, NULL, 0);
	script_out(s, FLAGS_A, 10001, 1, 20000); /* slow start */
	script_in(s, FLAGS_A, 1, 20001, NULL, 0);
	script_out(s, FLAGS_PA, 30001, 1, 20000);
	script_in(s, FLAGS_A, 1, 50001, NULL, 0);
	assert_true(s->host.events & HAVEN_EVENT_SENT);
}

/* As large as 64 KiB and whole segments permit. */
static void test_packet_size(void **state)
{
	struct script *s = *state;

	s->syn.has_window_scale = true;
	s->syn.window_scale = 7;
	script_accept(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->conn->cwnd = 1000000;
	script_send(s, bytes, 100000);
	script_out(s, FLAGS_A, 1, 1, 65000);
	script_out(s, FLAGS_PA, 65001, 1, 35000);
	script_quiet(s);
}

static void test_peer_window(void **state)
{
	struct script *s = *state;

	s->peer_window = 3000;
	script_accept(s);
	script_send(s, bytes, 10000);
	script_out(s, FLAGS_A, 1, 1, 3000);
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	script_out(s, FLAGS_A, 3001, 1, 1000);
	/* A window that opens by less than a segment: wait (SWS avoidance). */
	s->peer_window = 2100;
	script_in(s, FLAGS_A, 1, 2001, NULL, 0);
	script_quiet(s);
	s->peer_window = 3000;
	script_in(s, FLAGS_A, 1, 2001, NULL, 0);
	script_out(s, FLAGS_A, 4001, 1, 1000);
}

static void test_nagle(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 100);
	script_out(s, FLAGS_PA, 1, 1, 100);
	script_send(s, bytes, 100);
	script_quiet(s);
	script_send(s, bytes, 300);
	script_quiet(s);
	script_in(s, FLAGS_A, 1, 101, NULL, 0);
	script_out(s, FLAGS_PA, 101, 1, 400);
	script_send(s, bytes, 1000); /* a full segment does not wait */
	script_out(s, FLAGS_PA, 501, 1, 1000);
	script_in(s, FLAGS_A, 1, 1501, NULL, 0);
}

static void test_no_delay(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 100);
	script_out(s, FLAGS_PA, 1, 1, 100);
	script_send(s, bytes, 50);
	script_quiet(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 101, 1, 50);
	script_send(s, bytes, 60);
	script_out(s, FLAGS_PA, 151, 1, 60);
}

static void test_cork(void **state)
{
	struct script *s = *state;

	script_accept(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_CORK, 1), 0);
	script_send(s, bytes, 1500);
	script_out(s, FLAGS_A, 1, 1, 1000);
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	script_quiet(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_CORK, 0), 0);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1001, 1, 500);
	script_in(s, FLAGS_A, 1, 1501, NULL, 0);
	/* It waits 200 ms at most. */
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_CORK, 1), 0);
	script_send(s, bytes, 10);
	script_quiet(s);
	script_wait_ms(s, 190);
	script_quiet(s);
	script_wait_ms(s, 20);
	script_out(s, FLAGS_PA, 1501, 1, 10);
}

static void test_more(void **state)
{
	struct script *s = *state;
	struct iovec slices[2];
	int count;

	script_accept(s);
	assert_int_equal(hv_tcp_send_reserve(s->conn, 10, slices, &count), 10);
	hv_tcp_send_commit(s->conn, 10, true);
	hv_tcp_flush(&s->host.tcp);
	script_quiet(s);
	assert_int_equal(hv_tcp_send_reserve(s->conn, 10, slices, &count), 10);
	hv_tcp_send_commit(s->conn, 10, false);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 1, 20);
}

static void test_zero_window_probes(void **state)
{
	struct script *s = *state;
	uint64_t wait_ms = 200;

	script_accept(s);
	script_send(s, bytes, 500);
	script_out(s, FLAGS_PA, 1, 1, 500);
	s->peer_window = 0;
	script_in(s, FLAGS_A, 1, 501, NULL, 0);
	script_send(s, bytes, 2000);
	script_quiet(s);
	/* For ever while they are answered, further and further apart: RFC 9293 section 3.8.6.1. */
	for (unsigned i = 0; i < 30; i++) {
		script_wait_ms(s, wait_ms * 9 / 10);
		script_quiet(s);
		script_wait_ms(s, wait_ms / 5 + 10);
		script_out(s, FLAGS_A, 501, 1, 1);
		script_in(s, FLAGS_A, 1, 501, NULL, 0);
		script_quiet(s);
		wait_ms = wait_ms * 2 > 60000 ? 60000 : wait_ms * 2;
		script_skip(s);
		/* Stand at the last probe again. */
		s->conn->deadlines[HV_TCP_DEADLINE_RETRANSMIT] =
			s->host.core.now_ns + wait_ms * HV_TCP_MS;
	}
	s->peer_window = 65535;
	script_in(s, FLAGS_A, 1, 501, NULL, 0);
	script_out(s, FLAGS_PA, 501, 1, 2000);
}

static void test_probe_is_taken(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 500);
	script_out(s, FLAGS_PA, 1, 1, 500);
	s->peer_window = 0;
	script_in(s, FLAGS_A, 1, 501, NULL, 0);
	script_send(s, bytes, 2000);
	script_wait_ms(s, 250);
	script_out(s, FLAGS_A, 501, 1, 1);
	s->peer_window = 65535;
	script_in(s, FLAGS_A, 1, 502, NULL, 0);
	script_out(s, FLAGS_PA, 502, 1, 1999);
	script_in(s, FLAGS_A, 1, 2501, NULL, 0);
	assert_int_equal(hv_tcp_send_queued(s->conn), 0);
}

static void test_unanswered_probes(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_send(s, bytes, 500);
	s->peer_window = 0;
	script_in(s, FLAGS_A, 1, 501, NULL, 0);
	script_send(s, bytes, 2000);
	script_wait_ms(s, 2000000);
	assert_int_equal(hv_tcp_take_error(s->conn), ETIMEDOUT);
	assert_state(s->conn, "CLOSED");
	script_skip(s);
	hv_tcp_close(s->conn);
}

static void test_busy_link(void **state)
{
	struct script *s = *state;

	script_accept(s);
	s->host.ip.busy = true;
	script_send(s, bytes, 3000);
	script_quiet(s);
	assert_int_equal(s->conn->snd_max, s->host_iss + 1); /* not counted as sent */
	s->host.ip.busy = false;
	hv_tcp_flush(&s->host.tcp);
	script_quiet(s); /* it waits to be told */
	hv_tcp_writable(&s->host.tcp);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 1, 3000);
	/* A link that becomes busy and drops. */
	script_in(s, FLAGS_A, 1, 3001, NULL, 0);
	s->host.ip.status = -EAGAIN;
	script_send(s, bytes, 1000);
	script_quiet(s);
	s->host.ip.status = 0;
	hv_tcp_writable(&s->host.tcp);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 3001, 1, 1000);
	assert_int_equal(s->host.tcp.retransmits, 0);
}

/* An ACK that found the link busy is not forgotten. */
static void test_busy_link_and_ack(void **state)
{
	struct script *s = *state;

	script_accept(s);
	s->host.ip.status = -EAGAIN;
	script_in(s, FLAGS_PA, 1, 1, "x", 1);
	s->host.ip.status = 0;
	hv_tcp_writable(&s->host.tcp);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 1, 2, 0);
	s->host.ip.status = -ENOMEM;
	script_in(s, FLAGS_PA, 2, 1, "x", 1);
	s->host.ip.status = 0;
	script_wait_ms(s, 50);
	script_out(s, FLAGS_A, 1, 3, 0);
}

static void test_no_memory_to_send(void **state)
{
	struct script *s = *state;

	script_accept(s);
	s->host.ip.status = -ENOMEM;
	script_send(s, bytes, 1000);
	script_quiet(s);
	s->host.ip.status = 0;
	script_wait_ms(s, 250);
	script_out(s, FLAGS_PA, 1, 1, 1000);
}

static void test_smaller_path(void **state)
{
	struct script *s = *state;

	s->syn.mss = 1460;
	script_accept(s);
	assert_int_equal(s->conn->mss, 1460);
	s->host.ip.mtu = 700; /* the path cache knows, and ip/ refuses */
	script_send(s, bytes, 1460);
	script_out(s, FLAGS_PA, 1, 1, 1460);
	assert_int_equal(s->conn->mss, 660);
}

static void test_full_buffer(void **state)
{
	struct script *s = *state;
	struct iovec slices[2];
	size_t taken;
	int count;

	script_accept(s);
	taken = host_send(s->conn, bytes, sizeof(bytes));
	assert_int_equal(taken, 128 * 1024);
	assert_int_equal(hv_tcp_send_reserve(s->conn, 1, slices, &count), 0);
	assert_false(hv_tcp_conn_events(s->conn) & HAVEN_EVENT_WRITABLE);
	s->host.events = 0;
	hv_tcp_flush(&s->host.tcp);
	for (uint32_t acked = 1; acked < 1 + taken;) {
		struct hv_packet *packet;

		while ((packet = host_take(&s->host))) {
			acked = packet->d.seq - s->host_iss + packet->d.payload_len;
			hv_packet_free(&s->host.core, packet);
		}
		script_in(s, FLAGS_A, 1, acked, NULL, 0);
	}
	assert_true(s->host.events & HAVEN_EVENT_WRITABLE);
	assert_true(s->host.events & HAVEN_EVENT_SENT);
	assert_true(s->conn->cwnd > 70000); /* and the buffer grows with it */
	assert_true(s->conn->send.limit >= 2 * s->conn->cwnd);
}

/* RFC 9293: queued in SYN-RECEIVED, sent when the handshake is complete. */
static void test_queue_before_established(void **state)
{
	struct script *s = *state;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	assert_int_equal(host_send(s->conn, bytes, 10), 0); /* SYN-SENT: would block */
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_send(s, bytes, 10);
	script_quiet(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_PA, 1, 1, 10);
}

static void test_idle_holds_nothing(void **state)
{
	struct script *s = *state;
	uint8_t data[1000];
	uint64_t idle_bytes;

	script_accept(s);
	idle_bytes = s->host.core.memory_bytes;
	script_send(s, bytes, 900);
	script_out(s, FLAGS_PA, 1, 1, 900);
	script_in(s, FLAGS_PA, 1, 901, NULL, 800);
	assert_int_equal(host_read(s->conn, data, sizeof(data)), 800);
	assert_non_null(s->conn->send.memory);
	script_wait_ms(s, 3000);
	script_skip(s);
	assert_null(s->conn->send.memory);
	assert_null(s->conn->receive.memory);
	assert_true(s->host.core.memory_bytes <= idle_bytes + 8192); /* packets in the pool */
	assert_int_equal(hv_timer_next(&s->host.core.wheel), UINT64_MAX);
}

/* RFC 9293 section 3.9.1.2, and on what a receiver may put together again. */
static void test_push(void **state)
{
	struct script *s = *state;
	int value = 1;

	script_accept(s);
	s->conn->no_delay = true;
	script_send(s, bytes, 10500);
	script_out(s, FLAGS_A, 1, 1, 10000);
	assert_true(s->got_pushed); /* several segments */
	s->conn->cwnd = 1000;
	script_in(s, FLAGS_A, 1, 10001, NULL, 0);
	s->conn->cwnd = 1000;
	script_send(s, bytes, 1000);
	script_skip(s);
	script_in(s, FLAGS_A, 1, 10501, NULL, 0);
	script_skip(s);
	script_in(s, FLAGS_A, 1, 11501, NULL, 0);
	s->conn->cwnd = 1000;
	script_send(s, bytes, 1500);
	script_out(s, FLAGS_A, 11501, 1, 1000);
	assert_false(s->got_pushed); /* more is behind it */
	script_in(s, FLAGS_A, 1, 12501, NULL, 0);
	script_out(s, FLAGS_A, 12501, 1, 500);
	assert_true(s->got_pushed);
	script_in(s, FLAGS_A, 1, 13001, NULL, 0);
	/* The user says that more follows; TCP_NODELAY lets it go all the same, once. */
	host_send(s->conn, bytes, 100);
	s->conn->more = s->conn->no_push = true;
	hv_tcp_flush(&s->host.tcp);
	script_quiet(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_NODELAY, value), 0);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 13001, 1, 100);
	assert_false(s->got_pushed);
	script_in(s, FLAGS_A, 1, 13101, NULL, 0);
	/* FIN says by itself that nothing follows. */
	hv_tcp_shutdown_send(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A | HV_TCP_FIN, 13101, 1, 0);
	assert_false(s->got_pushed);
}

/* Packets bounded by the rate: two segments in a millisecond; one where that is half of the window. */
static void test_packet_segments(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.packet_segments = 2;
	script_accept(s);
	s->conn->srtt_ns = s->conn->min_rtt_ns = 10 * HV_TCP_MS;
	script_send(s, bytes, 10000);
	for (uint32_t i = 0; i < 5; i++)
		script_out(s, FLAGS_A, 1 + i * 2000, 1, 2000);
	script_quiet(s);
	script_in(s, FLAGS_A, 1, 10001, NULL, 0);
	s->conn->cwnd = 2000;
	script_send(s, bytes, 2000);
	script_out(s, FLAGS_A, 10001, 1, 1000);
	script_out(s, FLAGS_A, 11001, 1, 1000);
	script_in(s, FLAGS_A, 1, 12001, NULL, 0);
	/* A short path: as large as half of the window. */
	s->conn->cwnd = 100000;
	s->conn->srtt_ns = s->conn->min_rtt_ns = HV_TCP_MS / 10;
	script_send(s, bytes, 50000);
	script_out(s, FLAGS_A, 12001, 1, 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_payload),
		SCRIPT_TEST(test_initial_window),
		SCRIPT_TEST(test_packet_size),
		SCRIPT_TEST(test_peer_window),
		SCRIPT_TEST(test_nagle),
		SCRIPT_TEST(test_no_delay),
		SCRIPT_TEST(test_cork),
		SCRIPT_TEST(test_more),
		SCRIPT_TEST(test_zero_window_probes),
		SCRIPT_TEST(test_probe_is_taken),
		SCRIPT_TEST(test_unanswered_probes),
		SCRIPT_TEST(test_busy_link),
		SCRIPT_TEST(test_busy_link_and_ack),
		SCRIPT_TEST(test_no_memory_to_send),
		SCRIPT_TEST(test_smaller_path),
		SCRIPT_TEST(test_full_buffer),
		SCRIPT_TEST(test_queue_before_established),
		SCRIPT_TEST(test_idle_holds_nothing),
		SCRIPT_TEST(test_push),
		SCRIPT_TEST(test_packet_segments),
	};

	return cmocka_run_group_tests_name("tcp send", tests, NULL, NULL);
}
