/*
 * Requests of HTTP/1, one after the other on a connection (RFC 9112 section 9.3).
 *
 *	BEFORE -> IN_HEAD -> judged -> IN_BODY -> BEFORE
 *	             |                    |
 *	             +-> not HTTP         +-> AFTER -> (the server's answer) -> BEFORE, or not HTTP any more
 *
 * The head is held until it is judged. Before the first request is known to be one, its line is held as well, but only what would
 * make a request of it, and only as long as it may become one: see http_guess.h.
 *
 * There are servers that do not read the body of some requests, and then take it for the next one. So the first line of a
 * body must not be a request.
 *
 * See server_name_http.h.
 */
#include "gateway/server_name_http.h"

#include <string.h>

#include "gateway/server_name_reader.h"

#define HEAD_MAX  65536
#define BLANK_MAX 1024

#define TOO_LONG "the head of an HTTP request is longer than 65536 bytes"

static enum hv_server_name_event fail(struct hv_server_name_reader *reader, const char *fault)
{
	reader->kind = HV_SERVER_NAME_HTTP;
	return hv_name_fail(reader, fault);
}

/* --- before a request ----------------------------------------------------------------------- */

/*
 * Empty lines may stand there (RFC 9112 section 2.2); they go on at once. Other white space, which some servers pass over as
 * well, only means harm when a request follows.
 */
static void pass_blank(struct hv_http_reader *http, uint8_t byte)
{
	http->odd |= (http->cr && byte != '\n') || (byte != '\r' && byte != '\n');
	http->cr = byte == '\r';
	http->blank++;
}

/* CR LF CR LF NUL begins the binary form of the PROXY protocol, behind which may stand anything. */
static bool is_forwarded(const struct hv_http_reader *http, uint8_t byte)
{
	return byte == 0 && http->blank == 4 && !http->odd && !http->again;
}

static void begin_head(struct hv_http_reader *http)
{
	http->odd |= http->cr;
	http->cr = false;
	http->blank = 0;
	http->guessing = !http->again;
	http->guess = (struct hv_http_guess){0};
	http->head = (struct hv_http_head){0};
	http->head_size = 0;
	http->stage = HV_HTTP_IN_HEAD;
}

static enum hv_server_name_event before_request(struct hv_server_name_reader *reader,
						uint8_t byte, size_t *used)
{
	struct hv_http_reader *http = &reader->http;

	if (byte != '\n' && !hv_http_is_space(byte)) {
		if (is_forwarded(http, byte))
			return fail(reader, "the PROXY protocol cannot be looked into");
		begin_head(http);
	} else {
		pass_blank(http, byte);
		*used = 1;
		if (http->blank > BLANK_MAX)
			return fail(reader, "there is too much white space for HTTP");
	}
	if (http->odd && http->again)
		return fail(reader, "white space stands before an HTTP request");
	return HV_SERVER_NAME_MORE;
}

/* --- a head --------------------------------------------------------------------------------- */

static void after_request(struct hv_http_reader *http)
{
	http->stage = http->answers.asks == HV_HTTP_STAYS ? HV_HTTP_BEFORE : HV_HTTP_AFTER;
}

static void begin_body(struct hv_http_reader *http)
{
	http->stage = HV_HTTP_IN_BODY;
	http->guess = (struct hv_http_guess){0};
	http->guessing = true;
	if (http->head.chunked)
		hv_http_body_begin_chunked(&http->body);
	else if (http->head.length > 0)
		hv_http_body_begin(&http->body, http->head.length);
	else
		after_request(http);
}

static enum hv_server_name_event end_head(struct hv_server_name_reader *reader)
{
	struct hv_http_reader *http = &reader->http;
	enum hv_server_name_event event;
	const char *fault;

	event = hv_http_head_judge(&http->head, reader->name, &reader->fault);
	if (event == HV_SERVER_NAME_UNREADABLE)
		return fail(reader, reader->fault);
	fault = hv_http_answers_expect(&http->answers, &http->head);
	if (fault)
		return fail(reader, fault);
	http->again = true;
	begin_body(http);
	return event;
}

static enum hv_server_name_event end_line(struct hv_server_name_reader *reader)
{
	struct hv_http_reader *http = &reader->http;
	const char *fault = hv_http_head_line(&http->head, http->line.data, http->line.size);

	hv_bytes_clear(&http->line);
	if (fault)
		return fail(reader, fault);
	return http->head.ended ? end_head(reader) : HV_SERVER_NAME_MORE;
}

/* HTTP/0.9 (RFC 1945 section 3.1): the line is all, and names nobody. */
static enum hv_server_name_event end_old_request(struct hv_server_name_reader *reader)
{
	struct hv_http_reader *http = &reader->http;

	if (http->odd)
		return fail(reader, "white space stands before an HTTP request");
	hv_bytes_clear(&http->line);
	http->again = true;
	http->stage = HV_HTTP_BEFORE;
	http->answers.stage = HV_HTTP_ANSWER_LOST; /* it ends with the connection */
	reader->kind = HV_SERVER_NAME_HTTP;
	reader->fault = "a request of HTTP/0.9 has no Host";
	reader->name[0] = '\0';
	return HV_SERVER_NAME_MISSING;
}

