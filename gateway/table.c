/*
 * Hash table with embedded nodes. See table.h.
 */
#include "gateway/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_BUCKETS 64

void hv_table_init(struct hv_table *table)
{
	memset(table, 0, sizeof(*table));
	if (getrandom(table->key, sizeof(table->key), 0) != (ssize_t)sizeof(table->key))
		table->key[0] = (uint64_t)(uintptr_t)table;
}

void hv_table_finish(struct hv_table *table)
{
	free(table->buckets);
	table->buckets = NULL;
	table->count = 0;
}

/* A multiply-and-fold round: both halves of a 128-bit product. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hv_table_hash(const struct hv_table *table, uint64_t seed, const void *data,
		       size_t size)
{
	const uint8_t *bytes = data;
	uint64_t hash = seed ^ table->key[0] ^ size;

	while (size > 0) {
		uint64_t word = 0;
		size_t part = size < 8 ? size : 8;

		memcpy(&word, bytes, part);
		hash = fold(hash ^ word ^ table->key[1], UINT64_C(0x9e3779b97f4a7c15)) + word;
		bytes += part;
		size -= part;
	}
	return fold(hash ^ table->key[0], table->key[1] | 1);
}

static int grow(struct hv_table *table)
{
	size_t size = table->buckets ? (table->mask + 1) * 2 : FIRST_BUCKETS;
	struct hv_node **buckets = calloc(size, sizeof(struct hv_node *));

	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; table->buckets && i <= table->mask; i++) {
		struct hv_node *node = table->buckets[i];

		while (node) {
			struct hv_node *next = node->next;

			node->next = buckets[node->hash & (size - 1)];
			buckets[node->hash & (size - 1)] = node;
			node = next;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->mask = size - 1;
	return 0;
}

int hv_table_add(struct hv_table *table, struct hv_node *node, uint64_t hash)
{
	/* When it cannot grow, longer chains will do; only the first buckets must be there. */
	if (!table->buckets || table->count > table->mask) {
		if (grow(table) < 0 && !table->buckets)
			return -ENOMEM;
	}
	node->hash = hash;
	node->next = table->buckets[hash & table->mask];
	table->buckets[hash & table->mask] = node;
	table->count++;
	return 0;
}

void hv_table_remove(struct hv_table *table, struct hv_node *node)
{
	struct hv_node **link = &table->buckets[node->hash & table->mask];

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	table->count--;
}

static struct hv_node *same_hash(struct hv_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct hv_node *hv_table_first(const struct hv_table *table, uint64_t hash)
{
	if (!table->buckets)
		return NULL;
	return same_hash(table->buckets[hash & table->mask], hash);
}

struct hv_node *hv_table_next(const struct hv_node *node)
{
	return same_hash(node->next, node->hash);
}
