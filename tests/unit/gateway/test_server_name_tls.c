/* Server names in ClientHellos: what the message says, how records carry it, and what follows. */
#include <string.h>

#include "names_fixture.h"

static struct names_bytes hello, second, stream;

#define NO_HOST_NAME "the server_name of the ClientHello is no host name"
#define MALFORMED    "the server_name of the ClientHello is malformed"
#define NO_HELLO     "TLS begins without a ClientHello"

/* Starts the stream with `hello` in one record. */
static void begin(void)
{
	stream.size = 0;
	names_put_records(&stream, &hello, 16384);
}

static void begin_hex(const char *hex)
{
	stream.size = 0;
	names_put_hex(&stream, hex);
}

static void put_hex_record(unsigned type, const char *hex)
{
	static struct names_bytes body;

	body.size = 0;
	names_put_hex(&body, hex);
	names_put_record(&stream, type, body.data, body.size);
}

static void expect_fault(const char *fault)
{
	names_expect_fault(stream.data, stream.size, fault);
}

/* --- what a ClientHello says ---------------------------------------------------------------- */

static void names_are_read(void **state)
{
	static const char *const names[][2] = {
		{"www.example.com", "www.example.com"},
		{"WWW.Example.COM", "www.example.com"},
		{"example.com.", "example.com"},
		{"_a-1.b_", "_a-1.b_"},
		{"x", "x"},
		{"192.0.2.1", "192.0.2.1"}, /* forbidden by RFC 6066, and said all the same */
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(names); i++) {
		names_make_hello(&hello, names[i][0], "0010 0003 000101 ff01 0001 00");
		begin();
		names_expect(stream.data, stream.size, "name %s %zu %zu\nheld 0\n", names[i][1],
			     stream.size, stream.size);
	}
}

static void longest_name(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[253] = '\0';
	names_make_hello(&hello, name, "");
	begin();
	names_expect(stream.data, stream.size, "name %s %zu %zu\nheld 0\n", name, stream.size,
		     stream.size);
	name[253] = 'a';
	name[254] = '\0';
	names_make_hello(&hello, name, "");
	begin();
	expect_fault(NO_HOST_NAME);
}

