/*
 * Who holds each (protocol, local address, port), and which two may stand side by side.
 *
 * Everything that holds one (protocol, address, port), bind or connection, is counted in one slot. For
 * each (protocol, port) a use record counts the holders of all its slots by what decides over
 * conflicts, so that neither look-up nor conflict walks over sockets:
 *
 *	slots   (tcp, 10.0.0.1, 80) -> 2 connections   (tcp, any v4, 80) -> a bind
 *	ports   (tcp, 80)           -> one address of IPv4: 2, any of IPv4: 1; each by its options
 *	used, bound   bit 80 of tcp
 *
 * Two holders of overlapping addresses conflict, as Linux decides it (inet_csk_bind_conflict,
 * udp_lib_lport_inuse), unless both have SO_REUSEADDR and the one that was there does not listen, or both
 * have SO_REUSEPORT. Addresses overlap when they are equal, or one is "any" of the other's family;
 * a dual-stack :: is "any" of both. tests/kernel/bind_matrix.txt has every case.
 */
#include "port/port_table.h"

#include <netinet/in.h>

static const struct hv_addr no_address;

#define BIT(class) (1u << (class))

/* What an end of a class overlaps with, whatever the address is. The same address does besides. */
static const uint8_t overlaps[HV_PORT_CLASSES] = {
	[HV_CLASS_V4_ANY] = BIT(HV_CLASS_V4_ANY) | BIT(HV_CLASS_V4_ONE) | BIT(HV_CLASS_V6_DUAL),
	[HV_CLASS_V4_ONE] = BIT(HV_CLASS_V4_ANY) | BIT(HV_CLASS_V6_DUAL),
	[HV_CLASS_V6_DUAL] = BIT(HV_PORT_CLASSES) - 1,
	[HV_CLASS_V6_ONLY] = BIT(HV_CLASS_V6_DUAL) | BIT(HV_CLASS_V6_ONLY) |
			     BIT(HV_CLASS_V6_ONE) | BIT(HV_CLASS_V6_WAS_DUAL),
	[HV_CLASS_V6_ONE] = BIT(HV_CLASS_V6_DUAL) | BIT(HV_CLASS_V6_ONLY),
	[HV_CLASS_V6_WAS_DUAL] = BIT(HV_CLASS_V6_DUAL) | BIT(HV_CLASS_V6_ONLY),
};

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

/* --- sets ----------------------------------------------------------------------------------- */

static bool in_range(const struct hv_port_table *table, uint16_t port)
{
	return port >= table->config.ephemeral_first && port <= table->config.ephemeral_last;
}

static bool is_excluded(const struct hv_port_table *table, uint16_t port)
{
	return table->excluded && hv_port_set_has(table->excluded, port);
}

static void mark_bound(struct hv_port_table *table, unsigned index, uint16_t port, bool bound)
{
	if (hv_port_set_has(table->bound[index], port) == bound)
		return;
	if (bound)
		hv_port_set_add(table->bound[index], port);
	else
		hv_port_set_remove(table->bound[index], port);
	if (in_range(table, port))
		table->bound_in_range[index] += bound ? 1u : -1u;
}

static void mark_used(struct hv_port_table *table, unsigned index, uint16_t port, bool used)
{
	if (used)
		hv_port_set_add(table->used[index], port);
	else
		hv_port_set_remove(table->used[index], port);
}

/* --- slots and use records ------------------------------------------------------------------ */

struct slot_key {
	const struct hv_addr *local;
	uint16_t port;
	uint8_t proto;
};

static bool slot_equal(const struct hv_hash_node *node, const void *key)
{
	const struct hv_port_slot *slot = hv_container(node, const struct hv_port_slot, node);
	const struct slot_key *k = key;

	return slot->use->port == k->port && slot->use->proto == k->proto &&
	       hv_addr_equal(&slot->local, k->local);
}

struct hv_port_slot *hv_port_slot_find(const struct hv_port_table *table, uint8_t proto,
				       const struct hv_addr *local, uint16_t port)
{
	struct slot_key key = {local, port, proto};
	struct hv_hash_node *node;

	node = hv_hash_find(&table->slots,
			    hv_port_hash(table, proto, local, port, &no_address, 0), slot_equal,
			    &key);
	return node ? hv_container(node, struct hv_port_slot, node) : NULL;
}

struct hv_port_any {
	uint32_t counts[HV_PORT_ANY_CLASSES][HV_PORT_SHARES];
};

