/* Ports in use: ephemeral ones, both ends of the range, dual stack, transparent sockets, what is shown. */
#include <string.h>

#include "support.h"

static void small_range(struct haven_stack_config *config, int side)
{
	(void)side;
	config->ephemeral_first = 65526;
	config->ephemeral_last = 65535;
}

/* Ten ports serve ten connections to each of two servers; the eleventh has none left. */
static void test_ephemeral(void **state)
{
	struct world w;
	struct haven_socket *eleventh;
	bool used[10] = {false};

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1, .configure = small_range});
	listen_on(&w, RIGHT, false, 80, 100);
	listen_on(&w, RIGHT, false, 81, 100);
	for (int i = 0; i < 20; i++) {
		struct haven_socket *socket = stream_new(&w, LEFT, false);

		assert_int_equal(connect_to(socket, false, 2, i < 10 ? 80 : 81), -EINPROGRESS);
		wait_events(&w, socket, HAVEN_EVENT_CONNECTED, SECOND);
		assert_in_range(local_port(socket), 65526, 65535);
		if (i < 10) {
			assert_false(used[local_port(socket) - 65526]);
			used[local_port(socket) - 65526] = true;
		}
	}
	eleventh = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(eleventh, false, 2, 80), -EADDRNOTAVAIL);
	/* The other family has ports of its own. */
	haven_close(eleventh);
	listen_on(&w, RIGHT, true, 82, 100);
	eleventh = stream_new(&w, LEFT, true);
	assert_int_equal(connect_to(eleventh, true, 2, 82), -EINPROGRESS);
	wait_events(&w, eleventh, HAVEN_EVENT_CONNECTED, SECOND);
	world_finish(&w);
}

/* Ports 1 and 65535 on both ends of one connection. */
static void test_both_ends(void **state)
{
	struct world w;
	struct haven_socket *client, *listener, *server;
	struct sockaddr_storage from = address_of(false, 1, 65535);

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	listener = listen_on(&w, RIGHT, false, 1, 1);
	client = stream_new(&w, LEFT, false);
	assert_int_equal(haven_bind(client, (struct sockaddr *)&from, address_size(false)), 0);
	assert_int_equal(connect_to(client, false, 2, 1), -EINPROGRESS);
	wait_events(&w, listener, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_accept(listener, (struct sockaddr *)&from,
				      &(socklen_t){sizeof(from)}, &server),
			 0);
	assert_int_equal(ntohs(((struct sockaddr_in *)&from)->sin_port), 65535);
	assert_int_equal(local_port(server), 1);
	world_finish(&w);
}

static void privileged(struct haven_stack_config *config, int side)
{
	config->privileged_port_limit = 1024;
	config->privileged = side == RIGHT;
}

static void test_privilege(void **state)
{
	struct world w;
	struct haven_socket *socket;
	struct sockaddr_storage low = address_of(false, 0, 1023);

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1, .configure = privileged});
	socket = stream_new(&w, LEFT, false);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&low, address_size(false)),
			 -EACCES);
	low = address_of(false, 0, 1024);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&low, address_size(false)), 0);
	listen_on(&w, RIGHT, false, 1023, 1);
	world_finish(&w);
}

