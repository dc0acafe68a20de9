/* The capture file, parsed back by a reader of this test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "link/frames.h"
#include "wire/tcp.h"

enum { OFFSET_S = 1700000000 };

static uint8_t file[1 << 20];
static size_t file_size;

static void append(void *user, const void *data, size_t size)
{
	assert_ptr_equal(user, file);
	assert_true(file_size + size <= sizeof(file));
	memcpy(file + file_size, data, size);
	file_size += size;
}

static uint32_t field(size_t at)
{
	uint32_t value;

	memcpy(&value, file + at, sizeof(value));
	return value;
}

static uint16_t field16(size_t at)
{
	uint16_t value;

	memcpy(&value, file + at, sizeof(value));
	return value;
}

/* Checks a block's frame; returns where the next one begins. */
static size_t next_block(size_t at, uint32_t type)
{
	uint32_t length = field(at + 4);

	assert_int_equal(field(at), type);
	assert_int_equal(length % 4, 0);
	assert_true(at + length <= file_size);
	assert_int_equal(field(at + length - 4), length);
	return at + length;
}

/* Section and interface header; returns where packets begin. */
static size_t check_headers(void)
{
	size_t at = next_block(0, 0x0a0d0d0a), end;

	assert_int_equal(field(8), 0x1a2b3c4d);
	assert_int_equal(field16(12), 1);
	assert_int_equal(field16(14), 0);
	end = next_block(at, 1);
	assert_int_equal(field16(at + 8), 1); /* Ethernet */
	assert_int_equal(field(at + 12), 262144);
	assert_int_equal(field16(at + 16), 9); /* if_tsresol */
	assert_int_equal(field16(at + 18), 1);
	assert_int_equal(file[at + 20], 9); /* nanoseconds */
	return end;
}

static size_t check_packet(size_t at, uint64_t time_ns, uint32_t flags,
			   const struct frame *frame)
{
	size_t end = next_block(at, 6), options;
	uint32_t size = frame_headers(frame) + frame->payload;

	assert_int_equal(field(at + 8), 0);
	assert_int_equal((uint64_t)field(at + 12) << 32 | field(at + 16), time_ns);
	assert_int_equal(field(at + 20), size);
	assert_int_equal(field(at + 24), size);
	assert_true(frame_is_right(file + at + 28, size));
	assert_memory_equal(file + at + 28 + frame_headers(frame), frame_bytes(),
			    frame->payload);
	options = at + 28 + (size + 3) / 4 * 4;
	assert_int_equal(field16(options), 2); /* epb_flags */
	assert_int_equal(field16(options + 2), 4);
	assert_int_equal(field(options + 4), flags);
	assert_int_equal(field(options + 8), 0); /* end of options */
	return end;
}

/* Both directions, small and large, partial checksums: the file is complete, the packets untouched. */
static void run_capture(struct test_core *test)
{
	const struct frame frames[] = {
		{.proto = IPPROTO_UDP, .payload = 101, .src_port = 5000, .dst_port = 7000},
		{.v6 = true,
		 .proto = IPPROTO_UDP,
		 .payload = 3,
		 .src_port = 5000,
		 .dst_port = 7000},
		{.proto = IPPROTO_TCP,
		 .tcp_flags = HV_TCP_ACK,
		 .seq = 1,
		 .src_port = 5000,
		 .dst_port = 80,
		 .payload = 65535 - 40,
		 .gso_size = 1448,
		 .in_slices = 60000},
		{.v6 = true,
		 .proto = IPPROTO_TCP,
		 .tcp_flags = HV_TCP_ACK,
		 .seq = 1,
		 .src_port = 5000,
		 .dst_port = 80,
		 .payload = 65535 - 20,
		 .gso_size = 1448,
		 .in_slices = 60001},
	};
	struct haven_link *inner, *link, *other;
	size_t at;

	test_core_init(test, 1);
	file_size = 0;
	assert_int_equal(haven_link_pair(test_stack(test), test_stack(test), NULL, 0, &inner,
					 &other),
			 0);
	assert_int_equal(haven_link_capture(test_stack(test), inner, append, file,
					    (int64_t)OFFSET_S * 1000000000, &link),
			 0);
	test_receive_from(test, link);
	test_receive_from(test, other);
	at = check_headers();
	for (unsigned i = 0; i < 8; i++) {
		const struct frame *frame = &frames[i / 2];
		uint64_t now_ns = UINT64_C(5000000000) * i + 7;
		struct hv_packet *packet;

		test->core.now_ns = now_ns;
		hv_link_output(i & 1 ? other : link, frame_new(&test->core, frame));
		assert_int_equal(other->pending, !(i & 1));
		assert_int_equal(link->pending, i & 1);
		hv_link_receive(i & 1 ? link : other, 1);
		at = check_packet(at, UINT64_C(1700000000000000000) + now_ns, i & 1 ? 1 : 2,
				  frame);
		assert_int_equal(at, file_size);
		packet = hv_packet_queue_pop(&test->received);
		assert_int_equal(packet->csum, HV_CSUM_PARTIAL);
		assert_int_equal(packet->gso_size, frame->gso_size);
		hv_offload_checksum(packet);
		assert_true(frame_is_right(packet->data, packet->len));
		hv_packet_free(&test->core, packet);
	}
	haven_link_destroy(link);
	haven_link_destroy(other);
	test_core_finish(test);
}

static void capture_is_read_back(void **state)
{
	struct test_core test;

	(void)state;
	run_capture(&test);
}

/* Wireshark's own tools read it without a word of complaint, and find nothing malformed. */
static void wireshark_reads_it(void **state)
{
	char name[] = "/tmp/haven-test-capture-XXXXXX", command[300];
	struct test_core test;
	int fd;

	(void)state;
	if (system("command -v tshark capinfos >/dev/null 2>&1") != 0)
		skip();
	run_capture(&test);
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, file_size), file_size);
	close(fd);
	snprintf(
		command, sizeof(command),
		"test \"$(tshark -r %s -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE "
		"-o udp.check_checksum:TRUE -Y '!_ws.malformed && !_ws.expert.severity >= 0x600000' "
		"2>&1 | grep -c -e UDP -e TCP)\" = 8 && capinfos %s >/dev/null 2>&1",
		name, name);
	assert_int_equal(system(command), 0);
	unlink(name);
}

static void without_memory(void **state)
{
	(void)state;
	for (uint64_t nth = 3; nth <= 4; nth++) {
		struct haven_link *inner, *other, *link;
		struct test_core test;

		test_core_init(&test, 1);
		test_env_fail(&test.env, nth);
		file_size = 0;
		assert_int_equal(haven_link_pair(test_stack(&test), test_stack(&test), NULL, 0,
						 &inner, &other),
				 0);
		assert_int_equal(haven_link_capture(test_stack(&test), inner, append, file, 0,
						    &link),
				 -ENOMEM);
		assert_int_equal(file_size, 0);
		haven_link_destroy(other);
		test_core_finish(&test);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capture_is_read_back),
		cmocka_unit_test(wireshark_reads_it),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
