/* The control socket's names, and listing flows while they end. */
#include <string.h>

#include "gateway/control_name.h"
#include "gateway/flow.h"
#include "support/test.h"

static void names_are_valid_or_not(void **state)
{
	static const char *const good[] = {"a", "web-1", "0", "a.b_c-d"};
	static const char *const bad[] = {"", "-a", ".a", "a/b", "a b", "a\n", "\xc3\xa4"};
	char name[64];

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(good); i++)
		assert_true(hv_control_name_valid(good[i]));
	for (size_t i = 0; i < TEST_COUNT(bad); i++)
		assert_false(hv_control_name_valid(bad[i]));
	memset(name, 'a', sizeof(name));
	name[48] = '\0';
	assert_true(hv_control_name_valid(name));
	name[48] = 'a';
	name[49] = '\0';
	assert_false(hv_control_name_valid(name));
}

static void names_are_made(void **state)
{
	static const struct {
		const char *command, *name;
	} cases[] = {
		{"nginx", "nginx-7"},
		{"/usr/sbin/nginx", "nginx-7"},
		{"./-odd name!", "oddname-7"},
		{"/", "net-7"},
		{"", "net-7"},
		{"\xc3\xa4", "net-7"},
	};
	char name[HV_CONTROL_NAME_SIZE], command[300];

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(cases); i++) {
		hv_control_name_make(cases[i].command, 7, name);
		assert_string_equal(name, cases[i].name);
	}
	memset(command, 'x', sizeof(command));
	command[299] = '\0';
	hv_control_name_make(command, 4194304, name);
	assert_true(hv_control_name_valid(name));
}

static void lines_of_proc_are_read(void **state)
{
	static const struct {
		const char *line, *name;
		uid_t uid;
	} cases[] = {
		{"0: 2 0 00010000 0001 01 36 @haven/1000/web-1\n", "web-1", 1000},
		{"000000: 00000002 00000000 00010000 0001 01 369 @haven/0/a", "a", 0},
		{"0: 3 0 00000000 0001 03 36 @haven/1000/web-1\n", NULL, 0}, /* accepted */
		{"0: 2 0 00010000 0001 01 36 /haven/1000/web\n", NULL, 0},
		{"0: 2 0 00010000 0001 01 36 @haven//web\n", NULL, 0},
		{"0: 2 0 00010000 0001 01 36 @haven/1000/\n", NULL, 0},
		{"0: 2 0 00010000 0001 01 36 @haven/1000/a/b\n", NULL, 0},
		{"0: 2 0 00010000 0001 01 36 @haven/x/a\n", NULL, 0},
		{"0: 2 0 00010000 0001 01 36\n", NULL, 0},
		{"", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < TEST_COUNT(cases); i++) {
		char name[HV_CONTROL_NAME_SIZE];
		uid_t uid = 99;
		bool found = hv_control_name_parse(cases[i].line, &uid, name);

		assert_int_equal(found, cases[i].name != NULL);
		if (found) {
			assert_string_equal(name, cases[i].name);
			assert_int_equal(uid, cases[i].uid);
		}
	}
}

static void addresses_are_abstract(void **state)
{
	struct sockaddr_un address;
	socklen_t size = hv_control_address(1000, "web", &address);

	(void)state;
	assert_int_equal(address.sun_family, AF_UNIX);
	assert_int_equal(size, offsetof(struct sockaddr_un, sun_path) + 1 + 14);
	assert_memory_equal(address.sun_path, "\0haven/1000/web", 15);
}

static void endpoints_are_read(void **state)
{
	static const char *const bad[] = {"1.2.3.4",
					  "1.2.3.4:",
					  "1.2.3.4:0",
					  "1.2.3.4:65536",
					  "::1:80",
					  "[1.2.3.4]:80",
					  "[::1]",
					  ":80",
					  "1.2.3.4:+80",
					  "[]:80",
					  "x:80",
					  "1.2.3.4:8x",
					  "[::ffff:1.2.3.4]:80",
					  "[fe80::1%1]:80",
					  "1.2.3.4:x11"};
	struct haven_endpoint endpoint;
	char text[HV_ENDPOINT_TEXT];

	(void)state;
	assert_true(hv_endpoint_parse("192.0.2.1:443", &endpoint));
	assert_string_equal(hv_endpoint_text(&endpoint, text), "192.0.2.1:443");
	assert_true(hv_endpoint_parse("[2001:db8::1]:65535", &endpoint));
	assert_string_equal(hv_endpoint_text(&endpoint, text), "[2001:db8::1]:65535");
	assert_true(hv_endpoint_parse("192.0.2.1:https", &endpoint));
	assert_string_equal(hv_endpoint_text(&endpoint, text), "192.0.2.1:443");
	for (size_t i = 0; i < TEST_COUNT(bad); i++)
		assert_false(hv_endpoint_parse(bad[i], &endpoint));
}

static void cursors_outlive_flows(void **state)
{
	struct hv_log log = {.fd = -1, .level = HV_LOG_ERROR};
	struct hv_flow flows[5] = {0};
	struct hv_flow_table table;
	struct hv_flow_cursor one, other;

	(void)state;
	hv_flow_table_init(&table, &log);
	for (unsigned i = 0; i < 4; i++)
		hv_flow_open(&table, &flows[i], i);
	hv_flow_cursor_begin(&table, &one);
	hv_flow_cursor_begin(&table, &other);
	assert_ptr_equal(hv_flow_cursor_next(&one), &flows[0]);
	hv_flow_close(&table, &flows[1], 9, "where one stands");
	hv_flow_close(&table, &flows[0], 9, "where the other stands");
	assert_ptr_equal(hv_flow_cursor_next(&one), &flows[2]);
	assert_ptr_equal(hv_flow_cursor_next(&other), &flows[2]);
	hv_flow_open(&table, &flows[4], 10);
	assert_ptr_equal(hv_flow_cursor_next(&one), &flows[3]);
	assert_ptr_equal(hv_flow_cursor_next(&one), &flows[4]);
	assert_null(hv_flow_cursor_next(&one));
	hv_flow_cursor_end(&one);
	for (unsigned i = 2; i < 5; i++)
		hv_flow_close(&table, &flows[i], 11, "closed");
	assert_null(hv_flow_cursor_next(&other));
	hv_flow_cursor_end(&other);
	assert_int_equal(table.ended_count, 5);
	assert_string_equal(table.ended[1].reason, "where the other stands");
}

static void the_last_that_ended_are_remembered(void **state)
{
	struct hv_log log = {.fd = -1, .level = HV_LOG_ERROR};
	struct hv_flow_table table;

	(void)state;
	hv_flow_table_init(&table, &log);
	for (unsigned i = 0; i < HV_FLOWS_ENDED + 10; i++) {
		struct hv_flow flow = {.bytes_in = i};

		hv_flow_open(&table, &flow, i);
		hv_flow_close(&table, &flow, i,
			      "a reason that is longer than there is room for it");
	}
	assert_int_equal(table.ended[9].bytes_in, HV_FLOWS_ENDED + 9);
	assert_int_equal(table.ended[10].bytes_in, 10);
	assert_int_equal(strlen(table.ended[0].reason), sizeof(table.ended[0].reason) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_valid_or_not),
		cmocka_unit_test(names_are_made),
		cmocka_unit_test(lines_of_proc_are_read),
		cmocka_unit_test(addresses_are_abstract),
		cmocka_unit_test(endpoints_are_read),
		cmocka_unit_test(cursors_outlive_flows),
		cmocka_unit_test(the_last_that_ended_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
