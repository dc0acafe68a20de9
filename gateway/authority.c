/*
 * The local authority: load or make, check, issue. See authority.h.
 *
 * Making writes the key first and the certificate last, and renewing takes them away in the reverse order. So a certificate always has its
 * key beside it, whenever a process is killed; a key alone is one that nobody trusts yet, and is replaced.
 */
#include "gateway/authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "gateway/authority_store.h"
#include "gateway/certificate.h"
#include "gateway/host_name.h"

#define CERTIFICATE_FILE "ca.pem"
#define KEY_FILE	 "ca.key"
#define NAMES_BESIDES	 64 /* of haven ca --renew --name */

struct hv_authority {
	char path[PATH_MAX + sizeof(CERTIFICATE_FILE) + 1];
	X509 *certificate;
	EVP_PKEY *key;
	NAME_CONSTRAINTS *constraints; /* NULL: none */
	char *pem;
	char *subject;
};

static const char no_openssl[] =
	"cannot make a certificate: OpenSSL has no memory, or no randomness";

/* --- loading -------------------------------------------------------------------------------- */

/* An encrypted key is none to us: nobody is asked. */
static int no_password(char *text, int size, int writing, void *user)
{
	(void)text;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

static X509 *certificate_of(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	return certificate;
}

static EVP_PKEY *key_of(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	return key;
}

static int read_certificate(struct hv_authority *authority, struct hv_store *store)
{
	char text[HV_STORE_TEXT_MAX];
	int error = hv_store_read(store, CERTIFICATE_FILE, false, text);

	if (error < 0)
		return error;
	authority->certificate = certificate_of(text);
	if (authority->certificate)
		return 0;
	return hv_store_fail(store, -EBADMSG,
			     "'%s' is damaged: put it back, or 'haven ca --renew'",
			     authority->path);
}

static int read_key(struct hv_authority *authority, struct hv_store *store)
{
	char text[HV_STORE_TEXT_MAX];
	int error = hv_store_read(store, KEY_FILE, true, text);

	if (error == -ENOENT)
		return hv_store_fail(store, error,
				     "'%s/" KEY_FILE
				     "' is missing, the key of the local authority: put it "
				     "back, or 'haven ca --renew'",
				     store->folder);
	if (error == 0) {
		authority->key = key_of(text);
		OPENSSL_cleanse(text, sizeof(text));
	}
	if (error == 0 && !authority->key)
		error = hv_store_fail(store, -EBADMSG,
				      "'%s/" KEY_FILE
				      "' is damaged or has a passphrase: put it back, or "
				      "'haven ca --renew'",
				      store->folder);
	return error;
}

/* A certificate that says it, signed by its own key, both as they were made. */
static bool is_whole(const struct hv_authority *authority)
{
	return X509_check_ca(authority->certificate) == 1 &&
	       (X509_get_key_usage(authority->certificate) & KU_KEY_CERT_SIGN) &&
	       X509_check_private_key(authority->certificate, authority->key) == 1;
}

static int check(struct hv_authority *authority, struct hv_store *store)
{
	int64_t now = (int64_t)time(NULL);
	EVP_PKEY *own = X509_get0_pubkey(authority->certificate);

	if (!own || X509_verify(authority->certificate, own) != 1)
		return hv_store_fail(
			store, -EBADMSG,
			"'%s' is damaged, or not signed by itself: put it back, or "
			"'haven ca --renew'",
			authority->path);
	if (!is_whole(authority))
		return hv_store_fail(
			store, -EBADMSG,
			"'%s' is no authority's certificate, or not that of the key in "
			"'" KEY_FILE "' beside it: put the right ones back, or "
			"'haven ca --renew'",
			authority->path);
	if (hv_certificate_time(X509_get0_notBefore(authority->certificate)) > now)
		return hv_store_fail(
			store, -EKEYEXPIRED,
			"the local authority in '%s' is not valid yet: is the clock right?",
			authority->path);
	if (hv_certificate_time(X509_get0_notAfter(authority->certificate)) <= now)
		return hv_store_fail(
			store, -EKEYEXPIRED,
			"the local authority in '%s' has expired: 'haven ca --renew' makes "
			"a new one, to be trusted in its place",
			authority->path);
	return 0;
}

/* What is told of it. */
static int describe(struct hv_authority *authority, struct hv_store *store)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int critical;
	char *data = NULL;
	long size = 0;

	authority->constraints =
		X509_get_ext_d2i(authority->certificate, NID_name_constraints, &critical, NULL);
	authority->pem = hv_certificate_pem(authority->certificate);
	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(authority->certificate), 0,
				      XN_FLAG_RFC2253) >= 0)
		size = BIO_get_mem_data(bio, &data);
	if (size >= 0)
		authority->subject = strndup(data ? data : "", (size_t)size);
	BIO_free(bio);
	if (authority->pem && authority->subject && (authority->constraints || critical == -1))
		return 0;
	return hv_store_fail(store, -EBADMSG, "'%s' cannot be read: 'haven ca --renew'",
			     authority->path);
}

