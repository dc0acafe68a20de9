/*
 * Making certificates. See certificate.h.
 */
#include "gateway/certificate.h"

#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "gateway/host_name.h"

#define SERIAL_BITS	 127 /* random, and positive in 16 octets (section 4.1.2.2 allows 20) */
#define DAY_SECONDS	 86400
#define HOUR_SECONDS	 3600
#define COMMON_NAME_MAX	 64 /* ub-common-name */
#define USER_OR_HOST_MAX 20 /* characters of each in the authority's name */

EVP_PKEY *hv_certificate_new_key(void)
{
	return EVP_EC_gen("P-256");
}

/* --- what both have ------------------------------------------------------------------------- */

static bool set_serial(X509 *certificate)
{
	BIGNUM *number = BN_new();
	bool good = number &&
		    BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
		    BN_set_bit(number, SERIAL_BITS - 1) == 1 && /* never zero */
		    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

	BN_free(number);
	return good;
}

static bool set_times(X509 *certificate, int64_t not_before, int64_t not_after)
{
	return ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)not_before) &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)not_after);
}

static bool set_subject(X509 *certificate, const char *organization, const char *common_name)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
					  (const unsigned char *)organization, -1, -1, 0) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const unsigned char *)common_name, -1, -1, 0);
}

/* value: as openssl.cnf has it; always a constant here. */
static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	bool good;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	good = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return good;
}

/* --- names ---------------------------------------------------------------------------------- */

static GENERAL_NAME *host_name(const char *text)
{
	static const char star[] = "*.";
	char name[sizeof(star) + HV_HOST_NAME_SIZE] = "";
	size_t skip = strncmp(text, star, strlen(star)) == 0 ? strlen(star) : 0;

	memcpy(name, text, skip);
	if (!hv_host_name((const uint8_t *)text + skip, strlen(text + skip), name + skip))
		return NULL;
	return a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_DNS, name, 0);
}

GENERAL_NAME *hv_certificate_name(const char *text)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1)
		return a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_IPADD, text, 0);
	return host_name(text);
}

static const ASN1_IA5STRING *permitted_name(const NAME_CONSTRAINTS *constraints, int *at)
{
	while (constraints && *at < sk_GENERAL_SUBTREE_num(constraints->permittedSubtrees)) {
		const GENERAL_SUBTREE *subtree =
			sk_GENERAL_SUBTREE_value(constraints->permittedSubtrees, (*at)++);

		if (subtree->base->type == GEN_DNS)
			return subtree->base->d.dNSName;
	}
	return NULL;
}

const char *hv_certificate_permitted(const NAME_CONSTRAINTS *constraints, size_t i)
{
	const ASN1_IA5STRING *name;
	int at = 0;

	do
		name = permitted_name(constraints, &at);
	while (name && i-- > 0);
	return name ? (const char *)ASN1_STRING_get0_data(name) : NULL;
}

/* Equal, or with more labels in front (section 4.2.1.10). */
static bool is_under(const ASN1_IA5STRING *name, const char *base)
{
	const char *text = (const char *)ASN1_STRING_get0_data(name);
	size_t size = (size_t)ASN1_STRING_length(name), base_size = strlen(base);

	return size >= base_size && strcasecmp(text + size - base_size, base) == 0 &&
	       (size == base_size || base_size == 0 || text[size - base_size - 1] == '.');
}

bool hv_certificate_permits(const NAME_CONSTRAINTS *constraints, const GENERAL_NAME *name)
{
	const char *base = hv_certificate_permitted(constraints, 0);

	if (name->type != GEN_DNS || !base)
		return true;
	for (size_t i = 0; (base = hv_certificate_permitted(constraints, i)); i++) {
		if (is_under(name->d.dNSName, base))
			return true;
	}
	return false;
}

/* --- an authority --------------------------------------------------------------------------- */

static GENERAL_SUBTREE *subtree_of(const char *permitted)
{
	GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
	GENERAL_NAME *name = subtree ? host_name(permitted) : NULL;

	if (name) {
		GENERAL_NAME_free(subtree->base);
		subtree->base = name;
		return subtree;
	}
	GENERAL_SUBTREE_free(subtree);
	return NULL;
}

static bool add_constraints(X509 *certificate, const char *const *permitted, size_t count)
{
	NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
	bool good = constraints &&
		    (constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null()) != NULL;

	for (size_t i = 0; good && i < count; i++) {
		GENERAL_SUBTREE *subtree = subtree_of(permitted[i]);

		good = subtree &&
		       sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree) > 0;
		if (!good)
			GENERAL_SUBTREE_free(subtree);
	}
	good = good && X509_add1_ext_i2d(certificate, NID_name_constraints, constraints, 1,
					 X509V3_ADD_DEFAULT) == 1;
	NAME_CONSTRAINTS_free(constraints);
	return good;
}

/* Printable, and not longer than `most`. */
static void plain(char *text, size_t most)
{
	size_t i;

	for (i = 0; i < most && text[i]; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			text[i] = '_';
	}
	text[i] = '\0';
}

