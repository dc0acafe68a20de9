/*
 * Internet checksum (RFC 1071). Sums are ones' complement, folded late, over native-order words.
 *
 * A sum is carried as 64 bits with end-around carry, so that pieces can be added in any order
 * and folded once at the end.
 */
#ifndef HV_WIRE_CHECKSUM_H
#define HV_WIRE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Add bytes to a running sum; only the last piece may have an odd size. */
uint64_t hv_sum_add(uint64_t sum, const void *data, size_t size);
/* The same for a piece that stands `offset` bytes after the start of what is summed; any sizes. */
uint64_t hv_sum_add_at(uint64_t sum, const void *data, size_t size, size_t offset);
/* Fold to 16 bits, not inverted, in the byte order that can be stored into the header as it is. */
uint16_t hv_sum_fold(uint64_t sum);
/* Pseudo-header sum (RFC 9293 section 3.1; RFC 8200 section 8.1): length in bytes of transport header and data. */
uint64_t hv_sum_pseudo(const struct hv_addr *src, const struct hv_addr *dst, uint8_t proto,
		       uint32_t length);
/* Whole checksum of contiguous data: ready for the field. */
uint16_t hv_checksum(const void *data, size_t size);

/*
 * Store what hv_sum_fold() or hv_checksum() gave into a header: the value is in memory order
 * already, the field may be unaligned.
 */
static inline void hv_put_checksum(uint8_t *field, uint16_t value)
{
	memcpy(field, &value, 2);
}

#endif
