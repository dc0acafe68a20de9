/* A filter on a stack, and datagrams: what is allowed, refused, an answer, and how long that holds. */
#include <string.h>

#include "policy.h"

static struct haven_socket *bound(struct world *w, int side, bool v6, uint16_t port)
{
	struct haven_socket *socket = datagram_new(w, side, v6);
	struct sockaddr_storage any = address_of(v6, 0, port);

	assert_int_equal(haven_bind(socket, (struct sockaddr *)&any, address_size(v6)), 0);
	return socket;
}

/* To the other host's port. */
static ssize_t send_to(struct world *w, struct haven_socket *socket, bool v6, uint8_t n,
		       uint16_t port)
{
	struct sockaddr_storage to = address_of(v6, n, port);
	ssize_t size =
		haven_sendto(socket, "hello", 5, 0, (struct sockaddr *)&to, address_size(v6));

	world_settle(w);
	return size;
}

static bool got(struct haven_socket *socket)
{
	char data[16];
	ssize_t size = haven_recv(socket, data, sizeof(data), 0);

	assert_true(size == 5 || size == -EAGAIN);
	return size == 5;
}

static void test_out(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct world w;
		struct policy p;
		struct haven_socket *left, *right;

		world_init(&w, &(struct world_options){0});
		policy_init(&p, &w, LEFT, "allow out udp :7\ndeny out udp :8 drop");
		left = bound(&w, LEFT, v6, 1000);
		right = bound(&w, RIGHT, v6, 7);
		assert_int_equal(send_to(&w, left, v6, 2, 7), 5);
		assert_true(got(right));
		assert_int_equal(send_to(&w, left, v6, 2, 9), -EPERM);
		assert_int_equal(drops_of(&w, LEFT, "filter"), 0);
		haven_close(right);
		right = bound(&w, RIGHT, v6, 8);
		assert_int_equal(send_to(&w, left, v6, 2, 8), 5);
		assert_false(got(right));
		assert_int_equal(drops_of(&w, LEFT, "filter"), 1);
		/* A connected socket meets the same. */
		assert_int_equal(connect_to(left, v6, 2, 9), 0);
		assert_int_equal(haven_send(left, "hello", 5, 0), -EPERM);
		assert_int_equal(connect_to(left, v6, 2, 7), 0);
		assert_int_equal(haven_send(left, "hello", 5, 0), 5);
		assert_int_equal(rule_of(&p, 1).flows, 1);
		assert_int_equal(rule_of(&p, 1).open, 1);
		assert_int_equal(stats_of(&w, LEFT).filter_flows, 1);
		world_finish(&w);
		policy_finish(&p);
	}
}

static void test_in(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct world w;
		struct policy p;
		struct haven_socket *left, *allowed, *refused, *silent;

		world_init(&w, &(struct world_options){0});
		policy_init(&p, &w, RIGHT, "allow in udp :7\ndeny in udp :8,10 drop");
		left = bound(&w, LEFT, v6, 1000);
		allowed = bound(&w, RIGHT, v6, 7);
		silent = bound(&w, RIGHT, v6, 8);
		refused = bound(&w, RIGHT, v6, 9);
		assert_int_equal(send_to(&w, left, v6, 2, 7), 5);
		assert_true(got(allowed));
		/* "Administratively prohibited". */
		assert_int_equal(connect_to(left, v6, 2, 9), 0);
		haven_send(left, "hello", 5, 0);
		world_settle(&w);
		assert_false(got(refused));
		assert_int_equal(socket_error(left), EACCES);
		assert_int_equal(drops_of(&w, RIGHT, "filter"), 1);
		assert_int_equal(connect_to(left, v6, 2, 8), 0);
		haven_send(left, "hello", 5, 0);
		world_settle(&w);
		assert_false(got(silent));
		assert_int_equal(socket_error(left), 0);
		assert_int_equal(drops_of(&w, RIGHT, "filter"), 2);
		/* The same where no socket waits. */
		assert_int_equal(connect_to(left, v6, 2, 10), 0);
		haven_send(left, "hello", 5, 0);
		world_settle(&w);
		assert_int_equal(socket_error(left), 0);
		assert_int_equal(connect_to(left, v6, 2, 11), 0);
		haven_send(left, "hello", 5, 0);
		world_settle(&w);
		assert_int_equal(socket_error(left), EACCES);
		/* And where one would be allowed, but is not there. */
		haven_close(allowed);
		assert_int_equal(connect_to(left, v6, 2, 7), 0);
		haven_send(left, "hello", 5, 0);
		world_pass(&w, 31 * SECOND);
		assert_int_equal(socket_error(left), ECONNREFUSED);
		assert_int_equal(stats_of(&w, RIGHT).filter_flows, 0);
		assert_int_equal(rule_of(&p, 1).open, 0);
		world_finish(&w);
		policy_finish(&p);
	}
}

