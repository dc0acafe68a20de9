/* Lists of rules: what haven_rules_add() and haven_rules_add_text() fill and a filter takes. */
#include "filter/rules.h"

#include <stdio.h>
#include <string.h>

int haven_rules_create(const struct haven_env *env, const struct haven_services *services,
		       struct haven_rules **out)
{
	struct haven_rules *rules = env->alloc(env->user, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	*rules = (struct haven_rules){.env = *env, .services = services};
	*out = rules;
	return 0;
}

void hv_rules_cut(struct haven_rules *rules, uint32_t count)
{
	while (rules->count > count) {
		struct haven_rule *rule = rules->rules[--rules->count];

		rules->cost -= rule->cost;
		hv_rule_release(&rules->env, rule);
	}
}

void haven_rules_destroy(struct haven_rules *rules)
{
	struct haven_env env;

	if (!rules)
		return;
	env = rules->env;
	hv_rules_cut(rules, 0);
	if (rules->rules)
		env.free(env.user, rules->rules, rules->space * sizeof(*rules->rules));
	env.free(env.user, rules, sizeof(*rules));
}

uint32_t haven_rules_count(const struct haven_rules *rules)
{
	return rules->count;
}

const char *haven_rules_text(const struct haven_rules *rules, uint32_t number)
{
	return number > 0 && number <= rules->count ? rules->rules[number - 1]->text : NULL;
}

bool haven_rules_have_names(const struct haven_rules *rules, enum haven_direction direction)
{
	for (uint32_t i = 0; i < rules->count; i++) {
		const struct hv_rule_spec *spec = &rules->rules[i]->spec;

		if (spec->direction == direction && hv_rule_has_name(spec))
			return true;
	}
	return false;
}

static int make_space(struct haven_rules *rules)
{
	uint32_t space = rules->space ? rules->space * 2 : 16;
	struct haven_rule **larger;

	if (rules->count < rules->space)
		return 0;
	larger = rules->env.alloc(rules->env.user, space * sizeof(struct haven_rule *));
	if (!larger)
		return -ENOMEM;
	if (rules->rules) {
		memcpy(larger, rules->rules, rules->count * sizeof(struct haven_rule *));
		rules->env.free(rules->env.user, rules->rules,
				rules->space * sizeof(struct haven_rule *));
	}
	rules->rules = larger;
	rules->space = space;
	return 0;
}

static int fail_full(const struct hv_reader *reader)
{
	struct haven_rule_error *error = reader->error;

	if (error) {
		error->column = 1;
		snprintf(error->text, sizeof(error->text),
			 "there are too many rules: at most %d, or fewer with large lists of "
			 "ports",
			 HV_RULES_MAX);
	}
	return -ENOSPC;
}

int hv_rules_add(struct haven_rules *rules, struct hv_reader *reader, bool allow,
		 struct hv_rule_file *file, unsigned line)
{
	struct hv_rule_draft draft;
	struct haven_rule *rule;
	int error = hv_rule_parse(reader, allow, &draft);

	if (error < 0)
		return error;
	if (rules->count == HV_RULES_MAX)
		return fail_full(reader);
	error = make_space(rules);
	if (error < 0)
		return error;
	rule = hv_rule_new(&rules->env, &draft, file, line);
	if (!rule)
		return -ENOMEM;
	if (rules->cost + rule->cost > HV_RULES_COST_MAX) {
		hv_rule_release(&rules->env, rule);
		return fail_full(reader);
	}
	rules->cost += rule->cost;
	rules->rules[rules->count++] = rule;
	return 0;
}

int haven_rules_add(struct haven_rules *rules, enum haven_rule_verb verb, const char *text,
		    struct haven_rule_error *error)
{
	struct hv_reader reader = {.services = rules->services, .error = error};
	bool allow = verb == HAVEN_RULE_ALLOW;

	if (error)
		*error = (struct haven_rule_error){.line = 1, .column = 1};
	hv_reader_init(&reader, text, strlen(text));
	if (verb == HAVEN_RULE_IN_TEXT) {
		allow = hv_reader_is(&reader, "allow");
		if (!allow && !hv_reader_is(&reader, "deny"))
			return hv_reader_word_expected(&reader, "`allow` or `deny`");
		hv_reader_next(&reader);
	}
	return hv_rules_add(rules, &reader, allow, NULL, 0);
}
