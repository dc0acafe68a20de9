/*
 * Heads of HTTP/1 requests. See http_head.h.
 */
#include "gateway/http_head.h"

#include <string.h>

#include "gateway/host_name.h"
#include "gateway/http_field.h"
#include "gateway/http_guess.h"

#define METHOD_MAX 32

#define BAD_REQUEST_LINE "the first line of an HTTP request is malformed"
#define BAD_TARGET	 "the target of an HTTP request is malformed"

/* --- the request line ----------------------------------------------------------------------- */

static bool is_word(const uint8_t *data, size_t size, const char *word)
{
	return size == strlen(word) && memcmp(data, word, size) == 0;
}

static const char *read_method(struct hv_http_head *head, const uint8_t *method, size_t size)
{
	if (size == 0 || size > METHOD_MAX)
		return BAD_REQUEST_LINE;
	for (size_t i = 0; i < size; i++) {
		if (!hv_http_is_token(method[i]))
			return BAD_REQUEST_LINE;
	}
	if (is_word(method, size, "CONNECT"))
		head->method = HV_HTTP_METHOD_CONNECT;
	else if (is_word(method, size, "HEAD"))
		head->method = HV_HTTP_METHOD_HEAD;
	else if (is_word(method, size, "OPTIONS"))
		head->method = HV_HTTP_METHOD_OPTIONS;
	return NULL;
}

static const char *read_version(struct hv_http_head *head, const uint8_t *version, size_t size)
{
	if (is_word(version, size, "HTTP/2.0"))
		return "HTTP/2 without TLS cannot be looked into";
	head->minor = is_word(version, size, "HTTP/1.1");
	if (!head->minor && !is_word(version, size, "HTTP/1.0"))
		return "the version of an HTTP request is neither 1.0 nor 1.1";
	return NULL;
}

static const char *read_authority(struct hv_http_head *head, const uint8_t *text, size_t size)
{
	head->has_authority = true;
	return hv_host_and_port(text, size, head->authority)
		       ? NULL
		       : "the target of an HTTP request has no host name where one must be";
}

/* RFC 3986 section 3.1. 0: none, or without the slashes of an authority. */
static size_t find_authority(const uint8_t *target, size_t size)
{
	size_t i = 0;

	while (i < size && ((target[i] | 0x20) >= 'a' && (target[i] | 0x20) <= 'z'))
		i++;
	return i > 0 && size - i >= 3 && memcmp(target + i, "://", 3) == 0 ? i + 3 : 0;
}

/* RFC 9112 section 3.2: which form of target it is. */
static const char *read_target(struct hv_http_head *head, const uint8_t *target, size_t size)
{
	size_t from, end;

	if (head->method == HV_HTTP_METHOD_CONNECT)
		return read_authority(head, target, size);
	if (target[0] == '/' ||
	    (head->method == HV_HTTP_METHOD_OPTIONS && is_word(target, size, "*")))
		return NULL;
	from = find_authority(target, size);
	if (from == 0)
		return BAD_TARGET;
	for (end = from; end < size && !strchr("/?#", target[end]);)
		end++;
	return read_authority(head, target + from, end - from);
}

/* Three words with one space between: anything else is for a server to guess. */
static const char *read_request_line(struct hv_http_head *head, const uint8_t *line,
				     size_t size)
{
	const uint8_t *target = memchr(line, ' ', size), *version;
	size_t left = target ? size - (size_t)(target - line) - 1 : 0;
	const char *fault;

	version = left > 0 ? memchr(++target, ' ', left) : NULL;
	if (!version || version == target)
		return BAD_REQUEST_LINE;
	for (const uint8_t *c = target; c < version; c++) {
		if (*c <= ' ' || *c == 0x7f)
			return BAD_TARGET;
	}
	fault = read_version(head, version + 1, left - (size_t)(version - target) - 1);
	if (!fault)
		fault = read_method(head, line, (size_t)(target - line) - 1);
	if (!fault)
		fault = read_target(head, target, (size_t)(version - target));
	return fault;
}

/* --- fields --------------------------------------------------------------------------------- */

static const char *read_host(struct hv_http_head *head, const struct hv_http_field *field)
{
	if (head->has_host)
		return "an HTTP request has two fields Host";
	head->has_host = true;
	if (field->value_size == 0)
		return NULL;
	return hv_host_and_port(field->value, field->value_size, head->host)
		       ? NULL
		       : "the Host of an HTTP request is no host name";
}

