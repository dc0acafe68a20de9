/* Server names in QUIC: packets, frames, streams, and what comes after the first ClientHello. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/server_name.h"
#include "names_quic.h"
#include "names_quic_samples.h"
#include "support/test.h"

#define VERSION_2 0x6b3343cf
#define ID	  "8394c8f03e515708"
#define OTHER_ID  "0102030405060708"
#define THIRD_ID  "1112131415161718"

#define NO_KEY	       "an Initial packet of QUIC cannot be decrypted"
#define TWO_KEYS       "an Initial packet of QUIC can be decrypted in more than one way"
#define TWO_IN_ONE     "a datagram has packets of two connections of QUIC"
#define MALFORMED      "a packet of QUIC is malformed"
#define CUT_OFF	       "a frame of an Initial packet is cut off"
#define DIFFERS	       "a CRYPTO frame says something else than one before"
#define TOO_LONG       "the ClientHello is longer than what is held of QUIC"
#define FOLLOWS	       "something follows the ClientHello of QUIC"
#define NO_PLACE       "an Initial packet has a frame that has no place in it"
#define NO_HELLO       "QUIC begins without a ClientHello"
#define UNCLEAR_NUMBER "the number of an Initial packet of QUIC is not clear"

static struct names_bytes datagram, payload, hello, second;
static struct hv_quic_name_reader *reader;
static const struct names_packet plain = {.id = ID};

static int start(void **state)
{
	(void)state;
	reader = hv_quic_name_new();
	datagram.size = payload.size = 0;
	names_make_hello(&hello, "good.test", NAMES_TLS13);
	names_make_hello(&second, "evil.test", NAMES_TLS13);
	return reader ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	hv_quic_name_free(reader);
	return 0;
}

/* In a buffer of exactly its size. */
static enum hv_server_name_event feed(void)
{
	uint8_t *copy = malloc(datagram.size + 1);
	enum hv_server_name_event event;

	assert_non_null(copy);
	memcpy(copy + 1, datagram.data, datagram.size);
	event = hv_quic_name_feed(reader, copy + 1, datagram.size);
	free(copy);
	datagram.size = payload.size = 0;
	return event;
}

static void expect(enum hv_server_name_event event)
{
	assert_int_equal(feed(), event);
}

static void expect_name(const char *name)
{
	expect(HV_SERVER_NAME_NAME);
	assert_string_equal(hv_quic_name(reader), name);
}

static void expect_fault(const char *fault)
{
	enum hv_server_name_event event = feed();

	assert_int_equal(event, HV_SERVER_NAME_UNREADABLE);
	assert_string_equal(hv_quic_name_fault(reader), fault);
}

static void put_crypto(const struct names_bytes *stream, size_t offset, size_t size)
{
	names_put_crypto(&payload, offset, stream->data + offset, size);
}

/* A whole ClientHello as the first of the packet's connection, padded as clients have to. */
static void put_hello(const struct names_packet *packet, const struct names_bytes *message)
{
	names_put_crypto(&payload, 0, message->data, message->size);
	names_put_run(&payload, 0, 1200 - payload.size);
	names_put_initial(&datagram, packet, &payload);
	payload.size = 0;
}

static void put_payload_hex(const char *hex)
{
	names_put_hex(&payload, hex);
	names_put_initial(&datagram, &plain, &payload);
	payload.size = 0;
}

/* --- the standards' own packets ------------------------------------------------------------- */

static void samples_are_read(void **state)
{
	(void)state;
	names_put_hex(&datagram, quic_sample_v1);
	assert_true(hv_quic_is_initial(datagram.data, datagram.size));
	expect_name("example.com");
	stop(NULL);
	start(NULL);
	names_put_hex(&datagram, quic_sample_v2);
	assert_true(hv_quic_is_initial(datagram.data, datagram.size));
	expect_name("example.com");
}

