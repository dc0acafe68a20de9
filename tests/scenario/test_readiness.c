/*
 * Readiness: the queue names exactly the sockets whose events changed, once each, and what it
 * costs does not depend on how many others there are.
 */
#include "support.h"

enum { IDLE = 200 };

static int drain(struct haven_stack *stack, struct haven_socket *expected, unsigned wanted)
{
	struct haven_socket *socket;
	unsigned events;
	int count = 0;

	while ((socket = haven_next_ready(stack, &events))) {
		count++;
		if (expected)
			assert_ptr_equal(socket, expected);
		assert_int_equal(events & wanted, wanted);
		assert_int_equal(events, haven_socket_events(socket));
	}
	return count;
}

static void test_only_what_changed(void **state)
{
	struct world w;
	struct haven_socket *listener, *clients[IDLE], *servers[IDLE];

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	listener = listen_on(&w, RIGHT, false, 80, IDLE);
	for (int i = 0; i < IDLE; i++) {
		clients[i] = stream_new(&w, LEFT, false);
		assert_int_equal(connect_to(clients[i], false, 2, 80), -EINPROGRESS);
	}
	/* The first packets wait for a neighbour, and not all find room there. */
	world_pass(&w, 5 * SECOND);
	/* One entry for the listener, however many connections wait. */
	assert_int_equal(drain(w.stack[RIGHT], listener, HAVEN_EVENT_READABLE), 1);
	for (int i = 0; i < IDLE; i++) {
		assert_int_equal(haven_accept(listener, NULL, NULL, &servers[i]), 0);
		haven_socket_set_user(servers[i], servers[i]);
	}
	assert_int_equal(drain(w.stack[LEFT], NULL,
			       HAVEN_EVENT_CONNECTED | HAVEN_EVENT_WRITABLE),
			 IDLE);
	/* What was accepted is named once: it may have had data all along. */
	assert_int_equal(drain(w.stack[RIGHT], NULL, HAVEN_EVENT_CONNECTED), IDLE);
	assert_int_equal(haven_send(servers[7], "x", 1, 0), 1);
	assert_int_equal(haven_send(servers[7], "y", 1, 0), 1);
	world_settle(&w);
	assert_int_equal(drain(w.stack[LEFT], NULL, HAVEN_EVENT_READABLE), 1);
	/* One that is closed is never named, though its events had changed. */
	haven_abort(servers[9]);
	world_settle(&w);
	for (int i = 0; i < IDLE; i++) {
		if (haven_socket_events(clients[i]) & HAVEN_EVENT_ERROR)
			haven_close(clients[i]);
	}
	assert_int_equal(drain(w.stack[LEFT], NULL, 0), 0);
	assert_ptr_equal(haven_socket_user(servers[7]), servers[7]);
	assert_ptr_equal(haven_socket_stack(servers[7]), w.stack[RIGHT]);
	world_finish(&w);
}

/* Full, then not: WRITABLE comes when there is room again; SENT when all is acknowledged. */
static void test_writable(void **state)
{
	struct world w;
	struct haven_socket *client = NULL, *server = NULL;
	struct transfer t = {0};
	const uint8_t *data = NULL;
	size_t size = 0;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 2});
	connect_pair(&w, false, 80, &client, &server);
	/* Until the peer's buffer is full as well. */
	for (int idle = 0; idle < 3; idle++) {
		ssize_t sent = 0;

		while ((data = pattern_at(t.sent, &size)) &&
		       (sent = haven_send(client, data, size, 0)) > 0) {
			t.sent += (uint64_t)sent;
			idle = 0;
		}
		assert_int_equal(sent, -EAGAIN);
		world_pass(&w, SECOND);
	}
	assert_false(haven_socket_events(client) & HAVEN_EVENT_WRITABLE);
	assert_false(haven_socket_events(client) & HAVEN_EVENT_SENT);
	assert_true(haven_send_queued(client) > 0);
	world_pass(&w, SECOND);
	while (haven_next_ready(w.stack[LEFT], NULL))
		;
	t.to = server;
	t.total = t.sent;
	world_run(&w, transfer_done, &t, 60 * SECOND);
	wait_events(&w, client, HAVEN_EVENT_WRITABLE | HAVEN_EVENT_SENT, SECOND);
	assert_ptr_equal(haven_next_ready(w.stack[LEFT], NULL), client);
	assert_int_equal(haven_send_queued(client), 0);
	world_finish(&w);
}

static bool no_new_sockets(struct world *w)
{
	struct haven_socket *socket;

	return haven_socket(w->stack[LEFT], AF_INET, SOCK_DGRAM, 0, &socket) == -EMFILE;
}

static void few_sockets(struct haven_stack_config *config, int side)
{
	(void)side;
	config->max_sockets = 5;
}

static void test_socket_limit(void **state)
{
	struct world w;
	struct haven_socket *sockets[5];

	(void)state;
	world_init(&w, &(struct world_options){.seed = 3, .configure = few_sockets});
	for (int i = 0; i < 5; i++)
		sockets[i] = datagram_new(&w, LEFT, i & 1);
	assert_true(no_new_sockets(&w));
	haven_close(sockets[2]);
	sockets[2] = stream_new(&w, LEFT, false);
	assert_true(no_new_sockets(&w));
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_changed),
		cmocka_unit_test(test_writable),
		cmocka_unit_test(test_socket_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
