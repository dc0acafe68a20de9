/* TCP Fast Open (RFC 7413), both roles. */
#include "tcp/fixture.h"

#include <netinet/tcp.h>

#include "tcp/tcp_fastopen.h"

static const uint8_t some_cookie[8] = {1, 2, 3, 4, 5, 6, 7, 8};

/* --- server ------------------------------------------------------------------------------ */

static void serve(struct script *s, uint32_t most)
{
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	hv_tcp_listener_set_fast_open(s->listener, most);
	s->syn.has_fast_open = true;
}

/* The client asks for a cookie by an ordinary handshake, and puts it into its SYNs from then on. */
static void get_cookie(struct script *s, uint8_t cookie[8])
{
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_true(s->got.has_fast_open);
	assert_int_equal(s->got.fast_open_len, 8);
	memcpy(cookie, s->got_fast_open, 8);
	s->syn.fast_open = cookie;
	s->syn.fast_open_len = 8;
	script_in(s, FLAGS_R, 1, 0, NULL, 0);
	s->peer_port++;
}

static void test_server(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8];
	char text[8] = "";

	serve(s, 4);
	get_cookie(s, cookie);
	s->no_flush = true;
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	s->no_flush = false;
	/* It can be accepted, read and written before its handshake is complete. */
	assert_int_equal(s->host.incoming, 1);
	s->conn = hv_tcp_accept(s->listener);
	assert_non_null(s->conn);
	hv_tcp_set_owner(s->conn, &s->host);
	assert_state(s->conn, "SYN-RECEIVED");
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(host_send(s->conn, "answer", 6), 6);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_SA, 0, 6, 0);
	assert_false(s->got.has_fast_open); /* the cookie is fresh */
	script_out(s, FLAGS_PA, 1, 6, 6);
	script_quiet(s);
	assert_int_equal(s->listener->fast_open_count, 1);
	script_in(s, FLAGS_A, 6, 7, NULL, 0);
	assert_state(s->conn, "ESTABLISHED");
	assert_true(s->host.events & HAVEN_EVENT_CONNECTED);
	assert_int_equal(s->listener->fast_open_count, 0);
	assert_null(s->conn->fast_open);
	script_in(s, FLAGS_PA, 6, 7, "x", 1);
	script_out(s, FLAGS_A, 7, 7, 0);
}

/* Options: the SYN's window is not scaled, that of data before the handshake's end is. */
static void test_server_window(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8];

	s->syn = (struct hv_tcp_options){
		.has_mss = true,
		.mss = 1000,
		.has_window_scale = true,
		.window_scale = 2,
		.sack_permitted = true,
	};
	serve(s, 4);
	get_cookie(s, cookie);
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 6, 0);
	assert_int_equal(s->got_window, 65535);
	s->conn = hv_tcp_accept(s->listener);
	host_send(s->conn, "answer", 6);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 6, 6);
	assert_in_range(s->got_window << s->conn->rcv_wscale, 60000, 300000);
}

/* The SYN-ACK and the answer are lost: first the one, then the other is repeated. */
static void test_server_loses(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8];

	serve(s, 4);
	get_cookie(s, cookie);
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	s->conn = hv_tcp_accept(s->listener);
	hv_tcp_set_owner(s->conn, &s->host);
	host_send(s->conn, "answer", 6);
	hv_tcp_flush(&s->host.tcp);
	assert_int_equal(script_skip(s), 2);
	script_wait_ms(s, 1010);
	script_out(s, FLAGS_SA, 0, 6, 0);
	script_in(s, FLAGS_A, 6, 1, NULL, 0); /* of the SYN-ACK alone */
	assert_state(s->conn, "ESTABLISHED");
	script_wait_ms(s, 4000);
	script_out(s, FLAGS_PA, 1, 6, 6);
	script_in(s, FLAGS_A, 6, 7, NULL, 0);
	assert_int_equal(hv_tcp_send_queued(s->conn), 0);
}

