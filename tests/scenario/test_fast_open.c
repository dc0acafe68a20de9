/*
 * Fast Open between two stacks, through the socket calls: the first connection brings a cookie, the
 * second one a request and its answer in one round trip (RFC 7413).
 */
#include "support.h"

#include <netinet/tcp.h>
#include <string.h>

enum { PORT = 80 };

static void set(struct haven_socket *socket, int option, int value)
{
	assert_int_equal(haven_setsockopt(socket, IPPROTO_TCP, option, &value, sizeof(value)),
			 0);
}

static int get(struct haven_socket *socket, int option)
{
	socklen_t length = sizeof(int);
	int value = -1;

	assert_int_equal(haven_getsockopt(socket, IPPROTO_TCP, option, &value, &length), 0);
	return value;
}

struct exchange {
	struct haven_socket *listener, *client, *server;
	char request[16], answer[16];
};

/* The server answers a request as soon as it has it. */
static bool answered(void *ctx)
{
	struct exchange *e = ctx;

	if (!e->server)
		haven_accept(e->listener, NULL, NULL, &e->server);
	if (e->server && haven_recv(e->server, e->request, sizeof(e->request), 0) > 0)
		assert_int_equal(haven_send(e->server, "answer", 6, 0), 6);
	return haven_recv(e->client, e->answer, sizeof(e->answer), 0) > 0;
}

/* How long request and answer take, with everything before them. */
static uint64_t exchange(struct world *w, struct exchange *e)
{
	uint64_t begin = w->now_ns;

	world_run(w, answered, e, 10 * SECOND);
	assert_string_equal(e->request, "request");
	assert_string_equal(e->answer, "answer");
	begin = w->now_ns - begin;
	haven_close(e->client);
	haven_close(e->server);
	memset(e->request, 0, sizeof(e->request));
	memset(e->answer, 0, sizeof(e->answer));
	e->server = NULL;
	world_pass(w, SECOND);
	return begin;
}

static void world_with_delay(struct world *w, struct exchange *e, int queue)
{
	memset(e, 0, sizeof(*e));
	world_init(w, &(struct world_options){.seed = 1, .fault = "delay=50ms"});
	e->listener = listen_on(w, RIGHT, false, PORT, 8);
	set(e->listener, TCP_FASTOPEN, queue);
	assert_int_equal(get(e->listener, TCP_FASTOPEN), queue);
}

static void finish(struct world *w, struct exchange *e)
{
	haven_close(e->listener);
	world_pass(w, 200 * SECOND);
	assert_int_equal(stats_of(w, LEFT).connections, 0);
	assert_int_equal(stats_of(w, RIGHT).connections, 0);
	world_finish(w);
}

static void test_connect(void **state)
{
	struct world w;
	struct exchange e;

	(void)state;
	world_with_delay(&w, &e, 5);
	for (int round = 0; round < 3; round++) {
		e.client = stream_new(&w, LEFT, false);
		set(e.client, TCP_FASTOPEN_CONNECT, 1);
		assert_int_equal(get(e.client, TCP_FASTOPEN_CONNECT), 1);
		assert_int_equal(connect_to(e.client, false, 2, PORT),
				 round ? 0 : -EINPROGRESS);
		if (!round)
			wait_events(&w, e.client, HAVEN_EVENT_CONNECTED, SECOND);
		assert_true(haven_socket_events(e.client) & HAVEN_EVENT_WRITABLE);
		assert_int_equal(haven_send(e.client, "request", 7, 0), 7);
		assert_in_range(exchange(&w, &e), 100 * MILLISECOND, 105 * MILLISECOND);
	}
	finish(&w, &e);
}

/* In one call, as Linux has it. */
static void test_sendto(void **state)
{
	struct sockaddr_storage to = address_of(false, 2, PORT);
	struct world w;
	struct exchange e;

	(void)state;
	world_with_delay(&w, &e, 5);
	for (int round = 0; round < 3; round++) {
		ssize_t sent;

		e.client = stream_new(&w, LEFT, false);
		sent = haven_sendto(e.client, "request", 7, MSG_FASTOPEN,
				    (struct sockaddr *)&to, address_size(false));
		assert_int_equal(sent, round ? 7 : -EINPROGRESS);
		if (!round) {
			wait_events(&w, e.client, HAVEN_EVENT_CONNECTED, SECOND);
			assert_int_equal(haven_send(e.client, "request", 7, 0), 7);
		}
		assert_in_range(exchange(&w, &e), 100 * MILLISECOND, 105 * MILLISECOND);
	}
	finish(&w, &e);
}

/* A server that does not want it: the data follows the handshake, nothing is lost. */
static void test_server_without(void **state)
{
	struct world w;
	struct exchange e;

	(void)state;
	world_with_delay(&w, &e, 5);
	for (int round = 0; round < 3; round++) {
		e.client = stream_new(&w, LEFT, false);
		set(e.client, TCP_FASTOPEN_CONNECT, 1);
		connect_to(e.client, false, 2, PORT);
		if (!round)
			wait_events(&w, e.client, HAVEN_EVENT_CONNECTED, SECOND);
		assert_int_equal(haven_send(e.client, "request", 7, 0), 7);
		assert_in_range(exchange(&w, &e), 100 * MILLISECOND,
				(round == 2 ? 205 : 105) * MILLISECOND);
		if (round)
			set(e.listener, TCP_FASTOPEN, 0);
	}
	finish(&w, &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_sendto),
		cmocka_unit_test(test_server_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
