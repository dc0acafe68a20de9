/* Our certificates: loaded from text, chosen by the name that a client asks for. */
#ifndef HV_TLS_TLS_IDENTITY_H
#define HV_TLS_TLS_IDENTITY_H

#include "tls/tls_state.h"

enum { HV_TLS_IDENTITIES_MAX = 1024 };

/* Errors: -EINVAL (*error), -ENOMEM. count > 0. */
int hv_tls_identities_load(struct haven_tls_context *context,
			   const struct haven_tls_identity *identities, unsigned count,
			   struct hv_tls_identities **out, struct haven_tls_error *error);
/* NULL is allowed. Connections that use them have their own hold on what they need. */
void hv_tls_identities_free(struct haven_tls_context *context,
			    struct hv_tls_identities *identities);

/* OpenSSL asks, once it knows what a client wants (SSL_CTX_set_cert_cb). */
int hv_tls_on_certificate(SSL *ssl, void *context);
/* It asks whether the name that the client says is one of ours. */
int hv_tls_on_server_name(SSL *ssl, int *alert, void *context);
/* The one whose certificate this is, or NULL. */
const struct hv_tls_identity *hv_tls_identity_of(const struct haven_tls_context *context,
						 const X509 *leaf);

/* Lower case, without a final dot. False: longer than `room`, or not a DNS name. */
bool hv_tls_name_normalize(const char *name, size_t size, char *out, size_t room);

#endif
