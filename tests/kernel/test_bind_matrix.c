/* haven's side of the bind matrix: every case as the kernel decides it (see bind_cases.h). */
#include "bind_cases.h"

#include <stdlib.h>
#include <unistd.h>

#include "../scenario/support.h"

static intptr_t host_open(void *ctx, bool peer, bool v6, bool stream)
{
	struct world *w = ctx;

	return (intptr_t)(stream ? stream_new(w, peer ? RIGHT : LEFT, v6)
				 : datagram_new(w, peer ? RIGHT : LEFT, v6));
}

static int host_option(void *ctx, intptr_t socket, int level, int option, int value)
{
	(void)ctx;
	return haven_setsockopt((struct haven_socket *)socket, level, option, &value,
				sizeof(value));
}

static int host_bind(void *ctx, intptr_t socket, const struct sockaddr *address,
		     socklen_t length)
{
	(void)ctx;
	return haven_bind((struct haven_socket *)socket, address, length);
}

static int host_listen(void *ctx, intptr_t socket)
{
	(void)ctx;
	return haven_listen((struct haven_socket *)socket, 8);
}

static int host_connect(void *ctx, intptr_t socket, const struct sockaddr *address,
			socklen_t length)
{
	int error = haven_connect((struct haven_socket *)socket, address, length);

	if (error == -EINPROGRESS) {
		world_settle(ctx);
		error = -socket_error((struct haven_socket *)socket);
	}
	return error;
}

static intptr_t host_accept(void *ctx, intptr_t socket)
{
	struct haven_socket *accepted;

	world_settle(ctx);
	haven_accept((struct haven_socket *)socket, NULL, NULL, &accepted);
	return (intptr_t)accepted;
}

static uint16_t host_port(void *ctx, intptr_t socket)
{
	(void)ctx;
	return local_port((struct haven_socket *)socket);
}

static void host_drain(void *ctx, intptr_t socket)
{
	char byte;

	world_settle(ctx);
	while (haven_recv((struct haven_socket *)socket, &byte, 1, 0) > 0)
		;
}

static void host_close(void *ctx, intptr_t socket)
{
	haven_close((struct haven_socket *)socket);
	world_settle(ctx);
}

static void world_with_two_addresses(struct world *w)
{
	world_init(w, &(struct world_options){.seed = 1});
	for (int v6 = 0; v6 < 2; v6++) {
		struct sockaddr_storage second = address_text(v6 ? "fd00::11" : "10.0.0.11", 0);

		assert_int_equal(haven_address_add(w->stack[LEFT], w->ifindex[LEFT],
						   (struct sockaddr *)&second, v6 ? 64 : 24),
				 0);
	}
}

static void test_as_the_kernel(void **state)
{
	char path[] = "/tmp/bind-matrix-XXXXXX";
	FILE *out = fdopen(mkstemp(path), "w");
	struct world w;
	struct bind_host host = {
		.ctx = &w,
		.open = host_open,
		.option = host_option,
		.bind = host_bind,
		.listen = host_listen,
		.connect = host_connect,
		.accept = host_accept,
		.port = host_port,
		.drain = host_drain,
		.close = host_close,
	};
	unsigned cases;
	int differ;

	(void)state;
	assert_non_null(out);
	world_with_two_addresses(&w);
	cases = bind_cases_run(&host, out);
	fclose(out);
	differ = bind_cases_compare(BIND_MATRIX, path);
	if (differ)
		fail_msg("%d lines differ; haven's are in %s", differ, path);
	unlink(path);
	print_message("%u cases\n", cases);
	assert_true(cases > 10000);
	world_pass(&w, 120 * SECOND);
	assert_int_equal(stats_of(&w, LEFT).sockets, 0);
	world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