/* RFC 9110 section 8.6: the same length may be said again. */
static const char *read_length(struct hv_http_head *head, const struct hv_http_field *field)
{
	uint64_t length;

	if (!hv_http_field_length(field, &length))
		return "the Content-Length of an HTTP request is no number";
	if (head->has_length && length != head->length)
		return "an HTTP request has two lengths";
	head->has_length = true;
	head->length = length;
	return NULL;
}

/* RFC 9112 section 6.1: other codings exist on paper. */
static const char *read_coding(struct hv_http_head *head, const struct hv_http_field *field)
{
	if (head->chunked || !hv_http_value_is(field, "chunked"))
		return "the Transfer-Encoding of an HTTP request is not just chunked";
	head->chunked = true;
	return NULL;
}

static bool begins(const uint8_t *text, size_t size, const char *with)
{
	size_t n = strlen(with);

	return size >= n && strncasecmp((const char *)text, with, n) == 0;
}

/* RFC 9110 section 7.8. In HTTP/2 and TLS other names can be said, which nobody here would see. */
static const char *read_upgrade(struct hv_http_head *head, const struct hv_http_field *field)
{
	const uint8_t *protocol;
	size_t at = 0, size;

	head->upgrade = true;
	while (hv_http_field_element(field, &at, &protocol, &size)) {
		if (begins(protocol, size, "h2") || begins(protocol, size, "http") ||
		    begins(protocol, size, "tls"))
			return "an HTTP request wants to go on as what cannot be looked into";
	}
	return NULL;
}

static const char *read_field(struct hv_http_head *head, const uint8_t *line, size_t size)
{
	struct hv_http_field field;

	if (!hv_http_field_read(line, size, &field))
		return "a field of an HTTP request is malformed";
	if (!hv_http_name_is_special(field.name, field.name_size))
		return NULL;
	if (hv_http_field_is(&field, "host"))
		return read_host(head, &field);
	if (hv_http_field_is(&field, "content-length"))
		return read_length(head, &field);
	if (hv_http_field_is(&field, "transfer-encoding"))
		return read_coding(head, &field);
	if (hv_http_field_is(&field, "upgrade"))
		return read_upgrade(head, &field);
	if (hv_http_field_is(&field, "http2-settings"))
		return "an HTTP request wants to go on as HTTP/2, which cannot be looked into";
	/* With an underscore, which some take for a hyphen. */
	return "a field of an HTTP request has almost the name of one that matters";
}

/* --- the head ------------------------------------------------------------------------------- */

/*
 * Servers differ in what ends a line (RFC 9112 section 2.2). Whoever takes LF alone for it sees as many lines as there can be;
 * one who does not sees nothing at all, as long as no line ends with CR LF. False: lines of both kinds.
 */
static bool note_line_end(struct hv_http_head *head, bool bare)
{
	if (head->lines++ == 0)
		head->bare = bare;
	return head->bare == bare;
}

const char *hv_http_head_line(struct hv_http_head *head, const uint8_t *line, size_t size)
{
	bool bare = size < 2 || line[size - 2] != '\r';

	size -= bare ? 1 : 2;
	if (!note_line_end(head, bare))
		return "the lines of an HTTP request do not all end alike";
	if (head->lines == 1)
		return read_request_line(head, line, size);
	if (size == 0) {
		head->ended = true;
		return NULL;
	}
	return read_field(head, line, size);
}

/* What the fields say together. NULL: nothing that contradicts. */
static const char *find_contradiction(const struct hv_http_head *head)
{
	if (head->chunked && head->has_length)
		return "an HTTP request has two ways to say how long it is";
	if (head->chunked && !head->minor)
		return "a request of HTTP/1.0 has a Transfer-Encoding";
	if (head->method == HV_HTTP_METHOD_CONNECT && (head->chunked || head->has_length))
		return "an HTTP request CONNECT has a body";
	if (!head->has_authority)
		return NULL;
	if (head->method == HV_HTTP_METHOD_CONNECT && !head->has_host)
		return NULL;
	/* RFC 9112 section 3.2.2: the target counts; but not all servers know. */
	if (strcmp(head->authority, head->host) != 0)
		return "the target and the Host of an HTTP request do not agree";
	return NULL;
}

enum hv_server_name_event hv_http_head_judge(const struct hv_http_head *head,
					     char name[HV_SERVER_NAME_SIZE], const char **fault)
{
	name[0] = '\0';
	*fault = find_contradiction(head);
	if (*fault)
		return HV_SERVER_NAME_UNREADABLE;
	memcpy(name, head->has_authority ? head->authority : head->host, HV_SERVER_NAME_SIZE);
	if (name[0])
		return HV_SERVER_NAME_NAME;
	*fault = "an HTTP request has no Host";
	return HV_SERVER_NAME_MISSING;
}
