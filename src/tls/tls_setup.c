/*
 * OpenSSL's SSL_CTX, set up by our settings. Everything that matters is set here, so that neither the version of OpenSSL nor the
 * system's openssl.cnf decides it.
 */
#include "tls/tls_setup.h"

#include <openssl/x509v3.h>

#include "tls/tls_identity.h"
#include "tls/tls_pem.h"
#include "tls/tls_session.h"
#include "tls/tls_staple.h"
#include "tls/tls_ticket.h"
#include "tls/tls_verify.h"

/* TLS 1.2: forward secrecy and AEAD only (RFC 9325 section 4.2). */
static const char ciphers_1_2[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char ciphers_1_3[] =
	"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
static const char groups[] = "X25519:P-256:P-384";
enum { SECURITY_LEVEL = 2 }; /* RSA keys of 2048 bits or more, no SHA-1 in signatures */

/* --- callbacks ----------------------------------------------------------------------------------- */

static void on_key_log(const SSL *ssl, const char *line)
{
	const struct haven_tls_context *context = hv_tls_of(ssl)->context;

	context->key_log(context->user, line);
}

/* Ours decide the order; the client's list has to have one of them. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
		   const unsigned char *theirs, unsigned theirs_size, void *user)
{
	const struct haven_tls_context *context = user;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_size, context->alpn,
				  (unsigned)context->alpn_size, theirs,
				  theirs_size) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* --- parts ---------------------------------------------------------------------------------------- */

static bool set_protocol(SSL_CTX *ssl, const struct haven_tls_context *context)
{
	/* No compression (CRIME), no renegotiation; what users do with half a close is theirs. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_clear_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF |
					   SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
					   SSL_OP_LEGACY_SERVER_CONNECT);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
	SSL_CTX_set_max_cert_list(ssl, (long)context->handshake_bytes);
	SSL_CTX_set_max_early_data(ssl, 0);
	return SSL_CTX_set_min_proto_version(ssl, (int)context->min_version) &&
	       SSL_CTX_set_max_proto_version(ssl, (int)context->max_version) &&
	       SSL_CTX_set_cipher_list(ssl, ciphers_1_2) &&
	       SSL_CTX_set_ciphersuites(ssl, ciphers_1_3) &&
	       SSL_CTX_set1_groups_list(ssl, groups);
}

static bool set_resumption(SSL_CTX *ssl, struct haven_tls_context *context)
{
	uint8_t id[SSL_MAX_SID_CTX_LENGTH];

	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	if (context->no_resumption) {
		SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
		return SSL_CTX_set_num_tickets(ssl, 0);
	}
	if (context->role == HAVEN_TLS_CLIENT) {
		SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT |
							    SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ssl, hv_tls_on_session);
		return true;
	}
	SSL_CTX_set_timeout(ssl, (long)(context->ticket_lifetime_ns / 1000000000));
	context->core.env.random(context->core.env.user, id, sizeof(id));
	return SSL_CTX_set_session_id_context(ssl, id, sizeof(id)) &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, hv_tls_on_ticket);
}

static void set_verify(SSL_CTX *ssl, const struct haven_tls_context *context)
{
	int mode = SSL_VERIFY_PEER;

	if (context->role == HAVEN_TLS_SERVER && !context->client_auth)
		mode = SSL_VERIFY_NONE;
	/* A client that verifies nothing asks all the same, to tell what it has seen: hv_tls_on_verify() then lets all pass. */
	if (context->client_auth == HAVEN_TLS_CLIENT_AUTH_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl, mode, hv_tls_on_verify);
	SSL_CTX_set_cert_verify_callback(ssl, hv_tls_on_chain, NULL);
}

static bool set_callbacks(SSL_CTX *ssl, struct haven_tls_context *context)
{
	SSL_CTX_set_cert_cb(ssl, hv_tls_on_certificate, context);
	SSL_CTX_set_tlsext_status_cb(ssl, hv_tls_on_status);
	SSL_CTX_set_tlsext_status_arg(ssl, context);
	if (context->key_log)
		SSL_CTX_set_keylog_callback(ssl, on_key_log);
	if (context->role == HAVEN_TLS_SERVER) {
		SSL_CTX_set_tlsext_servername_callback(ssl, hv_tls_on_server_name);
		SSL_CTX_set_tlsext_servername_arg(ssl, context);
	}
	if (!context->alpn)
		return true;
	if (context->role == HAVEN_TLS_SERVER) {
		SSL_CTX_set_alpn_select_cb(ssl, on_alpn, context);
		return true;
	}
	return SSL_CTX_set_alpn_protos(ssl, context->alpn, (unsigned)context->alpn_size) == 0;
}

/* --- trust ----------------------------------------------------------------------------------------- */

/* Trust these, and let a server name them to its clients (RFC 8446 section 4.2.4). */
static bool trust_all(SSL_CTX *ssl, STACK_OF(X509) * all, bool server)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);

	for (int i = 0; i < sk_X509_num(all); i++) {
		X509 *one = sk_X509_value(all, i);

		if (!X509_STORE_add_cert(store, one) ||
		    (server && !SSL_CTX_add_client_CA(ssl, one)))
			return false;
	}
	/* One that is trusted by name need not be a root. */
	return X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
}

static int set_trust(SSL_CTX *ssl, const struct haven_tls_config *config,
		     struct haven_tls_error *error)
{
	bool server = config->role == HAVEN_TLS_SERVER;
	STACK_OF(X509) *all = NULL;
	int result = 0;

	if ((config->system_trust || (!server && !config->trust)) &&
	    !SSL_CTX_set_default_verify_paths(ssl))
		return hv_tls_no_memory(error);
	if (!config->trust)
		return 0;
	result = hv_tls_pem_certificates("trust", config->trust, config->trust_size, &all,
					 error);
	if (!result && !trust_all(ssl, all, server))
		result = hv_tls_no_memory(error);
	sk_X509_pop_free(all, X509_free);
	return result;
}

int hv_tls_setup(struct haven_tls_context *context, const struct haven_tls_config *config,
		 struct haven_tls_error *error)
{
	SSL_CTX *ssl = context->ssl;

	if (!set_protocol(ssl, context) || !set_resumption(ssl, context) ||
	    !set_callbacks(ssl, context))
		return hv_tls_no_memory(error);
	set_verify(ssl, context);
	return set_trust(ssl, config, error);
}
