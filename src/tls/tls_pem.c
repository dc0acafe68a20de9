/* Certificates and keys from PEM text. */
#include "tls/tls_pem.h"

#include <limits.h>
#include <string.h>

#include <openssl/pem.h>

/* OpenSSL would ask for a password at the terminal. */
static int no_password(char *buffer, int size, int writing, void *user)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

static BIO *open_text(const char *text, size_t size)
{
	return text && size && size <= INT_MAX ? BIO_new_mem_buf(text, (int)size) : NULL;
}

/* Whether reading stopped because there is nothing more, rather than at something wrong. */
static bool is_at_end(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM &&
	       ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "it makes no sense";
}

/* -ENOMEM when OpenSSL ran out of it, else 0. */
static bool is_out_of_memory(void)
{
	return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;
}

static int add_all(const char *what, BIO *bio, STACK_OF(X509) * all,
		   struct haven_tls_error *error)
{
	X509 *certificate;

	while ((certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		if (!sk_X509_push(all, certificate)) {
			X509_free(certificate);
			return hv_tls_no_memory(error);
		}
	}
	if (is_out_of_memory())
		return hv_tls_no_memory(error);
	if (!is_at_end())
		return hv_tls_refuse(error, "%s: certificate %d cannot be read: %s", what,
				     sk_X509_num(all) + 1, reason());
	if (sk_X509_num(all) == 0)
		return hv_tls_refuse(error,
				     "%s: there is no certificate (PEM, -----BEGIN "
				     "CERTIFICATE-----) in it",
				     what);
	return 0;
}

int hv_tls_pem_certificates(const char *what, const char *text, size_t size,
			    STACK_OF(X509) * *out, struct haven_tls_error *error)
{
	BIO *bio = open_text(text, size);
	int result;

	*out = NULL;
	if (!bio && (!text || !size || size > INT_MAX))
		return hv_tls_refuse(error, "%s: there is no text", what);
	*out = sk_X509_new_null();
	ERR_clear_error();
	result = bio && *out ? add_all(what, bio, *out, error) : hv_tls_no_memory(error);
	ERR_clear_error();
	BIO_free(bio);
	if (result < 0) {
		sk_X509_pop_free(*out, X509_free);
		*out = NULL;
	}
	return result;
}

/* Of all kinds of private keys. */
static const char key_line[] = "PRIVATE KEY-----";

int hv_tls_pem_key(const char *what, const char *text, size_t size, EVP_PKEY **out,
		   struct haven_tls_error *error)
{
	BIO *bio = open_text(text, size);
	int result = 0;

	*out = NULL;
	if (!bio)
		return text && size ? hv_tls_no_memory(error)
				    : hv_tls_refuse(error, "%s: there is no text", what);
	ERR_clear_error();
	*out = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (!*out && is_out_of_memory())
		result = hv_tls_no_memory(error);
	else if (!*out && !memmem(text, size, key_line, sizeof(key_line) - 1))
		result = hv_tls_refuse(
			error,
			"%s: there is no private key (PEM, -----BEGIN PRIVATE KEY-----) in it",
			what);
	else if (!*out)
		result = hv_tls_refuse(error, "%s: the private key cannot be read: %s", what,
				       reason());
	ERR_clear_error();
	BIO_free(bio);
	return result;
}
