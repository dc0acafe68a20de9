/* Stapled OCSP responses: good, revoked, stale, foreign, missing. */
#include "tls/pair.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ocsp.h>

struct stapled {
	struct pair p;
	struct test_certificate other; /* by the same root */
	uint8_t *staple;
};

static void begin(struct stapled *s)
{
	*s = (struct stapled){0};
	pair_init(&s->p);
	s->other =
		test_certificate(&(struct test_certificate_options){.name = "other.test",
								    .names = "DNS:other.test",
								    .issuer = &s->p.root});
}

/* The server's certificate is one that demands a staple. */
static void demand(struct stapled *s)
{
	struct pair *p = &s->p;

	test_certificate_free(&p->leaf);
	free(p->chain);
	free(p->key);
	p->leaf = test_certificate(&(struct test_certificate_options){.name = "a.test",
								      .names = "DNS:a.test",
								      .issuer = &p->root,
								      .must_staple = true});
	p->chain = test_pem(&p->leaf, NULL);
	p->key = test_pem_key(&p->leaf);
	p->identity = (struct haven_tls_identity){p->chain, strlen(p->chain),
						  p->key,   strlen(p->key),
						  NULL,	    0};
}

static void staple(struct stapled *s, struct test_staple_options options)
{
	if (!options.about)
		options.about = &s->p.leaf;
	options.issuer = &s->p.root;
	s->staple = test_staple(&options, &s->p.identity.staple_size);
	s->p.identity.staple = s->staple;
}

static void finish(struct stapled *s)
{
	test_certificate_free(&s->other);
	free(s->staple);
	pair_finish(&s->p);
}

/* With both versions of TLS. code NONE: it connects. Ends the test. */
static void expect(struct stapled *s, enum haven_tls_error_code code, const char *text)
{
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		s->p.config[CLIENT].max_version = (enum haven_tls_version)version;
		pair_open(&s->p, "a.test");
		pair_run(&s->p);
		expect_error(&s->p, CLIENT, code, text);
		assert_int_equal(info_of(&s->p, CLIENT).connected,
				 code == HAVEN_TLS_ERROR_NONE);
		if (code)
			assert_int_equal(haven_tls_error(s->p.end[SERVER])->code,
					 HAVEN_TLS_ERROR_ALERT);
		pair_close(&s->p);
		haven_tls_context_destroy(s->p.context[CLIENT]);
		s->p.context[CLIENT] = NULL;
	}
	finish(s);
}

static void test_good(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	s.p.config[CLIENT].require_staple = true;
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_GOOD});
	expect(&s, HAVEN_TLS_ERROR_NONE, "");
}

static void test_revoked(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_REVOKED});
	expect(&s, HAVEN_TLS_ERROR_REVOKED,
	       "certificate of 'a.test' was revoked on 2026-02-28 12:00:00 UTC (reason: "
	       "keyCompromise)");
}

static void test_revoked_long_ago(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_REVOKED,
						.from = TEST_2026,
						.until = TEST_2026 + TEST_DAY});
	expect(&s, HAVEN_TLS_ERROR_REVOKED, "was revoked on 2026-01-01");
}

static void test_unknown(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_UNKNOWN});
	expect(&s, HAVEN_TLS_ERROR_BAD_STAPLE, "the issuer does not know this certificate");
}

static void test_stale(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_GOOD,
						.from = TEST_NOW - 2 * TEST_DAY,
						.until = TEST_NOW - TEST_DAY});
	expect(&s, HAVEN_TLS_ERROR_BAD_STAPLE, "it held until 2026-02-28 12:00:00 UTC");
	begin(&s);
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_GOOD,
						.from = TEST_NOW + TEST_DAY,
						.until = TEST_NOW + 2 * TEST_DAY});
	expect(&s, HAVEN_TLS_ERROR_BAD_STAPLE,
	       "it does not hold before 2026-03-02 12:00:00 UTC");
	/* Clocks are off by minutes. */
	begin(&s);
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_GOOD,
						.from = TEST_NOW - TEST_DAY,
						.until = TEST_NOW - 299});
	expect(&s, HAVEN_TLS_ERROR_NONE, "");
}

static void test_signed_by_another(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	/* Of the same root, but nobody that may sign such things. */
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_GOOD,
						.signer = &s.other});
	expect(&s, HAVEN_TLS_ERROR_BAD_STAPLE,
	       "the OCSP response stapled to the certificate of 'a.test' proves nothing: it is "
	       "not signed by the issuer");
}

/* RFC 6960 section 4.2.2.2: one whom the issuer names for it. */
static void test_delegated(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	test_certificate_free(&s.other);
	s.other =
		test_certificate(&(struct test_certificate_options){.name = "OCSP signer",
								    .issuer = &s.p.root,
								    .purpose = "OCSPSigning"});
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_GOOD,
						.signer = &s.other});
	expect(&s, HAVEN_TLS_ERROR_NONE, "");
}

static void test_about_another(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_GOOD,
						.about = &s.other});
	expect(&s, HAVEN_TLS_ERROR_BAD_STAPLE, "it is about another certificate");
}

static void test_rubbish(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	s.p.identity.staple = "rubbish";
	s.p.identity.staple_size = 7;
	expect(&s, HAVEN_TLS_ERROR_BAD_STAPLE, "it cannot be read");
	/* tryLater (3), without more. */
	begin(&s);
	s.p.identity.staple = "\x30\x03\x0a\x01\x03";
	s.p.identity.staple_size = 5;
	expect(&s, HAVEN_TLS_ERROR_BAD_STAPLE, "trylater");
}

static void test_none(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	expect(&s, HAVEN_TLS_ERROR_NONE, "");
	begin(&s);
	s.p.config[CLIENT].require_staple = true;
	expect(&s, HAVEN_TLS_ERROR_NO_STAPLE,
	       "no OCSP response came with the certificate of 'a.test', and the configuration "
	       "demands one");
}

static void test_demanded(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	demand(&s);
	expect(&s, HAVEN_TLS_ERROR_NO_STAPLE, "and it demands one");
	begin(&s);
	demand(&s);
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_GOOD});
	expect(&s, HAVEN_TLS_ERROR_NONE, "");
}

static void test_nothing_is_verified(void **state)
{
	struct stapled s;

	(void)state;
	begin(&s);
	staple(&s, (struct test_staple_options){.status = V_OCSP_CERTSTATUS_REVOKED});
	s.p.config[CLIENT].verify = HAVEN_TLS_VERIFY_NOTHING_INSECURE;
	expect(&s, HAVEN_TLS_ERROR_NONE, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_revoked_long_ago),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_signed_by_another),
		cmocka_unit_test(test_delegated),
		cmocka_unit_test(test_about_another),
		cmocka_unit_test(test_rubbish),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_demanded),
		cmocka_unit_test(test_nothing_is_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