/* What the tests make is what the standards have. */
static void samples_are_made(void **state)
{
	static struct names_bytes expected;

	(void)state;
	for (unsigned version = 1; version <= 2; version++) {
		struct names_packet packet = {.id = ID, .number = 2, .number_size = 4};

		packet.version = version == 1 ? 1 : VERSION_2;
		expected.size = datagram.size = payload.size = 0;
		names_put_hex(&expected, version == 1 ? quic_sample_v1 : quic_sample_v2);
		names_put_hex(&payload, quic_sample_frame);
		names_put_run(&payload, 0, 1162 - payload.size);
		names_put_initial(&datagram, &packet, &payload);
		assert_int_equal(datagram.size, expected.size);
		assert_memory_equal(datagram.data, expected.data, expected.size);
	}
}

/* --- packets -------------------------------------------------------------------------------- */

static void packets_of_all_sorts(void **state)
{
	static const struct names_packet packets[] = {
		{.id = ID},
		{.id = NULL},
		{.id = "0102030405060708090a0b0c0d0e0f1011121314"},
		{.id = ID, .token = "00112233445566778899aabbccddeeff"},
		{.id = ID, .number = 0x12, .number_size = 1},
		{.id = ID, .number = 0xfffe, .number_size = 2},
		{.id = ID, .number = 0x123456, .number_size = 3},
		{.id = ID, .number = 0xffffffff, .number_size = 4},
		{.id = ID, .version = VERSION_2, .token = "00"},
		{.id = ID, .flip = 0x40}, /* RFC 9287 */
	};

	for (unsigned i = 0; i < TEST_COUNT(packets); i++) {
		stop(state);
		start(state);
		put_hello(&packets[i], &hello);
		expect_name("good.test");
	}
}

static void what_the_hello_says(void **state)
{
	names_make_hello(&hello, NULL, NAMES_TLS13);
	put_hello(&plain, &hello);
	expect(HV_SERVER_NAME_MISSING);
	assert_non_null(hv_quic_name_fault(reader));
	stop(state);
	start(state);
	names_make_hello(&hello, "Outer.test", "fe0d 0000");
	put_hello(&plain, &hello);
	expect(HV_SERVER_NAME_HIDDEN);
	assert_string_equal(hv_quic_name(reader), "outer.test");
	stop(state);
	start(state);
	names_make_odd_hello(&hello, "0000");
	put_hello(&plain, &hello);
	expect_fault("the server_name of the ClientHello is malformed");
	put_payload_hex("01"); /* it does not get better */
	expect_fault("the server_name of the ClientHello is malformed");
}

static void what_is_no_quic(void **state)
{
	static const char *const texts[] = {
		"",
		"00",
		"40 00000001",		   /* a short header */
		"c0 000000",		   /* too short for a version */
		"c0 00000000 00 00",	   /* version negotiation */
		"c0 ff00001d 00 00",	   /* a draft */
		"80 78 00 01 02 03 04 05", /* RTP */
		"1234 0100 0001 0000",	   /* DNS */
		"d0 00000001 00 00 01 00", /* 0-RTT alone */
		"e0 00000001 00 00 01 00", /* Handshake alone */
		"f0 00000001 00 00 00",	   /* Retry */
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(texts); i++) {
		names_put_hex(&datagram, texts[i]);
		expect(HV_SERVER_NAME_DONE);
	}
}

static void packets_that_are_malformed(void **state)
{
	static const char *const texts[] = {
		"c0 00000001",	     /* no ids */
		"c0 00000001 08 01", /* an id that is cut off */
		"c0 00000001 15 000102030405060708090a0b0c0d0e0f1011121314 00 00 4000",
		"c0 00000001 00 15 000102030405060708090a0b0c0d0e0f1011121314 00 4000",
		"c0 00000001 00 00",	      /* no token */
		"c0 00000001 00 00 05 01",    /* a token that is cut off */
		"c0 00000001 00 00 00",	      /* no length */
		"c0 00000001 00 00 00 05 01", /* a length that is too large */
		"d0 00000001 00 00 02 00",
		"e0 00000001 00 00",
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(texts); i++) {
		names_put_hex(&datagram, texts[i]);
		assert_true(hv_quic_is_initial(datagram.data, datagram.size));
		expect_fault(MALFORMED);
	}
	names_put_hex(&datagram, "c0 00000001 00 00 00 13");
	names_put_run(&datagram, 'x', 19); /* too short for its protection */
	expect_fault(NO_KEY);
}

