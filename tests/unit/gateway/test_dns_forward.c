/* Questions over UDP, from the guest to the resolver and back: what is asked, joined, kept, refused, and told to a watcher. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dns_world.h"

#define QUERY_FLAGS 0x0100 /* RD */

static struct dns_world w;
static struct build question, asked, answer, got;

static int set_up(void **state)
{
	static struct hv_dns_static_name names[1];
	char error[128];

	(void)state;
	assert_true(hv_dns_static_parse("db.test=192.0.2.7", names, error, sizeof(error)));
	dns_world_init(&w, names, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_world_finish(&w);
	return 0;
}

static void ask(uint16_t id, const char *name, uint16_t type)
{
	begin_message(&question, id, QUERY_FLAGS, name, type);
	guest_ask(&w, &question);
}

/* An answer to what the resolver was asked last: this address of the name. */
static void answer_with(const char *name, const char *address)
{
	begin_answer(&answer, name, HV_DNS_A);
	put_address(&answer, HV_DNS_ANSWER, name, 300, address);
	resolver_answer(&w, &asked, &answer);
}

static unsigned dns_flows(void)
{
	return w.gateway->flows.count[HV_FLOW_DNS];
}

static void asked_once_then_kept(void **state)
{
	(void)state;
	ask(0x1111, "a.Test", HV_DNS_A);
	resolver_question(&w, &asked);
	assert_int_equal(asked.size, question.size);
	assert_memory_equal(asked.bytes + 2, question.bytes + 2, question.size - 2);
	assert_int_equal(dns_flows(), 1);
	answer_with("a.Test", "192.0.2.1");
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_id(got.bytes), 0x1111);
	assert_memory_equal(got.bytes + 2, answer.bytes + 2, answer.size - 2);
	assert_string_equal(w.told, "a.test 192.0.2.1 300\n");
	assert_int_equal(dns_flows(), 0);

	ask(0x2222, "A.tEST", HV_DNS_A);
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_id(got.bytes), 0x2222);
	assert_memory_equal(got.bytes + 12, "\1A\4tEST", 7);
	assert_string_equal(w.told, "a.test 192.0.2.1 300\na.test 192.0.2.1 300\n");
	assert_false(resolver_is_asked(&w));
}

/* What is kept counts down; nobody sleeps for it here, so the clock of what is kept is set back. */
static void what_is_left_is_told(void **state)
{
	struct hv_dns_question parsed;

	(void)state;
	begin_message(&question, 1, QUERY_FLAGS, "a.test", HV_DNS_A);
	assert_true(hv_dns_question_parse(&parsed, question.bytes, question.size));
	begin_answer(&answer, "a.test", HV_DNS_A);
	put_address(&answer, HV_DNS_ANSWER, "a.test", 300, "192.0.2.1");
	assert_true(hv_dns_cache_put(&w.gateway->dns->cache, &parsed.key, answer.bytes,
				     answer.size, w.gateway->loop.now_ns - 250 * HV_NS_PER_S));
	guest_ask(&w, &question);
	guest_answer(&w, &got);
	assert_string_equal(w.told, "a.test 192.0.2.1 50\n");
}

static void equal_questions_wait_together(void **state)
{
	static const char *const spellings[] = {"a.test", "A.test", "a.TEST"};

	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		ask(i, spellings[i], HV_DNS_A);
	resolver_question(&w, &asked);
	assert_false(resolver_is_asked(&w));
	assert_int_equal(dns_flows(), 3);
	answer_with("a.test", "192.0.2.1");
	for (uint16_t i = 0; i < 3; i++) {
		guest_answer(&w, &got);
		assert_int_equal(hv_dns_id(got.bytes), i);
		assert_int_equal(got.size, answer.size);
		if (i > 0)
			assert_memory_equal(got.bytes + 13, spellings[i], 1);
	}
	assert_int_equal(dns_flows(), 0);
	assert_int_equal(w.gateway->dns->shared.count, 0);
}

