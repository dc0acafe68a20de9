/* The virtio-net header: what is taken from a kernel, what is refused, and what is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "link/frames.h"
#include "link/vnet.h"
#include "wire/tcp.h"

enum { FRAME_SIZE = 500, TCP_AT = 34 };

static struct hv_packet *blank(struct test_core *test)
{
	struct hv_packet *packet = hv_packet_new(&test->core, 130, FRAME_SIZE);

	memset(hv_packet_append(packet, FRAME_SIZE), 0, FRAME_SIZE);
	return packet;
}

struct parse_case {
	struct hv_vnet_header header;
	bool good;
	uint8_t csum, gso_type;
};

#define NEEDS HV_VNET_NEEDS_CSUM
static const struct parse_case parse_cases[] = {
	{{0}, true, HV_CSUM_NONE, 0},
	{{.flags = HV_VNET_DATA_VALID}, true, HV_CSUM_VALID, 0},
	{{.flags = 0x80 | HV_VNET_DATA_VALID}, true, HV_CSUM_VALID, 0},
	{{NEEDS, 0, 0, 0, TCP_AT, 16}, true, HV_CSUM_PARTIAL, 0},
	{{NEEDS | HV_VNET_DATA_VALID, 0, 0, 0, TCP_AT, 16}, true, HV_CSUM_PARTIAL, 0},
	{{NEEDS, 1, 54, 100, TCP_AT, 16}, true, HV_CSUM_PARTIAL, HV_GSO_TCP4},
	{{NEEDS, 1, 0, 100, TCP_AT, 16}, true, HV_CSUM_PARTIAL, HV_GSO_TCP4},
	{{NEEDS, 0x81, 54, 100, TCP_AT, 16}, true, HV_CSUM_PARTIAL, HV_GSO_TCP4},
	{{NEEDS, 0x84, 74, 100, 54, 16}, true, HV_CSUM_PARTIAL, HV_GSO_TCP6},
	{{NEEDS, 5, 42, 100, TCP_AT, 6}, true, HV_CSUM_PARTIAL, HV_GSO_UDP},
	/* the last two bytes of the frame are still inside */
	{{NEEDS, 0, 0, 0, FRAME_SIZE - 18, 16}, true, HV_CSUM_PARTIAL, 0},
	{{NEEDS, 0, 0, 0, FRAME_SIZE - 17, 16}, false, 0, 0},
	{{NEEDS, 0, 0, 0, 65535, 65535}, false, 0, 0},
	{{NEEDS, 0, 0, 0, TCP_AT, 65530}, false, 0, 0},
	/* segments: without size, without checksum, of unknown type */
	{{NEEDS, 1, 54, 0, TCP_AT, 16}, false, 0, 0},
	{{0, 1, 54, 100, TCP_AT, 16}, false, 0, 0},
	{{HV_VNET_DATA_VALID, 1, 54, 100, TCP_AT, 16}, false, 0, 0},
	{{NEEDS, 3, 42, 100, TCP_AT, 6}, false, 0, 0},
	{{NEEDS, 2, 54, 100, TCP_AT, 16}, false, 0, 0},
	{{NEEDS, 6, 54, 100, TCP_AT, 16}, false, 0, 0},
	{{NEEDS, 0x80, 54, 100, TCP_AT, 16}, false, 0, 0},
	{{NEEDS, 0x85, 54, 100, TCP_AT, 6}, false, 0, 0},
	{{NEEDS, 0xff, 54, 100, TCP_AT, 16}, false, 0, 0},
};

static void received_headers(void **state)
{
	struct test_core test;

	(void)state;
	test_core_init(&test, 1);
	for (unsigned i = 0; i < sizeof(parse_cases) / sizeof(parse_cases[0]); i++) {
		const struct parse_case *c = &parse_cases[i];
		struct hv_packet *packet = blank(&test);

		if (hv_vnet_parse(packet, &c->header) != c->good)
			fail_msg("case %u", i);
		if (c->good) {
			assert_int_equal(packet->csum, c->csum);
			assert_int_equal(packet->gso_type, c->gso_type);
			assert_int_equal(packet->gso_size, c->gso_type ? 100 : 0);
		}
		if (c->good && c->csum == HV_CSUM_PARTIAL)
			assert_int_equal(packet->csum_start - 130, c->header.csum_start);
		hv_packet_free(&test.core, packet);
	}
	test_core_finish(&test);
}

static void sent_header_of_plain_packets(void **state)
{
	const struct frame frame = {.proto = IPPROTO_TCP, .payload = 100};
	struct hv_vnet_header header, none = {0};
	struct test_core test;
	struct hv_packet *packet;

	(void)state;
	test_core_init(&test, 1);
	packet = frame_new(&test.core, &frame);
	assert_true(hv_vnet_write(packet, &header));
	assert_int_equal(header.flags, HV_VNET_NEEDS_CSUM);
	assert_int_equal(header.gso_type, 0);
	assert_int_equal(header.csum_start, TCP_AT);
	assert_int_equal(header.csum_offset, 16);
	packet->csum = HV_CSUM_VALID;
	assert_true(hv_vnet_write(packet, &header));
	assert_memory_equal(&header, &none, sizeof(none));
	hv_packet_free(&test.core, packet);
	test_core_finish(&test);
}

/* hdr_len is all headers; a TCP packet with CWR set says so. */
static void sent_header_of_large_packets(void **state)
{
	struct frame frame = {.proto = IPPROTO_TCP, .options = 12, .payload = 9000};
	struct hv_vnet_header header;
	struct test_core test;
	struct hv_packet *packet;

	(void)state;
	test_core_init(&test, 1);
	for (int i = 0; i < 8; i++) {
		uint8_t type;

		frame.v6 = i & 1;
		frame.proto = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
		frame.tcp_flags = i & 4 ? HV_TCP_CWR | HV_TCP_ACK : HV_TCP_ACK;
		frame.gso_size = 1400;
		frame.in_slices = 9000;
		type = i & 2 ? HV_GSO_UDP : i & 1 ? HV_GSO_TCP6 : HV_GSO_TCP4;
		if (i & 4 && !(i & 2))
			type |= HV_VNET_GSO_ECN;
		packet = frame_new(&test.core, &frame);
		assert_true(hv_vnet_write(packet, &header));
		assert_int_equal(header.gso_type, type);
		assert_int_equal(header.gso_size, 1400);
		assert_int_equal(header.hdr_len, frame_headers(&frame));
		hv_packet_free(&test.core, packet);
	}
	test_core_finish(&test);
}

static void inconsistent_marks_are_not_sent(void **state)
{
	const struct frame frame = {.proto = IPPROTO_TCP, .payload = 9000, .gso_size = 1448};
	struct hv_vnet_header header;
	struct test_core test;
	struct hv_packet *packet;

	(void)state;
	test_core_init(&test, 1);
	packet = frame_new(&test.core, &frame);
	packet->csum = HV_CSUM_NONE;
	assert_false(hv_vnet_write(packet, &header));
	packet->csum = HV_CSUM_PARTIAL;
	packet->len = TCP_AT + 19;
	assert_false(hv_vnet_write(packet, &header));
	packet->len = TCP_AT + 17;
	assert_false(hv_vnet_write(packet, &header));
	packet->csum_start = 5;
	assert_false(hv_vnet_write(packet, &header));
	hv_packet_free(&test.core, packet);
	test_core_finish(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(received_headers),
		cmocka_unit_test(sent_header_of_plain_packets),
		cmocka_unit_test(sent_header_of_large_packets),
		cmocka_unit_test(inconsistent_marks_are_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
