/*
 * Limits per owner: how many sockets of one owner hold a port, by a bind or by a connection. A socket is
 * counted once, whatever it holds; owner 0 is nobody and has no limit.
 */
#include "port/port_table.h"

struct hv_port_owner {
	struct hv_hash_node node;
	uint64_t owner;
	uint32_t count;
};

static bool owner_equal(const struct hv_hash_node *node, const void *key)
{
	return hv_container(node, const struct hv_port_owner, node)->owner ==
	       *(const uint64_t *)key;
}

static uint32_t owner_hash(const struct hv_port_table *table, uint64_t owner)
{
	return (uint32_t)hv_siphash(&table->core->hash_key, &owner, sizeof(owner));
}

static struct hv_port_owner *owner_find(const struct hv_port_table *table, uint64_t owner)
{
	struct hv_hash_node *node =
		hv_hash_find(&table->owners, owner_hash(table, owner), owner_equal, &owner);

	return node ? hv_container(node, struct hv_port_owner, node) : NULL;
}

static int owner_take(struct hv_port_table *table, uint64_t id, bool limited)
{
	struct hv_port_owner *owner = owner_find(table, id);

	if (owner) {
		if (limited && owner->count >= table->config.max_per_owner)
			return -EMFILE;
		owner->count++;
		return 0;
	}
	owner = hv_zalloc(table->core, sizeof(*owner));
	if (!owner)
		return -ENOMEM;
	owner->owner = id;
	owner->count = 1;
	if (hv_hash_insert(&table->owners, &owner->node, owner_hash(table, id)) < 0) {
		hv_free(table->core, owner, sizeof(*owner));
		return -ENOMEM;
	}
	return 0;
}

int hv_port_charge(struct hv_port_table *table, struct hv_bind *bind)
{
	int error;

	if (bind->charged || !bind->owner || !table->config.max_per_owner)
		return 0;
	error = owner_take(table, bind->owner, true);
	bind->charged = !error;
	return error;
}

void hv_port_uncharge(struct hv_port_table *table, struct hv_bind *bind)
{
	struct hv_port_owner *owner;

	if (!bind->charged)
		return;
	bind->charged = false;
	owner = owner_find(table, bind->owner);
	if (--owner->count)
		return;
	hv_hash_remove(&table->owners, &owner->node);
	hv_free(table->core, owner, sizeof(*owner));
}

void hv_port_set_owner(struct hv_port_table *table, struct hv_bind *bind, uint64_t owner)
{
	bool holds = bind->charged || bind->slot || bind->connected;

	if (bind->owner == owner)
		return;
	hv_port_uncharge(table, bind);
	bind->owner = owner;
	/* Without memory it goes uncounted: a limit may be missed by one, and nothing breaks. */
	if (holds && owner && table->config.max_per_owner)
		bind->charged = owner_take(table, owner, false) == 0;
}

static bool free_owner(struct hv_hash_node *node, void *ctx)
{
	struct hv_port_table *table = ctx;

	hv_hash_remove(&table->owners, node);
	hv_free(table->core, hv_container(node, struct hv_port_owner, node),
		sizeof(struct hv_port_owner));
	return true;
}

void hv_port_owners_finish(struct hv_port_table *table)
{
	hv_hash_each(&table->owners, free_owner, table);
}
