/* Rules with names: what is bound, what a flow says, and what must be said. */
#include "filter/filter.h"
#include "filter/index.h"

#include "fixture.h"

#define A "out tcp 10.0.2.100 192.0.2.1:443"

static void an_allowed_name(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out example.org:https\n");
	assert_true(haven_filter_has_names(f.filter, HAVEN_OUT));
	assert_false(haven_filter_has_names(f.filter, HAVEN_IN));
	assert_int_equal(decided(&f, A, NULL), 0);
	bind_name(&f, "Example.ORG.", "192.0.2.1", 300);
	verdict = ask(&f, A, NULL);
	assert_true(verdict.allowed);
	assert_int_equal(verdict.rule, 1);
	assert_string_equal(verdict.name, "example.org");
	assert_int_equal(verdict.name_since_ns, f.now_ns);
	assert_int_equal(verdict.name_check, HAVEN_NAME_IF_SAID);
	assert_false(verdict.name_may_miss);
	assert_true(ask(&f, A, "EXAMPLE.org.").allowed);
	assert_int_equal(ask(&f, A, "example.org").name_check, HAVEN_NAME_FREE);
	assert_false(ask(&f, A, "other.org").allowed);
	assert_false(ask(&f, A, "192.0.2.1").allowed);
	assert_false(ask(&f, A, "").allowed);
	/* Said, but not bound. */
	assert_false(ask(&f, "out tcp 10.0.2.100 192.0.2.2:443", "example.org").allowed);
	assert_false(ask(&f, "out tcp 10.0.2.100 192.0.2.1:80", NULL).allowed);
	end(&f);
}

static void names_below(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "allow out *.example.org\n");
	bind_name(&f, "example.org", "192.0.2.1", 300);
	assert_false(ask(&f, A, NULL).allowed);
	bind_name(&f, "badexample.org", "192.0.2.1", 300);
	assert_false(ask(&f, A, NULL).allowed);
	bind_name(&f, "a.b.example.org", "192.0.2.1", 300);
	assert_true(ask(&f, A, NULL).allowed);
	assert_string_equal(ask(&f, A, NULL).name, "a.b.example.org");
	assert_true(ask(&f, A, "c.example.org").allowed);
	assert_false(ask(&f, A, "example.org").allowed);
	end(&f);
}

static void a_denied_name(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "deny out *.example.org\n");
	/* Nothing is known about the address: a name that is said counts. */
	verdict = ask(&f, A, NULL);
	assert_true(verdict.allowed);
	assert_int_equal(verdict.name_check, HAVEN_NAME_IF_SAID);
	assert_true(verdict.name_may_miss);
	assert_false(ask(&f, A, "bad.example.org").allowed);
	assert_true(ask(&f, A, "good.example.net").allowed);
	/* All names of the address are denied. */
	bind_name(&f, "bad.example.org", "192.0.2.1", 300);
	assert_int_equal(decided(&f, A, NULL), -1);
	bind_name(&f, "worse.example.org", "192.0.2.1", 300);
	assert_int_equal(decided(&f, A, NULL), -1);
	/* Only some are. */
	bind_name(&f, "good.example.net", "192.0.2.1", 300);
	verdict = ask(&f, A, NULL);
	assert_true(verdict.allowed);
	assert_int_equal(verdict.rule, 0);
	assert_int_equal(verdict.name_check, HAVEN_NAME_MUST_BE_SAID);
	assert_false(verdict.name_may_miss);
	assert_true(ask(&f, A, "good.example.net").allowed);
	assert_int_equal(decided(&f, A, "worse.example.org"), -1);
	end(&f);
}

static void a_denial_behind_does_not_matter(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out 192.0.2.1:443\ndeny out bad.example.org\nallow out\n");
	bind_name(&f, "bad.example.org", "192.0.2.1", 300);
	bind_name(&f, "good.example.org", "192.0.2.1", 300);
	verdict = ask(&f, A, NULL);
	assert_int_equal(verdict.rule, 1);
	assert_int_equal(verdict.name_check, HAVEN_NAME_FREE);
	verdict = ask(&f, "out tcp 10.0.2.100 192.0.2.1:80", NULL);
	assert_int_equal(verdict.rule, 3);
	assert_int_equal(verdict.name_check, HAVEN_NAME_MUST_BE_SAID);
	end(&f);
}

static void a_name_may_miss_where_configured(void **state)
{
	struct haven_filter_config config;
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	test_env_init(&f.env, 1);
	haven_filter_config_init(&config);
	config.name_may_miss = true;
	fixture_config(&f, "allow out example.org\n", &config);
	bind_name(&f, "example.org", "192.0.2.1", 300);
	verdict = ask(&f, A, NULL);
	assert_int_equal(verdict.name_check, HAVEN_NAME_IF_SAID);
	assert_true(verdict.name_may_miss);
	end(&f);
}

/* Two names at one address, allowed by two rules: which one it is, is known when it is said. */
static void another_rule_decides_then(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "allow out a.example.org limit 1/h\n"
		  "allow out b.example.org limit 1/h\n"
		  "deny out\n");
	bind_name(&f, "a.example.org", "192.0.2.1", 300);
	bind_name(&f, "b.example.org", "192.0.2.1", 300);
	assert_int_equal(decided(&f, A, NULL), 1);
	/* The same rule again: neither counted nor refused by its limit. */
	assert_int_equal(decided(&f, A, "a.example.org"), 1);
	assert_int_equal(info_of(&f, 1).flows, 1);
	assert_int_equal(decided(&f, A, "b.example.org"), 2);
	assert_int_equal(info_of(&f, 2).flows, 1);
	assert_int_equal(ask(&f, A, "b.example.org").reason, HAVEN_VERDICT_LIMIT);
	assert_int_equal(info_of(&f, 2).refused, 1);
	assert_int_equal(decided(&f, A, "c.example.org"), -3);
	assert_int_equal(info_of(&f, 3).flows, 1);
	assert_int_equal(info_of(&f, 1).flows, 1);
	end(&f);
}

