/*
 * QUIC packets with a long header, of versions 1 (RFC 9000 section 17.2) and 2 (RFC 9369), as they stand in a datagram:
 * several may follow each other (RFC 9000 section 12.2).
 */
#ifndef HV_GATEWAY_QUIC_PACKET_H
#define HV_GATEWAY_QUIC_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_QUIC_VERSION_1 0x00000001
#define HV_QUIC_VERSION_2 0x6b3343cf

#define HV_QUIC_ID_MAX 20 /* bytes of a connection id */

enum hv_quic_header {
	HV_QUIC_SHORT,	 /* no long header: the rest of the datagram, whatever it is */
	HV_QUIC_STRANGE, /* a long header of a version that is not known */
	HV_QUIC_BROKEN,	 /* of a version that is known, and does not fit */
	HV_QUIC_INITIAL,
	HV_QUIC_ZERO_RTT,
	HV_QUIC_HANDSHAKE,
	HV_QUIC_RETRY, /* the rest of the datagram */
};

/* Of those from BROKEN on. */
struct hv_quic_packet {
	const uint8_t *data;
	size_t size; /* up to the next packet */
	uint32_t version;
	const uint8_t *id; /* the destination's */
	size_t id_size;
	size_t number_at; /* where the packet number stands, when it has one */
};

/* What stands at the front of `data`, which is not empty. */
enum hv_quic_header hv_quic_packet_read(const uint8_t *data, size_t size,
					struct hv_quic_packet *packet);

#endif
