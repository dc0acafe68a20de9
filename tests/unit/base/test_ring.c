/* The ring buffer against a flat array that holds the same bytes. */
#include <string.h>

#include "base/fixture.h"
#include "base/ring.h"

enum { LIMIT = 100000, OPERATIONS = 100000 };

/* What the ring ought to hold. */
struct reference {
	uint8_t bytes[LIMIT];
	uint32_t used;
};

static void reference_write(struct reference *r, const uint8_t *data, uint32_t size)
{
	memcpy(r->bytes + r->used, data, size);
	r->used += size;
}

static void reference_consume(struct reference *r, uint32_t size)
{
	r->used -= size;
	memmove(r->bytes, r->bytes + size, r->used);
}

static void check_range(const struct hv_ring *ring, const struct reference *r, uint32_t offset,
			uint32_t size)
{
	static uint8_t out[LIMIT];
	uint32_t there = offset >= r->used ? 0 : r->used - offset, at = offset;
	struct iovec slices[2];
	int count;

	if (there > size)
		there = size;
	assert_int_equal(hv_ring_copy(ring, offset, out, size), there);
	assert_memory_equal(out, r->bytes + offset, there);
	assert_int_equal(hv_ring_slices(ring, offset, size, slices, &count), there);
	assert_in_range(count, there > 0, 2);
	for (int i = 0; i < count; i++) {
		assert_true(slices[i].iov_len > 0);
		assert_memory_equal(slices[i].iov_base, r->bytes + at, slices[i].iov_len);
		at += (uint32_t)slices[i].iov_len;
	}
	assert_int_equal(at, offset + there);
}

static uint32_t random_size(struct test_random *random)
{
	return (uint32_t)test_random_below(random, UINT64_C(1)
							   << test_random_below(random, 17));
}

/* Reserve, fill, and commit a part. */
static void reserve_some(struct fixture *f, struct hv_ring *ring, struct reference *r)
{
	uint32_t wanted = random_size(&f->env.random), got, part, left;
	struct iovec slices[2];
	int count;

	got = hv_ring_reserve(ring, &f->core, wanted, slices, &count);
	assert_true(got <= wanted && got <= LIMIT - r->used);
	if (f->env.fail_ppm == 0)
		assert_true(got == wanted || got == LIMIT - r->used);
	part = got ? (uint32_t)test_random_below(&f->env.random, got + 1) : 0;
	left = part;
	for (int i = 0; i < count; i++) {
		uint32_t piece = (uint32_t)slices[i].iov_len;

		test_random_fill(&f->env.random, slices[i].iov_base, piece);
		piece = piece < left ? piece : left;
		reference_write(r, slices[i].iov_base, piece);
		left -= piece;
	}
	assert_int_equal(left, 0);
	hv_ring_commit(ring, part);
}

static void write_some(struct fixture *f, struct hv_ring *ring, struct reference *r)
{
	static uint8_t data[1 << 17];
	uint32_t size = random_size(&f->env.random), taken;

	test_random_fill(&f->env.random, data, size < 64 ? size : 64);
	taken = hv_ring_write(ring, &f->core, data, size);
	assert_true(taken <= size);
	if (f->env.fail_ppm == 0)
		assert_true(taken == size || taken == LIMIT - r->used);
	reference_write(r, data, taken);
}

static void run(struct fixture *f, int operations)
{
	static struct reference r;
	struct hv_ring ring;

	r.used = 0;
	hv_ring_init(&ring, LIMIT);
	for (int i = 0; i < operations; i++) {
		uint32_t size;

		switch (test_random_below(&f->env.random, 6)) {
		case 0:
			reserve_some(f, &ring, &r);
			break;
		case 1:
		case 2:
			write_some(f, &ring, &r);
			break;
		case 3:
			hv_ring_trim(&ring, &f->core);
			assert_true(ring.memory == NULL || r.used > 0);
			break;
		default:
			size = random_size(&f->env.random);
			size = size < r.used ? size : r.used;
			hv_ring_consume(&ring, size);
			reference_consume(&r, size);
			break;
		}
		assert_int_equal(ring.used, r.used);
		assert_int_equal(hv_ring_space(&ring), LIMIT - r.used);
		check_range(&ring, &r, random_size(&f->env.random), 100);
	}
	check_range(&ring, &r, 0, LIMIT);
	hv_ring_finish(&ring, &f->core);
	hv_packet_pool_clear(&f->core);
	assert_int_equal(f->core.memory_bytes, 0);
}