static void packets_that_do_not_open(void **state)
{
	static const struct names_packet packets[] = {
		{.id = ID, .break_tag = 1},
		{.id = ID, .key_id = OTHER_ID},
	};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(packets); i++) {
		put_hello(&packets[i], &hello);
		expect_fault(NO_KEY);
	}
	/* A later one that does is none the worse. */
	put_hello(&plain, &hello);
	expect_name("good.test");
}

/* A server goes by the version of the connection, or by that of the packet. */
static void keys_of_another_version(void **state)
{
	static const struct names_packet packet = {.id = ID, .key_version = VERSION_2};

	(void)state;
	put_hello(&packet, &hello);
	expect_fault(TWO_KEYS);
}

static void bits_that_must_not_be_set(void **state)
{
	static const struct names_packet packet = {.id = ID, .flip = 0x08};

	(void)state;
	put_hello(&packet, &hello);
	expect_fault("an Initial packet of QUIC has bits that must not be set");
}

/* A server that has not seen the packet of number 300 takes a later 1 for 1, another one for 257. */
static void numbers_that_are_not_clear(void **state)
{
	struct names_packet packet = {.id = ID, .number = 300, .number_size = 2};

	(void)state;
	put_hello(&packet, &hello);
	expect_name("good.test");
	packet.number_size = 1;
	packet.number = 44 + 128;
	put_hello(&packet, &hello);
	expect_fault(UNCLEAR_NUMBER);
	packet.number = 174; /* as for one that expects 301 */
	put_hello(&packet, &hello);
	expect_name("good.test");
	packet.number = 173;
	put_hello(&packet, &hello);
	expect_fault(UNCLEAR_NUMBER);
}

/* --- several packets in a datagram ---------------------------------------------------------- */

static void packets_in_a_row(void **state)
{
	struct names_packet packet = plain;
	size_t half = hello.size / 2;

	(void)state;
	put_crypto(&hello, half, hello.size - half);
	names_put_initial(&datagram, &packet, &payload);
	payload.size = 0;
	names_put_noise(&datagram, 1, ID, 50);
	packet.number = 1;
	put_crypto(&hello, 0, half);
	names_put_initial(&datagram, &packet, &payload);
	names_put_noise(&datagram, 2, ID, 0);
	names_put_hex(&datagram, "4000000000"); /* a short header ends it */
	expect_name("good.test");
}

static void initial_behind_other_packets(void **state)
{
	(void)state;
	names_put_noise(&datagram, 2, ID, 50);
	names_put_noise(&datagram, 1, ID, 50);
	assert_false(hv_quic_is_initial(datagram.data, datagram.size));
	put_hello(&plain, &hello);
	assert_true(hv_quic_is_initial(datagram.data, datagram.size));
	expect_name("good.test");
}

static void zeros_behind_the_packet(void **state)
{
	(void)state;
	put_hello(&plain, &hello);
	names_put_run(&datagram, 0, 100);
	expect_name("good.test");
}

/* Some servers take a second packet for another connection, though they should not. */
static void packets_of_two_connections(void **state)
{
	static const struct names_packet other = {.id = OTHER_ID};
	static const struct names_packet other_version = {.id = ID, .version = VERSION_2};

	(void)state;
	put_hello(&plain, &hello);
	put_hello(&other, &second);
	expect_fault(TWO_IN_ONE);
	put_hello(&plain, &hello);
	put_hello(&other_version, &second);
	expect_fault(TWO_IN_ONE);
	names_put_noise(&datagram, 2, OTHER_ID, 20);
	put_hello(&plain, &hello);
	expect_fault(TWO_IN_ONE);
	put_hello(&plain, &hello);
	names_put_hex(&datagram, "c0 00000002");
	expect_fault(MALFORMED);
}

