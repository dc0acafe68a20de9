/*
 * A stream socket with a buffer in front of each direction, for protocols that are made of lines or messages.
 * Both buffers are bounded: what does not fit is the caller's to decide.
 */
#ifndef EXAMPLES_STREAM_H
#define EXAMPLES_STREAM_H

#include "sockets.h"

enum { STREAM_BYTES = 4096 };

struct stream {
	struct haven_socket *socket;
	char in[STREAM_BYTES + 1], out[STREAM_BYTES]; /* '\0' ends what is in */
	size_t in_size, out_size;
};

/*
 * Read what has come, as far as there is room. As haven_recv(): 0 at the end, -EAGAIN when nothing came; and
 * -ENOBUFS when `in` is full.
 */
ssize_t stream_fill(struct stream *stream);
/* The same, but let the network run until something comes; for who writes straight on. -ETIMEDOUT: it never does. */
ssize_t stream_wait(struct stream *stream, struct network *net);
/* The first `size` bytes of `in` are done with. */
void stream_consume(struct stream *stream, size_t size);
/* Send, now or later. False: there is no room for all of it, and nothing was taken. */
bool stream_put(struct stream *stream, const char *data, size_t size);
/* Send what waits, as far as it goes; for each time the socket is WRITABLE. True: all is out. */
bool stream_flush(struct stream *stream);

#endif
