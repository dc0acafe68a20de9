/*
 * Our certificates. A server can have many: what a client asks for (server_name, RFC 6066 section 3) decides, an
 * exact name before a wildcard, and the first one where nothing fits. Several for one name are all given to OpenSSL, which takes
 * the one whose kind of key the client can verify.
 */
#include "tls/tls_identity.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "tls/tls_error.h"
#include "tls/tls_pem.h"
#include "tls/tls_text.h"

/* --- names ----------------------------------------------------------------------------------- */

static bool is_name_byte(char byte)
{
	return isalnum((unsigned char)byte) || byte == '-' || byte == '_' || byte == '.' ||
	       byte == '*';
}

bool hv_tls_name_normalize(const char *name, size_t size, char *out, size_t room)
{
	size_t label = 0;

	if (size && name[size - 1] == '.')
		size--;
	if (size == 0 || size > 253 || size >= room) /* RFC 1035 section 2.3.4 */
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_name_byte(name[i]))
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		if (label > 63 || (label == 0 && (i == 0 || name[i - 1] == '.')))
			return false;
		out[i] = (char)tolower((unsigned char)name[i]);
	}
	out[size] = '\0';
	return true;
}

/* How well a name of a certificate fits: 2 exactly, 1 by a wildcard for the first label, 0 not. */
static int rank_of(const char *own, const char *asked)
{
	const char *rest = strchr(asked, '.');

	if (!strcmp(own, asked))
		return 2;
	return own[0] == '*' && own[1] == '.' && rest && !strcmp(own + 1, rest) ? 1 : 0;
}

static int identity_rank(const struct hv_tls_identity *identity, const char *asked)
{
	int best = 0;

	for (size_t at = 0; at < identity->names_size; at += strlen(identity->names + at) + 1) {
		int rank = rank_of(identity->names + at, asked);

		if (rank > best)
			best = rank;
	}
	return best;
}

/* Add a name, when names is not NULL; returns the bytes that it takes. */
static size_t put_name(const GENERAL_NAME *from, char *names)
{
	char name[HAVEN_TLS_NAME_SIZE];
	size_t size;

	if (from->type != GEN_DNS ||
	    !hv_tls_name_normalize((const char *)ASN1_STRING_get0_data(from->d.dNSName),
				   (size_t)ASN1_STRING_length(from->d.dNSName), name,
				   sizeof(name)))
		return 0;
	size = strlen(name) + 1;
	if (names)
		memcpy(names, name, size);
	return size;
}

static size_t put_names(const GENERAL_NAMES *from, char *names)
{
	size_t size = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(from); i++)
		size += put_name(sk_GENERAL_NAME_value(from, i), names ? names + size : NULL);
	return size;
}

static int collect_names(struct haven_tls_context *context, struct hv_tls_identity *identity)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(identity->leaf, NID_subject_alt_name, NULL, NULL);
	size_t size = put_names(names, NULL);

	if (size) {
		identity->names = hv_alloc(&context->core, size);
		if (identity->names)
			identity->names_size = put_names(names, identity->names);
	}
	GENERAL_NAMES_free(names);
	return size && !identity->names ? -ENOMEM : 0;
}

/* --- loading ---------------------------------------------------------------------------------- */

static int load_staple(struct haven_tls_context *context, struct hv_tls_identity *identity,
		       const struct haven_tls_identity *from)
{
	if (!from->staple || !from->staple_size)
		return 0;
	identity->staple = hv_alloc(&context->core, from->staple_size);
	if (!identity->staple)
		return -ENOMEM;
	memcpy(identity->staple, from->staple, from->staple_size);
	identity->staple_size = from->staple_size;
	return 0;
}

/*
 * Let OpenSSL look at it, which refuses keys that are too short. It stays in the SSL_CTX, where nobody sees it:
 * hv_tls_on_certificate() begins by clearing what connections have from there.
 */
static int usable(struct haven_tls_context *context, const struct hv_tls_identity *identity,
		  struct haven_tls_error *error, const char *what, const char *name)
{
	const char *reason;
	int result = 0;

	ERR_clear_error();
	if (SSL_CTX_use_cert_and_key(context->ssl, identity->leaf, identity->key,
				     identity->chain, 1) != 1) {
		reason = ERR_reason_error_string(ERR_peek_last_error());
		result = hv_tls_refuse(error, "%s: certificate '%s' cannot be used: %s", what,
				       name, reason ? reason : "unknown reason");
	}
	ERR_clear_error();
	return result;
}

static int load_one(struct haven_tls_context *context, struct hv_tls_identity *identity,
		    const struct haven_tls_identity *from, unsigned number,
		    struct haven_tls_error *error)
{
	char what[200], name[HV_TLS_NAME_TEXT];
	int result;

