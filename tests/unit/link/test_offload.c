/* Checksum and segmentation in software, against a slow reference and byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "link/frames.h"
#include "wire/bytes.h"
#include "wire/tcp.h"

/* A partial checksum, with the payload spread over linear bytes and slices at odd places. */
static void checksum_equals_slow_reference(void **state)
{
	struct test_core test;
	struct test_random random;

	(void)state;
	test_core_init(&test, 1);
	test_random_init(&random, 7);
	for (int i = 0; i < 2000; i++) {
		struct frame frame = {
			.v6 = test_random_one_in(&random, 2),
			.proto = test_random_one_in(&random, 2) ? IPPROTO_TCP : IPPROTO_UDP,
			.seq = (uint32_t)test_random64(&random),
			.src_port = (uint16_t)test_random64(&random),
			.payload = (uint32_t)test_random_below(&random, i % 10 ? 1500 : 60000),
			.payload_at = (uint32_t)test_random_below(&random, 65536),
		};
		struct hv_packet *packet;

		frame.in_slices = (uint32_t)test_random_below(&random, frame.payload + 1);
		packet = frame_new(&test.core, &frame);
		hv_offload_checksum(packet);
		assert_int_equal(packet->csum, HV_CSUM_NONE);
		packet = hv_packet_own(&test.core, packet);
		assert_true(frame_is_right(packet->data, packet->len));
		hv_packet_free(&test.core, packet);
	}
	test_core_finish(&test);
}

/* A sum that comes out as zero is written as 0xffff: zero means "none" in UDP (RFC 768). */
static void checksum_is_never_zero(void **state)
{
	struct test_core test;
	const struct frame frame = {.proto = IPPROTO_UDP, .payload = 2};
	struct hv_packet *packet;
	uint8_t *udp;

	(void)state;
	test_core_init(&test, 1);
	packet = frame_new(&test.core, &frame);
	udp = packet->data + 34;
	/* The source port takes what is missing: the sum is complete with a checksum of zero. */
	hv_put16(udp, (uint16_t)~slow_sum(udp, 10, 0));
	hv_offload_checksum(packet);
	assert_int_equal(hv_get16(udp + 6), 0xffff);
	assert_true(frame_is_right(packet->data, packet->len));
	hv_packet_free(&test.core, packet);
	test_core_finish(&test);
}

/* A checksum that does not lie in the packet is left alone. */
static void checksum_outside_is_ignored(void **state)
{
	struct test_core test;
	struct frame frame = {.proto = IPPROTO_UDP, .payload = 2};
	struct hv_packet *packet;

	(void)state;
	test_core_init(&test, 1);
	packet = frame_new(&test.core, &frame);
	packet->csum_offset = 60000;
	hv_offload_checksum(packet);
	packet->csum = HV_CSUM_PARTIAL;
	packet->csum_start = 3;
	hv_offload_checksum(packet);
	hv_packet_free(&test.core, packet);
	test_core_finish(&test);
}

static uint32_t segment_size(const struct frame *frame, uint32_t done)
{
	uint32_t left = frame->payload - done;

	return frame_headers(frame) + (left < frame->gso_size ? left : frame->gso_size);
}

/* One segment: headers as the standards have them, payload in place. */
static void check_segment(const struct frame *frame, const struct hv_packet *segment,
			  uint32_t done, uint32_t number)
{
	uint32_t size = segment_size(frame, done), headers = frame_headers(frame);
	const uint8_t *ip = segment->data + 14, *transport = ip + (frame->v6 ? 40 : 20);
	bool last = done + frame->gso_size >= frame->payload;

	assert_int_equal(segment->len, size);
	assert_int_equal(segment->gso_type, HV_GSO_NONE);
	assert_true(frame_is_right(segment->data, segment->len));
	assert_memory_equal(segment->data + headers, frame_bytes() + frame->payload_at + done,
			    size - headers);
	if (!frame->v6)
		assert_int_equal(hv_get16(ip + 4), (uint16_t)(frame->id + number));
	if (frame->proto == IPPROTO_TCP) {
		uint8_t flags = frame->tcp_flags;

		if (!last)
			flags &= (uint8_t) ~(HV_TCP_FIN | HV_TCP_PSH);
		if (done)
			flags &= (uint8_t)~HV_TCP_CWR;
		assert_int_equal(hv_get32(transport + 4), frame->seq + done);
		assert_int_equal(transport[13], flags);
	}
}

static void cut_and_check(struct test_core *test, const struct frame *frame, bool keep_partial)
{
	struct hv_packet_queue out = {0};
	struct hv_packet *segment;
	uint32_t done = 0, number = 0;

	assert_int_equal(hv_offload_segment(&test->core, frame_new(&test->core, frame), true,
					    keep_partial, &out),
			 0);
	while ((segment = hv_packet_queue_pop(&out))) {
		assert_int_equal(segment->csum, keep_partial ? HV_CSUM_PARTIAL : HV_CSUM_NONE);
		hv_offload_checksum(segment);
		check_segment(frame, segment, done, number++);
		done += frame->gso_size;
		hv_packet_free(&test->core, segment);
	}
	assert_true(done >= frame->payload);
	assert_true(done < frame->payload + frame->gso_size || frame->payload == 0);
}

