/* The ring buffer behind a stream's send and receive side. */
#include "base/ring.h"

#include <assert.h>
#include <string.h>

#include "base/core.h"

enum { MIN_SIZE = 4096 };

void hv_ring_init(struct hv_ring *ring, uint32_t limit)
{
	/* Sizes are powers of two of 32 bits. */
	assert(limit <= UINT32_C(1) << 31);
	*ring = (struct hv_ring){.limit = limit};
}

void hv_ring_finish(struct hv_ring *ring, struct hv_core *core)
{
	hv_free(core, ring->memory, ring->size);
	hv_ring_init(ring, ring->limit);
}

/* The bytes [offset, offset + size) from the first one held, as one or two pieces of memory. */
static int pieces(const struct hv_ring *ring, uint32_t offset, uint32_t size,
		  struct iovec slices[2])
{
	uint32_t from, first;

	if (size == 0)
		return 0;
	from = (ring->start + offset) & (ring->size - 1);
	first = ring->size - from;
	if (first > size)
		first = size;
	slices[0] = (struct iovec){.iov_base = ring->memory + from, .iov_len = first};
	if (first == size)
		return 1;
	slices[1] = (struct iovec){.iov_base = ring->memory, .iov_len = size - first};
	return 2;
}

/* Move to memory of at least `need` bytes. Without memory for that, the ring stays as it is. */
static void grow(struct hv_ring *ring, struct hv_core *core, uint32_t need)
{
	uint32_t size = ring->size ? ring->size : MIN_SIZE;
	uint8_t *memory;

	while (size < need)
		size *= 2;
	memory = hv_alloc(core, size);
	if (!memory)
		return;
	hv_ring_copy(ring, 0, memory, ring->used);
	hv_free(core, ring->memory, ring->size);
	ring->memory = memory;
	ring->size = size;
	ring->start = 0;
}

uint32_t hv_ring_reserve(struct hv_ring *ring, struct hv_core *core, uint32_t wanted,
			 struct iovec slices[2], int *count)
{
	uint32_t space = hv_ring_space(ring);

	if (wanted > space)
		wanted = space;
	if (ring->used + wanted > ring->size)
		grow(ring, core, ring->used + wanted);
	if (wanted > ring->size - ring->used)
		wanted = ring->size - ring->used;
	*count = pieces(ring, ring->used, wanted, slices);
	return wanted;
}

void hv_ring_commit(struct hv_ring *ring, uint32_t size)
{
	assert(size <= ring->size - ring->used);
	ring->used += size;
}

uint32_t hv_ring_write(struct hv_ring *ring, struct hv_core *core, const void *data,
		       uint32_t size)
{
	const uint8_t *p = data;
	struct iovec slices[2];
	int count;

	size = hv_ring_reserve(ring, core, size, slices, &count);
	for (int i = 0; i < count; i++) {
		memcpy(slices[i].iov_base, p, slices[i].iov_len);
		p += slices[i].iov_len;
	}
	hv_ring_commit(ring, size);
	return size;
}

uint32_t hv_ring_slices(const struct hv_ring *ring, uint32_t offset, uint32_t size,
			struct iovec slices[2], int *count)
{
	if (offset >= ring->used)
		size = 0;
	else if (size > ring->used - offset)
		size = ring->used - offset;
	*count = pieces(ring, offset, size, slices);
	return size;
}

uint32_t hv_ring_copy(const struct hv_ring *ring, uint32_t offset, void *data, uint32_t size)
{
	uint8_t *p = data;
	struct iovec slices[2];
	int count;

	size = hv_ring_slices(ring, offset, size, slices, &count);
	for (int i = 0; i < count; i++) {
		memcpy(p, slices[i].iov_base, slices[i].iov_len);
		p += slices[i].iov_len;
	}
	return size;
}

void hv_ring_consume(struct hv_ring *ring, uint32_t size)
{
	assert(size <= ring->used);
	ring->used -= size;
	/* An empty ring starts at the front again: the next bytes are one piece, in warm memory. */
	ring->start = ring->used ? (ring->start + size) & (ring->size - 1) : 0;
}

void hv_ring_trim(struct hv_ring *ring, struct hv_core *core)
{
	if (ring->used == 0)
		hv_ring_finish(ring, core);
}