static int load(struct hv_authority *authority, struct hv_store *store)
{
	int error = read_certificate(authority, store);

	if (error == 0)
		error = read_key(authority, store);
	if (error == 0)
		error = check(authority, store);
	return error;
}

/* --- making --------------------------------------------------------------------------------- */

/* The names that it may sign: those that mean this machine wherever they are said, and some besides. */
struct permitted {
	char host[HV_HOST_NAME_SIZE], local[HV_HOST_NAME_SIZE + 8], first[HV_HOST_NAME_SIZE];
	const char *names[8 + NAMES_BESIDES];
	size_t count;
};

static void permit_own(struct permitted *permitted)
{
	char text[HV_HOST_NAME_SIZE] = "";

	permitted->names[permitted->count++] = "localhost";
	permitted->names[permitted->count++] = "test";
	permitted->names[permitted->count++] = "haven";
	if (gethostname(text, sizeof(text) - 1) < 0 ||
	    !hv_host_name((const uint8_t *)text, strlen(text), permitted->host))
		return;
	permitted->names[permitted->count++] = permitted->host;
	hv_host_name((const uint8_t *)text, strcspn(text, "."), permitted->first);
	if (strcmp(permitted->first, permitted->host) != 0)
		permitted->names[permitted->count++] = permitted->first;
	snprintf(permitted->local, sizeof(permitted->local), "%s.local", permitted->first);
	permitted->names[permitted->count++] = permitted->local;
}

static int permit(struct permitted *permitted, const char *const *names, size_t count,
		  struct hv_store *store)
{
	char name[HV_HOST_NAME_SIZE];

	permitted->count = 0;
	permit_own(permitted);
	if (count > NAMES_BESIDES)
		return hv_store_fail(store, -EINVAL, "an authority has at most %d names",
				     NAMES_BESIDES);
	for (size_t i = 0; i < count; i++) {
		if (!hv_host_name((const uint8_t *)names[i], strlen(names[i]), name))
			return hv_store_fail(
				store, -EINVAL,
				"'%.200s' is no host name; give one as example.org", names[i]);
		permitted->names[permitted->count++] = names[i];
	}
	return 0;
}

static int write_files(struct hv_authority *authority, struct hv_store *store)
{
	char *key = hv_certificate_pem_key(authority->key);
	char *certificate = hv_certificate_pem(authority->certificate);
	int error;

	if (key && certificate)
		error = hv_store_write(store, KEY_FILE, key);
	else
		error = hv_store_fail(store, -ENOMEM, "%s", no_openssl);
	if (error == 0)
		error = hv_store_write(store, CERTIFICATE_FILE, certificate);
	if (key)
		OPENSSL_cleanse(key, strlen(key));
	free(key);
	free(certificate);
	return error;
}

