/*
 * Certificates for tests, made on the spot with fixed dates. Keys are P-256 unless said otherwise.
 *
 *	struct test_certificate root = test_certificate(&(struct test_certificate_options){
 *		.name = "Root", .ca = true});
 *	struct test_certificate leaf = test_certificate(&(struct test_certificate_options){
 *		.name = "a.test", .names = "DNS:a.test", .issuer = &root});
 *	char *chain = test_pem(&leaf, &intermediate);	(the caller frees it)
 *	char *key = test_pem_key(&leaf);
 *	test_certificate_free(&leaf);
 *
 * Whatever fails ends the program: it is not what is tested.
 */
#ifndef TEST_CERTIFICATES_H
#define TEST_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

/* Seconds since 1970. */
#define TEST_2026 \
	INT64_C(1767225600) /* 2026-01-01 00:00:00 UTC: certificates begin, unless said otherwise */
#define TEST_NOW  INT64_C(1772366400) /* 2026-03-01 12:00:00 UTC */
#define TEST_2027 INT64_C(1798761600) /* 2027-01-01 00:00:00 UTC: and end */
#define TEST_DAY  INT64_C(86400)

struct test_certificate {
	X509 *certificate;
	EVP_PKEY *key;
};

struct test_certificate_options {
	const char *name;  /* common name; NULL: an empty subject */
	const char *names; /* "DNS:a.test,IP:192.0.2.1"; NULL: no subjectAltName */
	const struct test_certificate *issuer; /* NULL: self-signed */
	bool ca;
	int64_t not_before, not_after; /* 0: TEST_2026, TEST_2027 */
	const char *purpose;	       /* "serverAuth"; NULL: any */
	const char *constraints;       /* "permitted;DNS:.a.test" */
	bool must_staple;	       /* RFC 7633 */
	unsigned rsa_bits;	       /* 0: P-256 */
};

struct test_certificate test_certificate(const struct test_certificate_options *options);
void test_certificate_free(struct test_certificate *certificate);
/* PEM of one certificate, or two (second NULL: one). */
char *test_pem(const struct test_certificate *first, const struct test_certificate *second);
char *test_pem_key(const struct test_certificate *certificate);

struct test_staple_options {
	const struct test_certificate *about, *issuer, *signer; /* signer NULL: the issuer */
	int status;						/* V_OCSP_CERTSTATUS_ */
	int64_t from, until; /* 0: TEST_NOW - a day, + a day */
};
/* An OCSP response (DER); the caller frees it. */
uint8_t *test_staple(const struct test_staple_options *options, size_t *size);

#endif
