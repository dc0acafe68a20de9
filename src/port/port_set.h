/*
 * A set of ports: 65,536 bits in two levels, so that the next free port is found in a few words
 * at any occupancy.
 */
#ifndef HV_PORT_PORT_SET_H
#define HV_PORT_PORT_SET_H

#include <stdbool.h>
#include <stdint.h>

enum { HV_PORT_WORDS = 65536 / 64 };

struct hv_port_set {
	uint64_t full[HV_PORT_WORDS / 64]; /* bit w: words[w] has no zero */
	uint64_t words[HV_PORT_WORDS];	   /* bit p: port p is in the set */
	uint32_t count;
};

/* A set begins as all zero bytes. */
void hv_port_set_add(struct hv_port_set *set, uint16_t port); /* in it: nothing happens */
void hv_port_set_remove(struct hv_port_set *set,
			uint16_t port); /* not in it: nothing happens */
static inline bool hv_port_set_has(const struct hv_port_set *set, uint16_t port)
{
	return set->words[port / 64] >> (port % 64) & 1;
}
/* The first port from `from` to `last`, both included, that is not in the set; -1: none. */
int hv_port_set_next_free(const struct hv_port_set *set, uint32_t from, uint32_t last);

#endif
