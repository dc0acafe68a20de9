/* The smallest pieces of a script: words, numbers, durations. */
#include "cursor.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool seg_bad(struct seg_cursor *c, const char *format, ...)
{
	char what[SEG_LINE];
	va_list list;

	if (c->failed)
		return false;
	c->failed = true;
	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	snprintf(c->script->error, sizeof(c->script->error), "%s:%d:%d: %s\n\t%s", c->file,
		 c->line, (int)(c->at - c->text) + 1, what, c->text);
	return false;
}

void seg_blanks(struct seg_cursor *c)
{
	while (*c->at == ' ' || *c->at == '\t')
		c->at++;
}

bool seg_at_end(struct seg_cursor *c)
{
	return seg_peek(c) == 0;
}

char seg_peek(struct seg_cursor *c)
{
	seg_blanks(c);
	return *c->at;
}

bool seg_take(struct seg_cursor *c, char wanted)
{
	if (seg_peek(c) != wanted)
		return false;
	c->at++;
	return true;
}

static bool is_word_byte(char byte)
{
	return isalnum((unsigned char)byte) || byte == '-' || byte == '_' || byte == '/' ||
	       byte == '.';
}

bool seg_take_word(struct seg_cursor *c, const char *wanted)
{
	size_t size = strlen(wanted);

	seg_blanks(c);
	if (strncmp(c->at, wanted, size) != 0 || is_word_byte(c->at[size]))
		return false;
	c->at += size;
	return true;
}

bool seg_word(struct seg_cursor *c, char *out, size_t size)
{
	size_t used = 0;

	seg_blanks(c);
	if (!is_word_byte(*c->at))
		return false;
	while (is_word_byte(*c->at)) {
		if (used + 1 >= size)
			return seg_bad(c, "this word is too long");
		out[used++] = *c->at++;
	}
	out[used] = 0;
	return true;
}

bool seg_text(struct seg_cursor *c, char *out, size_t size)
{
	size_t used = 0;

	if (!seg_take(c, '"'))
		return seg_word(c, out, size) || seg_bad(c, "a word was expected");
	while (*c->at && *c->at != '"') {
		if (used + 1 >= size)
			return seg_bad(c, "this text is too long");
		out[used++] = *c->at++;
	}
	out[used] = 0;
	return seg_take(c, '"') || seg_bad(c, "the closing quote is missing");
}

/* One number; it may have a sign. */
static bool read_factor(struct seg_cursor *c, int64_t *out)
{
	bool negative = seg_take(c, '-');
	int64_t value = 0;
	int base = 10, digits = 0;

	*out = 0;
	seg_blanks(c);
	if (c->at[0] == '0' && c->at[1] == 'x') {
		base = 16;
		c->at += 2;
	}
	for (;; c->at++, digits++) {
		char byte = (char)tolower((unsigned char)*c->at);
		int digit = isdigit((unsigned char)byte)	       ? byte - '0'
			    : base == 16 && byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
								       : -1;

		if (digit < 0)
			break;
		if (value > INT64_MAX / 32)
			return seg_bad(c, "this number is too large");
		value = value * base + digit;
	}
	if (!digits)
		return seg_bad(c, "a number was expected");
	if (*c->at == 'k') {
		value *= 1024;
		c->at++;
	}
	*out = negative ? -value : value;
	return true;
}

static bool read_product(struct seg_cursor *c, int64_t *out)
{
	int64_t factor = 0;

	if (!read_factor(c, out))
		return false;
	while (*c->at == '*') {
		c->at++;
		if (!read_factor(c, &factor))
			return false;
		*out *= factor;
	}
	return true;
}

bool seg_number(struct seg_cursor *c, int64_t *out)
{
	int64_t part = 0;

	if (!read_product(c, out))
		return false;
	while (*c->at == '+' || *c->at == '-') {
		bool minus = *c->at++ == '-';

		if (!read_product(c, &part))
			return false;
		*out += minus ? -part : part;
	}
	return true;
}

bool seg_value(struct seg_cursor *c, struct seg_value *out)
{
	out->given = true;
	out->any = seg_take(c, '*');
	if (out->any)
		return true;
	if (!seg_number(c, &out->low))
		return false;
	out->high = out->low;
	if (c->at[0] == '.' && c->at[1] == '.') {
		c->at += 2;
		if (!seg_number(c, &out->high))
			return false;
		if (out->high < out->low)
			return seg_bad(c, "this range ends before it begins");
	}
	return true;
}

bool seg_is_value(struct seg_cursor *c)
{
	char next = seg_peek(c);

	return isdigit((unsigned char)next) || next == '*' || next == '-';
}

bool seg_duration(struct seg_cursor *c, uint64_t *out_ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {
		{"ms", 1000000},      {"us", 1000},
		{"s", 1000000000},    {"m", 60 * UINT64_C(1000000000)},
		{"h", 3600000000000}, {"d", 86400000000000},
		{"", 1000000000}, /* no unit: seconds */
	};
	uint64_t whole = 0, fraction = 0, scale = 1;
	int digits = 0;

	seg_blanks(c);
	for (; isdigit((unsigned char)*c->at); c->at++, digits++)
		whole = whole * 10 + (uint64_t)(*c->at - '0');
	if (c->at[0] == '.' && c->at[1] != '.') {
		for (c->at++; isdigit((unsigned char)*c->at); c->at++, digits++, scale *= 10)
			fraction = fraction * 10 + (uint64_t)(*c->at - '0');
	}
	if (!digits || digits > 12)
		return seg_bad(c, "a time was expected");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t size = strlen(units[i].unit);

		if (strncmp(c->at, units[i].unit, size) == 0 &&
		    !isalpha((unsigned char)c->at[size])) {
			c->at += size;
			*out_ns = whole * units[i].ns + fraction * units[i].ns / scale;
			return true;
		}
	}
	return seg_bad(c, "no such unit of time: us, ms, s, m, h, d");
}
