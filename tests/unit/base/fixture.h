/* A core in a test environment, as setup and teardown of a cmocka group have it. */
#ifndef TEST_BASE_FIXTURE_H
#define TEST_BASE_FIXTURE_H

#include <stdlib.h>

#include "base/core.h"
#include "support/test.h"

struct fixture {
	struct test_env env;
	struct hv_core core;
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));
	struct haven_env haven;

	if (!f)
		return -1;
	test_env_init(&f->env, 42);
	haven = test_env_haven(&f->env);
	*state = f;
	return hv_core_init(&f->core, &haven);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	hv_core_finish(&f->core);
	test_env_finish(&f->env);
	if (f->core.memory_bytes != 0)
		return -1;
	free(f);
	return 0;
}

#define FIXTURE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

#endif
