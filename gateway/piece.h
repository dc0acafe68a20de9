/*
 * Bytes that are read from the front: numbers and vectors as TLS and QUIC have them. What does not fit is not taken.
 */
#ifndef HV_GATEWAY_PIECE_H
#define HV_GATEWAY_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left to be read. */
struct hv_piece {
	const uint8_t *data;
	size_t size;
};

/* The next `size` bytes. False: there are fewer. */
static inline bool hv_piece_take(struct hv_piece *from, uint64_t size, struct hv_piece *out)
{
	if (from->size < size)
		return false;
	*out = (struct hv_piece){from->data, (size_t)size};
	from->data += size;
	from->size -= (size_t)size;
	return true;
}

/* A number of up to 8 bytes, the most significant first. */
static inline bool hv_piece_number(struct hv_piece *from, unsigned bytes, uint64_t *number)
{
	struct hv_piece piece;

	if (!hv_piece_take(from, bytes, &piece))
		return false;
	*number = 0;
	for (unsigned i = 0; i < bytes; i++)
		*number = *number << 8 | piece.data[i];
	return true;
}

/* A vector whose length stands before it in so many bytes (RFC 8446 section 3.4). */
static inline bool hv_piece_vector(struct hv_piece *from, unsigned length_bytes,
				   struct hv_piece *out)
{
	uint64_t size;

	return hv_piece_number(from, length_bytes, &size) && hv_piece_take(from, size, out);
}

/* RFC 9000 section 16: the two highest bits say how long the number is. */
static inline bool hv_piece_varint(struct hv_piece *from, uint64_t *number)
{
	static const uint64_t masks[] = {UINT64_MAX >> 58, UINT64_MAX >> 50, UINT64_MAX >> 34,
					 UINT64_MAX >> 2};
	unsigned log = from->size > 0 ? from->data[0] >> 6 : 0;

	if (!hv_piece_number(from, 1u << log, number))
		return false;
	*number &= masks[log];
	return true;
}

#endif
