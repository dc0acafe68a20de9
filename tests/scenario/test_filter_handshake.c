/* A filter where a handshake is more than a record: SYN cookies, Fast Open, and no room. */
#include <netinet/tcp.h>

#include "policy.h"

static void cookies_always(struct haven_stack_config *config, int side)
{
	if (side == RIGHT)
		config->max_half_open = 0;
}

static void without_links(struct policy *p)
{
	haven_stack_set_filter(p->w->stack[p->side], NULL);
}

/* Nothing is kept of the SYN; the connection counts from its ACK on. */
static void test_cookie(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *client, *server;

	(void)state;
	world_init(&w, &(struct world_options){.configure = cookies_always});
	policy_init(&p, &w, RIGHT, "allow in tcp :80");
	connect_pair(&w, false, 80, &client, &server);
	assert_int_equal(stats_of(&w, RIGHT).syn_cookies_good, 1);
	assert_int_equal(rule_of(&p, 1).flows, 1);
	assert_int_equal(rule_of(&p, 1).open, 1);
	haven_abort(client);
	world_settle(&w);
	assert_int_equal(rule_of(&p, 1).open, 0);
	haven_close(server);
	world_finish(&w);
	policy_finish(&p);
}

/* Between SYN and ACK the rules change: the ACK is refused. */
static void test_cookie_too_late(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *client;

	(void)state;
	world_init(&w, &(struct world_options){.configure = cookies_always,
					       .fault = "delay=300ms"});
	policy_init(&p, &w, RIGHT, "allow in tcp :80");
	listen_on(&w, RIGHT, false, 80, 8);
	client = stream_new(&w, LEFT, false);
	world_pass(&w, 2 * SECOND); /* neighbours know each other */
	assert_int_equal(connect_to(client, false, 2, 80), -EINPROGRESS);
	world_pass(&w, 1 * SECOND);
	policy_change(&p, "deny in tcp :80");
	world_pass(&w, 4 * SECOND);
	assert_int_equal(socket_error(client), ECONNRESET);
	assert_int_equal(stats_of(&w, RIGHT).connections, 0);
	assert_true(drops_of(&w, RIGHT, "filter") > 0);
	world_finish(&w);
	policy_finish(&p);
}

/* Many SYNs may be answered with cookies at one time; no more than `max` connections come of them. */
static void test_cookie_max(void **state)
{
	enum { CLIENTS = 6, MOST = 2 };
	struct world w;
	struct policy p;
	struct haven_socket *clients[CLIENTS];
	unsigned connected = 0;

	(void)state;
	world_init(&w,
		   &(struct world_options){.configure = cookies_always, .fault = "delay=10ms"});
	policy_init(&p, &w, RIGHT, "allow in tcp :80 max 2");
	listen_on(&w, RIGHT, false, 80, 8);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = stream_new(&w, LEFT, false);
		assert_int_equal(connect_to(clients[i], false, 2, 80), -EINPROGRESS);
	}
	world_pass(&w, 10 * SECOND);
	for (int i = 0; i < CLIENTS; i++)
		connected += socket_error(clients[i]) == 0;
	assert_int_equal(connected, MOST);
	assert_int_equal(rule_of(&p, 1).open, MOST);
	without_links(&p);
	assert_int_equal(rule_of(&p, 1).open, 0);
	world_finish(&w);
	policy_finish(&p);
}

/* The accept queue is full when the second ACK comes: that one counts when there is room. */
static void test_cookie_overflow(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *listener, *server, *clients[2];

	(void)state;
	world_init(&w,
		   &(struct world_options){.configure = cookies_always, .fault = "delay=10ms"});
	policy_init(&p, &w, RIGHT, "allow in tcp :80");
	listener = listen_on(&w, RIGHT, false, 80, 1);
	for (int i = 0; i < 2; i++) {
		clients[i] = stream_new(&w, LEFT, false);
		assert_int_equal(connect_to(clients[i], false, 2, 80), -EINPROGRESS);
	}
	world_pass(&w, SECOND);
	assert_int_equal(stats_of(&w, RIGHT).syn_cookies_sent, 2);
	assert_int_equal(stats_of(&w, RIGHT).syn_cookies_good, 1);
	assert_int_equal(rule_of(&p, 1).open, 1);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(haven_send(clients[i], "hello", 5, 0), 5);
	world_pass(&w, SECOND);
	assert_int_equal(stats_of(&w, RIGHT).syn_cookies_good, 2);
	assert_int_equal(rule_of(&p, 1).open, 2);
	assert_int_equal(rule_of(&p, 1).flows, 2);
	world_finish(&w);
	policy_finish(&p);
}

