/* Flows: counted, limited, and told to the log. */
#include <string.h>
#include <unistd.h>

#include "gateway/flow.h"
#include "support/test.h"

#define MS UINT64_C(1000000)

static struct haven_endpoint endpoint(const char *address, uint16_t port)
{
	struct haven_endpoint result = {.port = port};

	assert_true(hv_address_parse(address, result.address));
	return result;
}

static struct hv_flow flow_of(enum hv_flow_kind kind)
{
	return (struct hv_flow){
		.kind = kind,
		.source = endpoint("10.0.2.100", 40000),
		.destination = endpoint("192.0.2.1", 443),
	};
}

static void limits_are_kept_by_kind(void **state)
{
	struct hv_log log = {.fd = -1, .level = HV_LOG_ERROR};
	struct hv_flow_table table;
	struct hv_flow flows[3];

	(void)state;
	hv_flow_table_init(&table, &log);
	for (unsigned kind = 0; kind < HV_FLOW_KINDS; kind++)
		assert_true(table.limit[kind] >= 1024);
	table.limit[HV_FLOW_DNS] = 2;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(hv_flow_allowed(&table, HV_FLOW_DNS));
		flows[i] = flow_of(HV_FLOW_DNS);
		hv_flow_open(&table, &flows[i], 1);
	}
	assert_false(hv_flow_allowed(&table, HV_FLOW_DNS));
	assert_int_equal(table.refused_by_limit, 1);
	assert_true(hv_flow_allowed(&table, HV_FLOW_ECHO));
	flows[2] = flow_of(HV_FLOW_ECHO);
	hv_flow_open(&table, &flows[2], 1);
	assert_int_equal(table.total, 3);
	hv_flow_close(&table, &flows[0], 2, "answered");
	assert_true(hv_flow_allowed(&table, HV_FLOW_DNS));
	assert_int_equal(table.count[HV_FLOW_DNS], 1);
	assert_int_equal(table.opened[HV_FLOW_DNS], 2);
	assert_ptr_equal(TAILQ_FIRST(&table.list), &flows[1]);
	hv_flow_close(&table, &flows[1], 2, "answered");
	hv_flow_close(&table, &flows[2], 2, "idle");
	assert_int_equal(table.total, 0);
	assert_true(TAILQ_EMPTY(&table.list));
}

static void lives_are_logged(void **state)
{
	char text[1024];
	struct hv_log log;
	struct hv_flow_table table;
	struct hv_flow out = flow_of(HV_FLOW_TCP_OUT), in = flow_of(HV_FLOW_TCP_IN);
	int ends[2];
	ssize_t size;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	hv_log_init(&log, ends[1], HV_LOG_INFO);
	hv_flow_table_init(&table, &log);
	hv_flow_open(&table, &out, 1000 * MS);
	assert_int_equal(out.state, HV_FLOW_CONNECTING);
	hv_flow_ready(&table, &out, 1003 * MS + MS / 2);
	assert_int_equal(out.state, HV_FLOW_OPEN);
	out.bytes_out = 78;
	out.bytes_in = 1256;
	hv_flow_close(&table, &out, 1010 * MS, "closed");
	in.source = endpoint("2001:db8::1", 50000);
	in.destination = endpoint("fd00::100", 80);
	in.host_port = 8080;
	hv_flow_open(&table, &in, 2000 * MS);
	hv_flow_close(&table, &in, 2001 * MS, "Connection refused");
	close(ends[1]);
	size = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	assert_true(size > 0);
	text[size] = '\0';
	assert_string_equal(
		text,
		"haven: tcp out 10.0.2.100:40000 -> 192.0.2.1:443 open, handshake 3.5 ms\n"
		"haven: tcp out 10.0.2.100:40000 -> 192.0.2.1:443 ended: closed, 78 bytes out, "
		"1256 bytes in, 10.0 ms\n"
		"haven: tcp in [2001:db8::1]:50000 -> [fd00::100]:80 (host port 8080) ended: "
		"Connection refused, 0 bytes out, 0 bytes in, 1.0 ms\n");
}

static void names(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < HV_FLOW_KINDS; kind++) {
		assert_non_null(hv_flow_protocol_name((enum hv_flow_kind)kind));
		assert_non_null(hv_flow_direction_name((enum hv_flow_kind)kind));
	}
	assert_string_equal(hv_flow_protocol_name(HV_FLOW_ECHO), "icmp");
	assert_string_equal(hv_flow_direction_name(HV_FLOW_UDP_IN), "in");
	assert_string_equal(hv_flow_state_name(HV_FLOW_CLOSING), "CLOSING");
}

static void many_that_ended_ask_for_a_trim(void **state)
{
	struct hv_log log = {.fd = -1, .level = HV_LOG_ERROR};
	struct hv_flow_table table;

	(void)state;
	hv_flow_table_init(&table, &log);
	for (unsigned i = 0; i < 256; i++) {
		struct hv_flow flow = flow_of(HV_FLOW_UDP_OUT);

		assert_false(hv_flow_table_wants_trim(&table));
		hv_flow_open(&table, &flow, 1);
		hv_flow_close(&table, &flow, 1, "idle");
	}
	assert_true(hv_flow_table_wants_trim(&table));
	hv_flow_table_trim(&table);
	assert_false(hv_flow_table_wants_trim(&table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_kept_by_kind),
		cmocka_unit_test(lives_are_logged),
		cmocka_unit_test(names),
		cmocka_unit_test(many_that_ended_ask_for_a_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
