/*
 * Segments as they are written in a script:
 *
 *	SA 0(0) ack 1 win 65535 <mss 1460, sackok, ts 0 100, wscale 7>
 */
#include "cursor.h"

#include <ctype.h>
#include <string.h>

static bool read_flags(struct seg_cursor *c, struct seg_segment *segment)
{
	static const struct {
		char letter;
		uint8_t flag;
	} flags[] = {
		{'S', SEG_SYN}, {'F', SEG_FIN}, {'R', SEG_RST}, {'P', SEG_PSH},
		{'A', SEG_ACK}, {'.', SEG_ACK}, {'U', SEG_URG}, {'E', SEG_ECE},
		{'W', SEG_CWR}, {'-', 0},	{'p', 0},
	};

	seg_blanks(c);
	if (!*c->at || isdigit((unsigned char)*c->at))
		return seg_bad(c, "flags were expected: letters of SFRPAUEW, or - for none");
	for (; *c->at && *c->at != ' ' && *c->at != '\t'; c->at++) {
		size_t i = 0;

		while (i < sizeof(flags) / sizeof(flags[0]) && flags[i].letter != *c->at)
			i++;
		if (i == sizeof(flags) / sizeof(flags[0]))
			return seg_bad(c, "no such flag: they are SFRPAUEW, or - for none");
		segment->flags |= flags[i].flag;
		segment->push_or_not |= *c->at == 'p';
	}
	return true;
}

/* SEQ, SEQ(LENGTH), SEQ:END or SEQ:END(LENGTH). */
static bool read_sequence(struct seg_cursor *c, struct seg_segment *segment)
{
	struct seg_value end = {0};

	if (!seg_value(c, &segment->seq))
		return false;
	if (seg_take(c, ':') && !seg_value(c, &end))
		return false;
	if (seg_take(c, '(')) {
		if (!seg_value(c, &segment->size))
			return false;
		if (!seg_take(c, ')'))
			return seg_bad(c, "')' is missing after the length");
	} else if (end.given) {
		segment->size.given = true;
		segment->size.low = segment->size.high = end.low - segment->seq.low;
	} else {
		segment->size.given = true;
	}
	if (end.given && !segment->size.any && end.low - segment->seq.low != segment->size.low)
		return seg_bad(c, "the length is not the end less the beginning");
	if (segment->size.low < 0 || segment->size.high > 65535)
		return seg_bad(c, "this length cannot be");
	return true;
}

/* Bytes in hexadecimal: 01 02 or 0102. */
static bool read_bytes(struct seg_cursor *c, struct seg_option *option)
{
	while (isxdigit((unsigned char)seg_peek(c))) {
		unsigned byte = 0;

		for (int i = 0; i < 2; i++, c->at++) {
			int digit = tolower((unsigned char)*c->at);

			if (!isxdigit(digit))
				return seg_bad(c, "a byte has two digits");
			byte = byte * 16 +
			       (unsigned)(isdigit(digit) ? digit - '0' : digit - 'a' + 10);
		}
		if (option->size == SEG_BYTES)
			return seg_bad(c, "there is no room for more than 40 bytes of options");
		option->bytes[option->size++] = (uint8_t)byte;
	}
	return true;
}

static bool read_sack(struct seg_cursor *c, struct seg_option *option)
{
	while (seg_is_value(c)) {
		if (option->count == SEG_BLOCKS)
			return seg_bad(c, "no more than 4 blocks fit into a segment");
		if (!seg_value(c, &option->blocks[option->count][0]))
			return false;
		if (!seg_take(c, ':'))
			return seg_bad(c, "a block is LEFT:RIGHT");
		if (!seg_value(c, &option->blocks[option->count][1]))
			return false;
		option->count++;
	}
	return true;
}

static bool read_timestamps(struct seg_cursor *c, struct seg_option *option)
{
	if (seg_take_word(c, "auto")) {
		option->automatic = true;
		return true;
	}
	option->a.any = option->b.any = true;
	if (!seg_is_value(c))
		return true;
	option->a.any = option->b.any = false;
	return seg_value(c, &option->a) && seg_value(c, &option->b);
}

