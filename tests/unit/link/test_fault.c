/* The bad network: what a seed decides is exact, times are exact, order is what it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "link/frames.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/tcp.h"

#define MS UINT64_C(1000000)

/* b sends to a through `in`, a sends to b through `out`. */
struct path {
	struct test_core a, b;
	struct haven_link *link_a, *link_b;
};

static void path_open(struct path *path, uint64_t seed, const struct haven_fault *in,
		      const struct haven_fault *out)
{
	struct haven_link *inner;

	test_core_init(&path->a, seed);
	test_core_init(&path->b, 99);
	assert_int_equal(haven_link_pair(test_stack(&path->a), test_stack(&path->b), NULL, 4096,
					 &inner, &path->link_b),
			 0);
	assert_int_equal(haven_link_fault(test_stack(&path->a), inner, in, out, &path->link_a),
			 0);
	test_receive_from(&path->a, path->link_a);
	test_receive_from(&path->b, path->link_b);
}

static void path_close(struct path *path)
{
	haven_link_destroy(path->link_a);
	haven_link_destroy(path->link_b);
	test_core_finish(&path->a);
	test_core_finish(&path->b);
}

/* Datagram number n: its source port tells. */
static struct hv_packet *numbered(struct test_core *test, uint32_t n)
{
	const struct frame frame = {.proto = IPPROTO_UDP,
				    .payload = 100,
				    .src_port = (uint16_t)n};

	return frame_new(&test->core, &frame);
}

static uint32_t number_of(const struct hv_packet *packet)
{
	return hv_get16(packet->data + 34);
}

static void send_in(struct path *path, uint32_t n)
{
	assert_int_equal(hv_link_output(path->link_b, numbered(&path->b, n)), 0);
	assert_int_equal(hv_link_receive(path->link_a, 64), 1);
}

static struct haven_fault_counters in_counters(const struct path *path)
{
	struct haven_fault_counters in, out;

	haven_link_fault_counters(path->link_a, &in, &out);
	return in;
}

static const struct haven_fault perfect;

/* The share is right, and the same seed loses the very same packets. */
static void loss_follows_the_seed(void **state)
{
	const struct haven_fault loss = {.loss_ppm = 100000};
	uint8_t lost[2][10000] = {{0}};
	uint64_t counted[2];

	(void)state;
	for (int run = 0; run < 2; run++) {
		struct path path;
		struct hv_packet *packet;

		path_open(&path, 42, &loss, &perfect);
		memset(lost[run], 1, sizeof(lost[run]));
		for (uint32_t n = 0; n < 10000; n++)
			send_in(&path, n);
		while ((packet = hv_packet_queue_pop(&path.a.received))) {
			lost[run][number_of(packet)] = 0;
			hv_packet_free(&path.a.core, packet);
		}
		counted[run] = in_counters(&path).lost;
		assert_int_equal(in_counters(&path).packets, 10000);
		assert_int_equal(path.a.core.drops[HV_DROP_FAULT_LOSS], counted[run]);
		path_close(&path);
	}
	assert_memory_equal(lost[0], lost[1], sizeof(lost[0]));
	assert_int_equal(counted[0], counted[1]);
	assert_in_range(counted[0], 900, 1100);
}

/* Marks go into packets that are capable of ECN, whose header stays right, and into no other. */
static void marks_what_is_capable(void **state)
{
	const struct haven_fault marks = {.mark_ppm = 1000000};
	static const uint8_t before[4] = {0, 1, 2, 3}, after[4] = {0, 3, 3, 3};
	struct path path;

	(void)state;
	path_open(&path, 3, &marks, &perfect);
	for (int v6 = 0; v6 < 2; v6++) {
		for (unsigned ecn = 0; ecn < 4; ecn++) {
			const struct frame frame = {.proto = IPPROTO_UDP,
						    .payload = 9,
						    .v6 = v6};
			struct hv_packet *packet = frame_new(&path.b.core, &frame);
			uint8_t *ip = packet->data + 14;

			ip[1] = (uint8_t)(before[ecn] << (v6 ? 4 : 0));
			if (!v6) {
				hv_put16(ip + 10, 0);
				hv_put_checksum(ip + 10, hv_checksum(ip, 20));
			}
			assert_int_equal(hv_link_output(path.link_b, packet), 0);
			assert_int_equal(hv_link_receive(path.link_a, 64), 1);
			packet = hv_packet_queue_pop(&path.a.received);
			ip = packet->data + 14;
			assert_int_equal(ip[1] >> (v6 ? 4 : 0) & 3, after[ecn]);
			if (!v6)
				assert_int_equal(hv_checksum(ip, 20), 0);
			hv_packet_free(&path.a.core, packet);
		}
	}
	assert_int_equal(in_counters(&path).marked, 4);
	assert_int_equal(in_counters(&path).lost, 0);
	path_close(&path);
}

