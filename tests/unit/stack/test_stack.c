/* The stack as a whole: configuration, links, addresses, routes, time, and what it tells. */
#include <netinet/in.h>

#include <haven/link.h>
#include <haven/socket.h>

#include "support/test.h"

static struct test_env env;
static struct haven_stack *stack;

static int setup(void **state)
{
	struct haven_stack_config config;

	(void)state;
	test_env_init(&env, 1);
	haven_stack_config_init(&config);
	config.env = test_env_haven(&env);
	config.max_links = 2;
	assert_int_equal(haven_stack_create(&config, &stack), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	haven_stack_destroy(stack);
	test_env_finish(&env);
	return 0;
}

#define STACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int create_with(void (*change)(struct haven_stack_config *config))
{
	struct haven_stack_config config;
	struct haven_stack *made;
	int error;

	haven_stack_config_init(&config);
	change(&config);
	error = haven_stack_create(&config, &made);
	if (error)
		assert_null(made);
	haven_stack_destroy(made);
	return error;
}

#define CHANGE(name, what)                                  \
	static void name(struct haven_stack_config *config) \
	{                                                   \
		config->what;                               \
	}
CHANGE(no_alloc, env.alloc = NULL)
CHANGE(no_random, env.random = NULL)
CHANGE(no_sockets, max_sockets = 0)
CHANGE(no_links, max_links = 0)
CHANGE(many_links, max_links = 17)
CHANGE(no_neighbours, max_neighbours = 0)
CHANGE(no_filter_flows, max_filter_flows = 0)
CHANGE(port_zero, ephemeral_first = 0)
CHANGE(range_backwards, ephemeral_first = 61000)
CHANGE(no_hops, hop_limit = 0)
CHANGE(tiny_buffer, send_buffer_bytes = 100)
CHANGE(huge_buffer, receive_buffer_bytes = UINT32_MAX)
CHANGE(no_control, congestion_control = NULL)
CHANGE(unknown_control, congestion_control = "vegas")
CHANGE(reno, congestion_control = "reno")
CHANGE(uncontrolled, congestion_control = "none")
CHANGE(whole_range, ephemeral_first = 1)
CHANGE(one_port, ephemeral_first = config->ephemeral_last)

static void test_config(void **state)
{
	static void (*const bad[])(struct haven_stack_config *) = {
		no_alloc,      no_random,  no_sockets,	    no_links,	    many_links,
		no_neighbours, port_zero,  range_backwards, no_hops,	    tiny_buffer,
		huge_buffer,   no_control, unknown_control, no_filter_flows};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(bad); i++)
		assert_int_equal(create_with(bad[i]), -EINVAL);
	assert_int_equal(create_with(whole_range), 0);
	assert_int_equal(create_with(one_port), 0);
	assert_int_equal(create_with(reno), 0);
	assert_int_equal(create_with(uncontrolled), 0);
	haven_stack_destroy(NULL);
}

static int swallow(void *user, const struct iovec *iov, int count,
		   const struct haven_frame_offload *offload)
{
	(void)user;
	(void)iov;
	(void)count;
	(void)offload;
	return 0;
}

static struct haven_link *new_link(struct haven_stack *of)
{
	static const struct haven_link_ops ops = {.send = swallow};
	struct haven_link *link;

	assert_int_equal(haven_link_custom(of, &ops, NULL, false, NULL, &link), 0);
	return link;
}

static void test_links(void **state)
{
	struct haven_stack_config config;
	struct haven_stack *other;
	unsigned ifindex = 0;

	(void)state;
	haven_stack_config_init(&config);
	assert_int_equal(haven_stack_create(&config, &other), 0);
	/* Owned whatever is returned. */
	assert_int_equal(haven_stack_attach(stack, new_link(other), &ifindex), -EINVAL);
	assert_int_equal(haven_stack_attach(stack, new_link(stack), &ifindex), 0);
	assert_int_equal(ifindex, 1);
	assert_int_equal(haven_stack_attach(stack, new_link(stack), &ifindex), 0);
	assert_int_equal(ifindex, 2);
	assert_int_equal(haven_stack_attach(stack, new_link(stack), NULL), -ENOSPC);
	assert_int_equal(haven_input(stack, 3, 8, 0), -ENOENT);
	assert_int_equal(haven_input(stack, 0, 8, 0), -ENOENT);
	assert_int_equal(haven_input(stack, 2, 8, 0), 0);
	haven_link_writable(stack, 2);
	haven_link_writable(stack, 77);
	haven_stack_destroy(other);
}

static void test_addresses(void **state)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
	struct sockaddr_in gate = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000002)};
	struct sockaddr_in all = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr other = {.sa_family = AF_UNIX};

	(void)state;
	six.sin6_addr.s6_addr[0] = 0xfd;
	assert_int_equal(haven_stack_attach(stack, new_link(stack), NULL), 0);
	assert_int_equal(haven_address_add(stack, 2, (struct sockaddr *)&four, 24), -ENOENT);
	assert_int_equal(haven_address_add(stack, 1, (struct sockaddr *)&four, 33), -EINVAL);
	assert_int_equal(haven_address_add(stack, 1, (struct sockaddr *)&six, 129), -EINVAL);
	assert_int_equal(haven_address_add(stack, 1, &other, 8), -EAFNOSUPPORT);
	assert_int_equal(haven_address_add(stack, 1, NULL, 8), -EINVAL);
	assert_int_equal(haven_address_add(stack, 1, (struct sockaddr *)&four, 24), 0);
	assert_int_equal(haven_address_add(stack, 1, (struct sockaddr *)&four, 24),
			 -EADDRINUSE);
	assert_int_equal(haven_address_add(stack, 1, (struct sockaddr *)&six, 64), 0);
	assert_int_equal(haven_route_add(stack, 1, (struct sockaddr *)&all, 0,
					 (struct sockaddr *)&gate),
			 0);
	assert_int_equal(haven_route_add(stack, 9, (struct sockaddr *)&all, 0, NULL), -ENOENT);
	assert_int_equal(haven_route_add(stack, 1, (struct sockaddr *)&all, 0,
					 (struct sockaddr *)&six),
			 -EINVAL);
	assert_int_equal(haven_route_add(stack, 1, &other, 0, NULL), -EAFNOSUPPORT);
}

static void test_time(void **state)
{
	(void)state;
	assert_true(haven_next_deadline(stack) == UINT64_MAX);
	/* Any origin will do, and a step back does no harm. */
	haven_poll(stack, UINT64_C(1) << 62);
	haven_poll(stack, 5);
	haven_set_time(stack, 0);
	assert_true(haven_next_deadline(stack) == UINT64_MAX);
}

static void test_tells(void **state)
{
	struct haven_stats stats;
	struct haven_socket *socket;

	(void)state;
	haven_stack_stats(stack, &stats);
	assert_int_equal(stats.sockets, 0);
	/* Every byte of the environment's is counted. */
	assert_int_equal(stats.memory_bytes, env.live_bytes);
	assert_int_equal(haven_socket(stack, AF_INET, SOCK_DGRAM, 0, &socket), 0);
	haven_stack_stats(stack, &stats);
	assert_int_equal(stats.sockets, 1);
	assert_int_equal(stats.memory_bytes, env.live_bytes);
	assert_int_equal(haven_drop_count(stack, haven_drop_reasons()), 0);
	assert_int_equal(haven_drop_count(stack, 0), 0);
	assert_non_null(haven_drop_name(haven_drop_reasons() - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config), STACK_TEST(test_links),
		STACK_TEST(test_addresses),    STACK_TEST(test_time),
		STACK_TEST(test_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
