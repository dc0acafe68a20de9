/* Reading a rule, word by word, and saying what is wrong with it and where. Shared by the files rule_*.c. */
#ifndef HV_FILTER_RULE_READER_H
#define HV_FILTER_RULE_READER_H

#include "filter/rule.h"

struct hv_reader {
	const char *line; /* columns count from here */
	const char *next, *end;
	const char *word; /* the current one; at the end: of size 0 */
	size_t size;
	const struct haven_services *services;
	struct haven_rule_error *error; /* its file and line are set; may be NULL */
};

/* Begins to read a line, without its end. The first word is the current one. */
void hv_reader_init(struct hv_reader *reader, const char *line, size_t size);
void hv_reader_next(struct hv_reader *reader);
bool hv_reader_is(const struct hv_reader *reader, const char *word);

/* "expected ..., found '...'" at a part of the line; size 0: the end of it. Returns -EINVAL. */
int hv_reader_expected(struct hv_reader *reader, const char *found, size_t size,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same of the current word. */
#define hv_reader_word_expected(reader, ...) \
	hv_reader_expected(reader, (reader)->word, (reader)->size, __VA_ARGS__)

/* Decimal digits only, at most `max`. */
bool hv_reader_number(const char *text, size_t size, uint32_t max, uint32_t *out);

/* The current word as [HOST][:PORTS], or as what stands behind `from`. 0 or -EINVAL. */
int hv_rule_host(struct hv_reader *reader, struct hv_rule_draft *draft);
int hv_rule_source(struct hv_reader *reader, struct hv_rule_draft *draft);
/* `size` bytes of the current word as PORTS. */
int hv_rule_ports(struct hv_reader *reader, struct hv_rule_draft *draft, const char *text,
		  size_t size);
/* The words after HOST. */
int hv_rule_options(struct hv_reader *reader, struct hv_rule_draft *draft);

/* What may stand in front of a rule's direction is for the caller: the current word is in or out. */
int hv_rule_parse(struct hv_reader *reader, bool allow, struct hv_rule_draft *draft);

#endif
