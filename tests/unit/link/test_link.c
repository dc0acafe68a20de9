/*
 * What all links share, over a link of this test's own: work done for what the back-end lacks, frames
 * that wait, counters, frames from outside; and the in-memory pair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "link/frames.h"
#include "wire/tcp.h"

/* The far side of a custom link: keeps what was sent, and answers as it is told. */
struct far_side {
	struct haven_frame_offload offload[2000];
	uint32_t size[2000];
	unsigned count;
	int answer;	/* of the next calls */
	bool all_right; /* every frame that is complete has good checksums */
	unsigned destroyed;
};

static int far_send(void *user, const struct iovec *iov, int count,
		    const struct haven_frame_offload *offload)
{
	static uint8_t bytes[HV_PACKET_LARGE];
	struct far_side *far = user;
	uint32_t size = 0;

	if (far->answer)
		return far->answer;
	for (int i = 0; i < count; i++) {
		memcpy(bytes + size, iov[i].iov_base, iov[i].iov_len);
		size += (uint32_t)iov[i].iov_len;
	}
	if (!(offload->flags & 1) && !frame_is_right(bytes, size))
		far->all_right = false;
	far->offload[far->count] = *offload;
	far->size[far->count++] = size;
	return 0;
}

static void far_destroy(void *user)
{
	((struct far_side *)user)->destroyed++;
}

static const struct haven_link_ops far_ops = {.send = far_send, .destroy = far_destroy};

static struct haven_link *custom(struct test_core *test, struct far_side *far,
				 unsigned offloads)
{
	struct haven_link_config config;
	struct haven_link *link;

	memset(far, 0, sizeof(*far));
	far->all_right = true;
	haven_link_config_init(&config);
	config.offloads = offloads;
	assert_int_equal(haven_link_custom(test_stack(test), &far_ops, far, true, &config,
					   &link),
			 0);
	test_receive_from(test, link);
	return link;
}

enum {
	CSUM = HAVEN_OFFLOAD_CSUM,
	TSO = HAVEN_OFFLOAD_TSO4 | HAVEN_OFFLOAD_TSO6,
	USO = HAVEN_OFFLOAD_USO
};

/* Each kind of packet meets each set of offloads: what is lacking was done, the rest was left. */
static void what_the_link_lacks_is_done(void **state)
{
	static const unsigned sets[] = {0, CSUM, CSUM | TSO, CSUM | USO, CSUM | TSO | USO, TSO};
	static struct far_side far;
	struct test_core test;

	(void)state;
	test_core_init(&test, 1);
	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]) * 8; i++) {
		unsigned set = sets[i / 8] & CSUM ? sets[i / 8] : 0;
		struct frame frame = {.v6 = i & 1,
				      .proto = i & 2 ? IPPROTO_TCP : IPPROTO_UDP,
				      .payload = 10000,
				      .in_slices = 9000};
		struct haven_link *link = custom(&test, &far, sets[i / 8]);
		bool large = i & 4, cut = !(set & (i & 2 ? TSO : USO));

		frame.gso_size = large ? 1000 : 0;
		assert_int_equal(haven_link_offloads(link), set);
		assert_int_equal(hv_link_output(link, frame_new(&test.core, &frame)), 0);
		assert_int_equal(far.count, large && cut ? 10 : 1);
		assert_int_equal(far.offload[0].flags, set & CSUM ? 1 : 0);
		assert_int_equal(far.offload[0].gso_size, large && !cut ? 1000 : 0);
		assert_true(far.all_right);
		haven_link_destroy(link);
		assert_int_equal(far.destroyed, 1);
	}
	test_core_finish(&test);
}

static void complete_packets_pass(void **state)
{
	const struct frame frame = {.proto = IPPROTO_TCP, .payload = 100};
	static struct far_side far;
	struct test_core test;
	struct haven_link *link;
	struct hv_packet *packet;

	(void)state;
	test_core_init(&test, 1);
	link = custom(&test, &far, CSUM | TSO);
	packet = frame_new(&test.core, &frame);
	hv_offload_checksum(packet);
	assert_int_equal(hv_link_output(link, packet), 0);
	assert_int_equal(far.offload[0].flags, 0);
	assert_true(far.all_right);
	haven_link_destroy(link);
	test_core_finish(&test);
}

