/* The core: counted memory, randomness without bias, the log, counted drops. */
#include <string.h>

#include "base/fixture.h"

static void missing_callbacks_are_refused(void **state)
{
	struct test_env env;
	struct haven_env good, bad;
	struct hv_core core;

	(void)state;
	test_env_init(&env, 1);
	good = test_env_haven(&env);
	bad = good;
	bad.alloc = NULL;
	assert_int_equal(hv_core_init(&core, &bad), -EINVAL);
	bad = good;
	bad.free = NULL;
	assert_int_equal(hv_core_init(&core, &bad), -EINVAL);
	bad = good;
	bad.random = NULL;
	assert_int_equal(hv_core_init(&core, &bad), -EINVAL);
	good.log = NULL;
	assert_int_equal(hv_core_init(&core, &good), 0);
	hv_log(&core, HAVEN_LOG_ERROR, "goes nowhere");
}

static void memory_is_counted(void **state)
{
	struct fixture *f = *state;
	uint8_t *a = hv_alloc(&f->core, 100), *b = hv_zalloc(&f->core, 50);

	assert_int_equal(f->core.memory_bytes, 150);
	for (int i = 0; i < 50; i++)
		assert_int_equal(b[i], 0);
	hv_free(&f->core, a, 100);
	assert_int_equal(f->core.memory_bytes, 50);
	hv_free(&f->core, b, 50);
	hv_free(&f->core, NULL, 10);
	assert_int_equal(f->core.memory_bytes, 0);
}

static void refused_memory_is_not_counted(void **state)
{
	struct fixture *f = *state;

	test_env_fail(&f->env, 1);
	assert_null(hv_zalloc(&f->core, 100));
	assert_int_equal(f->core.memory_bytes, 0);
}

static void random_below_reaches_all_equally(void **state)
{
	struct fixture *f = *state;
	unsigned seen[7] = {0};

	for (int i = 0; i < 70000; i++)
		seen[hv_random_below(&f->core, 7)]++;
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 9500, 10500);
	for (int i = 0; i < 100; i++)
		assert_int_equal(hv_random_below(&f->core, 1), 0);
	for (int i = 0; i < 1000; i++)
		assert_true(hv_random_below(&f->core, UINT32_MAX) < UINT32_MAX);
}

static void random_numbers_do_not_repeat(void **state)
{
	struct fixture *f = *state;
	uint64_t seen[200];

	for (int i = 0; i < 200; i++) {
		seen[i] = i % 2 ? hv_random64(&f->core) : hv_random32(&f->core);
		for (int k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
	}
}

static void log_keeps_messages_short(void **state)
{
	struct fixture *f = *state;
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	hv_log(&f->core, HAVEN_LOG_INFO, "%s %d", text, 1);
}

static void drops_are_counted_and_freed(void **state)
{
	struct fixture *f = *state;

	hv_drop(&f->core, hv_packet_new(&f->core, 0, 10), HV_DROP_IP_HEADER);
	hv_drop(&f->core, NULL, HV_DROP_IP_HEADER);
	assert_int_equal(f->core.drops[HV_DROP_IP_HEADER], 2);
	assert_int_equal(f->core.drops[HV_DROP_IP_CHECKSUM], 0);
	assert_int_equal(f->core.pool.small_count, 1);
}

static void default_environment_works(void **state)
{
	struct haven_env env;
	uint8_t a[64], b[64];
	void *memory;

	(void)state;
	haven_env_default(&env);
	memory = env.alloc(env.user, 1000);
	assert_non_null(memory);
	memset(memory, 1, 1000);
	env.free(env.user, memory, 1000);
	env.random(env.user, a, sizeof(a));
	env.random(env.user, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_null(env.log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_callbacks_are_refused),
		FIXTURE_TEST(memory_is_counted),
		FIXTURE_TEST(refused_memory_is_not_counted),
		FIXTURE_TEST(random_below_reaches_all_equally),
		FIXTURE_TEST(random_numbers_do_not_repeat),
		FIXTURE_TEST(log_keeps_messages_short),
		FIXTURE_TEST(drops_are_counted_and_freed),
		cmocka_unit_test(default_environment_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
