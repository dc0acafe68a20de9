/*
 * A hash table of nodes that are embedded in what they find: chained, growing by doubling,
 * keyed by a secret, since the guest chooses most of what is looked up.
 */
#ifndef HV_GATEWAY_TABLE_H
#define HV_GATEWAY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct hv_node {
	struct hv_node *next;
	uint64_t hash;
};

struct hv_table {
	struct hv_node **buckets; /* NULL until the first add */
	size_t mask;
	size_t count;
	uint64_t key[2];
};

/* Chooses the key. Allocates nothing. */
void hv_table_init(struct hv_table *table);
void hv_table_finish(struct hv_table *table); /* the nodes belong to the caller */

/* Of `size` bytes, keyed; chain several fields by handing the last result in as `seed`. */
uint64_t hv_table_hash(const struct hv_table *table, uint64_t seed, const void *data,
		       size_t size);

/* 0 or -ENOMEM. */
int hv_table_add(struct hv_table *table, struct hv_node *node, uint64_t hash);
void hv_table_remove(struct hv_table *table, struct hv_node *node);

/* First node of this hash, and the one after; the caller compares the keys. */
struct hv_node *hv_table_first(const struct hv_table *table, uint64_t hash);
struct hv_node *hv_table_next(const struct hv_node *node);

#endif
