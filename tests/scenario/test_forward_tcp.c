/*
 * The forwarder: connections to any address are held until the program knows the answer, and the
 * client learns exactly that: accepted, refused, unreachable, or silence.
 */
#include <string.h>

#include "support.h"

struct gateway {
	struct world *w;
	struct haven_request *request;
	struct haven_endpoint source, destination;
	int requests, cancelled;
};

static void on_tcp(void *user, struct haven_request *request,
		   const struct haven_endpoint *source,
		   const struct haven_endpoint *destination)
{
	struct gateway *g = user;

	g->request = request;
	g->source = *source;
	g->destination = *destination;
	g->requests++;
	haven_request_set_user(request, g);
}

static void on_cancelled(void *user, struct haven_request *request)
{
	struct gateway *g = user;

	assert_ptr_equal(haven_request_user(request), g);
	g->cancelled++;
	g->request = NULL;
}

static bool has_request(void *ctx)
{
	return ((struct gateway *)ctx)->request;
}

static void gateway_init(struct world *w, struct gateway *g, uint64_t seed)
{
	struct haven_forwarder forwarder = {.user = g,
					    .tcp = on_tcp,
					    .tcp_cancelled = on_cancelled};

	memset(g, 0, sizeof(*g));
	g->w = w;
	world_init(w, &(struct world_options){.seed = seed,
					      .any_address = true,
					      .forwarder = &forwarder});
}

/* Left connects to an address that nobody has; returns with the request waiting. */
static struct haven_socket *knock(struct gateway *g, const char *address, uint16_t port)
{
	bool v6 = strchr(address, ':');
	struct haven_socket *socket = stream_new(g->w, LEFT, v6);
	struct sockaddr_storage to = address_text(address, port);

	assert_int_equal(haven_connect(socket, (struct sockaddr *)&to, address_size(v6)),
			 -EINPROGRESS);
	world_run(g->w, has_request, g, SECOND);
	return socket;
}

