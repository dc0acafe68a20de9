/* What is wrong with a server's certificate, and how that is said. */
#include "tls/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A root that nobody trusts, an intermediate of the trusted one, and whatever a test needs. */
struct chain {
	struct pair p;
	struct test_certificate own[3];
	unsigned count;
	char *pem, *key;
	struct haven_tls_identity identity;
};

static const struct test_certificate *make(struct chain *c,
					   const struct test_certificate_options *options)
{
	c->own[c->count] = test_certificate(options);
	return &c->own[c->count++];
}

/* The server has this certificate, with one more behind it or none. */
static void serve(struct chain *c, const struct test_certificate *leaf,
		  const struct test_certificate *behind)
{
	c->pem = test_pem(leaf, behind);
	c->key = test_pem_key(leaf);
	c->identity = (struct haven_tls_identity){
		.chain = c->pem,
		.chain_size = strlen(c->pem),
		.key = c->key,
		.key_size = strlen(c->key),
	};
	c->p.config[SERVER].identities = &c->identity;
}

static void finish(struct chain *c)
{
	pair_finish(&c->p);
	while (c->count)
		test_certificate_free(&c->own[--c->count]);
	free(c->pem);
	free(c->key);
}

/* The client refuses it, for both versions of TLS; the server is told by an alert. */
static void refused(struct chain *c, const char *name, enum haven_tls_error_code code,
		    const char *text, const char *alert)
{
	for (int version = HAVEN_TLS_1_2; version <= HAVEN_TLS_1_3; version++) {
		c->p.config[CLIENT].max_version = (enum haven_tls_version)version;
		pair_open(&c->p, name);
		pair_run(&c->p);
		expect_error(&c->p, CLIENT, code, text);
		expect_error(&c->p, SERVER, HAVEN_TLS_ERROR_ALERT, alert);
		assert_false(info_of(&c->p, CLIENT).connected);
		assert_false(info_of(&c->p, CLIENT).verified);
		assert_int_equal(haven_tls_write(c->p.end[CLIENT], "secret", 6), -EBADMSG);
		pair_close(&c->p);
		haven_tls_context_destroy(c->p.context[CLIENT]);
		c->p.context[CLIENT] = NULL;
	}
}

static void accepted(struct chain *c, const char *name)
{
	pair_connect(&c->p, name);
	assert_true(info_of(&c->p, CLIENT).verified);
	assert_int_equal(info_of(&c->p, CLIENT).finding.code, HAVEN_TLS_ERROR_NONE);
	pair_close(&c->p);
}

/* A certificate by the trusted root, asked for by this name. */
static void begin(struct chain *c, struct test_certificate_options options)
{
	*c = (struct chain){0};
	pair_init(&c->p);
	if (!options.issuer)
		options.issuer = &c->p.root;
	serve(c, make(c, &options), NULL);
}

static void test_chain(void **state)
{
	struct chain c = {0};
	const struct test_certificate *intermediate, *leaf;
	struct haven_tls_certificate_info info;

	(void)state;
	pair_init(&c.p);
	intermediate = make(&c, &(struct test_certificate_options){.name = "Test CA 1",
								   .issuer = &c.p.root,
								   .ca = true});
	leaf = make(&c, &(struct test_certificate_options){
				.name = "a.test",
				.names = "DNS:a.test,DNS:*.b.test,IP:192.0.2.1,IP:2001:db8::1",
				.issuer = intermediate});
	serve(&c, leaf, intermediate);
	pair_connect(&c.p, "a.test");
	assert_int_equal(info_of(&c.p, CLIENT).certificate_count, 2);
	assert_true(haven_tls_certificate(c.p.end[CLIENT], 0, &info));
	assert_string_equal(info.subject, "CN=a.test");
	assert_string_equal(info.issuer, "CN=Test CA 1");
	assert_string_equal(info.names, "a.test, *.b.test, 192.0.2.1, 2001:db8::1");
	assert_int_equal(info.not_before, TEST_2026);
	assert_int_equal(info.not_after, TEST_2027);
	assert_true(haven_tls_certificate(c.p.end[CLIENT], 1, &info));
	assert_string_equal(info.subject, "CN=Test CA 1");
	assert_false(haven_tls_certificate(c.p.end[CLIENT], 2, &info));
	assert_false(haven_tls_certificate(c.p.end[SERVER], 0, &info));
	finish(&c);
}

