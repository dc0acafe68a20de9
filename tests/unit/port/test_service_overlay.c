/* The text of an /etc/services on top of the registry. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <haven/service.h>

#include "support/test.h"

static const char text[] = "# a comment\n"
			   "\n"
			   "whois\t\t43/tcp\t\tnicname\n"
			   "http 80/tcp www # ours is special\n"
			   "http 80/udp\n"
			   "myapp 8080/tcp\tmine My-App  # the application\r\n"
			   "zz-other 9/tcp\n"
			   "x11 6000/tcp x11-0\n"
			   "http-alt 8080/tcp webcache\n"
			   "high 65535/udp\n"
			   "zero 0/tcp\n"
			   "rtmp 1/ddp\n"
			   "bad line\n"
			   "bad 65536/tcp\n"
			   "bad 80\n"
			   "bad -1/tcp\n"
			   "last 50000/sctp";

static struct haven_services *parse(struct haven_env *env, const char *from)
{
	struct haven_services *services = NULL;
	unsigned skipped = 99;

	haven_env_default(env);
	assert_int_equal(haven_services_parse(env, from, strlen(from), &services, &skipped), 0);
	if (from == text)
		assert_int_equal(skipped, 5);
	return services;
}

static void ask(const struct haven_services *services, const char *name, unsigned mask,
		struct haven_service *out)
{
	struct haven_service_query query;

	haven_service_by_name(&query, services, name, mask);
	if (!haven_service_next(&query, out))
		fail_msg("%s is not found", name);
}

static void it_comes_first(void **state)
{
	struct haven_env env;
	struct haven_services *services = parse(&env, text);
	struct haven_service_query query;
	struct haven_service service;
	struct haven_ports ports;

	(void)state;
	assert_string_equal(haven_service_name(services, 8080, HAVEN_SERVICE_TCP), "myapp");
	assert_string_equal(haven_service_name(services, 65535, 0), "high");
	assert_string_equal(haven_service_name(services, 0, 0), "zero");
	assert_null(haven_service_name(services, 65535, HAVEN_SERVICE_TCP));
	assert_string_equal(haven_service_name(services, 443, 0), "https");
	ask(services, "MY-APP", 0, &service);
	assert_string_equal(service.name, "myapp");
	assert_string_equal(service.description, "the application");
	assert_int_equal(service.alias_count, 2);
	assert_true(service.overlay && !service.registered);
	ask(services, "last", HAVEN_SERVICE_SCTP, &service);
	assert_int_equal(service.first, 50000);

	/* It decides what a name means that has several ports. */
	assert_int_equal(haven_ports_parse(services, "http-alt", 8, 0, &ports), 0);
	assert_int_equal(ports.first, 8080);
	haven_service_by_name(&query, services, "http-alt", 0);
	assert_true(haven_service_next(&query, &service) && service.first == 8080);
	assert_true(haven_service_next(&query, &service) && service.first == 591);
	assert_true(haven_service_next(&query, &service) && service.first == 8008);
	assert_false(haven_service_next(&query, &service));
	haven_services_destroy(services);
}

static void the_same_service_is_one_answer(void **state)
{
	struct haven_env env;
	struct haven_services *services = parse(&env, text);
	struct haven_service_query query;
	struct haven_service service;

	(void)state;
	haven_service_by_port(&query, services, 43, HAVEN_SERVICE_TCP);
	assert_true(haven_service_next(&query, &service));
	assert_string_equal(service.name, "whois");
	assert_int_equal(service.alias_count, 1);
	assert_string_equal(service.aliases[0], "nicname");
	assert_string_equal(service.description, "Who Is");
	assert_int_equal(service.protocols, HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP);
	assert_false(haven_service_next(&query, &service));

	haven_service_by_name(&query, services, "http", 0);
	assert_true(haven_service_next(&query, &service));
	assert_string_equal(service.description, "ours is special");
	assert_true(service.registered && service.overlay);
	assert_false(haven_service_next(&query, &service));

	/* An alias that only the built-in one has finds the overlay's answer. */
	haven_services_destroy(services);
	services = parse(&env, "domain 53/tcp\ndomain 53/udp\n");
	haven_service_by_name(&query, services, "dns", 0);
	assert_true(haven_service_next(&query, &service));
	assert_true(service.overlay);
	assert_string_equal(service.name, "domain");
	assert_false(haven_service_next(&query, &service));
	haven_services_destroy(services);

	/* Another service at a registered port stands before it. */
	services = parse(&env, "zz-other 9/tcp\n");
	haven_service_by_port(&query, services, 9, 0);
	assert_true(haven_service_next(&query, &service));
	assert_string_equal(service.name, "zz-other");
	assert_true(haven_service_next(&query, &service));
	assert_string_equal(service.name, "discard");
	assert_false(haven_service_next(&query, &service));
	haven_services_destroy(services);
}

