/* Sequence numbers wrap around (RFC 9293 section 3.4), and the list that everything hangs in. */
#include "base/list.h"
#include "base/seq.h"
#include "support/test.h"

static void comparison_wraps(void **state)
{
	static const uint32_t starts[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffff00, 0xffffffff};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(starts); i++) {
		uint32_t a = starts[i], b = a + 0x1000, far = a + 0x7fffffff;

		assert_true(hv_seq_lt(a, b) && hv_seq_gt(b, a) && !hv_seq_lt(b, a));
		assert_true(hv_seq_leq(a, a) && hv_seq_geq(a, a));
		assert_false(hv_seq_lt(a, a) || hv_seq_gt(a, a));
		assert_true(hv_seq_lt(a, far) && hv_seq_gt(far, a));
		assert_int_equal(hv_seq_max(a, b), b);
		assert_int_equal(hv_seq_min(a, b), a);
	}
}

static void window_wraps(void **state)
{
	(void)state;
	assert_true(hv_seq_in(0xfffffff0, 0xfffffff0, 1));
	assert_true(hv_seq_in(0x0000000f, 0xfffffff0, 0x20));
	assert_false(hv_seq_in(0x00000010, 0xfffffff0, 0x20));
	assert_false(hv_seq_in(0xffffffef, 0xfffffff0, 0x20));
	assert_false(hv_seq_in(5, 5, 0));
}

static void list_is_a_queue(void **state)
{
	struct hv_list list, nodes[3];

	(void)state;
	hv_list_init(&list);
	assert_true(hv_list_is_empty(&list));
	assert_null(hv_list_pop(&list));
	for (int i = 0; i < 3; i++)
		hv_list_append(&list, &nodes[i]);
	hv_list_remove(&nodes[1]);
	hv_list_remove(&nodes[1]);
	assert_ptr_equal(hv_list_pop(&list), &nodes[0]);
	assert_ptr_equal(hv_list_pop(&list), &nodes[2]);
	assert_null(hv_list_pop(&list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparison_wraps),
		cmocka_unit_test(window_wraps),
		cmocka_unit_test(list_is_a_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