static bool read_option(struct seg_cursor *c, struct seg_option *option)
{
	char name[SEG_NAME];

	if (!seg_word(c, name, sizeof(name)))
		return seg_bad(c, "an option was expected: mss, wscale, sackok, sack, ts, "
				  "fastopen, nop, eol, bytes");
	if (strcmp(name, "mss") == 0) {
		option->kind = SEG_OPTION_MSS;
		return seg_value(c, &option->a);
	}
	if (strcmp(name, "wscale") == 0) {
		option->kind = SEG_OPTION_WSCALE;
		return seg_value(c, &option->a);
	}
	if (strcmp(name, "sackok") == 0) {
		option->kind = SEG_OPTION_SACKOK;
		return true;
	}
	if (strcmp(name, "sack") == 0) {
		option->kind = SEG_OPTION_SACK;
		return read_sack(c, option);
	}
	if (strcmp(name, "ts") == 0) {
		option->kind = SEG_OPTION_TS;
		return read_timestamps(c, option);
	}
	if (strcmp(name, "fastopen") == 0) {
		option->kind = SEG_OPTION_FASTOPEN;
		option->same = seg_take_word(c, "same");
		option->any = !option->same && seg_take(c, '*');
		return option->same || option->any || read_bytes(c, option);
	}
	if (strcmp(name, "bytes") == 0) {
		option->kind = SEG_OPTION_BYTES;
		return read_bytes(c, option);
	}
	option->kind = strcmp(name, "eol") == 0 ? SEG_OPTION_END : SEG_OPTION_NOP;
	return strcmp(name, "eol") == 0 || strcmp(name, "nop") == 0 ||
	       seg_bad(c, "there is no option '%s'", name);
}

static bool read_options(struct seg_cursor *c, struct seg_segment *segment)
{
	if (segment->mode != SEG_OPTIONS_UNSAID)
		return seg_bad(c, "options were given already");
	segment->mode = SEG_OPTIONS_LISTED;
	if (seg_take_word(c, "any")) {
		segment->mode = SEG_OPTIONS_ANY;
		return seg_take(c, '>') || seg_bad(c, "'>' is missing");
	}
	while (!seg_take(c, '>')) {
		if (segment->option_count == SEG_OPTIONS)
			return seg_bad(c, "too many options");
		if (segment->option_count && !seg_take(c, ','))
			return seg_bad(c, "',' or '>' was expected");
		if (!read_option(c, &segment->options[segment->option_count++]))
			return false;
	}
	return true;
}

static bool read_ecn(struct seg_cursor *c, struct seg_value *ecn)
{
	static const char *const names[] = {"none", "ect1", "ect0",
					    "ce"}; /* RFC 3168 section 5 */

	ecn->given = true;
	for (int i = 0; i < 4; i++) {
		if (seg_take_word(c, names[i])) {
			ecn->low = ecn->high = i;
			return true;
		}
	}
	return seg_bad(c, "one of none, ect0, ect1, ce was expected");
}

static bool read_address(struct seg_cursor *c, enum seg_odd_address *out)
{
	static const char *const names[] = {"", "multicast", "broadcast", "unspecified"};

	for (unsigned i = SEG_MULTICAST; i <= SEG_UNSPECIFIED; i++) {
		if (seg_take_word(c, names[i])) {
			*out = i;
			return true;
		}
	}
	return seg_bad(c, "multicast, broadcast or unspecified was expected");
}

static bool read_field(struct seg_cursor *c, struct seg_segment *segment, bool in)
{
	const struct {
		const char *name;
		struct seg_value *value;
		bool in_only;
	} fields[] = {
		{"ack", &segment->ack, false},
		{"win", &segment->window, false},
		{"urg", &segment->urgent, false},
		{"ttl", &segment->ttl, false},
		{"tos", &segment->tos, false},
		{"data-offset", &segment->data_offset, true},
		{"truncate", &segment->truncate, true},
		{"reserved", &segment->reserved, true},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if ((in || !fields[i].in_only) && seg_take_word(c, fields[i].name))
			return seg_value(c, fields[i].value);
	if (seg_take_word(c, "ecn"))
		return read_ecn(c, &segment->ecn);
	if (in && seg_take_word(c, "from"))
		return read_address(c, &segment->from);
	if (in && seg_take_word(c, "to"))
		return read_address(c, &segment->to);
	if (in && seg_take_word(c, "bad-checksum")) {
		segment->bad_checksum = true;
		return true;
	}
	if (in && seg_take_word(c, "no-ts")) {
		segment->no_timestamp = true;
		return true;
	}
	return seg_bad(c, "a segment has no such field");
}

/* What goes in must be known exactly. */
static bool check_exact(struct seg_cursor *c, const struct seg_segment *segment)
{
	const struct seg_value *values[] = {&segment->seq, &segment->size, &segment->ack,
					    &segment->window, &segment->urgent};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (values[i]->any || values[i]->low != values[i]->high)
			return seg_bad(c, "what goes in cannot be left open");
	return true;
}

bool seg_read_segment(struct seg_cursor *c, struct seg_segment *segment, bool in)
{
	if (!read_flags(c, segment) || !read_sequence(c, segment))
		return false;
	while (!seg_at_end(c)) {
		bool good = seg_take(c, '<') ? read_options(c, segment)
					     : read_field(c, segment, in);

		if (!good)
			return false;
	}
	if ((segment->flags & SEG_ACK) && !segment->ack.given)
		return seg_bad(c, "a segment with the flag A says what it acknowledges: ack N");
	if (in && segment->push_or_not)
		return seg_bad(c, "what goes in cannot be left open");
	return !in || check_exact(c, segment);
}
