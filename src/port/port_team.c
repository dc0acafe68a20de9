/*
 * Teams: the receivers of one (protocol, address, port) that share it by SO_REUSEPORT. A hash of a
 * flow's two ends picks one of them, so that a flow stays with its socket, and many flows spread evenly.
 */
#include "port/port_table.h"

struct hv_port_team {
	uint32_t count;	   /* in binds: those that receive */
	uint32_t capacity; /* at least as many as are bound, so that joining cannot fail */
	struct hv_bind *binds[];
};

enum { TEAM_FIRST = 4 };

static size_t team_size(uint32_t capacity)
{
	return sizeof(struct hv_port_team) + capacity * sizeof(struct hv_bind *);
}

int hv_port_team_reserve(struct hv_port_table *table, struct hv_port_slot *slot)
{
	struct hv_port_team *old = slot->team, *team;
	uint32_t bound =
		slot->counts[HV_SHARE_PORT] + slot->counts[HV_SHARE_PORT | HV_SHARE_ADDR];
	uint32_t capacity = old ? old->capacity : TEAM_FIRST;

	while (capacity <= bound)
		capacity *= 2;
	if (old && old->capacity == capacity)
		return 0;
	team = hv_zalloc(table->core, team_size(capacity));
	if (!team)
		return -ENOMEM;
	team->capacity = capacity;
	if (old) {
		team->count = old->count;
		memcpy(team->binds, old->binds, old->count * sizeof(old->binds[0]));
		hv_free(table->core, old, team_size(old->capacity));
	}
	slot->team = team;
	return 0;
}

void hv_port_team_release(struct hv_port_table *table, struct hv_port_slot *slot)
{
	if (slot->team)
		hv_free(table->core, slot->team, team_size(slot->team->capacity));
	slot->team = NULL;
}

void hv_port_team_join(struct hv_port_slot *slot, struct hv_bind *bind)
{
	if (!bind->reuse_port || !slot->team || bind->team_index != HV_PORT_NO_TEAM)
		return;
	bind->team_index = slot->team->count;
	slot->team->binds[slot->team->count++] = bind;
}

void hv_port_team_leave(struct hv_port_slot *slot, struct hv_bind *bind)
{
	struct hv_port_team *team = slot->team;

	if (bind->team_index == HV_PORT_NO_TEAM)
		return;
	/* The last takes the place. */
	team->binds[bind->team_index] = team->binds[--team->count];
	team->binds[bind->team_index]->team_index = bind->team_index;
	bind->team_index = HV_PORT_NO_TEAM;
}

struct hv_bind *hv_port_team_pick(const struct hv_port_slot *slot, uint32_t hash,
				  bool need_dual)
{
	const struct hv_port_team *team = slot->team;
	uint32_t at;

	if (!team || !team->count)
		return NULL;
	at = (uint32_t)((uint64_t)hash * team->count >> 32);
	for (uint32_t i = 0; i < team->count; i++) {
		struct hv_bind *bind = team->binds[(at + i) % team->count];

		if (bind->dual || !need_dual)
			return bind;
	}
	return NULL;
}
