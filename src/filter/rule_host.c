/*
 * HOST of a rule: addresses, blocks, names, `host` and `*`, and where in the word PORTS begin.
 *
 * A word without dot and colon is PORTS, but for `host` and `*`. One colon stands before PORTS; more make an IPv6
 * address, which stands in brackets when PORTS follow.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "filter/name.h"
#include "filter/rule_reader.h"

enum { LABEL_MAX = 63 };

struct part {
	const char *text;
	size_t size;
};

static bool is(struct part part, const char *word)
{
	return part.size == strlen(word) && memcmp(part.text, word, part.size) == 0;
}

static bool has(struct part part, char c)
{
	return memchr(part.text, c, part.size) != NULL;
}

static bool only(struct part part, const char *characters)
{
	for (size_t i = 0; i < part.size; i++) {
		if (part.text[i] == '\0' || !strchr(characters, part.text[i]))
			return false;
	}
	return true;
}

/* --- addresses and blocks ------------------------------------------------------------------ */

static bool read_address(struct part part, struct hv_block *block)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (part.size >= sizeof(text))
		return false;
	memcpy(text, part.text, part.size);
	text[part.size] = '\0';
	if (strlen(text) != part.size)
		return false;
	if (inet_pton(AF_INET, text, bytes) == 1)
		block->address = hv_addr_v4(bytes);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		block->address = hv_addr_v6(bytes);
	else
		return false;
	/* What is written as ::ffff:192.0.2.1 is IPv4 to everybody (RFC 4291 section 2.5.5.2). */
	block->v6 = !hv_addr_is_v4(&block->address);
	block->bits = 128;
	return true;
}

/* Clears what stands behind the prefix; returns whether anything did. */
static bool cut(struct hv_block *block)
{
	struct hv_addr before = block->address;

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = block->bits > i * 8 ? block->bits - i * 8 : 0;

		if (keep < 8)
			block->address.b[i] &= (uint8_t)(0xff00 >> keep);
	}
	return !hv_addr_equal(&before, &block->address);
}

/* The number behind the slash. `mapped`: an IPv4 address in its IPv6 form, whose prefix counts from there. */
static int read_bits(struct hv_reader *reader, struct part whole, const char *slash,
		     bool mapped, struct hv_block *block)
{
	struct part digits = {slash + 1, whole.size - (size_t)(slash + 1 - whole.text)};
	uint32_t most = block->v6 || mapped ? 128 : 32, least = mapped ? 96 : 0, bits;
	char text[INET6_ADDRSTRLEN];

	if (!hv_reader_number(digits.text, digits.size, most, &bits) || bits < least)
		return hv_reader_expected(reader, digits.text, digits.size,
					  "a prefix length of %u to %u", least, most);
	block->bits = (uint8_t)(bits + 128 - most);
	if (cut(block))
		return hv_reader_expected(reader, whole.text, whole.size,
					  "a block without bits behind its prefix, as %s/%u",
					  hv_addr_text(&block->address, text, sizeof(text)),
					  block->v6 ? block->bits : block->bits - 96U);
	return 0;
}

/* "192.0.2.0/24". `what` is expected otherwise. */
static int read_block(struct hv_reader *reader, struct part part, const char *what,
		      struct hv_block *block)
{
	const char *slash = memchr(part.text, '/', part.size);
	struct part address = {part.text, slash ? (size_t)(slash - part.text) : part.size};

	if (!read_address(address, block))
		return hv_reader_expected(reader, part.text, part.size, "%s", what);
	if (!slash)
		return 0;
	return read_bits(reader, part, slash, !block->v6 && has(address, ':'), block);
}

/* Digits and dots, or a last label of digits, which no name has (RFC 1123 section 2.1). */
static bool is_like_v4(struct part part)
{
	const char *slash = memchr(part.text, '/', part.size);
	size_t at;

	if (slash)
		part.size = (size_t)(slash - part.text);
	at = part.size;
	if (only(part, "0123456789.") && !only(part, "."))
		return true;
	while (at > 0 && part.text[at - 1] >= '0' && part.text[at - 1] <= '9')
		at--;
	return at < part.size && at > 0 && part.text[at - 1] == '.';
}

/* --- names --------------------------------------------------------------------------------- */

