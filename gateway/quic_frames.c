/*
 * Frames of Initial packets. See quic_frames.h.
 */
#include "gateway/quic_frames.h"

#include "gateway/piece.h"

/* RFC 9000 section 12.4: those that Initial packets may carry. */
enum frame {
	PADDING = 0x00,
	PING = 0x01,
	ACK = 0x02,
	ACK_ECN = 0x03,
	CRYPTO = 0x06,
	CONNECTION_CLOSE = 0x1c,
};

#define CUT_OFF "a frame of an Initial packet is cut off"

static bool skip_numbers(struct hv_piece *left, uint64_t count)
{
	uint64_t number;

	while (count-- > 0) {
		if (!hv_piece_varint(left, &number))
			return false;
	}
	return true;
}

/* Section 19.3: largest, delay, count of ranges, first range, then two numbers for each range. */
static const char *pass_ack(struct hv_piece *left, bool ecn)
{
	uint64_t count;

	if (!skip_numbers(left, 2) || !hv_piece_varint(left, &count) ||
	    count > left->size /* each takes a byte at least */ ||
	    !skip_numbers(left, 1 + 2 * count + (ecn ? 3 : 0)))
		return CUT_OFF;
	return NULL;
}

/* Section 19.19: error, type of the frame that was wrong, reason. */
static const char *pass_close(struct hv_piece *left)
{
	struct hv_piece reason;
	uint64_t size;

	if (!skip_numbers(left, 2) || !hv_piece_varint(left, &size) ||
	    !hv_piece_take(left, size, &reason))
		return CUT_OFF;
	return NULL;
}

static const char *read_crypto(struct hv_piece *left, struct hv_quic_stream *stream,
			       size_t *budget)
{
	uint64_t offset, size;
	struct hv_piece data;

	if (!hv_piece_varint(left, &offset) || !hv_piece_varint(left, &size) ||
	    !hv_piece_take(left, size, &data))
		return CUT_OFF;
	switch (hv_quic_stream_add(stream, offset, data.data, data.size, budget)) {
	case HV_QUIC_ADDED:
		return NULL;
	case HV_QUIC_DIFFERS:
		return "a CRYPTO frame says something else than one before";
	case HV_QUIC_TOO_FAR:
		return "the ClientHello is longer than what is held of QUIC";
	case HV_QUIC_NO_MEMORY:
	default:
		return "there is no memory for the ClientHello";
	}
}

const char *hv_quic_frames_read(const uint8_t *payload, size_t size,
				struct hv_quic_stream *stream, size_t *budget)
{
	struct hv_piece left = {payload, size};
	const char *fault = size > 0 ? NULL : "an Initial packet is empty";
	uint64_t type;

	while (!fault && hv_piece_number(&left, 1, &type)) {
		switch (type) {
		case PADDING:
		case PING:
			break;
		case ACK:
		case ACK_ECN:
			fault = pass_ack(&left, type == ACK_ECN);
			break;
		case CRYPTO:
			fault = read_crypto(&left, stream, budget);
			break;
		case CONNECTION_CLOSE:
			fault = pass_close(&left);
			break;
		default:
			fault = "an Initial packet has a frame that has no place in it";
		}
	}
	return fault;
}
