/* What stands behind the host of a rule, in any order: from, drop, log, limit, max. Each once. */
#include <string.h>

#include "filter/rule_reader.h"

#define SECOND UINT64_C(1000000000)

enum option { FROM, DROP, LOG, LIMIT, MAX, OPTIONS };

static const char *const words[OPTIONS] = {"from", "drop", "log", "limit", "max"};

/* What may stand here, for each verb. */
static const char for_allow[] = "`from`, `log`, `limit` or `max`";
static const char for_deny[] = "`from`, `drop` or `log`";

static enum option option_of(const struct hv_reader *reader)
{
	enum option option = 0;

	while (option < OPTIONS && !hv_reader_is(reader, words[option]))
		option++;
	return option;
}

static uint64_t period_of(const char *unit, size_t size)
{
	if (size == 1 && *unit == 's')
		return SECOND;
	if (size == 3 && memcmp(unit, "min", 3) == 0)
		return 60 * SECOND;
	if (size == 1 && *unit == 'h')
		return 3600 * SECOND;
	return 0;
}

/* "10/s" */
static int parse_limit(struct hv_reader *reader, struct hv_rule_draft *draft)
{
	const char *slash = memchr(reader->word, '/', reader->size);
	const char *end = reader->word + reader->size;
	size_t digits = slash ? (size_t)(slash - reader->word) : reader->size;

	if (!hv_reader_number(reader->word, digits, HV_RULE_LIMIT_MAX, &draft->spec.limit) ||
	    draft->spec.limit == 0)
		return hv_reader_word_expected(reader,
					       "flows a second, minute or hour (1 to %u), "
					       "as 10/s, 10/min or 10/h",
					       (unsigned)HV_RULE_LIMIT_MAX);
	if (slash)
		draft->spec.limit_period_ns = period_of(slash + 1, (size_t)(end - slash) - 1);
	if (draft->spec.limit_period_ns == 0)
		return hv_reader_expected(reader, reader->word + digits, reader->size - digits,
					  "`/s`, `/min` or `/h` behind the number");
	return 0;
}

static int parse_max(struct hv_reader *reader, struct hv_rule_draft *draft)
{
	if (!hv_reader_number(reader->word, reader->size, UINT32_MAX, &draft->spec.max) ||
	    draft->spec.max == 0)
		return hv_reader_word_expected(reader, "a number of flows (1 to %u)",
					       (unsigned)UINT32_MAX);
	return 0;
}

/* The words behind some options. */
static int parse_value(struct hv_reader *reader, struct hv_rule_draft *draft,
		       enum option option)
{
	int error;

	switch (option) {
	case DROP:
		draft->spec.drop = true;
		return 0;
	case LOG:
		draft->spec.log = true;
		return 0;
	case FROM:
		error = hv_rule_source(reader, draft);
		break;
	case LIMIT:
		error = parse_limit(reader, draft);
		break;
	default:
		error = parse_max(reader, draft);
		break;
	}
	if (error == 0)
		hv_reader_next(reader);
	return error;
}

int hv_rule_options(struct hv_reader *reader, struct hv_rule_draft *draft)
{
	const char *allowed = draft->spec.allow ? for_allow : for_deny;
	unsigned seen = 0;

	while (reader->size > 0) {
		enum option option = option_of(reader);
		int error;

		if (option == OPTIONS)
			return hv_reader_word_expected(reader, "%s", allowed);
		if (option == DROP ? draft->spec.allow
				   : (option == LIMIT || option == MAX) && !draft->spec.allow)
			return hv_reader_word_expected(reader, "%s (`%s` is for `%s`)", allowed,
						       words[option],
						       draft->spec.allow ? "deny" : "allow");
		if (seen & 1U << option)
			return hv_reader_word_expected(reader, "`%s` only once", words[option]);
		seen |= 1U << option;
		hv_reader_next(reader);
		error = parse_value(reader, draft, option);
		if (error < 0)
			return error;
	}
	return 0;
}
