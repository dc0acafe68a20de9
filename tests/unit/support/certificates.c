/* Certificates for tests: see certificates.h. */
#include "support/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "test certificates: %s failed\n", what);
	abort();
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must(extension, value);
	must(X509_add_ext(certificate, extension, -1), "X509_add_ext");
	X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *certificate, X509 *issuer,
			   const struct test_certificate_options *o)
{
	add_extension(certificate, issuer, NID_basic_constraints,
		      o->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
	if (o->ca)
		add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign");
	if (o->names)
		add_extension(certificate, issuer, NID_subject_alt_name, o->names);
	if (o->purpose)
		add_extension(certificate, issuer, NID_ext_key_usage, o->purpose);
	if (o->constraints)
		add_extension(certificate, issuer, NID_name_constraints, o->constraints);
	if (o->must_staple)
		add_extension(certificate, issuer, NID_tlsfeature, "status_request");
}

static void set_name(X509 *certificate, const char *name)
{
	if (name)
		must(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
						MBSTRING_UTF8, (const uint8_t *)name, -1, -1,
						0),
		     "X509_NAME_add_entry_by_txt");
}

static EVP_PKEY *new_key(unsigned rsa_bits)
{
	EVP_PKEY *key = rsa_bits ? EVP_RSA_gen(rsa_bits) : EVP_EC_gen("P-256");

	must(key, "a key");
	return key;
}

/* Serial numbers need only differ within an issuer. */
static long next_serial(void)
{
	static long serial = 0x1000;

	return ++serial;
}

struct test_certificate test_certificate(const struct test_certificate_options *o)
{
	struct test_certificate made = {X509_new(), new_key(o->rsa_bits)};
	const struct test_certificate *issuer = o->issuer ? o->issuer : &made;
	X509 *x = made.certificate;

	must(x && X509_set_version(x, X509_VERSION_3), "X509_new");
	ASN1_INTEGER_set(X509_get_serialNumber(x), next_serial());
	ASN1_TIME_set(X509_getm_notBefore(x), o->not_before ? o->not_before : TEST_2026);
	ASN1_TIME_set(X509_getm_notAfter(x), o->not_after ? o->not_after : TEST_2027);
	set_name(x, o->name);
	must(X509_set_issuer_name(x, X509_get_subject_name(issuer->certificate)), "issuer");
	must(X509_set_pubkey(x, made.key), "X509_set_pubkey");
	add_extensions(x, issuer->certificate, o);
	must(X509_sign(x, issuer->key, EVP_sha256()) > 0, "X509_sign");
	return made;
}

void test_certificate_free(struct test_certificate *certificate)
{
	X509_free(certificate->certificate);
	EVP_PKEY_free(certificate->key);
	*certificate = (struct test_certificate){0};
}

/* What was written, with a NUL, from malloc; the BIO is freed. */
static char *text_of(BIO *bio)
{
	char *data, *text;
	long size = BIO_get_mem_data(bio, &data);

	text = malloc((size_t)size + 1);
	if (!text)
		abort();
	memcpy(text, data, (size_t)size);
	text[size] = '\0';
	BIO_free(bio);
	return text;
}

char *test_pem(const struct test_certificate *first, const struct test_certificate *second)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(PEM_write_bio_X509(bio, first->certificate), "PEM_write_bio_X509");
	if (second)
		must(PEM_write_bio_X509(bio, second->certificate), "PEM_write_bio_X509");
	return text_of(bio);
}

char *test_pem_key(const struct test_certificate *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(PEM_write_bio_PrivateKey(bio, certificate->key, NULL, NULL, 0, NULL, NULL),
	     "PEM_write_bio_PrivateKey");
	return text_of(bio);
}

uint8_t *test_staple(const struct test_staple_options *o, size_t *size)
{
	const struct test_certificate *signer = o->signer ? o->signer : o->issuer;
	ASN1_TIME *from =
		ASN1_GENERALIZEDTIME_set(NULL, o->from ? o->from : TEST_NOW - TEST_DAY);
	ASN1_TIME *until =
		ASN1_GENERALIZEDTIME_set(NULL, o->until ? o->until : TEST_NOW + TEST_DAY);
	OCSP_CERTID *id =
		OCSP_cert_to_id(EVP_sha1(), o->about->certificate, o->issuer->certificate);
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_RESPONSE *response;
	uint8_t *der = NULL, *copy;
	int length;

	must(OCSP_basic_add1_status(basic, id, o->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
				    from, from, until),
	     "OCSP_basic_add1_status");
	must(OCSP_basic_sign(basic, signer->certificate, signer->key, EVP_sha256(), NULL, 0),
	     "OCSP_basic_sign");
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	length = i2d_OCSP_RESPONSE(response, &der);
	must(length > 0, "i2d_OCSP_RESPONSE");
	copy = malloc((size_t)length);
	if (!copy)
		abort();
	memcpy(copy, der, (size_t)length);
	*size = (size_t)length;
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	return copy;
}