static void random_operations_agree(void **state)
{
	run(*state, OPERATIONS / 4);
}

static void random_operations_agree_when_memory_fails(void **state)
{
	struct fixture *f = *state;

	f->env.fail_ppm = 500000;
	run(f, OPERATIONS / 4);
	f->env.fail_ppm = 0;
}

static void growth_keeps_what_is_wrapped(void **state)
{
	struct fixture *f = *state;
	struct hv_ring ring;
	uint8_t data[5000], out[8000];

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	hv_ring_init(&ring, LIMIT);
	assert_int_equal(hv_ring_write(&ring, &f->core, data, 4000), 4000);
	hv_ring_consume(&ring, 3000);
	assert_int_equal(hv_ring_write(&ring, &f->core, data, 3000), 3000);
	assert_int_equal(hv_ring_write(&ring, &f->core, data, 4000), 4000);
	assert_int_equal(hv_ring_copy(&ring, 0, out, sizeof(out)), 8000);
	assert_memory_equal(out, data + 3000, 1000);
	assert_memory_equal(out + 1000, data, 3000);
	assert_memory_equal(out + 4000, data, 4000);
	hv_ring_finish(&ring, &f->core);
}

static void empty_ring_holds_no_memory_after_trim(void **state)
{
	struct fixture *f = *state;
	struct hv_ring ring;

	hv_ring_init(&ring, LIMIT);
	assert_int_equal(f->core.memory_bytes, 0);
	hv_ring_write(&ring, &f->core, "abc", 3);
	hv_ring_trim(&ring, &f->core);
	assert_int_equal(ring.used, 3);
	hv_ring_consume(&ring, 3);
	hv_ring_trim(&ring, &f->core);
	assert_int_equal(f->core.memory_bytes, 0);
	assert_int_equal(ring.limit, LIMIT);
	assert_int_equal(hv_ring_write(&ring, &f->core, "abc", 3), 3);
	hv_ring_finish(&ring, &f->core);
}

static void without_memory_what_fits_is_taken(void **state)
{
	struct fixture *f = *state;
	static uint8_t data[20000];
	struct hv_ring ring;

	hv_ring_init(&ring, LIMIT);
	test_env_fail(&f->env, 1);
	assert_int_equal(hv_ring_write(&ring, &f->core, data, 100), 0);
	assert_int_equal(hv_ring_write(&ring, &f->core, data, 100), 100);
	test_env_fail(&f->env, 1);
	assert_int_equal(hv_ring_write(&ring, &f->core, data, sizeof(data)), ring.size - 100);
	assert_int_equal(ring.used, ring.size);
	hv_ring_finish(&ring, &f->core);
}

static void limit_of_zero_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct hv_ring ring;

	hv_ring_init(&ring, 0);
	assert_int_equal(hv_ring_write(&ring, &f->core, "abc", 3), 0);
	assert_int_equal(f->core.memory_bytes, 0);
	hv_ring_finish(&ring, &f->core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(random_operations_agree),
		FIXTURE_TEST(random_operations_agree_when_memory_fails),
		FIXTURE_TEST(growth_keeps_what_is_wrapped),
		FIXTURE_TEST(empty_ring_holds_no_memory_after_trim),
		FIXTURE_TEST(without_memory_what_fits_is_taken),
		FIXTURE_TEST(limit_of_zero_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