/* The second one has the id of the first, and the keys of a connection before it. */
static void packets_with_keys_of_two_connections(void **state)
{
	static const struct names_packet other = {.id = OTHER_ID};
	static const struct names_packet mixed = {.id = OTHER_ID, .key_id = ID};

	(void)state;
	put_hello(&plain, &hello);
	expect_name("good.test");
	put_hello(&other, &hello);
	put_hello(&mixed, &hello);
	expect_fault(TWO_IN_ONE);
}

/* --- frames --------------------------------------------------------------------------------- */

static void frames_of_all_sorts(void **state)
{
	(void)state;
	names_put_hex(&payload, "00 01 02 05 00 00 01 03 4005 01 01 02 03 04 05 06 07");
	put_crypto(&hello, 0, 10);
	names_put_hex(&payload, "1c 01 06 03 616263 0601 00");
	names_put_crypto(&payload, 10, hello.data + 10, hello.size - 10);
	names_put_initial(&datagram, &plain, &payload);
	expect_name("good.test");
}

static void frames_that_are_malformed(void **state)
{
	static const char *const cases[][2] = {
		{"06 00 05 01", CUT_OFF},
		{"06 00 41", CUT_OFF},
		{"06 00 c0ffffffffffffff 01", CUT_OFF},
		{"02 00 00", CUT_OFF},
		{"02 00 00 05 00 00 00", CUT_OFF},
		{"02 00 00 ffffffffffffffff 00", CUT_OFF},
		{"03 00 00 00 00 00 00", CUT_OFF},
		{"1c 00 00 05 61", CUT_OFF},
		{"1c 00", CUT_OFF},
		{"04 00 00 00", NO_PLACE},   /* RESET_STREAM */
		{"07 01 61", NO_PLACE},	     /* NEW_TOKEN */
		{"08 00 61", NO_PLACE},	     /* STREAM */
		{"1d 00 00", NO_PLACE},	     /* the other CONNECTION_CLOSE */
		{"1e", NO_PLACE},	     /* HANDSHAKE_DONE */
		{"30 61", NO_PLACE},	     /* DATAGRAM */
		{"4006 00 01 01", NO_PLACE}, /* a type that is longer than it must be */
		{"06 00 01 02", NO_HELLO},
		{"06 4000 01 0b", NO_HELLO},
		{"06 00 04 01010000", TOO_LONG},
		{"06 80006000 01 00", TOO_LONG},
		{"06 ffffffffffffffff 01 00", TOO_LONG},
		{"06 00 05 01000000 00", FOLLOWS},
		{"06 14 01 00 06 00 04 01000005", FOLLOWS},
		{"06 00 02 0100 06 01 01 01", DIFFERS},
		{"06 05 02 0100 06 04 03 000101", DIFFERS},
	};

	for (unsigned i = 0; i < TEST_COUNT(cases); i++) {
		stop(state);
		start(state);
		put_payload_hex(cases[i][0]);
		expect_fault(cases[i][1]);
	}
}

static void empty_packet(void **state)
{
	static const struct names_packet packet = {.id = ID, .number_size = 4};

	(void)state;
	names_put_initial(&datagram, &packet, &payload);
	expect_fault("an Initial packet is empty");
}

/* --- the stream ----------------------------------------------------------------------------- */

/* Each piece in a datagram of its own, in any order, some twice. */
static void pieces_in_any_order(void **state)
{
	struct names_packet packet = plain;

	for (unsigned first = 0; first < 5; first++) {
		size_t each = hello.size / 5;

		stop(state);
		start(state);
		for (unsigned i = 0; i < 5; i++, packet.number++) {
			unsigned piece = (first + i * 2) % 5;

			put_crypto(&hello, piece * each,
				   piece == 4 ? hello.size - 4 * each : each + 3);
			put_crypto(&hello, piece * each, 1);
			names_put_initial(&datagram, &packet, &payload);
			if (i < 4)
				expect(HV_SERVER_NAME_MORE);
			else
				expect_name("good.test");
		}
	}
}

