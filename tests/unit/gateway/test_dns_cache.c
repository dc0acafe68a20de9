/* Answers that are kept: which, for how long, and what becomes of them meanwhile. */
#include <stdio.h>
#include <string.h>

#include "dns_build.h"
#include "gateway/dns_cache.h"

#define SECOND UINT64_C(1000000000)

static struct hv_dns_cache cache;
static struct build b, q;
static uint8_t out[HV_DNS_MESSAGE_MAX];
static uint64_t now_ns;

static int set_up(void **state)
{
	(void)state;
	now_ns = 1000 * SECOND;
	hv_dns_cache_init(&cache);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hv_dns_cache_finish(&cache);
	assert_int_equal(cache.bytes, 0);
	return 0;
}

static struct hv_dns_question question_of(const char *name, uint16_t type)
{
	struct hv_dns_question question;

	begin_message(&q, 0x5678, 0x0100, name, type);
	assert_true(hv_dns_question_parse(&question, q.bytes, q.size));
	assert_true(question.shareable);
	return question;
}

/* The answer that is being built, to this question. */
static bool put(const char *name, uint16_t type)
{
	struct hv_dns_question question = question_of(name, type);

	return hv_dns_cache_put(&cache, &question.key, b.bytes, b.size, now_ns);
}

static size_t get(const char *name, uint16_t type)
{
	struct hv_dns_question question = question_of(name, type);

	return hv_dns_cache_get(&cache, &question, now_ns, out);
}

/* The TTL of the n-th record of what was got. */
static uint32_t ttl_of(size_t size, unsigned n)
{
	struct hv_dns_reader reader;
	struct hv_dns_record record = {0};

	assert_true(hv_dns_read_begin(&reader, out, size));
	for (unsigned i = 0; i <= n; i++)
		assert_true(hv_dns_read_next(&reader, &record));
	return hv_dns_get32(out + record.ttl_at);
}

static void kept_until_its_time_is_over(void **state)
{
	size_t size;

	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 300, "192.0.2.1");
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.2");
	put_opt(&b, 1232, 0x8000, NULL, 0);
	assert_int_equal(get("a.test", HV_DNS_A), 0);
	assert_true(put("a.test", HV_DNS_A));
	size = get("a.test", HV_DNS_A);
	assert_int_equal(size, b.size);
	assert_int_equal(hv_dns_id(out), 0x5678);
	assert_memory_equal(out + 2, b.bytes + 2, b.size - 2);
	now_ns += 59 * SECOND + 999999999;
	size = get("a.test", HV_DNS_A);
	assert_int_equal(ttl_of(size, 0), 241);
	assert_int_equal(ttl_of(size, 1), 1);
	assert_int_equal(ttl_of(size, 2), 0x8000); /* of an OPT record it is no time */
	now_ns += 1;
	assert_int_equal(get("a.test", HV_DNS_A), 0);
	assert_int_equal(cache.bytes, 0);
}

static void spelling_is_the_asker_s(void **state)
{
	size_t size;

	(void)state;
	begin_answer(&b, "A.tesT", HV_DNS_A);
	count_record(&b, HV_DNS_ANSWER);
	put_pointer(&b, HV_DNS_HEADER_SIZE);
	put16(&b, HV_DNS_A);
	put16(&b, HV_DNS_CLASS_IN);
	put32(&b, 60);
	put16(&b, 4);
	put32(&b, 0xc0000201);
	assert_true(put("a.test", HV_DNS_A));
	size = get("a.TEst", HV_DNS_A);
	assert_int_equal(size, b.size);
	assert_memory_equal(out + HV_DNS_HEADER_SIZE, "\1a\4TEst", 8);
}

static void what_is_not_kept(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
	assert_true(put("a.test", HV_DNS_A));
	b.bytes[2] |= HV_DNS_FLAG_TC;
	assert_false(put("a.test", HV_DNS_A));
	/* What was known before is not known any longer. */
	assert_int_equal(get("a.test", HV_DNS_A), 0);
	b.bytes[2] &= (uint8_t) ~(HV_DNS_FLAG_TC | HV_DNS_FLAG_QR);
	assert_false(put("a.test", HV_DNS_A));
	b.bytes[2] |= HV_DNS_FLAG_QR;
	for (unsigned rcode = 1; rcode < 16; rcode++) {
		b.bytes[3] = (uint8_t)(0x80 | rcode);
		assert_false(put("a.test", HV_DNS_A)); /* of NXDOMAIN: without SOA */
	}
	b.bytes[3] = 0x80;
	assert_false(put("b.test", HV_DNS_A)); /* of another name */
	assert_false(put("a.test", HV_DNS_AAAA));
	put8(&b, 0);
	b.bytes[11] = 1; /* a record that is not there */
	assert_false(put("a.test", HV_DNS_A));
}

static void no_time_is_none(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
	put_address(&b, HV_DNS_ADDITIONAL, "b.test", 0, "192.0.2.1");
	assert_false(put("a.test", HV_DNS_A));
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 0xffffffff, "192.0.2.1");
	assert_false(put("a.test", HV_DNS_A));
}

static void not_for_more_than_a_day(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 604800, "192.0.2.1");
	assert_true(put("a.test", HV_DNS_A));
	now_ns += 86399 * SECOND;
	assert_int_equal(ttl_of(get("a.test", HV_DNS_A), 0), 604800 - 86399);
	now_ns += SECOND;
	assert_int_equal(get("a.test", HV_DNS_A), 0);
}

static void extended_rcodes_are_not_kept(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
	put_opt(&b, 1232, 0x01000000, NULL, 0);
	assert_false(put("a.test", HV_DNS_A));
}

