/*
 * Where the body of an HTTP/1 message ends (RFC 9112 sections 6 and 7). Its bytes are passed over, not kept.
 */
#ifndef HV_GATEWAY_HTTP_BODY_H
#define HV_GATEWAY_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_HTTP_TRAILER_NAME \
	20 /* bytes of it that are looked at: more than any name that matters has */

struct hv_http_body {
	enum {
		HV_HTTP_BODY_PLAIN, /* `left` bytes, then the end */
		HV_HTTP_CHUNK_SIZE,
		HV_HTTP_CHUNK_BLANK, /* white space behind the size */
		HV_HTTP_CHUNK_EXTENSION,
		HV_HTTP_CHUNK_SIZE_LF,
		HV_HTTP_CHUNK_DATA,
		HV_HTTP_CHUNK_CR,
		HV_HTTP_CHUNK_LF,
		HV_HTTP_TRAILER, /* a line of the trailers begins */
		HV_HTTP_TRAILER_IN_NAME,
		HV_HTTP_TRAILER_IN_VALUE,
		HV_HTTP_TRAILER_LF,
		HV_HTTP_BODY_LF, /* of the last line */
	} stage;
	uint64_t left;	/* bytes of the body, or of the chunk */
	uint32_t extra; /* bytes of the chunk's extension, or of all trailers */
	uint8_t digits; /* of the chunk's size */
	uint8_t name_size;
	uint8_t name[HV_HTTP_TRAILER_NAME];
};

enum hv_http_body_event {
	HV_HTTP_BODY_GOES_ON,
	HV_HTTP_BODY_ENDS,
	HV_HTTP_BODY_BAD, /* malformed, or such that some would see another end */
};

/* A body of so many bytes; of none has ended before it begins. */
void hv_http_body_begin(struct hv_http_body *body, uint64_t length);
void hv_http_body_begin_chunked(struct hv_http_body *body);

/* *used: how many bytes were passed over, up to and with the last one of the body, or the bad one. */
enum hv_http_body_event hv_http_body_pass(struct hv_http_body *body, const uint8_t *data,
					  size_t size, size_t *used);

#endif
