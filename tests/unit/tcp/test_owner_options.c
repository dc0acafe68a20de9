/* Options that the owner sets, and what follows from them on the wire and in events. */
#include <netinet/tcp.h>

#include "tcp/fixture.h"
#include "tcp/tcp_receive.h"

static const uint8_t bytes[100000];

static void set(struct script *s, int level, int option, int value)
{
	assert_int_equal(hv_tcp_set_option(s->conn, level, option, value), 0);
}

static bool has(const struct script *s, unsigned event)
{
	return hv_tcp_conn_events(s->conn) & event;
}

/* --- sending ------------------------------------------------------------------------------- */

/* RFC 9293 leaves it open how much waits in the buffer; the owner may say. */
static void test_notsent_lowat(void **state)
{
	struct script *s = *state;

	s->peer_window = 20000;
	script_accept(s);
	set(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000);
	/* The initial window goes at once, and 4000 bytes may wait, with the packet that they are in. */
	assert_int_equal(host_send(s->conn, bytes, sizeof(bytes)), 20000);
	assert_false(has(s, HAVEN_EVENT_WRITABLE));
	assert_int_equal(host_send(s->conn, bytes, 1), 0);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
	assert_false(has(s, HAVEN_EVENT_WRITABLE));
	s->host.events = 0;
	script_in(s, FLAGS_A, 1, 2001, NULL, 0); /* slow start: 4000 more go */
	script_in(s, FLAGS_A, 1, 4001, NULL, 0);
	script_skip(s);
	assert_false(s->host.events & HAVEN_EVENT_WRITABLE); /* 2000 wait: not below the half */
	script_in(s, FLAGS_A, 1, 5001, NULL, 0);
	assert_true(s->host.events & HAVEN_EVENT_WRITABLE);
	assert_true(has(s, HAVEN_EVENT_WRITABLE));
	script_skip(s);
	/* Without a mark the buffer alone decides. */
	set(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0);
	assert_true(host_send(s->conn, bytes, sizeof(bytes)) > 50000);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
}

/* The stack's, unless the owner has one. */
static void test_notsent_lowat_of_the_stack(void **state)
{
	struct script *s = *state;
	int value;

	s->host.tcp.config.notsent_lowat = 4000;
	s->peer_window = 20000;
	script_accept(s);
	assert_int_equal(hv_tcp_get_option(s->conn, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(host_send(s->conn, bytes, sizeof(bytes)), 20000);
	assert_false(has(s, HAVEN_EVENT_WRITABLE));
	set(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1);
	assert_true(host_send(s->conn, bytes, sizeof(bytes)) > 50000);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
}

/* Raising the mark makes the socket writable. */
static void test_notsent_lowat_raised(void **state)
{
	struct script *s = *state;

	s->peer_window = 12000;
	script_accept(s);
	set(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1);
	assert_int_equal(host_send(s->conn, bytes, 40000), 16000);
	s->host.events = 0;
	set(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1);
	assert_true(s->host.events & HAVEN_EVENT_WRITABLE);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
}

/* A window of the peer that opens, without a new acknowledgement. */
static void test_notsent_lowat_window(void **state)
{
	struct script *s = *state;

	s->peer_window = 1000;
	script_accept(s);
	set(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 2000);
	assert_int_equal(host_send(s->conn, bytes, 20000), 3000);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
	s->host.events = 0;
	s->peer_window = 8000;
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	assert_true(s->host.events & HAVEN_EVENT_WRITABLE);
	script_skip(s);
}

static void commit(struct script *s, uint32_t size, bool more)
{
	struct iovec slices[2];
	int count;

	assert_true(hv_tcp_send_reserve(s->conn, size, slices, &count) == (ssize_t)size);
	hv_tcp_send_commit(s->conn, size, more);
	hv_tcp_flush(&s->host.tcp);
}

/* "More follows" holds back until an ACK, TCP_NODELAY or time lets it go; PSH is for what is complete. */
static void test_more(void **state)
{
	struct script *s = *state;

	script_accept(s);
	set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	commit(s, 40, true);
	script_quiet(s);
	script_wait_ms(s, 205);
	script_out(s, FLAGS_PA, 1, 1, 40); /* nothing more came: override timer */
	script_in(s, FLAGS_A, 1, 41, NULL, 0);
	commit(s, 3100, true);
	script_out(s, FLAGS_A, 41, 1, 3000);
	script_quiet(s);
	commit(s, 50, true);
	script_quiet(s);
	script_in(s, FLAGS_A, 1, 2041, NULL, 0);
	script_out(s, FLAGS_A, 3041, 1, 150);
	script_in(s, FLAGS_A, 1, 3191, NULL, 0);
	commit(s, 10, true);
	script_quiet(s);
	commit(s, 10, false);
	script_out(s, FLAGS_PA, 3191, 1, 20);
	script_in(s, FLAGS_A, 1, 3211, NULL, 0);
	commit(s, 40, true);
	set(s, IPPROTO_TCP, TCP_NODELAY, 1);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 3211, 1, 40);
}

/* With Nagle an ACK of a part of what is under way does not let the rest go. */
static void test_more_with_nagle(void **state)
{
	struct script *s = *state;

	script_accept(s);
	commit(s, 3100, true);
	script_out(s, FLAGS_A, 1, 1, 3000);
	script_in(s, FLAGS_A, 1, 2001, NULL, 0);
	script_quiet(s);
	script_in(s, FLAGS_A, 1, 3001, NULL, 0);
	script_out(s, FLAGS_A, 3001, 1, 100);
}

static void test_cork_and_nodelay(void **state)
{
	struct script *s = *state;

	script_accept(s);
	set(s, IPPROTO_TCP, TCP_CORK, 1);
	commit(s, 40, false);
	script_quiet(s);
	set(s, IPPROTO_TCP, TCP_NODELAY, 1); /* lets go what is there */
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 1, 40);
	commit(s, 40, false); /* and the cork is still in */
	script_quiet(s);
	set(s, IPPROTO_TCP, TCP_CORK, 0);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 41, 1, 40);
}

