/* The N-th allocation fails, for every N: what was there stays, and nothing is lost. */
#include "fixture.h"

#define LONG_RULES                                                                  \
	"allow out *.example.org:https,8000-8099 from 10.0.0.0/8 limit 3/s max 9\n" \
	"deny out a.b.c.example.net drop log\n"                                     \
	"deny in tcp :1-65534\n"                                                    \
	"allow out [2001:db8::/32]:53,853\n"                                        \
	"allow out udp host:123\n"                                                  \
	"allow out 10.1.0.0/16\nallow out 10.2.0.0/17\nallow out 10.2.0.0/18\n"     \
	"allow out 10.3.0.0/19\nallow out 10.2.0.0/20\nallow out 10.3.0.0/21\n"     \
	"deny out 198.51.100.1\n"

#define PROBE "out tcp 10.0.2.100 198.51.100.1:443"

static int open_file(void *user, const char *name, const char *from, const char **text,
		     size_t *size, char path[192])
{
	(void)user;
	(void)from;
	*text = LONG_RULES;
	*size = sizeof(LONG_RULES) - 1;
	snprintf(path, 192, "%s", name);
	return 0;
}

static void close_file(void *user, const char *text, size_t size)
{
	(void)user;
	(void)text;
	(void)size;
}

static void reading(void **state)
{
	static const struct haven_rules_source source = {NULL, open_file, close_file};
	static const char text[] = "deny out ssh\ninclude other\ndeny out\n";
	bool failed = true;

	(void)state;
	for (uint64_t n = 1; failed; n++) {
		struct haven_rules *rules = NULL;
		struct haven_env env;
		struct test_env test;
		int error;

		test_env_init(&test, 1);
		env = test_env_haven(&test);
		test_env_fail(&test, n);
		error = haven_rules_create(&env, NULL, &rules);
		if (error == 0)
			error = haven_rules_add_text(rules, "policy", text, sizeof(text) - 1,
						     &source, NULL);
		failed = test_env_failed(&test);
		assert_int_equal(error, failed ? -ENOMEM : 0);
		if (rules)
			assert_int_equal(haven_rules_count(rules), failed ? 0 : 14);
		haven_rules_destroy(rules);
		test_env_finish(&test);
	}
}

static int creating_and_binding(struct fixture *f)
{
	struct haven_filter_config config;
	uint8_t address[16];
	int error;

	haven_filter_config_init(&config);
	config.env = test_env_haven(&f->env);
	error = haven_filter_create(&config, &f->filter);
	address_of("192.0.2.1", address);
	for (int i = 0; error == 0 && i < 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d.org", i);
		address[15] = (uint8_t)(i % 7);
		error = haven_filter_bind(f->filter, name, address, 1, 1);
	}
	if (error == 0)
		error = haven_filter_bind_static(f->filter, "s.org", address);
	if (error == 0)
		error = haven_filter_set_host(f->filter, (const uint8_t(*)[16])address, 1);
	return error;
}

static void binding(void **state)
{
	bool failed = true;

	(void)state;
	for (uint64_t n = 1; failed; n++) {
		struct fixture f = {0};
		uint64_t tables;
		int error;

		test_env_init(&f.env, 1);
		test_env_fail(&f.env, n);
		error = creating_and_binding(&f);
		failed = test_env_failed(&f.env);
		/* A table that cannot grow goes on as it is. */
		assert_true(error == 0 || (failed && error == -ENOMEM));
		tables = f.env.live;
		if (f.filter)
			assert_true(tables > 0);
		end(&f);
	}
}

/* What a filter with rules is like, as far as can be asked. */
struct picture {
	uint32_t count;
	char text[32][128];
	uint64_t flows[32];
	uint32_t rule;
	bool allowed;
};

static void look(struct fixture *f, struct picture *picture)
{
	struct haven_filter_flow flow = flow_of(PROBE);
	struct haven_verdict verdict;

	memset(picture, 0, sizeof(*picture));
	picture->count = haven_filter_rule_count(f->filter);
	for (uint32_t i = 0; i < picture->count; i++) {
		struct haven_rule_info info = info_of(f, i + 1);

		snprintf(picture->text[i], sizeof(picture->text[i]), "%s", info.text);
		picture->flows[i] = info.flows;
	}
	haven_filter_explain(f->filter, &flow, f->now_ns, &verdict);
	picture->rule = verdict.rule;
	picture->allowed = verdict.allowed;
}

static int replacing(struct fixture *f, struct haven_rules *rules)
{
	return haven_filter_replace(f->filter, rules);
}

static int inserting(struct fixture *f, struct haven_rules *rules)
{
	return haven_filter_insert(f->filter, 1, rules);
}

static int removing(struct fixture *f, struct haven_rules *rules)
{
	haven_rules_destroy(rules);
	return haven_filter_remove(f->filter, 1);
}

static void change(int (*change_rules)(struct fixture *f, struct haven_rules *rules))
{
	bool failed = true;

	for (uint64_t n = 1; failed; n++) {
		struct picture before, after;
		struct haven_rules *rules;
		struct fixture f;
		int error;

		begin(&f, "deny out 198.51.100.1\nallow out 198.51.100.0/24 max 3\n");
		ask(&f, PROBE, NULL);
		look(&f, &before);
		rules = rules_of(&f, LONG_RULES);
		test_env_fail(&f.env, n);
		error = change_rules(&f, rules);
		failed = test_env_failed(&f.env);
		test_env_fail(&f.env, 0);
		assert_int_equal(error, failed ? -ENOMEM : 0);
		look(&f, &after);
		assert_int_equal(memcmp(&before, &after, sizeof(before)) == 0, failed);
		end(&f);
	}
}

static void changing(void **state)
{
	(void)state;
	change(replacing);
	change(inserting);
	change(removing);
}

/* Questions need no memory. */
static void asking(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, LONG_RULES);
	bind_name(&f, "a.example.org", "198.51.100.1", 300);
	test_env_fail(&f.env, 0);
	f.env.fail_ppm = 1000000;
	ask(&f, PROBE, NULL);
	ask(&f, PROBE, "a.example.org");
	assert_true(haven_filter_can_reach(f.filter, "a.example.org"));
	assert_int_equal(f.env.allocations, 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading),
		cmocka_unit_test(binding),
		cmocka_unit_test(changing),
		cmocka_unit_test(asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
