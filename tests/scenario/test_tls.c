/* TLS on sockets: two stacks, a wire, and the calls of any other stream. */
#include "tls_support.h"

static void exchange(struct secure *s, uint64_t bytes, bool zero_copy)
{
	struct both both = {
		.w = &s->w,
		.up = {.from = s->client,
		       .to = s->server,
		       .total = bytes,
		       .ended = true,
		       .zero_copy = zero_copy},
		.down = {.from = s->server,
			 .to = s->client,
			 .total = bytes,
			 .ended = true,
			 .zero_copy = zero_copy},
	};

	world_run(&s->w, both_done, &both, 1200 * SECOND);
}

static void megabyte(const char *fault, enum haven_tls_version version, uint64_t seed,
		     bool zero_copy)
{
	struct secure s;

	secure_init(&s, &(struct world_options){.fault = fault, .seed = seed});
	s.config[RIGHT].max_version = version;
	secure_connect(&s);
	exchange(&s, 1 << 20, zero_copy);
	secure_close(&s);
	secure_finish(&s);
}

static void test_clean_wire(void **state)
{
	(void)state;
	megabyte(NULL, HAVEN_TLS_1_2, 1, false);
	megabyte(NULL, HAVEN_TLS_1_3, 1, false);
	megabyte(NULL, HAVEN_TLS_1_3, 1, true);
}

static void test_bad_wire(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++)
		megabyte("loss=2% reorder=5% duplicate=1% corrupt=0.5% delay=10ms jitter=2ms",
			 seed & 1 ? HAVEN_TLS_1_2 : HAVEN_TLS_1_3, seed, seed & 2);
}

/* Over IPv6, TLS begins while TCP still connects, and the answer is sent in pieces. */
static void test_attach_while_connecting(void **state)
{
	struct haven_socket *listener;
	struct secure s;
	char get[] = "GET ", slash[] = "/";
	struct iovec pieces[3] = {{get, 4}, {NULL, 0}, {slash, 1}};
	char got[16];

	(void)state;
	secure_init(&s, &(struct world_options){.fault = "delay=50ms"});
	secure_contexts(&s);
	listener = listen_on(&s.w, RIGHT, true, TLS_PORT, 4);
	s.client = stream_new(&s.w, LEFT, true);
	assert_int_equal(haven_tls_attach(s.client, s.context[LEFT], "a.test", NULL), -EINVAL);
	assert_int_equal(connect_to(s.client, true, 2, TLS_PORT), -EINPROGRESS);
	assert_int_equal(haven_tls_attach(s.client, s.context[LEFT], "a.test", NULL), 0);
	assert_int_equal(haven_tls_attach(s.client, s.context[LEFT], "a.test", NULL),
			 -EALREADY);
	assert_int_equal(haven_send(s.client, "x", 1, 0), -EAGAIN);
	wait_for(&s.w, listener, HAVEN_EVENT_READABLE);
	assert_int_equal(haven_accept(listener, NULL, NULL, &s.server), 0);
	assert_int_equal(haven_tls_attach(s.server, s.context[RIGHT], NULL, NULL), 0);
	wait_for(&s.w, s.client, HAVEN_EVENT_CONNECTED);
	assert_int_equal(haven_writev(s.client, pieces, 3), 5);
	wait_for(&s.w, s.server, HAVEN_EVENT_READABLE);
	assert_int_equal(haven_recv(s.server, got, sizeof(got), MSG_PEEK), 5);
	assert_int_equal(haven_recv(s.server, got, sizeof(got), 0), 5);
	assert_memory_equal(got, "GET /", 5);
	assert_int_equal(haven_recv(s.server, got, sizeof(got), 0), -EAGAIN);
	assert_false(haven_socket_events(s.server) & HAVEN_EVENT_READABLE);
	assert_int_equal(haven_recv(s.server, got, 1, MSG_TRUNC), -EOPNOTSUPP);
	assert_int_equal(haven_send(s.server, got, 1, MSG_OOB), -EOPNOTSUPP);
	haven_close(listener);
	secure_close(&s);
	secure_finish(&s);
}

