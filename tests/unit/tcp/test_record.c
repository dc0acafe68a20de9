/* MSG_EOR: records are not put into one segment, the first time and again. */
#include "tcp/fixture.h"

#include <netinet/tcp.h>

static uint8_t bytes[20000];

static void send_record(struct script *s, uint32_t size)
{
	assert_int_equal(host_send(s->conn, bytes, size), size);
	hv_tcp_record_end(s->conn);
}

static void test_records(void **state)
{
	struct script *s = *state;

	script_accept(s);
	send_record(s, 400);
	send_record(s, 400);
	send_record(s, 1500);
	assert_int_equal(host_send(s->conn, bytes, 2000), 2000);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 1, 1, 400);
	assert_true(s->got_pushed);
	script_out(s, FLAGS_A, 401, 1,
		   400); /* Nagle does not hold what nothing can be added to */
	script_out(s, FLAGS_A, 801, 1, 1500);
	script_out(s, FLAGS_A, 2301, 1, 2000);
	script_quiet(s);
	assert_non_null(s->conn->records);
	script_in(s, FLAGS_A, 1, 2301, NULL, 0);
	assert_null(s->conn->records);
	/* The last one is as every other write: it may be small and wait. */
	assert_int_equal(host_send(s->conn, bytes, 100), 100);
	send_record(s, 100);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 4301, 1, 200);
	script_in(s, FLAGS_A, 1, 4501, NULL, 0);
	assert_null(s->conn->records);
}

static void test_records_again(void **state)
{
	struct script *s = *state;

	script_accept(s);
	send_record(s, 300);
	send_record(s, 300);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 1, 1, 300);
	script_quiet(s); /* the second is the last: Nagle */
	s->conn->no_delay = true;
	hv_tcp_mark(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_A, 301, 1, 300);
	script_wait_ms(s, 1001);
	script_out(s, FLAGS_A, 1, 1, 300); /* and not 600 */
}

static void test_records_lost(void **state)
{
	struct script *s = *state;

	s->syn.sack_permitted = true;
	script_accept(s);
	s->conn->no_delay = true;
	s->conn->srtt_ns = 20 * HV_TCP_MS;
	for (unsigned i = 0; i < 6; i++)
		send_record(s, 400);
	hv_tcp_flush(&s->host.tcp);
	for (uint32_t i = 0; i < 6; i++)
		script_out(s, FLAGS_A, 1 + i * 400, 1, 400);
	script_wait_ms(s, 20);
	s->extra.sack_count = 1;
	s->extra.sack[0][0] = s->host_iss + 1201;
	s->extra.sack[0][1] = s->host_iss + 2401;
	script_in(s, FLAGS_A, 1, 401, NULL, 0);
	script_wait_ms(s, 20);
	script_out(s, FLAGS_A, 401, 1, 400);
	script_out(s, FLAGS_A, 801, 1, 400);
}

/* A table that cannot grow lets records run together: nothing is lost. */
static void test_many_records(void **state)
{
	struct script *s = *state;
	uint32_t before;

	script_accept(s);
	for (unsigned i = 0; i < 20; i++)
		send_record(s, 10);
	before = s->conn->snd_nxt;
	for (unsigned i = 0; i < 5000; i++) {
		assert_int_equal(host_send(s->conn, bytes, 1), 1);
		hv_tcp_record_end(s->conn);
	}
	s->conn->no_delay = true;
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
	assert_int_equal(s->conn->snd_nxt - before, 5200);
	script_in(s, FLAGS_A, 1, 5201, NULL, 0);
	assert_null(s->conn->records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_records),
		SCRIPT_TEST(test_records_again),
		SCRIPT_TEST(test_records_lost),
		SCRIPT_TEST(test_many_records),
	};

	return cmocka_run_group_tests_name("tcp records", tests, NULL, NULL);
}