/* A close waits for the handshake: no FIN before it. */
static void test_server_closes_early(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8], text[8];

	serve(s, 4);
	get_cookie(s, cookie);
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 6, 0);
	s->conn = hv_tcp_accept(s->listener);
	host_read(s->conn, text, sizeof(text));
	host_send(s->conn, "bye", 3);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 6, 3);
	script_quiet(s);
	script_in(s, FLAGS_A, 6, 4, NULL, 0);
	script_out(s, FLAGS_FA, 4, 6, 0);
	script_in(s, FLAGS_FA, 6, 5, NULL, 0);
	script_out(s, FLAGS_A, 5, 7, 0);
}

static void test_server_off(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8];

	serve(s, 4);
	get_cookie(s, cookie);
	hv_tcp_listener_set_fast_open(s->listener, 0);
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 1, 0); /* the data is not taken */
	assert_false(s->got.has_fast_open);
	assert_int_equal(s->host.incoming, 0);
	assert_int_equal(s->host.tcp.half_open_count, 1);
	script_in(s, FLAGS_PA, 1, 1, "hello", 5);
	assert_int_equal(s->host.incoming, 1);
	script_skip(s);
}

static void test_server_wrong_cookie(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8];

	serve(s, 4);
	get_cookie(s, cookie);
	cookie[3] ^= 1;
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	cookie[3] ^= 1;
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_true(s->got.has_fast_open); /* the right one */
	assert_memory_equal(s->got_fast_open, cookie, 8);
	assert_int_equal(s->host.incoming, 0);
	/* Somebody else's. */
	s->peer.b[15]++;
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_int_equal(s->host.incoming, 0);
}

/* Good for half a day to a day; an old one is replaced. */
static void test_server_cookie_ages(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8];

	serve(s, 4);
	get_cookie(s, cookie);
	host_run(&s->host, s->host.core.now_ns + 43200 * HV_TCP_SECOND);
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 6, 0);
	assert_true(s->got.has_fast_open);
	assert_memory_not_equal(s->got_fast_open, cookie, 8);
	assert_int_equal(s->host.incoming, 1);
	s->peer_port++;
	host_run(&s->host, s->host.core.now_ns + 43200 * HV_TCP_SECOND);
	script_skip(s);
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 1, 0);
}

/* Section 5.1: a limit for those without ACK; one that was reset holds its place for a minute. */
static void test_server_limit(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8];

	serve(s, 1);
	get_cookie(s, cookie);
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 6, 0);
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 1, 0);
	s->peer_port--;
	script_in(s, FLAGS_R, 6, 0, NULL, 0);
	assert_int_equal(s->listener->fast_open_count, 0);
	s->peer_port += 2;
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_wait_ms(s, 61000);
	script_skip(s);
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 6, 0);
}

/* The listener ends while one of its connections waits for the ACK. */
static void test_server_listener_ends(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8];

	serve(s, 4);
	get_cookie(s, cookie);
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_out(s, FLAGS_SA, 0, 6, 0);
	s->conn = hv_tcp_accept(s->listener);
	hv_tcp_set_owner(s->conn, &s->host);
	hv_tcp_listener_close(s->listener);
	s->listener = NULL;
	script_in(s, FLAGS_A, 6, 1, NULL, 0);
	assert_state(s->conn, "ESTABLISHED");
	assert_null(s->conn->fast_open);
}

static void test_server_gives_up(void **state)
{
	struct script *s = *state;
	uint8_t cookie[8];

	serve(s, 4);
	get_cookie(s, cookie);
	script_in(s, FLAGS_S, 0, 0, "hello", 5);
	script_wait_ms(s, 70000);
	assert_int_equal(script_skip(s), 6);
	assert_null(hv_tcp_accept(s->listener));
	assert_int_equal(s->listener->fast_open_count, 0);
	assert_int_equal(s->host.tcp.connection_count, 0);
}

