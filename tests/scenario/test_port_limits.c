/* Limits on ports: excluded ones, sockets of one owner, privilege and what is said about it. */
#include <stdio.h>
#include <string.h>

#include "support.h"

static const struct haven_port_range excluded[] = {{40000, 40007}, {40009, 40009}};

static void ten_ports(struct haven_stack_config *config, int side)
{
	(void)side;
	config->ephemeral_first = 40000;
	config->ephemeral_last = 40009;
	config->ephemeral_excluded = excluded;
	config->ephemeral_excluded_count = TEST_COUNT(excluded);
}

static int bind_port(struct haven_socket *socket, uint16_t port)
{
	struct sockaddr_storage any = address_of(false, 0, port);

	return haven_bind(socket, (struct sockaddr *)&any, address_size(false));
}

/* Nine of ten ports are excluded: one is chosen, by connect and by bind, and no other. */
static void test_excluded(void **state)
{
	struct world w;
	struct haven_socket *client, *bound, *more, *udp;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1, .configure = ten_ports});
	listen_on(&w, RIGHT, false, 80, 16);
	client = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(client, false, 2, 80), -EINPROGRESS);
	assert_int_equal(local_port(client), 40008);
	more = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(more, false, 2, 80), -EADDRNOTAVAIL);
	/* What connect holds, bind to port 0 does not get; datagrams have ports of their own. */
	assert_int_equal(bind_port(more, 0), -EADDRNOTAVAIL);
	udp = datagram_new(&w, LEFT, false);
	assert_int_equal(bind_port(udp, 0), 0);
	assert_int_equal(local_port(udp), 40008);
	/* By number any port can be had. */
	bound = stream_new(&w, LEFT, false);
	assert_int_equal(bind_port(bound, 40003), 0);
	/* Opened again, all but the bound one are chosen. */
	assert_int_equal(haven_ephemeral_exclude(w.stack[LEFT],
						 (struct haven_port_range){40000, 40009},
						 false),
			 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(connect_to(stream_new(&w, LEFT, false), false, 2, 80),
				 -EINPROGRESS);
	}
	assert_int_equal(connect_to(more, false, 2, 80), -EADDRNOTAVAIL);
	haven_close(bound);
	assert_int_equal(connect_to(more, false, 2, 80), -EINPROGRESS);
	assert_int_equal(local_port(more), 40003);
	assert_int_equal(haven_ephemeral_exclude(w.stack[LEFT], (struct haven_port_range){2, 1},
						 true),
			 -EINVAL);
	world_finish(&w);
}

static void three_per_owner(struct haven_stack_config *config, int side)
{
	(void)side;
	config->max_sockets_per_owner = 3;
}

/* An owner may hold three: bound, listening, connected or accepted. */
static void test_owner(void **state)
{
	struct world w;
	struct haven_socket *held[3], *more, *client, *listener, *server;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1, .configure = three_per_owner});
	listener = listen_on(&w, RIGHT, false, 80, 16);
	haven_socket_set_owner(listener, 5);
	for (int i = 0; i < 3; i++) {
		held[i] = i == 1 ? datagram_new(&w, LEFT, false) : stream_new(&w, LEFT, false);
		haven_socket_set_owner(held[i], 7);
	}
	assert_int_equal(bind_port(held[0], 1000), 0);
	assert_int_equal(haven_listen(held[0], 1), 0);
	assert_int_equal(bind_port(held[1], 1000), 0);
	assert_int_equal(connect_to(held[2], false, 2, 80), -EINPROGRESS);
	more = stream_new(&w, LEFT, false);
	haven_socket_set_owner(more, 7);
	assert_int_equal(bind_port(more, 1001), -EMFILE);
	assert_int_equal(connect_to(more, false, 2, 80), -EMFILE);
	/* Another owner, and nobody, may. */
	haven_socket_set_owner(more, 8);
	assert_int_equal(bind_port(more, 1001), 0);
	client = stream_new(&w, LEFT, false);
	assert_int_equal(bind_port(client, 1002), 0);
	/* What is handed over counts there; what is closed counts no more. */
	haven_socket_set_owner(held[1], 8);
	haven_close(held[0]);
	for (int i = 0; i < 2; i++) {
		held[0] = stream_new(&w, LEFT, false);
		haven_socket_set_owner(held[0], 7);
		assert_int_equal(connect_to(held[0], false, 2, 80), -EINPROGRESS);
	}
	more = stream_new(&w, LEFT, false);
	haven_socket_set_owner(more, 7);
	assert_int_equal(connect_to(more, false, 2, 80), -EMFILE);
	/* The listener's owner takes two beside it; the third waits until there is room. */
	world_settle(&w);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
	assert_int_equal(haven_accept(listener, NULL, NULL, &client), -EMFILE);
	haven_close(server);
	assert_int_equal(haven_accept(listener, NULL, NULL, &client), 0);
	world_finish(&w);
}

static char last_line[512];

static void remember_log(void *user, enum haven_log_level level, const char *message)
{
	(void)user;
	if (level <= HAVEN_LOG_WARNING)
		snprintf(last_line, sizeof(last_line), "%s", message);
}

static void limit_2000(struct haven_stack_config *config, int side)
{
	(void)side;
	config->privileged_port_limit = 2000;
	config->env.log = remember_log;
}

/* The limit is where it was set, and the log says how to go on. */
static void test_privilege_is_explained(void **state)
{
	struct world w;
	struct haven_socket *socket;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1, .configure = limit_2000});
	socket = stream_new(&w, LEFT, false);
	assert_int_equal(bind_port(socket, 1999), -EACCES);
	assert_non_null(strstr(last_line, "port 1999 is below 2000"));
	assert_non_null(strstr(last_line, "privileged_port_limit"));
	assert_int_equal(bind_port(socket, 2000), 0);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_privilege_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
