/* A conversation over TCP: connect, say something, hear it back, close; over IPv4 and IPv6. */
#include <string.h>

#include "support.h"

static void echo(bool v6)
{
	struct world w;
	struct haven_socket *client, *server;
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	char buffer[64];

	world_init(&w, &(struct world_options){.seed = 1});
	connect_pair(&w, v6, 7, &client, &server);
	assert_int_equal(haven_getpeername(server, (struct sockaddr *)&peer, &length), 0);
	assert_int_equal(length, address_size(v6));
	assert_int_equal(ntohs(((struct sockaddr_in *)&peer)->sin_port), local_port(client));

	assert_int_equal(haven_recv(server, buffer, sizeof(buffer), 0), -EAGAIN);
	assert_int_equal(haven_send(client, "hello", 5, 0), 5);
	wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_recv(server, buffer, sizeof(buffer), MSG_PEEK), 5);
	assert_int_equal(haven_recv(server, buffer, sizeof(buffer), 0), 5);
	assert_memory_equal(buffer, "hello", 5);
	assert_int_equal(haven_send(server, buffer, 5, 0), 5);
	wait_events(&w, client, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_recv(client, buffer, sizeof(buffer), 0), 5);

	haven_close(client);
	wait_events(&w, server, HAVEN_EVENT_PEER_CLOSED, SECOND);
	assert_int_equal(haven_recv(server, buffer, sizeof(buffer), 0), 0);
	haven_close(server);
	world_pass(&w, SECOND);
	/* The side that closed first waits 2 MSL (RFC 9293 section 3.4.2). */
	assert_int_equal(stats_of(&w, LEFT).time_wait, 1);
	assert_int_equal(stats_of(&w, RIGHT).time_wait, 0);
	assert_int_equal(stats_of(&w, RIGHT).connections, 0);
	world_pass(&w, 61 * SECOND);
	assert_int_equal(stats_of(&w, LEFT).time_wait, 0);
	assert_int_equal(stats_of(&w, LEFT).sockets, 0);
	assert_int_equal(stats_of(&w, LEFT).tcp_retransmits, 0);
	world_finish(&w);
}

static void test_v4(void **state)
{
	(void)state;
	echo(false);
}

static void test_v6(void **state)
{
	(void)state;
	echo(true);
}

/* A relay that has read what it asked for expects more. When there is none, what it has goes at once. */
static void test_more_that_does_not_follow(void **state)
{
	struct world w;
	struct haven_socket *client, *server;
	struct iovec slices[2];
	char buffer[8];

	(void)state;
	world_init(&w, &(struct world_options){.seed = 5});
	connect_pair(&w, false, 7, &client, &server);
	assert_int_equal(haven_send_reserve(client, 5, slices), 5);
	memcpy(slices[0].iov_base, "hello", 5);
	haven_send_commit(client, 5, true);
	world_pass(&w, SECOND / 20);
	assert_int_equal(haven_recv(server, buffer, sizeof(buffer), 0), -EAGAIN);
	assert_true(haven_send_reserve(client, 5, slices) > 0);
	haven_send_commit(client, 0, false);
	world_pass(&w, SECOND / 20);
	assert_int_equal(haven_recv(server, buffer, sizeof(buffer), 0), 5);
	haven_close(client);
	haven_close(server);
	world_finish(&w);
}

/* writev and readv over any borders of buffers. */
static void test_vectors(void **state)
{
	struct world w;
	struct haven_socket *client, *server;
	char a[3], b[1], c[10];
	char text[] = "hello, world";
	struct iovec out[] = {{text, 2}, {NULL, 0}, {text + 2, 8}, {text + 10, 2}};
	struct iovec in[] = {{a, sizeof(a)}, {NULL, 0}, {b, sizeof(b)}, {c, sizeof(c)}};

	(void)state;
	world_init(&w, &(struct world_options){.seed = 2});
	connect_pair(&w, false, 7, &client, &server);
	assert_int_equal(haven_writev(client, out, 4), 12);
	wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
	assert_int_equal(haven_readv(server, in, 4), 12);
	assert_memory_equal(a, "hel", 3);
	assert_memory_equal(b, "l", 1);
	assert_memory_equal(c, "o, world", 8);
	haven_close(client);
	haven_close(server);
	world_finish(&w);
}

/* Closing with unread data resets (RFC 2525 section 2.17); so does haven_abort(), and linger 0. */
static void reset_by(void (*end)(struct haven_socket *socket), bool unread, bool linger)
{
	struct world w;
	struct haven_socket *client, *server;
	char byte;

	world_init(&w, &(struct world_options){.seed = 3});
	connect_pair(&w, false, 7, &client, &server);
	if (unread) {
		haven_send(client, "unread", 6, 0);
		wait_events(&w, server, HAVEN_EVENT_READABLE, SECOND);
	}
	if (linger) {
		struct linger zero = {1, 0};

		assert_int_equal(haven_setsockopt(server, SOL_SOCKET, SO_LINGER, &zero,
						  sizeof(zero)),
				 0);
	}
	end(server);
	wait_events(&w, client, HAVEN_EVENT_ERROR, SECOND);
	assert_int_equal(haven_recv(client, &byte, 1, 0), -ECONNRESET);
	assert_int_equal(haven_recv(client, &byte, 1, 0), 0);
	assert_int_equal(haven_send(client, "x", 1, 0), -EPIPE);
	haven_close(client);
	assert_int_equal(stats_of(&w, LEFT).connections, 0);
	assert_int_equal(stats_of(&w, RIGHT).connections, 0);
	world_finish(&w);
}

static void test_resets(void **state)
{
	(void)state;
	reset_by(haven_abort, false, false);
	reset_by(haven_close, true, false);
	reset_by(haven_close, false, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v4),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_more_that_does_not_follow),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
