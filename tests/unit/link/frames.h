/*
 * Frames for tests of links: a builder, a slow and independent check of what comes out, a
 * stack that is only its core, and a place where delivered packets are kept.
 */
#ifndef TEST_LINK_FRAMES_H
#define TEST_LINK_FRAMES_H

#include <netinet/in.h>

#include "base/core.h"
#include "link/link.h"
#include "support/env.h"

/* A stack that has nothing but its core: enough for links. */
struct test_core {
	struct test_env env;
	struct hv_core core;
	struct hv_packet_queue received; /* by test_deliver() */
};

void test_core_init(struct test_core *test, uint64_t seed);
/* Frees what was received; fails the test when anything else is left. */
void test_core_finish(struct test_core *test);
static inline struct haven_stack *test_stack(struct test_core *test)
{
	return (struct haven_stack *)&test->core;
}
/* Let a link deliver into test->received. */
void test_receive_from(struct test_core *test, struct haven_link *link);
/* Set the time and run the timers, as haven_poll() does. */
void test_poll(struct test_core *test, uint64_t now_ns);

/* What a frame is made of. Addresses are 10.9.0.2 to 10.9.0.1, or fd09::2 to fd09::1. */
struct frame {
	bool v6;
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t tcp_flags;
	uint32_t seq;
	uint16_t src_port, dst_port;
	uint16_t id;	  /* IPv4 */
	uint32_t options; /* bytes of TCP options (NOPs), multiple of 4 */
	uint32_t payload; /* bytes, by frame_byte() from `payload_at` on */
	uint32_t payload_at;
	uint16_t gso_size;
	uint32_t in_slices; /* that many bytes of the payload are borrowed, in two slices */
	uint8_t src_mac[6], dst_mac[6];
	uint32_t ack;
};

/* The payload byte at a position. */
static inline uint8_t frame_byte(uint32_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) * 13);
}
/* 1 MiB of frame_byte(), for slices. */
const uint8_t *frame_bytes(void);

/* Ethernet frame with partial checksum and, with gso_size, a segment type. */
struct hv_packet *frame_new(struct hv_core *core, const struct frame *frame);
/* Bytes of all headers. */
uint32_t frame_headers(const struct frame *frame);

/* Internet checksum, one word at a time: sum of big-endian words, folded, not inverted. */
uint16_t slow_sum(const uint8_t *data, uint32_t size, uint32_t sum);
/* Whether IP header and transport checksum of an Ethernet frame (no slices) are right. */
bool frame_is_right(const uint8_t *data, uint32_t size);

#endif
