/*
 * What a router with too much to do says to those who listen: "congestion experienced" in a
 * packet, in place of its loss (RFC 3168). For the fault link.
 */
#ifndef HV_LINK_FAULT_MARK_H
#define HV_LINK_FAULT_MARK_H

#include <stdbool.h>

#include "base/packet.h"

/*
 * Marks a packet whose transport is capable of ECN, in place; its header begins `start` bytes
 * behind packet->data. False, and unchanged: it is not, or no IP packet at all.
 */
bool hv_fault_mark(struct hv_packet *packet, uint32_t start);

#endif
