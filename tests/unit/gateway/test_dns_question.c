/* What a question asks, which questions are one, and what the gateway answers by itself. */
#include "dns_build.h"
#include "gateway/dns_question.h"

#define QUERY_FLAGS 0x0100 /* RD */
#define DO_BIT	    0x8000

static struct build b;
static struct hv_dns_question question;

static void ask(const char *name, uint16_t type, uint16_t flags)
{
	begin_message(&b, 0x1234, flags, name, type);
}

static const struct hv_dns_question *parse(void)
{
	assert_true(hv_dns_question_parse(&question, b.bytes, b.size));
	return &question;
}

static void plain_question(void **state)
{
	(void)state;
	ask("WWW.Example.org", HV_DNS_A, QUERY_FLAGS);
	parse();
	assert_string_equal(question.name, "www.example.org");
	assert_int_equal(question.type, HV_DNS_A);
	assert_int_equal(question.class, HV_DNS_CLASS_IN);
	assert_int_equal(question.end, b.size);
	assert_int_equal(question.udp_size, 512);
	assert_false(question.edns);
	assert_true(question.shareable);
	for (size_t size = 0; size < b.size; size++)
		assert_false(hv_dns_question_parse(&question, b.bytes, size));
}

static void edns_is_read(void **state)
{
	(void)state;
	ask("a.test", HV_DNS_A, QUERY_FLAGS);
	put_opt(&b, 1232, DO_BIT, NULL, 0);
	parse();
	assert_true(question.edns && question.dnssec_ok && question.shareable);
	assert_int_equal(question.udp_size, 1232);
	ask("a.test", HV_DNS_A, QUERY_FLAGS);
	put_opt(&b, 100, 0, NULL, 0); /* RFC 6891 section 6.2.3: as 512 */
	parse();
	assert_true(question.edns && !question.dnssec_ok);
	assert_int_equal(question.udp_size, 512);
}

/* Each of these changes what an answer is. */
static void keys_differ(void **state)
{
	static const struct {
		const char *name;
		uint16_t type, flags;
		bool edns;
		uint32_t extended;
	} cases[] = {
		{"a.test", HV_DNS_A, QUERY_FLAGS, false, 0},
		{"b.test", HV_DNS_A, QUERY_FLAGS, false, 0},
		{"a.test", HV_DNS_AAAA, QUERY_FLAGS, false, 0},
		{"a.test", HV_DNS_A, 0, false, 0},
		{"a.test", HV_DNS_A, QUERY_FLAGS | HV_DNS_FLAG_AD, false, 0},
		{"a.test", HV_DNS_A, QUERY_FLAGS | HV_DNS_FLAG_CD, false, 0},
		{"a.test", HV_DNS_A, QUERY_FLAGS, true, 0},
		{"a.test", HV_DNS_A, QUERY_FLAGS, true, DO_BIT},
		{"a.test", 65, QUERY_FLAGS, false, 0},
		{"a.test", 97, QUERY_FLAGS, false, 0}, /* 65 as a small letter */
	};
	struct hv_dns_key keys[TEST_COUNT(cases)];

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		ask(cases[i].name, cases[i].type, cases[i].flags);
		if (cases[i].edns)
			put_opt(&b, 1232, cases[i].extended, NULL, 0);
		keys[i] = parse()->key;
		assert_true(question.shareable);
		for (unsigned j = 0; j < i; j++)
			assert_false(keys[i].size == keys[j].size &&
				     memcmp(keys[i].bytes, keys[j].bytes, keys[i].size) == 0);
	}
}

static void keys_of_one_name(void **state)
{
	struct hv_dns_key first;

	(void)state;
	ask("A.test", HV_DNS_A, QUERY_FLAGS);
	put_opt(&b, 1232, 0, NULL, 0);
	first = parse()->key;
	ask("a.TEST", HV_DNS_A, QUERY_FLAGS);
	b.bytes[0] ^= 0xff;
	put_opt(&b, 4096, 0, "\0\12\0\10cookie!!", 12);
	parse();
	assert_int_equal(question.key.size, first.size);
	assert_memory_equal(question.key.bytes, first.bytes, first.size);
}

static void expect_not_shareable(void)
{
	assert_false(parse()->shareable);
}

