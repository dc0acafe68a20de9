/*
 * Long headers of QUIC. See quic_packet.h.
 *
 *	first byte, version 4, destination's id, source's id       (RFC 8999 section 5.1)
 *	Initial: token                                             (RFC 9000 section 17.2.2)
 *	length of what follows, packet number 1..4, payload
 */
#include "gateway/quic_packet.h"

#include "gateway/piece.h"

#define LONG_HEADER 0x80

/*
 * The bit that says QUIC is not looked at: a server that has allowed it takes packets without it (RFC 9287).
 */
static enum hv_quic_header type_of(uint8_t first, uint32_t version)
{
	static const enum hv_quic_header types[4] = {HV_QUIC_INITIAL, HV_QUIC_ZERO_RTT,
						     HV_QUIC_HANDSHAKE, HV_QUIC_RETRY};
	unsigned type = first >> 4 & 3;

	/* RFC 9369 section 3.2: the same order, beginning one later. */
	return types[version == HV_QUIC_VERSION_2 ? (type + 3) % 4 : type];
}

static bool read_id(struct hv_piece *left, struct hv_piece *id)
{
	return hv_piece_vector(left, 1, id) && id->size <= HV_QUIC_ID_MAX;
}

enum hv_quic_header hv_quic_packet_read(const uint8_t *data, size_t size,
					struct hv_quic_packet *packet)
{
	struct hv_piece left = {data, size}, id, source, token;
	uint64_t first, version, length;
	enum hv_quic_header type;

	if (!(data[0] & LONG_HEADER) || !hv_piece_number(&left, 1, &first) ||
	    !hv_piece_number(&left, 4, &version))
		return HV_QUIC_SHORT;
	if (version != HV_QUIC_VERSION_1 && version != HV_QUIC_VERSION_2)
		return HV_QUIC_STRANGE;
	*packet = (struct hv_quic_packet){.data = data, .version = (uint32_t)version};
	type = type_of(data[0], packet->version);
	if (!read_id(&left, &id) || !read_id(&left, &source))
		return HV_QUIC_BROKEN;
	packet->id = id.data;
	packet->id_size = id.size;
	packet->size = size;
	if (type == HV_QUIC_RETRY)
		return type;
	if (type == HV_QUIC_INITIAL &&
	    (!hv_piece_varint(&left, &length) || !hv_piece_take(&left, length, &token)))
		return HV_QUIC_BROKEN;
	if (!hv_piece_varint(&left, &length) || length > left.size)
		return HV_QUIC_BROKEN;
	packet->number_at = (size_t)(left.data - data);
	packet->size = packet->number_at + (size_t)length;
	return type;
}
