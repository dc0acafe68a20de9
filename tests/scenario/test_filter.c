/* A filter on a stack, and connections: what is allowed, what is refused and how, and what rules count. */
#include "policy.h"

/* Begin to connect to the other side, and go on until that has come to something. Returns SO_ERROR. */
static int outcome(struct world *w, int side, bool v6, uint16_t port)
{
	struct haven_socket *socket = stream_new(w, side, v6);
	int error = connect_to(socket, v6, side == LEFT ? 2 : 1, port);

	if (error == -EINPROGRESS) {
		world_pass(w, 600 * SECOND);
		error = socket_error(socket);
	}
	haven_abort(socket);
	world_settle(w);
	return error;
}

static void test_out(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct world w;
		struct policy p;

		world_init(&w, &(struct world_options){0});
		policy_init(&p, &w, LEFT, "allow out tcp :80\ndeny out tcp :82 drop");
		haven_close(listen_on(&w, RIGHT, v6, 79, 8));
		listen_on(&w, RIGHT, v6, 80, 8);
		listen_on(&w, RIGHT, v6, 81, 8);
		listen_on(&w, RIGHT, v6, 82, 8);

		assert_int_equal(outcome(&w, LEFT, v6, 80), 0);
		/* At once, and no packet leaves. */
		assert_int_equal(outcome(&w, LEFT, v6, 81), -EPERM);
		assert_int_equal(haven_filter_default_count(p.filter, HAVEN_OUT), 1);
		/* In silence: SYNs are made, and get lost. */
		assert_int_equal(stats_of(&w, RIGHT).half_open, 0);
		assert_int_equal(drops_of(&w, LEFT, "filter"), 0);
		assert_int_equal(outcome(&w, LEFT, v6, 82), ETIMEDOUT);
		assert_int_equal(drops_of(&w, LEFT, "filter"), 8);
		assert_int_equal(rule_of(&p, 1).flows, 1);
		assert_int_equal(rule_of(&p, 1).refused, 0);
		assert_int_equal(rule_of(&p, 2).flows, 1);
		assert_int_equal(rule_of(&p, 2).refused, 1);
		/* A stack without a filter refuses nothing. */
		assert_int_equal(outcome(&w, RIGHT, v6, 81), ECONNREFUSED);
		world_finish(&w);
		policy_finish(&p);
	}
}

/* A socket that was refused can be used for what is not. */
static void test_socket_goes_on(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *socket;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, LEFT, "allow out tcp :80");
	listen_on(&w, RIGHT, false, 80, 8);
	socket = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(socket, false, 2, 81), -EPERM);
	assert_int_equal(stats_of(&w, LEFT).connections, 0);
	assert_int_equal(connect_to(socket, false, 2, 80), -EINPROGRESS);
	wait_events(&w, socket, HAVEN_EVENT_CONNECTED, SECOND);
	world_finish(&w);
	policy_finish(&p);
}

static void test_in(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct world w;
		struct policy p;

		world_init(&w, &(struct world_options){0});
		policy_init(&p, &w, RIGHT, "allow in tcp :80\ndeny in tcp :82-83 drop");
		listen_on(&w, RIGHT, v6, 80, 8);
		listen_on(&w, RIGHT, v6, 81, 8);
		listen_on(&w, RIGHT, v6, 82, 8);

		assert_int_equal(outcome(&w, LEFT, v6, 80), 0);
		assert_int_equal(outcome(&w, LEFT, v6, 81), ECONNREFUSED);
		assert_int_equal(drops_of(&w, RIGHT, "filter"), 1);
		assert_int_equal(outcome(&w, LEFT, v6, 82), ETIMEDOUT);
		assert_int_equal(drops_of(&w, RIGHT, "filter"), 1 + 8);
		/* Nobody listens: that looks the same. */
		assert_int_equal(outcome(&w, LEFT, v6, 83), ETIMEDOUT);
		assert_int_equal(outcome(&w, LEFT, v6, 84), ECONNREFUSED);
		/* What goes out of the right one has no rule, and is allowed. */
		listen_on(&w, LEFT, v6, 80, 8);
		assert_int_equal(outcome(&w, RIGHT, v6, 80), 0);
		assert_int_equal(rule_of(&p, 1).flows, 1);
		assert_int_equal(rule_of(&p, 1).open, 0);
		world_finish(&w);
		policy_finish(&p);
	}
}