/* From an address that is not ours, when told so: how a gateway keeps a visitor's own address. */
static void test_transparent(void **state)
{
	struct world w;
	struct haven_socket *listener, *visitor, *server;
	struct sockaddr_storage from = address_text("203.0.113.9", 4444), peer;
	struct sockaddr_storage to = address_of(false, 1, 80);
	socklen_t length = sizeof(peer);
	int on = 1;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1, .any_address = true});
	listener = listen_on(&w, LEFT, false, 80, 1);
	visitor = stream_new(&w, RIGHT, false);
	assert_int_equal(haven_bind(visitor, (struct sockaddr *)&from, address_size(false)),
			 -EADDRNOTAVAIL);
	assert_int_equal(haven_setsockopt(visitor, SOL_HAVEN, HAVEN_SO_TRANSPARENT, &on,
					  sizeof(on)),
			 0);
	assert_int_equal(haven_bind(visitor, (struct sockaddr *)&from, address_size(false)), 0);
	assert_int_equal(haven_connect(visitor, (struct sockaddr *)&to, address_size(false)),
			 -EINPROGRESS);
	wait_events(&w, listener, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_accept(listener, (struct sockaddr *)&peer, &length, &server), 0);
	assert_memory_equal(&((struct sockaddr_in *)&peer)->sin_addr,
			    &((struct sockaddr_in *)&from)->sin_addr, 4);
	assert_int_equal(((struct sockaddr_in *)&peer)->sin_port, htons(4444));
	assert_int_equal(haven_send(server, "hello", 5, 0), 5);
	wait_events(&w, visitor, HAVEN_EVENT_READABLE, SECOND);
	haven_close(visitor);
	haven_close(server);
	world_finish(&w);
}

/* A listener on :: takes both families; with IPV6_V6ONLY one. */
static void test_dual_stack(void **state)
{
	struct world w;
	struct haven_socket *client, *dual, *only, *server;
	struct sockaddr_storage any = address_of(true, 0, 81);
	struct sockaddr_in6 peer;
	socklen_t length = sizeof(peer);
	int on = 1;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	dual = listen_on(&w, RIGHT, true, 80, 4);
	only = stream_new(&w, RIGHT, true);
	assert_int_equal(haven_setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(haven_bind(only, (struct sockaddr *)&any, address_size(true)), 0);
	assert_int_equal(haven_setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)),
			 -EINVAL);
	assert_int_equal(haven_listen(only, 4), 0);
	client = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(client, false, 2, 80), -EINPROGRESS);
	wait_events(&w, dual, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_accept(dual, (struct sockaddr *)&peer, &length, &server), 0);
	assert_int_equal(peer.sin6_family, AF_INET6);
	assert_true(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
	haven_close(client);
	client = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(client, false, 2, 81), -EINPROGRESS);
	wait_events(&w, client, HAVEN_EVENT_ERROR, SECOND);
	assert_int_equal(socket_error(client), ECONNREFUSED);
	client = stream_new(&w, LEFT, true);
	assert_int_equal(connect_to(client, true, 2, 81), -EINPROGRESS);
	wait_events(&w, client, HAVEN_EVENT_CONNECTED, SECOND);
	world_finish(&w);
}

/* With IP_BIND_ADDRESS_NO_PORT the address is bound and the port chosen for each destination. */
static void test_no_port(void **state)
{
	struct world w;
	struct sockaddr_storage own = address_of(false, 1, 0);
	int on = 1;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1, .configure = small_range});
	listen_on(&w, RIGHT, false, 80, 100);
	listen_on(&w, RIGHT, false, 81, 100);
	for (int i = 0; i < 20; i++) {
		struct haven_socket *socket = stream_new(&w, LEFT, false);

		assert_int_equal(haven_setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT,
						  &on, sizeof(on)),
				 0);
		assert_int_equal(haven_bind(socket, (struct sockaddr *)&own,
					    address_size(false)),
				 0);
		assert_int_equal(haven_bind(socket, (struct sockaddr *)&own,
					    address_size(false)),
				 -EINVAL);
		assert_int_equal(local_port(socket), 0);
		assert_int_equal(connect_to(socket, false, 2, i < 10 ? 80 : 81), -EINPROGRESS);
		assert_in_range(local_port(socket), 65526, 65535);
		wait_events(&w, socket, HAVEN_EVENT_CONNECTED, SECOND);
	}
	world_finish(&w);
}

