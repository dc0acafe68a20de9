/* DNS over TCP: the guest's connection ends in haven, the resolver's begins there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_world.h"

#define QUERY_FLAGS 0x0100 /* RD */
#define TXT	    16

static struct dns_world w;
static struct build question, asked, answer, got;
static struct haven_socket *guest;

static int set_up(void **state)
{
	(void)state;
	dns_world_init(&w, NULL, 0);
	guest = guest_connect(&w);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_world_finish(&w);
	return 0;
}

static void ask(uint16_t id, const char *name)
{
	begin_message(&question, id, QUERY_FLAGS, name, HV_DNS_A);
	guest_ask_tcp(&w, guest, &question);
}

static void answer_with(int fd, const struct build *to, const char *name)
{
	begin_answer(&answer, name, HV_DNS_A);
	put_address(&answer, HV_DNS_ANSWER, name, 300, "192.0.2.1");
	resolver_answer_tcp(&w, fd, to, &answer);
}

static unsigned connections(void)
{
	return w.gateway->dns->client_count;
}

static void one_question(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(w.gateway->flows.count[HV_FLOW_TCP_OUT], 1);
	ask(0x1111, "a.Test");
	fd = resolver_accept(&w);
	resolver_question_tcp(&w, fd, &asked);
	assert_int_equal(asked.size, question.size);
	assert_memory_equal(asked.bytes + 2, question.bytes + 2, question.size - 2);
	answer_with(fd, &asked, "a.Test");
	guest_answer_tcp(&w, guest, &got);
	assert_int_equal(hv_dns_id(got.bytes), 0x1111);
	assert_int_equal(got.size, answer.size);
	assert_string_equal(w.told, "a.test 192.0.2.1 300\n");
	/* From now on it is known, over UDP, too. */
	ask(0x2222, "A.test");
	guest_answer_tcp(&w, guest, &got);
	assert_int_equal(hv_dns_id(got.bytes), 0x2222);
	begin_message(&question, 0x3333, QUERY_FLAGS, "a.test", HV_DNS_A);
	guest_ask(&w, &question);
	guest_answer(&w, &got);
	assert_int_equal(got.size, answer.size);
	assert_false(resolver_is_asked(&w));
	close(fd);
}

/* RFC 7766: all questions at once on one connection to the resolver, which answers in the order it likes. */
static void many_at_once_in_any_order(void **state)
{
	enum { COUNT = 10 };
	static struct build questions[COUNT];
	char name[COUNT][16];
	bool seen[COUNT] = {false};
	int fd;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name[i], sizeof(name[i]), "n%u.test", i);
		ask((uint16_t)i, name[i]);
	}
	fd = resolver_accept(&w);
	for (unsigned i = 0; i < COUNT; i++)
		resolver_question_tcp(&w, fd, &questions[i]);
	for (unsigned i = COUNT; i-- > 0;)
		answer_with(fd, &questions[i], name[i]);
	for (unsigned i = 0; i < COUNT; i++) {
		uint16_t id;

		guest_answer_tcp(&w, guest, &got);
		id = hv_dns_id(got.bytes);
		assert_true(id < COUNT && !seen[id]);
		seen[id] = true;
		assert_int_equal(got.bytes[14], '0' + id);
	}
	assert_int_equal(accept(w.resolver_listener, NULL, NULL), -1); /* one did for all */
	close(fd);
}

static void equal_questions_wait_together(void **state)
{
	struct haven_socket *other = guest_connect(&w);
	int fd;

	(void)state;
	ask(1, "a.test");
	ask(2, "A.test");
	guest_ask_tcp(&w, other, &question);
	fd = resolver_accept(&w);
	resolver_question_tcp(&w, fd, &asked);
	/* Over UDP an answer may be truncated: that one is another. */
	begin_message(&question, 9, QUERY_FLAGS, "a.test", HV_DNS_A);
	guest_ask(&w, &question);
	resolver_question(&w, &question);
	dns_world_settle(&w);
	assert_int_equal(recv(fd, got.bytes, 1, MSG_DONTWAIT), -1);
	assert_int_equal(w.gateway->dns->tcp_waiting, 3);
	answer_with(fd, &asked, "a.test");
	for (uint16_t id = 1; id <= 2; id++) {
		guest_answer_tcp(&w, guest, &got);
		assert_int_equal(hv_dns_id(got.bytes), id);
	}
	guest_answer_tcp(&w, other, &got);
	assert_int_equal(got.bytes[13], 'A');
	assert_int_equal(w.gateway->dns->tcp_waiting, 0);
	haven_close(other);
	close(fd);
}

