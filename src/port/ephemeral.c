/*
 * Ephemeral ports: the choice of a local port where the program named none (RFC 6056).
 *
 * connect: algorithm 4 (section 3.3.4). Two keyed hashes of the destination, one that says where
 * the destination's sequence of ports begins, one that picks its counter in a table; the counter
 * goes on by a small random step (section 3.3.5's), so that neither the next port nor the rate of
 * connections to others can be seen. One local port serves any number of destinations: only the
 * 4-tuple must be new.
 *
 * bind to port 0: a port that nothing holds, from a random point on (section 3.3.2).
 *
 * Neither chooses an excluded port. connect passes by every port that was bound, as a port on which somebody
 * listens must not turn up as a client; what connect itself chose, it chooses again for others.
 *
 * When a few steps find nothing, this destination occupies most of the range. It then gets a
 * group: the set of local ports in use towards it, which from there on is kept in step with the
 * table and answers in a few words, exhaustion included. Making a group costs one look-up for each port
 * of the range; it is made after the range has filled and dropped when it is nearly empty
 * again, so that this cost spreads over as many connections.
 */
#include "port/port_table.h"

#include <netinet/in.h>

enum {
	OFFSETS = 65536,   /* entries of the table of counters */
	PROBES = 16,	   /* steps before a group is made: one nibble of 64 random bits each */
	SMALL_RANGE = 256, /* ranges up to this are walked: no group is worth its memory */
};

/* A destination and the local ports in use towards it. */
struct hv_port_group {
	struct hv_hash_node node;
	struct hv_addr local, remote;
	uint16_t remote_port;
	uint8_t proto;
	struct hv_port_set used;
};

static uint32_t range_size(const struct hv_port_table *table)
{
	return (uint32_t)table->config.ephemeral_last - table->config.ephemeral_first + 1;
}

/* --- groups -------------------------------------------------------------------------------- */

static bool group_equal(const struct hv_hash_node *node, const void *key)
{
	const struct hv_port_group *group =
		hv_container(node, const struct hv_port_group, node);
	const struct hv_tuple *tuple = key;

	return group->remote_port == tuple->remote_port && group->proto == tuple->proto &&
	       hv_addr_equal(&group->remote, &tuple->remote) &&
	       hv_addr_equal(&group->local, &tuple->local);
}

static uint32_t group_hash(const struct hv_port_table *table, const struct hv_tuple *tuple)
{
	return hv_port_hash(table, tuple->proto, &tuple->local, 0, &tuple->remote,
			    tuple->remote_port);
}

static struct hv_port_group *group_find(const struct hv_port_table *table,
					const struct hv_tuple *tuple)
{
	struct hv_hash_node *node;

	if (!table->groups.count)
		return NULL;
	node = hv_hash_find(&table->groups, group_hash(table, tuple), group_equal, tuple);
	return node ? hv_container(node, struct hv_port_group, node) : NULL;
}

/* NULL: no memory. */
static struct hv_port_group *group_make(struct hv_port_table *table,
					const struct hv_tuple *tuple)
{
	struct hv_port_group *group = hv_zalloc(table->core, sizeof(*group));

	if (!group)
		return NULL;
	group->local = tuple->local;
	group->remote = tuple->remote;
	group->remote_port = tuple->remote_port;
	group->proto = tuple->proto;
	for (uint32_t port = table->config.ephemeral_first;
	     port <= table->config.ephemeral_last; port++) {
		if (hv_port_find(table, tuple->proto, &tuple->local, (uint16_t)port,
				 &tuple->remote, tuple->remote_port))
			hv_port_set_add(&group->used, (uint16_t)port);
	}
	if (hv_hash_insert(&table->groups, &group->node, group_hash(table, tuple)) < 0) {
		hv_free(table->core, group, sizeof(*group));
		return NULL;
	}
	return group;
}

/* So few that steps find a port soon; measured by what binds and exclusions leave of the range. */
static bool group_is_small(const struct hv_port_table *table, const struct hv_port_group *group)
{
	uint32_t open = range_size(table) - table->bound_in_range[hv_port_index(group->proto)];

	return open >= range_size(table) / 2 && group->used.count <= open / 4;
}

static void group_free(struct hv_port_table *table, struct hv_port_group *group)
{
	hv_hash_remove(&table->groups, &group->node);
	hv_free(table->core, group, sizeof(*group));
}

void hv_port_group_note(struct hv_port_table *table, const struct hv_tuple *tuple, bool present)
{
	struct hv_port_group *group = group_find(table, tuple);

	if (!group)
		return;
	if (tuple->local_port < table->config.ephemeral_first ||
	    tuple->local_port > table->config.ephemeral_last)
		return;
	if (present)
		hv_port_set_add(&group->used, tuple->local_port);
	else
		hv_port_set_remove(&group->used, tuple->local_port);
	if (!present && group_is_small(table, group))
		group_free(table, group);
}

static bool free_group(struct hv_hash_node *node, void *ctx)
{
	group_free(ctx, hv_container(node, struct hv_port_group, node));
	return true;
}

void hv_port_groups_finish(struct hv_port_table *table)
{
	hv_hash_each(&table->groups, free_group, table);
}

/* --- choice -------------------------------------------------------------------------------- */

