/* Which addresses an answer gives to which names. */
#include <stdio.h>
#include <stdlib.h>

#include "dns_build.h"
#include "gateway/address.h"
#include "gateway/dns_answer.h"

/* What was told, one "name address ttl" a line. */
static char told[1 << 20];
static unsigned told_count;

static void tell(void *user, const char *name, const uint8_t address[16], uint32_t ttl_s)
{
	char text[HV_ENDPOINT_TEXT];
	size_t length = strlen(told);

	(void)user;
	told_count++;
	snprintf(told + length, sizeof(told) - length, "%s %s %u\n", name,
		 hv_address_text(address, text), ttl_s);
}

/* From memory of just this size, so that a sanitizer sees what is read behind it. */
static unsigned read_bytes(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	unsigned addresses;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	told[0] = '\0';
	told_count = 0;
	addresses = hv_dns_answer_read(copy, size, tell, NULL);
	free(copy);
	return addresses;
}

static const char *read_answer(const struct build *b)
{
	read_bytes(b->bytes, b->size);
	return told;
}

static struct build b;

static void addresses_of_the_question(void **state)
{
	(void)state;
	begin_answer(&b, "WWW.Example.org", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "www.example.ORG", 300, "192.0.2.1");
	put_address(&b, HV_DNS_ANSWER, "www.example.org", 200, "192.0.2.2");
	put_address(&b, HV_DNS_ANSWER, "www.example.org", 100, "2001:db8::1");
	assert_string_equal(read_answer(&b), "www.example.org 192.0.2.1 300\n"
					     "www.example.org 192.0.2.2 200\n"
					     "www.example.org 2001:db8::1 100\n");
}

static void chain_in_any_order(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "c.test", 300, "192.0.2.1");
	put_cname(&b, HV_DNS_ANSWER, "b.test", 20, "C.test");
	put_cname(&b, HV_DNS_ANSWER, "a.test", 60, "b.test");
	put_address(&b, HV_DNS_ANSWER, "c.test", 10, "192.0.2.2");
	/* For each name on the way, with the shortest time of all. */
	assert_string_equal(read_answer(&b),
			    "c.test 192.0.2.1 20\nb.test 192.0.2.1 20\na.test 192.0.2.1 20\n"
			    "c.test 192.0.2.2 10\nb.test 192.0.2.2 10\na.test 192.0.2.2 10\n");
}

static void other_names_say_nothing(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_cname(&b, HV_DNS_ANSWER, "a.test", 60, "b.test");
	put_address(&b, HV_DNS_ANSWER, "bank.test", 300, "192.0.2.66");
	put_address(&b, HV_DNS_ANSWER, "b.test", 300, "192.0.2.1");
	put_address(&b, HV_DNS_AUTHORITY, "b.test", 300, "192.0.2.67");
	put_address(&b, HV_DNS_ADDITIONAL, "a.test", 300, "192.0.2.68");
	put_address(&b, HV_DNS_ADDITIONAL, "bank.test", 300, "192.0.2.69");
	put_cname(&b, HV_DNS_ADDITIONAL, "b.test", 300, "bank.test");
	assert_string_equal(read_answer(&b), "b.test 192.0.2.1 60\na.test 192.0.2.1 60\n");
}

static void dname_by_its_cname(void **state)
{
	size_t at;

	(void)state;
	begin_answer(&b, "www.old.test", HV_DNS_A);
	at = begin_record(&b, HV_DNS_ANSWER, "old.test", 39, 3600);
	put_name(&b, "new.test");
	end_record(&b, at);
	put_cname(&b, HV_DNS_ANSWER, "www.old.test", 50, "www.new.test");
	put_address(&b, HV_DNS_ANSWER, "www.new.test", 300, "192.0.2.1");
	assert_string_equal(read_answer(&b),
			    "www.new.test 192.0.2.1 50\nwww.old.test 192.0.2.1 50\n");
}

