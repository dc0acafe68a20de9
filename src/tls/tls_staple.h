/* Stapled OCSP responses (RFC 6066 section 8, RFC 8446 section 4.4.2.1). */
#ifndef HV_TLS_TLS_STAPLE_H
#define HV_TLS_TLS_STAPLE_H

#include "tls/tls_state.h"

/*
 * OpenSSL calls (SSL_CTX_set_tlsext_status_cb): a server's when a client asks for a staple, a client's when the server's certificate is
 * verified, with or without a staple.
 */
int hv_tls_on_status(SSL *ssl, void *context);

#endif