static void so_many_wait_together(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < HV_DNS_ASKERS_MAX + 6; i++)
		ask(i, "a.test", HV_DNS_A);
	resolver_question(&w, &asked);
	answer_with("a.test", "192.0.2.1");
	for (uint16_t i = 0; i < HV_DNS_ASKERS_MAX; i++)
		guest_answer(&w, &got);
	resolver_question(&w, &asked); /* the rest has its own */
	assert_false(guest_has_answer(&w));
	answer_with("a.test", "192.0.2.1");
	for (uint16_t i = 0; i < 6; i++)
		guest_answer(&w, &got);
	assert_false(resolver_is_asked(&w));
}

static void other_questions_do_not(void **state)
{
	(void)state;
	ask(1, "a.test", HV_DNS_A);
	ask(2, "a.test", HV_DNS_AAAA);
	begin_message(&question, 3, QUERY_FLAGS | HV_DNS_FLAG_CD, "a.test", HV_DNS_A);
	guest_ask(&w, &question);
	begin_message(&question, 4, QUERY_FLAGS, "a.test", HV_DNS_A);
	put_opt(&question, 1232, 0, "\0\10\0\4\0\1\0\0", 8); /* client subnet: each by itself */
	guest_ask(&w, &question);
	guest_ask(&w, &question);
	for (unsigned i = 0; i < 5; i++)
		resolver_question(&w, &asked);
	assert_false(resolver_is_asked(&w));
	assert_int_equal(dns_flows(), 5);
}

static void limit_of_questions(void **state)
{
	char name[32];

	(void)state;
	w.gateway->flows.limit[HV_FLOW_DNS] = 10;
	for (uint16_t i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		ask(i, name, HV_DNS_A);
	}
	assert_int_equal(dns_flows(), 10);
	assert_int_equal(w.gateway->flows.refused_by_limit, 10);
	/* What needs no resolver is answered all the same. */
	ask(99, "host.haven", HV_DNS_A);
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_id(got.bytes), 99);
}

/* A cookie is one client's; those who joined get the answer without. */
static void cookies_stay_with_their_own(void **state)
{
	static const uint8_t cookie[] = {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};

	(void)state;
	begin_message(&question, 1, QUERY_FLAGS, "a.test", HV_DNS_A);
	put_opt(&question, 1232, 0, cookie, sizeof(cookie));
	guest_ask(&w, &question);
	begin_message(&question, 2, QUERY_FLAGS, "a.test", HV_DNS_A);
	put_opt(&question, 1232, 0, NULL, 0);
	guest_ask(&w, &question);
	resolver_question(&w, &asked);
	begin_answer(&answer, "a.test", HV_DNS_A);
	put_address(&answer, HV_DNS_ANSWER, "a.test", 300, "192.0.2.1");
	put_opt(&answer, 1232, 0, cookie, sizeof(cookie));
	resolver_answer(&w, &asked, &answer);
	guest_answer(&w, &got);
	assert_int_equal(got.size, answer.size);
	guest_answer(&w, &got);
	assert_int_equal(got.size, answer.size - sizeof(cookie));
	guest_ask(&w, &question);
	guest_answer(&w, &got);
	assert_int_equal(got.size, answer.size - sizeof(cookie));
}

/* An answer that one has room for may be too much for another. */
static void too_long_for_another(void **state)
{
	(void)state;
	begin_message(&question, 1, QUERY_FLAGS, "a.test", HV_DNS_A);
	put_opt(&question, 4096, 0, NULL, 0);
	guest_ask(&w, &question);
	resolver_question(&w, &asked);
	begin_answer(&answer, "a.test", HV_DNS_A);
	for (unsigned i = 0; i < 50; i++)
		put_address(&answer, HV_DNS_ANSWER, "a.test", 300, "192.0.2.1");
	put_opt(&answer, 4096, 0, NULL, 0);
	resolver_answer(&w, &asked, &answer);
	guest_answer(&w, &got);
	assert_int_equal(got.size, answer.size);

	w.told[0] = '\0';
	begin_message(&question, 2, QUERY_FLAGS, "a.test", HV_DNS_A);
	put_opt(&question, 600, 0, NULL, 0);
	guest_ask(&w, &question);
	guest_answer(&w, &got);
	assert_int_equal(got.size, question.size);
	assert_true(got.bytes[2] & HV_DNS_FLAG_TC);
	assert_int_equal(hv_dns_get16(got.bytes + 6), 0);
	assert_string_equal(w.told, ""); /* the guest was told no address either */
}

