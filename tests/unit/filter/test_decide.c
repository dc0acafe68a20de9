/* What a filter decides about flows: order, hosts, ports, protocols, defaults, counters. */
#include "fixture.h"

static void no_rules_allow_all(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "");
	verdict = ask(&f, "out tcp 10.0.2.100 192.0.2.1:443", NULL);
	assert_true(verdict.allowed);
	assert_int_equal(verdict.reason, HAVEN_VERDICT_DEFAULT);
	assert_int_equal(verdict.rule, 0);
	assert_null(verdict.handle);
	assert_string_equal(verdict.name, "");
	assert_int_equal(verdict.name_check, HAVEN_NAME_FREE);
	assert_int_equal(haven_filter_default_count(f.filter, HAVEN_OUT), 1);
	assert_int_equal(haven_filter_default_count(f.filter, HAVEN_IN), 0);
	end(&f);
}

static void the_default_is_by_direction(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "allow out https\ndeny in ssh\n");
	assert_false(haven_filter_default_allows(f.filter, HAVEN_OUT));
	assert_true(haven_filter_default_allows(f.filter, HAVEN_IN));
	assert_false(ask(&f, "out tcp 10.0.2.100 192.0.2.1:80", NULL).allowed);
	assert_true(ask(&f, "in tcp 192.0.2.1 10.0.2.100:80", NULL).allowed);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.1:443", NULL), 1);
	assert_int_equal(decided(&f, "in tcp 192.0.2.1 10.0.2.100:22", NULL), -2);
	end(&f);
}

static void the_first_match_decides(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "deny out 192.0.2.1\n"
		  "allow out 192.0.2.0/24:80-90\n"
		  "deny out 192.0.2.0/24:85\n"
		  "allow out udp\n");
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.1:80", NULL), -1);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.2:80", NULL), 2);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.2:85", NULL), 2);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.2:91", NULL), 0);
	assert_int_equal(decided(&f, "out udp 10.0.2.100 192.0.2.2:91", NULL), 4);
	end(&f);
}

static void protocols_and_families(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "allow out icmp\n"
		  "allow out 0.0.0.0/0:1-65535\n"
		  "allow out tcp [::/0]:1000-1999\n"
		  "deny out\n");
	assert_int_equal(decided(&f, "out icmp 10.0.2.100 192.0.2.1", NULL), 1);
	assert_int_equal(decided(&f, "out icmp6 fd00::2 2001:db8::1", NULL), 1);
	assert_int_equal(decided(&f, "out udp 10.0.2.100 192.0.2.1:999", NULL), 2);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.1:1000", NULL), 2);
	assert_int_equal(decided(&f, "out tcp fd00::2 2001:db8::1:1000", NULL), 3);
	assert_int_equal(decided(&f, "out tcp fd00::2 2001:db8::1:1999", NULL), 3);
	assert_int_equal(decided(&f, "out tcp fd00::2 2001:db8::1:2000", NULL), -4);
	assert_int_equal(decided(&f, "out udp fd00::2 2001:db8::1:1000", NULL), -4);
	end(&f);
}

/* A rule without protocol and ports means whatever else there is. */
static void other_protocols(void **state)
{
	struct haven_filter_flow flow = flow_of("out icmp 10.0.2.100 192.0.2.1");
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "deny out icmp\ndeny out :1-65535\ndeny out 192.0.2.1\n");
	flow.protocol = IPPROTO_SCTP;
	haven_filter_decide(f.filter, &flow, f.now_ns, &verdict);
	assert_false(verdict.allowed);
	assert_int_equal(verdict.rule, 3);
	end(&f);
}

static void sources(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "deny in ssh from 203.0.113.0/24 drop log\n"
		  "allow in ssh from host\n"
		  "allow in ssh from 192.0.2.1\n");
	assert_int_equal(decided(&f, "in tcp 203.0.113.9 10.0.2.100:22", NULL), -1);
	assert_true(ask(&f, "in tcp 203.0.113.9 10.0.2.100:22", NULL).silent);
	assert_true(ask(&f, "in tcp 203.0.113.9 10.0.2.100:22", NULL).log);
	assert_int_equal(decided(&f, "in tcp 127.0.0.1 10.0.2.100:22", NULL), 2);
	assert_int_equal(decided(&f, "in tcp ::1 10.0.2.100:22", NULL), 2);
	assert_int_equal(decided(&f, "in tcp 192.0.2.1 10.0.2.100:22", NULL), 3);
	assert_int_equal(decided(&f, "in tcp 192.0.2.2 10.0.2.100:22", NULL), 0);
	/* No flow is of both families; who asks about one gets no rule of the wrong one. */
	set_rules(&f, "deny out from ::/0\ndeny out from 0.0.0.0/0\n");
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 2001:db8::1:80", NULL), 0);
	assert_int_equal(decided(&f, "out tcp 2001:db8::1 10.0.2.100:80", NULL), 0);
	assert_int_equal(decided(&f, "out tcp fd00::2 2001:db8::1:80", NULL), -1);
	assert_int_equal(decided(&f, "out tcp 10.0.2.2 10.0.2.100:80", NULL), -2);
	end(&f);
}