/* Answers pass, what nobody asked for does not, and the door closes again. */
static void test_answers(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *left, *right, *other;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, LEFT, "allow out\ndeny in drop");
	left = bound(&w, LEFT, false, 1000);
	right = bound(&w, RIGHT, false, 7);
	other = bound(&w, RIGHT, false, 8);
	send_to(&w, right, false, 1, 1000);
	assert_false(got(left));
	send_to(&w, left, false, 2, 7);
	assert_true(got(right));
	send_to(&w, other, false, 1, 1000);
	assert_false(got(left));
	/* One-way so far: 30 s. */
	world_pass(&w, 29 * SECOND);
	send_to(&w, right, false, 1, 1000);
	assert_true(got(left));
	/* Both ways: 120 s after the last one, whoever sent it. */
	world_pass(&w, 119 * SECOND);
	send_to(&w, right, false, 1, 1000);
	assert_true(got(left));
	world_pass(&w, 119 * SECOND);
	assert_int_equal(rule_of(&p, 1).open, 1);
	world_pass(&w, 2 * SECOND);
	assert_int_equal(rule_of(&p, 1).open, 0);
	assert_int_equal(rule_of(&p, 1).bytes, 15);
	send_to(&w, right, false, 1, 1000);
	assert_false(got(left));

	send_to(&w, left, false, 2, 7);
	world_pass(&w, 31 * SECOND);
	send_to(&w, right, false, 1, 1000);
	assert_false(got(left));
	assert_int_equal(rule_of(&p, 1).flows, 2);
	assert_int_equal(rule_of(&p, 2).refused, 4);
	world_finish(&w);
	policy_finish(&p);
}

/* The time that has gone by counts, also where nobody has called haven_poll() since. */
static void test_late(void **state)
{
	struct sockaddr_storage to = address_of(false, 1, 1000);
	struct world w;
	struct policy p;
	struct haven_socket *left, *right;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, LEFT, "allow out max 1\ndeny in drop");
	left = bound(&w, LEFT, false, 1000);
	right = bound(&w, RIGHT, false, 7);
	assert_int_equal(send_to(&w, left, false, 2, 7), 5);
	assert_int_equal(send_to(&w, left, false, 2, 8), -EPERM);
	w.now_ns += 31 * SECOND;
	haven_sendto(right, "hello", 5, 0, (struct sockaddr *)&to, address_size(false));
	haven_poll(w.stack[RIGHT], w.now_ns);
	haven_input(w.stack[LEFT], w.ifindex[LEFT], 64, w.now_ns);
	assert_true(got(right));
	assert_false(got(left));
	assert_int_equal(send_to(&w, left, false, 2, 8), 5);
	world_finish(&w);
	policy_finish(&p);
}

static void few_flows(struct haven_stack_config *config, int side)
{
	(void)side;
	config->max_filter_flows = 4;
}

/* At the limit those go that only one side has spoken in. */
static void test_limit(void **state)
{
	struct world w;
	struct policy p;
	struct haven_socket *left, *right;

	(void)state;
	world_init(&w, &(struct world_options){.configure = few_flows});
	policy_init(&p, &w, LEFT, "allow out\ndeny in drop");
	left = bound(&w, LEFT, false, 1000);
	right = bound(&w, RIGHT, false, 7);
	send_to(&w, left, false, 2, 7);
	send_to(&w, right, false, 1, 1000);
	assert_true(got(left));
	for (uint16_t port = 100; port < 120; port++)
		assert_int_equal(send_to(&w, left, false, 2, port), 5);
	assert_int_equal(stats_of(&w, LEFT).filter_flows, 4);
	assert_int_equal(stats_of(&w, LEFT).filter_flows_displaced, 17);
	assert_int_equal(rule_of(&p, 1).open, 4);
	send_to(&w, right, false, 1, 1000);
	assert_true(got(left));
	world_finish(&w);
	policy_finish(&p);
}

