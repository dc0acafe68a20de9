/*
 * The words that describe a bad network ("loss=2% delay=20ms in.rate=10mbit") into two struct
 * haven_fault, one for each direction. Keys and units are tables.
 */
#include <ctype.h>
#include <string.h>

#include <haven/link.h>

/* A unit and how many of the field's own it stands for. */
struct unit {
	const char *name;
	uint64_t factor;
};

/* Shares are parts per million; a bare number is per cent. */
static const struct unit share_units[] = {{"", 10000}, {"%", 10000}, {"ppm", 1}, {NULL, 0}};
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};
/* A bare time is milliseconds. */
static const struct unit time_units[] = {{"", 1000000},	  {"ns", 1},	     {"us", 1000},
					 {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};
static const struct unit rate_units[] = {
	{"", 1},	   {"bit", 1},		 {"kbit", 1000},
	{"mbit", 1000000}, {"gbit", 1000000000}, {NULL, 0}};
static const struct unit size_units[] = {{"", 1},	  {"b", 1},	    {"k", 1 << 10},
					 {"kb", 1 << 10}, {"kib", 1 << 10}, {"m", 1 << 20},
					 {"mb", 1 << 20}, {"mib", 1 << 20}, {NULL, 0}};

struct key {
	const char *name;
	const struct unit *units;
	size_t offset, size; /* of the field */
	uint64_t maximum;
};

#define FIELD(name) offsetof(struct haven_fault, name), sizeof(((struct haven_fault *)0)->name)
#define ONE_HOUR_NS UINT64_C(3600000000000)
static const struct key keys[] = {
	{"loss", share_units, FIELD(loss_ppm), 1000000},
	{"burst", share_units, FIELD(burst_ppm), 1000000},
	{"burst-length", count_units, FIELD(burst_packets), 1000000},
	{"duplicate", share_units, FIELD(duplicate_ppm), 1000000},
	{"reorder", share_units, FIELD(reorder_ppm), 1000000},
	{"corrupt", share_units, FIELD(corrupt_ppm), 1000000},
	{"mark", share_units, FIELD(mark_ppm), 1000000},
	{"delay", time_units, FIELD(delay_ns), ONE_HOUR_NS},
	{"jitter", time_units, FIELD(jitter_ns), ONE_HOUR_NS},
	{"rate", rate_units, FIELD(rate_bits_per_second), UINT64_C(1000000000000)},
	{"queue", size_units, FIELD(queue_bytes), UINT32_C(1) << 30},
};

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

static bool is_word(const char *text, size_t size, const char *word)
{
	return strlen(word) == size && !strncasecmp(text, word, size);
}

/* The factor of a unit, 0: no such unit. */
static uint64_t find_unit(const struct unit *units, const char *text, size_t size)
{
	for (; units->name; units++)
		if (is_word(text, size, units->name))
			return units->factor;
	return 0;
}

/*
 * A decimal number with a unit, exact: "0.1%" is 1000 parts per million. Digits that are finer
 * than the field are cut off. False: no number, no such unit, or above maximum.
 */
static bool parse_value(const char *text, size_t size, const struct key *key, uint64_t *out)
{
	unsigned __int128 value = 0, scale = 1;
	bool in_fraction = false;
	uint64_t factor;
	size_t digits = 0, i;

	for (i = 0; i < size && (isdigit((unsigned char)text[i]) || text[i] == '.'); i++) {
		if (text[i] == '.') {
			if (in_fraction)
				return false;
			in_fraction = true;
			continue;
		}
		if (++digits > 18)
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
		if (in_fraction)
			scale *= 10;
	}
	factor = find_unit(key->units, text + i, size - i);
	if (!digits || !factor)
		return false;
	value = value * factor / scale;
	if (value > key->maximum)
		return false;
	*out = (uint64_t)value;
	return true;
}

static void set_field(struct haven_fault *fault, const struct key *key, uint64_t value)
{
	uint32_t narrow = (uint32_t)value;

	if (key->size == sizeof(narrow))
		memcpy((char *)fault + key->offset, &narrow, sizeof(narrow));
	else
		memcpy((char *)fault + key->offset, &value, sizeof(value));
}

/* One word, "[in.|out.]key=value". */
static bool parse_word(const char *word, size_t size, struct haven_fault *in,
		       struct haven_fault *out)
{
	const char *equals = memchr(word, '=', size);
	bool for_in = true, for_out = true;
	const char *value;
	uint64_t number;
	size_t name_size;

	if (!equals)
		return false;
	value = equals + 1;
	size -= (size_t)(value - word);
	name_size = (size_t)(equals - word);
	if (name_size > 3 && !strncasecmp(word, "in.", 3)) {
		for_out = false;
		word += 3;
		name_size -= 3;
	} else if (name_size > 4 && !strncasecmp(word, "out.", 4)) {
		for_in = false;
		word += 4;
		name_size -= 4;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!is_word(word, name_size, keys[i].name))
			continue;
		if (!parse_value(value, size, &keys[i], &number))
			return false;
		if (for_in)
			set_field(in, &keys[i], number);
		if (for_out)
			set_field(out, &keys[i], number);
		return true;
	}
	return false;
}

int haven_fault_parse(const char *text, struct haven_fault *in, struct haven_fault *out,
		      const char **bad)
{
	memset(in, 0, sizeof(*in));
	memset(out, 0, sizeof(*out));
	for (;;) {
		size_t size = 0;

		while (is_separator(*text))
			text++;
		if (!*text)
			return 0;
		while (text[size] && !is_separator(text[size]))
			size++;
		if (!parse_word(text, size, in, out)) {
			if (bad)
				*bad = text;
			return -EINVAL;
		}
		text += size;
	}
}
