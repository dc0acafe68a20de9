/* Lists of rules that are being read; rules.c and rule_file.c. */
#ifndef HV_FILTER_RULES_H
#define HV_FILTER_RULES_H

#include "filter/rule_reader.h"

/* Adds what a reader reads from its current word on: `in` or `out`. Errors: as haven_rules_add(). */
int hv_rules_add(struct haven_rules *rules, struct hv_reader *reader, bool allow,
		 struct hv_rule_file *file, unsigned line);
/* Takes all behind the first `count` away. */
void hv_rules_cut(struct haven_rules *rules, uint32_t count);

#endif