/* The share of losses and the mean length of their runs are what was asked for. */
static void losses_come_in_bursts(void **state)
{
	const struct haven_fault bursts = {.burst_ppm = 50000, .burst_packets = 20};
	enum { PACKETS = 50000 };
	uint32_t lost = 0, runs = 0, last = 0;
	struct hv_packet *packet;
	struct path path;

	(void)state;
	path_open(&path, 7, &bursts, &perfect);
	for (uint32_t n = 1; n <= PACKETS; n++) {
		send_in(&path, n);
		packet = hv_packet_queue_pop(&path.a.received);
		if (!packet) {
			lost++;
			runs += last != 0;
			last = 0;
			continue;
		}
		last = number_of(packet);
		hv_packet_free(&path.a.core, packet);
	}
	assert_int_equal(in_counters(&path).lost, lost);
	assert_in_range(lost, PACKETS * 35 / 1000, PACKETS * 65 / 1000);
	assert_in_range(lost / runs, 15, 25);
	path_close(&path);
}

static void a_burst_without_end(void **state)
{
	const struct haven_fault all = {.burst_ppm = 1000000, .burst_packets = 1};
	struct path path;

	(void)state;
	path_open(&path, 1, &all, &perfect);
	for (uint32_t n = 0; n < 100; n++)
		send_in(&path, n);
	assert_int_equal(path.a.received.count, 0);
	path_close(&path);
}

static void everything_is_lost(void **state)
{
	const struct haven_fault all = {.loss_ppm = 1000000};
	struct path path;

	(void)state;
	path_open(&path, 1, &perfect, &all);
	for (uint32_t n = 0; n < 100; n++) {
		assert_int_equal(hv_link_output(path.link_a, numbered(&path.a, n)), 0);
		send_in(&path, n);
	}
	assert_int_equal(hv_link_receive(path.link_b, 200), 0);
	assert_int_equal(path.a.received.count, 100);
	path_close(&path);
}

static void duplicates_follow_at_once(void **state)
{
	const struct haven_fault twice = {.duplicate_ppm = 1000000};
	struct path path;

	(void)state;
	path_open(&path, 1, &perfect, &twice);
	for (uint32_t n = 0; n < 50; n++)
		assert_int_equal(hv_link_output(path.link_a, numbered(&path.a, n)), 0);
	assert_int_equal(hv_link_receive(path.link_b, 200), 100);
	for (uint32_t i = 0; i < 100; i++) {
		struct hv_packet *packet = hv_packet_queue_pop(&path.b.received);

		assert_int_equal(number_of(packet), i / 2);
		hv_offload_checksum(packet);
		assert_true(frame_is_right(packet->data, packet->len));
		hv_packet_free(&path.b.core, packet);
	}
	path_close(&path);
}

/* Every packet has one bit flipped, says that it is not verified, and fails the check. */
static void corruption_can_be_found(void **state)
{
	const struct haven_fault all = {.corrupt_ppm = 1000000};
	struct hv_packet *packet;
	struct path path;

	(void)state;
	path_open(&path, 1, &all, &perfect);
	for (uint32_t n = 0; n < 500; n++) {
		struct hv_packet *original = numbered(&path.b, n);
		unsigned flipped = 0;

		send_in(&path, n);
		packet = hv_packet_queue_pop(&path.a.received);
		hv_offload_checksum(original);
		assert_int_equal(packet->csum, HV_CSUM_NONE);
		assert_int_equal(packet->len, original->len);
		for (uint32_t i = 0; i < packet->len; i++)
			flipped += (unsigned)__builtin_popcount(packet->data[i] ^
								original->data[i]);
		assert_int_equal(flipped, 1);
		assert_memory_equal(packet->data, original->data, 14);
		hv_packet_free(&path.a.core, packet);
		hv_packet_free(&path.b.core, original);
	}
	assert_int_equal(in_counters(&path).corrupted, 500);
	path_close(&path);
}

/* What has no checksum is lost instead. */
static void corrupted_arp_is_lost(void **state)
{
	const struct haven_fault all = {.corrupt_ppm = 1000000};
	struct hv_packet *packet;
	struct path path;

	(void)state;
	path_open(&path, 1, &all, &perfect);
	packet = numbered(&path.b, 1);
	packet->csum = HV_CSUM_NONE;
	hv_put16(packet->data + 12, 0x0806);
	assert_int_equal(hv_link_output(path.link_b, packet), 0);
	assert_int_equal(hv_link_receive(path.link_a, 64), 1);
	assert_int_equal(path.a.received.count, 0);
	assert_int_equal(path.a.core.drops[HV_DROP_FAULT_LOSS], 1);
	path_close(&path);
}

