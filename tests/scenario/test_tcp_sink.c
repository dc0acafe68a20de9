/* A sink takes bytes straight from the packet; what it leaves comes by the buffer, in order. */
#include "support.h"

#include <string.h>

struct sink {
	struct transfer *transfer;
	uint64_t taken, offered;
	bool all; /* takes whatever is offered */
};

static void check(struct transfer *t, const uint8_t *data, size_t size)
{
	while (size) {
		size_t step;
		const uint8_t *expected = pattern_at(t->received, &step);

		if (step > size)
			step = size;
		assert_memory_equal(data, expected, step);
		t->received += step;
		data += step;
		size -= step;
	}
}

/* Takes all, part, or nothing, in turn. */
static size_t take(void *user, const uint8_t *data, size_t size)
{
	struct sink *sink = user;

	sink->offered++;
	if (!sink->all && sink->offered % 7 == 0)
		return 0;
	if (!sink->all && sink->offered % 3 == 0)
		size /= 2;
	check(sink->transfer, data, size);
	sink->taken += size;
	return size;
}

static void through_sink(bool all)
{
	struct world w;
	struct haven_socket *client, *server;
	struct transfer t = {.total = 4 << 20, .ended = true};
	struct sink sink = {&t, 0, 0, all};

	world_init(&w, &(struct world_options){.seed = 1});
	connect_pair(&w, false, 80, &client, &server);
	t.from = client;
	t.to = server;
	haven_socket_set_sink(server, take, &sink);
	world_run(&w, transfer_done, &t, 60 * SECOND);
	assert_true(sink.taken > 0);
	assert_int_equal(sink.taken == t.total, all);
	haven_close(client);
	haven_close(server);
	world_finish(&w);
}

static void test_all_arrives(void **state)
{
	(void)state;
	through_sink(true);
	through_sink(false);
}

/* Over a wire that reorders and loses, the order still holds. */
static void test_in_order_over_loss(void **state)
{
	struct world w;
	struct haven_socket *client, *server;
	struct transfer t = {.total = 1 << 20, .ended = true};
	struct sink sink = {&t, 0, 0, false};

	(void)state;
	world_init(&w,
		   &(struct world_options){.seed = 2, .fault = "loss=2% reorder=5% delay=2ms"});
	connect_pair(&w, true, 80, &client, &server);
	t.from = client;
	t.to = server;
	haven_socket_set_sink(server, take, &sink);
	world_run(&w, transfer_done, &t, 600 * SECOND);
	haven_socket_set_sink(server, NULL, NULL);
	haven_close(client);
	haven_close(server);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_arrives),
		cmocka_unit_test(test_in_order_over_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