/* A busy link keeps 256 packets in order, drops the rest, and sends on when it is free. */
static void frames_wait_for_a_busy_link(void **state)
{
	struct frame frame = {.proto = IPPROTO_UDP, .in_slices = 50};
	struct haven_link_counters counters;
	static struct far_side far;
	struct test_core test;
	struct haven_link *link;

	(void)state;
	test_core_init(&test, 1);
	link = custom(&test, &far, CSUM);
	far.answer = -EAGAIN;
	for (uint32_t i = 0; i < 300; i++) {
		frame.payload = 100 + i;
		assert_int_equal(hv_link_output(link, frame_new(&test.core, &frame)),
				 i < 256 ? 0 : -EAGAIN);
		assert_true(hv_link_is_busy(link));
	}
	assert_true(haven_link_wants_write(link));
	assert_int_equal(test.core.drops[HV_DROP_LINK_BUSY], 44);
	hv_link_writable(link);
	assert_true(haven_link_wants_write(link));
	far.answer = 0;
	hv_link_writable(link);
	assert_false(haven_link_wants_write(link));
	assert_int_equal(far.count, 256);
	for (uint32_t i = 0; i < 256; i++)
		assert_int_equal(far.size[i], 42 + 100 + i);
	haven_link_counters(link, &counters);
	assert_int_equal(counters.busy, 300);
	assert_int_equal(counters.frames_out, 300);
	haven_link_destroy(link);
	test_core_finish(&test);
}

/* Large packets reach the limit of bytes first. */
static void waiting_is_bounded_in_bytes(void **state)
{
	const struct frame frame = {.proto = IPPROTO_TCP,
				    .payload = 60000,
				    .gso_size = 1448,
				    .in_slices = 60000};
	static struct far_side far;
	struct test_core test;
	struct haven_link *link;
	int error = 0, count = 0;

	(void)state;
	test_core_init(&test, 1);
	link = custom(&test, &far, CSUM | TSO);
	far.answer = -EAGAIN;
	for (; !error && count < 300; count++)
		error = hv_link_output(link, frame_new(&test.core, &frame));
	assert_int_equal(error, -EAGAIN);
	assert_in_range(count, 60, 80);
	haven_link_destroy(link);
	test_core_finish(&test);
}

static void failed_sends_are_counted(void **state)
{
	const struct frame frame = {.proto = IPPROTO_UDP, .payload = 50};
	static struct far_side far;
	struct test_core test;
	struct haven_link *link;

	(void)state;
	test_core_init(&test, 1);
	link = custom(&test, &far, CSUM);
	far.answer = -EIO;
	assert_int_equal(hv_link_output(link, frame_new(&test.core, &frame)), -EIO);
	assert_int_equal(test.core.drops[HV_DROP_LINK_ERROR], 1);
	/* Lost on the way: no error, and nothing waits for a readiness that may never come. */
	far.answer = -ENOBUFS;
	assert_int_equal(hv_link_output(link, frame_new(&test.core, &frame)), 0);
	assert_int_equal(test.core.drops[HV_DROP_LINK_BUSY], 1);
	assert_false(hv_link_is_busy(link));
	far.answer = -EAGAIN;
	assert_int_equal(hv_link_output(link, frame_new(&test.core, &frame)), 0);
	far.answer = -EIO;
	hv_link_writable(link);
	assert_int_equal(test.core.drops[HV_DROP_LINK_ERROR], 2);
	assert_false(hv_link_is_busy(link));
	haven_link_destroy(link);
	test_core_finish(&test);
}

