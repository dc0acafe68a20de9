/*
 * Memory runs out on a stack with a filter: for each N the N-th allocation fails, once. Connections and datagrams may fail for
 * it, but nothing passes that is refused, and what rules count comes back to nothing.
 */
#include "policy.h"

static const char rules[] = "deny in tcp :81\n"
			    "deny out udp :81\n"
			    "allow in\n"
			    "allow out\n";
static const char other_rules[] = "deny in tcp :81\n"
				  "deny out udp :81\n"
				  "allow in tcp :80\n"
				  "allow out\n";

/* A bound socket of this stack; NULL: no memory. */
static struct haven_socket *bound(struct world *w, int side, int type, uint16_t port)
{
	struct sockaddr_storage any = address_of(false, 0, port);
	struct haven_socket *socket = NULL;
	int error = haven_socket(w->stack[side], AF_INET, type, 0, &socket);

	if (!error)
		error = haven_bind(socket, (struct sockaddr *)&any, address_size(false));
	if (!error && type == SOCK_STREAM)
		error = haven_listen(socket, 8);
	if (!error)
		return socket;
	assert_int_equal(error, -ENOMEM);
	haven_close(socket);
	return NULL;
}

static void tcp_both_ways(struct world *w)
{
	struct haven_socket *in[] = {bound(w, RIGHT, SOCK_STREAM, 80),
				     bound(w, RIGHT, SOCK_STREAM, 81)};
	struct haven_socket *out = bound(w, LEFT, SOCK_STREAM, 80);
	struct haven_socket *clients[3] = {NULL}, *server = NULL;

	for (int i = 0; i < 3; i++) {
		int error = haven_socket(w->stack[i < 2 ? LEFT : RIGHT], AF_INET, SOCK_STREAM,
					 0, &clients[i]);

		if (!error)
			error = connect_to(clients[i], false, i < 2 ? 2 : 1, i == 1 ? 81 : 80);
		assert_true(error == -EINPROGRESS || error == -ENOMEM);
	}
	world_pass(w, 10 * SECOND);
	if (in[1])
		assert_int_equal(haven_accept(in[1], NULL, NULL, &server), -EAGAIN);
	if (in[0] && haven_accept(in[0], NULL, NULL, &server) == 0)
		haven_send(server, "hello", 5, 0);
	world_pass(w, SECOND);
	for (int i = 0; i < 3; i++)
		haven_close(clients[i]);
	haven_close(server);
	haven_close(in[0]);
	haven_close(in[1]);
	haven_close(out);
}

static void udp_both_ways(struct world *w)
{
	struct haven_socket *left = bound(w, LEFT, SOCK_DGRAM, 7);
	struct haven_socket *right = bound(w, RIGHT, SOCK_DGRAM, 7);
	char data[8];

	for (uint16_t port = 7; left && right && port < 30; port++) {
		struct sockaddr_storage to = address_of(false, 1, port);
		struct sockaddr_storage back = address_of(false, 2, 7);
		ssize_t size = haven_sendto(right, "hello", 5, 0, (struct sockaddr *)&to,
					    address_size(false));

		assert_true(size == 5 || size == -ENOMEM);
		size = haven_sendto(left, "hello", 5, 0, (struct sockaddr *)&back,
				    address_size(false));
		assert_true(size == 5 || size == -ENOMEM);
		world_settle(w);
		haven_recv(left, data, sizeof(data), 0);
		haven_recv(right, data, sizeof(data), 0);
	}
	if (right) {
		struct sockaddr_storage to = address_of(false, 1, 81);
		ssize_t size = haven_sendto(right, "hello", 5, 0, (struct sockaddr *)&to,
					    address_size(false));

		assert_int_equal(size, -EPERM);
	}
	haven_close(left);
	haven_close(right);
}

/* Returns whether the nth allocation was reached. */
static bool without(uint64_t nth)
{
	struct world w;
	struct policy p;
	bool failed;

	world_init(&w, &(struct world_options){.seed = nth});
	policy_init(&p, &w, RIGHT, rules);
	test_env_fail(&w.env[RIGHT], nth);
	tcp_both_ways(&w);
	udp_both_ways(&w);
	policy_change(&p, other_rules);
	haven_stack_filter_again(w.stack[RIGHT]);
	failed = test_env_failed(&w.env[RIGHT]);
	test_env_fail(&w.env[RIGHT], 0);
	world_pass(&w, 1200 * SECOND);
	for (uint32_t i = 1; i <= 4; i++)
		assert_int_equal(rule_of(&p, i).open, 0);
	assert_int_equal(stats_of(&w, RIGHT).filter_flows, 0);
	assert_int_equal(stats_of(&w, RIGHT).connections, 0);
	assert_int_equal(stats_of(&w, RIGHT).half_open, 0);
	world_finish(&w);
	policy_finish(&p);
	return failed;
}

static void test_every_allocation(void **state)
{
	uint64_t nth = 1;

	(void)state;
	while (without(nth))
		nth++;
	assert_in_range(nth, 60, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