static int make(struct hv_authority *authority, struct hv_store *store,
		const struct permitted *permitted)
{
	authority->key = hv_certificate_new_key();
	if (authority->key)
		authority->certificate =
			hv_certificate_new_authority(authority->key, permitted->names,
						     permitted->count, (int64_t)time(NULL));
	if (!authority->certificate)
		return hv_store_fail(store, -ENOMEM, "%s", no_openssl);
	return write_files(authority, store);
}

static int make_first(struct hv_authority *authority, struct hv_store *store)
{
	struct permitted permitted;
	int error = permit(&permitted, NULL, 0, store);

	return error ? error : make(authority, store, &permitted);
}

static int make_again(struct hv_authority *authority, struct hv_store *store,
		      const char *const *names, size_t count)
{
	struct permitted permitted;
	int error = permit(&permitted, names, count, store);

	if (error == 0)
		error = hv_store_set_aside(store, CERTIFICATE_FILE);
	if (error == 0)
		error = hv_store_set_aside(store, KEY_FILE);
	return error ? error : make(authority, store, &permitted);
}

/* --- opening and closing -------------------------------------------------------------------- */

static struct hv_authority *new_authority(struct hv_store *store)
{
	struct hv_authority *authority = calloc(1, sizeof(*authority));

	if (authority)
		snprintf(authority->path, sizeof(authority->path), "%s/" CERTIFICATE_FILE,
			 store->folder);
	else
		hv_store_fail(store, -ENOMEM, "no memory for the local authority");
	return authority;
}

/* The end of opening: what was loaded or made is handed out, or let go. */
static int finish(struct hv_authority *authority, struct hv_store *store, int error,
		  struct hv_authority **out)
{
	if (error == 0)
		error = describe(authority, store);
	hv_store_close(store);
	ERR_clear_error();
	if (error < 0)
		hv_authority_close(authority);
	else
		*out = authority;
	return error;
}

int hv_authority_open(struct hv_authority **out, char *error, size_t size)
{
	struct hv_authority *authority;
	struct hv_store store;
	int failed = hv_store_open(&store, error, size);

	if (failed < 0)
		return failed;
	authority = new_authority(&store);
	failed = authority ? load(authority, &store) : -ENOMEM;
	if (failed == -ENOENT && !authority->certificate)
		failed = make_first(authority, &store);
	return finish(authority, &store, failed, out);
}

int hv_authority_renew(const char *const *names, size_t count, struct hv_authority **out,
		       char *error, size_t size)
{
	struct hv_authority *authority;
	struct hv_store store;
	int failed = hv_store_open(&store, error, size);

	if (failed < 0)
		return failed;
	authority = new_authority(&store);
	failed = authority ? make_again(authority, &store, names, count) : -ENOMEM;
	return finish(authority, &store, failed, out);
}

void hv_authority_close(struct hv_authority *authority)
{
	if (!authority)
		return;
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
	NAME_CONSTRAINTS_free(authority->constraints);
	free(authority->pem);
	free(authority->subject);
	free(authority);
}

void hv_authority_info(const struct hv_authority *authority, struct hv_authority_info *info)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	*info = (struct hv_authority_info){
		.path = authority->path,
		.pem = authority->pem,
		.subject = authority->subject,
		.not_before = hv_certificate_time(X509_get0_notBefore(authority->certificate)),
		.not_after = hv_certificate_time(X509_get0_notAfter(authority->certificate)),
	};
	if (X509_digest(authority->certificate, EVP_sha256(), digest, &size) != 1)
		return;
	for (unsigned i = 0; i < size && i < HV_AUTHORITY_FINGERPRINT_MAX / 3; i++)
		snprintf(info->sha256 + 3 * (size_t)i, 4 - (i + 1 == size),
			 i + 1 == size ? "%02X" : "%02X:", digest[i]);
}

const char *hv_authority_permitted(const struct hv_authority *authority, size_t i)
{
	return hv_certificate_permitted(authority->constraints, i);
}

