/* /etc/services as it is found, and one line for what is no port. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/services.h"
#include "support/test.h"

static void files(void **state)
{
	char path[] = "/tmp/haven-test-services-XXXXXX";
	int fd = mkstemp(path);
	const char text[] = "haventest 4711/tcp ht\n";
	struct haven_services *services;

	(void)state;
	assert_true(fd >= 0);
	assert_null(hv_services_load(path)); /* empty: nothing on top */
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	services = hv_services_load(path);
	assert_non_null(services);
	assert_string_equal(haven_service_name(services, 4711, 0), "haventest");
	haven_services_destroy(services);
	unlink(path);
	assert_null(hv_services_load(path));
	assert_null(hv_services_load("/"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(hv_services_load(path));
	unlink(path);
}

static const struct {
	const char *text;
	unsigned protocols;
	const char *line; /* part of it */
} cases[] = {
	{"65536", 0, "'65536' is no port: they are from 0 to 65535"},
	{"90-80", 0, "'90-80' is no range of ports: it goes from the lower to the higher"},
	{"80-65536", 0, "they are from 0 to 65535"},
	{"-1", 0, "'-1' is no port: they are from 0 to 65535"},
	{"-", 0, "'-' is neither a port, a range nor the name of a service"},
	{"", 0, "'' is neither"},
	{"80/icmp", 0, "none of tcp, udp, sctp, dccp"},
	{"htps", 0, "no service is called 'htps'; did you mean '"},
	{"htps/tcp", 0, "no TCP service is called 'htps'; did you mean '"},
	{"qqqqqqqqqqqq", HAVEN_SERVICE_UDP, "no UDP service is called 'qqqqqqqqqqqq'"},
	{"igmpv3lite", HAVEN_SERVICE_TCP, "'igmpv3lite' is a service of UDP, not of TCP"},
	{"igmpv3lite/tcp", 0, "'igmpv3lite' is a service of UDP, not of TCP"},
	{"http-alt", 0, "'http-alt' has several ports: 591, 8008, 8080"},
};

static void lines(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		struct haven_ports ports;
		char line[256], small[12];
		int error = haven_ports_parse(NULL, cases[i].text, strlen(cases[i].text),
					      cases[i].protocols, &ports);

		assert_true(error < 0);
		hv_services_explain(NULL, cases[i].text, cases[i].protocols, error, line,
				    sizeof(line));
		if (!strstr(line, cases[i].line))
			fail_msg("%s: %s", cases[i].text, line);
		hv_services_explain(NULL, cases[i].text, cases[i].protocols, error, small,
				    sizeof(small));
		assert_int_equal(strlen(small), sizeof(small) - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