/* A server that stops at a NUL, a space or a colon would see another name than one that does not. */
static void odd_server_names(void **state)
{
	static const char *const bodies[][2] = {
		{"0003 00 0000", NO_HOST_NAME},
		{"0004 00 0001 2e", NO_HOST_NAME},	 /* . */
		{"0006 00 0003 612e2e", NO_HOST_NAME},	 /* a.. */
		{"0006 00 0003 2e6162", NO_HOST_NAME},	 /* .ab */
		{"0007 00 0004 612e2e62", NO_HOST_NAME}, /* a..b */
		{"0006 00 0003 612062", NO_HOST_NAME},	 /* "a b" */
		{"0006 00 0003 610061", NO_HOST_NAME},	 /* NUL */
		{"0006 00 0003 616200", NO_HOST_NAME},	 /* NUL at the end */
		{"0006 00 0003 612f62", NO_HOST_NAME},	 /* a/b */
		{"0006 00 0003 613a31", NO_HOST_NAME},	 /* a:1 */
		{"0006 00 0003 2a2e61", NO_HOST_NAME},	 /* *.a */
		{"0006 00 0003 61c3a4", NO_HOST_NAME},	 /* not ASCII */
		{"0006 00 0003 61407a", NO_HOST_NAME},	 /* a@z */
		{"", MALFORMED},
		{"0000", MALFORMED},
		{"0004 00 0002 61", MALFORMED},	   /* the name is longer than the list */
		{"0005 00 0001 61", MALFORMED},	   /* the list is longer than the extension */
		{"0004 00 0001 61 00", MALFORMED}, /* and shorter */
		{"0004 01 0001 61", "the server_name of the ClientHello is not one host name"},
		{"0008 00 0001 61 00 0001 62",
		 "the server_name of the ClientHello is not one host name"},
		{"0005 00 0001 61 00",
		 "the server_name of the ClientHello is not one host name"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(bodies); i++) {
		names_make_odd_hello(&hello, bodies[i][0]);
		begin();
		expect_fault(bodies[i][1]);
	}
}

static void two_server_names(void **state)
{
	(void)state;
	names_make_hello(&hello, "good.test", "0000 0006 0004 00 0001 62");
	begin();
	expect_fault("the ClientHello has two server_name extensions");
}

static void no_server_name(void **state)
{
	(void)state;
	names_make_hello(&hello, NULL, NAMES_TLS13);
	begin();
	names_expect(stream.data, stream.size, "missing %zu %zu\nheld 0\n", stream.size,
		     stream.size);
	names_make_hello(&hello, NULL, "");
	begin();
	names_expect(stream.data, stream.size, "missing %zu %zu\nheld 0\n", stream.size,
		     stream.size);
	hello.size -= 2; /* no extensions at all: RFC 5246 section 7.4.1.2 */
	names_end_vector(&hello, 3, 4);
	begin();
	names_expect(stream.data, stream.size, "missing %zu %zu\nheld 0\n", stream.size,
		     stream.size);
}

static void hidden_name(void **state)
{
	(void)state;
	names_make_hello(&hello, "outer.test", "fe0d 0002 0000");
	begin();
	names_expect(stream.data, stream.size, "hidden outer.test %zu %zu\nheld 0\n",
		     stream.size, stream.size);
	names_make_hello(&hello, NULL, "ffce 0002 0000");
	begin();
	names_expect(stream.data, stream.size, "hidden %zu %zu\nheld 0\n", stream.size,
		     stream.size);
	/* What is faulty besides is no matter of taste. */
	names_make_hello(&hello, "a b", "fe0d 0000");
	begin();
	expect_fault(NO_HOST_NAME);
}

#define FIELD  "the ClientHello has a field of a length that it cannot have"
#define NO_END "the extensions of the ClientHello do not end with it"

/* One byte of the message is another: 4 version, 40 ciphers, 43 compression, 46 extensions, 50 server_name. */
static void lengths_that_do_not_fit(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *fault;
	} cases[] = {
		{4, 2, "the ClientHello is of no known version of TLS"},
		{38, 33, "the ClientHello ends too early"},
		{40, 0, FIELD},
		{40, 3, FIELD},
		{40, 200, "the ClientHello ends too early"},
		{43, 0, FIELD},
		{46, 17, NO_END},
		{46, 19, NO_END},
		{50, 13, MALFORMED},
		{50, 15, "an extension of the ClientHello is cut off"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		names_make_hello(&hello, "good.test", "");
		hello.data[cases[i].at] = cases[i].value;
		begin();
		expect_fault(cases[i].fault);
	}
}

static void session_id_that_is_too_long(void **state)
{
	(void)state;
	hello.size = 0;
	names_put_hex(&hello, "01 000000 0303");
	for (unsigned i = 0; i < 32; i++)
		names_put_number(&hello, 1, i);
	names_put_number(&hello, 1, 33);
	for (unsigned i = 0; i < 33; i++)
		names_put_number(&hello, 1, i);
	names_put_hex(&hello, "0002 1301 01 00");
	names_end_vector(&hello, 3, 4);
	begin();
	expect_fault(FIELD);
}

/* --- how records carry it ------------------------------------------------------------------- */

static void records_of_any_size(void **state)
{
	(void)state;
	names_make_hello(&hello, "good.test", NAMES_TLS13);
	for (size_t each = 1; each <= hello.size; each++) {
		stream.size = 0;
		names_put_records(&stream, &hello, each);
		names_expect(stream.data, stream.size, "name good.test %zu %zu\nheld 0\n",
			     stream.size, stream.size);
	}
}

/* Everything is held until the name is known. */
static void part_is_held(void **state)
{
	(void)state;
	names_make_hello(&hello, "good.test", NAMES_TLS13);
	begin();
	for (size_t size = 0; size < stream.size; size++)
		names_expect(stream.data, size, "held %zu\n", size);
}

/* As large as it may be, with an extension of padding (RFC 7685). */
static void make_hello_of_size(size_t size)
{
	size_t before;

	names_make_hello(&hello, "good.test", "0015 0000");
	before = hello.size;
	while (hello.size < size)
		names_put_number(&hello, 1, 0);
	names_end_vector(&hello, 2, before);
	names_end_vector(&hello, 2, 47);
	names_end_vector(&hello, 3, 4);
}

static void largest_hello(void **state)
{
	(void)state;
	make_hello_of_size(65535 + 4);
	begin();
	assert_true(stream.size > 65535 + 4 + 4 * 5);
	names_expect(stream.data, stream.size, "name good.test %zu %zu\nheld 0\n", stream.size,
		     stream.size);
}

/* Said when its length is known: nobody waits for the bytes. */
static void hello_that_is_too_large(void **state)
{
	(void)state;
	begin_hex("16 0301 4000 01 010000");
	names_expect(stream.data, stream.size, "unreadable 9 9\nheld 0\n");
	expect_fault("the ClientHello is longer than 65535 bytes");
}

/* Six bytes for each of the message: what is held ends before the message does. */
static void many_small_records(void **state)
{
	(void)state;
	make_hello_of_size(11900);
	stream.size = 0;
	names_put_records(&stream, &hello, 1);
	names_expect(stream.data, stream.size, "name good.test %zu %zu\nheld 0\n", stream.size,
		     stream.size);
	make_hello_of_size(12000);
	stream.size = 0;
	names_put_records(&stream, &hello, 1);
	names_expect(stream.data, 71677, "unreadable 71677 71677\nheld 0\n");
	expect_fault("the ClientHello is too long, or in too many records");
}

static void faulty_records(void **state)
{
	static const char *const cases[][2] = {
		{"16 0301 0000", "a record of the ClientHello is empty"},
		{"16 0301 4801", "a record is longer than TLS allows"},
		{"16 0301 0001 02", NO_HELLO},
		{"16 0301 0001 00", NO_HELLO},
		{"16 0301 0002 0100 15", "a record stands in the midst of the ClientHello"},
		{"16 0301 0002 0100 14", "a record stands in the midst of the ClientHello"},
		{"16 0301 0002 0100 17", "a record stands in the midst of the ClientHello"},
		{"16 0301 0002 0100 16 02", "a record is of no known version of TLS"},
		{"16 0301 0002 0100 16 0303 0000", "a record of the ClientHello is empty"},
		{"16 0301 0005 01000000", "something follows the ClientHello in its record"},
		{"16 0301 0004 01000001 16 0301 0002",
		 "something follows the ClientHello in its record"},
		{"16 0301 0004 01000000", "the ClientHello ends too early"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		begin_hex(cases[i][0]);
		names_expect(stream.data, stream.size, "unreadable %zu %zu\nheld 0\n",
			     stream.size, stream.size);
		expect_fault(cases[i][1]);
	}
}

/* --- attacks on the first bytes ------------------------------------------------------------- */

/* OpenSSL and Go pass over warnings before the ClientHello. */
static void alert_before_the_hello(void **state)
{
	(void)state;
	begin_hex("15 0301 0002 01 5a");
	expect_fault(NO_HELLO);
	begin_hex("15 0101 0002 01 5a");
	expect_fault("TLS begins with an alert");
}

static void other_records_before_the_hello(void **state)
{
	static const char *const cases[] = {"14 0303 0001 01", "17 0303 0000", "18 0303 0003"};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		begin_hex(cases[i]);
		expect_fault(NO_HELLO);
	}
}

/* Go takes any version below 16.0 in the first record, Java any from 3.0 on. */
static void version_that_is_none(void **state)
{
	static const char *const cases[] = {"16 0101 0030 01", "16 0001 0030 01",
					    "16 7f00 0030 01", "16 fe01 0001 01"};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		begin_hex(cases[i]);
		expect_fault("TLS begins with an unknown version");
	}
	begin_hex("16 0100 0000 01"); /* a message of MongoDB */
	names_expect_done(stream.data, stream.size, 5);
	begin_hex("16 0100 0030 02");
	names_expect_done(stream.data, stream.size, 6);
	begin_hex("15 0100 0003 02");
	names_expect_done(stream.data, stream.size, 5);
	begin_hex("14 0100 0001 01");
	names_expect_done(stream.data, stream.size, 2);
}

