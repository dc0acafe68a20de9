/* `limit` and `max`: how many flows a rule lets pass, in virtual time. */
#include "fixture.h"

#define A "out tcp 10.0.2.100 192.0.2.1:443"

/* How many of `tries` are allowed now. */
static unsigned allowed(struct fixture *f, unsigned tries)
{
	struct haven_filter_flow flow = flow_of(A);
	struct haven_verdict verdict;
	unsigned count = 0;

	while (tries-- > 0) {
		haven_filter_decide(f->filter, &flow, f->now_ns, &verdict);
		count += verdict.allowed;
	}
	return count;
}

static void tokens_of_a_second(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out https limit 10/s log\n");
	assert_int_equal(allowed(&f, 20), 10);
	verdict = ask(&f, A, NULL);
	assert_int_equal(verdict.reason, HAVEN_VERDICT_LIMIT);
	assert_int_equal(verdict.rule, 1);
	assert_non_null(verdict.handle);
	assert_true(verdict.log);
	assert_false(verdict.silent);
	f.now_ns += SECOND / 10 - 1;
	assert_int_equal(allowed(&f, 5), 0);
	f.now_ns++;
	assert_int_equal(allowed(&f, 5), 1);
	f.now_ns += SECOND / 2;
	assert_int_equal(allowed(&f, 20), 5);
	f.now_ns += 1000 * SECOND;
	assert_int_equal(allowed(&f, 20), 10);
	assert_int_equal(info_of(&f, 1).flows, 71);
	assert_int_equal(info_of(&f, 1).refused, 45);
	end(&f);
}

static void longer_periods(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "allow out https limit 3/min\n");
	assert_int_equal(allowed(&f, 5), 3);
	f.now_ns += 20 * SECOND - 1;
	assert_int_equal(allowed(&f, 1), 0);
	f.now_ns++;
	assert_int_equal(allowed(&f, 2), 1);
	set_rules(&f, "allow out https limit 7/h\n");
	assert_int_equal(allowed(&f, 10), 7);
	/* 3600 / 7 s is no whole number of nanoseconds. */
	f.now_ns += UINT64_C(514285714285);
	assert_int_equal(allowed(&f, 1), 0);
	f.now_ns += 1;
	assert_int_equal(allowed(&f, 2), 1);
	end(&f);
}

/* Nothing is lost to rounding: what comes in an hour of odd steps is what the rule says. */
static void exact_in_the_long_run(void **state)
{
	struct fixture f;
	unsigned count = 0;

	(void)state;
	begin(&f, "allow out https limit 7/s\n");
	allowed(&f, 7);
	for (int i = 0; i < 100000; i++) {
		f.now_ns += 36000001;
		count += allowed(&f, 1);
	}
	assert_int_equal(count, 25200);
	end(&f);
}

static void the_largest(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "allow out https limit 1000000/h\n");
	assert_int_equal(allowed(&f, 1000001), 1000000);
	f.now_ns += 3600 * SECOND - 1;
	assert_int_equal(allowed(&f, 1000001), 999999);
	f.now_ns = UINT64_MAX - 1;
	assert_int_equal(allowed(&f, 1000001), 1000000);
	/* Time that goes backwards brings nothing. */
	f.now_ns = 0;
	assert_int_equal(allowed(&f, 1), 0);
	end(&f);
}

static void flows_at_a_time(void **state)
{
	struct haven_verdict first, second, third;
	struct fixture f;

	(void)state;
	begin(&f, "allow out https max 2\n");
	first = ask(&f, A, NULL);
	haven_filter_enter(f.filter, first.handle);
	second = ask(&f, A, NULL);
	haven_filter_enter(f.filter, second.handle);
	third = ask(&f, A, NULL);
	assert_false(third.allowed);
	assert_int_equal(third.reason, HAVEN_VERDICT_MAX);
	assert_int_equal(third.rule, 1);
	assert_int_equal(info_of(&f, 1).refused, 1);
	haven_filter_leave(f.filter, first.handle, 0);
	assert_true(ask(&f, A, NULL).allowed);
	haven_filter_leave(f.filter, second.handle, 0);
	end(&f);
}

/* Who is in already says its name: neither limit is asked again. */
static void a_flow_that_says_its_name(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out example.org max 1 limit 1/h\n");
	bind_name(&f, "example.org", "192.0.2.1", 300);
	verdict = ask(&f, A, NULL);
	haven_filter_enter(f.filter, verdict.handle);
	assert_true(ask(&f, A, "example.org").allowed);
	assert_true(ask(&f, A, "example.org").allowed);
	assert_int_equal(info_of(&f, 1).flows, 1);
	assert_int_equal(ask(&f, A, NULL).reason, HAVEN_VERDICT_MAX);
	haven_filter_leave(f.filter, verdict.handle, 0);
	assert_int_equal(ask(&f, A, NULL).reason, HAVEN_VERDICT_LIMIT);
	end(&f);
}

/* What `max` refuses takes no token. */
static void max_before_limit(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out https max 1 limit 2/h\n");
	verdict = ask(&f, A, NULL);
	haven_filter_enter(f.filter, verdict.handle);
	assert_int_equal(ask(&f, A, NULL).reason, HAVEN_VERDICT_MAX);
	assert_int_equal(ask(&f, A, NULL).reason, HAVEN_VERDICT_MAX);
	haven_filter_leave(f.filter, verdict.handle, 0);
	assert_true(ask(&f, A, NULL).allowed);
	assert_int_equal(ask(&f, A, NULL).reason, HAVEN_VERDICT_LIMIT);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_a_second),
		cmocka_unit_test(longer_periods),
		cmocka_unit_test(exact_in_the_long_run),
		cmocka_unit_test(the_largest),
		cmocka_unit_test(flows_at_a_time),
		cmocka_unit_test(a_flow_that_says_its_name),
		cmocka_unit_test(max_before_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
