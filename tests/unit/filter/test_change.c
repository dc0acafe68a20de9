/* Changing rules: what stays, what handles are worth, and what happens without memory. */
#include "fixture.h"

#define HTTPS "out tcp 10.0.2.100 192.0.2.1:443"
#define HTTP  "out tcp 10.0.2.100 192.0.2.1:80"

static void rules_that_stay(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out https limit 2/h\ndeny out http\n");
	verdict = ask(&f, HTTPS, NULL);
	haven_filter_enter(f.filter, verdict.handle);
	ask(&f, HTTP, NULL);
	set_rules(&f, "allow out ssh\n"
		      "deny out :80 # the same in other words\n"
		      "\n"
		      "allow out *:443 limit 2/h\n");
	assert_int_equal(haven_filter_rule_count(f.filter), 3);
	assert_int_equal(info_of(&f, 1).flows, 0);
	assert_int_equal(info_of(&f, 2).flows, 1);
	assert_int_equal(info_of(&f, 2).refused, 1);
	assert_int_equal(info_of(&f, 3).flows, 1);
	assert_int_equal(info_of(&f, 3).open, 1);
	assert_int_equal(info_of(&f, 3).line, 4);
	assert_int_equal(haven_filter_rule_number(f.filter, verdict.handle), 3);
	/* Its tokens, too. */
	assert_int_equal(decided(&f, HTTPS, NULL), 3);
	assert_int_equal(decided(&f, HTTPS, NULL), -3);
	haven_filter_leave(f.filter, verdict.handle, 10);
	assert_int_equal(info_of(&f, 3).bytes, 10);
	assert_int_equal(info_of(&f, 3).open, 0);
	end(&f);
}

/* The n-th of those with one text is the n-th of before. */
static void twins(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "deny out https\ndeny out http\ndeny out https\ndeny out https\n");
	for (int i = 0; i < 3; i++)
		ask(&f, HTTPS, NULL);
	assert_int_equal(haven_filter_remove(f.filter, 1), 0);
	verdict = ask(&f, HTTPS, NULL);
	assert_int_equal(verdict.rule, 2);
	assert_int_equal(info_of(&f, 2).flows, 1);
	set_rules(&f, "deny out https\ndeny out https\ndeny out https\n");
	assert_int_equal(info_of(&f, 1).flows, 1);
	assert_int_equal(info_of(&f, 2).flows, 0);
	assert_int_equal(info_of(&f, 3).flows, 0);
	end(&f);
}

static void a_handle_outlives_its_rule(void **state)
{
	struct haven_verdict a, b;
	struct fixture f;

	(void)state;
	begin(&f, "allow out https\nallow out http\n");
	a = ask(&f, HTTPS, NULL);
	b = ask(&f, HTTP, NULL);
	haven_filter_enter(f.filter, a.handle);
	haven_filter_enter(f.filter, b.handle);
	haven_filter_enter(f.filter, b.handle);
	assert_int_equal(haven_filter_remove(f.filter, 2), 0);
	assert_int_equal(haven_filter_rule_number(f.filter, a.handle), 1);
	assert_int_equal(haven_filter_rule_number(f.filter, b.handle), 0);
	assert_int_equal(haven_filter_rule_number(f.filter, NULL), 0);
	set_rules(&f, "");
	assert_int_equal(haven_filter_rule_number(f.filter, a.handle), 0);
	haven_filter_leave(f.filter, b.handle, 1);
	haven_filter_leave(f.filter, a.handle, 1);
	/* What comes again is another rule. */
	set_rules(&f, "allow out http\n");
	assert_int_equal(info_of(&f, 1).open, 0);
	assert_int_equal(haven_filter_rule_number(f.filter, b.handle), 0);
	haven_filter_leave(f.filter, b.handle, 1);
	end(&f);
}

static void inserting(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "allow out https\ndeny out\n");
	assert_int_equal(haven_filter_insert(f.filter, 2, rules_of(&f, "allow out http")), 0);
	assert_int_equal(decided(&f, HTTP, NULL), 2);
	assert_int_equal(haven_filter_insert(f.filter, 1,
					     rules_of(&f, "deny out https\n"
							  "deny out ssh")),
			 0);
	assert_int_equal(decided(&f, HTTPS, NULL), -1);
	assert_int_equal(haven_filter_insert(f.filter, 6, rules_of(&f, "allow in")), 0);
	assert_int_equal(haven_filter_rule_count(f.filter), 6);
	assert_string_equal(info_of(&f, 6).text, "allow in");
	assert_string_equal(info_of(&f, 5).text, "deny out");
	assert_string_equal(info_of(&f, 2).text, "deny out :22");
	assert_int_equal(info_of(&f, 4).number, 4);
	assert_int_equal(haven_filter_insert(f.filter, 3, rules_of(&f, "")), 0);
	assert_int_equal(haven_filter_insert(f.filter, 0, rules_of(&f, "deny in")), -EINVAL);
	assert_int_equal(haven_filter_insert(f.filter, 8, rules_of(&f, "deny in")), -EINVAL);
	assert_int_equal(haven_filter_rule_count(f.filter), 6);
	end(&f);
}

