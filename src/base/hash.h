/*
 * Intrusive hash table: power-of-two buckets, grows and shrinks by itself *incrementally* (a few
 * buckets moved with each insert or remove, so no single call is long), keyed hash given by the caller.
 * Memory: one pointer a bucket.
 */
#ifndef HV_BASE_HASH_H
#define HV_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hv_core;

struct hv_hash_node {
	struct hv_hash_node *next;
	uint32_t hash;
};

struct hv_hash {
	struct hv_core *core;
	struct hv_hash_node **buckets, **old_buckets; /* old: being moved from */
	uint32_t size, old_size;		      /* powers of two; 0: none yet */
	uint32_t moved;				      /* old buckets moved so far */
	uint32_t count;
	uint32_t walking; /* hv_hash_each() is at work: nothing moves */
};

void hv_hash_init(struct hv_hash *table, struct hv_core *core);
void hv_hash_finish(struct hv_hash *table); /* frees buckets, not nodes */
/* 0, or -ENOMEM (only when the table has no buckets at all; a failed growth is retried later). */
int hv_hash_insert(struct hv_hash *table, struct hv_hash_node *node, uint32_t hash);
void hv_hash_remove(struct hv_hash *table, struct hv_hash_node *node); /* must be in it */
/* First node with this hash for which equal() holds, or NULL. */
struct hv_hash_node *hv_hash_find(const struct hv_hash *table, uint32_t hash,
				  bool (*equal)(const struct hv_hash_node *node,
						const void *key),
				  const void *key);
/* Visit all, in no order; visit may remove the node that it is given; returns false to stop. */
void hv_hash_each(struct hv_hash *table, bool (*visit)(struct hv_hash_node *node, void *ctx),
		  void *ctx);

#endif
