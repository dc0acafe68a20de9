/*
 * Reading the answer to one HTTP/1.1 GET (RFC 9112), from bytes as they come: the head in lines, the body in spans.
 *
 *	head --empty line--> 1xx: the next head; else the body, whose end is by chunks, by length or by the connection's
 */
#ifndef HV_CLI_HTTP_ANSWER_H
#define HV_CLI_HTTP_ANSWER_H

#include "gateway/http_body.h"

#define HV_HTTP_LINE_MAX 16384 /* bytes of a line of the head */
#define HV_HTTP_HEAD_MAX 262144

/* Zeroed before the first byte. */
struct hv_http_answer {
	enum {
		HV_HTTP_HEAD_STATUS, /* the first line */
		HV_HTTP_HEAD_FIELDS,
		HV_HTTP_BODY_SIZED,  /* by length or by chunks: `body` knows */
		HV_HTTP_BODY_TO_END, /* of the connection */
		HV_HTTP_DONE,
	} stage;
	unsigned status;
	char reason[64];     /* as the server has it, "" when it has none */
	char location[1024]; /* of a redirection; "" */
	char type[128];	     /* Content-Type, "" */
	bool chunked, has_length;
	uint64_t length;
	struct hv_http_body body;
	uint64_t body_bytes; /* that were given out */
	size_t head_bytes, line_size;
	const char *fault; /* what is wrong with it, when it is */
	uint8_t line[HV_HTTP_LINE_MAX];
};

/* A span of the body within the bytes that were fed. */
struct hv_http_span {
	const uint8_t *data;
	size_t size;
};

/*
 * Takes bytes up to the end of the next span of the body, or all of them; returns how many. The span is the last of them;
 * span->size 0: there was none in them. When answer->fault is set, or the stage is DONE, nothing more is taken.
 */
size_t hv_http_answer_take(struct hv_http_answer *answer, const uint8_t *data, size_t size,
			   struct hv_http_span *span);

/* The connection has ended, orderly: whether the answer is complete. False: fault says what is missing. */
bool hv_http_answer_end(struct hv_http_answer *answer);

#endif