static void test_missing_intermediate(void **state)
{
	struct chain c = {0};
	const struct test_certificate *intermediate;

	(void)state;
	pair_init(&c.p);
	intermediate = make(&c, &(struct test_certificate_options){.name = "Test CA 1",
								   .issuer = &c.p.root,
								   .ca = true});
	serve(&c,
	      make(&c, &(struct test_certificate_options){.name = "a.test",
							  .names = "DNS:a.test",
							  .issuer = intermediate}),
	      NULL);
	refused(&c, "a.test", HAVEN_TLS_ERROR_UNKNOWN_ISSUER,
		"issuer 'Test CA 1' of 'a.test' is not known; the peer sent one certificate "
		"only",
		"unknown CA");
	finish(&c);
}

static void test_dates(void **state)
{
	struct chain c;

	(void)state;
	begin(&c, (struct test_certificate_options){.name = "a.test",
						    .names = "DNS:a.test",
						    .not_after = TEST_NOW - TEST_DAY});
	refused(&c, "a.test", HAVEN_TLS_ERROR_EXPIRED,
		"certificate of 'a.test' has expired on 2026-02-28 12:00:00 UTC; it was looked "
		"at on 2026-03-01 12:00:00 UTC",
		"certificate expired");
	/* To the second (which OpenSSL counts as too late already). */
	c.p.wall = TEST_NOW - TEST_DAY - 1;
	accepted(&c, "a.test");
	c.p.wall++;
	pair_open(&c.p, "a.test");
	pair_run(&c.p);
	expect_error(&c.p, CLIENT, HAVEN_TLS_ERROR_EXPIRED, "has expired");
	finish(&c);

	begin(&c, (struct test_certificate_options){.name = "a.test",
						    .names = "DNS:a.test",
						    .not_before = TEST_NOW + TEST_DAY});
	refused(&c, "a.test", HAVEN_TLS_ERROR_NOT_YET_VALID,
		"certificate of 'a.test' is not valid before 2026-03-02 12:00:00 UTC",
		"bad certificate");
	finish(&c);
}

static void test_expired_issuer(void **state)
{
	struct chain c = {0};
	const struct test_certificate *intermediate, *leaf;

	(void)state;
	pair_init(&c.p);
	intermediate = make(&c, &(struct test_certificate_options){.name = "Old CA",
								   .issuer = &c.p.root,
								   .ca = true,
								   .not_after = TEST_NOW - 1});
	leaf = make(&c, &(struct test_certificate_options){.name = "a.test",
							   .names = "DNS:a.test",
							   .issuer = intermediate});
	serve(&c, leaf, intermediate);
	refused(&c, "a.test", HAVEN_TLS_ERROR_EXPIRED, "certificate of 'Old CA' has expired",
		"certificate expired");
	finish(&c);
}

static void test_names(void **state)
{
	static const struct {
		const char *names, *asked;
		bool good;
	} cases[] = {
		{"DNS:a.test", "a.test", true},
		{"DNS:a.test", "A.TEST.", true},
		{"DNS:a.test", "b.test", false},
		{"DNS:a.test,DNS:c.test", "c.test", true},
		{"DNS:*.a.test", "b.a.test", true},
		{"DNS:*.a.test", "a.test", false},
		{"DNS:*.a.test", "c.b.a.test", false},
		{"DNS:b*.a.test", "bc.a.test", false}, /* RFC 9525 section 6.3 */
		{"DNS:*b.a.test", "cb.a.test", false},
		{"DNS:b.*.test", "b.a.test", false},
		{"DNS:*.test", "a.test", false}, /* nobody owns a whole top-level domain */
		{"DNS:*", "a.test", false},
		{"IP:192.0.2.1", "192.0.2.1", true},
		{"IP:192.0.2.1", "192.0.2.2", false},
		{"DNS:192.0.2.1", "192.0.2.1", false},
		{"IP:2001:db8::1", "2001:db8::1", true},
		{"IP:2001:db8::1", "2001:db8:0:0::1", true},
		{"IP:2001:db8::1", "2001:db8::2", false},
		{"DNS:under_score.test", "under_score.test", true},
	};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(cases); i++) {
		struct chain c;

		begin(&c,
		      (struct test_certificate_options){.name = "x", .names = cases[i].names});
		pair_open(&c.p, cases[i].asked);
		pair_run(&c.p);
		if (info_of(&c.p, CLIENT).connected != cases[i].good)
			fail_msg("%s for %s: %s", cases[i].names, cases[i].asked,
				 haven_tls_error(c.p.end[CLIENT])->text);
		if (!cases[i].good)
			assert_int_equal(haven_tls_error(c.p.end[CLIENT])->code,
					 HAVEN_TLS_ERROR_WRONG_NAME);
		finish(&c);
	}
}

