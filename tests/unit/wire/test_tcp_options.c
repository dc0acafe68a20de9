/* TCP options: as Linux orders them, read back, and never read beyond their end. */
#include <string.h>

#include "support/test.h"
#include "wire/tcp.h"

static void syn_options_are_in_the_usual_order(void **state)
{
	static const uint8_t expected[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
					   0, 1, 0, 0,	 0, 2, 1, 3,  3, 7};
	const struct hv_tcp_options options = {
		.has_mss = true,
		.mss = 1460,
		.sack_permitted = true,
		.has_timestamps = true,
		.ts_value = 1,
		.ts_echo = 2,
		.has_window_scale = true,
		.window_scale = 7,
	};
	uint8_t out[40];

	(void)state;
	assert_int_equal(hv_wire_tcp_options_write(out, &options), sizeof(expected));
	assert_memory_equal(out, expected, sizeof(expected));
}

/* Fast Open: nothing, or 4 to 16 bytes, an even number of them (RFC 7413 section 2). */
static void fast_open_cookies(void **state)
{
	(void)state;
	for (uint8_t size = 0; size <= 18; size++) {
		bool good = size == 0 || (size >= 4 && size <= 16 && size % 2 == 0);
		uint8_t bytes[20] = {34, (uint8_t)(2 + size), 1, 2, 3}, again[40];
		struct hv_tcp_options out, options = {.has_mss = true, .has_timestamps = true};

		hv_wire_tcp_options_parse(bytes, 2u + size, &out);
		assert_int_equal(out.has_fast_open, good);
		if (!good)
			continue;
		assert_int_equal(out.fast_open_len, size);
		assert_ptr_equal(out.fast_open, bytes + 2);
		options.has_window_scale = options.has_fast_open = true;
		options.fast_open_len = size;
		options.fast_open = bytes + 2;
		assert_int_equal(hv_wire_tcp_options_write(again, &options),
				 20 + (2 + size + 3) / 4 * 4);
		hv_wire_tcp_options_parse(again, 20 + (2u + size + 3) / 4 * 4, &out);
		assert_int_equal(out.fast_open_len, size);
		assert_memory_equal(out.fast_open, bytes + 2, size);
	}
}

static void random_options(struct test_random *random, struct hv_tcp_options *options)
{
	memset(options, 0, sizeof(*options));
	options->has_mss = test_random_one_in(random, 2);
	options->mss = options->has_mss ? (uint16_t)test_random64(random) : 0;
	options->sack_permitted = test_random_one_in(random, 2);
	options->has_timestamps = test_random_one_in(random, 2);
	if (options->has_timestamps) {
		options->ts_value = (uint32_t)test_random64(random);
		options->ts_echo = (uint32_t)test_random64(random);
	}
	options->has_window_scale = test_random_one_in(random, 2);
	options->window_scale =
		options->has_window_scale ? (uint8_t)test_random_below(random, 15) : 0;
	options->sack_count = (uint8_t)test_random_below(random, 5);
	for (unsigned i = 0; i < options->sack_count; i++) {
		options->sack[i][0] = (uint32_t)test_random64(random);
		options->sack[i][1] = (uint32_t)test_random64(random);
	}
}

static void what_is_written_is_read_back(void **state)
{
	struct test_random random;

	(void)state;
	test_random_init(&random, 11);
	for (int i = 0; i < 10000; i++) {
		struct hv_tcp_options in, out;
		uint8_t bytes[40];
		unsigned size;

		random_options(&random, &in);
		size = hv_wire_tcp_options_write(bytes, &in);
		assert_true(size <= 40 && size % 4 == 0);
		hv_wire_tcp_options_parse(bytes, size, &out);
		/* SACK blocks that found no room are left out, from the last on. */
		assert_true(out.sack_count <= in.sack_count);
		assert_true(out.sack_count == in.sack_count || size + 8 > 40);
		for (unsigned k = out.sack_count; k < in.sack_count; k++)
			in.sack[k][0] = in.sack[k][1] = 0;
		in.sack_count = out.sack_count;
		assert_memory_equal(&in, &out, sizeof(in));
	}
}

static void malformed_lists_end_silently(void **state)
{
	static const struct {
		uint8_t bytes[12];
		unsigned size;
	} cases[] = {
		{{2, 4, 5, 180, 2}, 5},		 /* kind without length */
		{{2, 4, 5, 180, 3, 0}, 6},	 /* length 0 would not move on */
		{{2, 4, 5, 180, 3, 1, 7}, 7},	 /* length 1 neither */
		{{2, 4, 5, 180, 3, 3}, 6},	 /* beyond the end */
		{{2, 4, 5, 180, 0, 3, 3, 7}, 8}, /* after the end of the list */
		{{2, 4, 5, 180, 3, 4, 7, 7}, 8}, /* window scale of another length */
		{{2, 4, 5, 180, 99, 255, 7}, 7},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		struct hv_tcp_options out;

		hv_wire_tcp_options_parse(cases[i].bytes, cases[i].size, &out);
		assert_true(out.has_mss);
		assert_int_equal(out.mss, 1460);
		assert_false(out.has_window_scale);
	}
}

static void unknown_options_are_passed_over(void **state)
{
	static const uint8_t bytes[] = {253, 4, 0xde, 0xad, 1, 1, 1, 3, 3, 200, 0, 0};
	struct hv_tcp_options out;

	(void)state;
	hv_wire_tcp_options_parse(bytes, sizeof(bytes), &out);
	assert_true(out.has_window_scale);
	assert_int_equal(out.window_scale, 14);
}

static void rubbish_stays_inside(void **state)
{
	struct test_random random;

	(void)state;
	test_random_init(&random, 12);
	for (int i = 0; i < 100000; i++) {
		unsigned size = (unsigned)test_random_below(&random, 41);
		uint8_t bytes[40];
		struct hv_tcp_options out;

		test_random_fill(&random, bytes, sizeof(bytes));
		/* Kinds that mean something, most of the time. */
		for (unsigned k = 0; k < size; k += 1 + (unsigned)test_random_below(&random, 4))
			bytes[k] = (uint8_t)test_random_below(&random, 12);
		hv_wire_tcp_options_parse(bytes, size, &out);
		assert_true(out.sack_count <= 4);
		assert_true(out.window_scale <= 14);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syn_options_are_in_the_usual_order),
		cmocka_unit_test(fast_open_cookies),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(malformed_lists_end_silently),
		cmocka_unit_test(unknown_options_are_passed_over),
		cmocka_unit_test(rubbish_stays_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
