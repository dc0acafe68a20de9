/*
 * Memory runs out, at every place where it can: for each N the N-th allocation of one side fails, once,
 * while both sides talk over TCP and UDP. The conversation may fail; the stack must not, and must
 * give everything back.
 */
#include <string.h>

#include "support.h"

/* What both sides do; every call may say no. Sockets that could not be made are NULL. */
struct talk {
	struct haven_socket *listener, *client, *server, *udp[2];
	uint64_t sent, received;
};

enum { BYTES = 200000 };

static bool ok_or_no_memory(int result)
{
	if (result < 0 && result != -ENOMEM && result != -EINPROGRESS && result != -EAGAIN)
		fail_msg("%s", haven_strerror(result));
	return result >= 0 || result == -EINPROGRESS;
}

/* A bound socket, or NULL. */
static struct haven_socket *bound(struct world *w, int side, int type, uint16_t port)
{
	struct sockaddr_storage any = address_of(false, 0, port);
	struct haven_socket *socket;

	if (!ok_or_no_memory(haven_socket(w->stack[side], AF_INET, type, 0, &socket)))
		return NULL;
	if (ok_or_no_memory(haven_bind(socket, (struct sockaddr *)&any, address_size(false))))
		return socket;
	haven_close(socket);
	return NULL;
}

static void tcp_step(struct talk *t)
{
	static uint8_t buffer[65536];
	ssize_t size;

	if (t->listener && !t->server)
		ok_or_no_memory(haven_accept(t->listener, NULL, NULL, &t->server));
	while (t->client && t->sent < BYTES) {
		size_t piece;
		const uint8_t *data = pattern_at(t->sent, &piece);

		if (piece > BYTES - t->sent)
			piece = BYTES - t->sent;
		size = haven_send(t->client, data, piece, 0);
		if (size <= 0)
			break;
		t->sent += (uint64_t)size;
	}
	while (t->server && (size = haven_recv(t->server, buffer, sizeof(buffer), 0)) > 0) {
		for (ssize_t i = 0; i < size; i++) {
			size_t piece;

			assert_int_equal(buffer[i], *pattern_at(t->received++, &piece));
		}
	}
}

static void talk(struct world *w)
{
	struct talk t = {0};
	struct sockaddr_storage peer = address_of(false, 2, 7);
	char buffer[64];

	t.listener = bound(w, RIGHT, SOCK_STREAM, 80);
	if (t.listener && !ok_or_no_memory(haven_listen(t.listener, 4))) {
		haven_close(t.listener);
		t.listener = NULL;
	}
	if (ok_or_no_memory(haven_socket(w->stack[LEFT], AF_INET, SOCK_STREAM, 0, &t.client)) &&
	    !ok_or_no_memory(connect_to(t.client, false, 2, 80))) {
		haven_close(t.client);
		t.client = NULL;
	}
	t.udp[RIGHT] = bound(w, RIGHT, SOCK_DGRAM, 7);
	t.udp[LEFT] = bound(w, LEFT, SOCK_DGRAM, 0);
	for (int i = 0; i < 40; i++) {
		if (t.udp[LEFT])
			ok_or_no_memory((int)haven_sendto(t.udp[LEFT],
							  pattern_at(0, &(size_t){0}), i * 100,
							  0, (struct sockaddr *)&peer,
							  address_size(false)));
		tcp_step(&t);
		world_pass(w, 500 * MILLISECOND);
		if (t.udp[RIGHT])
			haven_recv(t.udp[RIGHT], buffer, sizeof(buffer), 0);
	}
	haven_close(t.client);
	haven_close(t.server);
	haven_close(t.listener);
	haven_close(t.udp[LEFT]);
	haven_close(t.udp[RIGHT]);
}

static void every_allocation(int side, const struct world_options *options)
{
	uint64_t nth;

	for (nth = 1;; nth++) {
		struct world w;
		bool failed;

		world_init(&w, options);
		test_env_fail(&w.env[side], nth);
		talk(&w);
		failed = test_env_failed(&w.env[side]);
		test_env_fail(&w.env[side], 0);
		/* Time enough for every retransmission and TIME-WAIT to end. */
		world_pass(&w, 1200 * SECOND);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(stats_of(&w, i).sockets, 0);
			assert_int_equal(stats_of(&w, i).connections, 0);
			assert_int_equal(stats_of(&w, i).time_wait, 0);
		}
		world_finish(&w);
		if (!failed)
			break;
	}
	/* So many places really failed. */
	assert_in_range(nth, 15, 100000);
}

static void test_sender(void **state)
{
	(void)state;
	every_allocation(LEFT, &(struct world_options){.mtu = 1500});
}

static void test_receiver(void **state)
{
	(void)state;
	every_allocation(RIGHT, &(struct world_options){.mtu = 1500});
}

static void test_over_loss(void **state)
{
	(void)state;
	every_allocation(RIGHT,
			 &(struct world_options){.fault = "loss=3% reorder=5% delay=5ms"});
}

/* Creation itself. */
static void test_creation(void **state)
{
	bool failed = true;

	(void)state;
	for (uint64_t nth = 1; failed; nth++) {
		struct test_env env;
		struct haven_stack_config config;
		struct haven_stack *stack;
		int error;

		test_env_init(&env, nth);
		haven_stack_config_init(&config);
		config.env = test_env_haven(&env);
		test_env_fail(&env, nth);
		error = haven_stack_create(&config, &stack);
		failed = test_env_failed(&env);
		assert_int_equal(error, failed ? -ENOMEM : 0);
		haven_stack_destroy(stack);
		test_env_finish(&env);
		assert_true(nth < 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_creation),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_receiver),
		cmocka_unit_test(test_over_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
