/* Words of a rule, and errors. See rule_reader.h. */
#include "filter/rule_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

void hv_reader_init(struct hv_reader *reader, const char *line, size_t size)
{
	const char *comment = memchr(line, '#', size);

	reader->line = reader->next = line;
	reader->end = comment ? comment : line + size;
	hv_reader_next(reader);
}

void hv_reader_next(struct hv_reader *reader)
{
	const char *word = reader->next, *end;

	while (word < reader->end && is_blank(*word))
		word++;
	for (end = word; end < reader->end && !is_blank(*end); end++)
		;
	reader->word = word;
	reader->size = (size_t)(end - word);
	reader->next = end;
}

bool hv_reader_is(const struct hv_reader *reader, const char *word)
{
	return reader->size == strlen(word) && memcmp(reader->word, word, reader->size) == 0;
}

/* Of what was found, as much as helps; what is no text is shown as \xNN. */
static void quote(char *out, size_t space, const char *found, size_t size)
{
	size_t at = 0;

	if (size == 0) {
		snprintf(out, space, "nothing more");
		return;
	}
	out[at++] = '\'';
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)found[i];

		if (at + 9 > space) {
			at += (size_t)snprintf(out + at, space - at, "...");
			break;
		}
		if (c >= ' ' && c <= '~')
			out[at++] = (char)c;
		else
			at += (size_t)snprintf(out + at, space - at, "\\x%02x", (unsigned)c);
	}
	snprintf(out + at, space - at, "'");
}

int hv_reader_expected(struct hv_reader *reader, const char *found, size_t size,
		       const char *format, ...)
{
	struct haven_rule_error *error = reader->error;
	char what[224], quoted[72];
	va_list args;

	if (!error)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	quote(quoted, sizeof(quoted), found, size);
	error->column = (unsigned)(found - reader->line) + 1;
	snprintf(error->text, sizeof(error->text), "expected %s, found %s", what, quoted);
	return -EINVAL;
}

bool hv_reader_number(const char *text, size_t size, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;

	if (size == 0 || size > 10)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*out = (uint32_t)value;
	return value <= max;
}