/* RFC 9293 section 3.7.1: the option is told to the peer when it is set early enough. */
static void test_mss_in_syn(void **state)
{
	struct script *s = *state;

	s->syn.mss = 1400;
	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	set(s, IPPROTO_TCP, TCP_MAXSEG, 1100);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	assert_int_equal(s->got.mss, 1100);
	script_in(s, FLAGS_SA, 0, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(s->conn->mss, 1100);
	set(s, IPPROTO_TCP, TCP_MAXSEG, 500); /* too late for the peer to know */
	assert_int_equal(s->conn->mss, 500);
	assert_int_equal(s->conn->rcv_mss, 1100);
	set(s, IPPROTO_TCP, TCP_MAXSEG, 0);
	assert_int_equal(s->conn->mss, 1400);
}

static void test_syn_count(void **state)
{
	struct script *s = *state;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	set(s, IPPROTO_TCP, TCP_SYNCNT, 2);
	hv_tcp_flush(&s->host.tcp);
	script_wait_ms(s, 60000);
	assert_int_equal(script_skip(s), 3); /* the first, and two more */
	assert_state(s->conn, "CLOSED");
	assert_int_equal(s->conn->error, ETIMEDOUT);
	hv_tcp_close(s->conn);
}

/* --- receiving ----------------------------------------------------------------------------- */

static void test_receive_lowat(void **state)
{
	struct script *s = *state;

	script_accept(s);
	set(s, SOL_SOCKET, SO_RCVLOWAT, 100);
	s->host.events = 0;
	script_in(s, FLAGS_PA, 1, 1, NULL, 99);
	assert_false(has(s, HAVEN_EVENT_READABLE));
	assert_false(s->host.events & HAVEN_EVENT_READABLE);
	script_in(s, FLAGS_PA, 100, 1, NULL, 1);
	assert_true(s->host.events & HAVEN_EVENT_READABLE);
	set(s, SOL_SOCKET, SO_RCVLOWAT, 101);
	assert_false(has(s, HAVEN_EVENT_READABLE));
	s->host.events = 0;
	set(s, SOL_SOCKET, SO_RCVLOWAT, 0); /* means 1 */
	assert_true(s->host.events & HAVEN_EVENT_READABLE);
	set(s, SOL_SOCKET, SO_RCVLOWAT, 1000);
	script_in(s, FLAGS_FA, 101, 1, NULL, 0); /* nothing more will come */
	assert_true(has(s, HAVEN_EVENT_READABLE));
	script_skip(s);
}

/* A full buffer is enough to read, whatever the mark says. */
static void test_receive_lowat_full(void **state)
{
	struct script *s = *state;

	script_accept(s);
	set(s, SOL_SOCKET, SO_RCVBUF, 3000);
	set(s, SOL_SOCKET, SO_RCVLOWAT, 100000);
	for (uint32_t at = 1; at < 3001; at += 1000)
		script_in(s, FLAGS_PA, at, 1, NULL, 1000);
	assert_true(has(s, HAVEN_EVENT_READABLE));
	script_skip(s);
}

/* Nor may the mark hold back a reader when the free rest of the buffer is too little to be offered. */
static void test_receive_lowat_closed(void **state)
{
	struct script *s = *state;
	uint32_t at = 1, window;

	script_accept(s);
	set(s, SOL_SOCKET, SO_RCVBUF, 4096);
	set(s, SOL_SOCKET, SO_RCVLOWAT, 100000000);
	set(s, IPPROTO_TCP, TCP_QUICKACK, 0);
	s->conn->segment_estimate = 100;
	while ((window = s->conn->rcv_edge - s->conn->rcv_nxt) > 0) {
		script_in(s, FLAGS_PA, at, 1, NULL, window < 1000 ? window : 1000);
		at += window < 1000 ? window : 1000;
		script_wait_ms(s, 50);
	}
	script_skip(s);
	s->conn->receive_limit += 700; /* as when little was read */
	assert_true(has(s, HAVEN_EVENT_READABLE));
}

static void test_window_clamp(void **state)
{
	struct script *s = *state;
	int value;

	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	set(s, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	assert_int_equal(s->got_window, 5000);
	script_in(s, FLAGS_SA, 0, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
	script_in(s, FLAGS_PA, 1, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1001, 0);
	assert_int_equal(s->got_window, 4000);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0), -EINVAL);
	assert_int_equal(hv_tcp_get_option(s->conn, IPPROTO_TCP, TCP_WINDOW_CLAMP, &value), 0);
	assert_int_equal(value, 5000);
}

static void test_quick_ack(void **state)
{
	struct script *s = *state;

	script_accept(s);
	set(s, IPPROTO_TCP, TCP_QUICKACK, 0);
	script_in(s, FLAGS_PA, 1, 1, NULL, 10);
	script_quiet(s);
	set(s, IPPROTO_TCP, TCP_QUICKACK, 1); /* what waits goes */
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 1, 11, 0);
	script_in(s, FLAGS_PA, 11, 1, NULL, 10);
	script_out(s, FLAGS_A, 1, 21, 0);
	set(s, IPPROTO_TCP, TCP_QUICKACK, 2); /* goes now, but the next one waits again */
	script_in(s, FLAGS_PA, 21, 1, NULL, 10);
	script_quiet(s);
	script_wait_ms(s, 45);
	script_out(s, FLAGS_A, 1, 31, 0);
}

