/* A client's sessions, kept by the server's name to be resumed. */
#ifndef HV_TLS_TLS_SESSION_H
#define HV_TLS_TLS_SESSION_H

#include "tls/tls_state.h"

/* OpenSSL has a new session (SSL_CTX_sess_set_new_cb). Returns 1 when it is kept. */
int hv_tls_on_session(SSL *ssl, SSL_SESSION *session);
/* Offer to resume the latest good session with the connection's server, if there is one. */
void hv_tls_session_offer(struct haven_tls *tls);
/*
 * The handshake is complete. A server of TLS 1.2 may have sent a new ticket for the session that is resumed, which OpenSSL does not
 * call a new session.
 */
void hv_tls_session_renewed(struct haven_tls *tls);
void hv_tls_sessions_forget(struct haven_tls_context *context);

#endif