static void custom_frames_come_in(void **state)
{
	const struct haven_frame_offload tso = {1, HV_GSO_TCP4, 500, 34, 16};
	const struct haven_frame_offload nonsense = {1, HV_GSO_TCP4, 500, 34, 60000};
	struct haven_link_counters counters;
	static struct far_side far;
	struct test_core test;
	struct haven_link *link;
	struct hv_packet *packet;

	(void)state;
	test_core_init(&test, 1);
	link = custom(&test, &far, CSUM | TSO);
	assert_int_equal(haven_link_custom_input(link, frame_bytes(), 2000, &tso), 0);
	assert_true(link->pending);
	assert_int_equal(haven_link_custom_input(link, frame_bytes(), 2000, &nonsense),
			 -EINVAL);
	assert_int_equal(haven_link_custom_input(link, frame_bytes(), 66500, NULL), -EMSGSIZE);
	assert_int_equal(haven_link_custom_input(link, frame_bytes(), 60, NULL), 0);
	assert_int_equal(hv_link_receive(link, 1), 1);
	assert_true(link->pending);
	assert_int_equal(hv_link_receive(link, 64), 1);
	assert_false(link->pending);
	packet = test.received.first;
	assert_int_equal(packet->len, 2000);
	assert_int_equal(packet->gso_type, HV_GSO_TCP4);
	assert_int_equal(packet->csum, HV_CSUM_PARTIAL);
	assert_int_equal(packet->csum_start - hv_packet_headroom(packet), 34);
	for (int i = 0; i < 1024; i++)
		assert_int_equal(haven_link_custom_input(link, frame_bytes(), 60, NULL), 0);
	assert_int_equal(haven_link_custom_input(link, frame_bytes(), 60, NULL), -ENOBUFS);
	haven_link_counters(link, &counters);
	assert_int_equal(counters.frames_in, 2);
	assert_int_equal(counters.bytes_in, 2060);
	haven_link_destroy(link);
	test_core_finish(&test);
}

static void pair_end_setup(struct test_core *a, struct test_core *b, unsigned queue,
			   struct haven_link **link_a, struct haven_link **link_b)
{
	test_core_init(a, 1);
	test_core_init(b, 2);
	assert_int_equal(haven_link_pair(test_stack(a), test_stack(b), NULL, queue, link_a,
					 link_b),
			 0);
	test_receive_from(a, *link_a);
	test_receive_from(b, *link_b);
}

/* A packet of 64 KiB crosses with its marks, into memory of the other stack, when that reads. */
static void pair_carries_packets(void **state)
{
	const struct frame frame = {.proto = IPPROTO_TCP,
				    .payload = 60000,
				    .gso_size = 1448,
				    .in_slices = 59000};
	struct haven_link *link_a, *link_b;
	struct test_core a, b;
	struct hv_packet *packet;

	(void)state;
	pair_end_setup(&a, &b, 0, &link_a, &link_b);
	assert_int_equal(haven_link_fd(link_a), -1);
	assert_int_equal(hv_link_output(link_a, frame_new(&a.core, &frame)), 0);
	assert_int_equal(b.received.count, 0);
	assert_true(link_b->pending);
	assert_false(link_a->pending);
	assert_int_equal(hv_link_receive(link_b, 10), 1);
	assert_false(link_b->pending);
	packet = b.received.first;
	assert_int_equal(packet->csum, HV_CSUM_PARTIAL);
	assert_int_equal(packet->gso_size, 1448);
	assert_int_equal(packet->slice_count, 0);
	hv_offload_checksum(packet);
	assert_true(frame_is_right(packet->data, packet->len));
	haven_link_destroy(link_a);
	assert_int_equal(hv_link_output(link_b, frame_new(&b.core, &frame)), -ENETDOWN);
	haven_link_destroy(link_b);
	test_core_finish(&a);
	test_core_finish(&b);
}

static void pair_queue_is_bounded(void **state)
{
	const struct frame frame = {.proto = IPPROTO_UDP, .payload = 10};
	struct haven_link *link_a, *link_b;
	struct test_core a, b;

	(void)state;
	pair_end_setup(&a, &b, 5, &link_a, &link_b);
	for (int i = 0; i < 8; i++)
		assert_int_equal(hv_link_output(link_a, frame_new(&a.core, &frame)), 0);
	assert_int_equal(a.core.drops[HV_DROP_LINK_BUSY], 3);
	assert_int_equal(hv_link_receive(link_b, 3), 3);
	assert_int_equal(hv_link_receive(link_b, 3), 2);
	/* Frames that nobody read are freed with the link. */
	hv_link_output(link_a, frame_new(&a.core, &frame));
	haven_link_destroy(link_b);
	haven_link_destroy(link_a);
	test_core_finish(&a);
	test_core_finish(&b);
}

