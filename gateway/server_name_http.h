/*
 * The server names of an HTTP/1 client: the Host of each request on its connection. A part of server_name.h's reader, and the one
 * that finds out that a stream is neither TLS nor HTTP.
 */
#ifndef HV_GATEWAY_SERVER_NAME_HTTP_H
#define HV_GATEWAY_SERVER_NAME_HTTP_H

#include "gateway/bytes.h"
#include "gateway/http_answers.h"
#include "gateway/http_body.h"
#include "gateway/http_guess.h"
#include "gateway/http_head.h"
#include "gateway/server_name.h"

struct hv_http_reader {
	enum {
		HV_HTTP_BEFORE, /* a request; empty lines may stand there */
		HV_HTTP_IN_HEAD,
		HV_HTTP_IN_BODY,
		HV_HTTP_AFTER, /* a request whose answer decides what follows */
	} stage;
	bool again;	/* a request was read: it is HTTP, and stays so */
	bool guessing;	/* whether the line is a request's, or the body could pass for one */
	bool odd;	/* before the request stands what not everybody passes over */
	bool cr;	/* a CR was the last byte before the request */
	uint32_t blank; /* bytes before the request */
	size_t head_size;
	struct hv_http_guess guess;
	struct hv_bytes line; /* of the head, as far as it has come */
	struct hv_http_head head;
	struct hv_http_body body;
	struct hv_http_answers answers;
};

/* As hv_server_name_feed(); at least one byte is used, or the stage is another, or the event is not MORE. */
enum hv_server_name_event hv_http_feed(struct hv_server_name_reader *reader,
				       const uint8_t *data, size_t size, size_t *used);
/* As hv_server_name_end(). */
enum hv_server_name_event hv_http_end(struct hv_server_name_reader *reader);
/* The stream began with this byte, white space for some, which was taken for something else. */
void hv_http_begin_odd(struct hv_http_reader *http);
void hv_http_free(struct hv_http_reader *http);

#endif
