/* The built-in registry: every port and every name finds the other. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <haven/service.h>

#include "port/service_table.h"
#include "support/test.h"

static bool has_name(const struct haven_service *service, const char *name)
{
	if (strcasecmp(service->name, name) == 0)
		return true;
	for (unsigned i = 0; i < service->alias_count; i++) {
		if (strcasecmp(service->aliases[i], name) == 0)
			return true;
	}
	return false;
}

/* Whether the question's answers have this service at this port. */
static bool finds(struct haven_service_query *query, const struct haven_service *wanted)
{
	struct haven_service got;

	while (haven_service_next(query, &got)) {
		if (strcmp(got.name, wanted->name) == 0 && got.first == wanted->first &&
		    got.last == wanted->last && got.protocols == wanted->protocols)
			return true;
	}
	return false;
}

static void every_port_and_protocol(void **state)
{
	unsigned found = 0, answers = 0;

	(void)state;
	for (unsigned port = 0; port <= 65535; port++) {
		for (unsigned bit = HAVEN_SERVICE_TCP; bit <= HAVEN_SERVICE_DCCP; bit <<= 1) {
			struct haven_service_query query, by_name;
			struct haven_service service;
			const char *first = haven_service_name(NULL, (uint16_t)port, bit);

			haven_service_by_port(&query, NULL, (uint16_t)port, bit);
			while (haven_service_next(&query, &service)) {
				assert_true(service.first <= port && port <= service.last);
				assert_true(service.protocols & bit);
				if (first)
					assert_string_equal(service.name, first);
				first = NULL;
				haven_service_by_name(&by_name, NULL, service.name, bit);
				assert_true(finds(&by_name, &service));
				for (unsigned i = 0; i < service.alias_count; i++) {
					haven_service_by_name(&by_name, NULL,
							      service.aliases[i], 0);
					assert_true(finds(&by_name, &service));
				}
				answers++;
			}
			found += haven_service_name(NULL, (uint16_t)port, bit) != NULL;
		}
	}
	/* IANA's list has 11,600 pairs of port and protocol; more would be a list of ours. */
	assert_in_range(found, 11600, 11800);
	assert_in_range(answers, found, found + 200);
}

static void every_name(void **state)
{
	struct haven_service_query all, by_port, by_name;
	struct haven_service service;
	const char *last = "";
	unsigned names = 0;

	(void)state;
	haven_service_by_prefix(&all, NULL, "", 0);
	while (haven_service_next(&all, &service)) {
		assert_true(has_name(&service, all.matched));
		assert_true(strcasecmp(last, all.matched) <= 0);
		assert_true(service.protocols != 0 && service.first <= service.last);
		last = all.matched;
		names++;
		haven_service_by_port(&by_port, NULL, service.last, 0);
		assert_true(finds(&by_port, &service));
		haven_service_by_name(&by_name, NULL, all.matched, 0);
		assert_true(finds(&by_name, &service));
	}
	assert_int_equal(names, hv_service_names());
	assert_in_range(names, 6300, 6500);
}

/* Names are found in a few steps, those that do not exist as well. */
static void look_up_is_short(void **state)
{
	uint64_t steps = 0;
	uint32_t longest = 0;

	(void)state;
	for (uint32_t i = 0; i < hv_service_names(); i++) {
		const char *name = hv_service_name_text(i);
		char other[64];
		uint32_t probe = 0;

		while (hv_service_probe(name, strlen(name), &probe) != HV_SERVICE_NONE)
			;
		longest = probe > longest ? probe : longest;
		steps += probe;
		probe = 0;
		snprintf(other, sizeof(other), "%s-not", name);
		assert_int_equal(hv_service_probe(other, strlen(other), &probe),
				 HV_SERVICE_NONE);
		longest = probe > longest ? probe : longest;
	}
	/* Two to four slots on average at 39% full (Knuth, 6.4), to the empty one that ends it. */
	assert_in_range(steps / hv_service_names(), 0, 4);
	assert_in_range(longest, 1, 40);
}

