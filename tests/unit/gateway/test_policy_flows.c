/* Flows and the policy: asked, judged by name, left, asked about again; refusals told, remembered and listened to. */
#include <string.h>

#include "policy_support.h"
#include "support/test.h"

static void bind_name(struct test_policy *test, const char *name, const char *address)
{
	hv_policy_bound(&test->gateway, name, test_endpoint(address, 0).address, 60);
}

static void nothing_is_asked_without_rules(void **state)
{
	struct test_policy test;
	struct hv_flow flow = test_flow(HV_FLOW_TCP_OUT, "192.0.2.1", 443);
	struct haven_verdict verdict;

	(void)state;
	test_policy_begin(&test, NULL, NULL);
	assert_false(test.gateway.policy->active);
	assert_int_equal(hv_policy_ask(&test.gateway, &flow, NULL, &verdict),
			 HV_POLICY_ALLOWED);
	assert_int_equal(verdict.name_check, HAVEN_NAME_FREE);
	assert_null(flow.rule);
	test_policy_end(&test);
}

static void the_first_rule_that_matches_decides(void **state)
{
	struct test_policy test;
	struct hv_flow good = test_flow(HV_FLOW_TCP_OUT, "192.0.2.1", 443);
	struct hv_flow silent = test_flow(HV_FLOW_TCP_OUT, "192.0.2.66", 443);
	struct hv_flow ping = test_flow(HV_FLOW_ECHO, "192.0.2.1", 0);
	struct haven_rule_info info;
	struct haven_verdict verdict;

	(void)state;
	test_policy_begin(&test, "deny out 192.0.2.66 drop\nallow out tcp 192.0.2.0/24:https\n",
			  NULL);
	assert_int_equal(hv_policy_ask(&test.gateway, &good, NULL, &verdict),
			 HV_POLICY_ALLOWED);
	assert_non_null(good.rule);
	assert_int_equal(hv_policy_ask(&test.gateway, &silent, NULL, &verdict),
			 HV_POLICY_SILENT);
	assert_int_equal(hv_policy_ask(&test.gateway, &ping, NULL, &verdict),
			 HV_POLICY_REFUSED);
	assert_int_equal(verdict.rule, 0);
	assert_true(haven_filter_rule(test.gateway.policy->filter, 2, &info));
	assert_int_equal(info.open, 1);
	good.bytes_in = 1000;
	hv_policy_leave(&test.gateway, &good);
	assert_true(haven_filter_rule(test.gateway.policy->filter, 2, &info));
	assert_int_equal(info.open, 0);
	assert_int_equal(info.bytes, 1000);
	test_policy_end(&test);
}

static void a_published_flow_is_asked_about_by_its_peer(void **state)
{
	struct test_policy test;
	struct hv_flow flow = test_flow(HV_FLOW_TCP_IN, "10.0.2.100", 80);
	struct haven_endpoint near = test_endpoint("198.51.100.7", 50000);
	struct haven_endpoint local = test_endpoint("127.0.0.1", 50000);
	struct haven_verdict verdict;

	(void)state;
	test_policy_begin(&test, "allow in tcp :http from host\n", NULL);
	flow.source = test_endpoint("10.0.2.2", 50000);
	assert_int_equal(hv_policy_ask(&test.gateway, &flow, &near, &verdict),
			 HV_POLICY_REFUSED);
	assert_int_equal(hv_policy_ask(&test.gateway, &flow, &local, &verdict),
			 HV_POLICY_ALLOWED);
	hv_policy_leave(&test.gateway, &flow);
	test_policy_end(&test);
}

/* 'haven connect': no default, but rules. */
static void a_command_is_excused_from_the_default(void **state)
{
	struct test_policy test;
	struct hv_flow other = test_flow(HV_FLOW_TCP_IN, "10.0.2.100", 22);
	struct hv_flow shell = test_flow(HV_FLOW_TCP_IN, "10.0.2.100", 22);
	struct hv_flow denied = test_flow(HV_FLOW_TCP_IN, "10.0.2.100", 23);
	struct hv_flow limited = test_flow(HV_FLOW_TCP_IN, "10.0.2.100", 80);
	struct haven_verdict verdict;

	(void)state;
	test_policy_begin(&test, "allow in tcp :80 max 1\ndeny in tcp :23 from host\n", NULL);
	other.source = shell.source = denied.source = limited.source =
		test_endpoint("10.0.2.2", 0);
	shell.by_command = denied.by_command = limited.by_command = true;
	assert_int_equal(hv_policy_ask(&test.gateway, &other, NULL, &verdict),
			 HV_POLICY_REFUSED);
	assert_int_equal(hv_policy_ask(&test.gateway, &shell, NULL, &verdict),
			 HV_POLICY_ALLOWED);
	assert_true(hv_policy_still_allows(&test.gateway, &shell));
	assert_false(hv_policy_still_allows(&test.gateway, &other));
	assert_int_equal(hv_policy_ask(&test.gateway, &denied, NULL, &verdict),
			 HV_POLICY_REFUSED);
	assert_false(hv_policy_still_allows(&test.gateway, &denied));
	assert_int_equal(hv_policy_ask(&test.gateway, &limited, NULL, &verdict),
			 HV_POLICY_ALLOWED);
	assert_int_equal(hv_policy_ask(&test.gateway, &limited, NULL, &verdict),
			 HV_POLICY_REFUSED);
	assert_int_equal(verdict.reason, HAVEN_VERDICT_MAX);
	hv_policy_leave(&test.gateway, &shell);
	hv_policy_leave(&test.gateway, &limited);
	test_policy_end(&test);
}