/* Nothing may come in but what belongs to a connection from here, and nothing is asked about twice. */
static void test_stateful(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct world w;
		struct policy p;
		struct transfer there, back;
		struct haven_socket *client, *server;

		world_init(&w, &(struct world_options){.fault = "loss=2% delay=3ms"});
		policy_init(&p, &w, LEFT, "allow out\ndeny in drop");
		connect_pair(&w, v6, 80, &client, &server);
		there = (struct transfer){.from = client, .to = server, .total = 1000000};
		back = (struct transfer){.from = server, .to = client, .total = 500000};
		there.ended = back.ended = true;
		world_run(&w, transfer_done, &there, 600 * SECOND);
		assert_int_equal(rule_of(&p, 1).open, 1);
		assert_int_equal(rule_of(&p, 1).bytes, 0);
		world_run(&w, transfer_done, &back, 600 * SECOND);
		haven_close(client);
		haven_close(server);
		world_pass(&w, 10 * SECOND);
		/* TIME-WAIT is no open flow. */
		assert_int_equal(stats_of(&w, LEFT).time_wait, 1);
		assert_int_equal(rule_of(&p, 1).open, 0);
		assert_int_equal(rule_of(&p, 1).flows, 1);
		assert_int_equal(rule_of(&p, 1).bytes, 1500000);
		assert_int_equal(rule_of(&p, 2).flows, 0);
		world_finish(&w);
		policy_finish(&p);
	}
}

/* A SYN that comes again while its connection is half open is not asked about again. */
static void test_repeated_syn(void **state)
{
	struct world w;
	struct policy left, right;
	struct haven_socket *client, *server;

	(void)state;
	world_init(&w, &(struct world_options){.fault = "delay=4s"});
	policy_init(&left, &w, LEFT, "allow out");
	policy_init(&right, &w, RIGHT, "allow in limit 1/h");
	connect_pair(&w, false, 80, &client, &server);
	assert_true(stats_of(&w, LEFT).tcp_retransmits >= 2);
	assert_int_equal(rule_of(&left, 1).flows, 1);
	assert_int_equal(rule_of(&right, 1).flows, 1);
	assert_int_equal(rule_of(&right, 1).refused, 0);
	world_finish(&w);
	policy_finish(&left);
	policy_finish(&right);
}

/* A connection from the left, established; the listener has it. */
static struct haven_socket *connected(struct world *w)
{
	struct haven_socket *socket = stream_new(w, LEFT, false);

	assert_int_equal(connect_to(socket, false, 2, 80), -EINPROGRESS);
	wait_events(w, socket, HAVEN_EVENT_CONNECTED, SECOND);
	return socket;
}

static void test_max(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *first, *listener;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, RIGHT, "allow in tcp :80 max 2");
	listener = listen_on(&w, RIGHT, false, 80, 8);
	first = connected(&w);
	connected(&w);
	assert_int_equal(rule_of(&p, 1).open, 2);
	assert_int_equal(outcome(&w, LEFT, false, 80), ECONNREFUSED);
	assert_int_equal(rule_of(&p, 1).refused, 1);
	/* Reset by the client: there is room again. */
	haven_abort(first);
	world_settle(&w);
	assert_int_equal(rule_of(&p, 1).open, 1);
	assert_int_equal(outcome(&w, LEFT, false, 80), 0);
	/* Half open counts, too, until it is given up. */
	assert_int_equal(connect_to(stream_new(&w, LEFT, false), false, 2, 80), -EINPROGRESS);
	haven_poll(w.stack[LEFT], w.now_ns);
	haven_input(w.stack[RIGHT], w.ifindex[RIGHT], 64, w.now_ns);
	assert_int_equal(stats_of(&w, RIGHT).half_open, 1);
	assert_int_equal(rule_of(&p, 1).open, 2);
	haven_close(listener);
	assert_int_equal(rule_of(&p, 1).open, 0);
	world_finish(&w);
	policy_finish(&p);
}

