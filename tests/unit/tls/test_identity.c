/* A server's certificates: chosen by name and by kind of key, replaced while it runs; and what is none. */
#include "tls/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_MAX = 8 };

struct many {
	struct pair p;
	struct test_certificate own[OWN_MAX];
	char *chain[OWN_MAX], *key[OWN_MAX];
	struct haven_tls_identity identities[OWN_MAX];
	unsigned count;
	unsigned missing; /* names that were asked for */
};

static void add(struct many *m, const char *name, const char *names, unsigned rsa_bits)
{
	unsigned i = m->count++;

	m->own[i] = test_certificate(&(struct test_certificate_options){
		.name = name, .names = names, .issuer = &m->p.root, .rsa_bits = rsa_bits});
	m->chain[i] = test_pem(&m->own[i], NULL);
	m->key[i] = test_pem_key(&m->own[i]);
	m->identities[i] = (struct haven_tls_identity){m->chain[i], strlen(m->chain[i]),
						       m->key[i],   strlen(m->key[i]),
						       NULL,	    0};
	m->p.config[SERVER].identities = m->identities;
	m->p.config[SERVER].identity_count = m->count;
}

static void begin(struct many *m)
{
	*m = (struct many){0};
	pair_init(&m->p);
	m->p.config[CLIENT].verify = HAVEN_TLS_VERIFY_NOTHING_INSECURE;
	m->p.config[CLIENT].no_resumption = true;
}

static void finish(struct many *m)
{
	pair_finish(&m->p);
	for (unsigned i = 0; i < m->count; i++) {
		test_certificate_free(&m->own[i]);
		free(m->chain[i]);
		free(m->key[i]);
	}
}

static void expect_subject(struct many *m, const char *asked, const char *subject)
{
	struct haven_tls_certificate_info info;

	pair_connect(&m->p, asked);
	assert_true(haven_tls_certificate(m->p.end[CLIENT], 0, &info));
	if (strcmp(info.subject, subject) != 0)
		fail_msg("asked for %s: %s rather than %s", asked ? asked : "nothing",
			 info.subject, subject);
	pair_close(&m->p);
}

static void test_by_name(void **state)
{
	struct many m;

	(void)state;
	begin(&m);
	add(&m, "first", "DNS:first.test", 0);
	add(&m, "wild", "DNS:*.b.test,DNS:b.test", 0);
	add(&m, "exact", "DNS:x.test,DNS:www.b.test", 0);
	expect_subject(&m, "first.test", "CN=first");
	expect_subject(&m, "b.test", "CN=wild");
	expect_subject(&m, "mail.b.test", "CN=wild");
	expect_subject(&m, "MAIL.B.TEST", "CN=wild");
	expect_subject(&m, "www.b.test", "CN=exact");
	expect_subject(&m, "deep.mail.b.test", "CN=first");
	expect_subject(&m, "unheard.of", "CN=first");
	expect_subject(&m, NULL, "CN=first");
	expect_subject(&m, "192.0.2.1", "CN=first");
	finish(&m);
}

static void test_unknown_names(void **state)
{
	struct many m;

	(void)state;
	begin(&m);
	add(&m, "first", "DNS:first.test", 0);
	m.p.config[SERVER].refuse_unknown_names = true;
	expect_subject(&m, "first.test", "CN=first");
	/* Who asks for nothing has the first one. */
	expect_subject(&m, NULL, "CN=first");
	pair_open(&m.p, "unheard.of");
	pair_run(&m.p);
	expect_error(
		&m.p, SERVER, HAVEN_TLS_ERROR_UNKNOWN_NAME,
		"the client asks for 'unheard.of', and no certificate here is for that name");
	expect_error(&m.p, CLIENT, HAVEN_TLS_ERROR_ALERT, "unrecognized name");
	finish(&m);
}

/* One name, two kinds of keys: each client has the one that it can verify. */
static void test_by_key(void **state)
{
	static const char *const signatures[] = {"RSA-PSS+SHA256:RSA+SHA256", "ECDSA+SHA256"};
	struct many m;

	(void)state;
	begin(&m);
	add(&m, "other", "DNS:other.test", 0);
	add(&m, "rsa", "DNS:a.test", 2048);
	add(&m, "ec", "DNS:a.test", 0);
	for (int i = 0; i < 2; i++) {
		struct raw raw;
		char subject[64];

		raw_init(&raw, &m.p, CLIENT);
		SSL_CTX_set1_sigalgs_list(raw.context, signatures[i]);
		raw_open(&raw, CLIENT);
		SSL_set_tlsext_host_name(raw.ssl, "a.test");
		pair_open_one(&m.p, SERVER, NULL);
		raw_run(&raw, &m.p, SERVER);
		assert_true(info_of(&m.p, SERVER).connected);
		X509_NAME_oneline(X509_get_subject_name(SSL_get0_peer_certificate(raw.ssl)),
				  subject, sizeof(subject));
		assert_string_equal(subject, i ? "/CN=ec" : "/CN=rsa");
		raw_finish(&raw);
		pair_close(&m.p);
	}
	finish(&m);
}

