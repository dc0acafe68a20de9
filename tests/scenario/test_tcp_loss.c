/* Streams arrive whole over bad wires: loss, reordering, duplicates, corruption, delay, a slow link. */
#include "support.h"

static void over(const char *fault, bool v6, uint64_t seed, bool no_offloads)
{
	struct world w;
	struct haven_socket *client, *server;
	struct transfer up = {.total = 1 << 20, .ended = true};
	struct transfer down = {.total = 1 << 20, .ended = true};

	world_init(&w, &(struct world_options){.seed = seed,
					       .fault = fault,
					       .no_offloads = no_offloads});
	connect_pair(&w, v6, 80, &client, &server);
	up.from = down.to = client;
	up.to = down.from = server;
	world_run(&w, transfer_done, &up, 600 * SECOND);
	world_run(&w, transfer_done, &down, 600 * SECOND);
	haven_close(client);
	haven_close(server);
	world_pass(&w, 300 * SECOND);
	assert_int_equal(stats_of(&w, LEFT).connections + stats_of(&w, LEFT).time_wait, 0);
	assert_int_equal(stats_of(&w, RIGHT).connections + stats_of(&w, RIGHT).time_wait, 0);
	world_finish(&w);
}

static void test_loss(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		over("loss=1%", seed & 1, seed, false);
		over("loss=5% delay=10ms", seed & 1, seed, true);
	}
}

static void test_reorder(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++)
		over("reorder=10% duplicate=2% delay=5ms jitter=1ms", seed & 1, seed, false);
}

static void test_corruption(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++)
		over("corrupt=1% delay=1ms", seed & 1, seed, true);
}

static void test_everything(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++)
		over("loss=2% reorder=5% duplicate=1% corrupt=0.5% delay=10ms jitter=2ms "
		     "rate=50mbit",
		     seed & 1, seed, seed & 2);
}

static void test_slow_link(void **state)
{
	(void)state;
	over("rate=2mbit queue=32k delay=20ms", false, 1, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loss),	   cmocka_unit_test(test_reorder),
		cmocka_unit_test(test_corruption), cmocka_unit_test(test_everything),
		cmocka_unit_test(test_slow_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
