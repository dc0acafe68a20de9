/* The listen backlog: as many wait as it says, the rest try again and get in when there is room. */
#include "support.h"

enum { BACKLOG = 4, CLIENTS = 12 };

struct crowd {
	struct haven_socket *clients[CLIENTS], *servers[CLIENTS];
	struct haven_socket *listener;
	int accepted;
};

static bool all_accepted(void *ctx)
{
	struct crowd *crowd = ctx;

	while (crowd->accepted < CLIENTS &&
	       !haven_accept(crowd->listener, NULL, NULL, &crowd->servers[crowd->accepted]))
		crowd->accepted++;
	return crowd->accepted == CLIENTS;
}

static bool all_connected(void *ctx)
{
	const struct crowd *crowd = ctx;

	for (int i = 0; i < CLIENTS; i++) {
		if (!(haven_socket_events(crowd->clients[i]) & HAVEN_EVENT_CONNECTED))
			return false;
	}
	return true;
}

static void test_more_than_fit(void **state)
{
	struct world w;
	struct crowd crowd = {0};

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	crowd.listener = listen_on(&w, RIGHT, false, 80, BACKLOG);
	for (int i = 0; i < CLIENTS; i++) {
		crowd.clients[i] = stream_new(&w, LEFT, false);
		assert_int_equal(connect_to(crowd.clients[i], false, 2, 80), -EINPROGRESS);
	}
	world_pass(&w, 100 * MILLISECOND);
	/* No more than the backlog and its half-open ones are held. */
	assert_in_range(stats_of(&w, RIGHT).connections, BACKLOG, 2 * BACKLOG);
	assert_true(drops_of(&w, RIGHT, "tcp: backlog full") > 0);
	world_run(&w, all_accepted, &crowd, 60 * SECOND);
	world_run(&w, all_connected, &crowd, SECOND);
	for (int i = 0; i < CLIENTS; i++) {
		haven_close(crowd.clients[i]);
		haven_close(crowd.servers[i]);
	}
	haven_close(crowd.listener);
	world_pass(&w, 120 * SECOND);
	assert_int_equal(stats_of(&w, RIGHT).connections, 0);
	world_finish(&w);
}

/* A listener that goes away resets those that it did not hand out. */
static void test_listener_closed(void **state)
{
	struct world w;
	struct haven_socket *listener, *client;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 2});
	listener = listen_on(&w, RIGHT, false, 80, BACKLOG);
	client = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(client, false, 2, 80), -EINPROGRESS);
	wait_events(&w, client, HAVEN_EVENT_CONNECTED, SECOND);
	wait_events(&w, listener, HAVEN_EVENT_READABLE, SECOND);
	haven_close(listener);
	wait_events(&w, client, HAVEN_EVENT_ERROR, SECOND);
	assert_int_equal(socket_error(client), ECONNRESET);
	haven_close(client);
	assert_int_equal(stats_of(&w, RIGHT).connections, 0);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_than_fit),
		cmocka_unit_test(test_listener_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
