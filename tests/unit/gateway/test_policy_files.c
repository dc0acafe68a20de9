/* Files about the policy: rules read, the audit and what was learned written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "gateway/audit.h"
#include "gateway/learn.h"
#include "gateway/policy_file.h"
#include "policy_support.h"
#include "support/test.h"

static char folder[] = "/tmp/haven-test-XXXXXX";

static const char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, 128, "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static struct haven_rules *no_rules(void)
{
	struct haven_rules *rules;
	struct haven_env env;

	haven_env_default(&env);
	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	return rules;
}

/* --- policy_file.c ---------------------------------------------------------------------- */

static void files_are_read_with_what_they_include(void **state)
{
	struct haven_rules *rules = no_rules();
	char error[512], wanted[256];

	(void)state;
	write_file("outer", "# of a team\nallow out example.org:https\ninclude inner\n");
	write_file("inner", "deny in from 192.0.2.0/24\n");
	assert_true(hv_policy_file_add(rules, path_of("outer"), error, sizeof(error)));
	assert_int_equal(haven_rules_count(rules), 2);
	assert_string_equal(haven_rules_text(rules, 2), "deny in from 192.0.2.0/24");

	write_file("inner", "deny in\n\ndeny uot\n");
	assert_false(hv_policy_file_add(rules, path_of("outer"), error, sizeof(error)));
	snprintf(wanted, sizeof(wanted), "%s:3:6: ", path_of("inner"));
	assert_memory_equal(error, wanted, strlen(wanted));
	assert_non_null(strstr(error, "uot"));
	assert_int_equal(haven_rules_count(rules), 2);

	assert_false(hv_policy_file_add(rules, path_of("none"), error, sizeof(error)));
	assert_non_null(strstr(error, "No such file"));
	haven_rules_destroy(rules);
}

static void an_include_that_is_missing_is_an_error_of_the_line(void **state)
{
	struct haven_rules *rules = no_rules();
	char error[512], wanted[256];

	(void)state;
	write_file("outer", "allow out\ninclude nowhere\n");
	assert_false(hv_policy_file_add(rules, path_of("outer"), error, sizeof(error)));
	snprintf(wanted, sizeof(wanted), "%s:2:", path_of("outer"));
	assert_memory_equal(error, wanted, strlen(wanted));
	assert_int_equal(haven_rules_count(rules), 0);
	haven_rules_destroy(rules);
}

/* --- audit.c ---------------------------------------------------------------------------- */

static json_t *line_of(const char *text, unsigned number)
{
	json_error_t wrong;
	json_t *row;

	for (unsigned i = 1; i < number; i++) {
		text = strchr(text, '\n');
		assert_non_null(text);
		text++;
	}
	row = json_loads(text, JSON_DISABLE_EOF_CHECK, &wrong);
	assert_non_null(row);
	return row;
}

