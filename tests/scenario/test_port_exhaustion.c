/*
 * Two servers on two ports of one address, and as many clients of one of them as there are ports: each
 * reaches its own, the last port of the range is used, and after it there is none.
 */
#include "support.h"

enum { FIRST = 1024, LAST = 65535, PORTS = LAST - FIRST + 1 };

static void whole_range(struct haven_stack_config *config, int side)
{
	(void)side;
	config->ephemeral_first = FIRST;
	config->ephemeral_last = LAST;
	config->max_sockets = 200000;
}

struct farm {
	struct world w;
	struct haven_socket *clients[PORTS];
	bool taken[65536];
};

/* Connect one client to the right's port and have the server say what it is; the answer must be its own. */
static struct haven_socket *visit(struct world *w, struct haven_socket *listener, uint16_t port)
{
	struct haven_socket *client = stream_new(w, LEFT, false), *server;
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);
	uint16_t said[2];

	assert_int_equal(connect_to(client, false, 2, port), -EINPROGRESS);
	world_settle(w);
	assert_int_equal(haven_accept(listener, (struct sockaddr *)&peer, &length, &server), 0);
	/* The server tells its port, and whom it sees. */
	said[0] = local_port(server);
	said[1] = ntohs(peer.sin_port);
	assert_int_equal(haven_send(server, said, sizeof(said), 0), sizeof(said));
	world_settle(w);
	said[0] = said[1] = 0;
	assert_int_equal(haven_recv(client, said, sizeof(said), 0), sizeof(said));
	assert_int_equal(said[0], port);
	assert_int_equal(said[1], local_port(client));
	return client;
}

static void test_every_port(void **state)
{
	static struct farm f;
	struct haven_socket *web, *other, *client;

	(void)state;
	world_init(&f.w, &(struct world_options){.seed = 1, .configure = whole_range});
	web = listen_on(&f.w, RIGHT, false, 80, 16);
	other = listen_on(&f.w, RIGHT, false, 8080, 16);
	for (int i = 0; i < PORTS; i++) {
		f.clients[i] = visit(&f.w, web, 80);
		assert_in_range(local_port(f.clients[i]), FIRST, LAST);
		assert_false(f.taken[local_port(f.clients[i])]);
		f.taken[local_port(f.clients[i])] = true;
		if (i % 1000 == 0)
			haven_close(visit(&f.w, other, 8080));
	}
	assert_true(f.taken[FIRST] && f.taken[LAST]);
	/* All 64,512 stand; there is no port for one more. */
	assert_true(stats_of(&f.w, LEFT).connections >= PORTS);
	client = stream_new(&f.w, LEFT, false);
	assert_int_equal(connect_to(client, false, 2, 80), -EADDRNOTAVAIL);
	haven_close(client);
	/* But for the other server there is, and for this one when a port is given back. */
	haven_close(visit(&f.w, other, 8080));
	haven_abort(f.clients[PORTS / 2]);
	world_settle(&f.w);
	f.clients[PORTS / 2] = visit(&f.w, web, 80);
	world_finish(&f.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
