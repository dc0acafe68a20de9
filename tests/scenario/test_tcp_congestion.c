/* Congestion control is chosen for a stack, for a socket, and by a listener for what it accepts. */
#include "support.h"

#include <netinet/tcp.h>
#include <string.h>

static void right_reno(struct haven_stack_config *config, int side)
{
	if (side == RIGHT)
		config->congestion_control = "reno";
}

static void choose(struct haven_socket *socket, const char *name)
{
	assert_int_equal(haven_setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name,
					  (socklen_t)strlen(name)),
			 0);
}

static void check(struct haven_socket *socket, const char *name)
{
	char got[16];
	socklen_t length = sizeof(got);

	assert_int_equal(haven_getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, got, &length),
			 0);
	assert_string_equal(got, name);
}

static void test_chosen(void **state)
{
	struct world w;
	struct haven_socket *listener, *client, *server;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1, .configure = right_reno});
	listener = listen_on(&w, RIGHT, true, 80, 8);
	check(listener, "reno"); /* the stack's */
	client = stream_new(&w, LEFT, true);
	check(client, "cubic");
	choose(listener, "none");
	assert_int_equal(connect_to(client, true, 2, 80), -EINPROGRESS);
	wait_events(&w, listener, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
	check(server, "none");
	check(client, "cubic");
	haven_close(listener);
	haven_close(client);
	haven_close(server);
	world_finish(&w);
}

/* Each of them carries a stream over a lossy path, and so does a change in the middle. */
static void test_each(void **state)
{
	static const char *const names[] = {"cubic", "reno", "none"};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(names); i++) {
		struct world w;
		struct transfer t = {.total = 2 << 20};

		world_init(&w,
			   &(struct world_options){.seed = 7 + i,
						   .fault = "loss=1% delay=10ms rate=100mbit"});
		connect_pair(&w, false, 80, &t.from, &t.to);
		choose(t.from, names[i]);
		world_run(&w, transfer_done, &t, 600 * SECOND);
		choose(t.from, names[(i + 1) % TEST_COUNT(names)]);
		t.total *= 2;
		world_run(&w, transfer_done, &t, 600 * SECOND);
		haven_close(t.from);
		haven_close(t.to);
		world_finish(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chosen),
		cmocka_unit_test(test_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