static void test_replace(void **state)
{
	struct many m;
	struct haven_tls *old[2];

	(void)state;
	begin(&m);
	add(&m, "old", "DNS:a.test", 0);
	pair_connect(&m.p, "a.test");
	memcpy(old, m.p.end, sizeof(old));
	add(&m, "new", "DNS:a.test", 0);
	assert_int_equal(haven_tls_context_replace(m.p.context[SERVER], &m.identities[1], 1,
						   &m.p.error),
			 0);
	expect_subject(&m, "a.test", "CN=new");
	/* The old connection goes on. */
	memcpy(m.p.end, old, sizeof(old));
	expect_message(&m.p, CLIENT, "still there?");
	expect_message(&m.p, SERVER, "yes");
	pair_close(&m.p);
	/* What cannot be read changes nothing. */
	m.identities[0].chain = "rubbish";
	m.identities[0].chain_size = 7;
	assert_int_equal(haven_tls_context_replace(m.p.context[SERVER], m.identities, 2,
						   &m.p.error),
			 -EINVAL);
	assert_int_equal(haven_tls_context_replace(m.p.context[SERVER], NULL, 0, &m.p.error),
			 -EINVAL);
	expect_subject(&m, "a.test", "CN=new");
	finish(&m);
}

/* In the middle of handshakes, at every step of one. */
static void test_replace_in_handshake(void **state)
{
	struct many m;

	(void)state;
	begin(&m);
	add(&m, "old", "DNS:a.test", 0);
	add(&m, "new", "DNS:a.test", 0);
	m.p.config[SERVER].identity_count = 1;
	m.p.step = 100;
	pair_contexts(&m.p);
	for (int at = 0; at < 40; at++) {
		pair_open(&m.p, "a.test");
		for (int i = 0; i < at; i++)
			(void)(pair_carry(&m.p, CLIENT) || pair_carry(&m.p, SERVER));
		assert_int_equal(haven_tls_context_replace(m.p.context[SERVER],
							   &m.identities[at & 1], 1, NULL),
				 0);
		pair_run(&m.p);
		assert_true(info_of(&m.p, CLIENT).connected);
		expect_message(&m.p, SERVER, "hello");
		pair_close(&m.p);
	}
	finish(&m);
}

/* --- what is none ---------------------------------------------------------------------------------- */

/* Brings the second certificate. */
static void bring(void *user, const char *name)
{
	struct many *m = (void *)((char *)user - offsetof(struct many, p.wall));

	m->missing++;
	if (strcmp(name, "new.test") == 0)
		assert_int_equal(haven_tls_context_replace(m->p.context[SERVER], m->identities,
							   2, NULL),
				 0);
}

static void test_missing_name(void **state)
{
	struct many m;

	(void)state;
	begin(&m);
	add(&m, "old", "DNS:old.test", 0);
	add(&m, "new", "DNS:new.test", 0);
	m.p.config[SERVER].identity_count = 1;
	m.p.config[SERVER].name_missing = bring;
	expect_subject(&m, "old.test", "CN=old");
	expect_subject(&m, NULL, "CN=old");
	assert_int_equal(m.missing, 0);
	expect_subject(&m, "other.test", "CN=old");
	assert_int_equal(m.missing, 1);
	expect_subject(&m, "New.test", "CN=new");
	assert_int_equal(m.missing, 2);
	expect_subject(&m, "new.test", "CN=new");
	expect_subject(&m, "old.test", "CN=old");
	assert_int_equal(m.missing, 2);
	finish(&m);
}

static void refused(struct many *m, const char *text)
{
	struct haven_tls_context *context;

	assert_int_equal(haven_tls_context_create(&m->p.config[SERVER], &context, &m->p.error),
			 -EINVAL);
	assert_int_equal(m->p.error.code, HAVEN_TLS_ERROR_CONFIGURATION);
	if (!strstr(m->p.error.text, text))
		fail_msg("'%s' rather than '%s'", m->p.error.text, text);
	/* It need not be asked for. */
	assert_int_equal(haven_tls_context_create(&m->p.config[SERVER], &context, NULL),
			 -EINVAL);
	assert_null(context);
}

static const char encrypted_key[] =
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	"MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhJqcYcKcs0CAICCAAw\n"
	"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEGbmgSXjsXXzRQmYRpQuzo4EgZAa\n"
	"pTnGX0yEv7CgA0Yt3VVmmbhLDqMEkc0mhxs6shDyGUnZvP8hXEvzlCSw3a2qXbqW\n"
	"-----END ENCRYPTED PRIVATE KEY-----\n";

