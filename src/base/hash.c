/*
 * The hash table behind connections, binds and neighbours.
 *
 * Growing and shrinking happen a few buckets at a time: while old_buckets is there, a hash whose
 * old bucket has not been moved yet lives in the old array, every other one in the new array. A
 * new bucket is therefore first read after the move that fills it, and the new array needs no
 * clearing in advance.
 */
#include "base/hash.h"

#include <string.h>

#include "base/core.h"

enum { MIN_SIZE = 16, MOVES_PER_CALL = 8 };

void hv_hash_init(struct hv_hash *table, struct hv_core *core)
{
	memset(table, 0, sizeof(*table));
	table->core = core;
}

static void free_buckets(struct hv_hash *table, struct hv_hash_node **buckets, uint32_t size)
{
	hv_free(table->core, buckets, (size_t)size * sizeof(struct hv_hash_node *));
}

void hv_hash_finish(struct hv_hash *table)
{
	free_buckets(table, table->old_buckets, table->old_size);
	free_buckets(table, table->buckets, table->size);
	hv_hash_init(table, table->core);
}

static struct hv_hash_node **bucket_of(const struct hv_hash *table, uint32_t hash)
{
	if (table->old_buckets) {
		uint32_t index = hash & (table->old_size - 1);

		if (index >= table->moved)
			return &table->old_buckets[index];
	}
	return &table->buckets[hash & (table->size - 1)];
}

static void move_bucket(struct hv_hash *table, uint32_t index)
{
	struct hv_hash_node *node = table->old_buckets[index], *next;

	/* Growing: this bucket splits in two. Shrinking: the lower of two that merge comes first. */
	if (index < table->size)
		table->buckets[index] = NULL;
	if (table->old_size < table->size)
		table->buckets[index + table->old_size] = NULL;
	for (; node; node = next) {
		struct hv_hash_node **to = &table->buckets[node->hash & (table->size - 1)];

		next = node->next;
		node->next = *to;
		*to = node;
	}
}

static void move_some(struct hv_hash *table)
{
	for (int i = 0; i < MOVES_PER_CALL && table->old_buckets; i++) {
		move_bucket(table, table->moved++);
		if (table->moved == table->old_size) {
			free_buckets(table, table->old_buckets, table->old_size);
			table->old_buckets = NULL;
			table->old_size = 0;
		}
	}
}

/* Begin to move to an array of another size; without memory for it, the old one goes on. */
static void resize(struct hv_hash *table, uint32_t size)
{
	struct hv_hash_node **buckets = hv_alloc(table->core, (size_t)size * sizeof(*buckets));

	if (!buckets)
		return;
	table->old_buckets = table->buckets;
	table->old_size = table->size;
	table->buckets = buckets;
	table->size = size;
	table->moved = 0;
}

static void adapt(struct hv_hash *table)
{
	if (table->walking)
		return;
	if (table->count == 0 && (table->size > MIN_SIZE || table->old_buckets))
		hv_hash_finish(table); /* nothing to move: the memory goes back at once */
	else if (table->old_buckets)
		move_some(table);
	else if (table->count > table->size && table->size <= UINT32_MAX / 4)
		resize(table, table->size * 2);
	else if (table->count < table->size / 8 && table->size > MIN_SIZE)
		resize(table, table->size / 2);
}

static int first_buckets(struct hv_hash *table)
{
	table->buckets = hv_zalloc(table->core, MIN_SIZE * sizeof(struct hv_hash_node *));
	if (!table->buckets)
		return -ENOMEM;
	table->size = MIN_SIZE;
	return 0;
}

int hv_hash_insert(struct hv_hash *table, struct hv_hash_node *node, uint32_t hash)
{
	struct hv_hash_node **bucket;

	if (!table->buckets && first_buckets(table) < 0)
		return -ENOMEM;
	if (table->count > 0)
		adapt(table);
	bucket = bucket_of(table, hash);
	node->hash = hash;
	node->next = *bucket;
	*bucket = node;
	table->count++;
	return 0;
}

void hv_hash_remove(struct hv_hash *table, struct hv_hash_node *node)
{
	struct hv_hash_node **link = bucket_of(table, node->hash);

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	node->next = NULL;
	table->count--;
	adapt(table);
}

struct hv_hash_node *hv_hash_find(const struct hv_hash *table, uint32_t hash,
				  bool (*equal)(const struct hv_hash_node *node,
						const void *key),
				  const void *key)
{
	struct hv_hash_node *node;

	if (!table->buckets)
		return NULL;
	for (node = *bucket_of(table, hash); node; node = node->next) {
		if (node->hash == hash && equal(node, key))
			return node;
	}
	return NULL;
}

static bool visit_bucket(struct hv_hash_node *node,
			 bool (*visit)(struct hv_hash_node *node, void *ctx), void *ctx)
{
	struct hv_hash_node *next;

	for (; node; node = next) {
		next = node->next;
		if (!visit(node, ctx))
			return false;
	}
	return true;
}

void hv_hash_each(struct hv_hash *table, bool (*visit)(struct hv_hash_node *node, void *ctx),
		  void *ctx)
{
	bool more = true;

	table->walking++;
	for (uint32_t i = table->moved; more && i < table->old_size; i++)
		more = visit_bucket(table->old_buckets[i], visit, ctx);
	for (uint32_t i = 0; more && i < table->size; i++) {
		/* Of the new array, only what was moved already holds anything. */
		if (table->old_buckets && (i & (table->old_size - 1)) >= table->moved)
			continue;
		more = visit_bucket(table->buckets[i], visit, ctx);
	}
	table->walking--;
}
