/* TLS on sockets: two stacks, a wire, and the calls of any other stream. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include <haven/tls.h>

#include "support/certificates.h"

enum { PORT = 443 };

/* Contexts of both sides, in the environments of their stacks. */
struct secure {
	struct world w;
	struct test_certificate root, leaf;
	char *trust, *chain, *key;
	struct haven_tls_config config[2];
	struct haven_tls_context *context[2];
	struct haven_socket *client, *server;
};

static int64_t wall_clock(void *user)
{
	(void)user;
	return TEST_NOW;
}

static void make_contexts(struct secure *s)
{
	struct haven_tls_identity identity = {s->chain, strlen(s->chain),
					      s->key,	strlen(s->key),
					      NULL,	0};

	s->config[LEFT].trust = s->trust;
	s->config[LEFT].trust_size = strlen(s->trust);
	s->config[RIGHT].identities = &identity;
	s->config[RIGHT].identity_count = 1;
	for (int side = 0; side < 2; side++) {
		struct haven_tls_error error;

		if (haven_tls_context_create(&s->config[side], &s->context[side], &error) < 0)
			fail_msg("%s", error.text);
	}
}

static void secure_init(struct secure *s, const struct world_options *options)
{
	*s = (struct secure){0};
	world_init(&s->w, options);
	s->root = test_certificate(
		&(struct test_certificate_options){.name = "Root", .ca = true});
	s->leaf = test_certificate(&(struct test_certificate_options){.name = "a.test",
								      .names = "DNS:a.test",
								      .issuer = &s->root});
	s->trust = test_pem(&s->root, NULL);
	s->chain = test_pem(&s->leaf, NULL);
	s->key = test_pem_key(&s->leaf);
	for (int side = 0; side < 2; side++) {
		haven_tls_config_init(&s->config[side],
				      side == LEFT ? HAVEN_TLS_CLIENT : HAVEN_TLS_SERVER);
		s->config[side].env = test_env_haven(&s->w.env[side]);
		s->config[side].wall_clock = wall_clock;
	}
}

static void secure_finish(struct secure *s)
{
	haven_tls_context_destroy(s->context[LEFT]);
	haven_tls_context_destroy(s->context[RIGHT]);
	world_finish(&s->w);
	test_certificate_free(&s->root);
	test_certificate_free(&s->leaf);
	free(s->trust);
	free(s->chain);
	free(s->key);
}

static const struct haven_tls_error *error_of(const struct haven_socket *socket)
{
	return haven_tls_error(haven_socket_tls(socket));
}

/* What a program does: take from both queues what is ready. */
static void drain(struct world *w)
{
	for (int side = 0; side < 2; side++) {
		while (haven_next_ready(w->stack[side], NULL))
			;
	}
}

struct until {
	struct world *w;
	struct haven_socket *socket;
	unsigned events;
};

static bool has_events(void *ctx)
{
	const struct until *until = ctx;

	drain(until->w);
	return (haven_socket_events(until->socket) & until->events) == until->events;
}

static void wait_for(struct world *w, struct haven_socket *socket, unsigned events)
{
	struct until until = {w, socket, events};

	world_run(w, has_events, &until, 120 * SECOND);
}

/* Both have TCP; TLS is about to begin. */
static void secure_open(struct secure *s, const char *name)
{
	struct haven_tls_error error;

	if (!s->context[LEFT])
		make_contexts(s);
	connect_pair(&s->w, false, PORT, &s->client, &s->server);
	assert_int_equal(haven_tls_attach(s->client, s->context[LEFT], name, &error), 0);
	assert_int_equal(haven_tls_attach(s->server, s->context[RIGHT], NULL, &error), 0);
}

static void secure_connect(struct secure *s)
{
	secure_open(s, "a.test");
	wait_for(&s->w, s->client, HAVEN_EVENT_CONNECTED | HAVEN_EVENT_WRITABLE);
	wait_for(&s->w, s->server, HAVEN_EVENT_CONNECTED | HAVEN_EVENT_WRITABLE);
}

static void secure_close(struct secure *s)
{
	haven_close(s->client);
	haven_close(s->server);
	world_pass(&s->w, 300 * SECOND);
	drain(&s->w);
	for (int side = 0; side < 2; side++) {
		assert_int_equal(stats_of(&s->w, side).sockets, 0);
		assert_int_equal(stats_of(&s->w, side).connections, 0);
	}
}

