/*
 * TCP sequence numbers: arithmetic modulo 2^32 (RFC 9293 section 3.4). The only place where
 * they are compared.
 */
#ifndef HV_BASE_SEQ_H
#define HV_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool hv_seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
static inline bool hv_seq_leq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}
static inline bool hv_seq_gt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}
static inline bool hv_seq_geq(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}
static inline uint32_t hv_seq_max(uint32_t a, uint32_t b)
{
	return hv_seq_gt(a, b) ? a : b;
}
static inline uint32_t hv_seq_min(uint32_t a, uint32_t b)
{
	return hv_seq_lt(a, b) ? a : b;
}
/* start <= seq < start + size */
static inline bool hv_seq_in(uint32_t seq, uint32_t start, uint32_t size)
{
	return seq - start < size;
}

#endif
