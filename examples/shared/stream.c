/* Buffers in front of a stream socket: see stream.h. */
#include "stream.h"

#include <string.h>

ssize_t stream_fill(struct stream *stream)
{
	size_t room = STREAM_BYTES - stream->in_size;
	ssize_t size;

	if (!room)
		return -ENOBUFS;
	size = haven_recv(stream->socket, stream->in + stream->in_size, room, 0);
	if (size > 0)
		stream->in_size += (size_t)size;
	stream->in[stream->in_size] = '\0';
	return size;
}

ssize_t stream_wait(struct stream *stream, struct network *net)
{
	if (!network_wait(net, stream->socket, HAVEN_EVENT_READABLE))
		return -ETIMEDOUT;
	return stream_fill(stream);
}

void stream_consume(struct stream *stream, size_t size)
{
	stream->in_size -= size;
	memmove(stream->in, stream->in + size, stream->in_size + 1);
}

bool stream_put(struct stream *stream, const char *data, size_t size)
{
	if (size > STREAM_BYTES - stream->out_size)
		return false;
	memcpy(stream->out + stream->out_size, data, size);
	stream->out_size += size;
	stream_flush(stream);
	return true;
}

/* That the connection has ended is told by reading alone. */
bool stream_flush(struct stream *stream)
{
	while (stream->out_size) {
		ssize_t sent = haven_send(stream->socket, stream->out, stream->out_size, 0);

		if (sent <= 0)
			return false;
		stream->out_size -= (size_t)sent;
		memmove(stream->out, stream->out + sent, stream->out_size);
	}
	return true;
}
