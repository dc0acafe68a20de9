/*
 * Ticket keys. A ticket is a session, encrypted by the server for itself; whoever has the key reads what TLS 1.2 sessions that
 * were resumed with it said. So a key makes tickets for one lifetime only, is kept for one more, in which the last of them end, and
 * is then overwritten.
 */
#include "tls/tls_ticket.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

enum { IV_BYTES = 16 };

static void fill(struct haven_tls_context *context, void *bytes, size_t size)
{
	context->core.env.random(context->core.env.user, bytes, size);
}

/* The key for tickets that are made now. */
static void turn_keys(struct haven_tls_context *context, uint64_t now_ns)
{
	uint64_t age = now_ns - context->ticket_key_ns;

	if (context->has_ticket_key[0] && age < context->ticket_lifetime_ns)
		return;
	/* One that nobody used for two lifetimes has no ticket left. */
	context->has_ticket_key[1] =
		context->has_ticket_key[0] && age < 2 * context->ticket_lifetime_ns;
	context->ticket_keys[1] = context->ticket_keys[0];
	fill(context, &context->ticket_keys[0], sizeof(context->ticket_keys[0]));
	context->has_ticket_key[0] = true;
	context->ticket_key_ns = now_ns;
}

static const struct hv_tls_ticket_key *find_key(const struct haven_tls_context *context,
						const uint8_t name[16])
{
	for (int i = 0; i < 2; i++) {
		if (context->has_ticket_key[i] && !memcmp(context->ticket_keys[i].name, name,
							  sizeof(context->ticket_keys[i].name)))
			return &context->ticket_keys[i];
	}
	return NULL;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct hv_tls_ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac,
						  sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params);
}

/* Negative: error. 0: the ticket is worth nothing. 1: it is good. 2: good, and to be renewed. */
int hv_tls_on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv,
		     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	struct haven_tls *tls = hv_tls_of(ssl);
	struct haven_tls_context *context = tls->context;
	const struct hv_tls_ticket_key *key;

	turn_keys(context, tls->now_ns);
	if (encrypt) {
		key = &context->ticket_keys[0];
		memcpy(name, key->name, sizeof(key->name));
		fill(context, iv, IV_BYTES);
	} else {
		key = find_key(context, name);
	}
	if (!key)
		return 0;
	if (!EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, encrypt) ||
	    !set_mac(mac, key))
		return -1;
	/* A client of TLS 1.3 uses a ticket once, and needs another. */
	return !encrypt && (key != &context->ticket_keys[0] ||
			    SSL_version(ssl) == TLS1_3_VERSION)
		       ? 2
		       : 1;
}

void hv_tls_tickets_forget(struct haven_tls_context *context)
{
	context->has_ticket_key[0] = context->has_ticket_key[1] = false;
	OPENSSL_cleanse(context->ticket_keys, sizeof(context->ticket_keys));
}
