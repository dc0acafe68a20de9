/*
 * The answer to one GET. See http_answer.h.
 */
#include "cli/http_answer.h"

#include <stdio.h>
#include <string.h>

#include "gateway/http_field.h"

static void wrong(struct hv_http_answer *answer, const char *fault)
{
	answer->fault = fault;
}

/* --- the head --------------------------------------------------------------------------- */

/* RFC 9112 section 4: "HTTP/1.1 200 OK", and the reason may be missing. */
static void read_status(struct hv_http_answer *answer, size_t size)
{
	const uint8_t *p = answer->line;
	unsigned status = 0;

	if (size < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ' ||
	    (size > 12 && p[12] != ' ')) {
		wrong(answer, "its first line is not one of HTTP/1");
		return;
	}
	for (unsigned i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9') {
			wrong(answer, "its status is no number");
			return;
		}
		status = status * 10 + (p[i] - (unsigned)'0');
	}
	answer->status = status;
	snprintf(answer->reason, sizeof(answer->reason), "%.*s",
		 size > 13 ? (int)(size - 13) : 0, size > 13 ? (const char *)p + 13 : "");
	answer->stage = HV_HTTP_HEAD_FIELDS;
}

static void keep(const struct hv_http_field *field, char *text, size_t size)
{
	snprintf(text, size, "%.*s", (int)field->value_size, (const char *)field->value);
}

static void read_length(struct hv_http_answer *answer, const struct hv_http_field *field)
{
	uint64_t length;

	if (!hv_http_field_length(field, &length) ||
	    (answer->has_length && length != answer->length)) {
		wrong(answer, "its Content-Length is no number, or two");
		return;
	}
	answer->has_length = true;
	answer->length = length;
}

static void read_field(struct hv_http_answer *answer, size_t size)
{
	struct hv_http_field field;

	if (!hv_http_field_read(answer->line, size, &field)) {
		wrong(answer, "a line of its head is no field");
	} else if (hv_http_field_is(&field, "transfer-encoding")) {
		if (answer->chunked || !hv_http_value_is(&field, "chunked"))
			wrong(answer, "its Transfer-Encoding is not just 'chunked'");
		answer->chunked = true;
	} else if (hv_http_field_is(&field, "content-length")) {
		read_length(answer, &field);
	} else if (hv_http_field_is(&field, "location")) {
		keep(&field, answer->location, sizeof(answer->location));
	} else if (hv_http_field_is(&field, "content-type")) {
		keep(&field, answer->type, sizeof(answer->type));
	}
}

/* RFC 9112 section 6.3. An answer with both lengths is one that somebody on the way would read otherwise. */
static void begin_body(struct hv_http_answer *answer)
{
	if (answer->status == 204 || answer->status == 304) {
		answer->stage = HV_HTTP_DONE;
	} else if (answer->chunked && answer->has_length) {
		wrong(answer, "it has both Transfer-Encoding and Content-Length");
	} else if (answer->chunked) {
		answer->stage = HV_HTTP_BODY_SIZED;
		hv_http_body_begin_chunked(&answer->body);
	} else if (answer->has_length) {
		answer->stage = answer->length > 0 ? HV_HTTP_BODY_SIZED : HV_HTTP_DONE;
		hv_http_body_begin(&answer->body, answer->length);
	} else {
		answer->stage = HV_HTTP_BODY_TO_END;
	}
}

static void end_head(struct hv_http_answer *answer)
{
	if (answer->status == 101) {
		wrong(answer, "it changes the protocol, which nobody asked for");
	} else if (answer->status < 200) {
		/* RFC 9110 section 15.2: an interim answer; the real one follows. */
		answer->stage = HV_HTTP_HEAD_STATUS;
		answer->chunked = answer->has_length = false;
		answer->location[0] = answer->type[0] = '\0';
	} else {
		begin_body(answer);
	}
}

static void end_line(struct hv_http_answer *answer)
{
	size_t size = answer->line_size;

	if (size > 0 && answer->line[size - 1] == '\r')
		size--;
	if (answer->stage == HV_HTTP_HEAD_STATUS)
		read_status(answer, size);
	else if (size == 0)
		end_head(answer);
	else
		read_field(answer, size);
	answer->line_size = 0;
}

/* Up to the end of a line. */
static size_t take_line(struct hv_http_answer *answer, const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t n = end ? (size_t)(end - data) : size;

	answer->head_bytes += n + 1;
	if (n > sizeof(answer->line) - answer->line_size ||
	    answer->head_bytes > HV_HTTP_HEAD_MAX) {
		wrong(answer, "its head is too long");
		return n;
	}
	memcpy(answer->line + answer->line_size, data, n);
	answer->line_size += n;
	if (end)
		end_line(answer);
	return end ? n + 1 : n;
}

/* --- the body --------------------------------------------------------------------------- */

/* Data of the body, or else one byte of what stands between. */
static size_t take_sized(struct hv_http_answer *answer, const uint8_t *data, size_t size,
			 struct hv_http_span *span)
{
	struct hv_http_body *body = &answer->body;
	bool is_data = body->stage == HV_HTTP_BODY_PLAIN || body->stage == HV_HTTP_CHUNK_DATA;
	size_t wanted = 1, used;

	if (is_data)
		wanted = size < body->left ? size : (size_t)body->left;
	switch (hv_http_body_pass(body, data, wanted, &used)) {
	case HV_HTTP_BODY_ENDS:
		answer->stage = HV_HTTP_DONE;
		break;
	case HV_HTTP_BODY_BAD:
		wrong(answer, "its chunks are malformed");
		break;
	case HV_HTTP_BODY_GOES_ON:
		break;
	}
	if (is_data)
		*span = (struct hv_http_span){data, used};
	return used;
}

size_t hv_http_answer_take(struct hv_http_answer *answer, const uint8_t *data, size_t size,
			   struct hv_http_span *span)
{
	size_t at = 0;

	*span = (struct hv_http_span){NULL, 0};
	while (at < size && span->size == 0 && !answer->fault &&
	       answer->stage != HV_HTTP_DONE) {
		switch (answer->stage) {
		case HV_HTTP_BODY_SIZED:
			at += take_sized(answer, data + at, size - at, span);
			break;
		case HV_HTTP_BODY_TO_END:
			*span = (struct hv_http_span){data + at, size - at};
			at = size;
			break;
		default:
			at += take_line(answer, data + at, size - at);
			break;
		}
	}
	answer->body_bytes += span->size;
	return at;
}

bool hv_http_answer_end(struct hv_http_answer *answer)
{
	if (answer->stage == HV_HTTP_BODY_TO_END)
		answer->stage = HV_HTTP_DONE;
	else if (answer->stage == HV_HTTP_BODY_SIZED)
		wrong(answer, "its body was cut short");
	else if (answer->stage == HV_HTTP_HEAD_STATUS && answer->head_bytes == 0)
		wrong(answer, "the server ended the connection without one");
	else if (answer->stage != HV_HTTP_DONE)
		wrong(answer, "its head was cut short");
	return answer->stage == HV_HTTP_DONE && !answer->fault;
}
