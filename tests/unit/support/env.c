/* The environment of tests. */
#include "support/env.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUBBISH = 0xa5, FREED = 0x5a };
#define MAGIC UINT64_C(0x68617665746573ff)

/* In front of each allocation, as large as malloc aligns. */
struct header {
	uint64_t magic;
	uint64_t size;
};

_Noreturn static void fail(const char *what, uint64_t a, uint64_t b)
{
	fprintf(stderr, "test environment: %s (%" PRIu64 ", %" PRIu64 ")\n", what, a, b);
	abort();
}

void test_random_fill(struct test_random *random, void *buffer, size_t size)
{
	uint8_t *p = buffer;

	while (size > 0) {
		uint64_t value = test_random64(random);
		size_t part = size < sizeof(value) ? size : sizeof(value);

		memcpy(p, &value, part);
		p += part;
		size -= part;
	}
}

static bool refused(struct test_env *env, size_t size)
{
	env->allocations++;
	if (env->fail_at && env->allocations >= env->fail_at &&
	    env->allocations - env->fail_at <= env->fail_span)
		return true;
	if (env->fail_ppm && test_random_ppm(&env->random, env->fail_ppm))
		return true;
	return env->limit_bytes && env->live_bytes + size > env->limit_bytes;
}

static void *test_alloc(void *user, size_t size)
{
	struct test_env *env = user;
	struct header *header;

	if (size == 0)
		fail("allocation of nothing", 0, 0);
	if (refused(env, size)) {
		env->failures++;
		return NULL;
	}
	header = malloc(sizeof(*header) + size);
	if (!header)
		fail("malloc failed", size, 0);
	*header = (struct header){.magic = MAGIC, .size = size};
	memset(header + 1, RUBBISH, size < 4096 ? size : 4096);
	env->live++;
	env->live_bytes += size;
	if (env->live_bytes > env->peak_bytes)
		env->peak_bytes = env->live_bytes;
	return header + 1;
}

static void test_free(void *user, void *memory, size_t size)
{
	struct test_env *env = user;
	struct header *header;

	if (!memory)
		fail("free of NULL", size, 0);
	header = (struct header *)memory - 1;
	if (header->magic != MAGIC)
		fail("free of what was not allocated, or written before its start", size, 0);
	if (header->size != size)
		fail("freed with another size than it was allocated with", header->size, size);
	header->magic = 0;
	env->live--;
	env->live_bytes -= size;
	memset(memory, FREED, size < 4096 ? size : 4096);
	free(header);
}

static void test_fill(void *user, void *buffer, size_t size)
{
	struct test_env *env = user;

	test_random_fill(&env->random, buffer, size);
}

static void test_log(void *user, enum haven_log_level level, const char *message)
{
	struct test_env *env = user;

	if (env->log_to_stderr)
		fprintf(stderr, "log %d: %s\n", (int)level, message);
}

void test_env_init(struct test_env *env, uint64_t seed)
{
	*env = (struct test_env){0};
	test_random_init(&env->random, seed);
}

void test_env_finish(const struct test_env *env)
{
	if (env->live || env->live_bytes)
		fail("memory was not freed (allocations, bytes)", env->live, env->live_bytes);
}

struct haven_env test_env_haven(struct test_env *env)
{
	return (struct haven_env){
		.user = env,
		.alloc = test_alloc,
		.free = test_free,
		.random = test_fill,
		.log = test_log,
	};
}

void test_env_fail(struct test_env *env, uint64_t nth)
{
	env->allocations = 0;
	env->fail_at = nth;
	env->fail_span = 0;
}

bool test_env_failed(const struct test_env *env)
{
	return env->fail_at && env->allocations >= env->fail_at;
}