static void prefixes_are_merged(void **state)
{
	struct haven_env env;
	struct haven_services *services = parse(&env, text);
	struct haven_service_query query;
	struct haven_service service;
	unsigned myapp = 0, count = 0, alone = 0;
	char last[64] = "";

	(void)state;
	haven_service_by_prefix(&query, services, "my", 0);
	while (haven_service_next(&query, &service)) {
		assert_true(strcasecmp(last, query.matched) <= 0);
		snprintf(last, sizeof(last), "%s", query.matched);
		myapp += strcmp(service.name, "myapp") == 0;
	}
	assert_int_equal(myapp, 2); /* by its name and by "My-App" */
	haven_service_by_prefix(&query, services, "", 0);
	while (haven_service_next(&query, &service))
		count++;
	haven_service_by_prefix(&query, NULL, "", 0);
	while (haven_service_next(&query, &service))
		alone++;
	/*
	 * New names only: myapp and two aliases, zz-other, x11 at 6000 (which is the built-in x11-0), high,
	 * zero, last.
	 */
	assert_int_equal(count, alone + 8);
	haven_services_destroy(services);
}

static void ranges_have_it_too(void **state)
{
	struct haven_env env;
	struct haven_services *services = parse(&env, text);
	struct haven_service_query query;
	struct haven_service service;
	unsigned x11 = 0, at_6000 = 0;

	(void)state;
	haven_service_by_range(&query, services, 6000, 6063, 0);
	while (haven_service_next(&query, &service)) {
		x11 += service.last == 6063;
		at_6000 += service.overlay;
	}
	assert_int_equal(x11, 1);
	assert_int_equal(at_6000, 1);
	haven_services_destroy(services);
}

static void odd_texts(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"#",
		"a",
		"a\n\n\n",
		"a 1/tcp",
		"a 1/tcp#",
		"a 1/tcp a A a",
		"a 1/tcp\0b 2/tcp",
		"\t \r\n",
	};
	struct haven_env env;

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(texts); i++)
		haven_services_destroy(parse(&env, texts[i]));
	haven_services_destroy(NULL);
}

static void no_memory(void **state)
{
	struct test_env memory;
	struct haven_env env;

	(void)state;
	test_env_init(&memory, 1);
	env = test_env_haven(&memory);
	for (uint64_t nth = 1;; nth++) {
		struct haven_services *services = NULL;
		int error;

		test_env_fail(&memory, nth);
		error = haven_services_parse(&env, text, strlen(text), &services, NULL);
		assert_int_equal(error, test_env_failed(&memory) ? -ENOMEM : 0);
		haven_services_destroy(services);
		if (!test_env_failed(&memory))
			break;
		assert_in_range(nth, 1, 20);
	}
	test_env_finish(&memory);
}

static void limits(void **state)
{
	static char line[4096];
	struct haven_services *services;
	struct haven_service service;
	struct haven_env env;
	size_t at = 0;

	(void)state;
	/* More aliases than a service can show. */
	at += (size_t)snprintf(line, sizeof(line), "many 1234/tcp");
	for (unsigned i = 0; i < 100; i++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, " alias%u", i);
	services = parse(&env, line);
	ask(services, "many", 0, &service);
	assert_int_equal(service.alias_count, HAVEN_SERVICE_ALIASES);
	haven_services_destroy(services);
	assert_int_equal(haven_services_parse(&env, line, (1 << 20) + 1, &services, NULL),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_first),
		cmocka_unit_test(the_same_service_is_one_answer),
		cmocka_unit_test(prefixes_are_merged),
		cmocka_unit_test(ranges_have_it_too),
		cmocka_unit_test(odd_texts),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
