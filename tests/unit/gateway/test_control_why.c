/* What `haven why` says of a port that nothing holds. */
#include <netinet/in.h>
#include <string.h>

#include "gateway/control_state.h"
#include "support/test.h"

/* The verdict and text of the only row about TCP's `port`, which the caller ends. */
static json_t *verdict_on(struct hv_control *control, uint16_t port)
{
	struct hv_survey survey = {0};
	struct hv_answer answer = {.control = control,
				   .survey = &survey,
				   .protocols = {IPPROTO_TCP},
				   .port = port};
	json_t *row = NULL, *only = NULL;

	control->services_loaded = true; /* without the machine's own */
	while (hv_answer_why.step(&answer, &row)) {
		if (!row)
			continue;
		assert_null(only);
		only = row;
		row = NULL;
	}
	assert_non_null(only);
	return only;
}

static void free_ports_are_privileged_or_not(void **state)
{
	static const struct {
		bool attached;
		uint32_t limit;
		uint16_t port;
		const char *verdict, *text;
	} cases[] = {
		{false, 0, 1, "free", "1/tcp is free"},
		{false, 0, 65535, "free", "65535/tcp is free"},
		{false, 512, 511, "privileged", "a lower --privileged-ports; from 512 on"},
		{false, 512, 512, "free", "512/tcp is free"},
		{false, 65535, 65534, "privileged", "'haven run --root'"},
		{false, 65535, 65535, "free", "65535/tcp is free"},
		{true, 0, 1023, "privileged", "CAP_NET_BIND_SERVICE"},
		{true, 0, 1024, "free", "1024/tcp is free"},
	};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(cases); i++) {
		struct hv_control control = {.attached = cases[i].attached,
					     .privileged_ports = cases[i].limit};
		json_t *row = verdict_on(&control, cases[i].port);

		assert_string_equal(json_string_value(json_object_get(row, "verdict")),
				    cases[i].verdict);
		if (!strstr(json_string_value(json_object_get(row, "text")), cases[i].text))
			fail_msg("%s", json_string_value(json_object_get(row, "text")));
		assert_int_equal(json_integer_value(json_object_get(row, "port")),
				 cases[i].port);
		json_decref(row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_ports_are_privileged_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