/* Whose it is, and something by which it is told from the one before it. */
static bool authority_name(char name[COMMON_NAME_MAX + 1])
{
	const struct passwd *user = getpwuid(geteuid());
	char who[USER_OR_HOST_MAX + 2], where[USER_OR_HOST_MAX + 2] = "";
	uint8_t bytes[4];

	if (user)
		snprintf(who, sizeof(who), "%s", user->pw_name);
	else
		snprintf(who, sizeof(who), "%u", geteuid());
	if (gethostname(where, sizeof(where) - 1) < 0)
		snprintf(where, sizeof(where), "host");
	plain(who, USER_OR_HOST_MAX);
	plain(where, USER_OR_HOST_MAX);
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	snprintf(name, COMMON_NAME_MAX + 1, "haven %s@%s %02x%02x%02x%02x", who, where,
		 bytes[0], bytes[1], bytes[2], bytes[3]);
	return true;
}

static bool fill_authority(X509 *certificate, EVP_PKEY *key, const char *const *permitted,
			   size_t count, int64_t now)
{
	char name[COMMON_NAME_MAX + 1];

	return X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
	       authority_name(name) &&
	       set_subject(certificate, "haven local authority", name) &&
	       X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) &&
	       set_times(certificate, now - DAY_SECONDS,
			 now + HV_CERTIFICATE_AUTHORITY_SECONDS) &&
	       X509_set_pubkey(certificate, key) &&
	       add_extension(certificate, certificate, NID_basic_constraints,
			     "critical,CA:TRUE,pathlen:0") &&
	       add_extension(certificate, certificate, NID_key_usage,
			     "critical,keyCertSign,cRLSign") &&
	       add_extension(certificate, certificate, NID_ext_key_usage, "serverAuth") &&
	       add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
	       add_extension(certificate, certificate, NID_authority_key_identifier,
			     "keyid:always") &&
	       add_constraints(certificate, permitted, count) &&
	       X509_sign(certificate, key, EVP_sha256()) > 0;
}

X509 *hv_certificate_new_authority(EVP_PKEY *key, const char *const *permitted, size_t count,
				   int64_t now)
{
	X509 *certificate = X509_new();

	if (certificate && fill_authority(certificate, key, permitted, count, now))
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* --- a server's ----------------------------------------------------------------------------- */

/*
 * The common name is for people, in a list of certificates: clients go by the names. One that is no host name must not look like one, or it
 * would have to be permitted, too.
 */
static const char *leaf_title(const GENERAL_NAMES *names)
{
	const GENERAL_NAME *first = sk_GENERAL_NAME_value(names, 0);

	if (first->type == GEN_DNS && ASN1_STRING_length(first->d.dNSName) <= COMMON_NAME_MAX)
		return (const char *)ASN1_STRING_get0_data(first->d.dNSName);
	return "published by haven";
}

static bool fill_leaf(X509 *certificate, const struct hv_certificate_issuer *issuer,
		      EVP_PKEY *key, GENERAL_NAMES *names)
{
	return X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
	       set_subject(certificate, "haven", leaf_title(names)) &&
	       X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) &&
	       X509_set_pubkey(certificate, key) &&
	       add_extension(certificate, issuer->certificate, NID_basic_constraints,
			     "critical,CA:FALSE") &&
	       add_extension(certificate, issuer->certificate, NID_key_usage,
			     "critical,digitalSignature") &&
	       add_extension(certificate, issuer->certificate, NID_ext_key_usage,
			     "serverAuth") &&
	       add_extension(certificate, issuer->certificate, NID_subject_key_identifier,
			     "hash") &&
	       add_extension(certificate, issuer->certificate, NID_authority_key_identifier,
			     "keyid") &&
	       X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0,
				 X509V3_ADD_DEFAULT) == 1;
}

X509 *hv_certificate_new_leaf(const struct hv_certificate_issuer *issuer, EVP_PKEY *key,
			      GENERAL_NAMES *names, int64_t now, int64_t not_after)
{
	X509 *certificate = X509_new();

	if (certificate && fill_leaf(certificate, issuer, key, names) &&
	    set_times(certificate, now - HOUR_SECONDS, not_after) &&
	    X509_sign(certificate, issuer->key, EVP_sha256()) > 0)
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* --- as text and numbers -------------------------------------------------------------------- */

int64_t hv_certificate_time(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* What was written, if it was; the BIO is freed, which wipes what it holds. */
static char *take_text(BIO *bio, bool written)
{
	char *data, *text = NULL;
	long size = bio && written ? BIO_get_mem_data(bio, &data) : 0;

	if (size > 0)
		text = malloc((size_t)size + 1);
	if (text) {
		memcpy(text, data, (size_t)size);
		text[size] = '\0';
	}
	BIO_free(bio);
	return text;
}

char *hv_certificate_pem(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return take_text(bio, bio && PEM_write_bio_X509(bio, certificate) == 1);
}

char *hv_certificate_pem_key(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return take_text(bio, bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0,
								   NULL, NULL) == 1);
}
