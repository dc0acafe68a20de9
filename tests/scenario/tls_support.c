/* TLS on the sockets of two stacks: see tls_support.h. */
#include "tls_support.h"

#include <stdlib.h>
#include <string.h>

static int64_t wall_clock(void *user)
{
	(void)user;
	return TEST_NOW;
}

void secure_contexts(struct secure *s)
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

void secure_init(struct secure *s, const struct world_options *options)
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

void secure_finish(struct secure *s)
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

const struct haven_tls_error *error_of(const struct haven_socket *socket)
{
	return haven_tls_error(haven_socket_tls(socket));
}

void drain(struct world *w)
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

void wait_for(struct world *w, struct haven_socket *socket, unsigned events)
{
	struct until until = {w, socket, events};

	world_run(w, has_events, &until, 120 * SECOND);
}

void secure_open(struct secure *s, const char *name)
{
	struct haven_tls_error error;

	if (!s->context[LEFT])
		secure_contexts(s);
	connect_pair(&s->w, false, TLS_PORT, &s->client, &s->server);
	assert_int_equal(haven_tls_attach(s->client, s->context[LEFT], name, &error), 0);
	assert_int_equal(haven_tls_attach(s->server, s->context[RIGHT], NULL, &error), 0);
}

void secure_connect(struct secure *s)
{
	secure_open(s, "a.test");
	wait_for(&s->w, s->client, HAVEN_EVENT_CONNECTED | HAVEN_EVENT_WRITABLE);
	wait_for(&s->w, s->server, HAVEN_EVENT_CONNECTED | HAVEN_EVENT_WRITABLE);
}

void secure_close(struct secure *s)
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

bool both_done(void *ctx)
{
	struct both *both = ctx;
	bool up, down;

	drain(both->w);
	up = transfer_done(&both->up);
	down = transfer_done(&both->down);
	return up && down;
}