static void loops_end(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_cname(&b, HV_DNS_ANSWER, "a.test", 60, "b.test");
	put_cname(&b, HV_DNS_ANSWER, "b.test", 60, "a.test");
	put_cname(&b, HV_DNS_ANSWER, "b.test", 60, "b.test");
	put_address(&b, HV_DNS_ANSWER, "b.test", 60, "192.0.2.1");
	assert_string_equal(read_answer(&b), "b.test 192.0.2.1 60\na.test 192.0.2.1 60\n");
}

static void build_chain(unsigned length)
{
	char from[32], to[32];

	begin_answer(&b, "n0.test", HV_DNS_A);
	for (unsigned i = 0; i + 1 < length; i++) {
		snprintf(from, sizeof(from), "n%u.test", i);
		snprintf(to, sizeof(to), "n%u.test", i + 1);
		put_cname(&b, HV_DNS_ANSWER, from, 60, to);
	}
	snprintf(from, sizeof(from), "n%u.test", length - 1);
	put_address(&b, HV_DNS_ANSWER, from, 60, "192.0.2.1");
}

static void long_chains_are_cut(void **state)
{
	(void)state;
	build_chain(HV_DNS_ANSWER_NAMES);
	assert_int_equal(read_bytes(b.bytes, b.size), 1);
	assert_int_equal(told_count, HV_DNS_ANSWER_NAMES);
	build_chain(HV_DNS_ANSWER_NAMES + 1);
	assert_int_equal(read_bytes(b.bytes, b.size), 0);
}

static void many_records_are_cut(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	for (unsigned i = 0; i < HV_DNS_ANSWER_RECORDS; i++)
		put_address(&b, HV_DNS_ANSWER, i == 0 ? "a.test" : "x.test", 60, "192.0.2.1");
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.2");
	assert_string_equal(read_answer(&b), "a.test 192.0.2.1 60\n");
}

static void times_without_sense(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 0x80000001,
		    "192.0.2.1"); /* RFC 2181 section 8 */
	put_address(&b, HV_DNS_ANSWER, "a.test", 0, "192.0.2.2");
	put_address(&b, HV_DNS_ANSWER, "a.test", 0x7fffffff, "192.0.2.3");
	assert_string_equal(read_answer(&b), "a.test 192.0.2.1 0\na.test 192.0.2.2 0\n"
					     "a.test 192.0.2.3 2147483647\n");
}

/* --- what is no answer ------------------------------------------------------------------- */

static void only_answers_are_read(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
	assert_int_equal(read_bytes(b.bytes, b.size), 1);
	b.bytes[3] |= HV_DNS_NXDOMAIN;
	assert_int_equal(read_bytes(b.bytes, b.size), 0);
	b.bytes[3] &= 0xf0;
	b.bytes[2] &= (uint8_t)~HV_DNS_FLAG_QR;
	assert_int_equal(read_bytes(b.bytes, b.size), 0);
	b.bytes[2] |= HV_DNS_FLAG_QR | 0x28; /* UPDATE */
	assert_int_equal(read_bytes(b.bytes, b.size), 0);
	b.bytes[2] &= (uint8_t)~HV_DNS_MASK_OPCODE;
	b.bytes[5] = 0; /* what was the question would be a record */
	assert_int_equal(read_bytes(b.bytes, b.size), 0);
	b.bytes[5] = 1;
	b.bytes[12 + 8 + 3] = 3; /* class CHAOS */
	assert_int_equal(read_bytes(b.bytes, b.size), 0);
}

static void other_classes_and_sizes(void **state)
{
	size_t at;

	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
	b.bytes[b.size - 11] = 3; /* class */
	at = begin_record(&b, HV_DNS_ANSWER, "a.test", HV_DNS_A, 60);
	put32(&b, 1);
	put8(&b, 1);
	end_record(&b, at);
	at = begin_record(&b, HV_DNS_ANSWER, "a.test", HV_DNS_AAAA, 60);
	put32(&b, 1);
	end_record(&b, at);
	assert_string_equal(read_answer(&b), "");
}