static void the_host(void **state)
{
	uint8_t host[2][16];
	struct fixture f;

	(void)state;
	begin(&f, "deny out host\n");
	assert_true(haven_filter_has_host(f.filter));
	address_of("198.51.100.7", host[0]);
	address_of("2001:db8::7", host[1]);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 198.51.100.7:80", NULL), 0);
	assert_int_equal(haven_filter_set_host(f.filter, host, 2), 0);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 198.51.100.7:80", NULL), -1);
	assert_int_equal(decided(&f, "out tcp fd00::2 2001:db8::7:80", NULL), -1);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 198.51.100.8:80", NULL), 0);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 127.9.9.9:80", NULL), -1);
	assert_int_equal(haven_filter_set_host(f.filter, NULL, 0), 0);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 198.51.100.7:80", NULL), 0);
	assert_int_equal(decided(&f, "out tcp fd00::2 ::1:80", NULL), -1);
	end(&f);
}

static void counters(void **state)
{
	struct haven_rule_info info;
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out https\ndeny out\n");
	verdict = ask(&f, "out tcp 10.0.2.100 192.0.2.1:443", NULL);
	haven_filter_enter(f.filter, verdict.handle);
	ask(&f, "out tcp 10.0.2.100 192.0.2.1:80", NULL);
	info = info_of(&f, 1);
	assert_int_equal(info.flows, 1);
	assert_int_equal(info.refused, 0);
	assert_int_equal(info.open, 1);
	assert_true(info.allow);
	assert_int_equal(info.direction, HAVEN_OUT);
	assert_string_equal(info.file, "policy");
	assert_int_equal(info.line, 1);
	haven_filter_leave(f.filter, verdict.handle, 1234);
	info = info_of(&f, 1);
	assert_int_equal(info.open, 0);
	assert_int_equal(info.bytes, 1234);
	info = info_of(&f, 2);
	assert_int_equal(info.flows, 1);
	assert_int_equal(info.refused, 1);
	assert_false(info.allow);
	assert_false(haven_filter_rule(f.filter, 3, &info));
	assert_false(haven_filter_rule(f.filter, 0, &info));
	haven_filter_enter(f.filter, NULL);
	haven_filter_leave(f.filter, NULL, 1);
	end(&f);
}

static void an_explanation_leaves_no_trace(void **state)
{
	struct haven_filter_flow flow = flow_of("out tcp 10.0.2.100 192.0.2.1:443");
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out https limit 1/h max 1\n");
	for (int i = 0; i < 3; i++) {
		haven_filter_explain(f.filter, &flow, f.now_ns, &verdict);
		assert_true(verdict.allowed);
	}
	assert_int_equal(info_of(&f, 1).flows, 0);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.1:443", NULL), 1);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.1:443", NULL), -1);
	haven_filter_explain(f.filter, &flow, f.now_ns, &verdict);
	assert_true(verdict.allowed);
	end(&f);
}

/* While rules have names, DNS to others must be allowed by its port. */
static void foreign_dns(void **state)
{
	struct haven_verdict verdict;
	struct fixture f;

	(void)state;
	begin(&f, "allow out 192.0.2.53:53\n"
		  "allow out *.example.org\n"
		  "allow out 192.0.2.0/24\n");
	assert_int_equal(decided(&f, "out udp 10.0.2.100 192.0.2.53:53", NULL), 1);
	verdict = ask(&f, "out udp 10.0.2.100 192.0.2.1:53", NULL);
	assert_false(verdict.allowed);
	assert_int_equal(verdict.reason, HAVEN_VERDICT_DNS);
	assert_int_equal(verdict.rule, 3);
	assert_int_equal(info_of(&f, 3).refused, 1);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.1:853", NULL), -3);
	assert_int_equal(decided(&f, "out tcp 10.0.2.100 192.0.2.1:54", NULL), 3);
	set_rules(&f, "deny out bad.example.org\n");
	verdict = ask(&f, "out udp 10.0.2.100 192.0.2.1:53", NULL);
	assert_false(verdict.allowed);
	assert_int_equal(verdict.reason, HAVEN_VERDICT_DNS);
	assert_int_equal(verdict.rule, 0);
	assert_true(ask(&f, "in udp 192.0.2.1 10.0.2.100:53", NULL).allowed);
	set_rules(&f, "deny in bad.example.org\n");
	assert_true(ask(&f, "out udp 10.0.2.100 192.0.2.1:53", NULL).allowed);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rules_allow_all),
		cmocka_unit_test(the_default_is_by_direction),
		cmocka_unit_test(the_first_match_decides),
		cmocka_unit_test(protocols_and_families),
		cmocka_unit_test(other_protocols),
		cmocka_unit_test(sources),
		cmocka_unit_test(the_host),
		cmocka_unit_test(counters),
		cmocka_unit_test(an_explanation_leaves_no_trace),
		cmocka_unit_test(foreign_dns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