/* OpenSSL still takes them, for up to all that it has room for. */
static void hello_of_ssl2(void **state)
{
	static const char *const hellos[] = {"80 2e 01 03 01", "80 09 01 03 03",
					     "c8 00 01 03 01"};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(hellos); i++) {
		begin_hex(hellos[i]);
		names_expect(stream.data, 4, "missing 4 4\nheld 0\n");
		names_expect(stream.data, 5, "missing 4 4\ndone\nheld 0\n");
	}
	begin_hex("80 2e 01 00 02");
	names_expect(stream.data, 5, "missing 5 5\nheld 0\n");
}

static void what_is_not_ssl2(void **state)
{
	static const struct {
		const char *hex;
		size_t decided;
	} cases[] = {
		{"80 08 01 03", 2},    {"c8 01 01 03", 2},    {"80 2e 02 03", 3},
		{"80 2e 01 02 01", 4}, {"80 2e 01 00 01", 5}, {"c9 2e 01 03", 1},
		{"ff fb 01 03", 1}, /* telnet: IAC WILL ECHO */
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		begin_hex(cases[i].hex);
		names_expect_done(stream.data, stream.size, cases[i].decided);
	}
}

/* --- after the ClientHello ------------------------------------------------------------------ */

/* A stream that begins with a ClientHello of TLS 1.3 or before it, with more extensions. */
static size_t begin_watch(const char *extensions)
{
	names_make_hello(&hello, "good.test", extensions);
	begin();
	return stream.size;
}

