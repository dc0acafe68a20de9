/* Rules that change, and filters that come and go, while connections and flows are open. */
#include <string.h>

#include "policy.h"

static void test_ended(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *web[2], *other[2];

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, LEFT, "allow out");
	connect_pair(&w, false, 80, &web[LEFT], &web[RIGHT]);
	connect_pair(&w, true, 81, &other[LEFT], &other[RIGHT]);
	haven_stack_filter_again(w.stack[LEFT]);
	world_settle(&w);
	assert_int_equal(rule_of(&p, 1).open, 2);

	policy_change(&p, "deny out :80\nallow out");
	/* Nothing happens by itself; new ones meet the new rules. */
	assert_int_equal(connect_to(stream_new(&w, LEFT, false), false, 2, 80), -EPERM);
	assert_int_equal(haven_send(web[LEFT], "hello", 5, 0), 5);
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 1);
	assert_int_equal(haven_send(web[LEFT], "hello", 5, 0), -ECONNABORTED);
	world_settle(&w);
	assert_int_equal(socket_error(web[RIGHT]), ECONNRESET);
	assert_int_equal(stats_of(&w, LEFT).connections, 2);
	/* The other one goes on, and still counts for its rule. */
	assert_int_equal(haven_send(other[LEFT], "hello", 5, 0), 5);
	world_settle(&w);
	assert_int_equal(socket_error(other[RIGHT]), 0);
	assert_int_equal(rule_of(&p, 2).open, 1);
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 0);
	world_finish(&w);
	policy_finish(&p);
}

/* Connections from outside are judged as what they are. */
static void test_direction(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *client, *server;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, RIGHT, "allow in :80");
	connect_pair(&w, false, 80, &client, &server);
	policy_change(&p, "deny out\nallow in :80");
	assert_int_equal(haven_stack_filter_again(w.stack[RIGHT]), 0);
	assert_int_equal(rule_of(&p, 2).open, 1);
	policy_change(&p, "deny in :80 drop");
	assert_int_equal(haven_stack_filter_again(w.stack[RIGHT]), 1);
	assert_int_equal(rule_of(&p, 1).flows, 0); /* explained, not counted */
	world_settle(&w);
	assert_int_equal(socket_error(client), ECONNRESET);
	world_finish(&w);
	policy_finish(&p);
}

/* Attempts: half open, not yet answered, and such that were refused in silence and are allowed now. */
static void test_opening(void **state)
{
	struct world w;
	struct policy left, right;
	struct haven_socket *first, *second;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&left, &w, LEFT, "deny out :80 drop");
	policy_init(&right, &w, RIGHT, "allow in");
	listen_on(&w, RIGHT, false, 80, 8);
	first = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(first, false, 2, 80), -EINPROGRESS);
	world_pass(&w, 2 * SECOND);
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 0);
	policy_change(&left, "allow out :80");
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 0);
	wait_events(&w, first, HAVEN_EVENT_CONNECTED, 30 * SECOND);
	assert_int_equal(rule_of(&left, 1).open, 1);

	second = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(second, false, 2, 80), -EINPROGRESS);
	haven_poll(w.stack[LEFT], w.now_ns);
	haven_input(w.stack[RIGHT], w.ifindex[RIGHT], 64, w.now_ns);
	assert_int_equal(stats_of(&w, RIGHT).half_open, 1);
	policy_change(&right, "deny in");
	assert_int_equal(haven_stack_filter_again(w.stack[RIGHT]), 2);
	assert_int_equal(stats_of(&w, RIGHT).half_open, 0);
	policy_change(&left, "deny out");
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 2);
	assert_int_equal(socket_error(first), ECONNABORTED);
	assert_int_equal(socket_error(second), ECONNABORTED);
	world_finish(&w);
	policy_finish(&left);
	policy_finish(&right);
}

static ssize_t say(struct world *w, struct haven_socket *socket, uint8_t n, uint16_t port)
{
	struct sockaddr_storage to = address_of(false, n, port);
	ssize_t size = haven_sendto(socket, "hello", 5, 0, (struct sockaddr *)&to,
				    address_size(false));

	world_settle(w);
	return size;
}

static void test_datagrams(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *left;
	struct sockaddr_storage any = address_of(false, 0, 1000);

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, LEFT, "allow out");
	left = datagram_new(&w, LEFT, false);
	assert_int_equal(haven_bind(left, (struct sockaddr *)&any, address_size(false)), 0);
	assert_int_equal(say(&w, left, 2, 7), 5);
	policy_change(&p, "deny out udp :7\nallow out");
	/* The flow is allowed still. */
	assert_int_equal(say(&w, left, 2, 7), 5);
	assert_int_equal(stats_of(&w, LEFT).filter_flows, 1);
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 0);
	assert_int_equal(stats_of(&w, LEFT).filter_flows, 0);
	assert_int_equal(rule_of(&p, 2).open, 0);
	assert_int_equal(say(&w, left, 2, 7), -EPERM);
	world_finish(&w);
	policy_finish(&p);
}

