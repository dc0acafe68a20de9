/* Names and texts of errors and drop reasons. */
#include <string.h>

#include "base/drop.h"
#include "support/test.h"

static void errors_have_names_and_texts(void **state)
{
	(void)state;
	assert_string_equal(haven_errname(ECONNREFUSED), "ECONNREFUSED");
	assert_string_equal(haven_errname(-ECONNREFUSED), "ECONNREFUSED");
	assert_string_equal(haven_strerror(-ECONNREFUSED), "connection refused");
	assert_null(haven_errname(0));
	assert_null(haven_errname(99999));
	assert_string_equal(haven_strerror(0), "success");
	assert_string_equal(haven_strerror(99999), "unknown error");
#define X(name, text) assert_string_equal(haven_errname(-(name)), #name);
	HAVEN_ERROR_MAP(X)
#undef X
}

static void every_drop_reason_has_its_own_text(void **state)
{
	(void)state;
	assert_int_equal(haven_drop_reasons(), HV_DROP_COUNT);
	for (unsigned i = 0; i < haven_drop_reasons(); i++) {
		const char *name = haven_drop_name(i);

		assert_non_null(name);
		assert_true(strlen(name) > 0);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(name, haven_drop_name(k));
	}
	assert_string_equal(haven_drop_name(HV_DROP_COUNT), "unknown");
	assert_string_equal(haven_drop_name(HV_DROP_TCP_PAWS), "tcp: old timestamp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_have_names_and_texts),
		cmocka_unit_test(every_drop_reason_has_its_own_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
