/*
 * A whole ClientHello message (RFC 8446 section 4.1.2, RFC 6066 section 3): which name it says. TLS and QUIC carry the
 * same message; how it is put together from records or packets is theirs.
 */
#ifndef HV_GATEWAY_CLIENT_HELLO_H
#define HV_GATEWAY_CLIENT_HELLO_H

#include "gateway/server_name.h"

#define HV_HANDSHAKE_HEADER	  4 /* type, length of 24 bits: RFC 8446 section 4 */
#define HV_HANDSHAKE_CLIENT_HELLO 1
#define HV_CLIENT_HELLO_MAX	  65535 /* bytes after that header */

struct hv_client_hello {
	enum hv_server_name_event event; /* NAME, MISSING, HIDDEN or UNREADABLE */
	const char *fault;		 /* what stands in the way of NAME; NULL with it */
	char name[HV_SERVER_NAME_SIZE];	 /* "" when there is none */
	bool knows_tls13; /* a second ClientHello may follow (HelloRetryRequest) */
	bool early_data;  /* data may stand between the two */
};

/*
 * message: what follows the header. Whatever a server could understand otherwise is UNREADABLE: a length that does not fit, two
 * names, a name that is no host name.
 */
void hv_client_hello_read(const uint8_t *message, size_t size, struct hv_client_hello *hello);

#endif