/* What an administrator meets daily, by both ways. */
static const struct {
	const char *name;
	unsigned port, protocols;
	const char *alias; /* NULL: any */
} known[] = {
	{"ftp-data", 20, HAVEN_SERVICE_TCP, NULL},
	{"ftp", 21, HAVEN_SERVICE_TCP, NULL},
	{"ssh", 22, HAVEN_SERVICE_TCP, NULL},
	{"telnet", 23, HAVEN_SERVICE_TCP, NULL},
	{"smtp", 25, HAVEN_SERVICE_TCP, "mail"},
	{"domain", 53, HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP, "dns"},
	{"http", 80, HAVEN_SERVICE_TCP, "www"},
	{"pop3", 110, HAVEN_SERVICE_TCP, "pop-3"},
	{"ntp", 123, HAVEN_SERVICE_UDP, NULL},
	{"imap", 143, HAVEN_SERVICE_TCP, "imap2"},
	{"bgp", 179, HAVEN_SERVICE_TCP, NULL},
	{"ldap", 389, HAVEN_SERVICE_TCP, NULL},
	{"https", 443, HAVEN_SERVICE_TCP, NULL},
	{"submissions", 465, HAVEN_SERVICE_TCP, "smtps"},
	{"syslog", 514, HAVEN_SERVICE_UDP, NULL},
	{"submission", 587, HAVEN_SERVICE_TCP, NULL},
	{"ms-sql-s", 1433, HAVEN_SERVICE_TCP, "mssql"},
	{"ms-sql-m", 1434, HAVEN_SERVICE_UDP, NULL},
	{"mysql", 3306, HAVEN_SERVICE_TCP, NULL},
	{"ms-wbt-server", 3389, HAVEN_SERVICE_TCP, "rdp"},
	{"postgresql", 5432, HAVEN_SERVICE_TCP, "postgres"},
	{"discard", 9, HAVEN_SERVICE_SCTP | HAVEN_SERVICE_DCCP, "sink"},
};

static void known_services(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(known); i++) {
		for (unsigned bit = 1; bit <= HAVEN_SERVICE_DCCP; bit <<= 1) {
			struct haven_service_query query;
			struct haven_service service;

			if (!(known[i].protocols & bit))
				continue;
			assert_string_equal(haven_service_name(NULL, (uint16_t)known[i].port,
							       bit),
					    known[i].name);
			haven_service_by_name(&query, NULL, known[i].name, bit);
			assert_true(haven_service_next(&query, &service));
			assert_int_equal(service.first, known[i].port);
			assert_true(service.registered && !service.overlay);
			if (known[i].alias) {
				haven_service_by_name(&query, NULL, known[i].alias, bit);
				assert_true(haven_service_next(&query, &service));
				assert_string_equal(service.name, known[i].name);
			}
		}
	}
}

static void names_have_no_case(void **state)
{
	struct haven_service_query query;
	struct haven_service service;

	(void)state;
	haven_service_by_name(&query, NULL, "HTTPS", HAVEN_SERVICE_TCP);
	assert_true(haven_service_next(&query, &service));
	assert_int_equal(service.first, 443);
	haven_service_by_name(&query, NULL, "3COM-nsd", 0);
	assert_true(haven_service_next(&query, &service));
	haven_service_by_name(&query, NULL, "http", HAVEN_SERVICE_DCCP);
	assert_false(haven_service_next(&query, &service));
	haven_service_by_name(&query, NULL, "", 0);
	assert_false(haven_service_next(&query, &service));
	haven_service_by_name(&query, NULL, "no-such-service-anywhere", 0);
	assert_false(haven_service_next(&query, &service));
}

static void a_name_with_several_ports(void **state)
{
	static const unsigned ports[] = {591, 8008, 8080};
	struct haven_service_query query;
	struct haven_service service;

	(void)state;
	haven_service_by_name(&query, NULL, "http-alt", HAVEN_SERVICE_TCP);
	for (unsigned i = 0; i < TEST_COUNT(ports); i++) {
		assert_true(haven_service_next(&query, &service));
		assert_int_equal(service.first, ports[i]);
	}
	assert_false(haven_service_next(&query, &service));
}

static void ranges_answer_once(void **state)
{
	struct haven_service_query query;
	struct haven_service service;
	unsigned count = 0;

	(void)state;
	assert_string_equal(haven_service_name(NULL, 6000, 0), "x11");
	assert_string_equal(haven_service_name(NULL, 6063, 0), "x11");
	haven_service_by_range(&query, NULL, 6010, 6063, 0);
	assert_true(haven_service_next(&query, &service));
	assert_string_equal(service.name, "x11");
	assert_int_equal(service.first, 6000);
	assert_int_equal(service.last, 6063);
	assert_false(haven_service_next(&query, &service));

	haven_service_by_range(&query, NULL, 0, 65535, 0);
	while (haven_service_next(&query, &service))
		count++;
	assert_in_range(count, 6221, 6350);
	haven_service_by_range(&query, NULL, 65535, 65535, 0);
	assert_false(haven_service_next(&query, &service));
	/* Backwards: nothing. */
	haven_service_by_range(&query, NULL, 443, 80, 0);
	assert_false(haven_service_next(&query, &service));
}

