/*
 * CRYPTO streams. See quic_stream.h.
 *
 * What came is kept for good and compared with what comes again at the same place: a server that lost the first piece would
 * believe the second.
 */
#include "gateway/quic_stream.h"

#include <stdlib.h>
#include <string.h>

#define STEP 1024

static bool grow(struct hv_quic_stream *stream, size_t size, size_t *budget)
{
	size_t capacity = (size + STEP - 1) / STEP * STEP, more = capacity - stream->capacity;
	uint8_t *data, *there;

	if (2 * more > *budget)
		return false;
	data = realloc(stream->data, capacity);
	if (!data)
		return false;
	stream->data = data;
	there = realloc(stream->there, capacity);
	if (!there)
		return false;
	stream->there = there;
	memset(there + stream->capacity, 0, more);
	stream->capacity = capacity;
	*budget -= 2 * more;
	return true;
}

enum hv_quic_adding hv_quic_stream_add(struct hv_quic_stream *stream, uint64_t offset,
				       const uint8_t *data, size_t size, size_t *budget)
{
	size_t end;

	if (offset > HV_QUIC_STREAM_MAX || size > HV_QUIC_STREAM_MAX - offset)
		return HV_QUIC_TOO_FAR;
	end = (size_t)offset + size;
	if (end > stream->capacity && !grow(stream, end, budget))
		return HV_QUIC_NO_MEMORY;
	for (size_t at = (size_t)offset; at < end; at++, data++) {
		if (stream->there[at] && stream->data[at] != *data)
			return HV_QUIC_DIFFERS;
		stream->there[at] = true;
		stream->data[at] = *data;
	}
	if (size > 0 && end > stream->end)
		stream->end = end;
	while (stream->whole < stream->end && stream->there[stream->whole])
		stream->whole++;
	return HV_QUIC_ADDED;
}

void hv_quic_stream_free(struct hv_quic_stream *stream)
{
	free(stream->data);
	free(stream->there);
	*stream = (struct hv_quic_stream){0};
}
