/* A server's ticket keys (RFC 5077, RFC 8446 section 4.6.1): what it has instead of a table of sessions. */
#ifndef HV_TLS_TLS_TICKET_H
#define HV_TLS_TLS_TICKET_H

#include <openssl/evp.h>

#include "tls/tls_state.h"

/* OpenSSL asks for the key of a ticket (SSL_CTX_set_tlsext_ticket_key_evp_cb). */
int hv_tls_on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv,
		     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt);
/* No ticket that was made so far can be used. */
void hv_tls_tickets_forget(struct haven_tls_context *context);

#endif