/* Each thing that happens is told once, and what is only TLS's own is not. */
static void test_readiness(void **state)
{
	struct secure s;
	unsigned events = 0, told = 0;
	char byte;

	(void)state;
	secure_init(&s, &(struct world_options){.fault = "delay=5ms"});
	secure_open(&s, "a.test");
	for (int turn = 0; turn < 20; turn++) {
		struct haven_socket *socket;

		world_pass(&s.w, 5 * MILLISECOND);
		drain(&s.w); /* the right side, too */
		while ((socket = haven_next_ready(s.w.stack[LEFT], &events))) {
			assert_ptr_equal(socket, s.client);
			told++;
		}
	}
	assert_true(haven_socket_events(s.client) & HAVEN_EVENT_CONNECTED);
	/* The drain above took what there was. Now one byte: one event. */
	assert_int_equal(told, 0);
	assert_int_equal(haven_send(s.server, "x", 1, 0), 1);
	world_pass(&s.w, 50 * MILLISECOND);
	assert_ptr_equal(haven_next_ready(s.w.stack[LEFT], &events), s.client);
	assert_true(events & HAVEN_EVENT_READABLE);
	assert_null(haven_next_ready(s.w.stack[LEFT], &events));
	assert_int_equal(haven_recv(s.client, &byte, 1, 0), 1);
	assert_null(haven_next_ready(s.w.stack[LEFT], &events));
	assert_int_equal(haven_send(s.server, "y", 1, 0), 1);
	world_pass(&s.w, 50 * MILLISECOND);
	assert_ptr_equal(haven_next_ready(s.w.stack[LEFT], &events), s.client);
	assert_int_equal(haven_recv(s.client, &byte, 1, 0), 1);
	secure_close(&s);
	secure_finish(&s);
}

enum { MANY = 50 };

struct crowd {
	struct secure *s;
	struct haven_socket *listener, *client[MANY], *server[MANY];
	unsigned accepted;
};

static bool all_connected(void *ctx)
{
	struct crowd *c = ctx;
	unsigned connected = 0;

	drain(&c->s->w);
	while (c->accepted < MANY &&
	       haven_accept(c->listener, NULL, NULL, &c->server[c->accepted]) == 0) {
		assert_int_equal(haven_tls_attach(c->server[c->accepted], c->s->context[RIGHT],
						  NULL, NULL),
				 0);
		c->accepted++;
	}
	for (unsigned i = 0; i < MANY; i++) {
		if (haven_socket_events(c->client[i]) & HAVEN_EVENT_CONNECTED)
			connected++;
	}
	return connected == MANY && c->accepted == MANY;
}

/* What TLS holds besides the stack. */
static uint64_t contexts_bytes(const struct secure *s, int side)
{
	return s->w.env[side].live_bytes - stats_of(&s->w, side).memory_bytes;
}

static void test_many(void **state)
{
	struct crowd c = {0};
	struct secure s;
	uint64_t held;

	(void)state;
	secure_init(&s, &(struct world_options){.fault = "delay=1ms loss=1%"});
	secure_contexts(&s);
	c.s = &s;
	c.listener = listen_on(&s.w, RIGHT, false, TLS_PORT, MANY);
	held = contexts_bytes(&s, LEFT);
	for (int i = 0; i < MANY; i++) {
		c.client[i] = stream_new(&s.w, LEFT, false);
		assert_int_equal(connect_to(c.client[i], false, 2, TLS_PORT), -EINPROGRESS);
		assert_int_equal(haven_tls_attach(c.client[i], s.context[LEFT], "a.test", NULL),
				 0);
	}
	world_run(&s.w, all_connected, &c, 120 * SECOND);
	world_pass(&s.w, 10 * SECOND);
	drain(&s.w);
	/* What an idle one costs of ours; OpenSSL's own is in doc/tls.md. */
	assert_in_range((contexts_bytes(&s, LEFT) - held) / MANY, 1000, 2000);
	for (int i = 0; i < MANY; i++) {
		haven_close(c.client[i]);
		haven_close(c.server[i]);
	}
	haven_close(c.listener);
	world_pass(&s.w, 300 * SECOND);
	assert_int_equal(stats_of(&s.w, LEFT).sockets + stats_of(&s.w, RIGHT).sockets, 0);
	secure_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_wire),
		cmocka_unit_test(test_bad_wire),
		cmocka_unit_test(test_attach_while_connecting),
		cmocka_unit_test(test_readiness),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