static void handshake_goes_on(void **state)
{
	size_t n = begin_watch("");

	(void)state;
	put_hex_record(22, "10 000001 00"); /* ClientKeyExchange */
	names_expect(stream.data, stream.size, "name good.test %zu %zu\ndone\nheld 0\n", n, n);
	begin_watch("");
	put_hex_record(22, "0b"); /* Certificate */
	names_expect(stream.data, stream.size, "name good.test %zu %zu\ndone\nheld 0\n", n, n);
	n = begin_watch(NAMES_TLS13);
	put_hex_record(20, "01");
	put_hex_record(23, "aabb");
	names_expect(stream.data, stream.size, "name good.test %zu %zu\ndone\nheld 0\n", n, n);
}

/* Without TLS 1.3 no server asks again: all is encrypted from here on. */
static void encryption_begins(void **state)
{
	size_t n = begin_watch("");

	(void)state;
	names_put_hex(&stream, "14");
	names_expect(stream.data, stream.size, "name good.test %zu %zu\ndone\nheld 0\n", n, n);
}

/* A session of TLS 1.2 is resumed: what seems to be a ClientHello is the Finished. */
static void encrypted_message_that_looks_like_a_hello(void **state)
{
	size_t n = begin_watch(NAMES_TLS13);

	(void)state;
	put_hex_record(20, "01");
	put_hex_record(22, "01 020200 0102030405060708");
	names_expect(stream.data, stream.size, "name good.test %zu %zu\ndone\nheld 0\n", n, n);
	begin_watch(NAMES_TLS13);
	put_hex_record(22, "01 0201ff 0102030405060708");
	names_expect(stream.data, stream.size, "name good.test %zu %zu\nheld 17\n", n, n);
	put_hex_record(23, "00");
	names_expect(stream.data, stream.size, "name good.test %zu %zu\ndone\nheld 0\n", n, n);
}

static void second_hello_says_another_name(void **state)
{
	size_t n = begin_watch(NAMES_TLS13), held;

	(void)state;
	names_make_hello(&second, "evil.test", NAMES_TLS13);
	put_hex_record(20, "01");
	put_hex_record(21, "01 5a"); /* user_canceled */
	held = stream.size;
	names_put_records(&stream, &second, 30);
	held = stream.size - held;
	names_expect(stream.data, stream.size,
		     "name good.test %zu %zu\nname evil.test %zu %zu\nheld 0\n", n, n,
		     stream.size, held);
	names_expect(stream.data, stream.size - 1, "name good.test %zu %zu\nheld %zu\n", n, n,
		     held - 1);
	put_hex_record(23, "00");
	names_expect(stream.data, stream.size,
		     "name good.test %zu %zu\nname evil.test %zu %zu\ndone\nheld 0\n", n, n,
		     stream.size - 6, held);
}

