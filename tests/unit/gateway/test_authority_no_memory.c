/*
 * The local authority while OpenSSL finds no memory, at each of its allocations: an error and a line, or a certificate
 * that is whole, since OpenSSL does without some of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "gateway/authority.h"
#include "support/test.h"

#define STRIDE 97 /* of 26,000 allocations: each of them takes two minutes */

/* File scope, for CRYPTO_set_mem_functions() hands nothing through. */
static unsigned long allocations, fail_at;

static bool refuse(void)
{
	return ++allocations == fail_at;
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return refuse() ? NULL : malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return refuse() ? NULL : realloc(old, size);
}

static void openssl_free(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

static void assert_whole(const char *authority_pem, const char *leaf_pem)
{
	BIO *bio = BIO_new_mem_buf(authority_pem, -1);
	X509 *authority = PEM_read_bio_X509(bio, NULL, NULL, NULL), *leaf;
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_STORE *store = X509_STORE_new();

	BIO_free(bio);
	bio = BIO_new_mem_buf(leaf_pem, -1);
	leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	X509_STORE_add_cert(store, authority);
	assert_int_equal(X509_STORE_CTX_init(context, store, leaf, NULL), 1);
	X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context),
				    X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(context),
				      X509_PURPOSE_SSL_SERVER);
	assert_int_equal(X509_verify_cert(context), 1);
	assert_int_equal(X509_check_host(leaf, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
	assert_int_equal(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	X509_free(leaf);
	X509_free(authority);
}

static void issuing(void **state)
{
	static const char *const names[] = {"localhost", "127.0.0.1"};
	char error[HV_AUTHORITY_ERROR];
	struct hv_authority *authority;
	struct hv_authority_info info;
	struct hv_authority_leaf leaf;
	int failed;

	(void)state;
	assert_int_equal(hv_authority_open(&authority, error, sizeof(error)), 0);
	hv_authority_info(authority, &info);
	for (unsigned long at = 1;; at += STRIDE) {
		error[0] = '\0';
		allocations = 0;
		fail_at = at;
		failed = hv_authority_issue(authority, names, TEST_COUNT(names), &leaf, error,
					    sizeof(error));
		fail_at = 0;
		if (failed == 0)
			assert_whole(info.pem, leaf.chain);
		else
			assert_true(error[0] && !leaf.chain && !leaf.key);
		hv_authority_leaf_free(&leaf);
		if (allocations < at)
			break;
	}
	hv_authority_close(authority);
}

/* Whether it is made or loaded; what is found afterwards is one that can be used. */
static void opening(bool made)
{
	static const char *const names[] = {"localhost", "127.0.0.1"};
	char error[HV_AUTHORITY_ERROR];
	struct hv_authority *authority;
	struct hv_authority_info info;
	struct hv_authority_leaf leaf;
	int failed;

	for (unsigned long at = 1;; at += STRIDE) {
		error[0] = '\0';
		allocations = 0;
		fail_at = at;
		failed = made ? hv_authority_renew(NULL, 0, &authority, error, sizeof(error))
			      : hv_authority_open(&authority, error, sizeof(error));
		fail_at = 0;
		if (failed == 0) {
			hv_authority_info(authority, &info);
			assert_int_equal(hv_authority_issue(authority, names, 2, &leaf, error,
							    sizeof(error)),
					 0);
			assert_whole(info.pem, leaf.chain);
			assert_string_equal(hv_authority_permitted(authority, 0), "localhost");
			hv_authority_leaf_free(&leaf);
			hv_authority_close(authority);
		} else {
			assert_true(error[0]);
		}
		if (allocations < at)
			break;
	}
}

static void loading(void **state)
{
	(void)state;
	opening(false);
}

static void making(void **state)
{
	(void)state;
	opening(true);
}

int main(void)
{
	static char place[] = "/tmp/haven-test-XXXXXX";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(issuing),
		cmocka_unit_test(loading),
		cmocka_unit_test(making),
	};
	char command[64];
	int failed;

	if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) ||
	    !mkdtemp(place) || setenv("XDG_DATA_HOME", place, 1) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	return system(command) != 0 || failed; /* NOLINT(cert-env33-c) */
}