static void test_no_quick_acks(void **state)
{
	struct script *s = *state;

	s->host.tcp.config.no_quick_acks = true;
	script_accept(s);
	script_in(s, FLAGS_PA, 1, 1, NULL, 10);
	script_quiet(s);
	script_wait_ms(s, 45);
	script_out(s, FLAGS_A, 1, 11, 0);
}

static void test_buffers(void **state)
{
	struct script *s = *state;
	int value;

	script_accept(s);
	set(s, SOL_SOCKET, SO_SNDBUF, 10000);
	assert_int_equal(s->conn->send.limit, 10000);
	assert_int_equal(hv_tcp_get_option(s->conn, SOL_SOCKET, SO_SNDBUF, &value), 0);
	assert_int_equal(value, 20000);
	set(s, SOL_SOCKET, SO_RCVBUF, 10000);
	assert_int_equal(s->conn->receive_limit, 10000);
	set(s, SOL_SOCKET, SO_RCVBUF, -1); /* as large as there is */
	assert_int_equal(s->conn->receive_limit, s->host.tcp.config.receive_buffer_bytes);
	set(s, SOL_SOCKET, SO_RCVBUF, 1);
	assert_int_equal(s->conn->receive_limit, 1152);
}

/* --- ending -------------------------------------------------------------------------------- */

static void close_to_fin_wait_2(struct script *s)
{
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_A, 1, 2, NULL, 0);
}

