/* A stack that talks to itself, by its own addresses: no link is needed, and nothing goes out. */
#include "support.h"

static void through(bool v6)
{
	struct world w;
	struct haven_socket *listener, *client, *server;
	struct transfer up = {.total = 10 << 20, .ended = true};
	struct transfer down = {.total = 1 << 20, .ended = true};
	struct haven_link_counters before, after;

	world_init(&w, &(struct world_options){.seed = 1});
	world_pass(&w, 10 * SECOND);
	haven_link_counters(w.link[LEFT], &before);
	listener = listen_on(&w, LEFT, v6, 80, 1);
	client = stream_new(&w, LEFT, v6);
	assert_int_equal(connect_to(client, v6, 1, 80), -EINPROGRESS);
	wait_events(&w, listener, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
	up.from = down.to = client;
	up.to = down.from = server;
	world_run(&w, transfer_done, &up, 10 * SECOND);
	world_run(&w, transfer_done, &down, 10 * SECOND);
	haven_close(client);
	haven_close(server);
	client = stream_new(&w, LEFT, v6);
	assert_int_equal(connect_to(client, v6, 1, 81), -EINPROGRESS);
	wait_events(&w, client, HAVEN_EVENT_ERROR, SECOND);
	assert_int_equal(socket_error(client), ECONNREFUSED);
	haven_link_counters(w.link[LEFT], &after);
	assert_int_equal(after.frames_out, before.frames_out);
	haven_close(client);
	haven_close(listener);
	world_pass(&w, 120 * SECOND);
	assert_int_equal(stats_of(&w, LEFT).connections + stats_of(&w, LEFT).time_wait, 0);
	world_finish(&w);
}

static void test_v4(void **state)
{
	(void)state;
	through(false);
}

static void test_v6(void **state)
{
	(void)state;
	through(true);
}

/* Both ends the same: one socket connects to the port that it is bound to (RFC 9293 section 3.5, figure 8). */
static void test_same_socket(void **state)
{
	struct world w;
	struct haven_socket *socket;
	struct sockaddr_storage own = address_of(false, 1, 4000);
	char buffer[8];

	(void)state;
	world_init(&w, &(struct world_options){.seed = 2});
	socket = stream_new(&w, LEFT, false);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&own, address_size(false)), 0);
	assert_int_equal(connect_to(socket, false, 1, 4000), -EINPROGRESS);
	wait_events(&w, socket, HAVEN_EVENT_CONNECTED, SECOND);
	assert_int_equal(haven_send(socket, "self", 4, 0), 4);
	wait_events(&w, socket, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_recv(socket, buffer, sizeof(buffer), 0), 4);
	haven_close(socket);
	world_pass(&w, 120 * SECOND);
	assert_int_equal(stats_of(&w, LEFT).connections + stats_of(&w, LEFT).time_wait, 0);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v4),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_same_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
