/*
 * 4-tuples: the connection that each (protocol, local end, remote end) belongs to. The first
 * look-up of every packet that comes in, so: one keyed hash, one bucket.
 */
#include "port/port_table.h"

struct tuple_key {
	const struct hv_addr *local, *remote;
	uint16_t local_port, remote_port;
	uint8_t proto;
};

static bool tuple_equal(const struct hv_hash_node *node, const void *key)
{
	const struct hv_tuple *t = hv_container(node, const struct hv_tuple, node);
	const struct tuple_key *k = key;

	return t->local_port == k->local_port && t->remote_port == k->remote_port &&
	       t->proto == k->proto && hv_addr_equal(&t->remote, k->remote) &&
	       hv_addr_equal(&t->local, k->local);
}

static struct hv_tuple *find(const struct hv_port_table *table, const struct tuple_key *key,
			     uint32_t hash)
{
	struct hv_hash_node *node = hv_hash_find(&table->tuples, hash, tuple_equal, key);

	return node ? hv_container(node, struct hv_tuple, node) : NULL;
}

struct hv_tuple *hv_port_find(const struct hv_port_table *table, uint8_t proto,
			      const struct hv_addr *local, uint16_t local_port,
			      const struct hv_addr *remote, uint16_t remote_port)
{
	struct tuple_key key = {local, remote, local_port, remote_port, proto};

	return find(table, &key,
		    hv_port_hash(table, proto, local, local_port, remote, remote_port));
}

/* Count its local end among those who hold the port. */
static int hold(struct hv_port_table *table, struct hv_tuple *tuple)
{
	struct hv_port_holder holder;

	tuple->slot = NULL;
	if (tuple->hold == HV_HOLD_NONE)
		return 0;
	tuple->slot = hv_port_slot_get(table, tuple->proto, &tuple->local, tuple->local_port);
	if (!tuple->slot)
		return -ENOMEM;
	holder = hv_port_holder_of_tuple(tuple);
	hv_port_count(table, tuple->slot, &holder, 1);
	return 0;
}

static void let_go(struct hv_port_table *table, struct hv_tuple *tuple)
{
	struct hv_port_holder holder = hv_port_holder_of_tuple(tuple);

	if (!tuple->slot)
		return;
	hv_port_count(table, tuple->slot, &holder, -1);
	hv_port_slot_release(table, tuple->slot);
	tuple->slot = NULL;
}

int hv_port_insert(struct hv_port_table *table, struct hv_tuple *tuple)
{
	struct tuple_key key = {&tuple->local, &tuple->remote, tuple->local_port,
				tuple->remote_port, tuple->proto};
	uint32_t hash = hv_port_hash(table, tuple->proto, &tuple->local, tuple->local_port,
				     &tuple->remote, tuple->remote_port);
	int error;

	if (find(table, &key, hash))
		return -EADDRINUSE;
	error = hold(table, tuple);
	if (error < 0)
		return error;
	error = hv_hash_insert(&table->tuples, &tuple->node, hash);
	if (error < 0) {
		let_go(table, tuple);
		return error;
	}
	hv_port_group_note(table, tuple, true);
	return 0;
}

void hv_port_remove(struct hv_port_table *table, struct hv_tuple *tuple)
{
	hv_hash_remove(&table->tuples, &tuple->node);
	let_go(table, tuple);
	hv_port_group_note(table, tuple, false);
}

void hv_port_replace(struct hv_port_table *table, struct hv_tuple *old, struct hv_tuple *tuple)
{
	uint8_t kind = tuple->kind;

	*tuple = *old;
	tuple->kind = kind;
	/* First in, then out: a table that is not empty has buckets, and keeps them. */
	hv_hash_insert(&table->tuples, &tuple->node, old->node.hash);
	hv_hash_remove(&table->tuples, &old->node);
	old->slot = NULL;
}

struct each_tuple {
	bool (*visit)(const struct hv_tuple *tuple, void *ctx);
	void *ctx;
};

static bool visit_tuple(struct hv_hash_node *node, void *ctx)
{
	const struct each_tuple *each = ctx;

	return each->visit(hv_container(node, struct hv_tuple, node), each->ctx);
}

void hv_port_each_tuple(const struct hv_port_table *table,
			bool (*visit)(const struct hv_tuple *tuple, void *ctx), void *ctx)
{
	struct each_tuple each = {visit, ctx};

	hv_hash_each((struct hv_hash *)&table->tuples, visit_tuple, &each);
}
