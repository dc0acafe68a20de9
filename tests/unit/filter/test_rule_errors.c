/* Rules that are wrong: where, and what was expected. */
#include "fixture.h"

/* What begins with + or - is given as the text of `allow` or `deny`. */
static const struct {
	const char *text;
	unsigned column;
	const char *error;
} bad[] = {
	{"", 1, "expected `allow` or `deny`, found nothing more"},
	{"permit out", 1, "expected `allow` or `deny`, found 'permit'"},
	{"allow", 6, "expected `in` or `out`, found nothing more"},
	{"+uot https", 1, "expected `in` or `out`, found 'uot'"},
	{"+", 1, "expected `in` or `out`, found nothing more"},
	{"+in out", 4, "expected a host or ports here, found 'out'"},
	{"+out tcp udp", 9, "expected a host or ports here, found 'udp'"},
	{"+out htpps", 5,
	 "expected a port, a range or a service (did you mean https?), or a host with a dot behind it, found 'htpps'"},
	{"-out smpt", 5,
	 "expected a port, a range or a service (did you mean smtp?), or a host with a dot behind it, found 'smpt'"},
	{"+out tcp htpps", 9,
	 "expected a port, a range or a service (did you mean https?), or a host with a dot behind it, found 'htpps'"},
	{"+out myhost", 5,
	 "expected a port, a range or a service (did you mean olhost?), or a host with a dot behind it, found 'myhost'"},
	{"+out :80:90", 6, "expected a port, a range or a service, found '80:90'"},
	{"+out example.org:80:90", 17, "expected a port, a range or a service, found '80:90'"},
	{"+out :", 6, "expected a port, a range or a service, found nothing more"},
	{"+out example.org:", 17, "expected a port, a range or a service, found nothing more"},
	{"+out :80,", 9, "expected a port, a range or a service, found nothing more"},
	{"+out :80,,90", 9, "expected a port, a range or a service, found ',90'"},
	{"+out 0", 5, "expected ports of 1 to 65535, a range from low to high, found '0'"},
	{"+out 65536", 5,
	 "expected ports of 1 to 65535, a range from low to high, found '65536'"},
	{"+out 99999999", 5,
	 "expected ports of 1 to 65535, a range from low to high, found '99999999'"},
	{"+out 90-80", 5,
	 "expected ports of 1 to 65535, a range from low to high, found '90-80'"},
	{"+out :0-100", 6,
	 "expected ports of 1 to 65535, a range from low to high, found '0-100'"},
	{"+out udp redis", 9, "expected a service of udp (tcp has this one), found 'redis'"},
	{"+out :53/udp", 8,
	 "expected the protocol before the host, as in `udp :53`, found '/udp'"},
	{"+out https/tcp", 10,
	 "expected the protocol before the host, as in `udp :53`, found '/tcp'"},
	{"+out example.org:443/tcp", 20,
	 "expected the protocol before the host, as in `udp :53`, found '/tcp'"},
	{"+out icmp 80", 10, "expected no ports, which `icmp` does not have, found '80'"},
	{"+out icmp 10.0.0.1:80", 19,
	 "expected no ports, which `icmp` does not have, found '80'"},
	{"+out 10.0.0.1/33", 14, "expected a prefix length of 0 to 32, found '33'"},
	{"+out 10.0.0.1/8", 5,
	 "expected a block without bits behind its prefix, as 10.0.0.0/8, found '10.0.0.1/8'"},
	{"+out 10.0.0.1/", 14, "expected a prefix length of 0 to 32, found nothing more"},
	{"+out 10.0.0.1/x", 14, "expected a prefix length of 0 to 32, found 'x'"},
	{"+out 10.0.0.300", 5, "expected an IPv4 address, found '10.0.0.300'"},
	{"+out 10.0.0", 5, "expected an IPv4 address, found '10.0.0'"},
	{"+out 1.2.3.4.5", 5, "expected an IPv4 address, found '1.2.3.4.5'"},
	{"+out example.1", 5, "expected an IPv4 address, found 'example.1'"},
	{"+out 2001:db8::1/129", 17, "expected a prefix length of 0 to 128, found '129'"},
	{"+out 2001:db8::1/32", 5,
	 "expected a block without bits behind its prefix, as 2001:db8::/32, found '2001:db8::1/32'"},
	{"+out [2001:db8::1]/32:80", 5,
	 "expected a block without bits behind its prefix, as 2001:db8::/32, found '[2001:db8::1]/32'"},
	{"+out [2001:db8::/32]/32", 20,
	 "expected `:` and ports behind the bracket, found '/32'"},
	{"+out 2001:db8::g", 5,
	 "expected an IPv6 address, in brackets when ports are behind it, found '2001:db8::g'"},
	{"+out 2001:db8:::1", 5,
	 "expected an IPv6 address, in brackets when ports are behind it, found '2001:db8:::1'"},
	{"+out [2001:db8::1", 5, "expected `]` behind the IPv6 address, found '[2001:db8::1'"},
	{"+out [2001:db8::1]80", 18, "expected `:` and ports behind the bracket, found '80'"},
	{"+out [2001:db8::1]:", 19,
	 "expected a port, a range or a service, found nothing more"},
	{"+out [2001:db8::1%3]:80", 6,
	 "expected an IPv6 address in brackets, found '2001:db8::1%3'"},
	{"+out [example.org]:80", 6,
	 "expected an IPv6 address in brackets, found 'example.org'"},
	{"+out fe80::1%eth0", 5,
	 "expected an IPv6 address, in brackets when ports are behind it, found 'fe80::1%eth0'"},
	{"+out example.org/24", 5,
	 "expected an address before the `/`, found 'example.org/24'"},
	{"+out bücher.example", 5,
	 "expected a name in ASCII (its form that begins with xn--), found 'b\\xc3\\xbccher.example'"},
	{"+out *.bücher.example", 5,
	 "expected a name in ASCII (its form that begins with xn--), found '*.b\\xc3\\xbccher.example'"},
	{"+out *.*.org", 7, "expected `*` alone or in front, as *.example.org, found '*'"},
	{"+out a.*.org", 7, "expected `*` alone or in front, as *.example.org, found '*'"},
	{"+out *example.org", 5,
	 "expected `*` alone or in front, as *.example.org, found '*example'"},
	{"+out *.", 5, "expected a name without empty parts, found '*.'"},
	{"+out .", 5, "expected a name without empty parts, found '.'"},
	{"+out a..b", 5, "expected a name without empty parts, found 'a..b'"},
	{"+out .example.org", 5, "expected a name without empty parts, found '.example.org'"},
	{"+out exa!mple.org", 8,
	 "expected letters, digits, `-`, `_` or `.` of a name, found '!'"},
	{"+out aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org", 5,
	 "expected at most 63 characters between dots, found 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'"},
	{"+out https drop", 11,
	 "expected `from`, `log`, `limit` or `max` (`drop` is for `deny`), found 'drop'"},
	{"-out https limit 1/s", 11,
	 "expected `from`, `drop` or `log` (`limit` is for `allow`), found 'limit'"},
	{"-out https max 3", 11,
	 "expected `from`, `drop` or `log` (`max` is for `allow`), found 'max'"},
	{"+out https log log", 15, "expected `log` only once, found 'log'"},
	{"+out https limit", 16,
	 "expected flows a second, minute or hour (1 to 1000000), as 10/s, 10/min or 10/h, found nothing more"},
	{"+out https limit 10", 19,
	 "expected `/s`, `/min` or `/h` behind the number, found nothing more"},
	{"+out https limit 10/d", 19,
	 "expected `/s`, `/min` or `/h` behind the number, found '/d'"},
	{"+out https limit 0/s", 17,
	 "expected flows a second, minute or hour (1 to 1000000), as 10/s, 10/min or 10/h, found '0/s'"},
	{"+out https limit 1000001/s", 17,
	 "expected flows a second, minute or hour (1 to 1000000), as 10/s, 10/min or 10/h, found '1000001/s'"},
	{"+out https limit x/s", 17,
	 "expected flows a second, minute or hour (1 to 1000000), as 10/s, 10/min or 10/h, found 'x/s'"},
	{"+out https limit -1/s", 17,
	 "expected flows a second, minute or hour (1 to 1000000), as 10/s, 10/min or 10/h, found '-1/s'"},
	{"+out https max", 14,
	 "expected a number of flows (1 to 4294967295), found nothing more"},
	{"+out https max 0", 15, "expected a number of flows (1 to 4294967295), found '0'"},
	{"+out https max 4294967296", 15,
	 "expected a number of flows (1 to 4294967295), found '4294967296'"},
	{"+out https max 1x", 15, "expected a number of flows (1 to 4294967295), found '1x'"},
	{"+out https from", 15,
	 "expected an address, a block or `host` behind `from`, found nothing more"},
	{"+out https from example.org", 16,
	 "expected an address, a block or `host` behind `from`, found 'example.org'"},
	{"+out https from 10.0.0.0/40", 25, "expected a prefix length of 0 to 32, found '40'"},
	{"+out https from 10.0.0.1/8", 16,
	 "expected a block without bits behind its prefix, as 10.0.0.0/8, found '10.0.0.1/8'"},
	{"+out https from *", 16,
	 "expected an address, a block or `host` behind `from`, found '*'"},
	{"+out https from 10.0.0.1:80", 16,
	 "expected an address, a block or `host` behind `from`, found '10.0.0.1:80'"},
	{"+out from host from host", 15, "expected `from` only once, found 'from'"},
	{"+out https ssh", 11, "expected `from`, `log`, `limit` or `max`, found 'ssh'"},
	{"+out example.org :443", 17, "expected `from`, `log`, `limit` or `max`, found ':443'"},
	{"+out 10.0.0.1 443", 14, "expected `from`, `log`, `limit` or `max`, found '443'"},
	{"+out https rom 10.0.0.1", 11,
	 "expected `from`, `log`, `limit` or `max`, found 'rom'"},
	{"+out http-alt-70", 5,
	 "expected a range between services of one port each, found 'http-alt-70'"},
	{"+out ssh-http-alt", 5,
	 "expected a range between services of one port each, found 'ssh-http-alt'"},
	{"+out ::ffff:10.0.0.0/80", 21, "expected a prefix length of 96 to 128, found '80'"},
	{"+out ::ffff:10.0.0.1/104", 5,
	 "expected a block without bits behind its prefix, as 10.0.0.0/8, found '::ffff:10.0.0.1/104'"},
	{"+OUT https", 1, "expected `in` or `out`, found 'OUT'"},
	{"+out	bad	word", 5,
	 "expected a port, a range or a service (did you mean vad?), or a host with a dot behind it, found 'bad'"},
	{"+out a.b c.d", 9, "expected `from`, `log`, `limit` or `max`, found 'c.d'"},
	{"+out +++", 5,
	 "expected a port, a range or a service, or a host with a dot behind it, found '+++'"},
	{"+out host.example.org/", 5,
	 "expected an address before the `/`, found 'host.example.org/'"},
	{"+out :::", 5,
	 "expected an IPv6 address, in brackets when ports are behind it, found ':::'"},
	{"+out ::1:2:3:4:5:6:7:8:9", 5,
	 "expected an IPv6 address, in brackets when ports are behind it, found '::1:2:3:4:5:6:7:8:9'"},
};

