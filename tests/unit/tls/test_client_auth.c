/* Certificates of clients: good, missing, wrong; wanted, required, not asked for. */
#include "tls/pair.h"

#include <stdlib.h>
#include <string.h>

struct clients {
	struct pair p;
	struct test_certificate own;
	char *chain, *key;
	struct haven_tls_identity identity;
};

/* The client has a certificate by these options; issuer NULL: the one that the server trusts. */
static void begin(struct clients *c, enum haven_tls_client_auth auth,
		  struct test_certificate_options options)
{
	*c = (struct clients){0};
	pair_init(&c->p);
	c->p.config[SERVER].client_auth = auth;
	c->p.config[SERVER].trust = c->p.root_pem;
	c->p.config[SERVER].trust_size = strlen(c->p.root_pem);
	if (!options.name)
		return;
	if (!options.issuer)
		options.issuer = &c->p.root;
	c->own = test_certificate(&options);
	c->chain = test_pem(&c->own, NULL);
	c->key = test_pem_key(&c->own);
	c->identity = (struct haven_tls_identity){c->chain, strlen(c->chain),
						  c->key,   strlen(c->key),
						  NULL,	    0};
	c->p.config[CLIENT].identities = &c->identity;
	c->p.config[CLIENT].identity_count = 1;
}

static void finish(struct clients *c)
{
	pair_finish(&c->p);
	test_certificate_free(&c->own);
	free(c->chain);
	free(c->key);
}

static void test_good(void **state)
{
	(void)state;
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		struct haven_tls_certificate_info info;
		struct clients c;

		begin(&c, HAVEN_TLS_CLIENT_AUTH_REQUIRED,
		      (struct test_certificate_options){.name = "alice"});
		c.p.config[SERVER].max_version = (enum haven_tls_version)version;
		pair_connect(&c.p, "a.test");
		assert_true(info_of(&c.p, SERVER).verified);
		assert_int_equal(info_of(&c.p, SERVER).certificate_count, 1);
		assert_true(haven_tls_certificate(c.p.end[SERVER], 0, &info));
		assert_string_equal(info.subject, "CN=alice");
		expect_message(&c.p, CLIENT, "it is me");
		expect_message(&c.p, SERVER, "welcome");
		pair_close(&c.p);
		/* The next time she need not show it. */
		pair_connect(&c.p, "a.test");
		assert_true(info_of(&c.p, SERVER).resumed);
		assert_true(info_of(&c.p, SERVER).verified);
		assert_true(haven_tls_certificate(c.p.end[SERVER], 0, &info));
		assert_string_equal(info.subject, "CN=alice");
		finish(&c);
	}
}

/* The server refuses; the client hears of it at once (TLS 1.2) or when it reads (TLS 1.3). */
static void refused(struct clients *c, enum haven_tls_error_code code, const char *text,
		    const char *alert)
{
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		c->p.config[CLIENT].max_version = (enum haven_tls_version)version;
		pair_open(&c->p, "a.test");
		pair_run(&c->p);
		expect_error(&c->p, SERVER, code, text);
		expect_error(&c->p, CLIENT, HAVEN_TLS_ERROR_ALERT, alert);
		assert_false(info_of(&c->p, SERVER).connected);
		assert_false(info_of(&c->p, SERVER).verified);
		pair_close(&c->p);
		haven_tls_context_destroy(c->p.context[CLIENT]);
		c->p.context[CLIENT] = NULL;
	}
}

static void test_missing(void **state)
{
	struct clients c;

	(void)state;
	begin(&c, HAVEN_TLS_CLIENT_AUTH_REQUIRED, (struct test_certificate_options){0});
	c.p.config[SERVER].max_version = HAVEN_TLS_1_3;
	pair_open(&c.p, "a.test");
	pair_run(&c.p);
	expect_error(&c.p, SERVER, HAVEN_TLS_ERROR_NO_CERTIFICATE,
		     "the client sent no certificate, and must");
	expect_error(&c.p, CLIENT, HAVEN_TLS_ERROR_ALERT, "certificate required");
	finish(&c);

	begin(&c, HAVEN_TLS_CLIENT_AUTH_WANTED, (struct test_certificate_options){0});
	pair_connect(&c.p, "a.test");
	assert_false(info_of(&c.p, SERVER).verified);
	assert_int_equal(info_of(&c.p, SERVER).certificate_count, 0);
	finish(&c);
}

static void test_expired(void **state)
{
	struct clients c;

	(void)state;
	begin(&c, HAVEN_TLS_CLIENT_AUTH_WANTED,
	      (struct test_certificate_options){.name = "alice", .not_after = TEST_NOW - 1});
	refused(&c, HAVEN_TLS_ERROR_EXPIRED,
		"certificate of 'alice' has expired on 2026-03-01 11:59:59 UTC",
		"certificate expired");
	finish(&c);
}

static void test_foreign(void **state)
{
	struct test_certificate foreign = test_certificate(
		&(struct test_certificate_options){.name = "Foreign Root", .ca = true});
	struct clients c;

	(void)state;
	begin(&c, HAVEN_TLS_CLIENT_AUTH_REQUIRED,
	      (struct test_certificate_options){.name = "mallory", .issuer = &foreign});
	refused(&c, HAVEN_TLS_ERROR_UNKNOWN_ISSUER,
		"issuer 'Foreign Root' of 'mallory' is not known", "unknown CA");
	finish(&c);
	test_certificate_free(&foreign);
}

static void test_purpose(void **state)
{
	struct clients c;

	(void)state;
	begin(&c, HAVEN_TLS_CLIENT_AUTH_REQUIRED,
	      (struct test_certificate_options){.name = "web", .purpose = "serverAuth"});
	refused(&c, HAVEN_TLS_ERROR_PURPOSE, "certificate of 'web' is not one for TLS clients",
		"unsupported certificate");
	finish(&c);
}

static void test_not_asked_for(void **state)
{
	struct clients c;

	(void)state;
	begin(&c, HAVEN_TLS_CLIENT_AUTH_NONE,
	      (struct test_certificate_options){.name = "alice"});
	pair_connect(&c.p, "a.test");
	assert_int_equal(info_of(&c.p, SERVER).certificate_count, 0);
	finish(&c);
}

/* Whom a server trusts must be said: the authorities of the whole web would let in everybody. */
static void test_trust_must_be_said(void **state)
{
	struct haven_tls_context *context;
	struct pair p;

	(void)state;
	pair_init(&p);
	p.config[SERVER].client_auth = HAVEN_TLS_CLIENT_AUTH_WANTED;
	assert_int_equal(haven_tls_context_create(&p.config[SERVER], &context, &p.error),
			 -EINVAL);
	assert_string_equal(p.error.text, "a server that asks for client certificates must say "
					  "whom it trusts to issue them");
	pair_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_purpose),
		cmocka_unit_test(test_not_asked_for),
		cmocka_unit_test(test_trust_must_be_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
