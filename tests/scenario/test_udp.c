/* Datagrams: echo, sizes from nothing to 65,507 bytes, connected sockets, limits, errors. */
#include <string.h>

#include "support.h"

static void bind_to(struct haven_socket *socket, bool v6, uint8_t n, uint16_t port)
{
	struct sockaddr_storage address = address_of(v6, n, port);

	assert_int_equal(haven_bind(socket, (struct sockaddr *)&address, address_size(v6)), 0);
}

static ssize_t send_to(struct haven_socket *socket, bool v6, uint8_t n, uint16_t port,
		       const void *data, size_t size)
{
	struct sockaddr_storage address = address_of(v6, n, port);

	return haven_sendto(socket, data, size, 0, (struct sockaddr *)&address,
			    address_size(v6));
}

/* Every size comes back as it went, whole or in fragments. */
static void echo_sizes(const struct world_options *options, bool v6, size_t most)
{
	static const size_t sizes[] = {0,    1,	   1471,  1472,	 1473,	1500,
				       2960, 8192, 60000, 65506, 65507, 65527};
	static uint8_t buffer[65536];
	struct world w;
	struct haven_socket *client, *server;

	world_init(&w, options);
	client = datagram_new(&w, LEFT, v6);
	server = datagram_new(&w, RIGHT, v6);
	bind_to(server, v6, 0, 7);
	for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
		struct sockaddr_storage from;
		socklen_t length = sizeof(from);
		size_t available, size = sizes[i];
		const uint8_t *data = pattern_at(i * 1000, &available);

		if (size > most) {
			assert_int_equal(send_to(client, v6, 2, 7, data, size), -EMSGSIZE);
			continue;
		}
		assert_int_equal(send_to(client, v6, 2, 7, data, size), size);
		wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
		assert_int_equal(haven_recvfrom(server, buffer, sizeof(buffer), 0,
						(struct sockaddr *)&from, &length),
				 size);
		assert_memory_equal(buffer, data, size);
		assert_int_equal(ntohs(((struct sockaddr_in *)&from)->sin_port),
				 local_port(client));
		assert_int_equal(haven_sendto(server, buffer, size, 0, (struct sockaddr *)&from,
					      length),
				 size);
		wait_events(&w, client, HAVEN_EVENT_READABLE, SECOND);
		memset(buffer, 0, size);
		assert_int_equal(haven_recv(client, buffer, sizeof(buffer), 0), size);
		assert_memory_equal(buffer, data, size);
	}
	assert_int_equal(drops_of(&w, RIGHT, "udp"), 0);
	haven_close(client);
	haven_close(server);
	world_pass(&w, 60 * SECOND);
	world_finish(&w);
}

static void test_sizes(void **state)
{
	(void)state;
	echo_sizes(&(struct world_options){.mtu = 1500}, false, 65507);
	echo_sizes(&(struct world_options){.mtu = 1500, .no_offloads = true}, false, 65507);
	echo_sizes(&(struct world_options){.mtu = 65535}, false, 65507);
	echo_sizes(&(struct world_options){.mtu = 1500}, true, 65527);
	echo_sizes(&(struct world_options){.mtu = 1280, .no_offloads = true}, true, 65527);
}

/* A short buffer cuts; MSG_TRUNC tells; the next datagram is the next one. */
static void test_truncation(void **state)
{
	struct world w;
	struct haven_socket *client, *server;
	char buffer[4];

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	client = datagram_new(&w, LEFT, false);
	server = datagram_new(&w, RIGHT, false);
	bind_to(server, false, 2, 7);
	send_to(client, false, 2, 7, "first one", 9);
	send_to(client, false, 2, 7, "second", 6);
	wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_recv(server, buffer, 4, MSG_PEEK | MSG_TRUNC), 9);
	assert_int_equal(haven_recv(server, buffer, 4, 0), 4);
	assert_memory_equal(buffer, "firs", 4);
	assert_int_equal(haven_recv(server, buffer, 4, MSG_TRUNC), 6);
	assert_memory_equal(buffer, "seco", 4);
	assert_int_equal(haven_recv(server, buffer, 4, 0), -EAGAIN);
	world_finish(&w);
}

