/* TCP and UDP headers: what is written is read back, and what is wrong has its reason. */
#include <netinet/in.h>
#include <string.h>

#include "support/test.h"
#include "wire/checksum.h"
#include "wire/tcp.h"
#include "wire/udp.h"

/* A packet on the test's own buffer: `size` bytes from d.l4 on. */
struct view {
	uint8_t bytes[256];
	struct hv_packet packet;
};

static void view_init(struct view *v, bool v6, uint8_t proto, uint32_t size)
{
	const uint8_t a[16] = {0xfd, [15] = 1}, b[16] = {0xfd, [15] = 2};

	memset(v, 0, sizeof(*v));
	v->packet.head = v->packet.data = v->bytes;
	v->packet.capacity = sizeof(v->bytes);
	v->packet.len = size;
	v->packet.d.l4 = v->packet.d.payload = v->bytes;
	v->packet.d.payload_len = size;
	v->packet.d.proto = proto;
	v->packet.d.src = v6 ? hv_addr_v6(a) : hv_addr_v4(a);
	v->packet.d.dst = v6 ? hv_addr_v6(b) : hv_addr_v4(b);
}

static void view_checksum(struct view *v, unsigned field)
{
	struct hv_desc *d = &v->packet.d;
	uint64_t sum = hv_sum_pseudo(&d->src, &d->dst, d->proto, d->payload_len);

	hv_put16(v->bytes + field, 0);
	sum = hv_sum_add(sum, v->bytes, d->payload_len);
	hv_put_checksum(v->bytes + field, (uint16_t)~hv_sum_fold(sum));
}

static const struct hv_tcp_header sample = {
	.src_port = 65535,
	.dst_port = 80,
	.seq = 0xfffffffe,
	.ack = 0x01020304,
	.flags = HV_TCP_ACK | HV_TCP_PSH | HV_TCP_CWR,
	.window = 0xabcd,
	.urgent = 7,
	.options_len = 12,
};

static void tcp_view(struct view *v, bool v6)
{
	view_init(v, v6, IPPROTO_TCP, 20 + 12 + 5);
	hv_wire_tcp_write(v->bytes, &sample);
	memset(v->bytes + 20, 1, 12);
	memcpy(v->bytes + 32, "hello", 5);
	view_checksum(v, 16);
}

static void tcp_reads_what_was_written(void **state)
{
	struct view v;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct hv_desc *d = &v.packet.d;

		tcp_view(&v, v6);
		assert_int_equal(hv_wire_tcp_parse(&v.packet), HV_DROP_COUNT);
		assert_int_equal(d->src_port, sample.src_port);
		assert_int_equal(d->dst_port, sample.dst_port);
		assert_int_equal(d->seq, sample.seq);
		assert_int_equal(d->ack, sample.ack);
		assert_int_equal(d->tcp_flags, sample.flags);
		assert_int_equal(d->window, sample.window);
		assert_int_equal(d->urgent, sample.urgent);
		assert_ptr_equal(d->options, v.bytes + 20);
		assert_int_equal(d->options_len, 12);
		assert_int_equal(d->payload_len, 5);
		assert_memory_equal(d->payload, "hello", 5);
	}
}

static void tcp_short_headers_are_refused(void **state)
{
	struct view v;

	(void)state;
	for (uint32_t size = 0; size < 32; size++) {
		tcp_view(&v, false);
		v.packet.d.payload_len = size;
		view_checksum(&v, 16);
		assert_int_equal(hv_wire_tcp_parse(&v.packet), HV_DROP_TCP_HEADER);
	}
	for (uint8_t offset = 0; offset < 5; offset++) {
		tcp_view(&v, false);
		v.bytes[12] = (uint8_t)(offset << 4);
		view_checksum(&v, 16);
		assert_int_equal(hv_wire_tcp_parse(&v.packet), HV_DROP_TCP_HEADER);
	}
}