static bool use_equal(const struct hv_hash_node *node, const void *key)
{
	const struct hv_port_use *use = hv_container(node, const struct hv_port_use, node);
	const struct slot_key *k = key;

	return use->port == k->port && use->proto == k->proto;
}

static uint32_t use_hash(const struct hv_port_table *table, uint8_t proto, uint16_t port)
{
	return hv_port_hash(table, proto, &no_address, port, &no_address, 0);
}

static struct hv_port_use *use_find(const struct hv_port_table *table, uint8_t proto,
				    uint16_t port)
{
	struct slot_key key = {NULL, port, proto};
	struct hv_hash_node *node;

	if (!hv_port_set_has(table->used[hv_port_index(proto)], port))
		return NULL;
	node = hv_hash_find(&table->ports, use_hash(table, proto, port), use_equal, &key);
	return node ? hv_container(node, struct hv_port_use, node) : NULL;
}

static struct hv_port_use *use_get(struct hv_port_table *table, uint8_t proto, uint16_t port)
{
	struct hv_port_use *use = use_find(table, proto, port);

	if (use)
		return use;
	use = hv_zalloc(table->core, sizeof(*use));
	if (!use)
		return NULL;
	use->port = port;
	use->proto = proto;
	if (hv_hash_insert(&table->ports, &use->node, use_hash(table, proto, port)) < 0) {
		hv_free(table->core, use, sizeof(*use));
		return NULL;
	}
	mark_used(table, hv_port_index(proto), port, true);
	return use;
}

static void use_release(struct hv_port_table *table, struct hv_port_use *use)
{
	if (use->slots)
		return;
	mark_used(table, hv_port_index(use->proto), use->port, is_excluded(table, use->port));
	hv_hash_remove(&table->ports, &use->node);
	hv_free(table->core, use->any, sizeof(*use->any));
	hv_free(table->core, use, sizeof(*use));
}

int hv_port_slot_reserve_any(struct hv_port_table *table, struct hv_port_slot *slot)
{
	struct hv_port_use *use = slot->use;

	if (!use->any)
		use->any = hv_zalloc(table->core, sizeof(*use->any));
	return use->any ? 0 : -ENOMEM;
}

/* The counts of a class; NULL: none ever was. */
static uint32_t *use_counts(const struct hv_port_use *use, enum hv_port_class class)
{
	if (class < HV_PORT_ANY_CLASSES)
		return use->any ? use->any->counts[class] : NULL;
	return (uint32_t *)use->counts[class - HV_PORT_ANY_CLASSES];
}

struct hv_port_slot *hv_port_slot_get(struct hv_port_table *table, uint8_t proto,
				      const struct hv_addr *local, uint16_t port)
{
	uint32_t hash = hv_port_hash(table, proto, local, port, &no_address, 0);
	struct slot_key key = {local, port, proto};
	struct hv_hash_node *node = hv_hash_find(&table->slots, hash, slot_equal, &key);
	struct hv_port_slot *slot;

	if (node)
		return hv_container(node, struct hv_port_slot, node);
	slot = hv_zalloc(table->core, sizeof(*slot));
	if (!slot)
		return NULL;
	slot->local = *local;
	hv_list_init(&slot->binds);
	slot->use = use_get(table, proto, port);
	if (!slot->use) {
		hv_free(table->core, slot, sizeof(*slot));
		return NULL;
	}
	slot->use->slots++;
	if (hv_hash_insert(&table->slots, &slot->node, hash) < 0) {
		slot->use->slots--;
		use_release(table, slot->use);
		hv_free(table->core, slot, sizeof(*slot));
		return NULL;
	}
	return slot;
}

void hv_port_slot_release(struct hv_port_table *table, struct hv_port_slot *slot)
{
	if (slot->counts[0] || slot->counts[1] || slot->counts[2] || slot->counts[3])
		return;
	hv_port_team_release(table, slot);
	hv_hash_remove(&table->slots, &slot->node);
	slot->use->slots--;
	use_release(table, slot->use);
	hv_free(table->core, slot, sizeof(*slot));
}

static bool free_slot(struct hv_hash_node *node, void *ctx)
{
	struct hv_port_slot *slot = hv_container(node, struct hv_port_slot, node);
	struct hv_list *bind;

	while ((bind = hv_list_pop(&slot->binds)))
		hv_container(bind, struct hv_bind, node)->slot = NULL;
	memset(slot->counts, 0, sizeof(slot->counts));
	hv_port_slot_release(ctx, slot);
	return true;
}