static void an_open_flow_keeps_its_name(void **state)
{
	struct haven_filter_flow flow = flow_of(A);
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out a.example.org\n");
	bind_name(&f, "b.example.org", "192.0.2.1", 300);
	flow.bound_name = "a.example.org";
	haven_filter_explain(f.filter, &flow, f.now_ns, &verdict);
	assert_true(verdict.allowed);
	assert_string_equal(verdict.name, "a.example.org");
	flow.bound_name = "b.example.org";
	haven_filter_explain(f.filter, &flow, f.now_ns, &verdict);
	assert_false(verdict.allowed);
	assert_string_equal(verdict.name, "b.example.org");
	/* What is no name does not take the place of one. */
	set_rules(&f, "allow out b.example.org\n");
	flow.bound_name = "no name";
	haven_filter_explain(f.filter, &flow, f.now_ns, &verdict);
	assert_true(verdict.allowed);
	end(&f);
}

/* Longer than DNS has them: a text may say so, and *.example.org means it. */
static void a_label_too_long(void **state)
{
	char name[100];
	struct fixture f;

	(void)state;
	snprintf(name, sizeof(name), "%070d.example.org", 0);
	begin(&f, "deny out *.example.org\ndeny out a.a.example.org\n");
	bind_name(&f, name, "192.0.2.1", 300);
	assert_int_equal(decided(&f, A, NULL), -1);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.2:443", name), -1);
	end(&f);
}

/* Names are counted by the turn of the question, which begins again after 2^32 of them. */
static void after_very_many_questions(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "deny out *.example.org\n");
	bind_name(&f, "a.example.org", "192.0.2.1", 300);
	assert_int_equal(decided(&f, A, NULL), -1);
	f.filter->index->names.turn = UINT32_MAX;
	for (int i = 0; i < 3; i++)
		assert_int_equal(decided(&f, A, NULL), -1);
	assert_int_equal(f.filter->index->names.turn, 3);
	end(&f);
}

static void the_latest_name_is_told(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "");
	bind_name(&f, "a.example.org", "192.0.2.1", 300);
	f.now_ns++;
	bind_name(&f, "b.example.org", "192.0.2.1", 300);
	assert_string_equal(ask(&f, A, NULL).name, "b.example.org");
	assert_int_equal(ask(&f, A, NULL).name_since_ns, f.now_ns);
	assert_string_equal(ask(&f, A, "a.example.org").name, "a.example.org");
	set_rules(&f, "allow out a.example.org\nallow out\n");
	assert_string_equal(ask(&f, A, NULL).name, "a.example.org");
	end(&f);
}

/* When the name is said, the binding may have ended just now. */
static void a_little_late(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "allow out example.org\n");
	bind_name(&f, "example.org", "192.0.2.1", 100);
	f.now_ns += 100 * SECOND - 1;
	assert_true(ask(&f, A, NULL).allowed);
	f.now_ns++;
	assert_false(ask(&f, A, NULL).allowed);
	assert_true(ask(&f, A, "example.org").allowed);
	f.now_ns += 10 * SECOND;
	assert_false(ask(&f, A, "example.org").allowed);
	end(&f);
}

static bool reach(struct fixture *f, const char *rules, const char *name)
{
	set_rules(f, rules);
	return haven_filter_can_reach(f->filter, name);
}

static void what_can_be_reached(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "");
	assert_true(reach(&f, "", "example.org"));
	assert_false(reach(&f, "", "no such name"));
	assert_true(reach(&f, "allow out *.example.org", "a.example.org"));
	assert_false(reach(&f, "allow out *.example.org", "example.org"));
	assert_false(reach(&f, "allow out *.example.org", "a.example.net"));
	assert_true(reach(&f, "allow out *.example.org:443\nallow out 10.0.0.0/8", "a.net"));
	assert_false(reach(&f, "allow out *.example.org\nallow out host", "a.net"));
	assert_false(reach(&f, "allow in *.example.org\ndeny out a.net", "A.NET."));
	assert_true(reach(&f, "deny out tcp a.net", "a.net"));
	assert_true(reach(&f, "deny out a.net:80", "a.net"));
	assert_true(reach(&f, "deny out a.net from 10.0.2.100", "a.net"));
	assert_false(reach(&f, "deny out *.net\nallow out a.net", "a.net"));
	assert_true(reach(&f, "allow out a.net\ndeny out *.net", "a.net"));
	assert_false(reach(&f, "deny out\nallow out a.net", "a.net"));
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allowed_name),
		cmocka_unit_test(names_below),
		cmocka_unit_test(a_denied_name),
		cmocka_unit_test(a_denial_behind_does_not_matter),
		cmocka_unit_test(a_name_may_miss_where_configured),
		cmocka_unit_test(another_rule_decides_then),
		cmocka_unit_test(an_open_flow_keeps_its_name),
		cmocka_unit_test(a_label_too_long),
		cmocka_unit_test(after_very_many_questions),
		cmocka_unit_test(the_latest_name_is_told),
		cmocka_unit_test(a_little_late),
		cmocka_unit_test(what_can_be_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