	if (from->label)
		snprintf(what, sizeof(what), "%s", from->label);
	else
		snprintf(what, sizeof(what), "identity %u", number);
	result = hv_tls_pem_certificates(what, from->chain, from->chain_size, &identity->chain,
					 error);
	if (result < 0)
		return result;
	identity->leaf = sk_X509_shift(identity->chain);
	result = hv_tls_pem_key(what, from->key ? from->key : from->chain,
				from->key ? from->key_size : from->chain_size, &identity->key,
				error);
	if (result < 0)
		return result;
	hv_tls_text_subject(identity->leaf, name);
	result = X509_check_private_key(identity->leaf, identity->key);
	ERR_clear_error();
	if (result != 1)
		return hv_tls_refuse(error,
				     "%s: the private key is not that of certificate '%s'",
				     what, name);
	result = usable(context, identity, error, what, name);
	if (result < 0)
		return result;
	if (collect_names(context, identity) < 0 || load_staple(context, identity, from) < 0)
		return hv_tls_no_memory(error);
	return 0;
}

static size_t identities_size(unsigned count)
{
	return sizeof(struct hv_tls_identities) + count * sizeof(struct hv_tls_identity);
}

int hv_tls_identities_load(struct haven_tls_context *context,
			   const struct haven_tls_identity *identities, unsigned count,
			   struct hv_tls_identities **out, struct haven_tls_error *error)
{
	struct hv_tls_identities *set;

	*out = NULL;
	if (count > HV_TLS_IDENTITIES_MAX)
		return hv_tls_refuse(error, "%u identities; at most %u can be", count,
				     HV_TLS_IDENTITIES_MAX);
	set = hv_zalloc(&context->core, identities_size(count));
	if (!set)
		return hv_tls_no_memory(error);
	set->count = count;
	for (unsigned i = 0; i < count; i++) {
		int result = load_one(context, &set->items[i], &identities[i], i + 1, error);

		if (result < 0) {
			hv_tls_identities_free(context, set);
			return result;
		}
	}
	*out = set;
	return 0;
}

void hv_tls_identities_free(struct haven_tls_context *context, struct hv_tls_identities *set)
{
	if (!set)
		return;
	for (unsigned i = 0; i < set->count; i++) {
		struct hv_tls_identity *identity = &set->items[i];

		X509_free(identity->leaf);
		sk_X509_pop_free(identity->chain, X509_free);
		EVP_PKEY_free(identity->key);
		hv_free(&context->core, identity->names, identity->names_size);
		hv_free(&context->core, identity->staple, identity->staple_size);
	}
	hv_free(&context->core, set, identities_size(set->count));
}

/* --- choosing --------------------------------------------------------------------------------- */

/* What the client asks for, as our names are written; "" when it asks for none, or for what is not one. */
static void asked_name(const SSL *ssl, char name[HAVEN_TLS_NAME_SIZE])
{
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	name[0] = '\0';
	if (asked && !hv_tls_name_normalize(asked, strlen(asked), name, HAVEN_TLS_NAME_SIZE))
		name[0] = '\0';
}

static int best_rank(const struct hv_tls_identities *set, const char *asked)
{
	int best = 0;

	for (unsigned i = 0; *asked && best < 2 && i < set->count; i++) {
		int rank = identity_rank(&set->items[i], asked);

		if (rank > best)
			best = rank;
	}
	return best;
}

static bool identity_use(SSL *ssl, const struct hv_tls_identity *identity)
{
	return SSL_use_cert_and_key(ssl, identity->leaf, identity->key, identity->chain, 1) ==
	       1;
}

const struct hv_tls_identity *hv_tls_identity_of(const struct haven_tls_context *context,
						 const X509 *leaf)
{
	const struct hv_tls_identities *set = context->identities;

	for (unsigned i = 0; set && i < set->count; i++) {
		if (set->items[i].leaf == leaf)
			return &set->items[i];
	}
	return NULL;
}

int hv_tls_on_certificate(SSL *ssl, void *user)
{
	const struct haven_tls_context *context = user;
	const struct hv_tls_identities *set = context->identities;
	char asked[HAVEN_TLS_NAME_SIZE];
	int best;

	SSL_certs_clear(ssl);
	if (context->role == HAVEN_TLS_CLIENT)
		return !set || identity_use(ssl, &set->items[0]);
	asked_name(ssl, asked);
	best = best_rank(set, asked);
	for (unsigned i = 0; i < set->count; i++) {
		if (best && identity_rank(&set->items[i], asked) != best)
			continue;
		if (!identity_use(ssl, &set->items[i]))
			return 0;
		if (!best)
			break; /* the first one */
	}
	return 1;
}

int hv_tls_on_server_name(SSL *ssl, int *alert, void *user)
{
	const struct haven_tls_context *context = user;
	struct haven_tls *tls = hv_tls_of(ssl);
	char asked[HAVEN_TLS_NAME_SIZE];

	asked_name(ssl, asked);
	if (!SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name))
		return SSL_TLSEXT_ERR_NOACK;
	if (*asked && context->name_missing && !best_rank(context->identities, asked))
		context->name_missing(context->user, asked);
	if (!context->refuse_unknown_names || best_rank(context->identities, asked))
		return SSL_TLSEXT_ERR_OK;
	hv_tls_fail(tls, HAVEN_TLS_ERROR_UNKNOWN_NAME,
		    "the client asks for '%s', and no certificate here is for that name",
		    *asked ? asked : "(no name)");
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}