static void truncated_goes_through(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		ask(1, "a.test", HV_DNS_A);
		resolver_question(&w, &asked); /* each time: it is not kept */
		begin_answer(&answer, "a.test", HV_DNS_A);
		answer.bytes[2] |= HV_DNS_FLAG_TC;
		resolver_answer(&w, &asked, &answer);
		guest_answer(&w, &got);
		assert_true(got.bytes[2] & HV_DNS_FLAG_TC);
	}
}

static void forged_answers_are_not_taken(void **state)
{
	(void)state;
	ask(1, "a.test", HV_DNS_A);
	resolver_question(&w, &asked);
	asked.bytes[0] ^= 1; /* another identifier */
	answer_with("a.test", "192.0.2.66");
	asked.bytes[0] ^= 1;
	answer_with("b.test", "192.0.2.66");
	dns_world_settle(&w);
	assert_false(guest_has_answer(&w));
	answer_with("a.test", "192.0.2.1");
	guest_answer(&w, &got);
	assert_string_equal(w.told, "a.test 192.0.2.1 300\n");
}

/* --- failures ---------------------------------------------------------------------------- */

static void failure_is_passed_on_and_not_kept(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		ask(1, "a.test", HV_DNS_A);
		ask(2, "a.test", HV_DNS_A);
		resolver_question(&w, &asked);
		begin_answer(&answer, "a.test", HV_DNS_A);
		answer.bytes[3] |= HV_DNS_SERVFAIL;
		resolver_answer(&w, &asked, &answer);
		for (uint16_t id = 1; id <= 2; id++) {
			guest_answer(&w, &got);
			assert_int_equal(hv_dns_id(got.bytes), id);
			assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_SERVFAIL);
		}
	}
	assert_int_equal(w.gateway->dns->cache.table.count, 0);
}

/* Nothing listens at the resolver's address: the host is told, and so is the guest, with EDNS as it asked. */
static void nobody_answers(void **state)
{
	(void)state;
	close(w.resolver_udp);
	begin_message(&question, 7, QUERY_FLAGS, "a.test", HV_DNS_A);
	put_opt(&question, 1232, 0, NULL, 0);
	guest_ask(&w, &question);
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_id(got.bytes), 7);
	assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_SERVFAIL);
	assert_int_equal(got.size, question.size);
	w.resolver_udp = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* --- resolvers change -------------------------------------------------------------------- */

static void other_resolvers_know_nothing_yet(void **state)
{
	struct hv_dns *dns = w.gateway->dns;
	char path[] = "/tmp/hv-resolv-XXXXXX";
	uint16_t port = dns_world_port(&w);
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	ask(1, "a.test", HV_DNS_A);
	resolver_question(&w, &asked);
	answer_with("a.test", "192.0.2.1");
	guest_answer(&w, &got);
	ask(2, "b.test", HV_DNS_A);
	resolver_question(&w, &asked);
	assert_int_equal(dns->cache.table.count, 1);

	dns->conf.path = path;
	hv_dns_refresh(dns);
	dns_world_resolver(&w, port);
	assert_int_equal(dns->cache.table.count, 0);
	/* The old one's answer is given to who asked it, and not kept; who asks now does not wait for it. */
	answer_with("b.test", "192.0.2.1");
	ask(3, "b.test", HV_DNS_A);
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_id(got.bytes), 2);
	assert_int_equal(dns->cache.table.count, 0);
	resolver_question(&w, &asked);
	answer_with("b.test", "192.0.2.2");
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_id(got.bytes), 3);
	assert_int_equal(dns->cache.table.count, 1);
	close(fd);
	unlink(path);
}

/* --- names of haven's own; policy --------------------------------------------------------- */