/* Wherever it ends, what is whole counts, and nothing behind the end is touched. */
static void cut_anywhere(void **state)
{
	unsigned before = 0;

	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	b.bytes[2] |= HV_DNS_FLAG_TC;
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
	put_cname(&b, HV_DNS_ANSWER, "a.test", 60, "b.test");
	put_address(&b, HV_DNS_ANSWER, "b.test", 60, "2001:db8::1");
	for (size_t size = 0; size <= b.size; size++) {
		unsigned now = read_bytes(b.bytes, size);

		assert_true(now >= before);
		before = now;
	}
	assert_int_equal(before, 2);
}

/* --- names ------------------------------------------------------------------------------- */

static void compressed_names(void **state)
{
	size_t name_at = HV_DNS_HEADER_SIZE, target_at;

	(void)state;
	begin_answer(&b, "www.example.org", HV_DNS_A);
	count_record(&b, HV_DNS_ANSWER);
	put_pointer(&b, name_at);
	put16(&b, HV_DNS_CNAME);
	put16(&b, HV_DNS_CLASS_IN);
	put32(&b, 60);
	put16(&b, 6);
	target_at = b.size;
	put8(&b, 3);
	put_bytes(&b, "cdn", 3);
	put_pointer(&b, name_at + 4);
	count_record(&b, HV_DNS_ANSWER);
	put_pointer(&b, target_at);
	put16(&b, HV_DNS_A);
	put16(&b, HV_DNS_CLASS_IN);
	put32(&b, 60);
	put16(&b, 4);
	put32(&b, 0xc0000201);
	assert_string_equal(read_answer(&b),
			    "cdn.example.org 192.0.2.1 60\nwww.example.org 192.0.2.1 60\n");
}

/* A pointer to itself, forward, to the end, and reserved label types: nothing of it is taken. */
static void pointers_that_lead_nowhere(void **state)
{
	static const unsigned labels[] = {0xc000, 0xffff, 0x4000, 0x8000, 0};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(labels); i++) {
		begin_answer(&b, "a.test", HV_DNS_A);
		count_record(&b, HV_DNS_ANSWER);
		put16(&b, labels[i] ? labels[i] : 0xc000 | (unsigned)b.size);
		put16(&b, HV_DNS_A);
		put16(&b, HV_DNS_CLASS_IN);
		put32(&b, 60);
		put16(&b, 4);
		put32(&b, 0xc0000201);
		put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
		/* (0xc000 points to the header, which may be a name; then the rest goes on.) */
		assert_true(read_bytes(b.bytes, b.size) == (labels[i] == 0xc000));
	}
}

/* A question without compression can be cut off by a pointer; what it asks is not known then. */
static void question_that_loops(void **state)
{
	(void)state;
	begin_answer(&b, "a.test", HV_DNS_A);
	b.bytes[12] = 0xc0;
	b.bytes[13] = 12;
	put_address(&b, HV_DNS_ANSWER, "a.test", 60, "192.0.2.1");
	assert_int_equal(read_bytes(b.bytes, b.size), 0);
}

static void put_label(size_t size, const char *bytes)
{
	put8(&b, (unsigned)size);
	put_bytes(&b, bytes, size);
}

/* A message about a name of these labels, then "test". */
static void ask_for_labels(const char *const *labels, const size_t *sizes, unsigned count)
{
	size_t name_at = HV_DNS_HEADER_SIZE;

	begin_answer(&b, "", HV_DNS_A);
	b.size = name_at;
	for (unsigned i = 0; i < count; i++)
		put_label(sizes[i], labels[i]);
	put_name(&b, "test");
	put16(&b, HV_DNS_A);
	put16(&b, HV_DNS_CLASS_IN);
	count_record(&b, HV_DNS_ANSWER);
	put_pointer(&b, name_at);
	put16(&b, HV_DNS_A);
	put16(&b, HV_DNS_CLASS_IN);
	put32(&b, 60);
	put16(&b, 4);
	put32(&b, 0xc0000201);
}

