/*
 * What a server answers to HTTP/1 requests, as far as it decides how the client's next bytes are to be read: whether the
 * connection stops to be HTTP (101, or success of a CONNECT).
 *
 * An answer belongs to the request that is its due only when all answers before it were followed from the first byte to
 * the last; so that is what is done. When one cannot be followed, no later one is believed.
 */
#ifndef HV_GATEWAY_HTTP_ANSWERS_H
#define HV_GATEWAY_HTTP_ANSWERS_H

#include "gateway/http_body.h"
#include "gateway/http_head.h"

#define HV_HTTP_ANSWER_LINE 256 /* bytes of a line that are looked at */

enum hv_http_switch {
	HV_HTTP_STAYS,	  /* no request asks for it, or it was declined */
	HV_HTTP_ASKED,	  /* Upgrade */
	HV_HTTP_TUNNEL,	  /* CONNECT */
	HV_HTTP_SWITCHED, /* granted: what follows is not HTTP, either way */
};

/* Zeroed before the first request. */
struct hv_http_answers {
	enum {
		HV_HTTP_ANSWER_STATUS, /* the first line */
		HV_HTTP_ANSWER_FIELDS,
		HV_HTTP_ANSWER_BODY,
		HV_HTTP_ANSWER_LOST, /* cannot be followed any more */
	} stage;
	enum hv_http_switch asks; /* the last request */
	unsigned due;		  /* requests that are not wholly answered */
	uint64_t heads;		  /* bit n: the n-th of them is HEAD */
	unsigned status;
	bool chunked, has_length, cut;
	uint64_t length;
	struct hv_http_body body;
	size_t line_size;
	uint8_t line[HV_HTTP_ANSWER_LINE];
};

/* A request goes out. NULL, or why its answer could not be told from another one. */
const char *hv_http_answers_expect(struct hv_http_answers *answers,
				   const struct hv_http_head *head);

/* The server's next bytes. */
void hv_http_answers_feed(struct hv_http_answers *answers, const uint8_t *data, size_t size);

/* Nothing is to be known by waiting for the server. */
static inline bool hv_http_answers_settled(const struct hv_http_answers *answers)
{
	return answers->asks == HV_HTTP_STAYS || answers->asks == HV_HTTP_SWITCHED ||
	       answers->stage == HV_HTTP_ANSWER_LOST;
}

#endif
