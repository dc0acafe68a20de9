/* Rules as text: what is understood, and its shortest form. */
#include "fixture.h"

/* What begins with + or - is given as the text of `allow` or `deny`. */
static const struct {
	const char *text, *shortest;
} good[] = {
	{"+out", "allow out"},
	{"-in", "deny in"},
	{"+out any", "allow out"},
	{"+out *", "allow out"},
	{"+out tcp *", "allow out tcp"},
	{"allow out https", "allow out :443"},
	{"deny in tcp ssh # comment", "deny in tcp :22"},
	{"+out :https,http,8000-8099", "allow out :80,443,8000-8099"},
	{"+out 80,81,82", "allow out :80-82"},
	{"+out any :https", "allow out :443"},
	{"+out 443,80-90,85-100,101", "allow out :80-101,443"},
	{"+out tcp http-alt", "allow out tcp :591,8008,8080"},
	{"+out http-alt", "allow out :591,8008,8080"},
	{"+out x11", "allow out :6000-6063"},
	{"+out ms-sql-s", "allow out :1433"},
	{"+out dns", "allow out :53"},
	{"+out 192.0.2.1", "allow out 192.0.2.1"},
	{"+out 192.0.2.1/32", "allow out 192.0.2.1"},
	{"+out 192.0.2.0/24:80", "allow out 192.0.2.0/24:80"},
	{"+out 0.0.0.0/0", "allow out 0.0.0.0/0"},
	{"+out ::/0", "allow out ::/0"},
	{"+out ::ffff:10.0.0.0/104", "allow out 10.0.0.0/8"},
	{"+out ::ffff:0:0/96", "allow out 0.0.0.0/0"},
	{"+out [::ffff:10.0.0.1]:80", "allow out 10.0.0.1:80"},
	{"+out 2001:DB8::1", "allow out 2001:db8::1"},
	{"+out 2001:db8:0:0::1/128", "allow out 2001:db8::1"},
	{"+out [2001:db8::1]", "allow out 2001:db8::1"},
	{"+out [2001:db8::1]:https", "allow out [2001:db8::1]:443"},
	{"+out [2001:db8::/32]:443", "allow out [2001:db8::/32]:443"},
	{"+out [2001:db8::]/32:443", "allow out [2001:db8::/32]:443"},
	{"+out [2001:db8::]/32", "allow out 2001:db8::/32"},
	{"+out Example.ORG.", "allow out example.org"},
	{"+out *.Example.org:443", "allow out *.example.org:443"},
	{"+out redis.", "allow out redis."},
	{"+out redis:6379", "allow out redis:6379"},
	{"+out redis.:6379", "allow out redis:6379"},
	{"+out host", "allow out host"},
	{"+out host:80", "allow out host:80"},
	{"+out host.", "allow out host."},
	{"+out host.:80", "allow out host.:80"},
	{"+out *:443", "allow out :443"},
	{"+out *.org", "allow out *.org"},
	{"+out _srv._tcp.example.org", "allow out _srv._tcp.example.org"},
	{"+out xn--bcher-kva.example", "allow out xn--bcher-kva.example"},
	{"+out a-b.c_d.org", "allow out a-b.c_d.org"},
	{"+out 3com.com", "allow out 3com.com"},
	{"+out 1.2.3.4.org", "allow out 1.2.3.4.org"},
	{"+out max.", "allow out max."},
	{"+out :443 max 5 limit 3/min log from 192.0.2.0/24",
	 "allow out :443 from 192.0.2.0/24 log limit 3/min max 5"},
	{"+out limit 10/s", "allow out limit 10/s"},
	{"+out limit 10/h max 2", "allow out limit 10/h max 2"},
	{"-out log drop", "deny out drop log"},
	{"-out drop from [2001:db8::1]", "deny out from 2001:db8::1 drop"},
	{"-out from 2001:db8::/32", "deny out from 2001:db8::/32"},
	{"-in from host", "deny in from host"},
	{"+in tcp 10.0.0.1:80 from ::1", "allow in tcp 10.0.0.1:80 from ::1"},
	{"+out icmp", "allow out icmp"},
	{"+out icmp example.org", "allow out icmp example.org"},
	{"+out udp :53", "allow out udp :53"},
	{"+out tcp 10.0.0.1:1-65535", "allow out tcp 10.0.0.1:1-65535"},
};