static void test_limit(void **state)
{
	struct world w;
	struct policy p;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, LEFT, "allow out limit 2/min");
	listen_on(&w, RIGHT, false, 80, 8);
	for (int i = 0; i < 4; i++) {
		struct haven_socket *socket = stream_new(&w, LEFT, false);

		assert_int_equal(connect_to(socket, false, 2, 80),
				 i < 2 ? -EINPROGRESS : -EPERM);
		haven_close(socket);
	}
	assert_int_equal(rule_of(&p, 1).refused, 2);
	world_pass(&w, 31 * SECOND);
	assert_int_equal(connect_to(stream_new(&w, LEFT, false), false, 2, 80), -EINPROGRESS);
	assert_int_equal(connect_to(stream_new(&w, LEFT, false), false, 2, 80), -EPERM);
	world_finish(&w);
	policy_finish(&p);
}

/* A stack that talks to itself has its own words on both ends. */
static void test_self(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *client, *listener;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, RIGHT, "allow out tcp :80\nallow in tcp :80");
	listener = listen_on(&w, RIGHT, false, 80, 8);
	client = stream_new(&w, RIGHT, false);
	assert_int_equal(connect_to(client, false, 2, 80), -EINPROGRESS);
	wait_events(&w, listener, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(rule_of(&p, 1).open, 1);
	assert_int_equal(rule_of(&p, 2).open, 1);
	haven_abort(client);
	world_settle(&w);
	assert_int_equal(rule_of(&p, 1).open, 0);
	assert_int_equal(rule_of(&p, 2).open, 0);
	world_finish(&w);
	policy_finish(&p);
}

enum { MANY = 500 };

/* Many come, and go when `seen` has looked at them. */
static void many(struct world *w, struct haven_socket *listener,
		 void (*seen)(struct policy *policies), struct policy *policies)
{
	static struct haven_socket *clients[MANY];
	struct haven_socket *server;

	for (int i = 0; i < MANY; i++) {
		clients[i] = stream_new(w, LEFT, false);
		assert_int_equal(connect_to(clients[i], false, 2, 80), -EINPROGRESS);
		if (i % 100 == 99)
			world_pass(w, SECOND);
	}
	if (seen)
		seen(policies);
	while (haven_accept(listener, NULL, NULL, &server) == 0)
		haven_close(server);
	for (int i = 0; i < MANY; i++)
		haven_close(clients[i]);
	world_pass(w, 200 * SECOND);
}

static void all_open(struct policy *policies)
{
	assert_int_equal(rule_of(&policies[LEFT], 1).open, MANY);
	assert_int_equal(rule_of(&policies[RIGHT], 1).open, MANY);
}

/* Tables end empty, and memory is what it was without a filter. */
static void test_many(void **state)
{
	struct world w;
	struct policy policies[2];
	struct haven_socket *listener;
	uint64_t before[2];

	(void)state;
	world_init(&w, &(struct world_options){0});
	listener = listen_on(&w, RIGHT, false, 80, MANY);
	many(&w, listener, NULL, NULL);
	before[LEFT] = stats_of(&w, LEFT).memory_bytes;
	before[RIGHT] = stats_of(&w, RIGHT).memory_bytes;
	policy_init(&policies[LEFT], &w, LEFT, "allow out");
	policy_init(&policies[RIGHT], &w, RIGHT, "allow in");
	for (unsigned round = 1; round <= 3; round++) {
		many(&w, listener, all_open, policies);
		for (int side = 0; side < 2; side++) {
			assert_int_equal(rule_of(&policies[side], 1).open, 0);
			assert_int_equal(rule_of(&policies[side], 1).flows, round * MANY);
			assert_int_equal(rule_of(&policies[side], 1).refused, 0);
		}
	}
	for (int side = 0; side < 2; side++) {
		haven_stack_set_filter(w.stack[side], NULL);
		assert_int_equal(stats_of(&w, side).memory_bytes, before[side]);
	}
	world_finish(&w);
	policy_finish(&policies[LEFT]);
	policy_finish(&policies[RIGHT]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out),	     cmocka_unit_test(test_socket_goes_on),
		cmocka_unit_test(test_in),	     cmocka_unit_test(test_stateful),
		cmocka_unit_test(test_repeated_syn), cmocka_unit_test(test_max),
		cmocka_unit_test(test_limit),	     cmocka_unit_test(test_self),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