/* Some are overtaken, by at most a few; none is missing, none comes twice. */
static void reordered_packets_are_overtaken(void **state)
{
	const struct haven_fault reorder = {.reorder_ppm = 100000};
	uint8_t seen[2000] = {0};
	struct path path;
	struct hv_packet *packet;
	uint32_t highest = 0, late = 0;

	(void)state;
	path_open(&path, 5, &reorder, &perfect);
	for (uint32_t n = 0; n < 2000; n++)
		send_in(&path, n);
	test_poll(&path.a, 20 * MS); /* the last ones may still be held */
	while ((packet = hv_packet_queue_pop(&path.a.received))) {
		uint32_t n = number_of(packet);

		assert_int_equal(seen[n]++, 0);
		if (n < highest) {
			late++;
			assert_true(highest - n < 20);
		}
		highest = n > highest ? n : highest;
		hv_packet_free(&path.a.core, packet);
	}
	for (uint32_t n = 0; n < 2000; n++)
		assert_int_equal(seen[n], 1);
	assert_in_range(in_counters(&path).reordered, 150, 250);
	assert_in_range(late, in_counters(&path).reordered - 20, in_counters(&path).reordered);
	path_close(&path);
}

/* Nobody follows: a held packet goes on by time. */
static void held_packet_goes_on_alone(void **state)
{
	const struct haven_fault reorder = {.reorder_ppm = 1000000};
	struct path path;

	(void)state;
	path_open(&path, 5, &reorder, &perfect);
	send_in(&path, 1);
	test_poll(&path.a, 4 * MS);
	assert_int_equal(path.a.received.count, 0);
	assert_true(hv_timer_next(&path.a.core.wheel) < 6 * MS);
	test_poll(&path.a, 6 * MS);
	assert_int_equal(path.a.received.count, 1);
	path_close(&path);
}

/* Delay: not before its time, in time, in both directions. */
static void delay_is_kept(void **state)
{
	const struct haven_fault in = {.delay_ns = 10 * MS}, out = {.delay_ns = 25 * MS};
	struct path path;

	(void)state;
	path_open(&path, 1, &in, &out);
	test_poll(&path.a, 100 * MS);
	send_in(&path, 1);
	assert_int_equal(hv_link_output(path.link_a, numbered(&path.a, 2)), 0);
	assert_int_equal(path.a.received.count, 0);
	test_poll(&path.a, 110 * MS - 1);
	assert_int_equal(path.a.received.count, 0);
	assert_true(hv_timer_next(&path.a.core.wheel) <= 110 * MS + HV_TIMER_TICK_NS);
	test_poll(&path.a, 110 * MS + HV_TIMER_TICK_NS);
	assert_int_equal(path.a.received.count, 1);
	assert_int_equal(hv_link_receive(path.link_b, 1), 0);
	test_poll(&path.a, 125 * MS + HV_TIMER_TICK_NS);
	assert_int_equal(hv_link_receive(path.link_b, 1), 1);
	path_close(&path);
}

/* Jitter stays within its bounds and keeps the order. */
static void jitter_keeps_order(void **state)
{
	const struct haven_fault in = {.delay_ns = 10 * MS, .jitter_ns = 5 * MS};
	uint64_t now_ns, sent_ns[500] = {0};
	uint32_t expected = 0, spread = 0;
	struct path path;

	(void)state;
	path_open(&path, 3, &in, &perfect);
	for (now_ns = MS; expected < 500; now_ns += MS / 4) {
		struct hv_packet *packet;

		test_poll(&path.a, now_ns);
		if (now_ns / (MS / 4) - 4 < 500) {
			sent_ns[now_ns / (MS / 4) - 4] = now_ns;
			send_in(&path, (uint32_t)(now_ns / (MS / 4) - 4));
		}
		while ((packet = hv_packet_queue_pop(&path.a.received))) {
			uint64_t took_ns;

			assert_int_equal(number_of(packet), expected);
			took_ns = now_ns - sent_ns[expected++];
			assert_in_range(took_ns, 5 * MS, 15 * MS + MS / 2);
			spread += took_ns < 12 * MS;
			hv_packet_free(&path.a.core, packet);
		}
	}
	assert_true(spread > 10);
	path_close(&path);
}