static int add(struct haven_rules *rules, const char *text, struct haven_rule_error *error)
{
	if (*text == '+')
		return haven_rules_add(rules, HAVEN_RULE_ALLOW, text + 1, error);
	if (*text == '-')
		return haven_rules_add(rules, HAVEN_RULE_DENY, text + 1, error);
	return haven_rules_add(rules, HAVEN_RULE_IN_TEXT, text, error);
}

static void what_is_wrong(void **state)
{
	struct haven_rule_error error;
	struct haven_rules *rules;
	struct haven_env env;
	struct test_env test;

	(void)state;
	test_env_init(&test, 1);
	env = test_env_haven(&test);
	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	for (unsigned i = 0; i < TEST_COUNT(bad); i++) {
		assert_int_equal(add(rules, bad[i].text, &error), -EINVAL);
		assert_string_equal(error.text, bad[i].error);
		assert_int_equal(error.column, bad[i].column);
		assert_int_equal(error.line, 1);
		assert_string_equal(error.file, "");
		assert_int_equal(add(rules, bad[i].text, NULL), -EINVAL);
	}
	assert_int_equal(haven_rules_count(rules), 0);
	haven_rules_destroy(rules);
	test_env_finish(&test);
}

/* Whatever is found, the error is a line of ASCII. */
static void odd_bytes(void **state)
{
	struct haven_rule_error error;
	struct haven_rules *rules;
	struct haven_env env;
	struct test_env test;

	(void)state;
	test_env_init(&test, 1);
	env = test_env_haven(&test);
	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	for (int c = 1; c < 256; c++) {
		char text[] = "out a?.example.org", word[] = "out ???";

		text[5] = word[4] = word[5] = word[6] = (char)c;
		if (haven_rules_add(rules, HAVEN_RULE_ALLOW, text, &error) < 0) {
			for (const char *p = error.text; *p; p++)
				assert_in_range((unsigned char)*p, ' ', '~');
		}
		if (haven_rules_add(rules, HAVEN_RULE_ALLOW, word, &error) < 0) {
			for (const char *p = error.text; *p; p++)
				assert_in_range((unsigned char)*p, ' ', '~');
		}
	}
	haven_rules_destroy(rules);
	test_env_finish(&test);
}

