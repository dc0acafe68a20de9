/* Urgent data: RFC 9293 section 3.8.5, RFC 6093. */
#include "tcp/fixture.h"
#include "tcp/tcp_urgent.h"

enum { FLAGS_UA = HV_TCP_ACK | HV_TCP_URG, FLAGS_PUA = FLAGS_UA | HV_TCP_PSH };

static const uint8_t bytes[100000];

static void commit(struct script *s, uint32_t size, bool urgent)
{
	assert_int_equal(host_send(s->conn, bytes, size), size);
	if (urgent)
		hv_tcp_urgent_mark(s->conn);
	hv_tcp_flush(&s->host.tcp);
}

/* Every segment before the mark has the flag and its own distance; none is cut by the link. */
static void test_many_segments(void **state)
{
	struct script *s = *state;

	script_accept(s);
	commit(s, 2500, true);
	for (uint32_t at = 1; at < 2501; at += 1000) {
		uint32_t size = at == 2001 ? 500 : 1000;

		script_out(s, FLAGS_UA, at, 1, size);
		assert_int_equal(s->got_urgent, 2501 - at);
	}
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	assert_int_equal(hv_tcp_urgent_pointer(s->conn, s->host_iss + 1001), 1500);
	script_in(s, FLAGS_A, 1, 2501, NULL, 0);
	assert_int_equal(hv_tcp_urgent_pointer(s->conn, s->host_iss + 2501), 0);
	commit(s, 3000, false); /* as ever: in one packet */
	script_out(s, FLAGS_PA, 2501, 1, 3000);
}

/* The mark is further away than the field can say: MUST-31. */
static void test_far_away(void **state)
{
	struct script *s = *state;

	script_accept(s);
	commit(s, 100000, true);
	script_out(s, FLAGS_UA, 1, 1, 1000);
	assert_int_equal(s->got_urgent, 65535);
	script_skip(s);
}

/* The peer may learn of it while its window is closed. */
static void test_on_acks(void **state)
{
	struct script *s = *state;

	s->peer_window = 1000;
	script_accept(s);
	commit(s, 1000, false);
	script_out(s, FLAGS_PA, 1, 1, 1000);
	s->peer_window = 0;
	script_in(s, FLAGS_A, 1, 1001, NULL, 0);
	commit(s, 10, true);
	script_quiet(s);
	script_in(s, FLAGS_PA, 1, 1001, NULL, 5);
	script_out(s, FLAGS_UA, 1001, 6, 0);
	assert_int_equal(s->got_urgent, 10);
	script_skip(s);
}

/* Nothing to mark. */
static void test_nothing_sent(void **state)
{
	struct script *s = *state;

	script_accept(s);
	hv_tcp_urgent_mark(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_quiet(s);
}

static void test_told_once_for_each_advance(void **state)
{
	struct script *s = *state;
	uint8_t read[100];

	script_accept(s);
	s->urgent = 20;
	script_in(s, FLAGS_PUA, 1, 1, NULL, 10);
	assert_true(s->host.events & HAVEN_EVENT_URGENT);
	assert_int_equal(hv_tcp_urgent_left(s->conn), 20);
	s->host.events = 0;
	s->urgent = 10; /* the same place */
	script_in(s, FLAGS_PUA, 11, 1, NULL, 5);
	assert_false(s->host.events & HAVEN_EVENT_URGENT);
	assert_int_equal(host_read(s->conn, read, 15), 15);
	assert_int_equal(hv_tcp_urgent_left(s->conn), 5);
	s->urgent = 50;
	script_in(s, FLAGS_PUA, 16, 1, NULL, 5);
	assert_true(s->host.events & HAVEN_EVENT_URGENT);
	assert_int_equal(hv_tcp_urgent_left(s->conn), 50);
	/* The stream ends before it: nothing is urgent behind the end. */
	s->urgent = 0;
	script_in(s, FLAGS_FA, 21, 1, NULL, 0);
	assert_int_equal(host_read(s->conn, read, 15), 5);
	assert_int_equal(hv_tcp_urgent_left(s->conn), 0);
	script_skip(s);
}

/* A segment that is not in the window says nothing. */
static void test_out_of_window(void **state)
{
	struct script *s = *state;

	script_accept(s);
	s->urgent = 100;
	script_in(s, FLAGS_PUA, 1 << 20, 1, NULL, 10);
	assert_int_equal(hv_tcp_urgent_left(s->conn), 0);
	script_skip(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_many_segments),
		SCRIPT_TEST(test_far_away),
		SCRIPT_TEST(test_on_acks),
		SCRIPT_TEST(test_nothing_sent),
		SCRIPT_TEST(test_told_once_for_each_advance),
		SCRIPT_TEST(test_out_of_window),
	};

	return cmocka_run_group_tests_name("tcp urgent data", tests, NULL, NULL);
}
