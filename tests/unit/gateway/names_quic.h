/* Initial packets of QUIC clients, put together for tests of readers of server names (and for their fuzzers). */
#ifndef TEST_NAMES_QUIC_H
#define TEST_NAMES_QUIC_H

#include "names_bytes.h"

struct names_packet {
	uint32_t version;     /* 0: 1 */
	const char *id;	      /* the destination's, in hex; NULL: none */
	const char *key_id;   /* from which the keys follow; NULL: the same */
	uint32_t key_version; /* 0: the same */
	const char *token;    /* in hex; NULL: none */
	uint32_t number;
	unsigned number_size; /* 0: 1 */
	uint8_t flip;	      /* bits of the first byte, before its protection */
	uint8_t break_tag;    /* bits of the last byte */
};

void names_put_varint(struct names_bytes *bytes, uint64_t number);

/* Frames of a payload. */
void names_put_crypto(struct names_bytes *payload, size_t offset, const void *data,
		      size_t size);

/* Adds an Initial packet to a datagram. A payload that is too short for protection is padded. */
void names_put_initial(struct names_bytes *datagram, const struct names_packet *packet,
		       const struct names_bytes *payload);

/* Adds a packet of another long type (1: 0-RTT, 2: Handshake, 3: Retry, as version 1 has them) with noise in it. */
void names_put_noise(struct names_bytes *datagram, unsigned type, const char *id, size_t size);

#endif
