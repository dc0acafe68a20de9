/*
 * The stream that a client's CRYPTO frames carry (RFC 9000 section 19.6): its pieces come in any order, and may come again.
 */
#ifndef HV_GATEWAY_QUIC_STREAM_H
#define HV_GATEWAY_QUIC_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than this is not kept: two ClientHellos of a few KiB each are all that clients send. */
#define HV_QUIC_STREAM_MAX ((size_t)24 * 1024)

/* Zeroed at first. */
struct hv_quic_stream {
	uint8_t *data;
	uint8_t *there; /* for each byte of data: whether it came */
	size_t capacity;
	size_t whole; /* all bytes before this offset came */
	size_t end;   /* none came from this offset on */
};

enum hv_quic_adding {
	HV_QUIC_ADDED,
	HV_QUIC_TOO_FAR,   /* beyond what is kept */
	HV_QUIC_DIFFERS,   /* from what came before at the same place */
	HV_QUIC_NO_MEMORY, /* or none is left of *budget */
};

/* *budget: how many bytes of memory may still be taken; less when some was. */
enum hv_quic_adding hv_quic_stream_add(struct hv_quic_stream *stream, uint64_t offset,
				       const uint8_t *data, size_t size, size_t *budget);
void hv_quic_stream_free(struct hv_quic_stream *stream);

#endif
