/* Reading segments off the wire in memory, for --explain. */
#include <string.h>

#include "cli/packet_watch.h"
#include "gateway/address.h"
#include "support/test.h"

/* A SYN with the options of Linux: MSS 1460, SACK permitted, timestamps, NOP, window scale 7. */
static const uint8_t syn4[] = {
	2,    0,    0,	 0,    0, 1, 2,	   0,  0,  0, 0, 2, 8,	  0, /* Ethernet */
	0x45, 0,    0,	 60,   0, 0, 0x40, 0,  64, 6, 0, 0, 192,  0,
	0,    2,    192, 0,    2, 1, /* IPv4 */
	0x80, 1,    1,	 0xbb, 1, 2, 3,	   4,  0,  0, 0, 0, 0xa0, 0x02,
	0xff, 0xff, 0,	 0,    0, 0, /* TCP */
	2,    4,    5,	 0xb4, 4, 2, 8,	   10, 0,  0, 0, 1, 0,	  0,
	0,    0,    1,	 3,    3, 7, /* options */
};

static struct hv_segment segment;

static void a_syn_over_ipv4(void **state)
{
	char text[HV_SEGMENT_OPTIONS_TEXT], address[HV_ENDPOINT_TEXT];

	(void)state;
	assert_true(hv_segment_read(syn4, sizeof(syn4), &segment));
	assert_true(segment.syn && !segment.is_ack && !segment.fin && !segment.rst);
	assert_int_equal(segment.source_port, 0x8001);
	assert_int_equal(segment.destination_port, 443);
	assert_int_equal(segment.seq, 0x01020304);
	assert_int_equal(segment.payload, 0);
	assert_string_equal(hv_address_text(segment.source, address), "192.0.0.2");
	assert_string_equal(hv_address_text(segment.destination, address), "192.0.2.1");
	assert_string_equal(hv_segment_options(&segment, text),
			    "MSS 1460, window scale 7, SACK permitted, timestamps");
}

static void over_ipv6_with_payload(void **state)
{
	uint8_t frame[14 + 40 + 20 + 5] = {0};
	char text[HV_SEGMENT_OPTIONS_TEXT];

	(void)state;
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[14] = 0x60;
	frame[14 + 5] = 25;
	frame[14 + 6] = 6;
	frame[14 + 8] = 0xfd;
	frame[54 + 12] = 0x50;
	frame[54 + 13] = 0x11;
	assert_true(hv_segment_read(frame, sizeof(frame), &segment));
	assert_true(segment.fin && segment.is_ack);
	assert_int_equal(segment.payload, 5);
	assert_int_equal(segment.source[0], 0xfd);
	assert_string_equal(hv_segment_options(&segment, text),
			    "no MSS, no window scale, no SACK, no timestamps");
	frame[14 + 6] = 17;
	assert_false(hv_segment_read(frame, sizeof(frame), &segment));
}

/* A packet that is to be cut up by whoever sends it on has no length in its header. */
static void without_a_length(void **state)
{
	uint8_t frame[sizeof(syn4) + 100];

	(void)state;
	memcpy(frame, syn4, sizeof(syn4));
	frame[16] = frame[17] = 0;
	assert_true(hv_segment_read(frame, sizeof(frame), &segment));
	assert_int_equal(segment.payload, 100);
}

static void what_is_cut_off_is_none(void **state)
{
	uint8_t frame[sizeof(syn4)];

	(void)state;
	for (size_t size = 0; size < sizeof(syn4); size++)
		assert_false(size < 54 && hv_segment_read(syn4, size, &segment));
	memcpy(frame, syn4, sizeof(frame));
	frame[46] = 0xf0; /* a header longer than the packet */
	assert_false(hv_segment_read(frame, sizeof(frame), &segment));
	frame[46] = 0x40; /* shorter than there is */
	assert_false(hv_segment_read(frame, sizeof(frame), &segment));
	memcpy(frame, syn4, sizeof(frame));
	frame[20] = 0x20; /* a fragment */
	assert_false(hv_segment_read(frame, sizeof(frame), &segment));
}

static void odd_options_end_the_list(void **state)
{
	uint8_t frame[sizeof(syn4)];

	(void)state;
	memcpy(frame, syn4, sizeof(frame));
	frame[59] = 1; /* SACK permitted, of one byte */
	assert_true(hv_segment_read(frame, sizeof(frame), &segment));
	assert_true(segment.has_mss && !segment.sack_permitted && !segment.has_window_scale);
	frame[59] = 200; /* beyond the header */
	assert_true(hv_segment_read(frame, sizeof(frame), &segment));
	assert_false(segment.sack_permitted);
	frame[55] = 3; /* an MSS of one byte */
	assert_true(hv_segment_read(frame, sizeof(frame), &segment));
	assert_false(segment.has_mss);
}

static void the_watch_keeps_to_its_connection(void **state)
{
	struct hv_explain explain = {0};
	struct hv_packet_watch watch = {.explain = &explain};
	struct haven_endpoint far = {.port = 444};

	(void)state;
	hv_packet_watch_see(&watch, true, syn4, sizeof(syn4));
	hv_packet_watch_begin(&watch, 443, NULL);
	hv_packet_watch_see(&watch, true, syn4, sizeof(syn4));
	assert_true(hv_address_parse("192.0.2.1", far.address));
	hv_packet_watch_begin(&watch, 0x8001, &far);
	hv_packet_watch_see(&watch, true, syn4, sizeof(syn4));
	assert_false(watch.syn_seen);
	far.port = 443;
	hv_packet_watch_begin(&watch, 0x8001, &far);
	hv_packet_watch_see(&watch, true, syn4, sizeof(syn4));
	assert_true(watch.syn_seen);
	/* Of a listener: the first that comes. */
	hv_packet_watch_begin(&watch, 443, NULL);
	hv_packet_watch_see(&watch, false, syn4, sizeof(syn4));
	assert_true(watch.syn_seen);
	assert_int_equal(watch.far.port, 0x8001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_over_ipv4),
		cmocka_unit_test(over_ipv6_with_payload),
		cmocka_unit_test(without_a_length),
		cmocka_unit_test(what_is_cut_off_is_none),
		cmocka_unit_test(odd_options_end_the_list),
		cmocka_unit_test(the_watch_keeps_to_its_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
