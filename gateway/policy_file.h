/*
 * Policy files: rules, one a line, for the library's haven_rules_add_text(); `include` is relative to the file that says it.
 */
#ifndef HV_GATEWAY_POLICY_FILE_H
#define HV_GATEWAY_POLICY_FILE_H

#include <haven/filter.h>

/*
 * Add the rules of a file. False with one line in error: "FILE:LINE:COLUMN: what", or why the file cannot be read; nothing was added
 * then.
 */
bool hv_policy_file_add(struct haven_rules *rules, const char *path, char *error, size_t size);
/* Add one rule as an option has it. False with a line in error: what is wrong with which word. */
bool hv_policy_rule_add(struct haven_rules *rules, enum haven_rule_verb verb, const char *text,
			char *error, size_t size);

#endif
