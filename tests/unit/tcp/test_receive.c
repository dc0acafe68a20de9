/* Data in: order, windows, acknowledgements. RFC 9293 sections 3.4, 3.8.6, 3.10.7.4. */
#include "tcp/fixture.h"

#include <netinet/tcp.h>

#include "tcp/tcp_receive.h"

/* Past the quick ACKs of the beginning. */
static void settle(struct script *s)
{
	hv_tcp_set_option(s->conn, IPPROTO_TCP, TCP_QUICKACK, 0);
}

static void assert_pattern(const uint8_t *data, uint32_t seq, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		if (data[i] != (uint8_t)(seq + i))
			fail_msg("byte %u is wrong", i);
}

static void test_in_order(void **state)
{
	struct script *s = *state;
	uint8_t data[3000];

	script_accept(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1001, 0);
	assert_true(s->host.events & HAVEN_EVENT_READABLE);
	script_in(s, FLAGS_PA, 1001, 1, NULL, 500);
	script_out(s, FLAGS_A, 1, 1501, 0);
	assert_int_equal(host_read(s->conn, data, sizeof(data)), 1500);
	assert_pattern(data, 1, 1500);
}

static void test_delayed_ack(void **state)
{
	struct script *s = *state;

	script_accept(s);
	settle(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	script_quiet(s);
	script_wait_ms(s, 30);
	script_quiet(s);
	script_wait_ms(s, 15);
	script_out(s, FLAGS_A, 1, 1001, 0);
	script_in(s, FLAGS_A, 1001, 1, NULL, 1000);
	script_quiet(s);
	script_in(s, FLAGS_A, 2001, 1, NULL, 1000); /* the second full-sized one */
	script_out(s, FLAGS_A, 1, 3001, 0);
	script_wait_ms(s, 1000);
	script_quiet(s);
}

static void test_one_ack_for_a_batch(void **state)
{
	struct script *s = *state;

	script_accept(s);
	s->no_flush = true;
	for (unsigned i = 0; i < 20; i++)
		script_in(s, FLAGS_A, 1 + i * 1000, 1, NULL, 1000);
	script_quiet(s);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 1, 20001, 0);
	script_quiet(s);
}

static void test_ack_with_data(void **state)
{
	struct script *s = *state;

	script_accept(s);
	settle(s);
	script_in(s, FLAGS_PA, 1, 1, "ping", 4);
	script_quiet(s);
	host_send(s->conn, "pong", 4);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 5, 4);
	script_in(s, FLAGS_A, 5, 5, NULL, 0);
	script_wait_ms(s, 100);
	script_quiet(s);
}

static void test_out_of_order(void **state)
{
	struct script *s = *state;
	uint8_t data[5000];

	script_accept(s);
	settle(s);
	script_in(s, FLAGS_A, 2001, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1, 0); /* a duplicate ACK for each, at once */
	script_in(s, FLAGS_A, 1001, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1, 0);
	script_in(s, FLAGS_A, 3001, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1, 0);
	script_in(s, FLAGS_A, 3001, 1, NULL, 1000); /* twice */
	script_out(s, FLAGS_A, 1, 1, 0);
	assert_int_equal(script_drops(s, HV_DROP_TCP_DUPLICATE), 1);
	assert_int_equal(s->conn->receive.used, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 4001, 0); /* at once: a gap was filled */
	assert_int_equal(host_read(s->conn, data, sizeof(data)), 4000);
	assert_pattern(data, 1, 4000);
	assert_int_equal(s->conn->blocks_bytes, 0);
}