/* A connected socket hears its peer only, and its peer's errors. */
static void test_connected(void **state)
{
	struct world w;
	struct haven_socket *client, *server, *stranger;
	struct sockaddr_storage none = {.ss_family = AF_UNSPEC};
	char byte;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	client = datagram_new(&w, LEFT, false);
	server = datagram_new(&w, RIGHT, false);
	stranger = datagram_new(&w, RIGHT, false);
	bind_to(server, false, 2, 7);
	bind_to(stranger, false, 2, 8);
	assert_int_equal(connect_to(client, false, 2, 7), 0);
	assert_int_equal(haven_send(client, "q", 1, 0), 1);
	wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(send_to(stranger, false, 1, local_port(client), "s", 1), 1);
	assert_int_equal(send_to(server, false, 1, local_port(client), "a", 1), 1);
	wait_events(&w, client, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_recv(client, &byte, 1, 0), 1);
	assert_int_equal(byte, 'a');
	assert_int_equal(haven_recv(client, &byte, 1, 0), -EAGAIN);
	/* To the stranger the port was closed (RFC 1122 section 4.1.3.1). */
	assert_int_equal(drops_of(&w, LEFT, "udp: no socket"), 1);
	haven_close(server);
	assert_int_equal(haven_send(client, "q", 1, 0), 1);
	wait_events(&w, client, HAVEN_EVENT_ERROR, SECOND);
	assert_int_equal(haven_recv(client, &byte, 1, 0), -ECONNREFUSED);
	assert_int_equal(haven_recv(client, &byte, 1, 0), -EAGAIN);
	/* Disconnected it hears everybody again. */
	assert_int_equal(haven_connect(client, (struct sockaddr *)&none, sizeof(none)), 0);
	assert_int_equal(send_to(stranger, false, 1, local_port(client), "s", 1), 1);
	wait_events(&w, client, HAVEN_EVENT_READABLE, SECOND);
	world_finish(&w);
}

/* The receive buffer is a limit in bytes; what does not fit is counted. */
static void test_receive_limit(void **state)
{
	static const char data[1000];
	struct world w;
	struct haven_socket *client, *server;
	int limit = 10000, received = 0;
	char buffer[1000];

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	client = datagram_new(&w, LEFT, false);
	server = datagram_new(&w, RIGHT, false);
	bind_to(server, false, 0, 7);
	assert_int_equal(haven_setsockopt(server, SOL_SOCKET, SO_RCVBUF, &limit, sizeof(limit)),
			 0);
	send_to(client, false, 2, 7, data, sizeof(data));
	world_pass(&w, SECOND);
	for (int i = 1; i < 100; i++)
		send_to(client, false, 2, 7, data, sizeof(data));
	world_pass(&w, SECOND);
	while (haven_recv(server, buffer, sizeof(buffer), 0) > 0)
		received++;
	assert_in_range(received, 15, 20);
	assert_int_equal(drops_of(&w, RIGHT, "udp: receive buffer"), 100 - received);
	world_finish(&w);
}

/* One IPv6 socket serves both families, and sees IPv4 as v4-mapped. */
static void test_dual_stack(void **state)
{
	struct world w;
	struct haven_socket *server, *four, *six;
	struct sockaddr_in6 from;
	socklen_t length = sizeof(from);
	char byte;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	server = datagram_new(&w, RIGHT, true);
	bind_to(server, true, 0, 7);
	four = datagram_new(&w, LEFT, false);
	six = datagram_new(&w, LEFT, true);
	send_to(four, false, 2, 7, "4", 1);
	wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &length),
			 1);
	assert_int_equal(from.sin6_family, AF_INET6);
	assert_true(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	assert_int_equal(haven_sendto(server, "r", 1, 0, (struct sockaddr *)&from, length), 1);
	wait_events(&w, four, HAVEN_EVENT_READABLE, SECOND);
	send_to(six, true, 2, 7, "6", 1);
	wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
	length = sizeof(from);
	assert_int_equal(haven_recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &length),
			 1);
	assert_false(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	world_finish(&w);
}

/* To an address of one's own: without any link. */
static void test_to_myself(void **state)
{
	struct world w;
	struct haven_socket *client, *server;
	char byte;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	for (int v6 = 0; v6 < 2; v6++) {
		client = datagram_new(&w, LEFT, v6);
		server = datagram_new(&w, LEFT, v6);
		bind_to(server, v6, 0, (uint16_t)(70 + v6));
		assert_int_equal(send_to(client, v6, 1, (uint16_t)(70 + v6), "x", 1), 1);
		wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
		assert_int_equal(haven_recv(server, &byte, 1, 0), 1);
	}
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),	   cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_connected),  cmocka_unit_test(test_receive_limit),
		cmocka_unit_test(test_dual_stack), cmocka_unit_test(test_to_myself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