/* A full accept queue drops SYNs before they are counted. */
static void test_overflow(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *listener, *server, *clients[2];

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, RIGHT, "allow in tcp :80");
	listener = listen_on(&w, RIGHT, false, 80, 1);
	for (int i = 0; i < 2; i++) {
		clients[i] = stream_new(&w, LEFT, false);
		assert_int_equal(connect_to(clients[i], false, 2, 80), -EINPROGRESS);
		world_pass(&w, 4 * SECOND);
	}
	assert_true(drops_of(&w, RIGHT, "tcp: backlog full") >= 2);
	assert_int_equal(rule_of(&p, 1).flows, 1);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
	wait_events(&w, clients[1], HAVEN_EVENT_CONNECTED, 60 * SECOND);
	assert_int_equal(rule_of(&p, 1).flows, 2);
	world_finish(&w);
	policy_finish(&p);
}

static ssize_t open_fast(struct haven_socket *socket, const char *data, size_t size)
{
	struct sockaddr_storage to = address_of(false, 2, 80);

	return haven_sendto(socket, data, size, MSG_FASTOPEN, (struct sockaddr *)&to,
			    address_size(false));
}

/* Data of a SYN meets the rules before anybody reads it. */
static void test_fast_open(void **state)
{
	struct world w;
	struct policy left, right;
	struct haven_socket *listener, *client, *server;
	int most = 8;
	char data[8];

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&left, &w, LEFT, "allow out");
	policy_init(&right, &w, RIGHT, "allow in tcp :80");
	listener = listen_on(&w, RIGHT, false, 80, 8);
	assert_int_equal(haven_setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &most,
					  sizeof(most)),
			 0);
	client = stream_new(&w, LEFT, false);
	assert_int_equal(open_fast(client, "hello", 5), -EINPROGRESS); /* asks for a cookie */
	wait_events(&w, client, HAVEN_EVENT_CONNECTED, SECOND);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
	haven_abort(client);
	haven_close(server);
	world_settle(&w);
	assert_int_equal(rule_of(&right, 1).open, 0);

	client = stream_new(&w, LEFT, false);
	assert_int_equal(open_fast(client, "hello", 5), 5);
	/* Only the SYN has come: */
	haven_poll(w.stack[LEFT], w.now_ns);
	haven_input(w.stack[RIGHT], w.ifindex[RIGHT], 64, w.now_ns);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
	assert_int_equal(haven_recv(server, data, sizeof(data), 0), 5);
	assert_int_equal(rule_of(&right, 1).flows, 2);
	assert_int_equal(rule_of(&right, 1).open, 1);
	haven_abort(client);
	haven_abort(server);
	world_settle(&w);
	assert_int_equal(rule_of(&right, 1).open, 0);
	assert_int_equal(rule_of(&right, 1).bytes, 5);

	policy_change(&right, "deny in tcp :80");
	client = stream_new(&w, LEFT, false);
	assert_int_equal(open_fast(client, "hello", 5), 5);
	world_settle(&w);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), -EAGAIN);
	assert_int_equal(socket_error(client), ECONNREFUSED);
	policy_change(&left, "deny out tcp :80");
	assert_int_equal(open_fast(stream_new(&w, LEFT, false), "hello", 5), -EPERM);
	world_finish(&w);
	policy_finish(&left);
	policy_finish(&right);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookie),		cmocka_unit_test(test_cookie_too_late),
		cmocka_unit_test(test_cookie_max),	cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_cookie_overflow), cmocka_unit_test(test_fast_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
