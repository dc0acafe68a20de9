/* Ports as people type them. */
#include <stdio.h>
#include <string.h>

#include <haven/service.h>

#include "support/test.h"

#define ALL (HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP | HAVEN_SERVICE_SCTP | HAVEN_SERVICE_DCCP)

static const struct {
	const char *text;
	unsigned mask; /* what is meant without "/" */
	unsigned first, last, protocols;
} good[] = {
	{"443", HAVEN_SERVICE_TCP, 443, 443, HAVEN_SERVICE_TCP},
	{"443", 0, 443, 443, ALL},
	{"0", 0, 0, 0, ALL},
	{"65535", 0, 65535, 65535, ALL},
	{"00080", 0, 80, 80, ALL},
	{"53/udp", HAVEN_SERVICE_TCP, 53, 53, HAVEN_SERVICE_UDP},
	{"53/UDP", 0, 53, 53, HAVEN_SERVICE_UDP},
	{"0-65535", 0, 0, 65535, ALL},
	{"6000-6063/tcp", 0, 6000, 6063, HAVEN_SERVICE_TCP},
	{"80-80", 0, 80, 80, ALL},
	{"https", HAVEN_SERVICE_TCP, 443, 443, HAVEN_SERVICE_TCP},
	{"HTTPS", HAVEN_SERVICE_TCP, 443, 443, HAVEN_SERVICE_TCP},
	{"dns", 0, 53, 53, HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP},
	{"rdp/tcp", 0, 3389, 3389, HAVEN_SERVICE_TCP},
	{"ms-sql-s", HAVEN_SERVICE_TCP, 1433, 1433, HAVEN_SERVICE_TCP},
	{"x11", HAVEN_SERVICE_TCP, 6000, 6063, HAVEN_SERVICE_TCP},
	{"ftp-data", HAVEN_SERVICE_TCP, 20, 20, HAVEN_SERVICE_TCP},
	{"ftp-data-ssh", HAVEN_SERVICE_TCP, 20, 22, HAVEN_SERVICE_TCP},
	{"ssh-ms-sql-s/tcp", 0, 22, 1433, HAVEN_SERVICE_TCP},
	{"20-ssh", HAVEN_SERVICE_TCP, 20, 22, HAVEN_SERVICE_TCP},
	{"ssh-80", HAVEN_SERVICE_TCP, 22, 80, HAVEN_SERVICE_TCP},
	{"http-alt/udp", 0, 591, 591, 0}, /* several ports: see below */
};

static int parse(const char *text, unsigned mask, struct haven_ports *out)
{
	return haven_ports_parse(NULL, text, strlen(text), mask, out);
}

static void what_is_taken(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(good); i++) {
		struct haven_ports ports;
		int error = parse(good[i].text, good[i].mask, &ports);

		if (good[i].protocols == 0) {
			assert_int_equal(error, -ENOTUNIQ);
			continue;
		}
		if (error < 0)
			fail_msg("%s: %s", good[i].text, haven_errname(error));
		assert_int_equal(ports.first, good[i].first);
		assert_int_equal(ports.last, good[i].last);
		assert_int_equal(ports.protocols, good[i].protocols);
		assert_int_equal(ports.protocol_given, strchr(good[i].text, '/') != NULL);
	}
}

static const struct {
	const char *text;
	int error;
} bad[] = {
	{"", -EINVAL},
	{"-", -EINVAL},
	{"-1", -EINVAL},
	{"80-", -EINVAL},
	{"+80", -EINVAL},
	{" 80", -EINVAL},
	{"80 ", -EINVAL},
	{"/tcp", -EINVAL},
	{"http:", -EINVAL},
	{"65536", -ERANGE},
	{"99999", -ERANGE},
	{"4294967376", -ERANGE},
	{"000080", -ERANGE},
	{"90-80", -ERANGE},
	{"80-65536", -ERANGE},
	{"https-ssh", -ERANGE},
	{"htpps", -ENOENT},
	{"ssh-htpp", -ENOENT},
	{"ntp-ms", -ENOENT},
	{"1-2-3", -ENOENT},
	{"0x50", -ENOENT},
	{"80/", -EPROTONOSUPPORT},
	{"80/icmp", -EPROTONOSUPPORT},
	{"80/tcp/udp", -EPROTONOSUPPORT},
	{"http-alt", -ENOTUNIQ},
};

static void what_is_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bad); i++) {
		struct haven_ports ports = {.first = 7};
		int error = parse(bad[i].text, HAVEN_SERVICE_TCP, &ports);

		if (error != bad[i].error)
			fail_msg("'%s': %d, not %d", bad[i].text, error, bad[i].error);
		assert_int_equal(ports.first, 7);
	}
}

static void the_protocol_counts(void **state)
{
	struct haven_ports ports;

	(void)state;
	/* 514 is "shell" in TCP, "syslog" in UDP. */
	assert_int_equal(parse("syslog/udp", 0, &ports), 0);
	assert_int_equal(ports.first, 514);
	assert_int_equal(parse("igmpv3lite", HAVEN_SERVICE_TCP, &ports), -ENOENT);
	assert_int_equal(parse("igmpv3lite", 0, &ports), 0);
	assert_int_equal(ports.protocols, HAVEN_SERVICE_UDP);
	assert_int_equal(parse("http/dccp", 0, &ports), -ENOENT);
}

static void the_text_need_not_end(void **state)
{
	struct haven_ports ports;
	char text[300];

	(void)state;
	assert_int_equal(haven_ports_parse(NULL, "443:8080", 3, 0, &ports), 0);
	assert_int_equal(ports.first, 443);
	memset(text, 'a', sizeof(text));
	assert_int_equal(haven_ports_parse(NULL, text, sizeof(text), 0, &ports), -EINVAL);
	assert_int_equal(haven_ports_parse(NULL, "80\0", 3, 0, &ports), -EINVAL);
}

/* Every number, and every name that has one port, is what the table says. */
static void all_of_them(void **state)
{
	struct haven_service_query query;
	struct haven_service service;
	struct haven_ports ports;
	char text[16];

	(void)state;
	for (unsigned port = 0; port <= 70000; port++) {
		snprintf(text, sizeof(text), "%u", port);
		assert_int_equal(parse(text, 0, &ports), port > 65535 ? -ERANGE : 0);
		if (port <= 65535)
			assert_int_equal(ports.first, port);
	}
	haven_service_by_prefix(&query, NULL, "", 0);
	while (haven_service_next(&query, &service)) {
		int error = parse(query.matched, 0, &ports);

		if (error < 0)
			assert_int_equal(error, -ENOTUNIQ);
		else if (query.matched == service.name && service.registered)
			assert_true(ports.protocols & service.protocols);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken),       cmocka_unit_test(what_is_refused),
		cmocka_unit_test(the_protocol_counts), cmocka_unit_test(the_text_need_not_end),
		cmocka_unit_test(all_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
