/*
 * Rules as people and files write them. The first byte chooses between one rule and a policy, which may include
 * itself. What is taken has a shortest form, which means the same rule; what is not has a place in the text.
 */
#include <stdlib.h>
#include <string.h>

#include <haven/filter.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	const char *bytes;
	size_t size;
};

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_error(const struct haven_rule_error *error)
{
	check(error->line > 0 && error->column > 0 && *error->text);
	check(strlen(error->text) < sizeof(error->text) - 1);
	for (const char *c = error->text; *c; c++)
		check(*c >= ' ' && *c <= '~');
}

/* Even lines of a policy may say `include`: it is the policy again, without its first line. */
static int open_rest(void *user, const char *file, const char *from, const char **bytes,
		     size_t *size, char path[192])
{
	const struct text *text = user;
	const char *line = memchr(text->bytes, '\n', text->size);

	(void)from;
	if (!line || strlen(file) % 2)
		return -ENOENT;
	*bytes = line + 1;
	*size = text->size - (size_t)(line + 1 - text->bytes);
	strncpy(path, file, 191);
	path[191] = '\0';
	return 0;
}

static void close_rest(void *user, const char *bytes, size_t size)
{
	(void)user;
	(void)bytes;
	(void)size;
}

static struct haven_rules *new_rules(const struct haven_env *env)
{
	struct haven_rules *rules;

	check(haven_rules_create(env, NULL, &rules) == 0);
	return rules;
}

/* The shortest form of each rule is its own. */
static void check_rules(const struct haven_env *env, struct haven_rules *rules)
{
	struct haven_filter_config config;
	struct haven_filter *filter, *again;
	struct haven_rule_info info, same;
	uint32_t count = haven_rules_count(rules);
	struct haven_rules *printed = new_rules(env);

	haven_filter_config_init(&config);
	config.env = *env;
	check(haven_filter_create(&config, &filter) == 0);
	check(haven_filter_create(&config, &again) == 0);
	check(haven_filter_replace(filter, rules) == 0);
	check(haven_filter_rule_count(filter) == count);
	for (uint32_t i = 1; haven_filter_rule(filter, i, &info); i++)
		check(haven_rules_add(printed, HAVEN_RULE_IN_TEXT, info.text, NULL) == 0);
	check(haven_filter_replace(again, printed) == 0);
	check(haven_filter_rule_count(again) == count);
	for (uint32_t i = 1; i <= count; i++) {
		check(haven_filter_rule(filter, i, &info) &&
		      haven_filter_rule(again, i, &same));
		check(strcmp(info.text, same.text) == 0 && info.allow == same.allow &&
		      info.direction == same.direction);
	}
	haven_filter_destroy(again);
	haven_filter_destroy(filter);
}

static void rule(const struct haven_env *env, enum haven_rule_verb verb, const char *text)
{
	struct haven_rules *rules = new_rules(env);
	struct haven_rule_error error;
	int result = haven_rules_add(rules, verb, text, &error);

	check(result == 0 || result == -EINVAL);
	check(haven_rules_count(rules) == (result == 0));
	if (result < 0) {
		check_error(&error);
		check(error.line == 1 && error.column <= strlen(text) + 1);
		haven_rules_destroy(rules);
		return;
	}
	check_rules(env, rules);
}

static void policy(const struct haven_env *env, const char *bytes, size_t size)
{
	struct text text = {bytes, size};
	struct haven_rules_source source = {&text, open_rest, close_rest};
	struct haven_rules *rules = new_rules(env);
	struct haven_rule_error error;
	int result = haven_rules_add_text(rules, "policy", bytes, size, &source, &error);

	check(result == 0 || result == -EINVAL);
	if (result < 0) {
		check_error(&error);
		check(haven_rules_count(rules) == 0);
		haven_rules_destroy(rules);
		return;
	}
	check(error.line == 0 && !*error.text);
	check_rules(env, rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct haven_env env;
	char *text;

	/* Long policies are slow, and have nothing in them that short ones have not. */
	if (size == 0 || size > 4096)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	haven_env_default(&env);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0]) {
	case '+':
		rule(&env, HAVEN_RULE_ALLOW, text);
		break;
	case '-':
		rule(&env, HAVEN_RULE_DENY, text);
		break;
	case '=':
		rule(&env, HAVEN_RULE_IN_TEXT, text);
		break;
	default:
		policy(&env, text, size - 1);
		break;
	}
	free(text);
	return 0;
}