static const char *text_in(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static void an_audit_has_begin_end_and_refusal(void **state)
{
	struct hv_policy_config config = {.audit_path = path_of("audit")};
	struct hv_flow flow = test_flow(HV_FLOW_TCP_OUT, "192.0.2.1", 443);
	struct hv_flow bad = test_flow(HV_FLOW_ECHO, "192.0.2.9", 0);
	struct haven_verdict verdict;
	struct test_policy test;
	json_t *row;

	(void)state;
	test_policy_begin(&test, "allow out good.test:https\n", &config);
	hv_policy_bound(&test.gateway, "good.test", flow.destination.address, 60);
	assert_int_equal(hv_policy_ask(&test.gateway, &flow, NULL, &verdict),
			 HV_POLICY_ALLOWED);
	hv_audit_began(test.gateway.policy->audit, &flow);
	flow.bytes_out = 7;
	hv_audit_ended(test.gateway.policy->audit, &flow, "closed");
	hv_policy_leave(&test.gateway, &flow);
	assert_int_equal(hv_policy_ask(&test.gateway, &bad, NULL, &verdict), HV_POLICY_REFUSED);
	hv_policy_refused(&test.gateway, &bad, &verdict, NULL, NULL);
	test_policy_end(&test);

	row = line_of(test_policy_file(config.audit_path), 1);
	assert_string_equal(text_in(row, "event"), "begin");
	assert_string_equal(text_in(row, "name"), "good.test");
	assert_string_equal(text_in(row, "rule_text"), "allow out good.test:443");
	assert_string_equal(text_in(row, "destination"), "192.0.2.1:443");
	json_decref(row);
	row = line_of(test_policy_file(config.audit_path), 2);
	assert_string_equal(text_in(row, "event"), "end");
	assert_string_equal(text_in(row, "reason"), "closed");
	assert_int_equal(json_integer_value(json_object_get(row, "bytes_out")), 7);
	json_decref(row);
	row = line_of(test_policy_file(config.audit_path), 3);
	assert_string_equal(text_in(row, "verdict"), "refused");
	assert_string_equal(text_in(row, "destination"), "192.0.2.9");
	assert_true(json_is_null(json_object_get(row, "rule")));
	json_decref(row);
}

/* --- learn.c ---------------------------------------------------------------------------- */

static void carry(struct test_policy *test, struct hv_flow *flow, const char *said,
		  bool reached)
{
	struct haven_verdict verdict;

	assert_int_equal(hv_policy_ask(&test->gateway, flow, NULL, &verdict),
			 HV_POLICY_ALLOWED);
	assert_true(verdict.name_may_miss);
	if (said)
		assert_int_equal(hv_policy_judge(&test->gateway, flow, said, &verdict),
				 HV_POLICY_ALLOWED);
	flow->ready_ns = reached ? 1 : 0;
	flow->bytes_out = 100;
	hv_learn_ended(test->gateway.policy->learn, flow);
	hv_policy_leave(&test->gateway, flow);
}

static void what_was_needed_becomes_rules(void **state)
{
	struct hv_policy_config config = {.learn_path = path_of("learned")};
	struct hv_flow flows[] = {
		test_flow(HV_FLOW_TCP_OUT, "192.0.2.2", 443),
		test_flow(HV_FLOW_TCP_OUT, "192.0.2.2", 80),
		test_flow(HV_FLOW_TCP_OUT, "192.0.2.1", 443),
		test_flow(HV_FLOW_UDP_OUT, "192.0.2.1", 443),
		test_flow(HV_FLOW_TCP_OUT, "192.0.2.9", 5432),
		test_flow(HV_FLOW_TCP_OUT, "2001:db8::9", 443),
		test_flow(HV_FLOW_ECHO, "192.0.2.1", 0),
		test_flow(HV_FLOW_TCP_OUT, "192.0.2.2", 9999),
	};
	struct test_policy test;
	const char *text;

	(void)state;
	test_policy_begin(&test, NULL, &config);
	hv_policy_bound(&test.gateway, "b.test", flows[0].destination.address, 60);
	hv_policy_bound(&test.gateway, "a.test", flows[2].destination.address, 60);
	carry(&test, &flows[0], "b.test", true);
	carry(&test, &flows[1], NULL, true);
	carry(&test, &flows[2], NULL, true);
	carry(&test, &flows[3], NULL, true);
	carry(&test, &flows[4], NULL, true);
	carry(&test, &flows[5], "unbound.test", true);
	carry(&test, &flows[6], NULL, true);
	carry(&test, &flows[7], NULL, false);
	test_policy_end(&test);

	text = test_policy_file(config.learn_path);
	assert_non_null(strstr(text, ": curl https://b.test/\n"));
	text = strchr(strchr(text, '\n') + 1, '\n') + 1;
	assert_string_equal(
		text, "allow out a.test:https\t# 2 flows, 200 bytes\n"
		      "allow out icmp a.test\t# 1 flow, 100 bytes\n"
		      "# nobody answered: allow out tcp b.test:9999\t# 1 flow, 100 bytes\n"
		      "allow out tcp b.test:http,https\t# 2 flows, 200 bytes\n"
		      "allow out tcp 192.0.2.9:5432\t# 1 flow, 100 bytes\n"
		      "allow out tcp [2001:db8::9]:https\t# 1 flow, 100 bytes\n");
}

static void nothing_needed_is_nothing_allowed(void **state)
{
	struct hv_policy_config config = {.learn_path = path_of("learned")};
	struct haven_rules *rules = no_rules();
	struct test_policy test;
	char error[512];

	(void)state;
	test_policy_begin(&test, NULL, &config);
	test_policy_end(&test);
	assert_true(hv_policy_file_add(rules, config.learn_path, error, sizeof(error)));
	assert_int_equal(haven_rules_count(rules), 1);
	assert_string_equal(haven_rules_text(rules, 1), "deny out");
	haven_rules_destroy(rules);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"outer", "inner", "audit", "learned"};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(names); i++)
		unlink(path_of(names[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_read_with_what_they_include),
		cmocka_unit_test(an_include_that_is_missing_is_an_error_of_the_line),
		cmocka_unit_test(an_audit_has_begin_end_and_refusal),
		cmocka_unit_test(what_was_needed_becomes_rules),
		cmocka_unit_test(nothing_needed_is_nothing_allowed),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
