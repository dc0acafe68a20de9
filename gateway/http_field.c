/*
 * Fields of HTTP. See http_field.h.
 */
#include "gateway/http_field.h"

#include <string.h>

#include "gateway/http_guess.h"

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

/* RFC 9110 section 5.5, and no other control character, which some take for the end of a line. */
static bool is_value_byte(uint8_t byte)
{
	return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

bool hv_http_field_read(const uint8_t *line, size_t size, struct hv_http_field *field)
{
	size_t colon = 0, from;

	while (colon < size && hv_http_is_token(line[colon]))
		colon++;
	if (colon == 0 || colon == size || line[colon] != ':')
		return false;
	for (from = colon + 1; from < size; from++) {
		if (!is_value_byte(line[from]))
			return false;
	}
	from = colon + 1;
	while (from < size && is_blank(line[from]))
		from++;
	while (size > from && is_blank(line[size - 1]))
		size--;
	*field = (struct hv_http_field){line, line + from, colon, size - from};
	return true;
}

/* With small letters in `text`; an underscore of `data` counts as a hyphen when fuzzy. */
static bool equals(const uint8_t *data, size_t size, const char *text, bool fuzzy)
{
	if (size != strlen(text))
		return false;
	for (size_t i = 0; i < size; i++) {
		uint8_t c = data[i];

		if (c >= 'A' && c <= 'Z')
			c = (uint8_t)(c + ('a' - 'A'));
		if (fuzzy && c == '_')
			c = '-';
		if (c != (uint8_t)text[i])
			return false;
	}
	return true;
}

bool hv_http_field_is(const struct hv_http_field *field, const char *name)
{
	return equals(field->name, field->name_size, name, false);
}

bool hv_http_value_is(const struct hv_http_field *field, const char *value)
{
	return equals(field->value, field->value_size, value, false);
}

bool hv_http_field_length(const struct hv_http_field *field, uint64_t *length)
{
	*length = 0;
	for (size_t i = 0; i < field->value_size; i++) {
		unsigned digit = field->value[i] - (unsigned)'0';

		if (digit > 9 || *length > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		*length = *length * 10 + digit;
	}
	return field->value_size > 0;
}

bool hv_http_field_element(const struct hv_http_field *field, size_t *at,
			   const uint8_t **element, size_t *size)
{
	size_t from = *at, end;

	while (from < field->value_size &&
	       (is_blank(field->value[from]) || field->value[from] == ','))
		from++;
	if (from == field->value_size)
		return false;
	for (end = from; end < field->value_size && field->value[end] != ',';)
		end++;
	*at = end;
	while (is_blank(field->value[end - 1]))
		end--;
	*element = field->value + from;
	*size = end - from;
	return true;
}

bool hv_http_name_is_special(const uint8_t *name, size_t size)
{
	static const char *const names[] = {"host", "content-length", "transfer-encoding",
					    "upgrade", "http2-settings"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (equals(name, size, names[i], true))
			return true;
	}
	return false;
}
