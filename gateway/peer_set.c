/*
 * A small set of addresses. See peer_set.h.
 */
#include "gateway/peer_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 8

typedef uint64_t hash_fn(const void *key, const uint8_t address[16]);

static const uint8_t unused[16];

/* Where it is, or the free slot where it belongs. */
static uint32_t find(const struct hv_peer_set *set, const uint8_t address[16], hash_fn *hash,
		     const void *key)
{
	uint32_t i = (uint32_t)hash(key, address) & (set->size - 1);

	while (memcmp(set->slots[i], unused, 16) != 0 &&
	       memcmp(set->slots[i], address, 16) != 0)
		i = (i + 1) & (set->size - 1);
	return i;
}

static void enter(struct hv_peer_set *set, const uint8_t address[16], hash_fn *hash,
		  const void *key)
{
	uint32_t i = find(set, address, hash, key);

	if (memcmp(set->slots[i], address, 16) == 0)
		return;
	memcpy(set->slots[i], address, 16);
	set->count++;
}

/* Room for one more, at most three quarters full. */
static bool make_room(struct hv_peer_set *set, hash_fn *hash, const void *key)
{
	struct hv_peer_set larger = {.size = set->size ? set->size * 2 : FIRST_SIZE};

	assert((set->slots || set->size == 0) && set->count <= set->size);
	if (set->count >= HV_PEER_SET_MAX) {
		memset(set->slots, 0, (size_t)set->size * 16);
		set->count = 0;
	}
	if (set->slots && set->count + 1 <= set->size / 4 * 3)
		return true;
	larger.slots = calloc(larger.size, 16);
	if (!larger.slots)
		return false;
	for (uint32_t i = 0; i < set->size; i++) {
		if (memcmp(set->slots[i], unused, 16) != 0)
			enter(&larger, set->slots[i], hash, key);
	}
	free(set->slots);
	set->slots = larger.slots;
	set->size = larger.size;
	set->count = larger.count;
	return true;
}

void hv_peer_set_add(struct hv_peer_set *set, const uint8_t address[16], hash_fn *hash,
		     const void *key)
{
	if (memcmp(set->last, address, 16) == 0)
		return;
	/* The one before goes into the set, and so does this when it is not alone. */
	if (memcmp(set->last, unused, 16) != 0 && make_room(set, hash, key))
		enter(set, set->last, hash, key);
	memcpy(set->last, address, 16);
}

bool hv_peer_set_has(const struct hv_peer_set *set, const uint8_t address[16], hash_fn *hash,
		     const void *key)
{
	if (memcmp(set->last, address, 16) == 0)
		return true;
	if (!set->slots)
		return false;
	return memcmp(set->slots[find(set, address, hash, key)], address, 16) == 0;
}

void hv_peer_set_finish(struct hv_peer_set *set)
{
	free(set->slots);
	memset(set, 0, sizeof(*set));
}
