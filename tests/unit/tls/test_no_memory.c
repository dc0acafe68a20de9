/*
 * Without memory: the N-th allocation fails, for every N, of ours and of OpenSSL's. Nothing is leaked or used after it was freed (the
 * sanitizers look), what fails says so, and never does a lack of memory open a door.
 */
#include "tls/pair.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* OpenSSL's allocations are counted; file scope, for CRYPTO_set_mem_functions() hands nothing through. */
static uint64_t openssl_allocations, openssl_fail_at;

static bool openssl_refuses(void)
{
	return ++openssl_allocations == openssl_fail_at;
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return openssl_refuses() ? NULL : malloc(size);
}

static void *openssl_realloc(void *memory, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return openssl_refuses() ? NULL : realloc(memory, size);
}

static void openssl_free(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

/* Both contexts and connections, as far as they can be made. */
static bool make(struct pair *p, const char *name)
{
	for (int end = 0; end < 2; end++) {
		if (haven_tls_context_create(&p->config[end], &p->context[end], &p->error) < 0)
			return false;
	}
	for (int end = 0; end < 2; end++) {
		if (haven_tls_create(p->context[end], end == CLIENT ? name : NULL, p->now_ns,
				     &p->end[end], &p->error) < 0)
			return false;
	}
	return true;
}

static void unmake(struct pair *p)
{
	pair_close(p);
	for (int end = 0; end < 2; end++) {
		haven_tls_context_destroy(p->context[end]);
		p->context[end] = NULL;
	}
}

/* Whatever can be said, and read again. */
static void talk(struct pair *p)
{
	char got[64];

	pair_run(p);
	for (int end = 0; end < 2; end++) {
		haven_tls_write(p->end[end], "hello", 5);
		pair_run(p);
		haven_tls_read(p->end[!end], got, sizeof(got));
		haven_tls_shutdown(p->end[end]);
		pair_run(p);
	}
}

static void visit(struct pair *p, const char *name)
{
	if (make(p, name)) {
		talk(p);
		pair_close(p);
		/* Again, to resume. */
		if (haven_tls_create(p->context[CLIENT], name, p->now_ns, &p->end[CLIENT],
				     NULL) == 0 &&
		    haven_tls_create(p->context[SERVER], NULL, p->now_ns, &p->end[SERVER],
				     NULL) == 0)
			talk(p);
	}
	unmake(p);
}

static void configure(struct pair *p)
{
	static const char *const protocols[] = {"h2", "http/1.1"};

	pair_init(p);
	for (int end = 0; end < 2; end++) {
		p->config[end].alpn = protocols;
		p->config[end].alpn_count = 2;
	}
	p->identity.staple = "not DER, and nobody looks: the client verifies nothing";
	p->identity.staple_size = 20;
	p->config[CLIENT].verify = HAVEN_TLS_VERIFY_NOTHING_INSECURE;
}

static void test_ours(void **state)
{
	struct pair p;
	uint64_t n = 0;

	(void)state;
	configure(&p);
	do {
		test_env_fail(&p.env, ++n);
		visit(&p, "a.test");
		assert_int_equal(p.env.live, 0);
	} while (test_env_failed(&p.env));
	assert_true(n > 20);
	test_env_fail(&p.env, 0);
	pair_finish(&p);
}

/* What calls say then. */
static void test_ours_is_told(void **state)
{
	struct pair p;
	struct iovec slices[2];

	(void)state;
	pair_init(&p);
	test_env_fail(&p.env, 1);
	assert_int_equal(haven_tls_context_create(&p.config[SERVER], &p.context[SERVER],
						  &p.error),
			 -ENOMEM);
	assert_int_equal(p.error.code, HAVEN_TLS_ERROR_MEMORY);
	test_env_fail(&p.env, 0);
	pair_connect(&p, "a.test");
	/* A write that finds none changes nothing. */
	test_env_fail(&p.env, 1);
	assert_int_equal(haven_tls_write(p.end[CLIENT], "hello", 5), -ENOMEM);
	assert_int_equal(haven_tls_output(p.end[CLIENT], slices), 0);
	test_env_fail(&p.env, 0);
	expect_message(&p, CLIENT, "hello");
	/* A goodbye that finds none is the end, too. */
	test_env_fail(&p.env, 1);
	assert_int_equal(haven_tls_shutdown(p.end[CLIENT]), -EBADMSG);
	expect_error(&p, CLIENT, HAVEN_TLS_ERROR_MEMORY, "out of memory");
	test_env_fail(&p.env, 0);
	pair_finish(&p);
}

static void test_openssl(void **state)
{
	struct pair p;
	uint64_t n = 0, needed;

	(void)state;
	configure(&p);
	visit(&p, "a.test"); /* what OpenSSL keeps for ever */
	openssl_allocations = openssl_fail_at = 0;
	visit(&p, "a.test");
	needed = openssl_allocations;
	assert_true(needed > 1000);
	/* Every one of the first, and then some: thousands are alike. */
	while (n < needed) {
		n += n < 300 ? 1 : 17;
		openssl_allocations = 0;
		openssl_fail_at = n;
		visit(&p, "a.test");
		openssl_fail_at = 0;
		assert_int_equal(p.env.live, 0);
	}
	pair_finish(&p);
}

/*
 * The wrong name, an unknown issuer: not even without memory are they taken. (OpenSSL 3.0 by itself takes the wrong name, when the
 * copy of the name for X509_verify_cert() finds none.)
 */
static void test_no_door_opens(void **state)
{
	(void)state;
	for (int wrong = 0; wrong < 2; wrong++) {
		struct test_certificate foreign = test_certificate(
			&(struct test_certificate_options){.name = "Foreign", .ca = true});
		char *trust = test_pem(&foreign, NULL);
		struct pair p;
		uint64_t n = 0, needed;

		pair_init(&p);
		if (wrong) {
			p.config[CLIENT].trust = trust;
			p.config[CLIENT].trust_size = strlen(trust);
		}
		pair_contexts(&p);
		openssl_allocations = openssl_fail_at = 0;
		do {
			bool made;

			openssl_allocations = 0;
			n += wrong ? 5 : 1;
			openssl_fail_at = n;
			made = haven_tls_create(p.context[CLIENT], wrong ? "a.test" : "b.test",
						0, &p.end[CLIENT], NULL) == 0 &&
			       haven_tls_create(p.context[SERVER], NULL, 0, &p.end[SERVER],
						NULL) == 0;
			if (made) {
				pair_run(&p);
				assert_false(info_of(&p, CLIENT).connected);
				assert_true(haven_tls_write(p.end[CLIENT], "x", 1) < 0);
			}
			openssl_fail_at = 0;
			needed = openssl_allocations;
			pair_close(&p);
		} while (n <= needed);
		assert_true(n > 100);
		pair_finish(&p);
		test_certificate_free(&foreign);
		free(trust);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_ours_is_told),
		cmocka_unit_test(test_openssl),
		cmocka_unit_test(test_no_door_opens),
	};

	/* Before OpenSSL has allocated anything. */
	if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
