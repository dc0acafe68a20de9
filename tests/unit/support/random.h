/* Seeded randomness for tests (splitmix64): the same seed, the same run. */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_random {
	uint64_t state;
};

static inline void test_random_init(struct test_random *random, uint64_t seed)
{
	random->state = seed;
}

static inline uint64_t test_random64(struct test_random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 <= x < bound, bound > 0. The bias of a 64-bit modulus does not matter here. */
static inline uint64_t test_random_below(struct test_random *random, uint64_t bound)
{
	assert(bound > 0);
	return test_random64(random) % bound;
}

/* low <= x <= high */
static inline uint64_t test_random_range(struct test_random *random, uint64_t low,
					 uint64_t high)
{
	return low + test_random_below(random, high - low + 1);
}

/* True once in `one_in` times. */
static inline bool test_random_one_in(struct test_random *random, uint64_t one_in)
{
	return test_random_below(random, one_in) == 0;
}

static inline bool test_random_ppm(struct test_random *random, uint32_t ppm)
{
	return test_random_below(random, 1000000) < ppm;
}

void test_random_fill(struct test_random *random, void *buffer, size_t size);

#endif