static void byte_by_byte(void **state)
{
	uint8_t prefix[2];

	(void)state;
	begin_message(&question, 5, QUERY_FLAGS, "host.haven", HV_DNS_A);
	hv_dns_put16(prefix, (uint16_t)question.size);
	guest_send(&w, guest, prefix, 1);
	guest_send(&w, guest, prefix + 1, 1);
	for (size_t i = 0; i < question.size; i++)
		guest_send(&w, guest, question.bytes + i, 1);
	guest_answer_tcp(&w, guest, &got);
	assert_int_equal(hv_dns_id(got.bytes), 5);
	assert_string_equal(w.told, "host.haven 10.0.2.4 60\n");
}

static void largest_answer(void **state)
{
	size_t at;
	int fd;

	(void)state;
	begin_message(&question, 1, QUERY_FLAGS, "large.test", TXT);
	guest_ask_tcp(&w, guest, &question);
	fd = resolver_accept(&w);
	resolver_question_tcp(&w, fd, &asked);
	begin_answer(&answer, "large.test", TXT);
	at = begin_record(&answer, HV_DNS_ANSWER, "large.test", TXT, 300);
	while (answer.size < HV_DNS_MESSAGE_MAX)
		put8(&answer, (unsigned)answer.size);
	end_record(&answer, at);
	resolver_answer_tcp(&w, fd, &asked, &answer);
	guest_answer_tcp(&w, guest, &got);
	assert_int_equal(got.size, HV_DNS_MESSAGE_MAX);
	assert_memory_equal(got.bytes + 2, answer.bytes + 2, answer.size - 2);
	close(fd);
}

/* --- ends -------------------------------------------------------------------------------- */

static void guest_ends_first(void **state)
{
	int fd;

	(void)state;
	ask(1, "a.test");
	assert_int_equal(haven_shutdown(guest, SHUT_WR), 0);
	fd = resolver_accept(&w);
	resolver_question_tcp(&w, fd, &asked);
	dns_world_settle(&w);
	assert_int_equal(connections(), 1); /* it waits for its answer */
	answer_with(fd, &asked, "a.test");
	guest_answer_tcp(&w, guest, &got);
	assert_int_equal(guest_end(&w, guest), 0);
	assert_int_equal(connections(), 0);
	assert_int_equal(w.gateway->flows.total, 0);
	close(fd);
}

static void guest_goes_away(void **state)
{
	int fd;

	(void)state;
	ask(1, "a.test");
	ask(2, "b.test");
	fd = resolver_accept(&w);
	resolver_question_tcp(&w, fd, &asked);
	haven_abort(guest);
	dns_world_settle(&w);
	assert_int_equal(connections(), 0);
	assert_int_equal(w.gateway->dns->tcp_waiting, 0);
	assert_true(LIST_EMPTY(&w.gateway->dns->queries));
	answer_with(fd, &asked, "a.test"); /* for nobody */
	dns_world_settle(&w);
	close(fd);
}

static void no_question_no_connection(void **state)
{
	static const uint8_t empty[] = {0, 0}, large[] = {0xff, 0xff, 1, 2, 3};

	(void)state;
	begin_answer(&question, "a.test", HV_DNS_A); /* an answer */
	guest_ask_tcp(&w, guest, &question);
	assert_int_equal(guest_end(&w, guest), -ECONNRESET);
	guest = guest_connect(&w);
	guest_send(&w, guest, empty, sizeof(empty));
	assert_int_equal(guest_end(&w, guest), -ECONNRESET);
	guest = guest_connect(&w);
	guest_send(&w, guest, large, sizeof(large));
	assert_int_equal(guest_end(&w, guest), -ECONNRESET);
	assert_int_equal(connections(), 0);
}

static void transfers_are_not_implemented(void **state)
{
	(void)state;
	begin_message(&question, 1, 0, "test", HV_DNS_AXFR);
	guest_ask_tcp(&w, guest, &question);
	guest_answer_tcp(&w, guest, &got);
	assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_NOTIMP);
}

/* --- resolvers --------------------------------------------------------------------------- */

static void resolver_without_tcp(void **state)
{
	(void)state;
	close(w.resolver_listener);
	ask(1, "a.test");
	guest_answer_tcp(&w, guest, &got);
	assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_SERVFAIL);
	w.resolver_listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* RFC 7766 section 6.2.4: what it had not answered is asked on another connection. */
static void resolver_closes_after_each_answer(void **state)
{
	(void)state;
	ask(0, "n0.test");
	ask(1, "n1.test");
	ask(2, "n2.test");
	for (unsigned i = 0; i < 3; i++) {
		int fd = resolver_accept(&w);

		resolver_question_tcp(&w, fd, &asked);
		asked.bytes[asked.size] = '\0';
		answer_with(fd, &asked,
			    asked.bytes[14] == '0'   ? "n0.test"
			    : asked.bytes[14] == '1' ? "n1.test"
						     : "n2.test");
		guest_answer_tcp(&w, guest, &got);
		assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_NOERROR);
		close(fd);
	}
}