static void test_wrong_name(void **state)
{
	struct chain c;

	(void)state;
	begin(&c,
	      (struct test_certificate_options){.name = "x",
						.names = "DNS:a.test,DNS:b.test,IP:192.0.2.1"});
	refused(&c, "c.test", HAVEN_TLS_ERROR_WRONG_NAME,
		"certificate is for a.test, b.test, 192.0.2.1; asked for c.test",
		"bad certificate");
	finish(&c);

	begin(&c, (struct test_certificate_options){.name = "a.test"});
	refused(&c, "a.test", HAVEN_TLS_ERROR_WRONG_NAME,
		"certificate of 'a.test' names no host (a common name does not count); asked "
		"for a.test",
		"bad certificate");
	finish(&c);
}

/* A list that does not fit is counted. */
static void test_many_names(void **state)
{
	char names[4000] = "";
	struct chain c;

	(void)state;
	for (int i = 0; i < 100; i++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, "%sDNS:host-%d.example.test",
			 i ? "," : "", i);
	}
	begin(&c, (struct test_certificate_options){.name = "x", .names = names});
	refused(&c, "c.test", HAVEN_TLS_ERROR_WRONG_NAME, " more; asked for c.test",
		"bad certificate");
	finish(&c);
}

static void test_self_signed(void **state)
{
	struct chain c = {0};
	const struct test_certificate *own;
	char *pem;

	(void)state;
	pair_init(&c.p);
	own = make(&c,
		   &(struct test_certificate_options){.name = "a.test", .names = "DNS:a.test"});
	serve(&c, own, NULL);
	refused(&c, "a.test", HAVEN_TLS_ERROR_SELF_SIGNED,
		"certificate of 'a.test' is self-signed, and not among the trusted ones",
		"unknown CA");
	/* It can be trusted itself. */
	pem = test_pem(own, NULL);
	c.p.config[CLIENT].trust = pem;
	c.p.config[CLIENT].trust_size = strlen(pem);
	accepted(&c, "a.test");
	pair_open(&c.p, "b.test");
	pair_run(&c.p);
	expect_error(&c.p, CLIENT, HAVEN_TLS_ERROR_WRONG_NAME, "asked for b.test");
	free(pem);
	finish(&c);
}

static void test_unknown_root(void **state)
{
	struct chain c = {0};
	const struct test_certificate *root, *leaf;

	(void)state;
	pair_init(&c.p);
	root = make(&c, &(struct test_certificate_options){.name = "Foreign Root", .ca = true});
	leaf = make(&c, &(struct test_certificate_options){.name = "a.test",
							   .names = "DNS:a.test",
							   .issuer = root});
	serve(&c, leaf, root);
	refused(&c, "a.test", HAVEN_TLS_ERROR_UNKNOWN_ISSUER,
		"issuer 'Foreign Root' is not known: the peer sent its certificate, but it is "
		"not among the trusted ones",
		"unknown CA");
	finish(&c);
}

/* An issuer that calls itself as the trusted one does, sent along or not: all fits but the signature. */
static void test_impostor_root(void **state)
{
	(void)state;
	for (int sent = 0; sent < 2; sent++) {
		struct chain c = {0};
		const struct test_certificate *root, *leaf;

		pair_init(&c.p);
		root = make(&c, &(struct test_certificate_options){.name = "Test Root",
								   .ca = true});
		leaf = make(&c, &(struct test_certificate_options){.name = "a.test",
								   .names = "DNS:a.test",
								   .issuer = root});
		serve(&c, leaf, sent ? root : NULL);
		refused(&c, "a.test", HAVEN_TLS_ERROR_BAD_CERTIFICATE,
			"certificate of 'a.test' is not signed by the key of 'Test Root': it "
			"was changed",
			"decrypt error");
		finish(&c);
	}
}