static void accepted(const char *address)
{
	struct world w;
	struct gateway g;
	struct haven_socket *client, *server;
	struct haven_endpoint expected = endpoint_text(address, 443);
	struct sockaddr_storage name;
	socklen_t length = sizeof(name);
	char buffer[16];

	gateway_init(&w, &g, 1);
	client = knock(&g, address, 443);
	assert_memory_equal(g.destination.address, expected.address, 16);
	assert_int_equal(g.destination.port, 443);
	assert_int_equal(g.source.port, local_port(client));
	/* Nothing is said before the answer. */
	world_pass(&w, 500 * MILLISECOND);
	assert_false(haven_socket_events(client) & (HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR));
	assert_int_equal(haven_request_accept(g.request, &server), 0);
	assert_int_equal(haven_send(server, "early", 5, 0), 5);
	wait_events(&w, server, HAVEN_EVENT_CONNECTED, 5 * SECOND);
	wait_events(&w, client, HAVEN_EVENT_READABLE, 5 * SECOND);
	assert_int_equal(haven_recv(client, buffer, sizeof(buffer), 0), 5);
	assert_int_equal(haven_getsockname(server, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(ntohs(((struct sockaddr_in *)&name)->sin_port), 443);
	assert_int_equal(g.requests, 1);
	haven_close(client);
	haven_close(server);
	world_pass(&w, 120 * SECOND);
	assert_int_equal(stats_of(&w, RIGHT).connections, 0);
	world_finish(&w);
}

static void test_accept(void **state)
{
	(void)state;
	accepted("198.51.100.7");
	accepted("2001:db8::7");
}

static void refused(const char *address, int error, int expected)
{
	struct world w;
	struct gateway g;
	struct haven_socket *client;

	gateway_init(&w, &g, 2);
	client = knock(&g, address, 443);
	haven_request_refuse(g.request, error, NULL);
	g.request = NULL;
	wait_events(&w, client, HAVEN_EVENT_ERROR, 200 * SECOND);
	assert_int_equal(socket_error(client), expected);
	haven_close(client);
	assert_int_equal(stats_of(&w, RIGHT).requests, 0);
	world_finish(&w);
}

static void test_refuse(void **state)
{
	(void)state;
	refused("198.51.100.7", ECONNREFUSED, ECONNREFUSED);
	refused("2001:db8::7", ECONNREFUSED, ECONNREFUSED);
	refused("198.51.100.7", EIO, ECONNREFUSED);
}

/* Told again for each SYN until the client gives up; then that is what it says. */
static void keeps_refusing(const char *address, int error, int expected)
{
	struct world w;
	struct gateway g;
	struct haven_socket *client;

	gateway_init(&w, &g, 3);
	client = knock(&g, address, 443);
	while (!(haven_socket_events(client) & HAVEN_EVENT_ERROR)) {
		assert_true(g.requests < 20);
		if (g.request)
			haven_request_refuse(g.request, error, NULL);
		g.request = NULL;
		world_pass(&w, SECOND);
	}
	assert_int_equal(socket_error(client), expected);
	haven_close(client);
	world_finish(&w);
}

static void test_unreachable(void **state)
{
	(void)state;
	keeps_refusing("198.51.100.7", EHOSTUNREACH, EHOSTUNREACH);
	keeps_refusing("198.51.100.7", ENETUNREACH, ENETUNREACH);
	keeps_refusing("2001:db8::7", EHOSTUNREACH, EHOSTUNREACH);
	keeps_refusing("2001:db8::7", ENETUNREACH, ENETUNREACH);
}

static void test_silence(void **state)
{
	(void)state;
	keeps_refusing("198.51.100.7", ETIMEDOUT, ETIMEDOUT);
	keeps_refusing("2001:db8::7", ETIMEDOUT, ETIMEDOUT);
}

/* The client goes away while the answer is not known. */
static void test_cancelled(void **state)
{
	struct world w;
	struct gateway g;
	struct haven_socket *client;

	(void)state;
	gateway_init(&w, &g, 4);
	client = knock(&g, "198.51.100.7", 443);
	haven_abort(client);
	/* A client in SYN-SENT says nothing when it goes; the request ends by itself. */
	world_pass(&w, 200 * SECOND);
	assert_int_equal(g.cancelled, 1);
	assert_int_equal(stats_of(&w, RIGHT).requests, 0);
	world_finish(&w);
}

/* A listener of the stack's own goes before the forwarder. */
static void test_own_sockets_first(void **state)
{
	struct world w;
	struct gateway g;
	struct haven_socket *client, *server;

	(void)state;
	gateway_init(&w, &g, 5);
	connect_pair(&w, false, 53, &client, &server);
	assert_int_equal(g.requests, 0);
	haven_close(client);
	haven_close(server);
	world_finish(&w);
}

/* More waiting than the limit allows: the rest is counted, and finds its way later. */
static void few_requests(struct haven_stack_config *config, int side)
{
	(void)side;
	config->max_requests = 3;
}

static void test_request_limit(void **state)
{
	struct world w;
	struct gateway g = {0};
	struct haven_forwarder forwarder = {.user = &g,
					    .tcp = on_tcp,
					    .tcp_cancelled = on_cancelled};
	struct sockaddr_storage to = address_text("198.51.100.7", 443);

	(void)state;
	world_init(&w, &(struct world_options){.any_address = true,
					       .forwarder = &forwarder,
					       .configure = few_requests});
	for (int i = 0; i < 10; i++) {
		struct haven_socket *socket = stream_new(&w, LEFT, false);

		assert_int_equal(haven_connect(socket, (struct sockaddr *)&to,
					       address_size(false)),
				 -EINPROGRESS);
	}
	world_pass(&w, 100 * MILLISECOND);
	assert_int_equal(stats_of(&w, RIGHT).requests, 3);
	assert_int_equal(drops_of(&w, RIGHT, "tcp: too many waiting"), 7);
	world_finish(&w);
}

static void one_socket(struct haven_stack_config *config, int side)
{
	if (side == RIGHT)
		config->max_sockets = 1;
}

/* No socket is left for the answer: the client is told at once. */
static void test_accept_limit(void **state)
{
	struct world w;
	struct gateway g = {.w = &w};
	struct haven_forwarder forwarder = {.user = &g,
					    .tcp = on_tcp,
					    .tcp_cancelled = on_cancelled};
	struct haven_socket *client, *server;

	(void)state;
	world_init(&w, &(struct world_options){.any_address = true,
					       .forwarder = &forwarder,
					       .configure = one_socket});
	client = knock(&g, "198.51.100.7", 443);
	assert_int_equal(haven_request_accept(g.request, &server), 0);
	wait_events(&w, client, HAVEN_EVENT_CONNECTED, SECOND);
	g.request = NULL;
	client = knock(&g, "198.51.100.7", 444);
	assert_int_equal(haven_request_accept(g.request, &server), -EMFILE);
	assert_null(server);
	wait_events(&w, client, HAVEN_EVENT_ERROR, SECOND);
	assert_int_equal(socket_error(client), ECONNREFUSED);
	assert_int_equal(stats_of(&w, RIGHT).requests, 0);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),	      cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_unreachable),   cmocka_unit_test(test_silence),
		cmocka_unit_test(test_cancelled),     cmocka_unit_test(test_own_sockets_first),
		cmocka_unit_test(test_request_limit), cmocka_unit_test(test_accept_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