static void a_name_is_judged_when_it_is_said(void **state)
{
	struct test_policy test;
	struct hv_flow flow = test_flow(HV_FLOW_TCP_OUT, "192.0.2.1", 443);
	struct haven_verdict first, verdict;

	(void)state;
	test_policy_begin(&test, "allow out *.example.org:https\n", NULL);
	assert_int_equal(hv_policy_ask(&test.gateway, &flow, NULL, &first), HV_POLICY_REFUSED);
	bind_name(&test, "www.example.org", "192.0.2.1");
	assert_int_equal(hv_policy_ask(&test.gateway, &flow, NULL, &first), HV_POLICY_ALLOWED);
	assert_int_equal(first.name_check, HAVEN_NAME_IF_SAID);
	assert_string_equal(flow.name, "www.example.org");
	assert_int_equal(hv_policy_judge(&test.gateway, &flow, "evil.example", &verdict),
			 HV_POLICY_REFUSED);
	assert_int_equal(hv_policy_judge(&test.gateway, &flow, "www.example.org", &verdict),
			 HV_POLICY_ALLOWED);
	assert_true(flow.name_said);
	assert_false(hv_policy_judge_nameless(&test.gateway, &flow, &first));
	first.name_may_miss = true;
	assert_true(hv_policy_judge_nameless(&test.gateway, &flow, &first));
	first.name_check = HAVEN_NAME_MUST_BE_SAID;
	assert_false(hv_policy_judge_nameless(&test.gateway, &flow, &first));
	hv_policy_leave(&test.gateway, &flow);
	assert_null(flow.name);
	test_policy_end(&test);
}

static void names_of_this_machine_are_not_bound(void **state)
{
	struct test_policy test;
	struct hv_flow flow = test_flow(HV_FLOW_TCP_OUT, "10.0.2.2", 80);
	struct haven_verdict verdict;

	(void)state;
	test_policy_begin(&test, "allow out rebind.test\n", NULL);
	bind_name(&test, "rebind.test", "127.0.0.1");
	bind_name(&test, "rebind.test", "10.0.2.2");
	assert_int_equal(hv_policy_ask(&test.gateway, &flow, NULL, &verdict),
			 HV_POLICY_REFUSED);
	assert_non_null(strstr(test_policy_logged(&test), "the host's own address 127.0.0.1"));
	test_policy_end(&test);
}

static unsigned ended;

static void end_flow(struct hv_flow *flow, const char *reason)
{
	ended++;
	assert_string_equal(reason, "refused by new rules");
	flow->refuse = NULL;
}

static void open_flows_are_asked_about_again(void **state)
{
	struct test_policy test;
	struct hv_flow flows[3];
	struct haven_rule_error error;
	struct haven_rules *rules;
	struct haven_verdict verdict;
	struct haven_env env;

	(void)state;
	test_policy_begin(&test, "allow out 192.0.2.0/24\n", NULL);
	for (unsigned i = 0; i < 3; i++) {
		flows[i] = test_flow(HV_FLOW_TCP_OUT, i == 1 ? "192.0.2.2" : "192.0.2.1", 80);
		flows[i].refuse = end_flow;
		assert_int_equal(hv_policy_ask(&test.gateway, &flows[i], NULL, &verdict),
				 HV_POLICY_ALLOWED);
		hv_flow_open(&test.gateway.flows, &flows[i], 1);
	}
	haven_env_default(&env);
	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	assert_int_equal(haven_rules_add(rules, HAVEN_RULE_DENY, "out 192.0.2.2", &error), 0);
	assert_int_equal(haven_filter_insert(test.gateway.policy->filter, 1, rules), 0);
	ended = 0;
	hv_policy_changed(&test.gateway, false);
	assert_int_equal(ended, 0);
	hv_policy_changed(&test.gateway, true);
	assert_int_equal(ended, 1);
	assert_null(flows[1].refuse);
	for (unsigned i = 0; i < 3; i++) {
		hv_flow_close(&test.gateway.flows, &flows[i], 2, "closed");
		hv_policy_leave(&test.gateway, &flows[i]);
	}
	test_policy_end(&test);
}

/* --- refusals --------------------------------------------------------------------------- */