/* --- client ------------------------------------------------------------------------------ */

static void fast_connect(struct script *s)
{
	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	s->peer_port = PEER_PORT;
	assert_non_null(s->conn);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	hv_tcp_flush(&s->host.tcp);
}

/* Ask for a cookie, get it, and end that connection. */
static void learn_cookie(struct script *s)
{
	fast_connect(s);
	script_out(s, FLAGS_S, 0, 0, 0);
	assert_true(s->got.has_fast_open);
	assert_int_equal(s->got.fast_open_len, 0);
	assert_int_equal(host_send(s->conn, "x", 1), 0); /* as on every connection */
	s->syn.has_fast_open = true;
	s->syn.fast_open = some_cookie;
	s->syn.fast_open_len = 8;
	script_in(s, FLAGS_SA, 0, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
	hv_tcp_abort(s->conn);
	script_skip(s);
	s->syn.has_fast_open = false;
	s->syn.fast_open_len = 0;
}

static void test_client(void **state)
{
	struct script *s = *state;

	learn_cookie(s);
	fast_connect(s);
	script_quiet(s); /* the SYN waits for data */
	assert_true(hv_tcp_is_deferred(s->conn));
	assert_true(hv_tcp_conn_events(s->conn) & HAVEN_EVENT_WRITABLE);
	assert_int_equal(host_send(s->conn, "hello", 5), 5);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 5);
	assert_memory_equal(s->got_payload, "hello", 5);
	assert_true(s->got.has_fast_open);
	assert_memory_equal(s->got_fast_open, some_cookie, 8);
	script_in(s, FLAGS_SA, 0, 6, NULL, 0);
	script_out(s, FLAGS_A, 6, 1, 0);
	assert_state(s->conn, "ESTABLISHED");
	assert_int_equal(hv_tcp_send_queued(s->conn), 0);
	assert_true(hv_tcp_conn_events(s->conn) & HAVEN_EVENT_SENT);
	assert_null(s->conn->fast_open);
	script_wait_ms(s, 5000);
	script_quiet(s); /* no timer is left */
	host_send(s->conn, "more", 4);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 6, 1, 4);
}

/* The server took a part, or nothing: the rest goes as data. */
static void test_client_partly(void **state)
{
	struct script *s = *state;

	learn_cookie(s);
	for (uint32_t taken = 0; taken < 5; taken += 2) {
		fast_connect(s);
		host_send(s->conn, "hello", 5);
		hv_tcp_flush(&s->host.tcp);
		script_out(s, FLAGS_S, 0, 0, 5);
		script_in(s, FLAGS_SA, 0, 1 + taken, NULL, 0);
		script_out(s, FLAGS_PA, 1 + taken, 1, 5 - taken);
		assert_memory_equal(s->got_payload, "hello" + taken, 5 - taken);
		script_in(s, FLAGS_A, 1, 6, NULL, 0);
		assert_int_equal(hv_tcp_send_queued(s->conn), 0);
		hv_tcp_abort(s->conn);
		script_skip(s);
	}
	s->conn = NULL;
}

/* Data that comes with the SYN-ACK. */
static void test_client_answer(void **state)
{
	struct script *s = *state;
	char text[8] = "";

	learn_cookie(s);
	fast_connect(s);
	host_send(s->conn, "hello", 5);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 5);
	script_in(s, FLAGS_SA, 0, 6, "yes", 3);
	script_out(s, FLAGS_A, 6, 4, 0);
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 3);
	assert_string_equal(text, "yes");
}

/* No more than a segment goes with the SYN; the rest follows. */
static void test_client_much(void **state)
{
	struct script *s = *state;
	static uint8_t data[3000];

	learn_cookie(s);
	fast_connect(s);
	assert_int_equal(host_send(s->conn, data, sizeof(data)), sizeof(data));
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 960); /* the server's MSS is 1000, with room for options */
	script_in(s, FLAGS_SA, 0, 961, NULL, 0);
	script_out(s, FLAGS_PA, 961, 1, 2040);
}