static void segments_are_right(void **state)
{
	struct test_core test;
	struct test_random random;

	(void)state;
	test_core_init(&test, 1);
	test_random_init(&random, 8);
	for (int i = 0; i < 300; i++) {
		struct frame frame = {
			.v6 = i & 1,
			.proto = i & 2 ? IPPROTO_TCP : IPPROTO_UDP,
			.tcp_flags = (uint8_t)test_random64(&random),
			.seq = UINT32_MAX - 5000, /* wraps on the way */
			.id = 65530,
			.options = (uint32_t)test_random_below(&random, 11) * 4,
			.payload = (uint32_t)test_random_below(&random, 65000),
			.payload_at = (uint32_t)test_random_below(&random, 65536),
			.gso_size = (uint16_t)test_random_range(&random, 64, 1460),
		};

		frame.in_slices = (uint32_t)test_random_below(&random, frame.payload + 1);
		cut_and_check(&test, &frame, i & 4);
	}
	test_core_finish(&test);
}

/* Payloads around the segment size: none, one byte short, equal, one byte more. */
static void segment_edges(void **state)
{
	static const uint32_t payloads[] = {0, 1, 999, 1000, 1001, 1999, 2000, 2001};
	struct test_core test;

	(void)state;
	test_core_init(&test, 1);
	for (unsigned i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		struct frame frame = {
			.proto = IPPROTO_TCP,
			.tcp_flags = HV_TCP_FIN | HV_TCP_PSH | HV_TCP_ACK | HV_TCP_CWR,
			.payload = payloads[i],
			.gso_size = 1000,
		};

		cut_and_check(&test, &frame, false);
		frame.in_slices = frame.payload;
		cut_and_check(&test, &frame, false);
	}
	test_core_finish(&test);
}

static void refuse(struct test_core *test, struct hv_packet *packet)
{
	struct hv_packet_queue out = {0};
	uint64_t before = test->core.drops[HV_DROP_LINK_OFFLOAD];

	assert_int_equal(hv_offload_segment(&test->core, packet, true, false, &out), -EINVAL);
	assert_int_equal(test->core.drops[HV_DROP_LINK_OFFLOAD], before + 1);
	assert_int_equal(out.count, 0);
}

static void segmentation_refuses_nonsense(void **state)
{
	const struct frame frame = {.proto = IPPROTO_TCP, .payload = 40000, .gso_size = 1448};
	struct test_core test;
	struct hv_packet *packet;

	(void)state;
	test_core_init(&test, 1);
	packet = frame_new(&test.core, &frame);
	packet->csum = HV_CSUM_NONE;
	refuse(&test, packet);
	packet = frame_new(&test.core, &frame);
	packet->gso_size = 0;
	refuse(&test, packet);
	packet = frame_new(&test.core, &frame);
	packet->gso_size = 1; /* 40,000 segments */
	refuse(&test, packet);
	packet = frame_new(&test.core, &frame);
	packet->csum_start += 4;
	refuse(&test, packet);
	packet = frame_new(&test.core, &frame);
	packet->csum_offset = 6;
	refuse(&test, packet);
	packet = frame_new(&test.core, &frame);
	packet->data[14] = 0x46; /* IP options that are not there */
	refuse(&test, packet);
	packet = frame_new(&test.core, &frame);
	packet->data[14 + 20 + 12] = 0x40; /* TCP header of 16 bytes */
	refuse(&test, packet);
	packet = frame_new(&test.core, &frame);
	packet->len = 14 + 20 + 19;
	refuse(&test, packet);
	test_core_finish(&test);
}

/* Whatever allocation fails: what was cut stands, the rest is counted, nothing leaks. */
static void segmentation_without_memory(void **state)
{
	const struct frame frame = {.proto = IPPROTO_TCP, .payload = 50000, .gso_size = 1448};

	(void)state;
	for (uint64_t nth = 1;; nth++) {
		struct hv_packet_queue out = {0};
		struct test_core test;
		struct hv_packet *packet;
		int error;

		test_core_init(&test, 1);
		packet = frame_new(&test.core, &frame);
		test_env_fail(&test.env, nth);
		error = hv_offload_segment(&test.core, packet, true, false, &out);
		if (!test_env_failed(&test.env)) {
			assert_int_equal(error, 0);
			assert_int_equal(nth, out.count + 1);
		} else {
			assert_int_equal(error, -ENOMEM);
			assert_int_equal(out.count, nth - 1);
			assert_int_equal(test.core.drops[HV_DROP_NO_MEMORY], 1);
		}
		hv_packet_queue_clear(&test.core, &out);
		test_core_finish(&test);
		if (!error)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_equals_slow_reference),
		cmocka_unit_test(checksum_is_never_zero),
		cmocka_unit_test(checksum_outside_is_ignored),
		cmocka_unit_test(segments_are_right),
		cmocka_unit_test(segment_edges),
		cmocka_unit_test(segmentation_refuses_nonsense),
		cmocka_unit_test(segmentation_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
