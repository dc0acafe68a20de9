/* Certificates and keys from PEM text (RFC 7468). Nothing ever asks for a password. */
#ifndef HV_TLS_TLS_PEM_H
#define HV_TLS_TLS_PEM_H

#include "tls/tls_state.h"

/*
 * All certificates of a text, in order, at least one. `what` names the text in errors. The caller frees *out.
 * Errors: -EINVAL (*error), -ENOMEM.
 */
int hv_tls_pem_certificates(const char *what, const char *text, size_t size,
			    STACK_OF(X509) * *out, struct haven_tls_error *error);
/* The first private key of a text. */
int hv_tls_pem_key(const char *what, const char *text, size_t size, EVP_PKEY **out,
		   struct haven_tls_error *error);

#endif