void hv_port_slots_finish(struct hv_port_table *table)
{
	hv_hash_each(&table->slots, free_slot, table);
}

/* --- counting and conflicts ----------------------------------------------------------------- */

static enum hv_port_class class_of(const struct hv_addr *local, bool dual)
{
	bool any = hv_addr_is_any(local);

	if (hv_addr_is_v4(local))
		return any ? HV_CLASS_V4_ANY : HV_CLASS_V4_ONE;
	if (any)
		return dual ? HV_CLASS_V6_DUAL : HV_CLASS_V6_ONLY;
	return dual ? HV_CLASS_V6_WAS_DUAL : HV_CLASS_V6_ONE;
}

struct hv_port_holder hv_port_holder_of_bind(const struct hv_bind *bind)
{
	return (struct hv_port_holder){
		.class = class_of(&bind->local, bind->dual),
		.share = (bind->reuse_addr && !bind->listening ? HV_SHARE_ADDR : 0) |
			 (bind->reuse_port ? HV_SHARE_PORT : 0),
		.bound = true,
	};
}

struct hv_port_holder hv_port_holder_of_tuple(const struct hv_tuple *tuple)
{
	return (struct hv_port_holder){
		.class = class_of(&tuple->local, tuple->share & HV_SHARE_DUAL),
		.share = tuple->share & (HV_SHARE_ADDR | HV_SHARE_PORT),
		.bound = tuple->hold == HV_HOLD_BOUND,
	};
}

void hv_port_count(struct hv_port_table *table, struct hv_port_slot *slot,
		   const struct hv_port_holder *holder, int by)
{
	struct hv_port_use *use = slot->use;

	slot->counts[holder->share] += (uint32_t)by;
	use_counts(use, holder->class)[holder->share] += (uint32_t)by;
	if (!holder->bound)
		return;
	use->bound += (uint32_t)by;
	mark_bound(table, hv_port_index(use->proto), use->port,
		   use->bound || is_excluded(table, use->port));
}

/* Whether one of those counted shares neither way with `share`. */
static bool counts_conflict(const uint32_t counts[HV_PORT_SHARES], unsigned share)
{
	for (unsigned other = 0; other < HV_PORT_SHARES; other++) {
		if (counts[other] && !(other & share))
			return true;
	}
	return false;
}

bool hv_port_conflicts(const struct hv_port_table *table, const struct hv_bind *bind,
		       uint16_t port)
{
	const struct hv_port_use *use = use_find(table, bind->proto, port);
	enum hv_port_class class = class_of(&bind->local, bind->dual);
	unsigned share =
		(bind->reuse_addr ? HV_SHARE_ADDR : 0) | (bind->reuse_port ? HV_SHARE_PORT : 0);
	unsigned mask = overlaps[class];
	const struct hv_port_slot *slot;

	if (!use)
		return false;
	/* To an AF_INET socket, Linux shows these with an address of IPv4 (LOOPBACK4_IPV6). */
	if (class == HV_CLASS_V4_ANY && !bind->v6)
		mask |= BIT(HV_CLASS_V6_WAS_DUAL);
	for (unsigned other = 0; other < HV_PORT_CLASSES; other++) {
		const uint32_t *counts = mask & BIT(other) ? use_counts(use, other) : NULL;

		if (counts && counts_conflict(counts, share))
			return true;
	}
	if (hv_addr_is_any(&bind->local))
		return false;
	slot = hv_port_slot_find(table, bind->proto, &bind->local, port);
	return slot && counts_conflict(slot->counts, share);
}

/* --- exclusion ------------------------------------------------------------------------------ */

int hv_port_exclude(struct hv_port_table *table, uint16_t first, uint16_t last, bool exclude)
{
	if (first > last)
		return -EINVAL;
	if (!table->excluded)
		table->excluded = hv_zalloc(table->core, sizeof(*table->excluded));
	if (!table->excluded)
		return -ENOMEM;
	for (uint32_t port = first; port <= last; port++) {
		if (exclude)
			hv_port_set_add(table->excluded, (uint16_t)port);
		else
			hv_port_set_remove(table->excluded, (uint16_t)port);
		for (unsigned index = 0; index < 2; index++) {
			uint8_t proto = index ? IPPROTO_UDP : IPPROTO_TCP;
			const struct hv_port_use *use = use_find(table, proto, (uint16_t)port);

			mark_bound(table, index, (uint16_t)port,
				   exclude || (use && use->bound));
			mark_used(table, index, (uint16_t)port, exclude || use);
		}
	}
	return 0;
}
