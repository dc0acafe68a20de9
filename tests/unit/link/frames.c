/* Frames for tests of links. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "link/frames.h"
#include "wire/bytes.h"

void test_core_init(struct test_core *test, uint64_t seed)
{
	struct haven_env haven;

	memset(test, 0, sizeof(*test));
	test_env_init(&test->env, seed);
	haven = test_env_haven(&test->env);
	if (hv_core_init(&test->core, &haven) != 0)
		abort();
}

void test_core_finish(struct test_core *test)
{
	hv_packet_queue_clear(&test->core, &test->received);
	hv_core_finish(&test->core);
	test_env_finish(&test->env);
}

static void test_deliver(void *ctx, struct haven_link *link, struct hv_packet *packet)
{
	struct test_core *test = ctx;

	(void)link;
	hv_packet_queue_push(&test->received, packet);
}

void test_receive_from(struct test_core *test, struct haven_link *link)
{
	link->deliver = test_deliver;
	link->deliver_ctx = test;
}

void test_poll(struct test_core *test, uint64_t now_ns)
{
	test->core.now_ns = now_ns;
	hv_timer_advance(&test->core.wheel, now_ns);
}

const uint8_t *frame_bytes(void)
{
	static uint8_t bytes[1 << 20];

	if (!bytes[1])
		for (uint32_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = frame_byte(i);
	return bytes;
}

static uint32_t ip_header(const struct frame *frame)
{
	return frame->v6 ? 40 : 20;
}

static uint32_t transport_header(const struct frame *frame)
{
	return frame->proto == IPPROTO_UDP ? 8 : 20 + frame->options;
}

uint32_t frame_headers(const struct frame *frame)
{
	return 14 + ip_header(frame) + transport_header(frame);
}

uint16_t slow_sum(const uint8_t *data, uint32_t size, uint32_t sum)
{
	for (uint32_t i = 0; i < size; i++) {
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Sum of the pseudo-header of the packet whose IP header is at ip. */
static uint16_t slow_pseudo(const uint8_t *ip, uint8_t proto, uint32_t length)
{
	const uint8_t tail[8] = {(uint8_t)(length >> 24),
				 (uint8_t)(length >> 16),
				 (uint8_t)(length >> 8),
				 (uint8_t)length,
				 0,
				 0,
				 0,
				 proto};
	bool v6 = ip[0] >> 4 == 6;
	uint16_t sum = slow_sum(ip + (v6 ? 8 : 12), v6 ? 32 : 8, 0);

	return slow_sum(tail, 8, sum);
}

bool frame_is_right(const uint8_t *data, uint32_t size)
{
	const uint8_t *ip = data + 14, *transport;
	bool v6 = ip[0] >> 4 == 6;
	uint8_t proto = v6 ? ip[6] : ip[9];
	uint32_t length;

	if (!v6 && slow_sum(ip, 20, 0) != 0xffff)
		return false;
	if ((v6 ? hv_get16(ip + 4) + 40u : hv_get16(ip + 2)) != size - 14)
		return false;
	transport = ip + (v6 ? 40 : 20);
	length = size - (uint32_t)(transport - data);
	if (proto == IPPROTO_UDP && hv_get16(transport + 4) != length)
		return false;
	return slow_sum(transport, length, slow_pseudo(ip, proto, length)) == 0xffff;
}

static void write_ip(uint8_t *ip, const struct frame *frame, uint32_t length)
{
	static const uint8_t v6[2][16] = {{0xfd, 0x09, [15] = 2}, {0xfd, 0x09, [15] = 1}};
	static const uint8_t v4[2][4] = {{10, 9, 0, 2}, {10, 9, 0, 1}};

	memset(ip, 0, ip_header(frame));
	if (frame->v6) {
		ip[0] = 0x60;
		hv_put16(ip + 4, (uint16_t)length);
		ip[6] = frame->proto;
		ip[7] = 64;
		memcpy(ip + 8, v6, 32);
		return;
	}
	ip[0] = 0x45;
	hv_put16(ip + 2, (uint16_t)(20 + length));
	hv_put16(ip + 4, frame->id);
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = frame->proto;
	memcpy(ip + 12, v4, 8);
	hv_put16(ip + 10, (uint16_t)~slow_sum(ip, 20, 0));
}

static void write_transport(uint8_t *p, const struct frame *frame, uint32_t length)
{
	memset(p, 0, transport_header(frame));
	hv_put16(p, frame->src_port);
	hv_put16(p + 2, frame->dst_port);
	if (frame->proto == IPPROTO_UDP) {
		hv_put16(p + 4, (uint16_t)length);
		return;
	}
	hv_put32(p + 4, frame->seq);
	hv_put32(p + 8, frame->ack);
	p[12] = (uint8_t)(transport_header(frame) / 4 << 4);
	p[13] = frame->tcp_flags;
	hv_put16(p + 14, 65535);
	memset(p + 20, 1, frame->options);
}

static uint8_t gso_type(const struct frame *frame)
{
	if (!frame->gso_size)
		return HV_GSO_NONE;
	if (frame->proto == IPPROTO_UDP)
		return HV_GSO_UDP;
	return frame->v6 ? HV_GSO_TCP6 : HV_GSO_TCP4;
}

struct hv_packet *frame_new(struct hv_core *core, const struct frame *frame)
{
	uint32_t length = transport_header(frame) + frame->payload;
	uint32_t linear = frame->payload - frame->in_slices, part = frame->in_slices / 3;
	const uint8_t *bytes = frame_bytes() + frame->payload_at;
	struct hv_packet *packet =
		hv_packet_new(core, HV_PACKET_HEADROOM, frame_headers(frame) + linear);
	uint8_t *p, *transport;

	assert(packet);
	p = hv_packet_append(packet, frame_headers(frame) + linear);
	memcpy(p, frame->dst_mac, 6);
	memcpy(p + 6, frame->src_mac, 6);
	hv_put16(p + 12, frame->v6 ? 0x86dd : 0x0800);
	write_ip(p + 14, frame, length);
	transport = p + 14 + ip_header(frame);
	write_transport(transport, frame, length);
	packet->csum = HV_CSUM_PARTIAL;
	packet->csum_start = (uint16_t)(transport - packet->head);
	packet->csum_offset = frame->proto == IPPROTO_UDP ? 6 : 16;
	hv_put16(transport + packet->csum_offset, slow_pseudo(p + 14, frame->proto, length));
	packet->gso_type = gso_type(frame);
	packet->gso_size = frame->gso_size;
	memcpy(p + frame_headers(frame), bytes, linear);
	hv_packet_add_slice(packet, bytes + linear, part);
	hv_packet_add_slice(packet, bytes + linear + part, frame->in_slices - part);
	return packet;
}
