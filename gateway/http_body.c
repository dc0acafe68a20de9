/*
 * Bodies of HTTP/1 messages. See http_body.h.
 *
 *	size [blanks] [;extension] CR LF
 *	data CR LF                             as often as the size is not 0
 *	[trailer CR LF]... CR LF
 *
 * Lines end with CR LF here: there are servers that pass over a lone LF in an extension, and would take what follows
 * for something else.
 */
#include "gateway/http_body.h"

#include "gateway/http_field.h"
#include "gateway/http_guess.h"

/* Servers have less patience. */
#define EXTENSION_MAX 4096
#define TRAILERS_MAX  65536
#define DIGITS_MAX    15 /* of a size, so that it is no negative number for anybody */

void hv_http_body_begin(struct hv_http_body *body, uint64_t length)
{
	*body = (struct hv_http_body){.stage = HV_HTTP_BODY_PLAIN, .left = length};
}

void hv_http_body_begin_chunked(struct hv_http_body *body)
{
	*body = (struct hv_http_body){.stage = HV_HTTP_CHUNK_SIZE};
}

static enum hv_http_body_event go(struct hv_http_body *body, int stage)
{
	body->stage = stage;
	return HV_HTTP_BODY_GOES_ON;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After the size, where blanks, an extension or the end of the line may stand. */
static enum hv_http_body_event after_size(struct hv_http_body *body, uint8_t byte)
{
	if (body->digits == 0 || ++body->extra > EXTENSION_MAX)
		return HV_HTTP_BODY_BAD;
	switch (byte) {
	case ' ':
	case '\t':
		return go(body, HV_HTTP_CHUNK_BLANK);
	case ';':
		return go(body, HV_HTTP_CHUNK_EXTENSION);
	case '\r':
		return go(body, HV_HTTP_CHUNK_SIZE_LF);
	default:
		return HV_HTTP_BODY_BAD;
	}
}

static enum hv_http_body_event in_size(struct hv_http_body *body, uint8_t byte)
{
	int digit = hex_digit(byte);

	if (digit < 0)
		return after_size(body, byte);
	if (++body->digits > DIGITS_MAX)
		return HV_HTTP_BODY_BAD;
	body->left = body->left << 4 | (unsigned)digit;
	return HV_HTTP_BODY_GOES_ON;
}

static bool is_text(uint8_t byte)
{
	return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static enum hv_http_body_event in_extension(struct hv_http_body *body, uint8_t byte)
{
	if (byte == '\r')
		return go(body, HV_HTTP_CHUNK_SIZE_LF);
	if (!is_text(byte) || ++body->extra > EXTENSION_MAX)
		return HV_HTTP_BODY_BAD;
	return HV_HTTP_BODY_GOES_ON;
}

/* The byte must be LF; then the stage follows. */
static enum hv_http_body_event expect_lf(struct hv_http_body *body, uint8_t byte, int stage)
{
	return byte == '\n' ? go(body, stage) : HV_HTTP_BODY_BAD;
}

static enum hv_http_body_event begin_chunk(struct hv_http_body *body)
{
	body->digits = 0;
	body->extra = 0;
	return go(body, body->left > 0 ? HV_HTTP_CHUNK_DATA : HV_HTTP_TRAILER);
}

static enum hv_http_body_event in_trailer_name(struct hv_http_body *body, uint8_t byte)
{
	if (hv_http_is_token(byte)) {
		if (body->name_size < sizeof(body->name))
			body->name[body->name_size++] = byte;
		return go(body, HV_HTTP_TRAILER_IN_NAME);
	}
	if (byte != ':' || body->name_size == 0 ||
	    hv_http_name_is_special(body->name, body->name_size))
		return HV_HTTP_BODY_BAD;
	return go(body, HV_HTTP_TRAILER_IN_VALUE);
}

static enum hv_http_body_event in_trailer(struct hv_http_body *body, uint8_t byte)
{
	if (++body->extra > TRAILERS_MAX)
		return HV_HTTP_BODY_BAD;
	switch (body->stage) {
	case HV_HTTP_TRAILER:
		body->name_size = 0;
		return byte == '\r' ? go(body, HV_HTTP_BODY_LF) : in_trailer_name(body, byte);
	case HV_HTTP_TRAILER_IN_NAME:
		return in_trailer_name(body, byte);
	case HV_HTTP_TRAILER_IN_VALUE:
		if (byte == '\r')
			return go(body, HV_HTTP_TRAILER_LF);
		return is_text(byte) ? HV_HTTP_BODY_GOES_ON : HV_HTTP_BODY_BAD;
	case HV_HTTP_TRAILER_LF:
	default:
		return expect_lf(body, byte, HV_HTTP_TRAILER);
	}
}

/* Anything but data. */
static enum hv_http_body_event step(struct hv_http_body *body, uint8_t byte)
{
	switch (body->stage) {
	case HV_HTTP_CHUNK_SIZE:
		return in_size(body, byte);
	case HV_HTTP_CHUNK_BLANK:
		return after_size(body, byte);
	case HV_HTTP_CHUNK_EXTENSION:
		return in_extension(body, byte);
	case HV_HTTP_CHUNK_SIZE_LF:
		return byte == '\n' ? begin_chunk(body) : HV_HTTP_BODY_BAD;
	case HV_HTTP_CHUNK_CR:
		return byte == '\r' ? go(body, HV_HTTP_CHUNK_LF) : HV_HTTP_BODY_BAD;
	case HV_HTTP_CHUNK_LF:
		return expect_lf(body, byte, HV_HTTP_CHUNK_SIZE);
	case HV_HTTP_BODY_LF:
		return byte == '\n' ? HV_HTTP_BODY_ENDS : HV_HTTP_BODY_BAD;
	default:
		return in_trailer(body, byte);
	}
}

/* Whole spans at once. */
static enum hv_http_body_event pass_data(struct hv_http_body *body, size_t size, size_t *used)
{
	bool plain = body->stage == HV_HTTP_BODY_PLAIN;

	*used = size < body->left ? size : (size_t)body->left;
	body->left -= *used;
	if (body->left > 0)
		return HV_HTTP_BODY_GOES_ON;
	return plain ? HV_HTTP_BODY_ENDS : go(body, HV_HTTP_CHUNK_CR);
}

enum hv_http_body_event hv_http_body_pass(struct hv_http_body *body, const uint8_t *data,
					  size_t size, size_t *used)
{
	enum hv_http_body_event event = HV_HTTP_BODY_GOES_ON;
	size_t n;

	for (*used = 0; event == HV_HTTP_BODY_GOES_ON && *used < size; *used += n) {
		n = 1;
		if (body->stage == HV_HTTP_BODY_PLAIN || body->stage == HV_HTTP_CHUNK_DATA)
			event = pass_data(body, size - *used, &n);
		else
			event = step(body, data[*used]);
	}
	return event;
}
