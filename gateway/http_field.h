/*
 * Single fields of HTTP heads and trailers (RFC 9112 section 5), of requests and of answers.
 */
#ifndef HV_GATEWAY_HTTP_FIELD_H
#define HV_GATEWAY_HTTP_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name and a value without the white space around it, in the line they were read from. */
struct hv_http_field {
	const uint8_t *name, *value;
	size_t name_size, value_size;
};

/* A line without its end. False: it is no field, or one that some server would read otherwise. */
bool hv_http_field_read(const uint8_t *line, size_t size, struct hv_http_field *field);

/* Letters of either case are the same. name: in small letters. */
bool hv_http_field_is(const struct hv_http_field *field, const char *name);
bool hv_http_value_is(const struct hv_http_field *field, const char *value);

/* Content-Length: digits alone, up to 2^63 - 1. */
bool hv_http_field_length(const struct hv_http_field *field, uint64_t *length);

/*
 * The next element of a value that is a list (RFC 9110 section 5.6.1), without white space around it: begins with *at = 0. False:
 * there is none any more.
 */
bool hv_http_field_element(const struct hv_http_field *field, size_t *at,
			   const uint8_t **element, size_t *size);

/* Names that say how a message is framed or where it goes: of these, fields in trailers are a trick. */
bool hv_http_name_is_special(const uint8_t *name, size_t size);

#endif