/* 142 bytes a packet at 1.136 Mbit/s: one each millisecond; ten fit into the queue. */
static void rate_and_queue(void **state)
{
	const struct haven_fault in = {.rate_bits_per_second = 1136000, .queue_bytes = 1420};
	struct path path;

	(void)state;
	path_open(&path, 1, &in, &perfect);
	test_poll(&path.a, 1000 * MS);
	for (uint32_t n = 0; n < 30; n++)
		send_in(&path, n);
	assert_in_range(in_counters(&path).overflowed, 19, 20);
	assert_int_equal(path.a.core.drops[HV_DROP_FAULT_QUEUE], in_counters(&path).overflowed);
	for (uint32_t n = 1; n <= 10; n++) {
		test_poll(&path.a, (1000 + n) * MS - 1);
		assert_int_equal(path.a.received.count, n - 1);
		test_poll(&path.a, (1000 + n) * MS + HV_TIMER_TICK_NS);
		assert_int_equal(path.a.received.count, n);
	}
	/* Idle time is not saved up. */
	test_poll(&path.a, 5000 * MS);
	send_in(&path, 1);
	test_poll(&path.a, 5001 * MS - 1);
	assert_int_equal(path.a.received.count, 10);
	path_close(&path);
}

/* A packet of many segments is cut before chance looks at it, both ways. */
static void large_packets_are_cut(void **state)
{
	const struct haven_fault loss = {.loss_ppm = 300000};
	const struct frame frame = {.proto = IPPROTO_TCP,
				    .tcp_flags = HV_TCP_ACK,
				    .payload = 40000,
				    .gso_size = 1000,
				    .in_slices = 39000};
	struct haven_fault_counters in, out;
	struct hv_packet *packet;
	struct path path;

	(void)state;
	path_open(&path, 1, &loss, &loss);
	assert_int_equal(haven_link_offloads(path.link_a), HAVEN_OFFLOAD_CSUM);
	assert_int_equal(hv_link_output(path.link_b, frame_new(&path.b.core, &frame)), 0);
	assert_int_equal(hv_link_receive(path.link_a, 64), 1);
	assert_int_equal(hv_link_output(path.link_a, frame_new(&path.a.core, &frame)), 0);
	haven_link_fault_counters(path.link_a, &in, &out);
	assert_int_equal(in.packets, 40);
	assert_int_equal(out.packets, 40);
	assert_in_range(in.lost, 5, 20);
	assert_in_range(out.lost, 5, 20);
	assert_int_equal(path.a.received.count, 40 - in.lost);
	assert_int_equal(hv_link_receive(path.link_b, 64), 40 - out.lost);
	while ((packet = hv_packet_queue_pop(&path.b.received))) {
		assert_int_equal(packet->len, 1054);
		assert_int_equal(packet->csum, HV_CSUM_PARTIAL);
		hv_offload_checksum(packet);
		assert_true(frame_is_right(packet->data, packet->len));
		hv_packet_free(&path.b.core, packet);
	}
	path_close(&path);
}

/* Without anything to do, packets pass as they are, offloads included. */
static void a_perfect_network_changes_nothing(void **state)
{
	const struct frame frame = {.proto = IPPROTO_TCP, .payload = 40000, .gso_size = 1000};
	struct path path;

	(void)state;
	path_open(&path, 1, &perfect, &perfect);
	assert_int_equal(haven_link_offloads(path.link_a), haven_link_offloads(path.link_b));
	assert_int_equal(hv_link_output(path.link_a, frame_new(&path.a.core, &frame)), 0);
	assert_int_equal(hv_link_receive(path.link_b, 64), 1);
	assert_int_equal(path.b.received.first->gso_size, 1000);
	path_close(&path);
}

/* The delay line is bounded, whatever the delay. Packets in it are freed with the link. */
static void delay_line_is_bounded(void **state)
{
	const struct haven_fault in = {.delay_ns = 1000000 * MS};
	struct path path;

	(void)state;
	path_open(&path, 1, &in, &perfect);
	for (uint32_t n = 0; n < 33000; n++)
		send_in(&path, n);
	assert_int_equal(in_counters(&path).overflowed, 33000 - 32768);
	path_close(&path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loss_follows_the_seed),
		cmocka_unit_test(marks_what_is_capable),
		cmocka_unit_test(losses_come_in_bursts),
		cmocka_unit_test(a_burst_without_end),
		cmocka_unit_test(everything_is_lost),
		cmocka_unit_test(duplicates_follow_at_once),
		cmocka_unit_test(corruption_can_be_found),
		cmocka_unit_test(corrupted_arp_is_lost),
		cmocka_unit_test(reordered_packets_are_overtaken),
		cmocka_unit_test(held_packet_goes_on_alone),
		cmocka_unit_test(delay_is_kept),
		cmocka_unit_test(jitter_keeps_order),
		cmocka_unit_test(rate_and_queue),
		cmocka_unit_test(large_packets_are_cut),
		cmocka_unit_test(a_perfect_network_changes_nothing),
		cmocka_unit_test(delay_line_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
