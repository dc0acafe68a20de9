/* SO_REUSEPORT: several sockets on one port share its flows evenly, and each flow stays where it is. */
#include "support.h"

enum { TEAM = 4, FLOWS = 2000 };

static struct haven_socket *member(struct world *w, bool stream, const char *local,
				   uint16_t port)
{
	struct sockaddr_storage address = address_text(local, port);
	struct haven_socket *socket =
		stream ? stream_new(w, RIGHT, false) : datagram_new(w, RIGHT, false);
	int on = 1;

	assert_int_equal(haven_setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)),
			 0);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&address, address_size(false)),
			 0);
	if (stream)
		assert_int_equal(haven_listen(socket, FLOWS), 0);
	return socket;
}

/* 2,000 balls into 4 bins: each within six standard deviations of 500. */
static void assert_even(const int *counts, int bins)
{
	int expected = FLOWS / bins;

	for (int i = 0; i < bins; i++)
		assert_in_range(counts[i], expected - 120, expected + 120);
}

static void test_listeners(void **state)
{
	struct world w;
	struct haven_socket *team[TEAM], *server, *stranger;
	struct sockaddr_storage any = address_of(false, 0, 80);
	int counts[TEAM] = {0};

	(void)state;
	world_init(&w, &(struct world_options){.seed = 1});
	for (int i = 0; i < TEAM; i++)
		team[i] = member(&w, true, "0.0.0.0", 80);
	stranger = stream_new(&w, RIGHT, false);
	assert_int_equal(haven_bind(stranger, (struct sockaddr *)&any, address_size(false)),
			 -EADDRINUSE);
	for (int i = 0; i < FLOWS; i++) {
		assert_int_equal(connect_to(stream_new(&w, LEFT, false), false, 2, 80),
				 -EINPROGRESS);
		world_settle(&w);
	}
	for (int i = 0; i < TEAM; i++) {
		while (haven_accept(team[i], NULL, NULL, &server) == 0)
			counts[i]++;
	}
	assert_int_equal(counts[0] + counts[1] + counts[2] + counts[3], FLOWS);
	assert_even(counts, TEAM);
	/* Whoever leaves, the others take its flows. */
	haven_close(team[0]);
	for (int i = 0; i < 100; i++) {
		struct haven_socket *client = stream_new(&w, LEFT, false);

		assert_int_equal(connect_to(client, false, 2, 80), -EINPROGRESS);
		wait_events(&w, client, HAVEN_EVENT_CONNECTED, SECOND);
	}
	world_finish(&w);
}

static int drain(struct haven_socket *socket)
{
	int count = 0;
	char byte;

	while (haven_recv(socket, &byte, 1, 0) >= 0)
		count++;
	return count;
}

static void test_datagrams(void **state)
{
	struct world w;
	struct haven_socket *team[TEAM], *from;
	struct sockaddr_storage to = address_of(false, 2, 53);
	int counts[TEAM] = {0};

	(void)state;
	world_init(&w, &(struct world_options){.seed = 2});
	for (int i = 0; i < TEAM; i++)
		team[i] = member(&w, false, "0.0.0.0", 53);
	for (int i = 0; i < FLOWS; i++) {
		int before[TEAM], got = -1;

		from = datagram_new(&w, LEFT, false);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(haven_sendto(from, "x", 1, 0, (struct sockaddr *)&to,
						      address_size(false)),
					 1);
			world_settle(&w);
			for (int k = 0; k < TEAM; k++) {
				before[k] = drain(team[k]);
				if (!before[k])
					continue;
				/* The second goes where the first went. */
				assert_int_equal(before[k], 1);
				assert_true(got < 0 || got == k);
				got = k;
			}
		}
		assert_true(got >= 0);
		counts[got]++;
		haven_close(from);
	}
	assert_even(counts, TEAM);
	world_finish(&w);
}

/*
 * Who gets a datagram: the socket that is connected to its sender, then one bound to its address, then one
 * bound to any; a connected one gets nobody else's.
 */
static void test_datagram_order(void **state)
{
	struct world w;
	struct haven_socket *any, *one, *connected, *a, *b;
	struct sockaddr_storage to = address_of(false, 2, 53), own = address_of(false, 1, 7777);

	(void)state;
	world_init(&w, &(struct world_options){.seed = 3});
	any = member(&w, false, "0.0.0.0", 53);
	one = member(&w, false, "10.0.0.2", 53);
	connected = member(&w, false, "0.0.0.0", 53);
	assert_int_equal(connect_to(connected, false, 1, 7777), 0);
	a = datagram_new(&w, LEFT, false);
	assert_int_equal(haven_bind(a, (struct sockaddr *)&own, address_size(false)), 0);
	b = datagram_new(&w, LEFT, false);
	for (int i = 0; i < 10; i++) {
		haven_sendto(a, "a", 1, 0, (struct sockaddr *)&to, address_size(false));
		haven_sendto(b, "b", 1, 0, (struct sockaddr *)&to, address_size(false));
	}
	world_settle(&w);
	assert_int_equal(drain(connected), 10);
	assert_int_equal(drain(one), 10);
	assert_int_equal(drain(any), 0);
	haven_close(one);
	haven_sendto(b, "b", 1, 0, (struct sockaddr *)&to, address_size(false));
	world_settle(&w);
	assert_int_equal(drain(any), 1);
	/* Disconnected, it is one of several again; closed, the rest goes to the other. */
	haven_close(connected);
	haven_sendto(a, "a", 1, 0, (struct sockaddr *)&to, address_size(false));
	world_settle(&w);
	assert_int_equal(drain(any), 1);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_datagram_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
