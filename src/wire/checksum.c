/*
 * The Internet checksum. Most packets of a TAP with offloads never come here; when one does, the
 * sum over its payload is the largest part of its cost, so it runs over 64 bytes at a time in
 * vector lanes: the halves of each 64-bit word are added apart, and no carry can be lost.
 */
#include "wire/checksum.h"

#include <arpa/inet.h>
#include <string.h>

typedef uint64_t lanes __attribute__((vector_size(16)));

/* Lanes hold sums of 32-bit halves; this much data cannot make them overflow. */
enum { BLOCK = 64, MAX_RUN = 1 << 30 };

static uint64_t add_with_carry(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline lanes halves(const uint8_t *p)
{
	const lanes low = {UINT32_MAX, UINT32_MAX};
	lanes v;

	memcpy(&v, p, sizeof(v));
	return (v & low) + (v >> 32);
}

/* Whole blocks; count at most MAX_RUN / BLOCK. */
static uint64_t sum_blocks(const uint8_t *p, size_t count)
{
	lanes a = {0}, b = {0};

	for (; count > 0; count--, p += BLOCK) {
		a += halves(p) + halves(p + 32);
		b += halves(p + 16) + halves(p + 48);
	}
	a += b;
	return add_with_carry(a[0], a[1]);
}

/* What is left: up to a block, the last byte maybe alone (it counts as the first of its word). */
static uint64_t sum_tail(const uint8_t *p, size_t size)
{
	uint64_t sum = 0;
	uint32_t word;

	for (; size >= 4; size -= 4, p += 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	if (size > 0) {
		word = 0;
		memcpy(&word, p, size);
		sum += word;
	}
	return sum;
}

uint64_t hv_sum_add(uint64_t sum, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size >= BLOCK) {
		size_t run = size > MAX_RUN ? MAX_RUN : size & ~(size_t)(BLOCK - 1);

		sum = add_with_carry(sum, sum_blocks(p, run / BLOCK));
		p += run;
		size -= run;
	}
	return add_with_carry(sum, sum_tail(p, size));
}

/* A piece at an odd offset has every byte in the other half of its word (RFC 1071 section 2.B). */
uint64_t hv_sum_add_at(uint64_t sum, const void *data, size_t size, size_t offset)
{
	uint16_t piece;

	if ((offset & 1) == 0)
		return hv_sum_add(sum, data, size);
	piece = hv_sum_fold(hv_sum_add(0, data, size));
	return add_with_carry(sum, __builtin_bswap16(piece));
}

uint16_t hv_sum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t hv_sum_pseudo(const struct hv_addr *src, const struct hv_addr *dst, uint8_t proto,
		       uint32_t length)
{
	uint64_t sum = (uint64_t)htonl(length) + htonl(proto);

	sum += (uint64_t)src->u32[3] + dst->u32[3];
	if (hv_addr_is_v4(src))
		return sum;
	for (int i = 0; i < 3; i++)
		sum += (uint64_t)src->u32[i] + dst->u32[i];
	return sum;
}

uint16_t hv_checksum(const void *data, size_t size)
{
	return (uint16_t)~hv_sum_fold(hv_sum_add(0, data, size));
}