static void too_many(void **state)
{
	struct haven_rule_error error;
	struct haven_rules *rules;
	struct haven_env env;
	struct test_env test;

	(void)state;
	test_env_init(&test, 1);
	env = test_env_haven(&test);
	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	for (int i = 0; i < 65536; i++)
		assert_int_equal(haven_rules_add(rules, HAVEN_RULE_DENY, "out ssh", NULL), 0);
	assert_int_equal(haven_rules_add(rules, HAVEN_RULE_DENY, "out ssh", &error), -ENOSPC);
	assert_string_equal(error.text,
			    "there are too many rules: at most 65536, or fewer with "
			    "large lists of ports");
	assert_int_equal(haven_rules_add_text(rules, "x", "deny out ssh", 12, NULL, &error),
			 -ENOSPC);
	assert_int_equal(haven_rules_count(rules), 65536);
	haven_rules_destroy(rules);
	test_env_finish(&test);
}

/* 28 prefixes and two more a rule, each: not more than two million of them. */
static void too_many_ports(void **state)
{
	struct haven_rules *rules;
	struct haven_env env;
	struct test_env test;
	char text[2048] = "out *.x.org";
	size_t at = strlen(text);
	int error = 0, count;

	(void)state;
	test_env_init(&test, 1);
	env = test_env_haven(&test);
	for (int i = 0; i < 64; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%c%d-%d", i ? ',' : ':',
				       1 + 512 * i, 510 + 512 * i);
	assert_int_equal(haven_rules_create(&env, NULL, &rules), 0);
	for (count = 0; error == 0; count++)
		error = haven_rules_add(rules, HAVEN_RULE_DENY, text, NULL);
	assert_int_equal(error, -ENOSPC);
	/* 64 spans of 16 prefixes, twice as a name is denied, and two labels. */
	assert_int_equal(count - 1, 2097152 / (64 * 16 * 2 + 2));
	haven_rules_destroy(rules);
	test_env_finish(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong),
		cmocka_unit_test(odd_bytes),
		cmocka_unit_test(too_many),
		cmocka_unit_test(too_many_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
