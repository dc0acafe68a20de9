/*
 * Bytes that come in pieces. See bytes.h.
 */
#include "gateway/bytes.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 256
/* What one connection may keep for its next head: a connection that waits costs no more. */
#define CAPACITY_KEPT 1024

/* By doubling, so that bytes that come one by one cost as much time as those that come at once. */
static bool grow(struct hv_bytes *bytes, size_t size)
{
	size_t capacity = bytes->capacity ? bytes->capacity : CAPACITY_MIN;
	uint8_t *data;

	while (capacity < size)
		capacity *= 2;
	data = realloc(bytes->data, capacity);
	if (!data)
		return false;
	bytes->data = data;
	bytes->capacity = capacity;
	return true;
}

bool hv_bytes_append(struct hv_bytes *bytes, const uint8_t *data, size_t size)
{
	if (size == 0)
		return true;
	if (bytes->capacity - bytes->size < size && !grow(bytes, bytes->size + size))
		return false;
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	return true;
}

void hv_bytes_clear(struct hv_bytes *bytes)
{
	bytes->size = 0;
	if (bytes->capacity > CAPACITY_KEPT)
		hv_bytes_free(bytes);
}

void hv_bytes_free(struct hv_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct hv_bytes){0};
}
