/* ICMP errors that a script can send and expect, for both families. */
#ifndef SEGMENTS_ICMP_H
#define SEGMENTS_ICMP_H

#include <stdbool.h>
#include <stdint.h>

struct seg_icmp_kind {
	const char *name;
	uint8_t type4, code4; /* RFC 792, RFC 1191 */
	uint8_t type6, code6; /* RFC 4443 */
	bool has_mtu;
};

const struct seg_icmp_kind *seg_icmp_kind_at(unsigned index);
/* Index of the kind with this type and code, or -1. */
int seg_icmp_kind_find(bool v6, uint8_t type, uint8_t code);

#endif
