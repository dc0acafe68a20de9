/*
 * Answers of HTTP/1 servers. See http_answers.h.
 */
#include "gateway/http_answers.h"

#include <string.h>

#include "gateway/http_field.h"

#define DUE_MAX 64 /* bits of heads */

static void lose(struct hv_http_answers *answers)
{
	answers->stage = HV_HTTP_ANSWER_LOST;
}

const char *hv_http_answers_expect(struct hv_http_answers *answers,
				   const struct hv_http_head *head)
{
	bool connect = head->method == HV_HTTP_METHOD_CONNECT;

	if (!connect && !head->upgrade) {
		if (answers->due == DUE_MAX)
			lose(answers);
		else if (head->method == HV_HTTP_METHOD_HEAD)
			answers->heads |= UINT64_C(1) << answers->due;
		answers->due += answers->due < DUE_MAX;
		return NULL;
	}
	if (answers->due > 0 || answers->stage == HV_HTTP_ANSWER_LOST)
		return "an HTTP request wants to go on as another protocol while answers are "
		       "due";
	answers->due = 1;
	answers->heads = head->method == HV_HTTP_METHOD_HEAD;
	answers->asks = connect ? HV_HTTP_TUNNEL : HV_HTTP_ASKED;
	return NULL;
}

/* The answer that was due has ended. */
static void end_answer(struct hv_http_answers *answers)
{
	answers->stage = HV_HTTP_ANSWER_STATUS;
	answers->due--;
	answers->heads >>= 1;
}

/* RFC 9112 section 4: "HTTP/1.1 200 OK", and the reason may be missing. */
static void read_status(struct hv_http_answers *answers, size_t size)
{
	const uint8_t *p = answers->line;

	answers->status = 0;
	if (size < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') ||
	    p[8] != ' ' || (size > 12 && p[12] != ' '))
		return lose(answers);
	for (unsigned i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			return lose(answers);
		answers->status = answers->status * 10 + (p[i] - (unsigned)'0');
	}
	answers->chunked = answers->has_length = false;
	answers->stage = HV_HTTP_ANSWER_FIELDS;
}

static void read_field(struct hv_http_answers *answers, size_t size)
{
	struct hv_http_field field;
	uint64_t length;

	/* Of a line that is too long the value is not known; that matters only for names that do. */
	if (!hv_http_field_read(answers->line, size, &field))
		return lose(answers);
	if (hv_http_field_is(&field, "transfer-encoding")) {
		if (answers->cut || answers->chunked || !hv_http_value_is(&field, "chunked"))
			return lose(answers);
		answers->chunked = true;
	} else if (hv_http_field_is(&field, "content-length")) {
		if (answers->cut || !hv_http_field_length(&field, &length) ||
		    (answers->has_length && length != answers->length))
			return lose(answers);
		answers->has_length = true;
		answers->length = length;
	}
}

/* RFC 9112 section 6.3, for the answer that is due. */
static void begin_body(struct hv_http_answers *answers)
{
	answers->stage = HV_HTTP_ANSWER_BODY;
	if ((answers->heads & 1) || answers->status == 204 || answers->status == 304)
		end_answer(answers);
	else if (answers->chunked && !answers->has_length)
		hv_http_body_begin_chunked(&answers->body);
	else if (answers->chunked || !answers->has_length)
		lose(answers); /* up to the end of the connection, or a matter of taste */
	else if (answers->length == 0)
		end_answer(answers);
	else
		hv_http_body_begin(&answers->body, answers->length);
}

/* RFC 9110 sections 15.2.2 and 9.3.6. When a request asks, no other answer is due. */
static void end_head(struct hv_http_answers *answers)
{
	bool success = answers->status >= 200 && answers->status < 300;

	if (answers->status < 200 && answers->status != 101) {
		answers->stage = HV_HTTP_ANSWER_STATUS;
	} else if ((answers->status == 101 && answers->asks == HV_HTTP_ASKED) ||
		   (success && answers->asks == HV_HTTP_TUNNEL)) {
		answers->asks = HV_HTTP_SWITCHED;
	} else if (answers->status == 101) {
		lose(answers);
	} else {
		answers->asks = HV_HTTP_STAYS;
		begin_body(answers);
	}
}

static void end_line(struct hv_http_answers *answers)
{
	size_t size = answers->line_size;

	if (size > 0 && answers->line[size - 1] == '\r' && !answers->cut)
		size--;
	if (answers->stage == HV_HTTP_ANSWER_STATUS)
		read_status(answers, size);
	else if (size == 0)
		end_head(answers);
	else
		read_field(answers, size);
	answers->line_size = 0;
	answers->cut = false;
}

static size_t take_line(struct hv_http_answers *answers, const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t n = end ? (size_t)(end - data) : size;
	size_t room = sizeof(answers->line) - answers->line_size, copied = n;

	if (copied > room) {
		copied = room;
		answers->cut = true;
	}
	memcpy(answers->line + answers->line_size, data, copied);
	answers->line_size += copied;
	if (end)
		end_line(answers);
	return end ? n + 1 : n;
}

static size_t step(struct hv_http_answers *answers, const uint8_t *data, size_t size)
{
	size_t used;

	if (answers->stage != HV_HTTP_ANSWER_BODY) {
		if (answers->due > 0)
			return take_line(answers, data, size);
		lose(answers); /* nobody asked */
		return size;
	}
	switch (hv_http_body_pass(&answers->body, data, size, &used)) {
	case HV_HTTP_BODY_ENDS:
		end_answer(answers);
		break;
	case HV_HTTP_BODY_BAD:
		lose(answers);
		break;
	default:
		break;
	}
	return used;
}

void hv_http_answers_feed(struct hv_http_answers *answers, const uint8_t *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		if (answers->stage == HV_HTTP_ANSWER_LOST || answers->asks == HV_HTTP_SWITCHED)
			return;
		at += step(answers, data + at, size - at);
	}
}
