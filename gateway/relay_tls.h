/*
 * TLS on the host's side of a relay: the guest speaks in the clear, and whoever is outside speaks TLS.
 *
 *	guest -- stack socket == clear == relay == TLS == host socket -- network
 *
 * Published ports (tls_in.h): haven is the server. The guest is connected to when the handshake is complete, so that who does not
 * get that far (scanners, clients without a good certificate) never reaches it.
 * --tls-out (tls_out.h): haven is the client. The guest's SYN is answered when the server's certificate is good; else it is refused.
 *
 *	CONNECTED -> SECURING --complete--> hv_tcp_in_secured(), hv_tcp_out_secured() -> ... -> OPEN
 *	                 `----failed------> one line in the log; hv_tcp_in_insecure(), hv_tcp_out_insecure()
 *
 * In OPEN, hv_relay_tls_read() and _write() stand where the relay would read and write its socket.
 *
 *	the peer's close_notify		FIN to the guest
 *	its FIN, or reset, without		reset to the guest, after the data
 *	the guest's FIN			close_notify, then FIN
 *	the guest's reset		reset, without close_notify
 *
 * Bytes from outside are read into one buffer of the gateway and decrypted into the stack's send space; they are asked for only as
 * there is space, so next to none are left over (`rest`). Bytes of the guest are encrypted from where they lie to the output of the TLS
 * connection, some records of 16 KiB, and written from there.
 */
#ifndef HV_GATEWAY_RELAY_TLS_H
#define HV_GATEWAY_RELAY_TLS_H

#include <haven/tls.h>

#include "gateway/relay.h"

/* Of the gateway: what one read of a socket can give. */
#define HV_TLS_BUFFER (128 * 1024)
/* What waits to be sent, encrypted. */
#define HV_RELAY_TLS_OUTPUT (128 * 1024)
/* Space in the stack for what a record that was begun before will give. */
#define HV_RELAY_TLS_SLACK (16 * 1024)

/* Begin. server_name: of a client, else NULL. relay->phase is SECURING then. 0 or a negative errno. */
int hv_relay_tls_begin(struct hv_relay *relay, struct haven_tls_context *context,
		       const char *server_name);
/* relay->tls may be NULL. */
void hv_relay_tls_free(struct hv_relay *relay);

/* While SECURING: go on with what the host's socket has. The relay may end. */
void hv_relay_tls_secure(struct hv_relay *relay);

/*
 * As readv(2): bytes, 0 at the peer's close_notify, -1 with errno. *more: another call will find something, though no event comes.
 */
ssize_t hv_relay_tls_read(struct hv_relay *relay, const struct iovec iov[2], bool *more);
/* Bytes taken; less than there are when the socket is full, or has failed (*error). */
size_t hv_relay_tls_write(struct hv_relay *relay, const struct iovec *iov, int count,
			  int *error);
/* Send what waits, as far as the socket takes it. 0 or an errno. */
int hv_relay_tls_flush(struct hv_relay *relay);
/* The guest has ended: close_notify, and FIN behind it. */
void hv_relay_tls_end(struct hv_relay *relay);
/* Whether all of that has been handed to the host's kernel. */
bool hv_relay_tls_is_out(const struct hv_relay *relay);

/* Why TLS has failed, in some words; NULL: it has not. */
const char *hv_relay_tls_reason(const struct hv_relay *relay);
/* Whether it was TLS that failed, and not the connection below: then the peer has been told, and is not to be reset. */
bool hv_relay_tls_has_told(const struct hv_relay *relay);
/* What came and nobody will read goes, so that closing the socket does not reset the connection. */
void hv_relay_tls_discard(const struct hv_relay *relay);

#endif