/*
 * Section 4.2.2 and 7.1: what is lost is repeated without option and data; if that comes through, the next connections
 * do without for a minute, then for two.
 */
static void test_client_black_hole(void **state)
{
	struct script *s = *state;

	learn_cookie(s);
	for (unsigned pause_s = 60; pause_s <= 240; pause_s *= 2) {
		fast_connect(s);
		host_send(s->conn, "hello", 5);
		hv_tcp_flush(&s->host.tcp);
		script_out(s, FLAGS_S, 0, 0, 5);
		script_wait_ms(s, 1010);
		script_out(s, FLAGS_S, 0, 0, 0);
		assert_false(s->got.has_fast_open);
		script_in(s, FLAGS_SA, 0, 1, NULL, 0);
		script_out(s, FLAGS_PA, 1, 1, 5);
		hv_tcp_abort(s->conn);
		script_skip(s);
		fast_connect(s);
		script_out(s, FLAGS_S, 0, 0, 0);
		assert_false(s->got.has_fast_open);
		hv_tcp_close(s->conn);
		script_wait_ms(s, pause_s * 1000 + 10);
	}
	fast_connect(s);
	assert_true(hv_tcp_is_deferred(s->conn));
	hv_tcp_close(s->conn);
	s->conn = NULL;
	script_skip(s);
}

/* Both open at once: there is no server, and the data goes the ordinary way. */
static void test_client_crossed(void **state)
{
	struct script *s = *state;

	learn_cookie(s);
	fast_connect(s);
	host_send(s->conn, "hello", 5);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 5);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_SA, 0, 1, NULL, 0);
	script_out(s, FLAGS_PA, 1, 1, 5);
}

/* More servers than are remembered: the one that was not used for longest is forgotten. */
static void test_client_many_servers(void **state)
{
	struct script *s = *state;

	for (unsigned i = 0; i <= HV_TCP_FASTOPEN_SERVERS; i++) {
		s->peer.b[15] = (uint8_t)(10 + i);
		learn_cookie(s);
		script_wait_ms(s, 1);
	}
	fast_connect(s);
	assert_true(hv_tcp_is_deferred(s->conn));
	hv_tcp_close(s->conn);
	s->peer.b[15] = 11;
	fast_connect(s);
	assert_true(hv_tcp_is_deferred(s->conn));
	hv_tcp_close(s->conn);
	s->peer.b[15] = 10;
	fast_connect(s);
	assert_false(hv_tcp_is_deferred(s->conn));
	hv_tcp_close(s->conn);
	s->conn = NULL;
	script_skip(s);
}

/* Too late, or not at all. */
static void test_client_option(void **state)
{
	struct script *s = *state;

	script_connect(s);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1),
			 -EINVAL);
	assert_int_equal(hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_FASTOPEN, 1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_server),
		SCRIPT_TEST(test_server_window),
		SCRIPT_TEST(test_server_loses),
		SCRIPT_TEST(test_server_closes_early),
		SCRIPT_TEST(test_server_off),
		SCRIPT_TEST(test_server_wrong_cookie),
		SCRIPT_TEST(test_server_cookie_ages),
		SCRIPT_TEST(test_server_limit),
		SCRIPT_TEST(test_server_listener_ends),
		SCRIPT_TEST(test_server_gives_up),
		SCRIPT_TEST(test_client),
		SCRIPT_TEST(test_client_partly),
		SCRIPT_TEST(test_client_answer),
		SCRIPT_TEST(test_client_much),
		SCRIPT_TEST(test_client_black_hole),
		SCRIPT_TEST(test_client_crossed),
		SCRIPT_TEST(test_client_many_servers),
		SCRIPT_TEST(test_client_option),
	};

	return cmocka_run_group_tests_name("tcp Fast Open", tests, NULL, NULL);
}
