/* Resumption: what a client keeps, what a server's ticket keys open, and what is never resumed. */
#include "tls/pair.h"

#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

/* Connect, let tickets come over, close in order. Returns whether it was resumed. */
static bool visit(struct pair *p, const char *name)
{
	bool resumed;

	pair_connect(p, name);
	resumed = info_of(p, CLIENT).resumed;
	assert_int_equal(info_of(p, SERVER).resumed, resumed);
	expect_message(p, CLIENT, "question");
	expect_message(p, SERVER, "answer");
	haven_tls_shutdown(p->end[CLIENT]);
	haven_tls_shutdown(p->end[SERVER]);
	pair_run(p);
	pair_close(p);
	return resumed;
}

static void begin(struct pair *p, enum haven_tls_version version)
{
	pair_init(p);
	p->config[SERVER].max_version = version;
}

static void test_resumes(void **state)
{
	(void)state;
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		struct pair p;

		begin(&p, (enum haven_tls_version)version);
		assert_false(visit(&p, "a.test"));
		assert_true(visit(&p, "a.test"));
		assert_true(visit(&p, "A.TEST."));
		pair_connect(&p, "a.test");
		/* What the first one verified holds. */
		assert_true(info_of(&p, CLIENT).resumed && info_of(&p, CLIENT).verified);
		assert_int_equal(info_of(&p, CLIENT).version, version);
		pair_finish(&p);
	}
}

/* RFC 8446 appendix C.4: one that failed to be used is not used again. */
static void test_once(void **state)
{
	struct pair p;

	(void)state;
	begin(&p, HAVEN_TLS_1_3);
	p.config[CLIENT].session_limit = 1;
	visit(&p, "a.test");
	pair_open(&p, "a.test");
	pair_close(&p);
	assert_false(visit(&p, "a.test"));
	pair_finish(&p);
	/* One of TLS 1.2 can be. */
	begin(&p, HAVEN_TLS_1_2);
	visit(&p, "a.test");
	pair_open(&p, "a.test");
	pair_close(&p);
	assert_true(visit(&p, "a.test"));
	pair_finish(&p);
}

static void serve_any(struct pair *p)
{
	test_certificate_free(&p->leaf);
	free(p->chain);
	free(p->key);
	p->leaf =
		test_certificate(&(struct test_certificate_options){.name = "x",
								    .names = "DNS:*.many.test",
								    .issuer = &p->root});
	p->chain = test_pem(&p->leaf, NULL);
	p->key = test_pem_key(&p->leaf);
	p->identity = (struct haven_tls_identity){p->chain, strlen(p->chain),
						  p->key,   strlen(p->key),
						  NULL,	    0};
}

/* The oldest makes way; a session is for one name. */
static void test_limit(void **state)
{
	struct pair p;

	(void)state;
	begin(&p, HAVEN_TLS_1_2);
	serve_any(&p);
	p.config[CLIENT].session_limit = 2;
	assert_false(visit(&p, "a.many.test"));
	assert_false(visit(&p, "b.many.test"));
	assert_true(visit(&p, "a.many.test"));
	assert_false(visit(&p, "c.many.test"));
	assert_true(visit(&p, "c.many.test"));
	assert_false(visit(&p, "b.many.test"));
	pair_finish(&p);
}

static void test_forget(void **state)
{
	struct pair p;

	(void)state;
	for (int side = 0; side < 2; side++) {
		begin(&p, HAVEN_TLS_1_3);
		visit(&p, "a.test");
		haven_tls_context_forget_sessions(p.context[side]);
		assert_false(visit(&p, "a.test"));
		assert_true(visit(&p, "a.test"));
		pair_finish(&p);
	}
}

static void test_off(void **state)
{
	(void)state;
	for (int round = 0; round < 4; round++) {
		struct pair p;

		begin(&p, round & 2 ? HAVEN_TLS_1_2 : HAVEN_TLS_1_3);
		p.config[round & 1].no_resumption = true;
		assert_false(visit(&p, "a.test"));
		assert_false(visit(&p, "a.test"));
		pair_finish(&p);
	}
}

/* Keys are changed every lifetime of a ticket, and open tickets for one more. */
static void test_keys_turn(void **state)
{
	struct pair p;

	(void)state;
	begin(&p, HAVEN_TLS_1_2);
	p.config[SERVER].ticket_lifetime_s = 100;
	visit(&p, "a.test");
	p.now_ns += 90 * SECOND;
	assert_true(visit(&p, "a.test"));
	p.now_ns += 20 * SECOND;
	/* By the key before; it comes with a ticket of the new one. */
	assert_true(visit(&p, "a.test"));
	p.now_ns += 95 * SECOND;
	assert_true(visit(&p, "a.test"));
	/* Nobody came for two lifetimes: nothing is left that opens it. */
	p.now_ns += 200 * SECOND;
	assert_false(visit(&p, "a.test"));
	pair_finish(&p);
}

/* A certificate that would not be taken now is not taken by way of an old session either. */
static void test_certificate_has_expired(void **state)
{
	struct pair p;

	(void)state;
	begin(&p, HAVEN_TLS_1_3);
	assert_false(visit(&p, "a.test"));
	p.wall = TEST_2027 + 1;
	pair_open(&p, "a.test");
	pair_run(&p);
	expect_error(&p, CLIENT, HAVEN_TLS_ERROR_EXPIRED, "has expired on 2027-01-01");
	pair_finish(&p);
}

/* Who verifies nothing has no name to keep sessions by, unless it says one. */
static void test_no_name(void **state)
{
	struct pair p;

	(void)state;
	begin(&p, HAVEN_TLS_1_3);
	p.config[CLIENT].verify = HAVEN_TLS_VERIFY_NOTHING_INSECURE;
	assert_false(visit(&p, NULL));
	assert_false(visit(&p, NULL));
	assert_false(visit(&p, "b.test"));
	assert_true(visit(&p, "b.test"));
	pair_connect(&p, "b.test");
	assert_true(info_of(&p, CLIENT).resumed);
	assert_false(info_of(&p, CLIENT).verified);
	pair_finish(&p);
}

/* Tickets of the past open nothing at another server's, and that is all right. */
static void test_another_server(void **state)
{
	struct pair p;

	(void)state;
	begin(&p, HAVEN_TLS_1_3);
	visit(&p, "a.test");
	haven_tls_context_destroy(p.context[SERVER]);
	p.context[SERVER] = NULL;
	assert_false(visit(&p, "a.test"));
	assert_true(visit(&p, "a.test"));
	pair_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resumes),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_keys_turn),
		cmocka_unit_test(test_certificate_has_expired),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_another_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