/*
 * A dot, a zero, a backslash in a label: as text it could look like another name. Such names are nobody's.
 */
static void names_that_only_look_like_others(void **state)
{
	static const char *const odd[] = {"bank.example", "\0", "a\0b", "a\\b",
					  "\xc3\xa4",	  " ",	"a\"b", "."};
	static const size_t sizes[] = {12, 1, 3, 3, 2, 1, 3, 1};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(odd); i++) {
		/* In front, in the middle ("a.b" and a zero would end there), and before more labels. */
		const char *front[] = {odd[i], "b"}, *back[] = {"bank", "org", odd[i], "evil"};
		const size_t front_sizes[] = {sizes[i], 1}, back_sizes[] = {4, 3, sizes[i], 4};

		ask_for_labels(front, front_sizes, 2);
		assert_string_equal(read_answer(&b), "");
		ask_for_labels(back, back_sizes, 4);
		assert_string_equal(read_answer(&b), "");
	}
}

static void longest_name(void **state)
{
	static const char label[] =
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk";
	const char *labels[] = {label, label, label, label};
	size_t sizes[] = {63, 63, 63, 56}; /* with "test": 255 bytes, 253 as text */

	(void)state;
	ask_for_labels(labels, sizes, 4);
	assert_int_equal(read_bytes(b.bytes, b.size), 1);
	assert_int_equal(strcspn(told, " "), 253);
	sizes[3] = 57;
	ask_for_labels(labels, sizes, 4);
	assert_int_equal(read_bytes(b.bytes, b.size), 0);
}

static void root_is_no_name(void **state)
{
	(void)state;
	begin_answer(&b, "", HV_DNS_A);
	put_address(&b, HV_DNS_ANSWER, "", 60, "192.0.2.1");
	assert_string_equal(read_answer(&b), "");
	begin_answer(&b, "a.test", HV_DNS_A);
	put_cname(&b, HV_DNS_ANSWER, "a.test", 60, "");
	put_address(&b, HV_DNS_ANSWER, "", 60, "192.0.2.1");
	assert_string_equal(read_answer(&b), "");
}

/* --- HTTPS and SVCB ---------------------------------------------------------------------- */

/* priority 0: an alias. hints: IPv4 and IPv6, NULL: none. */
static void put_service(enum hv_dns_section section, const char *name, uint16_t type,
			unsigned priority, const char *target, const char *v4, const char *v6)
{
	uint8_t bytes[16];
	size_t at = begin_record(&b, section, name, type, 100);

	put16(&b, priority);
	put_name(&b, target);
	put16(&b, 1); /* alpn=h2 */
	put16(&b, 3);
	put_bytes(&b, "\2h2", 3);
	if (v4) {
		put16(&b, 4);
		put16(&b, 4);
		assert_int_equal(inet_pton(AF_INET, v4, bytes), 1);
		put_bytes(&b, bytes, 4);
	}
	if (v6) {
		put16(&b, 6);
		put16(&b, 16);
		assert_int_equal(inet_pton(AF_INET6, v6, bytes), 1);
		put_bytes(&b, bytes, 16);
	}
	end_record(&b, at);
}

static void hints_of_the_name_itself(void **state)
{
	(void)state;
	begin_answer(&b, "example.org", HV_DNS_HTTPS);
	put_service(HV_DNS_ANSWER, "example.org", HV_DNS_HTTPS, 1, ".", "192.0.2.1",
		    "2001:db8::1");
	put_address(&b, HV_DNS_ADDITIONAL, "example.org", 50, "192.0.2.2");
	put_address(&b, HV_DNS_ADDITIONAL, "other.test", 50, "192.0.2.3");
	assert_string_equal(read_answer(&b), "example.org 192.0.2.1 100\n"
					     "example.org 2001:db8::1 100\n"
					     "example.org 192.0.2.2 50\n");
}