/* Overlaps in every way: each byte arrives once. */
static void test_overlaps(void **state)
{
	static const struct {
		uint32_t seq, size;
	} pieces[][6] = {
		{{101, 100}, {151, 100}, {51, 100}, {1, 60}},
		{{101, 100}, {51, 200}, {1, 60}},	    /* swallows */
		{{51, 200}, {101, 100}, {1, 60}},	    /* is swallowed */
		{{51, 50}, {151, 100}, {21, 200}, {1, 30}}, /* spans the gap and more */
		{{51, 200}, {1, 250}},
		{{51, 200}, {1, 100}, {40, 300}},
		{{51, 10}, {61, 10}, {55, 100}, {1, 200}},
	};
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(pieces); i++) {
		struct script *s;
		uint8_t data[1000];
		uint32_t end = 1;
		size_t size;

		assert_int_equal(script_setup((void **)&s), 0);
		script_accept(s);
		for (unsigned k = 0; k < 6 && pieces[i][k].size; k++) {
			script_in(s, FLAGS_A, pieces[i][k].seq, 1, NULL, pieces[i][k].size);
			if (pieces[i][k].seq + pieces[i][k].size > end)
				end = pieces[i][k].seq + pieces[i][k].size;
		}
		size = host_read(s->conn, data, sizeof(data));
		assert_int_equal(size, end - 1);
		assert_pattern(data, 1, (uint32_t)size);
		assert_null(s->conn->blocks);
		assert_int_equal(s->conn->blocks_bytes, 0);
		assert_int_equal(script_teardown((void **)&s), 0);
	}
}

/* A small segment in a large buffer does not hold the buffer. */
static void test_out_of_order_memory(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_in(s, FLAGS_A, 1001, 1, NULL, 100);
	assert_in_range(s->conn->blocks_bytes, 100, 300);
	script_in(s, FLAGS_A, 3001, 1, NULL, 1000);
	assert_in_range(s->conn->blocks_bytes, 2000, 3500);
	script_skip(s);
}

static void test_out_of_order_limit(void **state)
{
	struct script *s = *state;
	uint32_t before;

	script_accept(s);
	hv_tcp_set_option(s->conn, SOL_SOCKET, SO_RCVBUF, 4096);
	for (uint32_t i = 0; i < 8000; i++) /* every other byte */
		script_in(s, FLAGS_A, 3 + i * 2, 1, NULL, 1);
	before = s->conn->blocks_bytes;
	assert_in_range(before, 100000, 300000);
	assert_true(script_drops(s, HV_DROP_TCP_OUT_OF_ORDER_LIMIT) > 0);
	script_skip(s);
}

static void test_window(void **state)
{
	struct script *s = *state;
	uint8_t data[70000];

	s->syn.has_window_scale = true;
	s->syn.window_scale = 0;
	script_accept(s);
	hv_tcp_set_option(s->conn, SOL_SOCKET, SO_RCVBUF, 65535);
	assert_int_equal(s->got_window, 65535); /* of the SYN-ACK: not scaled */
	for (uint32_t i = 0; i < 64; i++) {
		script_in(s, FLAGS_A, 1 + i * 1000, 1, NULL, 1000);
		script_skip(s);
	}
	script_in(s, FLAGS_A, 0, 1, NULL, 1); /* old: asks for an ACK */
	script_out(s, FLAGS_A, 1, 64001, 0);
	assert_in_range((unsigned)s->got_window << 7, 65535 - 64000 - 127, 65535 - 64000 + 127);
	/* More than the window: what fits is taken, and no more. */
	script_in(s, FLAGS_A, 64001, 1, NULL, 2000);
	assert_int_equal(script_skip(s), 1);
	assert_in_range(s->conn->receive.used, 65000, 65535);
	/* The window never goes back. */
	assert_true(hv_seq_geq(s->conn->rcv_edge, s->conn->irs + 1 + 65535));
	/* The reader takes little: no update (SWS avoidance); much: one update. */
	assert_int_equal(host_read(s->conn, data, 500), 500);
	hv_tcp_flush(&s->host.tcp);
	script_quiet(s);
	assert_int_equal(host_read(s->conn, data, 60000), 60000);
	hv_tcp_flush(&s->host.tcp);
	assert_int_equal(script_skip(s), 1);
}

/* A reader that takes little from a large window has nothing to tell. */
static void test_no_needless_window_update(void **state)
{
	struct script *s = *state;
	uint8_t data[4000];

	script_accept(s);
	for (unsigned i = 0; i < 4; i++) {
		script_in(s, FLAGS_PA, 1 + i * 1000, 1, NULL, 1000);
		script_out(s, FLAGS_A, 1, 1001 + i * 1000, 0);
	}
	assert_int_equal(host_read(s->conn, data, sizeof(data)), 4000);
	hv_tcp_flush(&s->host.tcp);
	script_quiet(s);
}

