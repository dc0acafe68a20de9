/* Drives OpenSSL: the handshake, and then whatever stands before the next user data. */
#ifndef HV_TLS_TLS_HANDSHAKE_H
#define HV_TLS_TLS_HANDSHAKE_H

#include "tls/tls_state.h"

/*
 * Go on as far as tls->in and the room in tls->out allow: through the handshake, then until a record of user data is open, or the peer's
 * close_notify was read. May fail the connection.
 */
void hv_tls_advance(struct haven_tls *tls);
/* The peer's next bytes, before the handshake is complete: fails the connection when it does not begin as TLS does. */
void hv_tls_look_at_head(struct haven_tls *tls, const uint8_t *data, size_t size);
/* Whether OpenSSL would write now: it does not while it is in the middle of a message of the peer's. */
bool hv_tls_is_open(const struct haven_tls *tls);
/* What became of a call of OpenSSL's that did not succeed. May fail the connection. */
void hv_tls_look_at_result(struct haven_tls *tls, int result);
/* The transport has ended, and nothing is left to be read: that was too early, when it fails the connection. */
void hv_tls_look_at_end(struct haven_tls *tls);

#endif