static void test_label(void **state)
{
	struct many m;

	(void)state;
	begin(&m);
	add(&m, "a", "DNS:a.test", 0);
	m.identities[0].label = "'a.pem'";
	m.identities[0].key = m.chain[0];
	refused(&m, "'a.pem': there is no private key");
	finish(&m);
}

static void test_bad_text(void **state)
{
	struct many m;

	(void)state;
	begin(&m);
	add(&m, "a", "DNS:a.test", 0);
	add(&m, "b", "DNS:b.test", 0);
	m.identities[1].key = m.key[0];
	m.identities[1].key_size = strlen(m.key[0]);
	refused(&m, "identity 2: the private key is not that of certificate 'b'");
	m.identities[1].key = encrypted_key;
	m.identities[1].key_size = strlen(encrypted_key);
	refused(&m, "identity 2: the private key cannot be read: ");
	m.identities[1].key = NULL;
	refused(&m, "identity 2: there is no private key (PEM, -----BEGIN PRIVATE KEY-----)");
	m.identities[1].key = m.chain[1];
	m.identities[1].key_size = 0;
	refused(&m, "identity 2: there is no text");
	m.identities[1].chain = m.key[1];
	m.identities[1].chain_size = strlen(m.key[1]);
	refused(&m, "identity 2: there is no certificate (PEM, -----BEGIN CERTIFICATE-----)");
	m.identities[1].chain = NULL;
	refused(&m, "identity 2: there is no text");
	m.chain[0][60] ^= 0x55;
	refused(&m, "identity 1: certificate 1 cannot be read: ");
	m.p.config[SERVER].identity_count = 0;
	refused(&m, "a server needs a certificate");
	m.p.config[SERVER].identity_count = 2000;
	refused(&m, "2000 identities; at most 1024 can be");
	finish(&m);
}

/* Certificate and key in one text, as many programs keep them. */
static void test_one_text(void **state)
{
	struct many m;
	char text[4096];

	(void)state;
	begin(&m);
	add(&m, "a", "DNS:a.test", 0);
	for (int order = 0; order < 2; order++) {
		snprintf(text, sizeof(text), "comment\n%s%s", order ? m.chain[0] : m.key[0],
			 order ? m.key[0] : m.chain[0]);
		m.identities[0] =
			(struct haven_tls_identity){.chain = text, .chain_size = strlen(text)};
		expect_subject(&m, "a.test", "CN=a");
		haven_tls_context_destroy(m.p.context[SERVER]);
		m.p.context[SERVER] = NULL;
	}
	finish(&m);
}

static void test_bad_settings(void **state)
{
	static const char *const empty[] = {""};
	struct haven_tls_config *c, good;
	struct many m;

	(void)state;
	begin(&m);
	add(&m, "a", "DNS:a.test", 0);
	c = &m.p.config[SERVER];
	good = *c;
	c->min_version = HAVEN_TLS_1_3;
	c->max_version = HAVEN_TLS_1_2;
	refused(&m, "versions are TLS 1.2 and TLS 1.3");
	*c = good;
	c->min_version = (enum haven_tls_version)0x0302;
	refused(&m, "versions are TLS 1.2 and TLS 1.3");
	*c = good;
	c->output_bytes = 1000;
	refused(&m, "output_bytes is 1000");
	*c = good;
	c->handshake_bytes = 1000;
	refused(&m, "handshake_bytes is 1000");
	*c = good;
	c->ticket_lifetime_s = 0;
	refused(&m, "ticket_lifetime_s is 0");
	*c = good;
	c->alpn = empty;
	c->alpn_count = 1;
	refused(&m, "application protocol 1: a name has 1 to 255 bytes");
	c->alpn_count = 17;
	refused(&m, "17 application protocols; at most 16 can be");
	*c = good;
	c->verify = (enum haven_tls_verify)1;
	refused(&m, "verify is neither");
	*c = good;
	c->trust = "nothing";
	c->trust_size = 7;
	refused(&m, "trust: there is no certificate");
	*c = good;
	c->env.random = NULL;
	refused(&m, "the environment lacks a function");
	*c = good;
	c->role = HAVEN_TLS_CLIENT;
	c->identity_count = 2;
	refused(&m, "a client has one certificate, not 2");
	finish(&m);
}

static void test_errors_have_names(void **state)
{
	(void)state;
	assert_string_equal(haven_tls_error_name(HAVEN_TLS_ERROR_WRONG_NAME), "WRONG_NAME");
	assert_string_equal(haven_tls_error_text(HAVEN_TLS_ERROR_TRUNCATED),
			    "the peer ended without close_notify");
	assert_string_equal(haven_tls_error_name((enum haven_tls_error_code)999), "UNKNOWN");
	assert_string_equal(haven_strerror(-EBADMSG),
			    "TLS has failed; haven_tls_error() says how");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_name),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_by_key),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_replace_in_handshake),
		cmocka_unit_test(test_missing_name),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_one_text),
		cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_errors_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