static void test_zero_window(void **state)
{
	struct script *s = *state;
	uint8_t data[5000];

	script_accept(s);
	hv_tcp_set_option(s->conn, SOL_SOCKET, SO_RCVBUF, 4096);
	script_in(s, FLAGS_A, 1, 1, NULL, 4096);
	script_skip(s);
	s->conn->rcv_edge = s->conn->rcv_nxt;	 /* as if that had been all of the window */
	script_in(s, FLAGS_A, 4097, 1, NULL, 1); /* a probe */
	script_out(s, FLAGS_A, 1, 4097, 0);
	assert_int_equal(s->got_window, 0);
	assert_int_equal(s->conn->receive.used, 4096);
	/* Its ACK counts nevertheless. */
	host_send(s->conn, "x", 1);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_PA, 1, 4097, 1);
	script_in(s, FLAGS_A, 4097, 2, NULL, 1);
	script_out(s, FLAGS_A, 2, 4097, 0);
	assert_int_equal(hv_tcp_send_queued(s->conn), 0);
	assert_int_equal(host_read(s->conn, data, sizeof(data)), 4096);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 2, 4097, 0);
	assert_int_equal(s->got_window, 4096);
}

struct taker {
	size_t most, taken, calls;
	uint8_t data[10000];
};

static size_t take(void *user, const uint8_t *data, size_t size)
{
	struct taker *taker = user;
	size_t part = size < taker->most ? size : taker->most;

	memcpy(taker->data + taker->taken, data, part);
	taker->taken += part;
	taker->calls++;
	return part;
}

static void test_sink(void **state)
{
	struct script *s = *state;
	static struct taker taker;
	uint8_t data[1000];

	taker = (struct taker){.most = 10000};
	script_accept(s);
	hv_tcp_set_sink(s->conn, take, &taker);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1001, 0);
	assert_int_equal(taker.taken, 1000);
	assert_null(s->conn->receive.memory); /* straight from the packet */
	script_in(s, FLAGS_A, 2001, 1, NULL, 1000);
	script_in(s, FLAGS_A, 1001, 1, NULL, 1000); /* the gap: both */
	script_skip(s);
	assert_int_equal(taker.taken, 3000);
	assert_pattern(taker.data, 1, 3000);
	taker.most = 400; /* takes a part: the rest is kept, and all after it */
	script_in(s, FLAGS_A, 3001, 1, NULL, 1000);
	script_in(s, FLAGS_A, 4001, 1, NULL, 100);
	script_skip(s);
	assert_int_equal(taker.taken, 3400);
	assert_int_equal(s->conn->receive.used, 700);
	assert_int_equal(host_read(s->conn, data, sizeof(data)), 700);
	assert_pattern(data, 3401, 700);
	script_in(s, FLAGS_A, 4101, 1, NULL, 100);
	assert_int_equal(taker.taken, 3500);
	script_skip(s);
}

static void test_shutdown_receive(void **state)
{
	struct script *s = *state;
	uint8_t data[4000];

	script_accept(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	hv_tcp_shutdown_receive(s->conn);
	assert_false(hv_tcp_receive_ended(s->conn));
	script_in(s, FLAGS_A, 1001, 1, NULL, 1000);
	assert_int_equal(s->conn->receive.used, 2000);
	assert_int_equal(script_skip(s), 2);
	assert_int_equal(host_read(s->conn, data, sizeof(data)), 2000);
	assert_true(hv_tcp_receive_ended(s->conn));
	script_in(s, FLAGS_A, 2001, 1, NULL, 1000);
	script_skip(s);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_FA, 1, 3001,
		   0); /* who said that he does not read has lost nothing: no reset */
}

/* Behind SHUT_RD the window stays open when the buffer is full, and what is read has no hole. */
static void test_shutdown_receive_is_full(void **state)
{
	struct script *s = *state;
	static uint8_t data[1 << 20];
	uint32_t seq = 1, kept;

	script_accept(s);
	hv_tcp_shutdown_receive(s->conn);
	for (; !s->conn->receive_lost; seq += 1000)
		script_in(s, FLAGS_A, seq, 1, NULL, 1000);
	kept = s->conn->receive.used;
	assert_true(kept > 10000 && kept < seq);
	assert_int_equal(hv_tcp_receive_space(s->conn), hv_tcp_receive_most(s->conn));
	assert_int_equal(host_read(s->conn, data, sizeof(data)), kept);
	script_in(s, FLAGS_A, seq, 1, NULL, 1000);
	assert_int_equal(s->conn->rcv_nxt, s->conn->irs + seq + 1000);
	assert_true(hv_tcp_receive_ended(s->conn));
	script_skip(s);
}