/* One that never answers is not asked for ever. */
static void resolver_closes_without_answer(void **state)
{
	(void)state;
	ask(1, "a.test");
	for (unsigned i = 0; i < 2; i++)
		close(resolver_accept(&w));
	guest_answer_tcp(&w, guest, &got);
	assert_int_equal(hv_dns_rcode(got.bytes), HV_DNS_SERVFAIL);
}

static void answers_in_pieces(void **state)
{
	uint8_t framed[1024];
	int fd;

	(void)state;
	ask(1, "a.test");
	fd = resolver_accept(&w);
	resolver_question_tcp(&w, fd, &asked);
	begin_answer(&answer, "x.test", HV_DNS_A); /* to nobody's question, first */
	hv_dns_put16(framed, (uint16_t)answer.size);
	memcpy(framed + 2, answer.bytes, answer.size);
	assert_int_equal(send(fd, framed, 2 + answer.size, MSG_NOSIGNAL), 2 + answer.size);
	begin_answer(&answer, "a.test", HV_DNS_A);
	hv_dns_set_id(answer.bytes, hv_dns_id(asked.bytes));
	hv_dns_put16(framed, (uint16_t)answer.size);
	memcpy(framed + 2, answer.bytes, answer.size);
	for (size_t i = 0; i < 2 + answer.size; i++) {
		assert_int_equal(send(fd, framed + i, 1, MSG_NOSIGNAL), 1);
		dns_world_turn(&w);
	}
	guest_answer_tcp(&w, guest, &got);
	assert_int_equal(got.size, answer.size);
	close(fd);
}

/* --- limits ------------------------------------------------------------------------------ */

static bool sixty_four_wait(void *ctx)
{
	return ((struct dns_world *)ctx)->gateway->dns->tcp_waiting == 64;
}

/* A guest that only asks: what waits is bounded, and goes on when there are answers. */
static void so_many_wait(void **state)
{
	enum { COUNT = 200 };
	static struct build questions[COUNT];
	char name[16];
	unsigned answered = 0;
	int fd;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		ask((uint16_t)i, name);
	}
	dns_world_run(&w, sixty_four_wait, &w);
	dns_world_settle(&w);
	assert_true(sixty_four_wait(&w));
	fd = resolver_accept(&w);
	while (answered < COUNT) {
		resolver_question_tcp(&w, fd, &questions[answered]);
		snprintf(name, sizeof(name), "n%u.test", answered);
		answer_with(fd, &questions[answered], name);
		guest_answer_tcp(&w, guest, &got);
		assert_int_equal(hv_dns_id(got.bytes), answered);
		answered++;
	}
	close(fd);
}

/* A guest that does not read: it is not read from, and costs no more than what the stack holds. */
static void guest_does_not_read(void **state)
{
	size_t at;
	int fd;

	(void)state;
	begin_message(&question, 1, QUERY_FLAGS, "large.test", TXT);
	guest_ask_tcp(&w, guest, &question);
	fd = resolver_accept(&w);
	resolver_question_tcp(&w, fd, &asked);
	begin_answer(&answer, "large.test", TXT);
	at = begin_record(&answer, HV_DNS_ANSWER, "large.test", TXT, 300);
	answer.size += 60000;
	end_record(&answer, at);
	resolver_answer_tcp(&w, fd, &asked, &answer);
	for (unsigned i = 0; i < 2000; i++)
		guest_ask_tcp(&w, guest, &question);
	dns_world_settle(&w);
	assert_in_range(w.gateway->dns->unsent_bytes, 1, 2 + answer.size);
	/* Now it reads. */
	for (unsigned i = 0; i < 2001; i++) {
		guest_answer_tcp(&w, guest, &got);
		assert_int_equal(got.size, answer.size);
	}
	assert_int_equal(w.gateway->dns->unsent_bytes, 0);
	close(fd);
}

static void idle_ones_make_room(void **state)
{
	enum { COUNT = 260 };
	struct haven_socket *sockets[COUNT];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		sockets[i] = guest_connect(&w);
	dns_world_settle(&w);
	assert_int_equal(connections(), 256);
	assert_int_equal(guest_end(&w, guest), 0); /* the oldest */
	for (unsigned i = 0; i < COUNT; i++)
		haven_close(sockets[i]);
	dns_world_settle(&w);
	assert_int_equal(connections(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(one_question),
		CASE(many_at_once_in_any_order),
		CASE(equal_questions_wait_together),
		CASE(byte_by_byte),
		CASE(largest_answer),
		CASE(guest_ends_first),
		CASE(guest_goes_away),
		CASE(no_question_no_connection),
		CASE(transfers_are_not_implemented),
		CASE(resolver_without_tcp),
		CASE(resolver_closes_after_each_answer),
		CASE(resolver_closes_without_answer),
		CASE(answers_in_pieces),
		CASE(so_many_wait),
		CASE(guest_does_not_read),
		CASE(idle_ones_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