/* Byte by byte, as in the stream of TLS. */
static void smallest_pieces(void **state)
{
	(void)state;
	for (size_t i = hello.size; i-- > 0;)
		put_crypto(&hello, i, 1);
	names_put_initial(&datagram, &plain, &payload);
	expect_name("good.test");
}

static void too_many_datagrams(void **state)
{
	struct names_packet packet = plain;

	(void)state;
	for (unsigned i = 0; i < 16; i++, packet.number++) {
		put_crypto(&hello, i, 1);
		names_put_initial(&datagram, &packet, &payload);
		expect(HV_SERVER_NAME_MORE);
	}
	put_crypto(&hello, 16, 1);
	names_put_initial(&datagram, &packet, &payload);
	expect_fault(TOO_LONG);
}

static void too_many_bytes(void **state)
{
	(void)state;
	put_crypto(&hello, 0, 1);
	names_put_run(&payload, 0, 12000);
	names_put_initial(&datagram, &plain, &payload);
	expect(HV_SERVER_NAME_MORE);
	put_crypto(&hello, 0, 1);
	names_put_run(&payload, 0, 12600);
	names_put_initial(&datagram, &plain, &payload);
	expect_fault(TOO_LONG);
}

/* What comes again has to be the same: the server may not have got the first. */
static void another_hello_at_the_same_place(void **state)
{
	(void)state;
	put_hello(&plain, &hello);
	expect_name("good.test");
	put_hello(&plain, &hello);
	expect_name("good.test");
	put_hello(&plain, &second);
	expect_fault(DIFFERS);
	/* Nor in the midst of one. */
	names_put_crypto(&payload, 70, "evil", 4);
	names_put_initial(&datagram, &plain, &payload);
	expect_fault(DIFFERS);
}

/* --- after the first ClientHello ------------------------------------------------------------ */

/* Those have the id that the server chose, and the keys of the client's. */
static const struct names_packet later = {.id = OTHER_ID, .key_id = ID, .number = 1};

static void acknowledgements(void **state)
{
	(void)state;
	put_hello(&plain, &hello);
	expect_name("good.test");
	names_put_hex(&payload, "02 00 00 00 00");
	names_put_initial(&datagram, &later, &payload);
	names_put_noise(&datagram, 2, OTHER_ID, 50);
	expect_name("good.test");
}

static void second_hello_says_another_name(void **state)
{
	struct names_packet packet = later;

	(void)state;
	put_hello(&plain, &hello);
	expect_name("good.test");
	names_put_crypto(&payload, hello.size, second.data, 50);
	names_put_initial(&datagram, &packet, &payload);
	expect(HV_SERVER_NAME_MORE);
	packet.number++;
	names_put_crypto(&payload, hello.size + 50, second.data + 50, second.size - 50);
	names_put_initial(&datagram, &packet, &payload);
	expect_name("evil.test");
	packet.number++;
	names_put_hex(&payload, "01");
	names_put_initial(&datagram, &packet, &payload);
	expect_name("evil.test");
}

/* Nobody would know which of the two is meant. */
static void two_hellos_at_once(void **state)
{
	(void)state;
	put_crypto(&hello, 0, hello.size);
	names_put_crypto(&payload, hello.size, second.data, second.size);
	names_put_initial(&datagram, &plain, &payload);
	expect_fault(FOLLOWS);
}

/* RFC 9001 section 5.2: keys follow from the id that the Retry packet gave. */
static void hello_after_retry(void **state)
{
	static const struct names_packet again = {.id = OTHER_ID, .token = "aabb", .number = 1};
	static const struct names_packet third = {.id = THIRD_ID,
						  .key_id = OTHER_ID,
						  .number = 2};

	(void)state;
	put_hello(&plain, &hello);
	expect_name("good.test");
	put_hello(&again, &hello);
	expect_name("good.test");
	names_put_hex(&payload, "01");
	names_put_initial(&datagram, &third, &payload);
	expect_name("good.test");
}

/* RFC 9368: the server answers in version 2; the keys follow from the same id. */
static void version_that_changes(void **state)
{
	struct names_packet packet = later;

	(void)state;
	put_hello(&plain, &hello);
	expect_name("good.test");
	packet.version = VERSION_2;
	names_put_hex(&payload, "01");
	names_put_initial(&datagram, &packet, &payload);
	expect_name("good.test");
}