bool hv_authority_covers(const struct hv_authority *authority, const char *name)
{
	GENERAL_NAME *one = hv_certificate_name(name);
	bool covered = one && hv_certificate_permits(authority->constraints, one);

	GENERAL_NAME_free(one);
	return covered;
}

/* --- issuing -------------------------------------------------------------------------------- */

static int add_name(const struct hv_authority *authority, const char *text,
		    GENERAL_NAMES *names, char *error, size_t size)
{
	GENERAL_NAME *name = hv_certificate_name(text);
	int failed = 0;

	if (!name) {
		snprintf(error, size, "'%.200s' is neither a host name nor an address", text);
		failed = -EINVAL;
	} else if (!hv_certificate_permits(authority->constraints, name)) {
		snprintf(
			error, size,
			"the local authority may not sign '%.200s', which is no name of this machine: give "
			"a certificate for it (--tls-cert), or 'haven ca --renew --name %.200s'",
			text, text);
		failed = -EACCES;
	} else if (sk_GENERAL_NAME_push(names, name) <= 0) {
		snprintf(error, size, "%s", no_openssl);
		failed = -ENOMEM;
	}
	if (failed < 0)
		GENERAL_NAME_free(name);
	return failed;
}

static int read_names(const struct hv_authority *authority, const char *const *texts,
		      unsigned count, GENERAL_NAMES *names, char *error, size_t size)
{
	int failed = 0;

	if (count == 0 || count > HV_AUTHORITY_NAMES_MAX) {
		snprintf(error, size, "a certificate has 1 to %d names, not %u",
			 HV_AUTHORITY_NAMES_MAX, count);
		return -EINVAL;
	}
	for (unsigned i = 0; failed == 0 && i < count; i++)
		failed = add_name(authority, texts[i], names, error, size);
	return failed;
}

static int sign(const struct hv_authority *authority, GENERAL_NAMES *names,
		struct hv_authority_leaf *out)
{
	const struct hv_certificate_issuer issuer = {authority->certificate, authority->key};
	int64_t end = hv_certificate_time(X509_get0_notAfter(authority->certificate));
	int64_t now = (int64_t)time(NULL);
	EVP_PKEY *key = hv_certificate_new_key();
	X509 *certificate = NULL;

	out->not_after =
		end < now + HV_AUTHORITY_LEAF_SECONDS ? end : now + HV_AUTHORITY_LEAF_SECONDS;
	if (key)
		certificate = hv_certificate_new_leaf(&issuer, key, names, now, out->not_after);
	if (certificate) {
		out->chain = hv_certificate_pem(certificate);
		out->key = hv_certificate_pem_key(key);
	}
	X509_free(certificate);
	EVP_PKEY_free(key);
	return out->chain && out->key ? 0 : -ENOMEM;
}

int hv_authority_issue(struct hv_authority *authority, const char *const *names, unsigned count,
		       struct hv_authority_leaf *out, char *error, size_t size)
{
	GENERAL_NAMES *list = GENERAL_NAMES_new();
	int failed = 0;

	*out = (struct hv_authority_leaf){0};
	if (hv_certificate_time(X509_get0_notAfter(authority->certificate)) <=
	    (int64_t)time(NULL)) {
		snprintf(error, size, "the local authority has expired: 'haven ca --renew'");
		failed = -EKEYEXPIRED;
	}
	if (failed == 0 && list)
		failed = read_names(authority, names, count, list, error, size);
	if (failed == 0) {
		failed = list ? sign(authority, list, out) : -ENOMEM;
		if (failed < 0)
			snprintf(error, size, "%s", no_openssl);
	}
	if (failed < 0)
		hv_authority_leaf_free(out);
	GENERAL_NAMES_free(list);
	ERR_clear_error();
	return failed;
}

void hv_authority_leaf_free(struct hv_authority_leaf *leaf)
{
	free(leaf->chain);
	if (leaf->key)
		OPENSSL_cleanse(leaf->key, strlen(leaf->key));
	free(leaf->key);
	*leaf = (struct hv_authority_leaf){0};
}
