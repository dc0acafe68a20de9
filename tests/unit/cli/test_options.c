/* Options: how words become settings, and what is said about words that are none. */
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/settings.h"
#include "support/test.h"

static char error[HV_OPTION_ERROR];

/* Words after the sub-command's name, cut at blanks. Returns as hv_options_parse(). */
static int parse(struct hv_settings *settings, unsigned command, const char *line)
{
	static char text[512];
	static char *argv[32];
	int argc = 1;

	snprintf(text, sizeof(text), "%s", line);
	argv[0] = (char *)(uintptr_t) "run";
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	hv_settings_init(settings);
	error[0] = '\0';
	return hv_options_parse(hv_settings_options, hv_settings_option_count, command, argc,
				argv, settings, error);
}

static void words_become_settings(void **state)
{
	struct hv_settings s;

	(void)state;
	assert_int_equal(parse(&s, HV_COMMAND_RUN,
			       "-p 8080:80 -p53:53/udp --publish=auto --mtu 1500 --link veth "
			       "--root --log debug --pcap f -- ls -l"),
			 15);
	assert_int_equal(s.publication_count, 2);
	assert_true(s.publish_auto && s.map_root);
	assert_int_equal(s.mtu, 1500);
	assert_int_equal(s.wire, HV_WIRE_VETH);
	assert_int_equal(s.level, HV_LOG_DEBUG);
	assert_string_equal(s.capture_path, "f");
	hv_settings_finish(&s);
}

static void helpers_have_ports(void **state)
{
	static const char *const wrong[] = {
		"--helper sip",		 "--helper ftps",      "--helper ftp:",
		"--helper ftp:0",	 "--helper ftp:65536", "--helper ftp:21-22",
		"--helper ftp:nonsense",
	};
	struct hv_settings s;

	(void)state;
	assert_int_equal(parse(&s, HV_COMMAND_RUN, "--helper ftp --helper ftp:2121 x"), 5);
	assert_int_equal(s.ftp_port_count, 2);
	assert_int_equal(s.ftp_ports[0], 21);
	assert_int_equal(s.ftp_ports[1], 2121);
	assert_int_equal(parse(&s, HV_COMMAND_ATTACH, "--helper ftp:ftp-data x"), 3);
	assert_int_equal(s.ftp_ports[0], 20);
	for (unsigned i = 0; i < TEST_COUNT(wrong); i++) {
		assert_int_equal(parse(&s, HV_COMMAND_RUN, wrong[i]), -1);
		assert_non_null(strstr(error, "--helper"));
	}
	assert_int_equal(parse(&s, HV_COMMAND_RUN,
			       "--helper ftp:1 --helper ftp:2 --helper ftp:3 --helper ftp:4 "
			       "--helper ftp:5"),
			 -1);
}

static void the_command_keeps_its_options(void **state)
{
	struct hv_settings s;

	(void)state;
	assert_int_equal(parse(&s, HV_COMMAND_RUN, "-4 ls -4 --mtu 9"), 2);
	assert_true(s.v6.off);
	assert_int_equal(s.mtu, 0);
	assert_int_equal(parse(&s, HV_COMMAND_RUN, "-4 - x"), 2);
	assert_int_equal(parse(&s, HV_COMMAND_RUN, "-4"), 2);
	assert_int_equal(parse(&s, HV_COMMAND_RUN, "-- -4"), 2);
}

static void a_wrong_word_is_named(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"--publsh 80", "did you mean '--publish'"},
		{"--ipv4", "did you mean '--ipv4-only'"},
		{"--dsn none", "did you mean '--dns'"},
		{"--pub=80", "did you mean '--publish'"},
		{"--xyzzy", "unknown option '--xyzzy'"},
		{"-x", "unknown option '-x'"},
		{"-4x", "unknown option '-x'"},
		{"--mtu", "needs a value"},
		{"--mtu 100", "576 to 65520"},
		{"--mtu=1500x", "576 to 65520"},
		{"--root=1", "takes no value"},
		{"-p 80:htpp", "cannot publish '80:htpp'"},
		{"--impair loss", "'loss' is not understood"},
		{"--log loud", "error, warning, info, debug"},
		{"--link wire", "tap, veth, auto"},
		{"--dns nowhere", "neither 'none'"},
		{"--address 127.0.0.1", "not a unicast"},
		{"--address 10.1.1.1/31", "room for a gateway"},
		{"--host-loopback 224.0.0.1", "not a unicast"},
		{"--userns x", "unknown option '--userns'"},
		{"--ifname a/b", "not a name"},
		{"--ifname a%d", "not a name"},
		{"--ifname sixteen_letters_", "not a name"},
	};
	struct hv_settings s;

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		assert_int_equal(parse(&s, HV_COMMAND_RUN, cases[i].line), -1);
		if (!strstr(error, cases[i].says) || strchr(error, '\n'))
			fail_msg("%s: %s", cases[i].line, error);
		hv_settings_finish(&s);
	}
}