struct listening {
	struct hv_refusal_listener listener;
	unsigned calls;
};

static void heard(struct hv_refusal_listener *listener)
{
	((struct listening *)listener)->calls++;
}

static void refuse(struct test_policy *test, struct hv_flow *flow)
{
	struct haven_verdict verdict;

	assert_int_not_equal(hv_policy_ask(&test->gateway, flow, NULL, &verdict),
			     HV_POLICY_ALLOWED);
	hv_policy_refused(&test->gateway, flow, &verdict, NULL, NULL);
}

static void a_refusal_is_told_and_kept(void **state)
{
	struct test_policy test;
	struct listening listening = {.listener.refused = heard};
	struct hv_flow flow = test_flow(HV_FLOW_TCP_OUT, "192.0.2.1", 443);
	const struct hv_refused *refused;

	(void)state;
	test_policy_begin(&test, "allow out 198.51.100.0/24\ndeny out evil.test\n", NULL);
	bind_name(&test, "evil.test", "192.0.2.1");
	assert_null(hv_refusal_after(test.gateway.policy, 0));
	hv_refusal_listen(test.gateway.policy, &listening.listener);
	refuse(&test, &flow);
	assert_int_equal(listening.calls, 1);
	refused = hv_refusal_after(test.gateway.policy, 0);
	assert_non_null(refused);
	assert_int_equal(refused->number, 1);
	assert_int_equal(refused->rule, 2);
	assert_string_equal(refused->name, "evil.test");
	assert_string_equal(test_policy_logged(&test),
			    "haven: refused: tcp out to evil.test (192.0.2.1) port 443 (https) "
			    "by rule 2 'deny out evil.test'\n");
	assert_null(hv_refusal_after(test.gateway.policy, 1));
	hv_refusal_unlisten(&listening.listener);
	refuse(&test, &flow);
	assert_int_equal(listening.calls, 1);
	test_policy_end(&test);
}

static unsigned lines_of(const char *text)
{
	unsigned count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void many_refusals_are_few_lines(void **state)
{
	struct test_policy test;
	struct hv_flow flow = test_flow(HV_FLOW_UDP_OUT, "192.0.2.1", 53);
	const struct hv_refused *refused;
	unsigned kept = 0;

	(void)state;
	test_policy_begin(&test, "deny out\n", NULL);
	for (unsigned i = 0; i < 1000; i++)
		refuse(&test, &flow);
	assert_int_equal(lines_of(test_policy_logged(&test)), 20);
	test.gateway.loop.now_ns += HV_NS_PER_S;
	refuse(&test, &flow);
	assert_non_null(
		strstr(test_policy_logged(&test), "by rule 1 'deny out' (and 980 more were"));
	/* The ring has the last ones, in order. */
	for (refused = hv_refusal_after(test.gateway.policy, 0); refused;
	     refused = hv_refusal_after(test.gateway.policy, refused->number))
		kept++;
	assert_int_equal(kept, HV_REFUSALS_KEPT);
	test_policy_end(&test);
}

static void refused_while_open(struct hv_flow *flow, const char *reason)
{
	assert_string_equal(reason, "refused by a rule");
	flow->refuse = NULL;
}

static void an_open_flow_is_ended_by_its_name(void **state)
{
	struct test_policy test;
	struct hv_flow flow = test_flow(HV_FLOW_TCP_OUT, "192.0.2.1", 443);
	struct haven_verdict verdict;

	(void)state;
	test_policy_begin(&test, "allow out good.test\n", NULL);
	bind_name(&test, "good.test", "192.0.2.1");
	flow.refuse = refused_while_open;
	assert_int_equal(hv_policy_ask(&test.gateway, &flow, NULL, &verdict),
			 HV_POLICY_ALLOWED);
	assert_int_equal(hv_policy_judge(&test.gateway, &flow, "evil.test", &verdict),
			 HV_POLICY_REFUSED);
	hv_policy_end(&test.gateway, &flow, &verdict, "it asks for the server 'evil.test'");
	assert_null(flow.refuse);
	assert_non_null(strstr(test_policy_logged(&test),
			       "by default: no rule allows it: it asks for the server "
			       "'evil.test'"));
	hv_policy_leave(&test.gateway, &flow);
	test_policy_end(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_asked_without_rules),
		cmocka_unit_test(the_first_rule_that_matches_decides),
		cmocka_unit_test(a_published_flow_is_asked_about_by_its_peer),
		cmocka_unit_test(a_command_is_excused_from_the_default),
		cmocka_unit_test(a_name_is_judged_when_it_is_said),
		cmocka_unit_test(names_of_this_machine_are_not_bound),
		cmocka_unit_test(open_flows_are_asked_about_again),
		cmocka_unit_test(a_refusal_is_told_and_kept),
		cmocka_unit_test(many_refusals_are_few_lines),
		cmocka_unit_test(an_open_flow_is_ended_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