/* A port of one's own serves again a second after its connection ended here (TIME-WAIT). */
static void test_same_port_again(void **state)
{
	struct world w;
	struct haven_socket *listener, *client, *server;
	struct sockaddr_storage own = address_of(false, 1, 5555);
	int on = 1;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	listener = listen_on(&w, RIGHT, false, 80, 4);
	for (int i = 0; i < 5; i++) {
		client = stream_new(&w, LEFT, false);
		assert_int_equal(haven_setsockopt(client, SOL_SOCKET, SO_REUSEADDR, &on,
						  sizeof(on)),
				 0);
		assert_int_equal(haven_bind(client, (struct sockaddr *)&own,
					    address_size(false)),
				 0);
		if (i) {
			assert_int_equal(stats_of(&w, LEFT).time_wait, 1);
			assert_int_equal(connect_to(client, false, 2, 80), -EADDRINUSE);
			world_pass(&w, SECOND);
		}
		assert_int_equal(connect_to(client, false, 2, 80), -EINPROGRESS);
		wait_events(&w, listener, HAVEN_EVENT_READABLE, SECOND);
		assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
		assert_int_equal(haven_send(client, "x", 1, 0), 1);
		wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
		haven_close(client);
		wait_events(&w, server, HAVEN_EVENT_PEER_CLOSED, SECOND);
		haven_recv(server, &(char){0}, 1, 0);
		haven_close(server);
		world_pass(&w, 50 * MILLISECOND);
	}
	world_finish(&w);
}

struct rows {
	int listen, bound, established, time_wait, all;
	uint64_t owner;
};

static bool count_row(void *user, const struct haven_port_info *info)
{
	struct rows *rows = user;

	rows->all++;
	if (!strcmp(info->state, "LISTEN")) {
		rows->listen++;
		rows->owner = info->owner;
		assert_int_equal(info->remote.ss_family, 0);
	}
	rows->bound += !strcmp(info->state, "BOUND");
	rows->established += !strcmp(info->state, "ESTABLISHED");
	rows->time_wait += !strcmp(info->state, "TIME-WAIT");
	return true;
}

/* Each port is shown once, with its state and owner, from bind to the end of TIME-WAIT. */
static void test_shown(void **state)
{
	struct world w;
	struct haven_socket *client, *listener, *server, *udp;
	struct sockaddr_storage any = address_of(false, 0, 53);
	struct rows rows = {0};

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	listener = listen_on(&w, RIGHT, false, 80, 1);
	haven_socket_set_owner(listener, 4711);
	udp = datagram_new(&w, RIGHT, false);
	assert_int_equal(haven_bind(udp, (struct sockaddr *)&any, address_size(false)), 0);
	client = stream_new(&w, LEFT, false);
	assert_int_equal(connect_to(client, false, 2, 80), -EINPROGRESS);
	wait_events(&w, listener, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_accept(listener, NULL, NULL, &server), 0);
	haven_ports_each(w.stack[RIGHT], count_row, &rows);
	assert_int_equal(rows.all, 3);
	assert_int_equal(rows.listen, 1);
	assert_int_equal(rows.bound, 1);
	assert_int_equal(rows.established, 1);
	assert_int_equal(rows.owner, 4711);
	assert_int_equal(connect_to(udp, false, 1, 1000), 0);
	haven_close(server);
	world_pass(&w, SECOND);
	haven_close(client);
	world_pass(&w, SECOND);
	rows = (struct rows){0};
	haven_ports_each(w.stack[RIGHT], count_row, &rows);
	assert_int_equal(rows.all, 3);
	assert_int_equal(rows.time_wait, 1);
	assert_int_equal(rows.established, 1);
	assert_int_equal(rows.bound, 0);
	world_pass(&w, 61 * SECOND);
	haven_close(udp);
	haven_close(listener);
	rows = (struct rows){0};
	haven_ports_each(w.stack[RIGHT], count_row, &rows);
	assert_int_equal(rows.all, 0);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ephemeral),  cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_privilege),  cmocka_unit_test(test_transparent),
		cmocka_unit_test(test_dual_stack), cmocka_unit_test(test_shown),
		cmocka_unit_test(test_no_port),	   cmocka_unit_test(test_same_port_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