static bool complete(const char *line, struct hv_settings *s)
{
	if (parse(s, HV_COMMAND_RUN, line) < 0)
		fail_msg("%s: %s", line, error);
	return hv_settings_complete(s, error);
}

static void check_address(const uint8_t address[16], const char *text)
{
	char out[HV_ENDPOINT_TEXT];

	assert_string_equal(hv_address_text(address, out), text);
}

static void defaults(void **state)
{
	struct hv_settings s;

	(void)state;
	assert_true(complete("", &s));
	check_address(s.v4.address, "10.0.2.100");
	check_address(s.v4.gateway, "10.0.2.2");
	check_address(s.v4.dns[0], "10.0.2.3");
	check_address(s.v6.address, "fd00::100");
	check_address(s.v6.gateway, "fd00::2");
	check_address(s.v6.dns[0], "fd00::3");
}

static void network_follows_the_address(void **state)
{
	struct hv_settings s;

	(void)state;
	assert_true(complete("--address 192.168.7.200/25 --address 2001:db8::5/48", &s));
	check_address(s.v4.gateway, "192.168.7.130");
	check_address(s.v4.dns[0], "192.168.7.131");
	check_address(s.v6.gateway, "2001:db8::2");
	assert_true(complete("--address 10.0.2.2", &s));
	check_address(s.v4.gateway, "10.0.2.1");
	assert_true(complete("--dns 9.9.9.9", &s));
	assert_int_equal(s.v6.dns_count, 0);
	assert_true(complete("--dns none", &s));
	assert_int_equal(s.v4.dns_count, 0);
}

static void contradictions(void **state)
{
	static const char *const lines[] = {
		"-4 -6",
		"-4 --address fd01::1",
		"--mtu 1000",
		"--dns none --dns 1.1.1.1",
		"--gateway 10.9.9.9",
		"--address 10.0.2.2 --gateway 10.0.2.2",
		"--dns 10.0.2.100",
		"--host-loopback 10.0.2.100",
		"--address 10.0.2.0/24",
		"--address 10.0.2.255/24",
		"--address 10.0.2.4/30",
		"--gateway 10.0.2.255",
		"--gateway fd01::1",
	};
	struct hv_settings s;

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(lines); i++) {
		if (complete(lines[i], &s))
			fail_msg("%s was taken", lines[i]);
	}
	assert_true(complete("-4 --mtu 1000", &s));
}

static void gateway_answers_dns_in_the_guests_network(void **state)
{
	struct hv_settings s;
	struct hv_guest_network network = {.mtu = 1500};
	struct hv_gateway_config config;

	(void)state;
	assert_true(complete("--dns 9.9.9.9 --dns 10.0.2.53", &s));
	hv_settings_gateway(&s, &network, NULL, &config);
	assert_true(config.network.v4.has_dns);
	check_address(config.network.v4.dns, "10.0.2.53");
	assert_false(config.network.v6.has_dns);
	assert_true(complete("--dns 9.9.9.9", &s));
	hv_settings_gateway(&s, &network, NULL, &config);
	assert_false(config.network.v4.has_dns);
}

static void gateway_knows_the_privileged_ports(void **state)
{
	struct hv_settings s;
	struct hv_guest_network network = {.mtu = 1500};
	struct hv_gateway_config config;

	(void)state;
	assert_true(complete("-4", &s));
	hv_settings_gateway(&s, &network, NULL, &config);
	assert_int_equal(config.privileged_ports, 0);
	assert_true(complete("--privileged-ports 1024", &s));
	hv_settings_gateway(&s, &network, NULL, &config);
	assert_int_equal(config.privileged_ports, 1024);
}

static void help_names_every_option(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	hv_options_help(hv_settings_options, hv_settings_option_count, HV_COMMAND_RUN, out);
	fclose(out);
	for (size_t i = 0; i < hv_settings_option_count; i++) {
		char name[64];
		bool has = hv_settings_options[i].commands & HV_COMMAND_RUN;

		snprintf(name, sizeof(name), "--%s", hv_settings_options[i].name);
		assert_int_equal(strstr(text, name) != NULL, has);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_become_settings),
		cmocka_unit_test(helpers_have_ports),
		cmocka_unit_test(the_command_keeps_its_options),
		cmocka_unit_test(a_wrong_word_is_named),
		cmocka_unit_test(defaults),
		cmocka_unit_test(network_follows_the_address),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(gateway_answers_dns_in_the_guests_network),
		cmocka_unit_test(gateway_knows_the_privileged_ports),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
