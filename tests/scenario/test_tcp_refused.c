/* Connections that do not come about: refused, no such host, no route, wrong calls. */
#include <arpa/inet.h>

#include "support.h"

static void test_refused(void **state)
{
	struct world w;
	struct haven_socket *socket;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	for (int v6 = 0; v6 < 2; v6++) {
		socket = stream_new(&w, LEFT, v6);
		assert_int_equal(connect_to(socket, v6, 2, 81), -EINPROGRESS);
		assert_int_equal(connect_to(socket, v6, 2, 81), -EALREADY);
		wait_events(&w, socket, HAVEN_EVENT_ERROR, 100 * MILLISECOND);
		assert_int_equal(socket_error(socket), ECONNREFUSED);
		assert_int_equal(socket_error(socket), 0);
		haven_close(socket);
	}
	assert_int_equal(drops_of(&w, RIGHT, "tcp: no socket"), 2);
	assert_int_equal(stats_of(&w, LEFT).connections, 0);
	world_finish(&w);
}

/* A host that does not answer ARP or neighbour solicitations. */
static void test_no_such_host(void **state)
{
	struct world w;
	struct haven_socket *socket;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 2});
	for (int v6 = 0; v6 < 2; v6++) {
		socket = stream_new(&w, LEFT, v6);
		assert_int_equal(connect_to(socket, v6, 99, 80), -EINPROGRESS);
		wait_events(&w, socket, HAVEN_EVENT_ERROR, 260 * SECOND);
		assert_int_not_equal(socket_error(socket), 0);
		haven_close(socket);
	}
	world_finish(&w);
}

static void test_no_route(void **state)
{
	struct world w;
	struct haven_socket *socket;
	struct sockaddr_storage far = address_text("192.0.2.1", 80);

	(void)state;
	world_init(&w, &(struct world_options){.seed = 3});
	socket = stream_new(&w, LEFT, false);
	assert_int_equal(haven_connect(socket, (struct sockaddr *)&far, address_size(false)),
			 -ENETUNREACH);
	haven_close(socket);
	world_finish(&w);
}

/* RFC 9293 section 3.9.2.3, MUST-46: a stream has one other end. */
static void test_to_many(void **state)
{
	static const char *const many[] = {"224.0.0.1", "239.1.2.3", "255.255.255.255"};
	struct world w;
	struct haven_socket *socket;
	struct sockaddr_in6 group = {.sin6_family = AF_INET6, .sin6_port = htons(80)};

	(void)state;
	world_init(&w, &(struct world_options){.seed = 5});
	socket = stream_new(&w, LEFT, false);
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};

		inet_pton(AF_INET, many[i], &address.sin_addr);
		assert_int_equal(haven_connect(socket, (struct sockaddr *)&address,
					       sizeof(address)),
				 -ENETUNREACH);
	}
	haven_close(socket);
	socket = stream_new(&w, LEFT, true);
	inet_pton(AF_INET6, "ff02::1", &group.sin6_addr);
	assert_int_equal(haven_connect(socket, (struct sockaddr *)&group, sizeof(group)),
			 -ENETUNREACH);
	haven_close(socket);
	world_finish(&w);
}

static void test_wrong_calls(void **state)
{
	struct world w;
	struct haven_socket *socket, *other;
	struct sockaddr_storage address = address_of(true, 2, 80);
	char byte;

	(void)state;
	world_init(&w, &(struct world_options){.seed = 4});
	assert_int_equal(haven_socket(w.stack[LEFT], AF_UNIX, SOCK_STREAM, 0, &socket),
			 -EAFNOSUPPORT);
	assert_int_equal(haven_socket(w.stack[LEFT], AF_INET, SOCK_RAW, 0, &socket),
			 -EPROTOTYPE);
	assert_int_equal(haven_socket(w.stack[LEFT], AF_INET, SOCK_STREAM, IPPROTO_UDP,
				      &socket),
			 -EPROTOTYPE);
	assert_int_equal(haven_socket(w.stack[LEFT], AF_INET, SOCK_STREAM, IPPROTO_SCTP,
				      &socket),
			 -EPROTONOSUPPORT);
	socket = stream_new(&w, LEFT, false);
	assert_int_equal(haven_connect(socket, (struct sockaddr *)&address, address_size(true)),
			 -EAFNOSUPPORT);
	assert_int_equal(haven_connect(socket, (struct sockaddr *)&address, 1), -EINVAL);
	assert_int_equal(connect_to(socket, false, 0, 80), -EADDRNOTAVAIL);
	assert_int_equal(connect_to(socket, false, 2, 0), -EADDRNOTAVAIL);
	assert_int_equal(haven_send(socket, "x", 1, 0), -ENOTCONN);
	assert_int_equal(haven_recv(socket, &byte, 1, 0), -ENOTCONN);
	assert_int_equal(haven_shutdown(socket, SHUT_WR), -ENOTCONN);
	assert_int_equal(haven_shutdown(socket, 77), -EINVAL);
	assert_int_equal(haven_accept(socket, NULL, NULL, &other), -EINVAL);
	assert_int_equal(haven_setsockopt(socket, SOL_SOCKET, SO_ERROR, &byte, 1), -EINVAL);
	address = address_of(false, 77, 80);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&address, address_size(false)),
			 -EADDRNOTAVAIL);
	address = address_of(false, 1, 80);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&address, address_size(false)),
			 0);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&address, address_size(false)),
			 -EINVAL);
	other = stream_new(&w, LEFT, false);
	assert_int_equal(haven_bind(other, (struct sockaddr *)&address, address_size(false)),
			 -EADDRINUSE);
	haven_close(other);
	other = datagram_new(&w, LEFT, false);
	assert_int_equal(haven_listen(other, 1), -EOPNOTSUPP);
	assert_int_equal(haven_accept(other, NULL, NULL, &socket), -EOPNOTSUPP);
	assert_int_equal(haven_send(other, "x", 1, 0), -EDESTADDRREQ);
	assert_int_equal(haven_shutdown(other, SHUT_RD), -ENOTCONN);
	haven_close(other);
	haven_close(NULL);
	/* The stack takes its sockets with it. */
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),	    cmocka_unit_test(test_no_such_host),
		cmocka_unit_test(test_no_route),    cmocka_unit_test(test_to_many),
		cmocka_unit_test(test_wrong_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
