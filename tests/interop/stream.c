/* Bytes by their position. See stream.h. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

bool stream_init(struct stream *stream, uint64_t to_send)
{
	uint64_t x = 0;

	*stream = (struct stream){.to_send = to_send};
	stream->pattern = malloc(STREAM_PERIOD);
	if (!stream->pattern)
		return false;
	for (size_t i = 0; i < STREAM_PERIOD; i++) {
		/* SplitMix64; its top byte. */
		uint64_t z = x += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		stream->pattern[i] = (uint8_t)(z >> 56);
	}
	return true;
}

void stream_finish(struct stream *stream)
{
	free(stream->pattern);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

const uint8_t *stream_next(const struct stream *stream, size_t *size, uint64_t now_ns)
{
	size_t offset = stream->sent % STREAM_PERIOD;
	uint64_t left = stream->to_send - stream->sent;

	if (stream->stop_ns && now_ns >= stream->stop_ns)
		left = 0;
	*size = smaller(STREAM_PERIOD - offset, left > STREAM_PERIOD ? STREAM_PERIOD : left);
	return stream->pattern + offset;
}

static void compare(struct stream *stream, const uint8_t *data, size_t size)
{
	const uint8_t *wanted = stream->pattern + stream->received % STREAM_PERIOD;

	if (stream->wrong || memcmp(data, wanted, size) == 0)
		return;
	stream->wrong = true;
	while (*data++ == *wanted++)
		stream->wrong_at++;
	stream->wrong_at += stream->received;
}

void stream_take(struct stream *stream, const uint8_t *data, size_t size, uint64_t now_ns)
{
	if (!stream->first_ns)
		stream->first_ns = now_ns;
	stream->last_ns = now_ns;
	while (size > 0) {
		size_t part = smaller(size, STREAM_PERIOD - stream->received % STREAM_PERIOD);

		compare(stream, data, part);
		stream->received += part;
		data += part;
		size -= part;
	}
}