/* A filter finds connections that were there, and leaves some behind. */
static void test_set(void **state)
{
	struct world w;
	struct policy first, second;
	struct haven_socket *client, *server;

	(void)state;
	world_init(&w, &(struct world_options){0});
	connect_pair(&w, false, 80, &client, &server);
	policy_init(&first, &w, LEFT, "deny out\nallow in");
	assert_int_equal(haven_send(client, "hello", 5, 0), 5);
	world_settle(&w);
	policy_change(&first, "allow out max 1");
	assert_int_equal(rule_of(&first, 1).open, 0);
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 0);
	assert_int_equal(rule_of(&first, 1).open, 1);
	assert_int_equal(connect_to(stream_new(&w, LEFT, false), false, 2, 80), -EPERM);

	policy_init(&second, &w, LEFT, "allow out");
	assert_int_equal(rule_of(&first, 1).open, 0);
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 0);
	assert_int_equal(rule_of(&second, 1).open, 1);
	assert_int_equal(haven_stack_set_filter(w.stack[LEFT], NULL), 0);
	assert_int_equal(rule_of(&second, 1).open, 0);
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 0);
	world_finish(&w);
	policy_finish(&first);
	policy_finish(&second);
}

/* One filter on both: each side's directions are its own. */
static void test_shared(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *client, *server;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, LEFT, "allow out 10.0.0.2:80\nallow in 10.0.0.2:80");
	assert_int_equal(haven_stack_set_filter(w.stack[RIGHT], p.filter), 0);
	connect_pair(&w, false, 80, &client, &server);
	assert_int_equal(rule_of(&p, 1).open, 1);
	assert_int_equal(rule_of(&p, 2).open, 1);
	assert_int_equal(connect_to(stream_new(&w, RIGHT, false), false, 1, 80), -EPERM);
	world_finish(&w);
	policy_finish(&p);
}

/* A connection that was allowed by a name stays so when DNS has long forgotten it. */
static void test_name(void **state)
{
	struct haven_endpoint right = endpoint_text("10.0.0.2", 0);
	struct world w;
	struct policy p;
	struct haven_socket *client, *server, *socket;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, LEFT, "allow out tcp example.org:80");
	socket = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(socket, false, 2, 80), -EPERM);
	assert_int_equal(haven_filter_bind(p.filter, "example.org", right.address, 60 * SECOND,
					   w.now_ns),
			 0);
	connect_pair(&w, false, 80, &client, &server);
	world_pass(&w, 3600 * SECOND);
	assert_int_equal(connect_to(socket, false, 2, 80), -EPERM);
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 0);
	assert_int_equal(rule_of(&p, 1).open, 1);
	policy_change(&p, "deny out example.org\nallow out");
	assert_int_equal(haven_stack_filter_again(w.stack[LEFT]), 1);
	world_finish(&w);
	policy_finish(&p);
}

static void on_request(void *user, struct haven_request *request,
		       const struct haven_endpoint *source,
		       const struct haven_endpoint *destination)
{
	(void)source;
	(void)destination;
	assert_int_equal(haven_request_accept(request, user), 0);
}

/* The forwarder's connections are none of the filter's. */
static void test_forwarder(void **state)
{
	struct haven_socket *client, *accepted = NULL;
	struct haven_forwarder forwarder = {.user = &accepted, .tcp = on_request};
	struct sockaddr_storage far = address_text("192.0.2.1", 80);
	struct world w;
	struct policy p;

	(void)state;
	world_init(&w, &(struct world_options){.any_address = true, .forwarder = &forwarder});
	policy_init(&p, &w, RIGHT, "deny in\ndeny out");
	client = stream_new(&w, LEFT, false);
	assert_int_equal(haven_connect(client, (struct sockaddr *)&far, address_size(false)),
			 -EINPROGRESS);
	wait_events(&w, client, HAVEN_EVENT_CONNECTED, SECOND);
	assert_non_null(accepted);
	assert_int_equal(rule_of(&p, 1).flows, 0);
	assert_int_equal(haven_stack_filter_again(w.stack[RIGHT]), 0);
	assert_int_equal(haven_send(client, "hello", 5, 0), 5);
	world_settle(&w);
	assert_int_equal(socket_error(client), 0);
	world_finish(&w);
	policy_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ended),	cmocka_unit_test(test_direction),
		cmocka_unit_test(test_opening), cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_set),	cmocka_unit_test(test_shared),
		cmocka_unit_test(test_name),	cmocka_unit_test(test_forwarder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