static void test_group(void **state)
{
	static const char rules[] = "allow in 239.1.2.3:5353 from 10.0.0.1\ndeny in\n"
				    "allow out 10.0.0.1";
	struct sockaddr_storage group = address_text("239.1.2.3", 5353);
	struct sockaddr_storage other = address_text("239.1.2.4", 5353);
	struct world w;
	struct policy p;
	struct haven_socket *left, *right;

	(void)state;
	world_init(&w, &(struct world_options){0});
	policy_init(&p, &w, RIGHT, rules);
	left = bound(&w, LEFT, false, 1000);
	right = bound(&w, RIGHT, false, 5353);
	for (int i = 0; i < 2; i++) {
		const struct sockaddr_storage *to = i ? &other : &group;
		struct ip_mreqn join = {.imr_ifindex = (int)w.ifindex[RIGHT]};

		join.imr_multiaddr = ((const struct sockaddr_in *)to)->sin_addr;
		assert_int_equal(haven_setsockopt(right, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join,
						  sizeof(join)),
				 0);
		assert_int_equal(haven_sendto(left, "hello", 5, 0, (const struct sockaddr *)to,
					      address_size(false)),
				 5);
		world_settle(&w);
		assert_int_equal(got(right), !i);
	}
	/* Nobody is told that a group refused. */
	assert_int_equal(drops_of(&w, RIGHT, "filter"), 1);
	assert_int_equal(socket_error(left), 0);
	/* The answer comes from another end than the group: a flow of its own. */
	assert_int_equal(send_to(&w, right, false, 1, 1000), 5);
	assert_true(got(left));
	assert_int_equal(rule_of(&p, 3).flows, 1);
	/* Out to a group, by the group's address. */
	assert_int_equal(haven_sendto(right, "hello", 5, 0, (struct sockaddr *)&group,
				      address_size(false)),
			 -EPERM);
	world_finish(&w);
	policy_finish(&p);
}

static void on_datagram(void *user, const struct haven_datagram *datagram)
{
	(void)datagram;
	++*(unsigned *)user;
}

/* What the forwarder gets is its own affair; sockets on the same stack are filtered. */
static void test_forwarder(void **state)
{
	unsigned forwarded = 0;
	struct haven_forwarder forwarder = {.user = &forwarded, .udp = on_datagram};
	struct sockaddr_storage far = address_text("192.0.2.1", 7);
	struct world w;
	struct policy p;
	struct haven_socket *left, *right;

	(void)state;
	world_init(&w, &(struct world_options){.any_address = true, .forwarder = &forwarder});
	policy_init(&p, &w, RIGHT, "deny in drop\ndeny out");
	left = bound(&w, LEFT, false, 1000);
	right = bound(&w, RIGHT, false, 7);
	haven_sendto(left, "hello", 5, 0, (struct sockaddr *)&far, address_size(false));
	world_settle(&w);
	/* The socket is bound to any address, and takes this one, too. */
	assert_int_equal(forwarded, 0);
	assert_false(got(right));
	assert_int_equal(rule_of(&p, 1).refused, 1);
	haven_close(right);
	haven_sendto(left, "hello", 5, 0, (struct sockaddr *)&far, address_size(false));
	world_settle(&w);
	assert_int_equal(forwarded, 1);
	assert_int_equal(rule_of(&p, 1).flows, 1);
	world_finish(&w);
	policy_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out),	  cmocka_unit_test(test_in),
		cmocka_unit_test(test_answers),	  cmocka_unit_test(test_late),
		cmocka_unit_test(test_limit),	  cmocka_unit_test(test_group),
		cmocka_unit_test(test_forwarder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
