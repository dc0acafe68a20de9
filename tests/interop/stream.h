/*
 * What the two ends of an interoperation test send each other: bytes that follow from their
 * position, so that each end knows what must arrive, and every byte is compared.
 */
#ifndef INTEROP_STREAM_H
#define INTEROP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STREAM_PERIOD = 1048583 }; /* a prime: no boundary of packets or buffers divides it */

struct stream {
	uint8_t *pattern;	    /* STREAM_PERIOD bytes */
	uint64_t to_send, sent;	    /* bytes of this end */
	uint64_t stop_ns;	    /* with a time limit: no more is sent after it; 0: none */
	uint64_t received;	    /* bytes of the other end */
	uint64_t first_ns, last_ns; /* when they came */
	uint64_t wrong_at;	    /* the first byte that is not what it must be */
	bool wrong, finished;	    /* the other end's stream has ended */
};

/* False: no memory. */
bool stream_init(struct stream *stream, uint64_t to_send);
void stream_finish(struct stream *stream);

/* What to send next, in place: *size bytes; 0: all is sent. */
const uint8_t *stream_next(const struct stream *stream, size_t *size, uint64_t now_ns);
/* Bytes that came. */
void stream_take(struct stream *stream, const uint8_t *data, size_t size, uint64_t now_ns);

#endif