static bool is_name_character(char c)
{
	c = hv_name_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static int check_label(struct hv_reader *reader, struct part whole, struct part label)
{
	for (size_t i = 0; i < label.size; i++) {
		char c = label.text[i];

		if (c == '*')
			return hv_reader_expected(reader, label.text, label.size,
						  "`*` alone or in front, as *.example.org");
		if ((unsigned char)c >= 0x80)
			return hv_reader_expected(reader, whole.text, whole.size,
						  "a name in ASCII (its form that begins with "
						  "xn--)");
		if (!is_name_character(c))
			return hv_reader_expected(reader, &label.text[i], 1,
						  "letters, digits, `-`, `_` or `.` of a name");
	}
	if (label.size > LABEL_MAX)
		return hv_reader_expected(reader, label.text, label.size,
					  "at most %d characters between dots", LABEL_MAX);
	if (label.size == 0)
		return hv_reader_expected(reader, whole.text, whole.size,
					  "a name without empty parts");
	return 0;
}

static int read_name(struct hv_reader *reader, struct part part, struct hv_rule_draft *draft)
{
	struct part whole = part;
	size_t start = 0;

	draft->spec.host = HV_HOST_NAME;
	if (part.size >= 2 && memcmp(part.text, "*.", 2) == 0) {
		draft->spec.host = HV_HOST_BELOW;
		part.text += 2;
		part.size -= 2;
	}
	if (part.size > 1 && part.text[part.size - 1] == '.')
		part.size--;
	for (size_t i = 0; i <= part.size; i++) {
		struct part label = {part.text + start, i - start};
		int error;

		if (i < part.size && part.text[i] != '.')
			continue;
		error = check_label(reader, whole, label);
		if (error < 0)
			return error;
		start = i + 1;
	}
	if (hv_name_canonical(part.text, part.size, draft->name) < 0)
		return hv_reader_expected(reader, whole.text, whole.size,
					  "a name of at most 253 characters");
	return 0;
}

/* --- the word ------------------------------------------------------------------------------ */

static int read_host(struct hv_reader *reader, struct part part, struct hv_rule_draft *draft)
{
	if (is(part, "*"))
		return 0;
	if (is(part, "host")) {
		draft->spec.host = HV_HOST_SELF;
		return 0;
	}
	if (is_like_v4(part)) {
		draft->spec.host = HV_HOST_BLOCK;
		return read_block(reader, part, "an IPv4 address", &draft->spec.host_block);
	}
	if (has(part, '/'))
		return hv_reader_expected(reader, part.text, part.size,
					  "an address before the `/`");
	return read_name(reader, part, draft);
}

/* "[2001:db8::1]:443"; a prefix length stands before or after the bracket. */
static int read_bracket(struct hv_reader *reader, struct hv_rule_draft *draft)
{
	const char *end = reader->word + reader->size;
	const char *close = memchr(reader->word, ']', reader->size);
	struct part inner = {reader->word + 1, 0};
	struct hv_block *block = &draft->spec.host_block;
	const char *rest;
	int error;

	if (!close)
		return hv_reader_word_expected(reader, "`]` behind the IPv6 address");
	inner.size = (size_t)(close - inner.text);
	draft->spec.host = HV_HOST_BLOCK;
	error = read_block(reader, inner, "an IPv6 address in brackets", block);
	if (error < 0)
		return error;
	rest = close + 1;
	if (rest < end && *rest == '/' && !has(inner, '/')) {
		const char *colon = memchr(rest, ':', (size_t)(end - rest));
		struct part whole = {reader->word,
				     (size_t)((colon ? colon : end) - reader->word)};

		error = read_bits(reader, whole, rest, !block->v6 && has(inner, ':'), block);
		if (error < 0)
			return error;
		rest = whole.text + whole.size;
	}
	if (rest == end)
		return 0;
	if (*rest != ':')
		return hv_reader_expected(reader, rest, (size_t)(end - rest),
					  "`:` and ports behind the bracket");
	return hv_rule_ports(reader, draft, rest + 1, (size_t)(end - rest) - 1);
}

static unsigned count_colons(struct part part)
{
	unsigned colons = 0;

	for (size_t i = 0; i < part.size; i++)
		colons += part.text[i] == ':';
	return colons;
}

/* Of a word with two colons or more: hexadecimal digits before the first, or no port behind it. */
static bool is_like_v6(struct part part)
{
	const char *colon = memchr(part.text, ':', part.size);
	struct part first = {part.text, (size_t)(colon - part.text)};

	return first.size > 0 ? only(first, "0123456789abcdefABCDEF") : colon[1] == ':';
}

static bool is_option(const struct hv_reader *reader)
{
	return hv_reader_is(reader, "from") || hv_reader_is(reader, "drop") ||
	       hv_reader_is(reader, "log") || hv_reader_is(reader, "limit") ||
	       hv_reader_is(reader, "max");
}

static int read_word(struct hv_reader *reader, struct hv_rule_draft *draft)
{
	struct part word = {reader->word, reader->size}, host = word;
	unsigned colons = count_colons(word);
	const char *colon = memchr(word.text, ':', word.size);
	int error;

	if (*word.text == '[')
		return read_bracket(reader, draft);
	if (colons >= 2 && is_like_v6(word)) {
		draft->spec.host = HV_HOST_BLOCK;
		return read_block(reader, word,
				  "an IPv6 address, in brackets when ports are behind it",
				  &draft->spec.host_block);
	}
	if (!colon && !has(word, '.') && !is(word, "host") && !is(word, "*"))
		return hv_rule_ports(reader, draft, word.text, word.size);
	if (colon)
		host.size = (size_t)(colon - word.text);
	if (host.size > 0) {
		error = read_host(reader, host, draft);
		if (error < 0)
			return error;
	}
	return colon ? hv_rule_ports(reader, draft, colon + 1, word.size - host.size - 1) : 0;
}

int hv_rule_host(struct hv_reader *reader, struct hv_rule_draft *draft)
{
	int error;

	if (reader->size == 0 || is_option(reader))
		return 0;
	error = read_word(reader, draft);
	if (error == 0)
		hv_reader_next(reader);
	return error;
}

int hv_rule_source(struct hv_reader *reader, struct hv_rule_draft *draft)
{
	struct part word = {reader->word, reader->size};

	if (is(word, "host")) {
		draft->spec.source = HV_HOST_SELF;
		return 0;
	}
	draft->spec.source = HV_HOST_BLOCK;
	if (word.size > 2 && *word.text == '[' && word.text[word.size - 1] == ']') {
		word.text++;
		word.size -= 2;
	}
	return read_block(reader, word, "an address, a block or `host` behind `from`",
			  &draft->spec.source_block);
}