static void test_linger2(void **state)
{
	struct script *s = *state;

	script_accept(s);
	set(s, IPPROTO_TCP, TCP_LINGER2, 5);
	close_to_fin_wait_2(s);
	script_wait_ms(s, 4900);
	assert_int_equal(s->host.tcp.connection_count, 1);
	script_wait_ms(s, 200);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

static void test_linger2_none(void **state)
{
	struct script *s = *state;

	script_accept(s);
	set(s, IPPROTO_TCP, TCP_LINGER2, -1);
	close_to_fin_wait_2(s);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

/* In FIN-WAIT-2 already: the peer is told that nobody reads any more. */
static void test_linger2_none_late(void **state)
{
	struct script *s = *state;

	script_accept(s);
	set(s, IPPROTO_TCP, TCP_LINGER2, -1);
	assert_int_equal(hv_tcp_shutdown_send(s->conn), 0);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 1, 0);
	script_in(s, FLAGS_A, 1, 2, NULL, 0);
	assert_state(s->conn, "FIN-WAIT-2");
	hv_tcp_close(s->conn);
	script_out(s, FLAGS_RA, 2, 1, 0);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

/* --- listeners ----------------------------------------------------------------------------- */

static void listen_with(struct script *s, int level, int option, int value)
{
	if (!s->listener)
		s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	hv_tcp_listener_set_option(s->listener, level, option, value);
}

static void test_listener_in_syn_ack(void **state)
{
	struct script *s = *state;

	listen_with(s, IPPROTO_TCP, TCP_MAXSEG, 700);
	listen_with(s, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000);
	listen_with(s, IPPROTO_IP, IP_TOS, 0x10);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->got.mss, 700);
	assert_int_equal(s->got_window, 5000);
	assert_int_equal(s->got_traffic_class, 0x10);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->conn = hv_tcp_accept(s->listener);
	hv_tcp_set_owner(s->conn, &s->host);
	assert_int_equal(s->conn->mss, 700);
	assert_int_equal(s->conn->rcv_mss, 700);
	script_in(s, FLAGS_PA, 1, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1001, 0);
	assert_int_equal(s->got_window, 4000);
}

static void test_listener_buffer(void **state)
{
	struct script *s = *state;

	listen_with(s, SOL_SOCKET, SO_RCVBUF, 3000);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->got_window, 3000);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->conn = hv_tcp_accept(s->listener);
	hv_tcp_set_owner(s->conn, &s->host);
	assert_int_equal(s->conn->receive_limit, 3000);
}

/* The server sleeps until the client has said something. */
static void test_defer_accept(void **state)
{
	struct script *s = *state;

	listen_with(s, IPPROTO_TCP, TCP_DEFER_ACCEPT, 7);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_quiet(s);
	assert_false(hv_tcp_can_accept(s->listener));
	script_wait_ms(s, 2000); /* no SYN-ACK again: it was answered */
	script_quiet(s);
	script_in(s, FLAGS_PA, 1, 1, "hello", 5);
	script_out(s, FLAGS_A, 1, 6, 0);
	s->conn = hv_tcp_accept(s->listener);
	hv_tcp_set_owner(s->conn, &s->host);
	assert_int_equal(s->conn->receive.used, 5);
}

/* A client that waits for the server to speak first gets its connection in the end. */
static void test_defer_accept_ends(void **state)
{
	struct script *s = *state;

	listen_with(s, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_wait_ms(s, 2900);
	script_quiet(s);
	script_wait_ms(s, 200);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	s->conn = hv_tcp_accept(s->listener);
	assert_non_null(s->conn);
	hv_tcp_set_owner(s->conn, &s->host);
	assert_state(s->conn, "ESTABLISHED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_notsent_lowat),
		SCRIPT_TEST(test_notsent_lowat_of_the_stack),
		SCRIPT_TEST(test_notsent_lowat_raised),
		SCRIPT_TEST(test_notsent_lowat_window),
		SCRIPT_TEST(test_more),
		SCRIPT_TEST(test_more_with_nagle),
		SCRIPT_TEST(test_cork_and_nodelay),
		SCRIPT_TEST(test_mss_in_syn),
		SCRIPT_TEST(test_syn_count),
		SCRIPT_TEST(test_receive_lowat),
		SCRIPT_TEST(test_receive_lowat_full),
		SCRIPT_TEST(test_receive_lowat_closed),
		SCRIPT_TEST(test_window_clamp),
		SCRIPT_TEST(test_quick_ack),
		SCRIPT_TEST(test_no_quick_acks),
		SCRIPT_TEST(test_buffers),
		SCRIPT_TEST(test_linger2),
		SCRIPT_TEST(test_linger2_none),
		SCRIPT_TEST(test_linger2_none_late),
		SCRIPT_TEST(test_listener_in_syn_ack),
		SCRIPT_TEST(test_listener_buffer),
		SCRIPT_TEST(test_defer_accept),
		SCRIPT_TEST(test_defer_accept_ends),
	};

	return cmocka_run_group_tests_name("tcp options of the owner", tests, NULL, NULL);
}