/* The first port from `from` to `last` that is in neither set; -1: none. b may be NULL. */
static int next_free_in_both(const struct hv_port_set *a, const struct hv_port_set *b,
			     uint32_t from, uint32_t last)
{
	int port = hv_port_set_next_free(a, from, last);

	while (port >= 0 && b) {
		int other = hv_port_set_next_free(b, (uint32_t)port, last);

		if (other == port || other < 0)
			return other;
		port = hv_port_set_next_free(a, (uint32_t)other, last);
	}
	return port;
}

/* The same over the whole range, from `start` on and around; -1: none. */
static int next_free_around(const struct hv_port_table *table, const struct hv_port_set *a,
			    const struct hv_port_set *b, uint32_t start)
{
	int port = next_free_in_both(a, b, start, table->config.ephemeral_last);

	if (port < 0 && start > table->config.ephemeral_first)
		port = next_free_in_both(a, b, table->config.ephemeral_first, start - 1);
	return port;
}

int hv_port_choose(struct hv_port_table *table, const struct hv_bind *bind)
{
	uint32_t size = range_size(table), first = table->config.ephemeral_first;
	uint32_t offset = hv_random_below(table->core, size);
	struct hv_bind alone = *bind;
	int port = next_free_around(table, table->used[hv_port_index(bind->proto)], NULL,
				    first + offset);

	if (port >= 0)
		return port;
	/*
	 * Something holds each of them. It may be of another address: then there is room beside it. Nobody gets
	 * a port to share who did not ask for that very port, so the options do not count.
	 */
	alone.reuse_addr = alone.reuse_port = false;
	for (uint32_t i = 0; i < size; i++) {
		uint16_t candidate = (uint16_t)(first + (offset + i) % size);

		if (table->excluded && hv_port_set_has(table->excluded, candidate))
			continue;
		if (!hv_port_conflicts(table, &alone, candidate))
			return candidate;
	}
	return -EADDRNOTAVAIL;
}

/* F and G of RFC 6056 section 3.3.4: 32 bits each of one keyed hash. */
static uint64_t destination_hash(const struct hv_port_table *table,
				 const struct hv_tuple *tuple)
{
	struct {
		struct hv_addr local, remote;
		uint32_t remote_port, proto;
	} key = {tuple->local, tuple->remote, tuple->remote_port, tuple->proto};

	_Static_assert(sizeof(key) == 40, "no padding may be hashed");
	return hv_siphash(&table->core->port_key, &key, sizeof(key));
}

/* A few steps of algorithm 4; with a group only one, to know where to begin. 0: inserted; -EADDRINUSE: nothing found, *start is where it stood. */
static int insert_by_steps(struct hv_port_table *table, struct hv_tuple *tuple, bool group,
			   uint32_t *start)
{
	const struct hv_port_set *bound = table->bound[hv_port_index(tuple->proto)];
	uint64_t hash = destination_hash(table, tuple);
	uint64_t steps = hv_random64(table->core);
	uint32_t *counter = &table->offsets[hash >> 32 & (OFFSETS - 1)];
	uint32_t size = range_size(table);

	for (int i = 0; i < PROBES; i++, steps >>= 4) {
		uint32_t port;
		int error;

		*counter += 1 + (uint32_t)(steps & 15);
		port = table->config.ephemeral_first +
		       (uint32_t)(((uint64_t)(uint32_t)hash + *counter) % size);
		*start = port;
		if (group)
			break;
		if (hv_port_set_has(bound, (uint16_t)port))
			continue;
		tuple->local_port = (uint16_t)port;
		error = hv_port_insert(table, tuple);
		if (error != -EADDRINUSE)
			return error;
	}
	return -EADDRINUSE;
}

/* Every port of a small range, from `start` on and around. */
static int insert_by_walk(struct hv_port_table *table, struct hv_tuple *tuple, uint32_t start)
{
	const struct hv_port_set *bound = table->bound[hv_port_index(tuple->proto)];
	uint32_t first = table->config.ephemeral_first, size = range_size(table);

	for (uint32_t i = 0; i < size; i++) {
		int error;

		tuple->local_port = (uint16_t)(first + (start - first + i) % size);
		if (hv_port_set_has(bound, tuple->local_port))
			continue;
		error = hv_port_insert(table, tuple);
		if (error != -EADDRINUSE)
			return error;
	}
	return -EADDRNOTAVAIL;
}

int hv_port_insert_ephemeral(struct hv_port_table *table, struct hv_tuple *tuple)
{
	struct hv_port_group *group;
	uint32_t start = 0;
	int error, port;

	tuple->hold = HV_HOLD_CHOSEN;
	if (table->bound_in_range[hv_port_index(tuple->proto)] == range_size(table))
		return -EADDRNOTAVAIL;
	if (!table->offsets) {
		table->offsets = hv_zalloc(table->core, OFFSETS * sizeof(*table->offsets));
		if (!table->offsets)
			return -ENOMEM;
	}
	group = group_find(table, tuple);
	error = insert_by_steps(table, tuple, group, &start);
	if (error != -EADDRINUSE)
		return error;
	if (range_size(table) <= SMALL_RANGE)
		return insert_by_walk(table, tuple, start);
	if (!group)
		group = group_make(table, tuple);
	if (!group)
		return -ENOMEM;
	port = next_free_around(table, &group->used, table->bound[hv_port_index(tuple->proto)],
				start);
	if (group_is_small(table, group))
		group_free(table, group);
	if (port < 0)
		return -EADDRNOTAVAIL;
	tuple->local_port = (uint16_t)port;
	return hv_port_insert(table, tuple);
}