/* A reader that keeps pace gets a larger window, up to the limit. */
static void test_tuning(void **state)
{
	struct script *s = *state;
	static uint8_t data[70000];
	uint32_t before;

	s->syn.has_window_scale = true;
	script_accept(s);
	before = s->conn->receive_limit;
	for (uint32_t seq = 1; seq < 9000000; seq += 60000) {
		script_in(s, FLAGS_A, seq, 1, NULL, 60000);
		assert_int_equal(host_read(s->conn, data, sizeof(data)), 60000);
		script_skip(s);
	}
	assert_true(s->conn->receive_limit > before);
	assert_int_equal(s->conn->receive_limit, 4 << 20);
}

static void test_no_memory(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 0); /* the pool has a packet now */
	test_env_fail(&s->env, 1);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000);
	assert_true(test_env_failed(&s->env));
	test_env_fail(&s->env, 0);
	script_skip(s);
	script_in(s, FLAGS_A, 1, 1, NULL, 1000); /* the peer repeats it */
	script_out(s, FLAGS_A, 1, 1001, 0);
}

static void test_urgent_is_inline(void **state)
{
	struct script *s = *state;
	char text[8] = "";

	script_accept(s);
	script_in(s, FLAGS_PA | HV_TCP_URG, 1, 1, "abc", 3);
	script_out(s, FLAGS_A, 1, 4, 0);
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 3);
}

static void test_broadcast(void **state)
{
	struct script *s = *state;

	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	s->host.addr = hv_addr_v4((const uint8_t[4]){255, 255, 255, 255});
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	s->host.addr = hv_addr_v4((const uint8_t[4]){224, 0, 0, 1});
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_quiet(s); /* RFC 1122 section 4.2.3.10 */
}

/* A peer that contradicts itself: FIN before bytes that it has sent already. The FIN has one place, and is no byte more. */
static void test_fin_before_data(void **state)
{
	struct script *s = *state;
	uint8_t data[3000];

	script_accept(s);
	script_in(s, FLAGS_A, 1001, 1, NULL, 1000);
	script_out(s, FLAGS_A, 1, 1, 0);
	script_in(s, FLAGS_FA, 1, 1, NULL, 1500);
	script_out(s, FLAGS_A, 1, 1502, 0);
	assert_state(s->conn, "CLOSE-WAIT");
	assert_int_equal(host_read(s->conn, data, sizeof(data)), 1500);
	assert_pattern(data, 1, 1500);
}

static void test_fin_within_what_waits(void **state)
{
	struct script *s = *state;

	script_accept(s);
	script_in(s, FLAGS_FA, 1001, 1, NULL, 500);
	script_out(s, FLAGS_A, 1, 1, 0);
	script_in(s, FLAGS_A, 801, 1, NULL, 1200);
	script_out(s, FLAGS_A, 1, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 800);
	script_out(s, FLAGS_A, 1, 2001, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_in_order),
		SCRIPT_TEST(test_delayed_ack),
		SCRIPT_TEST(test_one_ack_for_a_batch),
		SCRIPT_TEST(test_ack_with_data),
		SCRIPT_TEST(test_out_of_order),
		cmocka_unit_test(test_overlaps),
		SCRIPT_TEST(test_out_of_order_memory),
		SCRIPT_TEST(test_out_of_order_limit),
		SCRIPT_TEST(test_window),
		SCRIPT_TEST(test_no_needless_window_update),
		SCRIPT_TEST(test_zero_window),
		SCRIPT_TEST(test_sink),
		SCRIPT_TEST(test_shutdown_receive),
		SCRIPT_TEST(test_shutdown_receive_is_full),
		SCRIPT_TEST(test_tuning),
		SCRIPT_TEST(test_no_memory),
		SCRIPT_TEST(test_urgent_is_inline),
		SCRIPT_TEST(test_broadcast),
		SCRIPT_TEST(test_fin_before_data),
		SCRIPT_TEST(test_fin_within_what_waits),
	};

	return cmocka_run_group_tests_name("tcp receive", tests, NULL, NULL);
}