static void own_names_stay_here(void **state)
{
	(void)state;
	ask(1, "host.haven", HV_DNS_A);
	guest_answer(&w, &got);
	ask(2, "DB.test", HV_DNS_A);
	guest_answer(&w, &got);
	assert_string_equal(w.told, "host.haven 10.0.2.4 60\ndb.test 192.0.2.7 60\n");
	ask(3, "db.test", HV_DNS_AAAA);
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_NOERROR);
	ask(4, "x.haven", HV_DNS_A);
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_NXDOMAIN);
	assert_false(resolver_is_asked(&w));
}

static void expect_refused(void)
{
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_REFUSED);
	assert_false(resolver_is_asked(&w));
}

static void only_what_is_wanted_leaves(void **state)
{
	static const char *const unwanted[] = {
		"b.test", "x.a.test", "test", "", "1.2.0.192.in-addr.arpa", "a.test\\"};

	(void)state;
	w.wanted = "a.test";
	for (unsigned i = 0; i < TEST_COUNT(unwanted); i++) {
		ask(1, unwanted[i], HV_DNS_A);
		expect_refused();
	}
	begin_message(&question, 1, QUERY_FLAGS, "b.test", HV_DNS_A);
	put_opt(&question, 1232, 0, NULL, 0);
	guest_ask(&w, &question);
	expect_refused();
	/* RFC 8914 section 4.16 */
	assert_memory_equal(got.bytes + got.size - 6, "\0\17\0\2\0\17", 6);
	begin_message(&question, 1, 0x2800, "a.test", HV_DNS_SOA); /* UPDATE */
	guest_ask(&w, &question);
	expect_refused();
	begin_message(&question, 1, QUERY_FLAGS, "a.test", 16);
	question.bytes[question.size - 1] = 3; /* class CHAOS */
	guest_ask(&w, &question);
	expect_refused();
	/* haven's own names are not the policy's. */
	ask(1, "host.haven", HV_DNS_A);
	guest_answer(&w, &got);
	assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_NOERROR);
}

static void what_is_wanted_leaves(void **state)
{
	(void)state;
	w.wanted = "a.test";
	ask(1, "A.Test", HV_DNS_A);
	resolver_question(&w, &asked);
	ask(2, "_8443._https.a.test", HV_DNS_HTTPS);
	resolver_question(&w, &asked);
	w.wanted = "1.2.0.192.in-addr.arpa";
	ask(3, "1.2.0.192.in-addr.arpa", 12);
	resolver_question(&w, &asked);
	assert_false(guest_has_answer(&w));
}

/* What was kept before the policy was there is not given either. */
static void what_is_kept_is_refused_too(void **state)
{
	(void)state;
	ask(1, "b.test", HV_DNS_A);
	resolver_question(&w, &asked);
	answer_with("b.test", "192.0.2.1");
	guest_answer(&w, &got);
	w.wanted = "a.test";
	ask(2, "b.test", HV_DNS_A);
	expect_refused();
}

static void what_is_no_question_is_dropped(void **state)
{
	(void)state;
	begin_answer(&question, "a.test", HV_DNS_A); /* an answer */
	guest_ask(&w, &question);
	question.size = 11;
	guest_ask(&w, &question);
	begin_message(&question, 1, QUERY_FLAGS, "a.test", HV_DNS_A);
	put_opt(&question, 1232, 0, answer.bytes, HV_DNS_QUESTION_MAX); /* too long */
	guest_ask(&w, &question);
	assert_false(resolver_is_asked(&w));
	assert_false(guest_has_answer(&w));
	assert_int_equal(dns_flows(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(asked_once_then_kept),
		CASE(what_is_left_is_told),
		CASE(equal_questions_wait_together),
		CASE(so_many_wait_together),
		CASE(other_questions_do_not),
		CASE(limit_of_questions),
		CASE(cookies_stay_with_their_own),
		CASE(too_long_for_another),
		CASE(truncated_goes_through),
		CASE(forged_answers_are_not_taken),
		CASE(failure_is_passed_on_and_not_kept),
		CASE(nobody_answers),
		CASE(other_resolvers_know_nothing_yet),
		CASE(own_names_stay_here),
		CASE(only_what_is_wanted_leaves),
		CASE(what_is_wanted_leaves),
		CASE(what_is_kept_is_refused_too),
		CASE(what_is_no_question_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