static void removing(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "allow out https\ndeny out http\nallow out ssh\n");
	assert_int_equal(haven_filter_remove(f.filter, 0), -ENOENT);
	assert_int_equal(haven_filter_remove(f.filter, 4), -ENOENT);
	assert_int_equal(haven_filter_remove(f.filter, 1), 0);
	assert_int_equal(decided(&f, HTTPS, NULL), 0);
	assert_false(haven_filter_default_allows(f.filter, HAVEN_OUT));
	assert_int_equal(haven_filter_remove(f.filter, 2), 0);
	assert_true(haven_filter_default_allows(f.filter, HAVEN_OUT));
	assert_int_equal(decided(&f, HTTP, NULL), -1);
	assert_int_equal(haven_filter_remove(f.filter, 1), 0);
	assert_int_equal(haven_filter_rule_count(f.filter), 0);
	assert_int_equal(haven_filter_remove(f.filter, 1), -ENOENT);
	assert_true(ask(&f, HTTP, NULL).allowed);
	end(&f);
}

static void too_many(void **state)
{
	struct haven_rules *rules;
	struct haven_env env;
	struct fixture f;

	(void)state;
	begin(&f, "deny out ssh");
	env = test_env_haven(&f.env);
	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	for (int i = 0; i < 65536; i++)
		assert_int_equal(haven_rules_add(rules, HAVEN_RULE_DENY, "out http", NULL), 0);
	assert_int_equal(haven_filter_insert(f.filter, 1, rules), -ENOSPC);
	assert_int_equal(haven_filter_rule_count(f.filter), 1);
	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	for (int i = 0; i < 65536; i++)
		assert_int_equal(haven_rules_add(rules, HAVEN_RULE_DENY, "out http", NULL), 0);
	assert_int_equal(haven_filter_replace(f.filter, rules), 0);
	assert_int_equal(haven_filter_rule_count(f.filter), 65536);
	assert_int_equal(haven_filter_insert(f.filter, 1, rules_of(&f, "deny in")), -ENOSPC);
	assert_int_equal(decided(&f, HTTP, NULL), -1);
	end(&f);
}

/* Rules come with memory of the filter's own. */
static void rules_of_another_memory(void **state)
{
	struct fixture f, other;

	(void)state;
	begin(&f, "deny out ssh");
	begin(&other, "");
	assert_int_equal(haven_filter_replace(f.filter, rules_of(&other, "deny out")), -EINVAL);
	assert_int_equal(haven_filter_insert(f.filter, 1, rules_of(&other, "deny in")),
			 -EINVAL);
	assert_int_equal(haven_filter_rule_count(f.filter), 1);
	end(&other);
	end(&f);
}

static void what_a_filter_needs(void **state)
{
	struct haven_filter_config config;
	struct haven_filter *filter = NULL;

	(void)state;
	haven_filter_config_init(&config);
	assert_int_equal(config.max_bindings, 65536);
	assert_int_equal(config.max_addresses_per_name, 64);
	assert_int_equal(config.max_names_per_address, 64);
	assert_int_equal(config.name_floor_ns, 60 * SECOND);
	config.max_names_per_address = 65;
	assert_int_equal(haven_filter_create(&config, &filter), -EINVAL);
	haven_filter_config_init(&config);
	config.max_bindings = 0;
	assert_int_equal(haven_filter_create(&config, &filter), -EINVAL);
	haven_filter_config_init(&config);
	config.env.random = NULL;
	assert_int_equal(haven_filter_create(&config, &filter), -EINVAL);
	haven_filter_config_init(&config);
	assert_int_equal(haven_filter_create(&config, &filter), 0);
	haven_filter_destroy(filter);
	haven_filter_destroy(NULL);
	haven_rules_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_that_stay),
		cmocka_unit_test(twins),
		cmocka_unit_test(a_handle_outlives_its_rule),
		cmocka_unit_test(inserting),
		cmocka_unit_test(removing),
		cmocka_unit_test(too_many),
		cmocka_unit_test(rules_of_another_memory),
		cmocka_unit_test(what_a_filter_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
