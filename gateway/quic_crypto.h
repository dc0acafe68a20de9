/*
 * The protection of QUIC's Initial packets (RFC 9001 section 5). It keeps nothing secret: the keys follow from the connection id that
 * the client chose. OpenSSL does the work.
 */
#ifndef HV_GATEWAY_QUIC_CRYPTO_H
#define HV_GATEWAY_QUIC_CRYPTO_H

#include "gateway/quic_packet.h"

#define HV_QUIC_KEY_SIZE   16 /* AES-128 */
#define HV_QUIC_NONCE_SIZE 12

struct hv_quic_keys {
	uint8_t key[HV_QUIC_KEY_SIZE];
	uint8_t iv[HV_QUIC_NONCE_SIZE];
	uint8_t header_key[HV_QUIC_KEY_SIZE];
};

/* Those of a client (RFC 9001 section 5.2, RFC 9369 section 3.3). False: OpenSSL has no memory, or not all algorithms. */
bool hv_quic_client_keys(uint32_t version, const uint8_t *id, size_t id_size,
			 struct hv_quic_keys *keys);

enum hv_quic_opening {
	HV_QUIC_OPENED,
	HV_QUIC_CLOSED,	 /* these are not its keys */
	HV_QUIC_FAILING, /* no memory */
};

struct hv_quic_payload {
	uint8_t *data; /* the caller's, with room for a packet */
	size_t size;
	uint8_t first; /* byte of the packet, without protection */
	uint32_t number;
};

/* An Initial packet's payload. The packet number is what stands in the packet. */
enum hv_quic_opening hv_quic_open(const struct hv_quic_keys *keys,
				  const struct hv_quic_packet *packet,
				  struct hv_quic_payload *payload);

#endif