/* Below the name it is the same zone's; elsewhere, the zone of the target was not asked. */
static void hints_of_a_target(void **state)
{
	(void)state;
	begin_answer(&b, "example.org", HV_DNS_SVCB);
	put_service(HV_DNS_ANSWER, "example.org", HV_DNS_SVCB, 1, "svc.example.org",
		    "192.0.2.1", NULL);
	put_service(HV_DNS_ANSWER, "example.org", HV_DNS_SVCB, 2, "bank.test", "192.0.2.2",
		    NULL);
	put_service(HV_DNS_ANSWER, "example.org", HV_DNS_SVCB, 3, "badexample.org", "192.0.2.3",
		    NULL);
	put_address(&b, HV_DNS_ADDITIONAL, "svc.example.org", 50, "192.0.2.4");
	put_address(&b, HV_DNS_ADDITIONAL, "bank.test", 50, "192.0.2.5");
	assert_string_equal(read_answer(&b),
			    "svc.example.org 192.0.2.1 100\nexample.org 192.0.2.1 100\n"
			    "example.org 192.0.2.2 100\n"
			    "example.org 192.0.2.3 100\n"
			    "svc.example.org 192.0.2.4 50\nexample.org 192.0.2.4 50\n"
			    "example.org 192.0.2.5 50\n");
}

static void aliases_are_followed(void **state)
{
	(void)state;
	begin_answer(&b, "example.org", HV_DNS_HTTPS);
	put_service(HV_DNS_ANSWER, "example.org", HV_DNS_HTTPS, 0, "pool.example.net", NULL,
		    NULL);
	put_service(HV_DNS_ADDITIONAL, "pool.example.net", HV_DNS_HTTPS, 1, ".", "192.0.2.1",
		    NULL);
	put_cname(&b, HV_DNS_ADDITIONAL, "pool.example.net", 70, "real.example.net");
	put_address(&b, HV_DNS_ADDITIONAL, "real.example.net", 80, "192.0.2.2");
	assert_string_equal(read_answer(&b),
			    "example.org 192.0.2.1 100\nexample.org 192.0.2.2 70\n");
	/* An alias to "." says that there is no service; its hints would not count either way. */
	begin_answer(&b, "example.org", HV_DNS_HTTPS);
	put_service(HV_DNS_ANSWER, "example.org", HV_DNS_HTTPS, 0, ".", "192.0.2.1", NULL);
	put_service(HV_DNS_ANSWER, "example.org", HV_DNS_HTTPS, 0, "a.example.org", "192.0.2.1",
		    NULL);
	assert_string_equal(read_answer(&b), "");
}

static void hints_behind_a_cname(void **state)
{
	(void)state;
	begin_answer(&b, "example.org", HV_DNS_HTTPS);
	put_cname(&b, HV_DNS_ANSWER, "example.org", 60, "cdn.test");
	put_service(HV_DNS_ANSWER, "cdn.test", HV_DNS_HTTPS, 1, "example.org", "192.0.2.1",
		    NULL);
	put_service(HV_DNS_ANSWER, "cdn.test", HV_DNS_HTTPS, 2, "x.cdn.test", NULL,
		    "2001:db8::1");
	assert_string_equal(read_answer(&b),
			    "cdn.test 192.0.2.1 60\nexample.org 192.0.2.1 60\n"
			    "x.cdn.test 2001:db8::1 60\ncdn.test 2001:db8::1 60\n"
			    "example.org 2001:db8::1 60\n");
}

static void question_for_a_port(void **state)
{
	(void)state;
	begin_answer(&b, "_8443._https.example.org", HV_DNS_HTTPS);
	put_service(HV_DNS_ANSWER, "_8443._https.example.org", HV_DNS_HTTPS, 1, ".",
		    "192.0.2.1", NULL);
	put_service(HV_DNS_ANSWER, "_8443._https.example.org", HV_DNS_HTTPS, 1, "example.org",
		    "192.0.2.2", NULL);
	assert_string_equal(read_answer(&b),
			    "example.org 192.0.2.1 100\n"
			    "example.org 192.0.2.2 100\nexample.org 192.0.2.2 100\n");
	begin_answer(&b, "_dns.example.org", HV_DNS_SVCB);
	put_service(HV_DNS_ANSWER, "_dns.example.org", HV_DNS_SVCB, 1, ".", "192.0.2.1", NULL);
	assert_string_equal(read_answer(&b), "_dns.example.org 192.0.2.1 100\n");
	begin_answer(&b, "_x._https.example.org", HV_DNS_HTTPS);
	put_service(HV_DNS_ANSWER, "_x._https.example.org", HV_DNS_HTTPS, 1, ".", "192.0.2.1",
		    NULL);
	assert_string_equal(read_answer(&b), "_x._https.example.org 192.0.2.1 100\n");
}

