/*
 * Inside of the port table, for the files of this room.
 *
 *	port_table.c	binds and their conflicts
 *	port_tuple.c	4-tuples
 *	ephemeral.c	choice of a port
 *	port_set.c	sets of ports
 */
#ifndef HV_PORT_PORT_TABLE_H
#define HV_PORT_PORT_TABLE_H

#include "port/port.h"
#include "port/port_set.h"

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
