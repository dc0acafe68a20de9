/*
 * Ring buffer of bytes: grows by doubling up to a limit when bytes are reserved, and gives its memory back
 * when it is empty for an idle connection (hv_ring_trim). Positions count from the first byte held.
 */
#ifndef HV_BASE_RING_H
#define HV_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct hv_core;

struct hv_ring {
	uint8_t *memory; /* NULL until first used */
	uint32_t size;	 /* power of two, or 0 */
	uint32_t start;	 /* index of the first byte */
	uint32_t used;
	uint32_t limit; /* most bytes ever held */
};

void hv_ring_init(struct hv_ring *ring, uint32_t limit);
void hv_ring_finish(struct hv_ring *ring, struct hv_core *core);
static inline uint32_t hv_ring_space(const struct hv_ring *ring)
{
	return ring->used < ring->limit ? ring->limit - ring->used : 0;
}
/* Room for up to `wanted` bytes after the last one (grown when needed): slices and their bytes; less than wanted
 * when the limit or memory ends. */
uint32_t hv_ring_reserve(struct hv_ring *ring, struct hv_core *core, uint32_t wanted,
			 struct iovec slices[2], int *count);
void hv_ring_commit(struct hv_ring *ring, uint32_t size); /* at most what was reserved */
/* Copy in: returns the bytes taken. */
uint32_t hv_ring_write(struct hv_ring *ring, struct hv_core *core, const void *data,
		       uint32_t size);
/* Slices of the bytes at offset (0: first), at most size; returns how many bytes they hold. */
uint32_t hv_ring_slices(const struct hv_ring *ring, uint32_t offset, uint32_t size,
			struct iovec slices[2], int *count);
/* Copy out without consuming; returns bytes copied. */
uint32_t hv_ring_copy(const struct hv_ring *ring, uint32_t offset, void *data, uint32_t size);
void hv_ring_consume(struct hv_ring *ring, uint32_t size); /* at most used */
/* Free the memory when the ring is empty. */
void hv_ring_trim(struct hv_ring *ring, struct hv_core *core);

#endif
