/*
 * Packets: the one struct that travels from link to socket and back, with its buffer behind it
 * in the same allocation, and the free lists they come from.
 */
#include "base/packet.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/core.h"

/* Buffers begin on a cache line of their own. */
enum { HV_PACKET_STRUCT = (sizeof(struct hv_packet) + 63) & ~(size_t)63 };

static struct hv_packet *pool_take(struct hv_packet **list, unsigned *count)
{
	struct hv_packet *packet = *list;

	if (packet) {
		*list = packet->next;
		--*count;
	}
	return packet;
}

struct hv_packet *hv_packet_new(struct hv_core *core, uint32_t headroom, uint32_t size)
{
	struct hv_packet_pool *pool = &core->pool;
	uint64_t need = (uint64_t)headroom + size;
	uint32_t capacity = need <= HV_PACKET_SMALL ? HV_PACKET_SMALL : HV_PACKET_LARGE;
	struct hv_packet *packet;

	if (need > HV_PACKET_LARGE)
		return NULL;
	packet = capacity == HV_PACKET_SMALL ? pool_take(&pool->small, &pool->small_count)
					     : pool_take(&pool->large, &pool->large_count);
	if (!packet)
		packet = hv_alloc(core, HV_PACKET_STRUCT + capacity);
	if (!packet)
		return NULL;
	memset(packet, 0, sizeof(*packet));
	packet->head = (uint8_t *)packet + HV_PACKET_STRUCT;
	packet->capacity = capacity;
	packet->data = packet->head + headroom;
	return packet;
}

void hv_packet_free(struct hv_core *core, struct hv_packet *packet)
{
	struct hv_packet_pool *pool = &core->pool;

	if (!packet)
		return;
	if (packet->capacity == HV_PACKET_SMALL && pool->small_count < HV_PACKET_POOL_SMALL) {
		packet->next = pool->small;
		pool->small = packet;
		pool->small_count++;
	} else if (packet->capacity == HV_PACKET_LARGE &&
		   pool->large_count < HV_PACKET_POOL_LARGE) {
		packet->next = pool->large;
		pool->large = packet;
		pool->large_count++;
	} else {
		hv_free(core, packet, HV_PACKET_STRUCT + packet->capacity);
	}
}

void hv_packet_pool_clear(struct hv_core *core)
{
	struct hv_packet_pool *pool = &core->pool;
	struct hv_packet *packet;

	while ((packet = pool_take(&pool->small, &pool->small_count)))
		hv_free(core, packet, HV_PACKET_STRUCT + packet->capacity);
	while ((packet = pool_take(&pool->large, &pool->large_count)))
		hv_free(core, packet, HV_PACKET_STRUCT + packet->capacity);
}

/* A pointer into one packet's buffer becomes the same place in the other's. */
static uint8_t *moved(const uint8_t *pointer, const struct hv_packet *from,
		      const struct hv_packet *to)
{
	return pointer ? to->head + (pointer - from->head) : NULL;
}

static void append_slices(struct hv_packet *to, const struct hv_packet *from)
{
	for (unsigned i = 0; i < from->slice_count; i++) {
		memcpy(to->data + to->len, from->slices[i].iov_base, from->slices[i].iov_len);
		to->len += (uint32_t)from->slices[i].iov_len;
	}
}

struct hv_packet *hv_packet_copy(struct hv_core *core, const struct hv_packet *packet)
{
	struct hv_packet *copy =
		hv_packet_new(core, hv_packet_headroom(packet), hv_packet_size(packet));

	if (!copy)
		return NULL;
	memcpy(copy->data, packet->data, packet->len);
	copy->len = packet->len;
	append_slices(copy, packet);
	copy->csum = packet->csum;
	copy->gso_type = packet->gso_type;
	copy->gso_size = packet->gso_size;
	copy->csum_start = packet->csum_start;
	copy->csum_offset = packet->csum_offset;
	copy->time_ns = packet->time_ns;
	copy->d = packet->d;
	copy->d.l3 = moved(packet->d.l3, packet, copy);
	copy->d.l4 = moved(packet->d.l4, packet, copy);
	copy->d.payload = moved(packet->d.payload, packet, copy);
	copy->d.options = moved(packet->d.options, packet, copy);
	return copy;
}

struct hv_packet *hv_packet_own(struct hv_core *core, struct hv_packet *packet)
{
	struct hv_packet *copy;

	if (packet->slice_count == 0)
		return packet;
	if (packet->slices_len <= hv_packet_tailroom(packet)) {
		append_slices(packet, packet);
		packet->slice_count = 0;
		packet->slices_len = 0;
		return packet;
	}
	copy = hv_packet_copy(core, packet);
	hv_packet_free(core, packet);
	return copy;
}

uint8_t *hv_packet_push(struct hv_packet *packet, uint32_t size)
{
	assert(hv_packet_headroom(packet) >= size);
	packet->data -= size;
	packet->len += size;
	return packet->data;
}

void hv_packet_pull(struct hv_packet *packet, uint32_t size)
{
	assert(packet->len >= size);
	packet->data += size;
	packet->len -= size;
}

uint8_t *hv_packet_append(struct hv_packet *packet, uint32_t size)
{
	uint8_t *start = packet->data + packet->len;

	assert(packet->slice_count == 0);
	assert(hv_packet_tailroom(packet) >= size);
	packet->len += size;
	return start;
}

void hv_packet_add_slice(struct hv_packet *packet, const void *base, uint32_t size)
{
	assert(packet->slice_count < HV_PACKET_SLICES);
	if (size == 0)
		return;
	packet->slices[packet->slice_count++] =
		(struct iovec){.iov_base = (void *)base, .iov_len = size};
	packet->slices_len += size;
}

void hv_packet_queue_push(struct hv_packet_queue *queue, struct hv_packet *packet)
{
	packet->next = NULL;
	if (queue->last)
		queue->last->next = packet;
	else
		queue->first = packet;
	queue->last = packet;
	queue->count++;
	queue->bytes += hv_packet_size(packet);
}

/* A packet must keep its size while it is queued: `bytes` counts on it. */
struct hv_packet *hv_packet_queue_pop(struct hv_packet_queue *queue)
{
	struct hv_packet *packet = queue->first;

	if (!packet)
		return NULL;
	queue->first = packet->next;
	if (!queue->first)
		queue->last = NULL;
	packet->next = NULL;
	queue->count--;
	queue->bytes -= hv_packet_size(packet);
	return packet;
}

void hv_packet_queue_clear(struct hv_core *core, struct hv_packet_queue *queue)
{
	struct hv_packet *packet;

	while ((packet = hv_packet_queue_pop(queue)))
		hv_packet_free(core, packet);
}
