/*
 * Ten megabytes, whole, in each direction: IPv4 and IPv6, MTU 1500 and 65535, with offloads and
 * without, by calls that copy and by those that do not.
 */
#include "support.h"

enum { MEGABYTE = 1 << 20 };

static void bulk(const struct world_options *options, bool v6, bool zero_copy, bool both)
{
	struct world w;
	struct haven_socket *client, *server;
	struct transfer up = {.total = 10 * MEGABYTE, .ended = true, .zero_copy = zero_copy};
	struct transfer down = up;

	world_init(&w, options);
	connect_pair(&w, v6, 80, &client, &server);
	up.from = down.to = client;
	up.to = down.from = server;
	world_run(&w, transfer_done, &up, 60 * SECOND);
	if (both)
		world_run(&w, transfer_done, &down, 60 * SECOND);
	/* A clean wire: nothing was sent twice, nothing thrown away. */
	assert_int_equal(stats_of(&w, LEFT).tcp_retransmits, 0);
	assert_int_equal(stats_of(&w, RIGHT).tcp_retransmits, 0);
	assert_int_equal(drops_of(&w, LEFT, "tcp"), 0);
	assert_int_equal(drops_of(&w, RIGHT, "tcp"), 0);
	haven_close(client);
	haven_close(server);
	world_pass(&w, 120 * SECOND);
	assert_int_equal(stats_of(&w, LEFT).connections + stats_of(&w, LEFT).time_wait, 0);
	assert_int_equal(stats_of(&w, RIGHT).connections + stats_of(&w, RIGHT).time_wait, 0);
	world_finish(&w);
}

static void test_offloads(void **state)
{
	(void)state;
	bulk(&(struct world_options){.mtu = 1500}, false, false, true);
	bulk(&(struct world_options){.mtu = 1500}, true, false, true);
	bulk(&(struct world_options){.mtu = 65535}, false, false, true);
	bulk(&(struct world_options){.mtu = 65535}, true, false, true);
}

static void test_no_offloads(void **state)
{
	(void)state;
	bulk(&(struct world_options){.mtu = 1500, .no_offloads = true, .queue = 8192}, false,
	     false, true);
	bulk(&(struct world_options){.mtu = 1280, .no_offloads = true, .queue = 8192}, true,
	     false, true);
	bulk(&(struct world_options){.mtu = 65535, .no_offloads = true, .queue = 8192}, false,
	     false, true);
}

static void test_zero_copy(void **state)
{
	(void)state;
	bulk(&(struct world_options){.mtu = 1500}, false, true, true);
	bulk(&(struct world_options){.mtu = 1500, .no_offloads = true, .queue = 8192}, true,
	     true, false);
}

/* The receiver takes little at a time: the window closes and opens, and nothing is lost. */
static bool slow_reader(void *ctx)
{
	struct transfer *t = ctx;
	static char buffer[3000];
	ssize_t size;

	while (t->sent < t->total) {
		size_t piece;
		const uint8_t *data = pattern_at(t->sent, &piece);

		if (piece > t->total - t->sent)
			piece = t->total - t->sent;
		size = haven_send(t->from, data, piece, 0);
		if (size <= 0)
			break;
		t->sent += (uint64_t)size;
	}
	size = haven_recv(t->to, buffer, sizeof(buffer), 0);
	if (size > 0) {
		size_t piece;
		const uint8_t *expected = pattern_at(t->received, &piece);

		assert_memory_equal(buffer, expected, (size_t)size);
		t->received += (uint64_t)size;
	}
	return t->received == t->total;
}

static void test_slow_reader(void **state)
{
	struct world w;
	struct haven_socket *client, *server;
	struct transfer up = {.total = 2 * MEGABYTE};
	int limit = 16384;

	(void)state;
	world_init(&w, &(struct world_options){.mtu = 1500});
	connect_pair(&w, false, 80, &client, &server);
	assert_int_equal(haven_setsockopt(server, SOL_SOCKET, SO_RCVBUF, &limit, sizeof(limit)),
			 0);
	up.from = client;
	up.to = server;
	world_run(&w, slow_reader, &up, 3600 * SECOND);
	haven_close(client);
	haven_close(server);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offloads),
		cmocka_unit_test(test_no_offloads),
		cmocka_unit_test(test_zero_copy),
		cmocka_unit_test(test_slow_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