static void tcp_every_flipped_bit_is_seen(void **state)
{
	struct view v;

	(void)state;
	for (unsigned bit = 0; bit < 37 * 8; bit++) {
		tcp_view(&v, bit % 2);
		v.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(hv_wire_tcp_parse(&v.packet), HV_DROP_COUNT);
	}
}

static void tcp_checksum_left_to_the_link_is_not_looked_at(void **state)
{
	struct view v;

	(void)state;
	tcp_view(&v, false);
	v.bytes[16] ^= 1;
	assert_int_equal(hv_wire_tcp_parse(&v.packet), HV_DROP_TCP_CHECKSUM);
	v.packet.csum = HV_CSUM_PARTIAL;
	assert_int_equal(hv_wire_tcp_parse(&v.packet), HV_DROP_COUNT);
	tcp_view(&v, false);
	v.bytes[16] ^= 1;
	v.packet.csum = HV_CSUM_VALID;
	assert_int_equal(hv_wire_tcp_parse(&v.packet), HV_DROP_COUNT);
}

static void udp_view(struct view *v, bool v6, uint16_t length, uint32_t there)
{
	view_init(v, v6, IPPROTO_UDP, there);
	hv_wire_udp_write(v->bytes, 53, 65535, length);
	memcpy(v->bytes + 8, "datagram", 8);
	v->packet.d.payload_len = length;
	view_checksum(v, 6);
	v->packet.d.payload_len = there;
}

static void udp_reads_what_was_written(void **state)
{
	struct view v;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct hv_desc *d = &v.packet.d;

		udp_view(&v, v6, 16, 16);
		assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_COUNT);
		assert_int_equal(d->src_port, 53);
		assert_int_equal(d->dst_port, 65535);
		assert_int_equal(d->payload_len, 8);
		assert_memory_equal(d->payload, "datagram", 8);
		/* What follows the datagram is not part of it. */
		udp_view(&v, v6, 16, 30);
		assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_COUNT);
		assert_int_equal(d->payload_len, 8);
		udp_view(&v, v6, 8, 8);
		assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_COUNT);
		assert_int_equal(d->payload_len, 0);
	}
}

static void udp_lengths_that_lie_are_refused(void **state)
{
	struct view v;

	(void)state;
	udp_view(&v, false, 17, 16);
	assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_UDP_HEADER);
	udp_view(&v, false, 7, 16);
	assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_UDP_HEADER);
	udp_view(&v, true, 0, 16);
	assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_UDP_HEADER);
	udp_view(&v, false, 16, 16);
	v.packet.d.payload_len = 7;
	assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_UDP_HEADER);
}

static void udp_zero_checksum_is_for_ipv4_only(void **state)
{
	struct view v;

	(void)state;
	udp_view(&v, false, 16, 16);
	hv_put16(v.bytes + 6, 0);
	assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_COUNT);
	udp_view(&v, true, 16, 16);
	hv_put16(v.bytes + 6, 0);
	assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_UDP_CHECKSUM);
	udp_view(&v, false, 16, 16);
	v.bytes[9] ^= 1;
	assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_UDP_CHECKSUM);
}

static void udp_many_datagrams_in_one_packet(void **state)
{
	struct view v;

	(void)state;
	udp_view(&v, false, 12, 40);
	v.packet.gso_size = 4;
	v.packet.csum = HV_CSUM_PARTIAL;
	assert_int_equal(hv_wire_udp_parse(&v.packet), HV_DROP_COUNT);
	assert_int_equal(v.packet.d.payload_len, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_reads_what_was_written),
		cmocka_unit_test(tcp_short_headers_are_refused),
		cmocka_unit_test(tcp_every_flipped_bit_is_seen),
		cmocka_unit_test(tcp_checksum_left_to_the_link_is_not_looked_at),
		cmocka_unit_test(udp_reads_what_was_written),
		cmocka_unit_test(udp_lengths_that_lie_are_refused),
		cmocka_unit_test(udp_zero_checksum_is_for_ipv4_only),
		cmocka_unit_test(udp_many_datagrams_in_one_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