struct both {
	struct world *w;
	struct transfer up, down;
};

static bool both_done(void *ctx)
{
	struct both *both = ctx;
	bool up, down;

	drain(both->w);
	up = transfer_done(&both->up);
	down = transfer_done(&both->down);
	return up && down;
}

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

/* --- what works ------------------------------------------------------------------------------------ */

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
	make_contexts(&s);
	listener = listen_on(&s.w, RIGHT, true, PORT, 4);
	s.client = stream_new(&s.w, LEFT, true);
	assert_int_equal(haven_tls_attach(s.client, s.context[LEFT], "a.test", NULL), -EINVAL);
	assert_int_equal(connect_to(s.client, true, 2, PORT), -EINPROGRESS);
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
	make_contexts(&s);
	c.s = &s;
	c.listener = listen_on(&s.w, RIGHT, false, PORT, MANY);
	held = contexts_bytes(&s, LEFT);
	for (int i = 0; i < MANY; i++) {
		c.client[i] = stream_new(&s.w, LEFT, false);
		assert_int_equal(connect_to(c.client[i], false, 2, PORT), -EINPROGRESS);
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

/* --- ends ------------------------------------------------------------------------------------------------ */

/* What was sent before haven_close() arrives whole, though it did not fit into the connection's buffer. */
static void test_close_delivers(void **state)
{
	struct transfer t = {0};
	struct secure s;
	size_t size;
	int small = 4096;
	ssize_t put;

	(void)state;
	secure_init(&s, &(struct world_options){.fault = "delay=20ms rate=1mbit"});
	secure_connect(&s);
	haven_setsockopt(s.client, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	do {
		const uint8_t *data = pattern_at(t.sent, &size);

		put = haven_send(s.client, data, size, 0);
		if (put > 0)
			t.sent += (uint64_t)put;
	} while (put > 0);
	assert_int_equal(put, -EAGAIN);
	assert_true(haven_send_queued(s.client) > 4096);
	haven_close(s.client);
	assert_int_equal(stats_of(&s.w, LEFT).sockets, 1);
	t.to = s.server;
	t.total = t.sent;
	t.ended = true;
	{
		struct both both = {.w = &s.w, .up = t};

		both.down = (struct transfer){.from = s.server, .to = s.server};
		both.down.saw_end = true;
		world_run(&s.w, both_done, &both, 120 * SECOND);
	}
	haven_close(s.server);
	world_pass(&s.w, 300 * SECOND);
	drain(&s.w);
	assert_int_equal(stats_of(&s.w, LEFT).sockets, 0);
	secure_finish(&s);
}

static void test_half_close(void **state)
{
	struct secure s;
	char got[8];

	(void)state;
	secure_init(&s, &(struct world_options){0});
	secure_connect(&s);
	assert_int_equal(haven_send(s.client, "?", 1, 0), 1);
	assert_int_equal(haven_shutdown(s.client, SHUT_WR), 0);
	assert_int_equal(haven_send(s.client, "x", 1, 0), -EPIPE);
	wait_for(&s.w, s.server, HAVEN_EVENT_READABLE);
	assert_int_equal(haven_recv(s.server, got, sizeof(got), 0), 1);
	/* TLS sees the end when all before it is read. */
	assert_true(haven_socket_events(s.server) & HAVEN_EVENT_PEER_CLOSED);
	assert_int_equal(haven_recv(s.server, got, sizeof(got), 0), 0);
	assert_int_equal(haven_send(s.server, "answer", 6, 0), 6);
	wait_for(&s.w, s.client, HAVEN_EVENT_READABLE);
	assert_int_equal(haven_recv(s.client, got, sizeof(got), 0), 6);
	secure_close(&s);
	secure_finish(&s);
}

/* TCP ends, TLS did not: the reader must not take it for the end. */
static void test_truncation(void **state)
{
	struct secure s;
	struct haven_socket *plain;
	char got[8];
	int error;

	(void)state;
	secure_init(&s, &(struct world_options){0});
	make_contexts(&s);
	connect_pair(&s.w, false, PORT, &plain, &s.server);
	assert_int_equal(haven_tls_attach(s.server, s.context[RIGHT], NULL, NULL), 0);
	haven_close(plain);
	wait_for(&s.w, s.server, HAVEN_EVENT_ERROR);
	assert_int_equal(haven_recv(s.server, got, sizeof(got), 0), -ECONNABORTED);
	assert_int_equal(error_of(s.server)->code, HAVEN_TLS_ERROR_HUNG_UP);
	error = socket_error(s.server);
	assert_int_equal(error, ECONNABORTED);
	haven_close(s.server);
	world_pass(&s.w, 300 * SECOND);
	secure_finish(&s);
}

static void test_reset(void **state)
{
	struct secure s;
	char byte;

	(void)state;
	secure_init(&s, &(struct world_options){0});
	secure_connect(&s);
	assert_int_equal(haven_send(s.client, "last", 4, 0), 4);
	world_settle(&s.w);
	haven_abort(s.client);
	wait_for(&s.w, s.server, HAVEN_EVENT_READABLE);
	/* A reset throws away what was not read. */
	while (haven_recv(s.server, &byte, 1, 0) == 1)
		;
	assert_int_equal(haven_recv(s.server, &byte, 1, 0), -ECONNRESET);
	assert_int_equal(haven_send(s.server, &byte, 1, 0), -ECONNRESET);
	assert_int_equal(error_of(s.server)->code, HAVEN_TLS_ERROR_TRANSPORT);
	s.client = NULL;
	secure_close(&s);
	secure_finish(&s);
}

/* --- what must not be ---------------------------------------------------------------------------------------- */

static void test_wrong_name(void **state)
{
	struct secure s;
	char byte;

	(void)state;
	secure_init(&s, &(struct world_options){0});
	secure_open(&s, "b.test");
	wait_for(&s.w, s.client, HAVEN_EVENT_ERROR);
	assert_int_equal(error_of(s.client)->code, HAVEN_TLS_ERROR_WRONG_NAME);
	assert_string_equal(error_of(s.client)->text,
			    "certificate is for a.test; asked for b.test");
	assert_int_equal(haven_send(s.client, "secret", 6, 0), -EBADMSG);
	assert_int_equal(haven_recv(s.client, &byte, 1, 0), -EBADMSG);
	/* The alert tells the server. */
	wait_for(&s.w, s.server, HAVEN_EVENT_ERROR);
	assert_int_equal(error_of(s.server)->code, HAVEN_TLS_ERROR_ALERT);
	secure_close(&s);
	secure_finish(&s);
}

/* A peer that connects and says nothing, or stops in the middle, is dropped. */
static void test_stall(void **state)
{
	struct secure s;
	struct haven_socket *plain;

	(void)state;
	for (int said = 0; said < 2; said++) {
		secure_init(&s, &(struct world_options){0});
		make_contexts(&s);
		connect_pair(&s.w, false, PORT, &plain, &s.server);
		assert_int_equal(haven_tls_attach(s.server, s.context[RIGHT], NULL, NULL), 0);
		if (said)
			assert_int_equal(haven_send(plain, "\x16\x03\x01\x02\x00\x01", 6, 0),
					 6);
		world_pass(&s.w, 9900 * MILLISECOND);
		drain(&s.w);
		assert_false(haven_socket_events(s.server) & HAVEN_EVENT_ERROR);
		world_pass(&s.w, 200 * MILLISECOND);
		drain(&s.w);
		assert_int_equal(error_of(s.server)->code, HAVEN_TLS_ERROR_TIMEOUT);
		assert_int_equal(socket_error(s.server), ETIMEDOUT);
		haven_close(s.server);
		/* Not with a polite goodbye. */
		wait_events(&s.w, plain, HAVEN_EVENT_ERROR, SECOND);
		assert_int_equal(socket_error(plain), ECONNRESET);
		haven_close(plain);
		world_pass(&s.w, 300 * SECOND);
		secure_finish(&s);
	}
}

/* The stack goes with everything on it, in any state. */
static void test_destroy(void **state)
{
	(void)state;
	for (uint64_t at = 0; at < 8; at++) {
		struct secure s;

		secure_init(&s, &(struct world_options){.fault = "delay=10ms"});
		secure_open(&s, "a.test");
		world_pass(&s.w, at * 10 * MILLISECOND);
		drain(&s.w);
		haven_send(s.client, "unsent", 6, 0);
		secure_finish(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_wire),
		cmocka_unit_test(test_bad_wire),
		cmocka_unit_test(test_attach_while_connecting),
		cmocka_unit_test(test_readiness),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_close_delivers),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_wrong_name),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