/* The first one may have been let go for another reason than its name. */
static void second_hello_after_none_or_a_hidden_name(void **state)
{
	size_t n;

	(void)state;
	names_make_hello(&second, "evil.test", NAMES_TLS13);
	names_make_hello(&hello, NULL, NAMES_TLS13);
	begin();
	n = stream.size;
	names_put_records(&stream, &second, 16384);
	names_expect(stream.data, stream.size,
		     "missing %zu %zu\nname evil.test %zu %zu\nheld 0\n", n, n, stream.size,
		     stream.size - n);
	n = begin_watch("fe0d 0000 " NAMES_TLS13);
	names_put_records(&stream, &second, 16384);
	names_expect(stream.data, stream.size,
		     "hidden good.test %zu %zu\nname evil.test %zu %zu\nheld 0\n", n, n,
		     stream.size, stream.size - n);
}

static void faulty_second_hello(void **state)
{
	static const char *const cases[][2] = {
		{"16 0303 0000", "a record of the ClientHello is empty"},
		{"16 0303 0001 01 14", "a record stands in the midst of the ClientHello"},
		{"16 0303 0005 01 000000", "something follows the ClientHello in its record"},
		{"16 0203 0005", "a record is of no known version of TLS"},
		{"14 0203 0005", "a record is of no known version of TLS"},
		{"14 0303 4801", "a record is longer than TLS allows"},
		{"19", "no record of TLS follows the ClientHello"},
		{"47", "no record of TLS follows the ClientHello"},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		begin_watch(NAMES_TLS13);
		names_put_hex(&stream, cases[i][0]);
		expect_fault(cases[i][1]);
	}
}

/* OpenSSL would take it. */
static void second_hello_that_is_too_large(void **state)
{
	static uint8_t data[16384] = {1, 1, 0x80, 0};
	size_t n = begin_watch(NAMES_TLS13);

	(void)state;
	for (unsigned i = 0; i < 5; i++, data[0] = 0)
		names_put_record(&stream, 22, data, sizeof(data));
	names_expect(stream.data, stream.size,
		     "name good.test %zu %zu\nunreadable %zu %d\ndone\nheld 0\n", n, n,
		     n + 4 * 16389 + 5, 4 * 16389 + 5);
	expect_fault("the ClientHello is too long, or in too many records");
}

/* A client that sent data at once (0-RTT) may still be asked for a second ClientHello. */
static void second_hello_after_early_data(void **state)
{
	static uint8_t data[16384];
	size_t n = begin_watch("002a 0000 " NAMES_TLS13);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		names_put_record(&stream, 23, data, sizeof(data));
	names_make_hello(&second, "evil.test", NAMES_TLS13);
	names_put_records(&stream, &second, 16384);
	names_expect(stream.data, stream.size,
		     "name good.test %zu %zu\nname evil.test %zu %zu\nheld 0\n", n, n,
		     stream.size, second.size + 5);
	stream.size -= second.size + 5;
	put_hex_record(23, "00"); /* more than a server skips */
	names_expect(stream.data, stream.size, "name good.test %zu %zu\ndone\nheld 0\n", n, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read),
		cmocka_unit_test(longest_name),
		cmocka_unit_test(odd_server_names),
		cmocka_unit_test(two_server_names),
		cmocka_unit_test(no_server_name),
		cmocka_unit_test(hidden_name),
		cmocka_unit_test(lengths_that_do_not_fit),
		cmocka_unit_test(session_id_that_is_too_long),
		cmocka_unit_test(records_of_any_size),
		cmocka_unit_test(part_is_held),
		cmocka_unit_test(largest_hello),
		cmocka_unit_test(hello_that_is_too_large),
		cmocka_unit_test(many_small_records),
		cmocka_unit_test(faulty_records),
		cmocka_unit_test(alert_before_the_hello),
		cmocka_unit_test(other_records_before_the_hello),
		cmocka_unit_test(version_that_is_none),
		cmocka_unit_test(hello_of_ssl2),
		cmocka_unit_test(what_is_not_ssl2),
		cmocka_unit_test(handshake_goes_on),
		cmocka_unit_test(encryption_begins),
		cmocka_unit_test(encrypted_message_that_looks_like_a_hello),
		cmocka_unit_test(second_hello_says_another_name),
		cmocka_unit_test(second_hello_after_none_or_a_hidden_name),
		cmocka_unit_test(faulty_second_hello),
		cmocka_unit_test(second_hello_that_is_too_large),
		cmocka_unit_test(second_hello_after_early_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
