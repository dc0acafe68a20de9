/* What the filter of a stack remembers: when it asks, when it does not, and when an entry ends. */
#include <netinet/in.h>
#include <string.h>

#include "filter/filter_track.h"
#include "support/test.h"

#define SECOND UINT64_C(1000000000)

enum { LIMIT = 8 };

static struct test_env env;
static struct hv_core core;
static struct hv_filter_track track;
static struct haven_filter *filter, *other;
static char told[256]; /* the last line of the log */

static void on_log(void *user, enum haven_log_level level, const char *message)
{
	(void)user;
	assert_int_equal(level, HAVEN_LOG_INFO);
	strncpy(told, message, sizeof(told) - 1);
}

static void policy(struct haven_filter *to, const char *text)
{
	struct haven_env haven = test_env_haven(&env);
	struct haven_rule_error error;
	struct haven_rules *rules;

	assert_int_equal(haven_rules_create(&haven, NULL, &rules), 0);
	if (haven_rules_add_text(rules, "policy", text, strlen(text), NULL, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(haven_filter_replace(to, rules), 0);
}

static int setup(void **state)
{
	struct haven_filter_config config;
	struct haven_env haven;

	(void)state;
	test_env_init(&env, 1);
	haven = test_env_haven(&env);
	haven.log = on_log;
	assert_int_equal(hv_core_init(&core, &haven), 0);
	core.now_ns = 1000 * SECOND;
	hv_timer_advance(&core.wheel, core.now_ns);
	haven_filter_config_init(&config);
	config.env = haven;
	assert_int_equal(haven_filter_create(&config, &filter), 0);
	assert_int_equal(haven_filter_create(&config, &other), 0);
	hv_filter_track_init(&track, &core, LIMIT);
	hv_filter_track_set(&track, filter);
	told[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hv_filter_track_set(&track, NULL);
	haven_filter_destroy(filter);
	haven_filter_destroy(other);
	hv_core_finish(&core);
	test_env_finish(&env);
	return 0;
}

#define TRACK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* 10.0.0.1 with port 1000 + n, 10.0.0.2 with port 7. */
static struct hv_filter_ends ends(uint32_t protocol, unsigned n)
{
	return (struct hv_filter_ends){
		.local = hv_addr_v4((uint8_t[]){10, 0, 0, 1}),
		.remote = hv_addr_v4((uint8_t[]){10, 0, 0, 2}),
		.local_port = (uint16_t)(1000 + n),
		.remote_port = 7,
		.protocol = protocol,
	};
}

static enum hv_filter_answer datagram(unsigned n, enum haven_direction direction)
{
	struct hv_filter_ends e = ends(IPPROTO_UDP, n);

	return hv_filter_datagram(&track, &e, direction, 10);
}

static enum hv_filter_answer begin(unsigned n)
{
	struct hv_filter_ends e = ends(IPPROTO_TCP, n);

	return hv_filter_stream_begin(&track, &e, HAVEN_OUT);
}

static enum hv_filter_answer again(unsigned n)
{
	struct hv_filter_ends e = ends(IPPROTO_TCP, n);

	return hv_filter_stream_again(&track, &e, HAVEN_OUT);
}

static void end(unsigned n, uint64_t bytes)
{
	struct hv_filter_ends e = ends(IPPROTO_TCP, n);

	hv_filter_stream_end(&track, &e, bytes);
}

static void pass(uint64_t duration_ns)
{
	core.now_ns += duration_ns;
	hv_timer_advance(&core.wheel, core.now_ns);
}

static struct haven_rule_info rule(uint32_t number)
{
	struct haven_rule_info info;

	assert_true(haven_filter_rule(filter, number, &info));
	return info;
}

/* --- answers ------------------------------------------------------------------------------- */

static void test_ask(void **state)
{
	struct hv_filter_ends e = ends(IPPROTO_UDP, 0);

	(void)state;
	policy(filter, "deny in udp :1000 drop\ndeny in udp :1001\nallow in");
	assert_int_equal(hv_filter_ask(&track, &e, HAVEN_IN), HV_FILTER_SWALLOW);
	e.local_port = 1001;
	assert_int_equal(hv_filter_ask(&track, &e, HAVEN_IN), HV_FILTER_REFUSE);
	e.local_port = 1002;
	assert_int_equal(hv_filter_ask(&track, &e, HAVEN_IN), HV_FILTER_PASS);
	assert_int_equal(hv_filter_ask(&track, &e, HAVEN_OUT), HV_FILTER_PASS);
	/* Nothing is remembered: asked again, counted again. */
	assert_int_equal(hv_filter_ask(&track, &e, HAVEN_IN), HV_FILTER_PASS);
	assert_int_equal(rule(3).flows, 2);
	assert_int_equal(rule(3).open, 0);
	assert_int_equal(track.flows.count, 0);
}

/* Source and destination are what they are in the direction of the flow. */
static void test_ends(void **state)
{
	(void)state;
	policy(filter,
	       "allow out udp 10.0.0.2:7 from 10.0.0.1\nallow in udp 10.0.0.1:1001 from 10.0.0.2");
	assert_int_equal(datagram(0, HAVEN_OUT), HV_FILTER_PASS);
	assert_int_equal(datagram(1, HAVEN_IN), HV_FILTER_PASS);
	assert_int_equal(datagram(2, HAVEN_IN), HV_FILTER_REFUSE);
	assert_int_equal(rule(1).flows, 1);
	assert_int_equal(rule(2).flows, 1);
}

static void test_log(void **state)
{
	(void)state;
	policy(filter, "deny out udp log\nallow out tcp log\nallow in");
	assert_int_equal(datagram(0, HAVEN_OUT), HV_FILTER_REFUSE);
	assert_string_equal(told, "filter: refused out udp, local 10.0.0.1 port 1000, remote "
				  "10.0.0.2 port 7, by rule 1");
	assert_int_equal(begin(0), HV_FILTER_PASS);
	assert_string_equal(told, "filter: allowed out tcp, local 10.0.0.1 port 1000, remote "
				  "10.0.0.2 port 7, by rule 2");
	told[0] = '\0';
	assert_int_equal(datagram(0, HAVEN_IN), HV_FILTER_PASS);
	assert_string_equal(told, "");
}

/* An address serves a name that is denied, and another: nobody here looks which one is meant. */
static void test_name_must_be_said(void **state)
{
	struct hv_filter_ends e = ends(IPPROTO_TCP, 0);

	(void)state;
	policy(filter, "deny out bad.example\nallow out");
	assert_int_equal(begin(0), HV_FILTER_PASS);
	end(0, 0);
	assert_int_equal(haven_filter_bind(filter, "good.example", e.remote.b, 60 * SECOND,
					   core.now_ns),
			 0);
	assert_int_equal(begin(0), HV_FILTER_PASS);
	end(0, 0);
	assert_int_equal(haven_filter_bind(filter, "bad.example", e.remote.b, 60 * SECOND,
					   core.now_ns),
			 0);
	assert_int_equal(begin(0), HV_FILTER_REFUSE);
	assert_int_equal(rule(2).open, 0);
}

/* --- datagrams ------------------------------------------------------------------------------- */

static void test_times(void **state)
{
	(void)state;
	policy(filter, "allow out\ndeny in");
	datagram(0, HAVEN_OUT);
	pass(29 * SECOND);
	datagram(0, HAVEN_OUT);
	assert_int_equal(rule(1).flows, 1);
	pass(29 *
	     SECOND); /* a second one from the same side keeps it, no longer than the first */
	assert_int_equal(track.count, 1);
	pass(2 * SECOND);
	assert_int_equal(track.count, 0);
	assert_int_equal(rule(1).bytes, 20);
	assert_int_equal(rule(1).open, 0);

	datagram(0, HAVEN_OUT);
	assert_int_equal(datagram(0, HAVEN_IN), HV_FILTER_PASS);
	pass(119 * SECOND);
	assert_int_equal(track.count, 1);
	assert_int_equal(datagram(0, HAVEN_OUT), HV_FILTER_PASS);
	pass(119 * SECOND);
	assert_int_equal(track.count, 1);
	assert_false(hv_timer_is_set(&track.timer) && track.timer.deadline_ns < core.now_ns);
	pass(2 * SECOND);
	assert_int_equal(track.count, 0);
	assert_false(hv_timer_is_set(&track.timer));
	assert_int_equal(datagram(0, HAVEN_IN), HV_FILTER_REFUSE);
}

static void test_echo(void **state)
{
	struct hv_filter_ends e = ends(IPPROTO_ICMP, 0);

	(void)state;
	policy(filter, "allow in icmp");
	assert_int_equal(hv_filter_datagram(&track, &e, HAVEN_IN, 8), HV_FILTER_PASS);
	/* The identifier is no port: a rule with ports does not match. */
	assert_int_equal(rule(1).flows, 1);
	pass(59 * SECOND);
	assert_int_equal(hv_filter_datagram(&track, &e, HAVEN_IN, 8), HV_FILTER_PASS);
	pass(59 * SECOND);
	assert_int_equal(track.count, 1);
	pass(2 * SECOND);
	assert_int_equal(track.count, 0);
	assert_int_equal(rule(1).bytes, 16);
}

/* The timer may be late: what is over is over all the same. */
static void test_over_before_the_timer(void **state)
{
	(void)state;
	policy(filter, "allow out max 1\ndeny in");
	assert_int_equal(datagram(0, HAVEN_OUT), HV_FILTER_PASS);
	assert_int_equal(datagram(1, HAVEN_OUT), HV_FILTER_REFUSE);
	core.now_ns += 30 * SECOND;
	assert_int_equal(datagram(0, HAVEN_IN), HV_FILTER_REFUSE);
	assert_int_equal(datagram(1, HAVEN_OUT), HV_FILTER_PASS);
	core.now_ns += 30 * SECOND;
	assert_int_equal(begin(0), HV_FILTER_PASS);
	assert_int_equal(rule(1).open, 1);
	end(0, 0);
}

static void test_limit(void **state)
{
	struct hv_filter_ends echo = ends(IPPROTO_ICMP, 0);

	(void)state;
	policy(filter, "allow out\nallow in icmp");
	datagram(0, HAVEN_OUT);
	datagram(0, HAVEN_IN);
	hv_filter_datagram(&track, &echo, HAVEN_IN, 0);
	for (unsigned n = 1; n < LIMIT - 1; n++)
		datagram(n, HAVEN_OUT);
	assert_int_equal(track.count, LIMIT);
	assert_int_equal(track.displaced, 0);
	datagram(1, HAVEN_OUT); /* now the second is unused for longest */
	datagram(100, HAVEN_OUT);
	assert_int_equal(track.count, LIMIT);
	assert_int_equal(track.displaced, 1);
	assert_int_equal(datagram(1, HAVEN_IN), HV_FILTER_PASS);
	assert_int_equal(datagram(2, HAVEN_IN), HV_FILTER_REFUSE);
	/* All become conversations: echo goes first, then the oldest of them. */
	for (unsigned n = 3; n < LIMIT - 1; n++)
		assert_int_equal(datagram(n, HAVEN_IN), HV_FILTER_PASS);
	assert_int_equal(datagram(100, HAVEN_IN), HV_FILTER_PASS);
	datagram(101, HAVEN_OUT);
	assert_int_equal(rule(2).open, 0);
	datagram(101, HAVEN_IN);
	datagram(102, HAVEN_OUT);
	assert_int_equal(track.displaced, 3);
	assert_int_equal(datagram(0, HAVEN_IN), HV_FILTER_REFUSE);
	assert_int_equal(datagram(1, HAVEN_IN), HV_FILTER_PASS);
	assert_int_equal(rule(1).open, LIMIT);
	/* Streams are not limited here. */
	for (unsigned n = 0; n < 2 * LIMIT; n++)
		assert_int_equal(begin(n), HV_FILTER_PASS);
	assert_int_equal(track.count, LIMIT);
	assert_int_equal(track.displaced, 3);
	for (unsigned n = 0; n < 2 * LIMIT; n++)
		end(n, 0);
}

static void test_forget(void **state)
{
	(void)state;
	policy(filter, "allow out\ndeny in");
	begin(0);
	datagram(0, HAVEN_OUT);
	datagram(1, HAVEN_OUT);
	datagram(1, HAVEN_IN);
	hv_filter_forget_datagrams(&track);
	assert_int_equal(track.count, 0);
	assert_int_equal(rule(1).open, 1);
	assert_int_equal(datagram(1, HAVEN_IN), HV_FILTER_REFUSE);
	end(0, 0);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void test_stream(void **state)
{
	(void)state;
	policy(filter, "deny out udp\nallow out :7 max 2");
	assert_int_equal(begin(0), HV_FILTER_PASS);
	assert_int_equal(begin(1), HV_FILTER_PASS);
	assert_int_equal(begin(2), HV_FILTER_REFUSE);
	assert_int_equal(rule(2).open, 2);
	pass(100000 * SECOND);
	assert_int_equal(rule(2).open, 2);
	end(0, 1234);
	end(0, 1); /* has ended */
	end(2, 1); /* was refused */
	assert_int_equal(rule(2).open, 1);
	assert_int_equal(rule(2).bytes, 1234);
	assert_int_equal(begin(2), HV_FILTER_PASS);
	end(1, 0);
	end(2, 0);
	assert_int_equal(track.flows.count, 0);
}

/* The default allows it, and no rule counts it. */
static void test_stream_by_default(void **state)
{
	(void)state;
	policy(filter, "deny out udp");
	assert_int_equal(begin(0), HV_FILTER_PASS);
	assert_int_equal(track.flows.count, 0);
	end(0, 5);
	assert_int_equal(haven_filter_default_count(filter, HAVEN_OUT), 1);
}

static void test_resume(void **state)
{
	struct hv_filter_ends first = ends(IPPROTO_TCP, 0), second = ends(IPPROTO_TCP, 1);

	(void)state;
	policy(filter, "allow in :1000-1001 max 1");
	assert_int_equal(hv_filter_stream_resume(&track, &first, HAVEN_IN), HV_FILTER_PASS);
	assert_int_equal(rule(1).flows, 0);
	assert_int_equal(rule(1).open, 1);
	assert_int_equal(hv_filter_stream_resume(&track, &second, HAVEN_IN), HV_FILTER_REFUSE);
	hv_filter_stream_end(&track, &first, 0);
	assert_int_equal(hv_filter_stream_resume(&track, &second, HAVEN_IN), HV_FILTER_PASS);
	policy(filter, "deny in drop");
	assert_int_equal(hv_filter_stream_resume(&track, &first, HAVEN_IN), HV_FILTER_SWALLOW);
	hv_filter_stream_end(&track, &second, 0);
}

static void test_again(void **state)
{
	(void)state;
	policy(filter, "allow out tcp");
	begin(0);
	policy(filter, "allow out :7\nallow out tcp");
	assert_int_equal(rule(2).open, 1);
	/* It counts for the rule that would allow it now. */
	assert_int_equal(again(0), HV_FILTER_PASS);
	assert_int_equal(rule(1).open, 1);
	assert_int_equal(rule(2).open, 0);
	assert_int_equal(again(0), HV_FILTER_PASS);
	assert_int_equal(rule(1).open, 1);
	assert_int_equal(rule(1).flows, 0);
	/* One that was never asked about. */
	assert_int_equal(again(1), HV_FILTER_PASS);
	assert_int_equal(rule(1).open, 2);
	policy(filter, "deny out tcp drop");
	assert_int_equal(again(0), HV_FILTER_SWALLOW);
	policy(filter, "deny in");
	assert_int_equal(again(0), HV_FILTER_PASS); /* by default: for no rule */
	end(0, 0);
	end(1, 0);
	assert_int_equal(track.flows.count, 0);
}

/* --- life ---------------------------------------------------------------------------------------- */

static void test_set(void **state)
{
	uint64_t live;

	(void)state;
	policy(filter, "allow out");
	live = env.live_bytes;
	for (unsigned n = 0; n < 100; n++)
		begin(n);
	datagram(0, HAVEN_OUT);
	assert_int_equal(rule(1).open, 101);
	hv_filter_track_set(&track, filter); /* the same: nothing happens */
	assert_int_equal(rule(1).open, 101);
	hv_filter_track_set(&track, other);
	assert_int_equal(rule(1).open, 0);
	assert_int_equal(track.count, 0);
	assert_int_equal(env.live_bytes, live);
	assert_false(hv_timer_is_set(&track.timer));
	end(0, 0);
	assert_int_equal(datagram(0, HAVEN_OUT), HV_FILTER_PASS);
	assert_int_equal(rule(1).flows, 101);
}

static void test_no_memory(void **state)
{
	(void)state;
	policy(filter, "allow out\ndeny in");
	for (uint64_t nth = 1; nth <= 2; nth++) { /* the entry, the table */
		test_env_fail(&env, nth);
		assert_int_equal(datagram(0, HAVEN_OUT), HV_FILTER_NO_MEMORY);
		assert_int_equal(track.count, 0);
		assert_int_equal(rule(1).open, 0);
		test_env_fail(&env, nth);
		assert_int_equal(begin(0), HV_FILTER_NO_MEMORY);
		assert_int_equal(rule(1).open, 0);
		test_env_fail(&env, nth);
		assert_int_equal(again(0), HV_FILTER_PASS); /* it is there; it does not count */
		assert_int_equal(rule(1).open, 0);
	}
	test_env_fail(&env, 0);
	assert_int_equal(datagram(0, HAVEN_OUT), HV_FILTER_PASS);
	assert_int_equal(track.flows.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRACK_TEST(test_ask),
		TRACK_TEST(test_ends),
		TRACK_TEST(test_log),
		TRACK_TEST(test_name_must_be_said),
		TRACK_TEST(test_times),
		TRACK_TEST(test_echo),
		TRACK_TEST(test_over_before_the_timer),
		TRACK_TEST(test_limit),
		TRACK_TEST(test_forget),
		TRACK_TEST(test_stream),
		TRACK_TEST(test_stream_by_default),
		TRACK_TEST(test_resume),
		TRACK_TEST(test_again),
		TRACK_TEST(test_set),
		TRACK_TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