static void answers_made_for_one(void **state)
{
	(void)state;
	ask("a.test", HV_DNS_A, 0x2900); /* UPDATE */
	expect_not_shareable();
	ask("a.test", HV_DNS_A, QUERY_FLAGS | 0x40); /* a bit that means nothing yet */
	expect_not_shareable();
	ask("a.test", HV_DNS_A, QUERY_FLAGS | 0x0200); /* TC */
	expect_not_shareable();
	ask("a.test", HV_DNS_ANY, QUERY_FLAGS);
	expect_not_shareable();
	ask("a.test", HV_DNS_OPT, QUERY_FLAGS);
	expect_not_shareable();
	ask("a.test", HV_DNS_A, QUERY_FLAGS);
	b.bytes[b.size - 1] = 3; /* class CHAOS */
	expect_not_shareable();
	ask("a.test", HV_DNS_A, QUERY_FLAGS);
	put8(&b, 0); /* a byte behind the end */
	expect_not_shareable();
	ask("a.test", HV_DNS_A, QUERY_FLAGS);
	put_address(&b, HV_DNS_ADDITIONAL, "a.test", 60, "192.0.2.1");
	expect_not_shareable();
}

static void options_made_for_one(void **state)
{
	static const struct {
		uint32_t extended;
		const char *options;
		size_t size;
	} cases[] = {
		{0, "\0\10\0\4\0\1\0\0", 8},	       /* client subnet (RFC 7871) */
		{0, "\0\3\0\0", 4},		       /* NSID */
		{0, "\0\12\0\10cookie!!\0\3\0\0", 16}, /* behind one that does not matter */
		{0, "\0\12\0\10cookie", 10},	       /* longer than it is */
		{0, "\0\12", 2},
		{0x00010000, NULL, 0}, /* version 1 */
		{0x01000000, NULL, 0}, /* an rcode */
		{0x4000, NULL, 0},     /* a flag that means nothing yet */
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		ask("a.test", HV_DNS_A, QUERY_FLAGS);
		put_opt(&b, 1232, cases[i].extended, cases[i].options, cases[i].size);
		expect_not_shareable();
		assert_true(question.edns);
	}
	ask("a.test", HV_DNS_A, QUERY_FLAGS);
	put_opt(&b, 1232, 0, NULL, 0);
	put_opt(&b, 1232, 0, NULL, 0);
	expect_not_shareable();
}

static void top_is_found(void **state)
{
	(void)state;
	ask("a.HAVEN", HV_DNS_A, QUERY_FLAGS);
	assert_true(hv_dns_question_is_below(parse(), "haven"));
	ask("haven", HV_DNS_A, QUERY_FLAGS);
	assert_true(hv_dns_question_is_below(parse(), "haven"));
	ask("haven.test", HV_DNS_A, QUERY_FLAGS);
	assert_false(hv_dns_question_is_below(parse(), "haven"));
	ask("xhaven", HV_DNS_A, QUERY_FLAGS);
	assert_false(hv_dns_question_is_below(parse(), "haven"));
	ask("", HV_DNS_A, QUERY_FLAGS);
	assert_false(hv_dns_question_is_below(parse(), "haven"));
}

/* --- answers for others ------------------------------------------------------------------ */

static void cookies_are_taken_out(void **state)
{
	static const uint8_t options[] =
		"\0\12\0\10cookie!!" /* cookie */
		"\0\17\0\4\0\17no"   /* extended error */
		"\0\14\0\3\0\0";     /* padding, with the zero at the end */
	size_t before;

	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
	before = b.size;
	put_opt(&b, 1232, 0, options, sizeof(options));
	assert_int_equal(hv_dns_make_shareable(b.bytes, b.size), before + 11 + 8);
	assert_int_equal(hv_dns_get16(b.bytes + before + 9), 8);
	assert_memory_equal(b.bytes + before + 11, "\0\17\0\4\0\17no", 8);
}

static void plain_answers_stay(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
	assert_int_equal(hv_dns_make_shareable(b.bytes, b.size), b.size);
	put_opt(&b, 1232, 0, NULL, 0);
	put_address(&b, HV_DNS_ADDITIONAL, "b.test", 60, "192.0.2.1");
	assert_int_equal(hv_dns_make_shareable(b.bytes, b.size), b.size);
	/* What stands behind the message is nobody's. */
	put32(&b, 0);
	assert_int_equal(hv_dns_make_shareable(b.bytes, b.size), b.size - 4);
	assert_int_equal(hv_dns_make_shareable(b.bytes, b.size - 5), 0);
}