static void addresses_are_chosen_and_kept(void **state)
{
	struct haven_link *link_a, *link_b;
	struct haven_link_config config;
	uint8_t mac_a[6], mac_b[6];
	struct test_core a, b;

	(void)state;
	pair_end_setup(&a, &b, 5, &link_a, &link_b);
	haven_link_mac(link_a, mac_a);
	haven_link_mac(link_b, mac_b);
	assert_memory_not_equal(mac_a, mac_b, 6);
	assert_int_equal(mac_a[0] & 3, 2);
	assert_int_equal(mac_b[0] & 3, 2);
	assert_int_equal(haven_link_mtu(link_a), 1500);
	haven_link_destroy(link_a);
	haven_link_destroy(link_b);
	haven_link_config_init(&config);
	memcpy(config.mac, "\2\1\2\3\4\5", 6);
	config.mtu = 65535;
	assert_int_equal(haven_link_pair(test_stack(&a), test_stack(&b), &config, 0, &link_a,
					 &link_b),
			 0);
	haven_link_mac(link_a, mac_a);
	haven_link_mac(link_b, mac_b);
	assert_memory_equal(mac_a, config.mac, 6);
	assert_memory_equal(mac_b, "\2\1\2\3\4\4", 6);
	haven_link_destroy(link_a);
	haven_link_destroy(link_b);
	config.mtu = 65536;
	assert_int_equal(haven_link_pair(test_stack(&a), test_stack(&b), &config, 0, &link_a,
					 &link_b),
			 -EINVAL);
	test_core_finish(&a);
	test_core_finish(&b);
}

/* Makes a pair with a wrapper and sends a packet through; the nth allocation fails. False: not reached. */
static bool run_with_failure(uint64_t nth)
{
	const struct haven_fault fault = {.duplicate_ppm = 1000000, .delay_ns = 1000000};
	const struct frame frame = {.proto = IPPROTO_UDP, .payload = 10, .in_slices = 5};
	struct haven_link *a, *b, *wrapped;
	struct test_core test;
	struct hv_packet *packet;
	bool reached;
	int error;

	test_core_init(&test, 1);
	packet = frame_new(&test.core, &frame);
	test_env_fail(&test.env, nth);
	error = haven_link_pair(test_stack(&test), test_stack(&test), NULL, 0, &a, &b);
	if (error) {
		assert_int_equal(error, -ENOMEM);
		hv_packet_free(&test.core, packet);
		goto out;
	}
	error = haven_link_fault(test_stack(&test), a, &fault, &fault, &wrapped);
	if (error) {
		assert_int_equal(error, -ENOMEM);
		hv_packet_free(&test.core, packet);
	} else {
		test_receive_from(&test, wrapped);
		hv_link_output(b, packet);
		hv_link_receive(wrapped, 1);
		haven_link_destroy(wrapped);
	}
	haven_link_destroy(b);
out:
	reached = test_env_failed(&test.env);
	test_core_finish(&test);
	return reached;
}

static void every_allocation_may_fail(void **state)
{
	uint64_t nth = 1;

	(void)state;
	while (run_with_failure(nth))
		nth++;
	assert_in_range(nth, 5, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_link_lacks_is_done),
		cmocka_unit_test(complete_packets_pass),
		cmocka_unit_test(frames_wait_for_a_busy_link),
		cmocka_unit_test(waiting_is_bounded_in_bytes),
		cmocka_unit_test(failed_sends_are_counted),
		cmocka_unit_test(custom_frames_come_in),
		cmocka_unit_test(pair_carries_packets),
		cmocka_unit_test(pair_queue_is_bounded),
		cmocka_unit_test(addresses_are_chosen_and_kept),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