/* RFC 9460 section 2.2: a malformed record counts for nothing, whole hints in it neither. */
static void malformed_services(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} params[] = {
		{"\0\4\0\4\1\2\3\4\0\4\0\4\1\2\3\4", 16}, /* a key twice */
		{"\0\6\0\20\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10\0\4\0\4\1\2\3\4", 28}, /* order */
		{"\0\4\0\3\1\2\3", 7},	   /* no whole address */
		{"\0\4\0\0", 4},	   /* none at all */
		{"\0\4\0\10\1\2\3\4", 8},  /* longer than the record */
		{"\0\4\0\4\1\2\3\4\0", 9}, /* half a key behind it */
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(params); i++) {
		size_t at;

		begin_answer(&b, "a.test", HV_DNS_HTTPS);
		at = begin_record(&b, HV_DNS_ANSWER, "a.test", HV_DNS_HTTPS, 60);
		put16(&b, 1);
		put8(&b, 0);
		put_bytes(&b, params[i].bytes, params[i].size);
		end_record(&b, at);
		assert_string_equal(read_answer(&b), "");
	}
	/* A target that goes on behind the record's end. */
	begin_answer(&b, "a.test", HV_DNS_HTTPS);
	put_service(HV_DNS_ANSWER, "a.test", HV_DNS_HTTPS, 1, "target.test", "192.0.2.1", NULL);
	hv_dns_put16(b.bytes + HV_DNS_HEADER_SIZE + 8 + 4 + 8 + 8, 6);
	assert_string_equal(read_answer(&b), "");
}

static void many_hints_are_cut(void **state)
{
	size_t at;

	(void)state;
	begin_answer(&b, "a.test", HV_DNS_HTTPS);
	at = begin_record(&b, HV_DNS_ANSWER, "a.test", HV_DNS_HTTPS, 60);
	put16(&b, 1);
	put8(&b, 0);
	put16(&b, 4);
	put16(&b, 4 * 10000);
	for (unsigned i = 0; i < 10000; i++)
		put32(&b, 0x0a000000 + i);
	end_record(&b, at);
	assert_int_equal(read_bytes(b.bytes, b.size), HV_DNS_ANSWER_ADDRESSES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_the_question),
		cmocka_unit_test(chain_in_any_order),
		cmocka_unit_test(other_names_say_nothing),
		cmocka_unit_test(dname_by_its_cname),
		cmocka_unit_test(loops_end),
		cmocka_unit_test(long_chains_are_cut),
		cmocka_unit_test(many_records_are_cut),
		cmocka_unit_test(times_without_sense),
		cmocka_unit_test(only_answers_are_read),
		cmocka_unit_test(other_classes_and_sizes),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(compressed_names),
		cmocka_unit_test(pointers_that_lead_nowhere),
		cmocka_unit_test(question_that_loops),
		cmocka_unit_test(names_that_only_look_like_others),
		cmocka_unit_test(longest_name),
		cmocka_unit_test(root_is_no_name),
		cmocka_unit_test(hints_of_the_name_itself),
		cmocka_unit_test(hints_of_a_target),
		cmocka_unit_test(aliases_are_followed),
		cmocka_unit_test(hints_behind_a_cname),
		cmocka_unit_test(question_for_a_port),
		cmocka_unit_test(malformed_services),
		cmocka_unit_test(many_hints_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
