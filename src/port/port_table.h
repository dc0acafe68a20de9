/*
 * Inside of the port table, for the files of this room.
 *
 *	port_table.c	binds: made, moved, found
 *	port_slot.c	slots and use records, conflicts
 *	port_team.c	several receivers of one port
 *	port_owner.c	limits per owner
 *	port_tuple.c	4-tuples
 *	ephemeral.c	choice of a port
 *	port_set.c	sets of ports
 */
#ifndef HV_PORT_PORT_TABLE_H
#define HV_PORT_PORT_TABLE_H

#include "port/port.h"
#include "port/port_set.h"

/* Local ends by what decides over conflicts. */
enum hv_port_class {
	HV_CLASS_V4_ANY,
	HV_CLASS_V6_DUAL, /* :: without IPV6_V6ONLY */
	HV_CLASS_V6_ONLY, /* :: with it */
	HV_CLASS_V4_ONE,
	HV_CLASS_V6_ONE,
	HV_CLASS_V6_WAS_DUAL, /* one address, which a socket that was bound to :: got by connect or accept */
	HV_PORT_CLASSES,
	HV_PORT_ANY_CLASSES = HV_CLASS_V4_ONE
};

enum { HV_PORT_SHARES = 4 }; /* HV_SHARE_ADDR, HV_SHARE_PORT, as an index */

struct hv_port_any;

/* All that one (protocol, port) is held by. */
struct hv_port_use {
	struct hv_hash_node node;
	struct hv_port_any *any; /* counts of the "any" classes; NULL: nothing ever was */
	uint32_t counts[HV_PORT_CLASSES - HV_PORT_ANY_CLASSES]
		       [HV_PORT_SHARES]; /* of the rest */
	uint32_t slots;			 /* that point here */
	uint32_t bound;			 /* holders but HV_HOLD_CHOSEN */
	uint16_t port;
	uint8_t proto;
};

struct hv_port_team;

/* All that one (protocol, address, port) is held by: what a packet's destination looks up. */
struct hv_port_slot {
	struct hv_hash_node node;
	struct hv_addr local;
	struct hv_port_use *use;
	struct hv_port_team *team; /* NULL: no bind with SO_REUSEPORT */
	struct hv_list binds;	   /* receiving ones first, the latest of them in front */
	uint32_t counts[HV_PORT_SHARES];
};

/* One holder, as it is counted. */
struct hv_port_holder {
	enum hv_port_class class;
	unsigned share; /* index of counts */
	bool bound;
};

/* port_slot.c */
struct hv_port_slot *hv_port_slot_find(const struct hv_port_table *table, uint8_t proto,
				       const struct hv_addr *local, uint16_t port);
/* Find or make. NULL: no memory. A slot that holds nothing must be released. */
struct hv_port_slot *hv_port_slot_get(struct hv_port_table *table, uint8_t proto,
				      const struct hv_addr *local, uint16_t port);
/* Make ready to count a bind to any address. -ENOMEM. */
int hv_port_slot_reserve_any(struct hv_port_table *table, struct hv_port_slot *slot);
void hv_port_slot_release(struct hv_port_table *table, struct hv_port_slot *slot);
/* by: 1, or -1 to take it away. */
void hv_port_count(struct hv_port_table *table, struct hv_port_slot *slot,
		   const struct hv_port_holder *holder, int by);
struct hv_port_holder hv_port_holder_of_bind(const struct hv_bind *bind);
struct hv_port_holder hv_port_holder_of_tuple(const struct hv_tuple *tuple);
void hv_port_slots_finish(struct hv_port_table *table);

/* port_team.c: sockets of one slot with SO_REUSEPORT that share what comes in */
/* Make room for one more. -ENOMEM. */
int hv_port_team_reserve(struct hv_port_table *table, struct hv_port_slot *slot);
void hv_port_team_release(struct hv_port_table *table, struct hv_port_slot *slot);
void hv_port_team_join(struct hv_port_slot *slot, struct hv_bind *bind);
void hv_port_team_leave(struct hv_port_slot *slot, struct hv_bind *bind);
/* The one for this hash, dual-stack if need_dual; NULL: none. */
struct hv_bind *hv_port_team_pick(const struct hv_port_slot *slot, uint32_t hash,
				  bool need_dual);

/* port_owner.c */
void hv_port_uncharge(struct hv_port_table *table, struct hv_bind *bind);
void hv_port_owners_finish(struct hv_port_table *table);

/* 0 TCP, 1 UDP: the index of what the table holds for each protocol. */
unsigned hv_port_index(uint8_t proto);
/* Keyed hash of an address, a port and a protocol; with `remote` of a whole 4-tuple. */
uint32_t hv_port_hash(const struct hv_port_table *table, uint8_t proto,
		      const struct hv_addr *local, uint16_t local_port,
		      const struct hv_addr *remote, uint16_t remote_port);
/* Whether `bind` with this port would conflict with what is bound. */
bool hv_port_conflicts(const struct hv_port_table *table, const struct hv_bind *bind,
		       uint16_t port);
/* A free port for `bind`, or -EADDRNOTAVAIL. */
int hv_port_choose(struct hv_port_table *table, const struct hv_bind *bind);

/* Keep the group of a 4-tuple's destination, if it has one, in step with the table. */
void hv_port_group_note(struct hv_port_table *table, const struct hv_tuple *tuple,
			bool present);
void hv_port_groups_finish(struct hv_port_table *table);

#endif