static int add(struct haven_rules *rules, const char *text, struct haven_rule_error *error)
{
	if (*text == '+')
		return haven_rules_add(rules, HAVEN_RULE_ALLOW, text + 1, error);
	if (*text == '-')
		return haven_rules_add(rules, HAVEN_RULE_DENY, text + 1, error);
	return haven_rules_add(rules, HAVEN_RULE_IN_TEXT, text, error);
}

static void check(struct fixture *f, const char *text, const char *shortest)
{
	struct haven_env env = test_env_haven(&f->env);
	struct haven_rule_error error;
	struct haven_rules *rules;

	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	if (add(rules, text, &error) < 0)
		fail_msg("%s: %u: %s", text, error.column, error.text);
	assert_int_equal(haven_rules_count(rules), 1);
	assert_int_equal(haven_filter_replace(f->filter, rules), 0);
	assert_string_equal(info_of(f, 1).text, shortest);
	assert_string_equal(info_of(f, 1).file, "");
}

static void the_shortest_form(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "");
	for (unsigned i = 0; i < TEST_COUNT(good); i++) {
		check(&f, good[i].text, good[i].shortest);
		check(&f, good[i].shortest, good[i].shortest);
	}
	end(&f);
}

/* What a service means can be changed; the shortest form means the same anywhere. */
static void an_overlay(void **state)
{
	static const char services[] = "chat 7000/tcp\nchat 7001/udp\nhttps 8443/tcp\n";
	struct haven_services *overlay;
	struct haven_rules *rules;
	struct haven_env env;
	struct fixture f;

	(void)state;
	begin(&f, "");
	env = test_env_haven(&f.env);
	assert_int_equal(haven_services_parse(&env, services, sizeof(services) - 1, &overlay,
					      NULL),
			 0);
	assert_int_equal(haven_rules_create(&env, overlay, &rules), 0);
	assert_int_equal(haven_rules_add(rules, HAVEN_RULE_ALLOW, "out chat", NULL), 0);
	assert_int_equal(haven_rules_add(rules, HAVEN_RULE_ALLOW, "out tcp chat", NULL), 0);
	assert_int_equal(haven_rules_add(rules, HAVEN_RULE_ALLOW, "out tcp https", NULL), 0);
	assert_int_equal(haven_rules_add(rules, HAVEN_RULE_ALLOW, "out chatter", NULL),
			 -EINVAL);
	haven_services_destroy(overlay);
	assert_int_equal(haven_filter_replace(f.filter, rules), 0);
	assert_int_equal(haven_filter_rule_count(f.filter), 3);
	assert_string_equal(info_of(&f, 1).text, "allow out :7000-7001");
	assert_string_equal(info_of(&f, 2).text, "allow out tcp :7000");
	assert_string_equal(info_of(&f, 3).text, "allow out tcp :8443");
	end(&f);
}

static void the_longest_rule(void **state)
{
	char text[2048] = "deny out udp *.";
	size_t at = strlen(text);
	struct fixture f;

	(void)state;
	for (int i = 0; i < 126; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%sa", i ? "." : "");
	text[at++] = 'a';
	text[at++] = 'a';
	for (int i = 0; i < 64; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%c%d-%d", i ? ',' : ':',
				       10000 + 10 * i, 10005 + 10 * i);
	snprintf(text + at, sizeof(text) - at,
		 " from 2001:db8:1111:1111:1111:1111:1111:1110/124 drop log");
	begin(&f, "");
	check(&f, text, text);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shortest_form),
		cmocka_unit_test(an_overlay),
		cmocka_unit_test(the_longest_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
