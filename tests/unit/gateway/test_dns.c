/* What the DNS forwarder reads: messages and resolv.conf. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/dns_message.h"
#include "gateway/resolv_conf.h"
#include "support/test.h"

/* id 0x1234, RD, one question: "a.Bc" type A class IN, then an OPT record begins. */
static const uint8_t query[] = {0x12, 0x34, 0x01, 0x00, 0,   1, 0, 0, 0, 0, 0, 1,
				1,    'a',  2,	  'B',	'c', 0, 0, 1, 0, 1, 0, 0};
#define QUESTION_END 22

static void query_is_found(void **state)
{
	uint8_t message[sizeof(query)];
	size_t end = 0;

	(void)state;
	assert_true(hv_dns_is_query(query, sizeof(query), &end));
	assert_int_equal(end, QUESTION_END);
	for (size_t size = 0; size < QUESTION_END; size++)
		assert_false(hv_dns_is_query(query, size, &end));
	memcpy(message, query, sizeof(query));
	message[2] |= 0x80; /* an answer */
	assert_false(hv_dns_is_query(message, sizeof(message), &end));
	memcpy(message, query, sizeof(query));
	message[5] = 2; /* two questions */
	assert_false(hv_dns_is_query(message, sizeof(message), &end));
	memcpy(message, query, sizeof(query));
	message[12] = 0xc0; /* a pointer where nothing is to point to */
	assert_false(hv_dns_is_query(message, sizeof(message), &end));
}

static void answer_must_fit(void **state)
{
	uint8_t answer[sizeof(query)];

	(void)state;
	memcpy(answer, query, sizeof(query));
	assert_false(hv_dns_answers(answer, sizeof(answer), query, QUESTION_END));
	answer[2] |= 0x80;
	assert_true(hv_dns_answers(answer, sizeof(answer), query, QUESTION_END));
	answer[15] = 'b'; /* letters of either case are one name */
	assert_true(hv_dns_answers(answer, sizeof(answer), query, QUESTION_END));
	assert_false(hv_dns_answers(answer, QUESTION_END - 1, query, QUESTION_END));
	answer[15] = 'x';
	assert_false(hv_dns_answers(answer, sizeof(answer), query, QUESTION_END));
	answer[15] = 'B';
	answer[0] ^= 1;
	assert_false(hv_dns_answers(answer, sizeof(answer), query, QUESTION_END));
}

static void answer_without_question_only_as_failure(void **state)
{
	uint8_t answer[12] = {0x12, 0x34, 0x81, 0x80};

	(void)state;
	assert_false(hv_dns_answers(answer, sizeof(answer), query, QUESTION_END));
	answer[3] |= HV_DNS_REFUSED;
	assert_true(hv_dns_answers(answer, sizeof(answer), query, QUESTION_END));
}

/* Type 65 looks like an 'A', type 97 like an 'a'. */
static void types_have_no_letters(void **state)
{
	uint8_t answer[sizeof(query)], asked[sizeof(query)];

	(void)state;
	memcpy(asked, query, sizeof(query));
	asked[QUESTION_END - 3] = 65;
	memcpy(answer, asked, sizeof(query));
	answer[2] |= 0x80;
	assert_true(hv_dns_answers(answer, sizeof(answer), asked, QUESTION_END));
	answer[QUESTION_END - 3] = 97;
	assert_false(hv_dns_answers(answer, sizeof(answer), asked, QUESTION_END));
}

static void servers_are_read(void **state)
{
	static const char text[] = "# comment\n"
				   "search example.test\n"
				   "nameserver 192.0.2.1\n"
				   "nameserver\t 2001:db8::1 \r\n"
				   " nameserver 192.0.2.9\n"
				   "nameserverx 192.0.2.9\n"
				   "nameserver example.test\n"
				   "nameserver fe80::1%lo\n"
				   "nameserver 127.0.0.53";
	struct hv_resolver servers[HV_RESOLVERS_MAX];
	const struct sockaddr_in *in = (const void *)&servers[0].address;
	const struct sockaddr_in6 *in6 = (const void *)&servers[2].address;

	(void)state;
	assert_int_equal(hv_resolv_conf_parse(text, servers), 4);
	assert_int_equal(in->sin_family, AF_INET);
	assert_int_equal(ntohl(in->sin_addr.s_addr), 0xc0000201);
	assert_int_equal(ntohs(in->sin_port), 53);
	assert_int_equal(servers[1].address.ss_family, AF_INET6);
	assert_int_equal(in6->sin6_scope_id, 1); /* lo */
}

static void many_servers_are_cut(void **state)
{
	static const char line[] = "nameserver 192.0.2.1\n";
	char text[20 * (sizeof(line) - 1) + 1] = "";
	struct hv_resolver servers[HV_RESOLVERS_MAX];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(text); i += sizeof(line) - 1)
		memcpy(text + i, line, sizeof(line));
	assert_int_equal(hv_resolv_conf_parse(text, servers), HV_RESOLVERS_MAX);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void changes_are_followed(void **state)
{
	char directory[] = "/tmp/hv-resolv-XXXXXX", path[64], other[64];
	struct hv_resolv_conf conf;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/resolv.conf", directory);
	snprintf(other, sizeof(other), "%s/new", directory);
	hv_resolv_conf_init(&conf, path);
	assert_true(hv_resolv_conf_refresh(&conf)); /* no file: 127.0.0.1 */
	assert_int_equal(conf.count, 1);
	write_file(path, "nameserver 192.0.2.1\n");
	assert_true(hv_resolv_conf_refresh(&conf));
	assert_false(hv_resolv_conf_refresh(&conf));
	write_file(other, "nameserver 192.0.2.2\nnameserver 192.0.2.3\n");
	assert_int_equal(rename(other, path), 0);
	assert_true(hv_resolv_conf_refresh(&conf));
	assert_int_equal(conf.count, 2);
	unlink(path); /* while it is away, the servers of before do */
	assert_false(hv_resolv_conf_refresh(&conf));
	assert_int_equal(conf.count, 2);
	write_file(path, "");
	assert_true(hv_resolv_conf_refresh(&conf));
	assert_int_equal(conf.count, 1);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_is_found),
		cmocka_unit_test(answer_must_fit),
		cmocka_unit_test(answer_without_question_only_as_failure),
		cmocka_unit_test(types_have_no_letters),
		cmocka_unit_test(servers_are_read),
		cmocka_unit_test(many_servers_are_cut),
		cmocka_unit_test(changes_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
