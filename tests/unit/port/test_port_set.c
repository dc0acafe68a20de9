/* Sets of ports: both ends, word borders, and the next free port at any occupancy. */
#include "port/port_set.h"

#include <string.h>

#include "support/test.h"

static void test_both_ends(void **state)
{
	static struct hv_port_set set;

	(void)state;
	memset(&set, 0, sizeof(set));
	hv_port_set_add(&set, 0);
	hv_port_set_add(&set, 65535);
	hv_port_set_add(&set, 65535);
	assert_int_equal(set.count, 2);
	assert_true(hv_port_set_has(&set, 0));
	assert_true(hv_port_set_has(&set, 65535));
	assert_false(hv_port_set_has(&set, 65534));
	assert_int_equal(hv_port_set_next_free(&set, 0, 65535), 1);
	assert_int_equal(hv_port_set_next_free(&set, 65534, 65535), 65534);
	assert_int_equal(hv_port_set_next_free(&set, 65535, 65535), -1);
	assert_int_equal(hv_port_set_next_free(&set, 10, 9), -1);
	hv_port_set_remove(&set, 65535);
	hv_port_set_remove(&set, 65535);
	assert_int_equal(set.count, 1);
	assert_int_equal(hv_port_set_next_free(&set, 65535, 65535), 65535);
}

/* One free port anywhere is found from anywhere before it. */
static void test_last_one_free(void **state)
{
	static struct hv_port_set set;
	static const uint16_t holes[] = {0,    1,     63,    64,    127,  4095,
					 4096, 32768, 65471, 65472, 65535};

	(void)state;
	memset(&set, 0, sizeof(set));
	for (uint32_t port = 0; port < 65536; port++)
		hv_port_set_add(&set, (uint16_t)port);
	assert_int_equal(hv_port_set_next_free(&set, 0, 65535), -1);
	for (size_t i = 0; i < TEST_COUNT(holes); i++) {
		hv_port_set_remove(&set, holes[i]);
		assert_int_equal(hv_port_set_next_free(&set, 0, 65535), holes[i]);
		assert_int_equal(hv_port_set_next_free(&set, holes[i], holes[i]), holes[i]);
		if (holes[i] < 65535)
			assert_int_equal(hv_port_set_next_free(&set, holes[i] + 1u, 65535), -1);
		if (holes[i] > 0)
			assert_int_equal(hv_port_set_next_free(&set, 0, holes[i] - 1u), -1);
		hv_port_set_add(&set, holes[i]);
	}
}

/* The same answers as a plain array gives, over random sets. */
static void test_against_an_array(void **state)
{
	static struct hv_port_set set;
	static bool plain[65536];
	struct test_random random;

	(void)state;
	memset(&set, 0, sizeof(set));
	memset(plain, 0, sizeof(plain));
	test_random_init(&random, 7);
	for (int round = 0; round < 200000; round++) {
		uint16_t port = (uint16_t)test_random_below(&random, 512);

		plain[port] = !test_random_one_in(&random, 10);
		if (plain[port])
			hv_port_set_add(&set, port);
		else
			hv_port_set_remove(&set, port);
		if (round % 50 == 0) {
			uint32_t from = (uint32_t)test_random_below(&random, 600);
			uint32_t expected = from;

			while (plain[expected])
				expected++;
			assert_int_equal(hv_port_set_next_free(&set, from, 65535), expected);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_last_one_free),
		cmocka_unit_test(test_against_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
