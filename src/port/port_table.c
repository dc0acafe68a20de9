/*
 * Binds: who owns each (protocol, local address, port), and which two may stand side by side.
 *
 * All binds to one (protocol, address, port) hang in one slot, which is what a packet's
 * destination looks up. For each (protocol, port) a use record counts the binds of all slots by
 * what decides over conflicts, so that neither look-up nor conflict walks over sockets:
 *
 *	slots   (tcp, 10.0.0.1, 80) -> bind, bind      (tcp, any v4, 80) -> bind
 *	ports   (tcp, 80)           -> all: 3 of IPv4, 0 of IPv6; any: 1 of IPv4, 0 of IPv6
 *	bound   bit 80 of tcp
 *
 * Two binds to overlapping addresses conflict unless both have SO_REUSEADDR and neither listens
 * (as Linux decides in inet_csk_bind_conflict). Addresses overlap when they are equal, or one is
 * "any" of the other's family; a dual-stack :: is "any" of both families.
 */
#include "port/port_table.h"

#include <netinet/in.h>

/* Binds by what decides over conflicts. */
struct bind_counts {
	uint32_t total, fixed, listening; /* fixed: without SO_REUSEADDR */
};

struct hv_port_slot {
	struct hv_hash_node node;
	struct hv_addr local;
	uint16_t port;
	uint8_t proto;
	struct bind_counts counts;
	struct hv_list binds; /* receiving ones first, the latest of them in front */
};

enum { FAMILY_V4, FAMILY_V6, FAMILIES };

struct hv_port_use {
	struct hv_hash_node node;
	uint16_t port;
	uint8_t proto;
	uint32_t binds;
	struct bind_counts all[FAMILIES]; /* that cover an address of the family */
	struct bind_counts any[FAMILIES]; /* that cover all addresses of the family */
};

static const struct hv_addr no_address;

unsigned hv_port_index(uint8_t proto)
{
	return proto == IPPROTO_UDP;
}

uint32_t hv_port_hash(const struct hv_port_table *table, uint8_t proto,
		      const struct hv_addr *local, uint16_t local_port,
		      const struct hv_addr *remote, uint16_t remote_port)
{
	struct {
		struct hv_addr local, remote;
		uint16_t local_port, remote_port;
		uint32_t proto;
	} key = {*local, *remote, local_port, remote_port, proto};

	_Static_assert(sizeof(key) == 40, "no padding may be hashed");
	return (uint32_t)hv_siphash(&table->core->hash_key, &key, sizeof(key));
}

/* --- slots and use records ---------------------------------------------------------------- */

struct slot_key {
	const struct hv_addr *local;
	uint16_t port;
	uint8_t proto;
};

static bool slot_equal(const struct hv_hash_node *node, const void *key)
{
	const struct hv_port_slot *slot = hv_container(node, const struct hv_port_slot, node);
	const struct slot_key *k = key;

	return slot->port == k->port && slot->proto == k->proto &&
	       hv_addr_equal(&slot->local, k->local);
}

static struct hv_port_slot *slot_find(const struct hv_port_table *table, uint8_t proto,
				      const struct hv_addr *local, uint16_t port)
{
	struct slot_key key = {local, port, proto};
	struct hv_hash_node *node;

	node = hv_hash_find(&table->slots,
			    hv_port_hash(table, proto, local, port, &no_address, 0), slot_equal,
			    &key);
	return node ? hv_container(node, struct hv_port_slot, node) : NULL;
}

static bool use_equal(const struct hv_hash_node *node, const void *key)
{
	const struct hv_port_use *use = hv_container(node, const struct hv_port_use, node);
	const struct slot_key *k = key;

	return use->port == k->port && use->proto == k->proto;
}

static struct hv_port_use *use_find(const struct hv_port_table *table, uint8_t proto,
				    uint16_t port)
{
	struct slot_key key = {NULL, port, proto};
	struct hv_hash_node *node;

	if (!hv_port_set_has(table->bound[hv_port_index(proto)], port))
		return NULL;
	node = hv_hash_find(&table->ports,
			    hv_port_hash(table, proto, &no_address, port, &no_address, 0),
			    use_equal, &key);
	return node ? hv_container(node, struct hv_port_use, node) : NULL;
}

/* Find or make. NULL: no memory. */
static struct hv_port_slot *slot_get(struct hv_port_table *table, const struct hv_bind *bind,
				     uint16_t port)
{
	struct hv_port_slot *slot = slot_find(table, bind->proto, &bind->local, port);
	uint32_t hash = hv_port_hash(table, bind->proto, &bind->local, port, &no_address, 0);

	if (slot)
		return slot;
	slot = hv_zalloc(table->core, sizeof(*slot));
	if (!slot)
		return NULL;
	slot->local = bind->local;
	slot->port = port;
	slot->proto = bind->proto;
	hv_list_init(&slot->binds);
	if (hv_hash_insert(&table->slots, &slot->node, hash) < 0) {
		hv_free(table->core, slot, sizeof(*slot));
		return NULL;
	}
	return slot;
}

