/*
 * An environment for a stack under test: memory that is counted, filled with rubbish, checked
 * when it is freed, and refused on demand; randomness from a seed.
 *
 *	struct test_env env;
 *	struct haven_env haven;
 *
 *	test_env_init(&env, 1);
 *	haven = test_env_haven(&env);
 *	...
 *	test_env_finish(&env);		(fails when anything is still allocated)
 *
 * To test what happens without memory, for every N: test_env_fail(&env, N), run, until
 * test_env_failed() says that the run needed fewer than N allocations.
 */
#ifndef TEST_ENV_H
#define TEST_ENV_H

#include <haven/stack.h>

#include "support/random.h"

struct test_env {
	struct test_random random;
	uint64_t live; /* allocations not freed yet */
	uint64_t live_bytes;
	uint64_t peak_bytes;
	uint64_t allocations; /* since test_env_init() or test_env_fail() */
	uint64_t fail_at;     /* the how-manieth of them fails; 0: none */
	uint64_t fail_span;   /* and how many more after that one */
	uint32_t fail_ppm;    /* and besides, this share of all */
	uint64_t limit_bytes; /* and whatever would go beyond this; 0: no limit */
	uint64_t failures;    /* refused so far */
	bool log_to_stderr;
};

void test_env_init(struct test_env *env, uint64_t seed);
/* Ends the program with a message when memory was not given back. */
void test_env_finish(const struct test_env *env);
struct haven_env test_env_haven(struct test_env *env);

/* Let the nth allocation from now on fail, once (0: none). */
void test_env_fail(struct test_env *env, uint64_t nth);
/* Whether that one was reached. */
bool test_env_failed(const struct test_env *env);

#endif