static void not_for_others(void **state)
{
	size_t at;

	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	at = begin_record(&b, HV_DNS_ADDITIONAL, "key.test", 250, 0); /* TSIG */
	end_record(&b, at);
	assert_int_equal(hv_dns_make_shareable(b.bytes, b.size), 0);
	begin_answer(&b, "a.test", HV_DNS_A);
	put_opt(&b, 1232, 0, "\0\12\0\0", 4);
	put_address(&b, HV_DNS_ADDITIONAL, "b.test", 60, "192.0.2.1");
	assert_int_equal(hv_dns_make_shareable(b.bytes, b.size), 0);
	begin_answer(&b, "a.test", HV_DNS_A);
	put_opt(&b, 1232, 0, "\0\12\0\1", 4);
	assert_int_equal(hv_dns_make_shareable(b.bytes, b.size), 0);
}

/* --- own answers ------------------------------------------------------------------------- */

static void empty_answers(void **state)
{
	uint8_t out[HV_DNS_MESSAGE_MAX];
	size_t size;

	(void)state;
	ask("a.Test", HV_DNS_A, QUERY_FLAGS | HV_DNS_FLAG_CD | HV_DNS_FLAG_AD);
	size = hv_dns_write_empty(out, parse(), HV_DNS_SERVFAIL, HV_DNS_ERROR_NONE);
	assert_int_equal(size, question.end);
	assert_true(hv_dns_answers(out, size, b.bytes, question.end));
	assert_int_equal(hv_dns_get16(out + 2), 0x8190 | HV_DNS_SERVFAIL); /* QR, RD, RA, CD */
	put_opt(&b, 1232, DO_BIT, "\0\12\0\10cookie!!", 12);
	size = hv_dns_write_empty(out, parse(), HV_DNS_REFUSED, HV_DNS_ERROR_BLOCKED);
	assert_int_equal(size, question.end + 11 + 6);
	assert_int_equal(hv_dns_get16(out + 10), 1);
	/* Root, OPT, size, DO; EXTENDED-ERROR of two bytes: Blocked (RFC 8914 section 4.16). */
	assert_memory_equal(out + question.end, "\0\0\51\4\320\0\0\200\0\0\6\0\17\0\2\0\17",
			    17);
	size = hv_dns_write_truncated(out, parse(), HV_DNS_NOERROR);
	assert_int_equal(size, question.end + 11);
	assert_true(out[2] & HV_DNS_FLAG_TC);
}

static void records_until_it_is_full(void **state)
{
	static uint8_t out[HV_DNS_MESSAGE_MAX];
	struct hv_dns_writer writer = {.out = out};
	struct hv_dns_reader reader;
	struct hv_dns_record record;
	unsigned count = 0;

	(void)state;
	ask("a.test", HV_DNS_A, QUERY_FLAGS);
	put_opt(&b, 1232, 0, NULL, 0);
	hv_dns_write_begin(&writer, parse(), HV_DNS_NOERROR);
	while (hv_dns_write_record(&writer, HV_DNS_A, 60, "\1\2\3\4", 4))
		count++;
	assert_true(hv_dns_write_end(&writer, &question, HV_DNS_ERROR_BLOCKED) <= sizeof(out));
	assert_true(writer.size > sizeof(out) - 16);
	assert_true(hv_dns_read_begin(&reader, out, writer.size));
	while (hv_dns_read_next(&reader, &record)) {
		if (record.section == HV_DNS_ANSWER) {
			assert_string_equal(record.name, "a.test");
			count--;
		}
	}
	assert_false(reader.broken);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_question),
		cmocka_unit_test(edns_is_read),
		cmocka_unit_test(keys_differ),
		cmocka_unit_test(keys_of_one_name),
		cmocka_unit_test(answers_made_for_one),
		cmocka_unit_test(options_made_for_one),
		cmocka_unit_test(top_is_found),
		cmocka_unit_test(cookies_are_taken_out),
		cmocka_unit_test(plain_answers_stay),
		cmocka_unit_test(not_for_others),
		cmocka_unit_test(empty_answers),
		cmocka_unit_test(records_until_it_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