/* One that is trusted by name is the end of the chain, root or not. */
static void test_trusted_leaf(void **state)
{
	struct chain c = {0};
	const struct test_certificate *root, *leaf;
	char *pem;

	(void)state;
	pair_init(&c.p);
	root = make(&c, &(struct test_certificate_options){.name = "Foreign Root", .ca = true});
	leaf = make(&c, &(struct test_certificate_options){.name = "a.test",
							   .names = "DNS:a.test",
							   .issuer = root});
	serve(&c, leaf, NULL);
	pem = test_pem(leaf, NULL);
	c.p.config[CLIENT].trust = pem;
	c.p.config[CLIENT].trust_size = strlen(pem);
	accepted(&c, "a.test");
	free(pem);
	finish(&c);
}

static void test_purpose(void **state)
{
	struct chain c;
	const struct test_certificate *no_ca;

	(void)state;
	begin(&c, (struct test_certificate_options){.name = "a.test",
						    .names = "DNS:a.test",
						    .purpose = "clientAuth"});
	refused(&c, "a.test", HAVEN_TLS_ERROR_PURPOSE,
		"certificate of 'a.test' is not one for TLS servers",
		"unsupported certificate");
	finish(&c);

	/* An issuer that is none (CVE-2002-0862, and many after it). */
	c = (struct chain){0};
	pair_init(&c.p);
	no_ca = make(&c, &(struct test_certificate_options){.name = "evil.test",
							    .issuer = &c.p.root});
	serve(&c,
	      make(&c, &(struct test_certificate_options){.name = "a.test",
							  .names = "DNS:a.test",
							  .issuer = no_ca}),
	      no_ca);
	refused(&c, "a.test", HAVEN_TLS_ERROR_PURPOSE,
		"certificate of 'evil.test' is not one for issuing certificates", "unknown CA");
	finish(&c);
}

static void test_name_constraints(void **state)
{
	struct chain c = {0};
	const struct test_certificate *narrow, *leaf;

	(void)state;
	pair_init(&c.p);
	narrow = make(&c, &(struct test_certificate_options){
				  .name = "Narrow CA",
				  .issuer = &c.p.root,
				  .ca = true,
				  .constraints = "critical,permitted;DNS:b.test"});
	leaf = make(&c, &(struct test_certificate_options){.name = "a.test",
							   .names = "DNS:a.test",
							   .issuer = narrow});
	serve(&c, leaf, narrow);
	refused(&c, "a.test", HAVEN_TLS_ERROR_NAME_CONSTRAINTS,
		"an issuer of 'a.test' is not allowed to certify it", "certificate unknown");
	finish(&c);
}

/* RSA keys of 1024 bits are for the museum. Our own server does not take one: it must be another's. */
static void test_weak_key(void **state)
{
	struct chain c;
	struct haven_tls_context *context;
	struct raw raw;

	(void)state;
	begin(&c, (struct test_certificate_options){.name = "a.test",
						    .names = "DNS:a.test",
						    .rsa_bits = 1024});
	assert_int_equal(haven_tls_context_create(&c.p.config[SERVER], &context, &c.p.error),
			 -EINVAL);
	assert_string_equal(
		c.p.error.text,
		"identity 1: certificate 'a.test' cannot be used: ee key too small");
	raw_init(&raw, &c.p, CLIENT);
	SSL_CTX_set_security_level(raw.context, 0);
	assert_int_equal(SSL_CTX_use_cert_and_key(raw.context, c.own[0].certificate,
						  c.own[0].key, NULL, 1),
			 1);
	raw_open(&raw, SERVER);
	pair_open_one(&c.p, CLIENT, "a.test");
	raw_run(&raw, &c.p, CLIENT);
	expect_error(&c.p, CLIENT, HAVEN_TLS_ERROR_WEAK,
		     "certificate of 'a.test' is no good: EE certificate key too weak");
	raw_finish(&raw);
	finish(&c);
}

static void test_insecure(void **state)
{
	struct chain c;

	(void)state;
	begin(&c, (struct test_certificate_options){.name = "a.test",
						    .names = "DNS:a.test",
						    .not_after = TEST_NOW - TEST_DAY});
	c.p.config[CLIENT].verify = HAVEN_TLS_VERIFY_NOTHING_INSECURE;
	pair_connect(&c.p, "b.test");
	assert_false(info_of(&c.p, CLIENT).verified);
	assert_int_equal(info_of(&c.p, CLIENT).finding.code, HAVEN_TLS_ERROR_WRONG_NAME);
	expect_message(&c.p, CLIENT, "whoever you are");
	pair_close(&c.p);
	/* Without a name, too. */
	pair_connect(&c.p, NULL);
	assert_int_equal(info_of(&c.p, CLIENT).finding.code, HAVEN_TLS_ERROR_EXPIRED);
	assert_string_equal(info_of(&c.p, SERVER).server_name, "");
	finish(&c);
}

