/*
 * Binds: made, made to listen, moved, found. Their slots and what they conflict with are in
 * port_slot.c.
 */
#include "port/port_table.h"

#include <netinet/in.h>

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
	hv_hash_init(&table->owners, core);
	/* Port 0 means "choose one" and is never chosen itself. */
	if (config->ephemeral_first == 0 || config->ephemeral_first > config->ephemeral_last)
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		table->used[i] = hv_zalloc(core, sizeof(*table->used[i]));
		table->bound[i] = hv_zalloc(core, sizeof(*table->bound[i]));
		if (!table->used[i] || !table->bound[i]) {
			hv_port_table_finish(table);
			return -ENOMEM;
		}
	}
	return 0;
}

static void set_free(struct hv_port_table *table, struct hv_port_set **set)
{
	hv_free(table->core, *set, sizeof(**set));
	*set = NULL;
}

void hv_port_table_finish(struct hv_port_table *table)
{
	if (!table->core)
		return;
	hv_port_slots_finish(table);
	hv_port_groups_finish(table);
	hv_port_owners_finish(table);
	hv_hash_finish(&table->tuples);
	hv_hash_finish(&table->slots);
	hv_hash_finish(&table->ports);
	hv_hash_finish(&table->groups);
	hv_hash_finish(&table->owners);
	for (int i = 0; i < 2; i++) {
		set_free(table, &table->used[i]);
		set_free(table, &table->bound[i]);
	}
	set_free(table, &table->excluded);
	hv_free(table->core, table->offsets, 65536 * sizeof(*table->offsets));
	table->offsets = NULL;
}

/* Hang an unbound bind into the slot of bind->local and this port. -ENOMEM. */
static int attach(struct hv_port_table *table, struct hv_bind *bind, uint16_t port)
{
	struct hv_port_slot *slot = hv_port_slot_get(table, bind->proto, &bind->local, port);
	struct hv_port_holder holder;

	if (!slot)
		return -ENOMEM;
	if ((hv_addr_is_any(&bind->local) && hv_port_slot_reserve_any(table, slot) < 0) ||
	    (bind->reuse_port && hv_port_team_reserve(table, slot) < 0)) {
		hv_port_slot_release(table, slot);
		return -ENOMEM;
	}
	bind->slot = slot;
	bind->port = port;
	bind->team_index = HV_PORT_NO_TEAM;
	hv_list_init(&bind->node);
	holder = hv_port_holder_of_bind(bind);
	hv_port_count(table, slot, &holder, 1);
	return 0;
}

static void detach(struct hv_port_table *table, struct hv_bind *bind)
{
	struct hv_port_holder holder = hv_port_holder_of_bind(bind);

	hv_port_team_leave(bind->slot, bind);
	hv_list_remove(&bind->node);
	hv_port_count(table, bind->slot, &holder, -1);
	hv_port_slot_release(table, bind->slot);
	bind->slot = NULL;
}

int hv_port_bind(struct hv_port_table *table, struct hv_bind *bind)
{
	uint16_t port = bind->port;
	int error;

	bind->listening = false;
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
	error = hv_port_charge(table, bind);
	if (error < 0)
		return error;
	error = attach(table, bind, port);
	if (error < 0) {
		hv_port_uncharge(table, bind);
		return error;
	}
	bind->since_ns = table->core->now_ns;
	hv_port_set_receiving(table, bind, bind->proto == IPPROTO_UDP);
	return 0;
}

int hv_port_move(struct hv_port_table *table, struct hv_bind *bind, const struct hv_addr *local)
{
	struct hv_bind old = *bind;
	int error;

	if (!bind->slot || hv_addr_equal(&bind->local, local))
		return 0;
	bind->local = *local;
	/* The old place is given up when the new one is sure. */
	hv_port_team_leave(old.slot, bind);
	hv_list_remove(&bind->node);
	error = attach(table, bind, bind->port);
	if (error < 0) {
		bind->local = old.local;
		bind->slot = old.slot;
	} else {
		struct hv_port_holder holder = hv_port_holder_of_bind(&old);

		hv_port_count(table, old.slot, &holder, -1);
		hv_port_slot_release(table, old.slot);
	}
	hv_port_set_receiving(table, bind, bind->receiving);
	return error;
}

void hv_port_unbind(struct hv_port_table *table, struct hv_bind *bind)
{
	hv_port_uncharge(table, bind);
	if (!bind->slot)
		return;
	detach(table, bind);
	bind->listening = bind->receiving = false;
}

int hv_port_listen(struct hv_port_table *table, struct hv_bind *bind)
{
	struct hv_port_holder holder;
	bool conflict;

	if (!bind->slot)
		return -EINVAL;
	if (bind->listening)
		return 0;
	/* Measured against the others only. */
	holder = hv_port_holder_of_bind(bind);
	hv_port_count(table, bind->slot, &holder, -1);
	conflict = hv_port_conflicts(table, bind, bind->port);
	bind->listening = !conflict;
	holder = hv_port_holder_of_bind(bind);
	hv_port_count(table, bind->slot, &holder, 1);
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
	if (receiving)
		hv_port_team_join(bind->slot, bind);
	else
		hv_port_team_leave(bind->slot, bind);
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

/* The slots of a destination, best first: its address, any of its family, dual-stack. */
static struct hv_bind *find_in_order(const struct hv_port_table *table, uint8_t proto,
				     const struct hv_addr *local, uint16_t port,
				     bool listening_only, const struct hv_port_slot **slot)
{
	static const struct hv_addr any_v4 = {{.b = {[10] = 0xff, [11] = 0xff}}};
	static const struct hv_addr any_v6;
	bool v4 = hv_addr_is_v4(local);
	struct hv_bind *bind;

	if (!hv_port_set_has(table->bound[hv_port_index(proto)], port))
		return NULL;
	*slot = hv_port_slot_find(table, proto, local, port);
	bind = slot_front(*slot, listening_only, false);
	if (!bind && v4) {
		*slot = hv_port_slot_find(table, proto, &any_v4, port);
		bind = slot_front(*slot, listening_only, false);
	}
	if (!bind) {
		*slot = hv_port_slot_find(table, proto, &any_v6, port);
		bind = slot_front(*slot, listening_only, v4);
	}
	return bind;
}

struct hv_bind *hv_port_find_bind(const struct hv_port_table *table, uint8_t proto,
				  const struct hv_addr *local, uint16_t port,
				  bool listening_only)
{
	const struct hv_port_slot *slot;

	return find_in_order(table, proto, local, port, listening_only, &slot);
}

struct hv_bind *hv_port_find_receiver(const struct hv_port_table *table, uint8_t proto,
				      const struct hv_addr *local, uint16_t port,
				      const struct hv_addr *remote, uint16_t remote_port)
{
	const struct hv_port_slot *slot;
	struct hv_bind *bind = find_in_order(table, proto, local, port, true, &slot), *member;

	if (!bind || !bind->reuse_port)
		return bind;
	member = hv_port_team_pick(slot,
				   hv_port_hash(table, proto, local, port, remote, remote_port),
				   hv_addr_is_v4(local) && !hv_addr_is_v4(&slot->local));
	return member ? member : bind;
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
