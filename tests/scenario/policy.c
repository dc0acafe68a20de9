/* Filters on the stacks of a world: see policy.h. */
#include "policy.h"

#include <string.h>

void policy_change(struct policy *p, const char *text)
{
	struct haven_env env = test_env_haven(&p->env);
	struct haven_rule_error error;
	struct haven_rules *rules;

	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	if (haven_rules_add_text(rules, "policy", text, strlen(text), NULL, &error) < 0)
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	assert_int_equal(haven_filter_replace(p->filter, rules), 0);
}

void policy_init(struct policy *p, struct world *w, int side, const char *rules)
{
	struct haven_filter_config config;

	p->w = w;
	p->side = side;
	test_env_init(&p->env, 1);
	haven_filter_config_init(&config);
	config.env = test_env_haven(&p->env);
	assert_int_equal(haven_filter_create(&config, &p->filter), 0);
	policy_change(p, rules);
	assert_int_equal(haven_stack_set_filter(w->stack[side], p->filter), 0);
}

void policy_finish(struct policy *p)
{
	haven_filter_destroy(p->filter);
	test_env_finish(&p->env);
}

struct haven_rule_info rule_of(const struct policy *p, uint32_t number)
{
	struct haven_rule_info info;

	if (!haven_filter_rule(p->filter, number, &info))
		fail_msg("there is no rule %u", number);
	return info;
}