static void slot_release(struct hv_port_table *table, struct hv_port_slot *slot)
{
	if (!hv_list_is_empty(&slot->binds))
		return;
	hv_hash_remove(&table->slots, &slot->node);
	hv_free(table->core, slot, sizeof(*slot));
}

static struct hv_port_use *use_get(struct hv_port_table *table, uint8_t proto, uint16_t port)
{
	struct hv_port_use *use = use_find(table, proto, port);
	uint32_t hash = hv_port_hash(table, proto, &no_address, port, &no_address, 0);

	if (use)
		return use;
	use = hv_zalloc(table->core, sizeof(*use));
	if (!use)
		return NULL;
	use->port = port;
	use->proto = proto;
	if (hv_hash_insert(&table->ports, &use->node, hash) < 0) {
		hv_free(table->core, use, sizeof(*use));
		return NULL;
	}
	hv_port_set_add(table->bound[hv_port_index(proto)], port);
	return use;
}

static void use_release(struct hv_port_table *table, struct hv_port_use *use)
{
	if (use->binds)
		return;
	hv_port_set_remove(table->bound[hv_port_index(use->proto)], use->port);
	hv_hash_remove(&table->ports, &use->node);
	hv_free(table->core, use, sizeof(*use));
}

/* --- counting and conflicts --------------------------------------------------------------- */

static bool covers(const struct hv_bind *bind, int family)
{
	return hv_addr_is_v4(&bind->local) == (family == FAMILY_V4) ||
	       (bind->dual && hv_addr_is_any(&bind->local));
}

static void counts_add(struct bind_counts *counts, const struct hv_bind *bind, int by)
{
	counts->total += (uint32_t)by;
	if (!bind->reuse_addr)
		counts->fixed += (uint32_t)by;
	if (bind->listening)
		counts->listening += (uint32_t)by;
}

/* Add the bind to every record that counts it, or take it away (by: 1 or -1). */
static void count_bind(struct hv_port_use *use, const struct hv_bind *bind, int by)
{
	counts_add(&bind->slot->counts, bind, by);
	for (int family = 0; family < FAMILIES; family++) {
		if (!covers(bind, family))
			continue;
		counts_add(&use->all[family], bind, by);
		if (hv_addr_is_any(&bind->local))
			counts_add(&use->any[family], bind, by);
	}
}

static bool counts_conflict(const struct bind_counts *counts, const struct hv_bind *bind)
{
	return counts->fixed || counts->listening || (!bind->reuse_addr && counts->total);
}

bool hv_port_conflicts(const struct hv_port_table *table, const struct hv_bind *bind,
		       uint16_t port)
{
	const struct hv_port_use *use = use_find(table, bind->proto, port);
	const struct hv_port_slot *slot;
	bool any = hv_addr_is_any(&bind->local);

	if (!use)
		return false;
	for (int family = 0; family < FAMILIES; family++) {
		if (covers(bind, family) &&
		    counts_conflict(any ? &use->all[family] : &use->any[family], bind))
			return true;
	}
	if (any)
		return false;
	slot = slot_find(table, bind->proto, &bind->local, port);
	return slot && counts_conflict(&slot->counts, bind);
}

/* --- calls --------------------------------------------------------------------------------- */

int hv_port_table_init(struct hv_port_table *table, struct hv_core *core,
		       const struct hv_port_config *config)
{
	memset(table, 0, sizeof(*table));
	table->core = core;
	table->config = *config;
	hv_hash_init(&table->tuples, core);
	hv_hash_init(&table->slots, core);
	hv_hash_init(&table->ports, core);
	hv_hash_init(&table->groups, core);
	/* Port 0 means "choose one" and is never chosen itself. */
	if (config->ephemeral_first == 0 || config->ephemeral_first > config->ephemeral_last)
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		table->bound[i] = hv_zalloc(core, sizeof(*table->bound[i]));
		if (!table->bound[i]) {
			hv_port_table_finish(table);
			return -ENOMEM;
		}
	}
	return 0;
}

static bool free_slot(struct hv_hash_node *node, void *ctx)
{
	struct hv_port_table *table = ctx;
	struct hv_port_slot *slot = hv_container(node, struct hv_port_slot, node);
	struct hv_list *bind;

	while ((bind = hv_list_pop(&slot->binds)))
		hv_container(bind, struct hv_bind, node)->slot = NULL;
	hv_hash_remove(&table->slots, node);
	hv_free(table->core, slot, sizeof(*slot));
	return true;
}

static bool free_use(struct hv_hash_node *node, void *ctx)
{
	struct hv_port_table *table = ctx;

	hv_hash_remove(&table->ports, node);
	hv_free(table->core, hv_container(node, struct hv_port_use, node),
		sizeof(struct hv_port_use));
	return true;
}

void hv_port_table_finish(struct hv_port_table *table)
{
	if (!table->core)
		return;
	hv_hash_each(&table->slots, free_slot, table);
	hv_hash_each(&table->ports, free_use, table);
	hv_port_groups_finish(table);
	hv_hash_finish(&table->tuples);
	hv_hash_finish(&table->slots);
	hv_hash_finish(&table->ports);
	hv_hash_finish(&table->groups);
	for (int i = 0; i < 2; i++) {
		hv_free(table->core, table->bound[i], sizeof(*table->bound[i]));
		table->bound[i] = NULL;
	}
	hv_free(table->core, table->offsets, 65536 * sizeof(*table->offsets));
	table->offsets = NULL;
}