static void completion(void **state)
{
	struct haven_service_query query;
	struct haven_service service;
	bool postgresql = false;

	(void)state;
	haven_service_by_prefix(&query, NULL, "POSTG", 0);
	while (haven_service_next(&query, &service)) {
		assert_int_equal(strncasecmp(query.matched, "postg", 5), 0);
		postgresql |= strcmp(service.name, "postgresql") == 0;
	}
	assert_true(postgresql);
	haven_service_by_prefix(&query, NULL, "zzzzz", 0);
	assert_false(haven_service_next(&query, &service));
}

static void near_names(void **state)
{
	static const struct {
		const char *word, *first;
	} cases[] = {{"htps", "http"},	   {"htpp", "http"},
		     {"shh", "ssh"},	   {"postgersql", "postgresql"},
		     {"domian", "domain"}, {"imaqs", "imaps"}};
	const char *names[8];

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		bool among = false;
		size_t count = haven_service_nearest(NULL, cases[i].word, 0, names, 4);

		assert_in_range(count, 1, 4);
		for (size_t k = 0; k < count; k++)
			among |= strcmp(names[k], cases[i].first) == 0;
		if (!among)
			fail_msg("%s: %s", cases[i].word, names[0]);
	}
	assert_int_equal(haven_service_nearest(NULL, "", 0, names, 4), 0);
	assert_int_equal(haven_service_nearest(NULL, "xxxxxxxxxxxxxxxxx", 0, names, 4), 0);
	assert_int_equal(haven_service_nearest(NULL, "http", 0, names, 0), 0);
	assert_int_equal(haven_service_nearest(NULL,
					       "a-name-that-is-longer-than-any-name-can-be", 0,
					       names, 4),
			 0);
	/* More than it ever gives is allowed to be asked for. */
	assert_in_range(haven_service_nearest(NULL, "abc", 0, names, 8), 1, 8);
}

static void classes_of_ports(void **state)
{
	static const struct {
		unsigned port;
		enum haven_port_class port_class;
		const char *name;
	} cases[] = {{0, HAVEN_PORT_SYSTEM, "system"},
		     {1023, HAVEN_PORT_SYSTEM, "system"},
		     {1024, HAVEN_PORT_USER, "user"},
		     {49151, HAVEN_PORT_USER, "user"},
		     {49152, HAVEN_PORT_DYNAMIC, "dynamic"},
		     {65535, HAVEN_PORT_DYNAMIC, "dynamic"}};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		assert_int_equal(haven_port_class((uint16_t)cases[i].port),
				 cases[i].port_class);
		assert_string_equal(haven_port_class_name(cases[i].port_class), cases[i].name);
	}
}

static void protocols_have_names(void **state)
{
	(void)state;
	for (unsigned bit = 1; bit <= HAVEN_SERVICE_DCCP; bit <<= 1) {
		const char *name = haven_service_protocol_name(bit);

		assert_int_equal(haven_service_protocol(name, strlen(name)), bit);
	}
	assert_null(haven_service_protocol_name(0));
	assert_null(haven_service_protocol_name(3));
	assert_int_equal(haven_service_protocol("TCP", 3), HAVEN_SERVICE_TCP);
	assert_int_equal(haven_service_protocol("tcpx", 3), HAVEN_SERVICE_TCP);
	assert_int_equal(haven_service_protocol("tcpx", 4), 0);
	assert_int_equal(haven_service_protocol("tc", 2), 0);
	assert_int_equal(haven_service_protocol("", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_port_and_protocol),
		cmocka_unit_test(every_name),
		cmocka_unit_test(look_up_is_short),
		cmocka_unit_test(known_services),
		cmocka_unit_test(names_have_no_case),
		cmocka_unit_test(a_name_with_several_ports),
		cmocka_unit_test(ranges_answer_once),
		cmocka_unit_test(completion),
		cmocka_unit_test(near_names),
		cmocka_unit_test(classes_of_ports),
		cmocka_unit_test(protocols_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