/* --- negative (RFC 2308) ------------------------------------------------------------------ */

static void negative_by_the_soa(void **state)
{
	size_t size;

	(void)state;
	for (unsigned rcode = HV_DNS_NOERROR; rcode <= HV_DNS_NXDOMAIN;
	     rcode += HV_DNS_NXDOMAIN) {
		begin_answer(&b, "a.test", HV_DNS_A);
		b.bytes[3] |= (uint8_t)rcode;
		assert_false(put("a.test", HV_DNS_A)); /* section 5: not without SOA */
		put_soa(&b, "test", 900, 30);
		assert_true(put("a.test", HV_DNS_A));
		now_ns += 29 * SECOND;
		size = get("a.test", HV_DNS_A);
		assert_int_equal(hv_dns_rcode(out), rcode);
		assert_int_equal(ttl_of(size, 0), 1);
		now_ns += SECOND;
		assert_int_equal(get("a.test", HV_DNS_A), 0);
	}
}

static void negative_by_the_soa_s_own_time(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_soa(&b, "test", 20, 3600);
	assert_true(put("a.test", HV_DNS_A));
	now_ns += 20 * SECOND;
	assert_int_equal(get("a.test", HV_DNS_A), 0);
	begin_answer(&b, "a.test", HV_DNS_A);
	put_soa(&b, "test", 3600, 0);
	assert_false(put("a.test", HV_DNS_A));
}

static void negative_for_three_hours_at_most(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_soa(&b, "test", 86400, 86400);
	assert_true(put("a.test", HV_DNS_A));
	now_ns += 10799 * SECOND;
	assert_int_equal(ttl_of(get("a.test", HV_DNS_A), 0), 1);
	now_ns += SECOND;
	assert_int_equal(get("a.test", HV_DNS_A), 0);
}

/* A chain that ends in nothing is negative; its records have times, too. */
static void chain_without_end(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_cname(&b, HV_DNS_ANSWER, "a.test", 10, "b.test");
	assert_false(put("a.test", HV_DNS_A));
	put_soa(&b, "test", 900, 900);
	assert_true(put("a.test", HV_DNS_A));
	now_ns += 10 * SECOND;
	assert_int_equal(get("a.test", HV_DNS_A), 0);
	/* Asked for a CNAME, it is the answer. */
	begin_answer(&b, "a.test", HV_DNS_CNAME);
	put_cname(&b, HV_DNS_ANSWER, "a.test", 10, "b.test");
	assert_true(put("a.test", HV_DNS_CNAME));
}

/* "Ask there": no answer at all, though it has records. */
static void referrals_are_not_kept(void **state)
{
	size_t at;

	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	at = begin_record(&b, HV_DNS_AUTHORITY, "test", 2, 3600);
	put_name(&b, "ns.test");
	end_record(&b, at);
	put_address(&b, HV_DNS_ADDITIONAL, "ns.test", 3600, "192.0.2.1");
	assert_false(put("a.test", HV_DNS_A));
}

/* --- limits ------------------------------------------------------------------------------ */

static void keep_number(unsigned i)
{
	char name[32];

	snprintf(name, sizeof(name), "n%u.test", i);
	begin_answer(&b, name, HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, name, 60, "192.0.2.1");
	assert_true(put(name, HV_DNS_A));
}

static void oldest_goes_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HV_DNS_CACHE_ENTRIES; i++)
		keep_number(i);
	assert_true(get("n0.test", HV_DNS_A) > 0); /* used: n1 is the oldest now */
	keep_number(HV_DNS_CACHE_ENTRIES);
	assert_int_equal(cache.table.count, HV_DNS_CACHE_ENTRIES);
	assert_true(get("n0.test", HV_DNS_A) > 0);
	assert_int_equal(get("n1.test", HV_DNS_A), 0);
	assert_true(get("n2.test", HV_DNS_A) > 0);
}

static void large_answers_count_by_their_bytes(void **state)
{
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		size_t at;

		snprintf(name, sizeof(name), "n%u.test", i);
		begin_answer(&b, name, 16);
		at = begin_record(&b, HV_DNS_ANSWER, name, 16, 60);
		b.size += 60000;
		end_record(&b, at);
		assert_true(put(name, 16));
		assert_true(cache.bytes <= HV_DNS_CACHE_BYTES);
	}
	assert_in_range(cache.table.count, HV_DNS_CACHE_BYTES / 61000,
			HV_DNS_CACHE_BYTES / 60000);
	assert_true(get("n99.test", 16) > 0);
	hv_dns_cache_clear(&cache);
	assert_int_equal(cache.bytes, 0);
	assert_int_equal(get("n99.test", 16), 0);
}

static void another_answer_takes_its_place(void **state)
{
	(void)state;
	keep_number(1);
	now_ns += 50 * SECOND;
	keep_number(1);
	assert_int_equal(cache.table.count, 1);
	now_ns += 50 * SECOND;
	assert_int_equal(ttl_of(get("n1.test", HV_DNS_A), 0), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(kept_until_its_time_is_over),
		CASE(spelling_is_the_asker_s),
		CASE(what_is_not_kept),
		CASE(no_time_is_none),
		CASE(not_for_more_than_a_day),
		CASE(extended_rcodes_are_not_kept),
		CASE(negative_by_the_soa),
		CASE(negative_by_the_soa_s_own_time),
		CASE(negative_for_three_hours_at_most),
		CASE(chain_without_end),
		CASE(referrals_are_not_kept),
		CASE(oldest_goes_first),
		CASE(large_answers_count_by_their_bytes),
		CASE(another_answer_takes_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