int hv_port_bind(struct hv_port_table *table, struct hv_bind *bind)
{
	struct hv_port_slot *slot;
	struct hv_port_use *use;
	uint16_t port = bind->port;

	if (!port) {
		int chosen = hv_port_choose(table, bind);

		if (chosen < 0)
			return chosen;
		port = (uint16_t)chosen;
	} else if (port < table->config.privileged_limit && !table->config.privileged) {
		return -EACCES;
	} else if (hv_port_conflicts(table, bind, port)) {
		return -EADDRINUSE;
	}
	use = use_get(table, bind->proto, port);
	if (!use)
		return -ENOMEM;
	slot = slot_get(table, bind, port);
	if (!slot) {
		use_release(table, use);
		return -ENOMEM;
	}
	bind->port = port;
	bind->slot = slot;
	bind->listening = false;
	bind->since_ns = table->core->now_ns;
	use->binds++;
	count_bind(use, bind, 1);
	hv_list_init(&bind->node);
	hv_port_set_receiving(table, bind, bind->proto == IPPROTO_UDP);
	return 0;
}

void hv_port_unbind(struct hv_port_table *table, struct hv_bind *bind)
{
	struct hv_port_use *use;

	if (!bind->slot)
		return;
	use = use_find(table, bind->proto, bind->port);
	count_bind(use, bind, -1);
	use->binds--;
	hv_list_remove(&bind->node);
	slot_release(table, bind->slot);
	use_release(table, use);
	bind->slot = NULL;
	bind->listening = bind->receiving = false;
}

int hv_port_listen(struct hv_port_table *table, struct hv_bind *bind)
{
	struct hv_port_use *use;
	bool conflict;

	if (!bind->slot)
		return -EINVAL;
	if (bind->listening)
		return 0;
	/* Measured against the others only. */
	use = use_find(table, bind->proto, bind->port);
	count_bind(use, bind, -1);
	conflict = hv_port_conflicts(table, bind, bind->port);
	bind->listening = !conflict;
	count_bind(use, bind, 1);
	if (conflict)
		return -EADDRINUSE;
	hv_port_set_receiving(table, bind, true);
	return 0;
}

void hv_port_set_receiving(struct hv_port_table *table, struct hv_bind *bind, bool receiving)
{
	(void)table;
	if (!bind->slot)
		return;
	bind->receiving = receiving;
	hv_list_remove(&bind->node);
	/* After the list's head stands the front. */
	if (receiving)
		hv_list_append(bind->slot->binds.next, &bind->node);
	else
		hv_list_append(&bind->slot->binds, &bind->node);
}

/* The first that may receive; over IPv4 on a slot of :: only dual-stack ones. */
static struct hv_bind *slot_front(const struct hv_port_slot *slot, bool listening_only,
				  bool need_dual)
{
	if (!slot)
		return NULL;
	for (struct hv_list *n = slot->binds.next; n != &slot->binds; n = n->next) {
		struct hv_bind *bind = hv_container(n, struct hv_bind, node);

		if (!bind->receiving && (listening_only || bind->proto == IPPROTO_UDP))
			return NULL;
		if (bind->dual || !need_dual)
			return bind;
	}
	return NULL;
}

struct hv_bind *hv_port_find_bind(const struct hv_port_table *table, uint8_t proto,
				  const struct hv_addr *local, uint16_t port,
				  bool listening_only)
{
	static const struct hv_addr any_v4 = {{.b = {[10] = 0xff, [11] = 0xff}}};
	static const struct hv_addr any_v6;
	bool v4 = hv_addr_is_v4(local);
	struct hv_bind *bind;

	if (!hv_port_set_has(table->bound[hv_port_index(proto)], port))
		return NULL;
	bind = slot_front(slot_find(table, proto, local, port), listening_only, false);
	if (!bind && v4)
		bind = slot_front(slot_find(table, proto, &any_v4, port), listening_only,
				  false);
	if (!bind)
		bind = slot_front(slot_find(table, proto, &any_v6, port), listening_only, v4);
	return bind;
}

struct each_bind {
	bool (*visit)(const struct hv_bind *bind, void *ctx);
	void *ctx;
};

static bool visit_slot(struct hv_hash_node *node, void *ctx)
{
	const struct each_bind *each = ctx;
	struct hv_list *binds = &hv_container(node, struct hv_port_slot, node)->binds;

	for (struct hv_list *n = binds->next; n != binds; n = n->next) {
		if (!each->visit(hv_container(n, struct hv_bind, node), each->ctx))
			return false;
	}
	return true;
}

void hv_port_each_bind(const struct hv_port_table *table,
		       bool (*visit)(const struct hv_bind *bind, void *ctx), void *ctx)
{
	struct each_bind each = {visit, ctx};

	/* hv_hash_each() may move buckets along, no more. */
	hv_hash_each((struct hv_hash *)&table->slots, visit_slot, &each);
}