/* From the same port another connection may begin, and both may go on. */
static void other_connection(void **state)
{
	static const struct names_packet other = {.id = THIRD_ID};

	(void)state;
	put_hello(&plain, &hello);
	expect_name("good.test");
	put_hello(&other, &second);
	expect_name("evil.test");
	names_put_hex(&payload, "01");
	names_put_initial(&datagram, &later, &payload);
	expect_name("good.test");
}

/* The first part of one hello, the last part of another: they are no whole. */
static void halves_of_two_connections(void **state)
{
	static const struct names_packet other = {.id = OTHER_ID};

	(void)state;
	put_crypto(&hello, 0, 60);
	names_put_initial(&datagram, &plain, &payload);
	expect(HV_SERVER_NAME_MORE);
	put_crypto(&second, 60, second.size - 60);
	names_put_initial(&datagram, &other, &payload);
	expect(HV_SERVER_NAME_MORE);
	put_crypto(&second, 0, 60);
	names_put_initial(&datagram, &other, &payload);
	expect_name("evil.test");
}

static void too_many_connections(void **state)
{
	char id[17];

	(void)state;
	for (unsigned i = 0; i <= 16; i++) {
		struct names_packet packet = {.id = id};

		snprintf(id, sizeof(id), "%016x", i);
		put_hello(&packet, &hello);
		if (i < 16)
			expect_name("good.test");
	}
	expect_fault("there are too many connections of QUIC on one port");
}

/* Memory has an end, whatever the offsets say. */
static void too_much_memory(void **state)
{
	struct names_packet packet = {.id = NULL};
	char id[17];

	(void)state;
	packet.id = id;
	for (unsigned i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "%016x", i);
		names_put_crypto(&payload, 24 * 1024 - 1, "x", 1);
		names_put_initial(&datagram, &packet, &payload);
		if (i < 2)
			expect(HV_SERVER_NAME_MORE);
	}
	expect_fault("there is no memory for the ClientHello");
}

/* --- which datagrams are to be looked at ---------------------------------------------------- */

static void which_are_initial(void **state)
{
	static const char *const others[] = {"",	 "00",
					     "7f",	 "4000000001",
					     "c0000000", "e0 00000001 00 00 01 00"};

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(others); i++) {
		datagram.size = 0;
		names_put_hex(&datagram, others[i]);
		assert_false(hv_quic_is_initial(datagram.data, datagram.size));
	}
	datagram.size = 0;
	names_put_hex(&datagram, "c0 ff00001d");
	assert_true(hv_quic_is_initial(datagram.data, datagram.size));
	hv_quic_name_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(samples_are_read),
		TEST(samples_are_made),
		TEST(packets_of_all_sorts),
		TEST(what_the_hello_says),
		TEST(what_is_no_quic),
		TEST(packets_that_are_malformed),
		TEST(packets_that_do_not_open),
		TEST(keys_of_another_version),
		TEST(bits_that_must_not_be_set),
		TEST(numbers_that_are_not_clear),
		TEST(packets_in_a_row),
		TEST(initial_behind_other_packets),
		TEST(zeros_behind_the_packet),
		TEST(packets_of_two_connections),
		TEST(packets_with_keys_of_two_connections),
		TEST(frames_of_all_sorts),
		TEST(frames_that_are_malformed),
		TEST(empty_packet),
		TEST(pieces_in_any_order),
		TEST(smallest_pieces),
		TEST(too_many_datagrams),
		TEST(too_many_bytes),
		TEST(another_hello_at_the_same_place),
		TEST(acknowledgements),
		TEST(second_hello_says_another_name),
		TEST(two_hellos_at_once),
		TEST(hello_after_retry),
		TEST(version_that_changes),
		TEST(other_connection),
		TEST(halves_of_two_connections),
		TEST(too_many_connections),
		TEST(too_much_memory),
		TEST(which_are_initial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
