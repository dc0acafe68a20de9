/* Many connections: each costs less than a kilobyte when idle, and all find their own way. */
#include "support.h"

enum {
	MANY = 5000,
	CONNECTION_BYTES = 1023, /* with its socket and its place in the table */
	PORT_BYTES = 192,	 /* what a port costs that one connection has for itself */
};

static void many_sockets(struct haven_stack_config *config, int side)
{
	(void)side;
	config->ephemeral_first = 1024;
	config->ephemeral_last = 65535;
}

static void test_idle_memory(void **state)
{
	static struct haven_socket *clients[MANY], *servers[MANY];
	struct world w;
	struct haven_socket *listener;
	uint64_t before[2];
	char byte;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1, .configure = many_sockets});
	listener = listen_on(&w, RIGHT, false, 80, 128);
	/* The first one makes what all share. */
	for (int i = 0; i < MANY; i++) {
		clients[i] = stream_new(&w, LEFT, false);
		assert_int_equal(connect_to(clients[i], false, 2, 80), -EINPROGRESS);
		wait_events(&w, clients[i], HAVEN_EVENT_CONNECTED, 5 * SECOND);
		wait_events(&w, listener, HAVEN_EVENT_READABLE, 5 * SECOND);
		assert_int_equal(haven_accept(listener, NULL, NULL, &servers[i]), 0);
		if (i == 0) {
			before[LEFT] = stats_of(&w, LEFT).memory_bytes;
			before[RIGHT] = stats_of(&w, RIGHT).memory_bytes;
		}
	}
	/* Each is used, and then left alone. */
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(haven_send(clients[i], &(char){(char)i}, 1, 0), 1);
		world_settle(&w);
		assert_int_equal(haven_recv(servers[i], &byte, 1, 0), 1);
		assert_int_equal(byte, (char)i);
	}
	world_pass(&w, 10 * SECOND);
	for (int side = 0; side < 2; side++) {
		uint64_t each = (stats_of(&w, side).memory_bytes - before[side]) / (MANY - 1);

		print_message("%llu bytes for each idle connection\n",
			      (unsigned long long)each);
		assert_in_range(each, 1, CONNECTION_BYTES + (side == LEFT ? PORT_BYTES : 0));
	}
	for (int i = 0; i < MANY; i++) {
		haven_close(clients[i]);
		haven_close(servers[i]);
	}
	haven_close(listener);
	world_pass(&w, 120 * SECOND);
	assert_int_equal(stats_of(&w, LEFT).connections + stats_of(&w, LEFT).time_wait, 0);
	assert_int_equal(stats_of(&w, RIGHT).connections + stats_of(&w, RIGHT).time_wait, 0);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
