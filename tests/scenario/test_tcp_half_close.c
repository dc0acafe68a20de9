/* One direction ends, the other goes on: a request with FIN, then a long answer (RFC 9293 section 3.6). */
#include "support.h"

static void test_answer_after_fin(void **state)
{
	struct world w;
	struct haven_socket *client, *server;
	struct transfer request = {.total = 5000, .ended = true};
	struct transfer answer = {.total = 3 << 20, .ended = true};

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	connect_pair(&w, true, 80, &client, &server);
	request.from = answer.to = client;
	request.to = answer.from = server;
	world_run(&w, transfer_done, &request, SECOND);
	assert_int_equal(haven_send(client, "x", 1, 0), -EPIPE);
	assert_true(haven_socket_events(server) & HAVEN_EVENT_PEER_CLOSED);
	assert_false(haven_socket_events(server) & HAVEN_EVENT_HANGUP);
	/* A while later it still works. */
	world_pass(&w, 300 * SECOND);
	world_run(&w, transfer_done, &answer, 10 * SECOND);
	assert_true(haven_socket_events(client) & HAVEN_EVENT_HANGUP);
	wait_events(&w, server, HAVEN_EVENT_SENT, SECOND);
	haven_close(client);
	haven_close(server);
	world_finish(&w);
}

/* SHUT_RD: reading does not wait any more; what still comes can be read. */
static void test_shut_read(void **state)
{
	struct world w;
	struct haven_socket *client, *server;
	char byte;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 2});
	connect_pair(&w, false, 80, &client, &server);
	assert_int_equal(haven_shutdown(server, SHUT_RD), 0);
	assert_int_equal(haven_recv(server, &byte, 1, 0), 0);
	assert_int_equal(haven_send(client, "x", 1, 0), 1);
	wait_events(&w, client, HAVEN_EVENT_SENT, SECOND);
	assert_int_equal(haven_recv(server, &byte, 1, 0), 1);
	assert_int_equal(haven_recv(server, &byte, 1, 0), 0);
	assert_int_equal(haven_send(server, "y", 1, 0), 1);
	wait_events(&w, client, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_recv(client, &byte, 1, 0), 1);
	haven_close(client);
	haven_close(server);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_after_fin),
		cmocka_unit_test(test_shut_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