static enum hv_server_name_event on_verdict(struct hv_server_name_reader *reader,
					    enum hv_http_verdict verdict)
{
	switch (verdict) {
	case HV_HTTP_PERHAPS:
		if (hv_http_guess_is_harmless(&reader->http.guess))
			reader->held = 0;
		return HV_SERVER_NAME_MORE;
	case HV_HTTP_NO:
		return hv_name_over(reader);
	case HV_HTTP_YES:
		break;
	case HV_HTTP_OLD:
		return end_old_request(reader);
	case HV_HTTP_FORWARDED:
		return fail(reader, "the PROXY protocol cannot be looked into");
	case HV_HTTP_LONG:
		return fail(reader, "the first word is too long for a method of HTTP");
	case HV_HTTP_ODD:
	default:
		return fail(reader, "a control character stands in an HTTP request");
	}
	reader->kind = HV_SERVER_NAME_HTTP;
	reader->http.guessing = false;
	if (reader->http.odd)
		return fail(reader, "white space stands before an HTTP request");
	return HV_SERVER_NAME_MORE;
}

/* Byte by byte as long as it is a guess; then up to the end of the line. */
static enum hv_server_name_event in_head(struct hv_server_name_reader *reader,
					 const uint8_t *data, size_t size, size_t *used)
{
	struct hv_http_reader *http = &reader->http;
	size_t n = http->guessing ? 1 : size;
	const uint8_t *end;

	if (n > HEAD_MAX + 1 - http->head_size)
		n = HEAD_MAX + 1 - http->head_size;
	end = memchr(data, '\n', n);
	if (end)
		n = (size_t)(end - data) + 1;
	*used = n;
	http->head_size += n;
	reader->held += n;
	if (http->head_size > HEAD_MAX)
		return fail(reader, TOO_LONG);
	if (!hv_bytes_append(&http->line, data, n))
		return fail(reader, "there is no memory for the head of an HTTP request");
	if (http->guessing)
		return on_verdict(reader, hv_http_guess(&http->guess, data[0]));
	return end ? end_line(reader) : HV_SERVER_NAME_MORE;
}

/* --- a body --------------------------------------------------------------------------------- */

/* The first bytes of a body are held while they could be a request's. */
static enum hv_server_name_event guess_body(struct hv_server_name_reader *reader, uint8_t byte)
{
	struct hv_http_reader *http = &reader->http;

	switch (hv_http_guess(&http->guess, byte)) {
	case HV_HTTP_PERHAPS:
		if (hv_http_guess_is_harmless(&http->guess))
			break;
		if (reader->held < HEAD_MAX)
			return HV_SERVER_NAME_MORE;
		http->guessing = false;
		break;
	case HV_HTTP_YES:
	case HV_HTTP_OLD:
	case HV_HTTP_ODD:
		return fail(reader, "the body of an HTTP request begins like another request");
	default:
		http->guessing = false;
	}
	reader->held = 0;
	return HV_SERVER_NAME_MORE;
}

static enum hv_server_name_event in_body(struct hv_server_name_reader *reader,
					 const uint8_t *data, size_t size, size_t *used)
{
	struct hv_http_reader *http = &reader->http;
	enum hv_http_body_event event;

	event = hv_http_body_pass(&http->body, data, http->guessing ? 1 : size, used);
	if (event == HV_HTTP_BODY_BAD)
		return fail(reader, "the body of an HTTP request is malformed");
	reader->held += http->guessing;
	if (http->guessing && guess_body(reader, data[0]) != HV_SERVER_NAME_MORE)
		return HV_SERVER_NAME_UNREADABLE;
	if (event == HV_HTTP_BODY_GOES_ON)
		return HV_SERVER_NAME_MORE;
	/* An empty line, which may follow, would end its line. */
	if (http->guessing && guess_body(reader, '\n') != HV_SERVER_NAME_MORE)
		return HV_SERVER_NAME_UNREADABLE;
	reader->held = 0;
	after_request(http);
	return HV_SERVER_NAME_MORE;
}

/* --- after a request ------------------------------------------------------------------------ */

static enum hv_server_name_event after_answer(struct hv_server_name_reader *reader)
{
	struct hv_http_reader *http = &reader->http;

	if (!hv_http_answers_settled(&http->answers))
		return HV_SERVER_NAME_WAIT;
	if (http->answers.asks == HV_HTTP_SWITCHED)
		return hv_name_over(reader);
	if (http->answers.asks != HV_HTTP_STAYS)
		return fail(reader, "the answer to an HTTP request cannot be understood");
	http->stage = HV_HTTP_BEFORE;
	return HV_SERVER_NAME_MORE;
}

enum hv_server_name_event hv_http_feed(struct hv_server_name_reader *reader,
				       const uint8_t *data, size_t size, size_t *used)
{
	switch (reader->http.stage) {
	case HV_HTTP_BEFORE:
		return before_request(reader, data[0], used);
	case HV_HTTP_IN_HEAD:
		return in_head(reader, data, size, used);
	case HV_HTTP_IN_BODY:
		return in_body(reader, data, size, used);
	case HV_HTTP_AFTER:
	default:
		return after_answer(reader);
	}
}

/* For some servers the end of the stream ends a line, and a head as well. */
enum hv_server_name_event hv_http_end(struct hv_server_name_reader *reader)
{
	struct hv_http_reader *http = &reader->http;

	if (reader->held == 0)
		return hv_name_over(reader);
	if (!http->guessing)
		return fail(reader, "the head of an HTTP request is cut off");
	if (http->stage == HV_HTTP_IN_HEAD)
		return on_verdict(reader, hv_http_guess(&http->guess, '\n'));
	return guess_body(reader, '\n') == HV_SERVER_NAME_MORE ? hv_name_over(reader)
							       : HV_SERVER_NAME_UNREADABLE;
}

void hv_http_begin_odd(struct hv_http_reader *http)
{
	http->odd = true;
	http->blank = 1;
}

void hv_http_free(struct hv_http_reader *http)
{
	hv_bytes_free(&http->line);
}
