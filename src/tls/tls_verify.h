/* What is wrong with a peer's certificate, said so that somebody can do something about it. */
#ifndef HV_TLS_TLS_VERIFY_H
#define HV_TLS_TLS_VERIFY_H

#include "tls/tls_state.h"

/* OpenSSL asks with each certificate of a chain, and with each check that fails (SSL_CTX_set_verify). */
int hv_tls_on_verify(int ok, X509_STORE_CTX *store);

/* And to verify a chain in the first place (SSL_CTX_set_cert_verify_callback). */
int hv_tls_on_chain(X509_STORE_CTX *store, void *context);

/* For whom the peer's certificate must be, and at what time its dates are looked at. False: no memory. */
bool hv_tls_verify_expect(struct haven_tls *tls);

#endif