static void test_names_that_are_none(void **state)
{
	static const char *const bad[] = {
		"",	  ".",	      ".a.test",       "a..test",	 "*.a.test",
		"a test", "a.test\n", "\xc3\xa4.test", "https://a.test", "a.test:443"};
	struct haven_tls *tls;
	char label[80], name[300];
	struct pair p;

	(void)state;
	pair_init(&p);
	pair_contexts(&p);
	for (size_t i = 0; i < TEST_COUNT(bad); i++)
		assert_int_equal(haven_tls_create(p.context[CLIENT], bad[i], 0, &tls, &p.error),
				 -EINVAL);
	memset(label, 'a', 64);
	memcpy(label + 64, ".test", sizeof(".test"));
	assert_int_equal(haven_tls_create(p.context[CLIENT], label, 0, &tls, &p.error),
			 -EINVAL);
	memset(name, 0, sizeof(name));
	for (int i = 0; i < 260; i++)
		name[i] = i % 10 == 9 ? '.' : 'a';
	assert_int_equal(haven_tls_create(p.context[CLIENT], name, 0, &tls, &p.error), -EINVAL);
	assert_int_equal(haven_tls_create(p.context[CLIENT], NULL, 0, &tls, &p.error), -EINVAL);
	assert_string_equal(p.error.text, "a client that verifies must say for which name");
	assert_int_equal(p.error.code, HAVEN_TLS_ERROR_CONFIGURATION);
	/* An error need not be asked for. */
	assert_int_equal(haven_tls_create(p.context[CLIENT], NULL, 0, &tls, NULL), -EINVAL);
	pair_finish(&p);
}

/* What a certificate says goes into logs: nothing that steers a terminal. */
static void test_hostile_names(void **state)
{
	struct chain c;

	(void)state;
	begin(&c, (struct test_certificate_options){.name = "a\x1b[2J\r\nb\xe2\x80\xae",
						    .names = "DNS:a.test",
						    .not_after = TEST_NOW - TEST_DAY});
	refused(&c, "a.test", HAVEN_TLS_ERROR_EXPIRED, "certificate of 'a?[2J?\?b?\?\?' has",
		"certificate expired");
	finish(&c);
}

/* The system's store is what is trusted when nothing else is said: ours is not in it. */
static void test_system_trust(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.config[CLIENT].trust = NULL;
	pair_open(&p, "a.test");
	pair_run(&p);
	expect_error(&p, CLIENT, HAVEN_TLS_ERROR_UNKNOWN_ISSUER,
		     "issuer 'Test Root' of 'a.test' is not known");
	pair_finish(&p);
	/* Both. */
	pair_init(&p);
	p.config[CLIENT].system_trust = true;
	pair_connect(&p, "a.test");
	pair_finish(&p);
}

/* Without a clock of the caller's it is the system's. */
static void test_system_clock(void **state)
{
	struct chain c;

	(void)state;
	begin(&c, (struct test_certificate_options){.name = "a.test",
						    .names = "DNS:a.test",
						    .not_before = 1,
						    .not_after = 2});
	c.p.config[CLIENT].wall_clock = NULL;
	pair_open(&c.p, "a.test");
	pair_run(&c.p);
	expect_error(&c.p, CLIENT, HAVEN_TLS_ERROR_EXPIRED, "on 1970-01-01 00:00:02 UTC");
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_missing_intermediate),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_expired_issuer),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_wrong_name),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_self_signed),
		cmocka_unit_test(test_unknown_root),
		cmocka_unit_test(test_impostor_root),
		cmocka_unit_test(test_trusted_leaf),
		cmocka_unit_test(test_purpose),
		cmocka_unit_test(test_name_constraints),
		cmocka_unit_test(test_weak_key),
		cmocka_unit_test(test_insecure),
		cmocka_unit_test(test_names_that_are_none),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_system_trust),
		cmocka_unit_test(test_system_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
