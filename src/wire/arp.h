/*
 * ARP for IPv4 over Ethernet (RFC 826): bytes to fields and back. Used by the neighbour table
 * of ip/.
 */
#ifndef HV_WIRE_ARP_H
#define HV_WIRE_ARP_H

#include <stdbool.h>

#include "base/addr.h"
#include "wire/bytes.h"

enum { HV_ARP_SIZE = 28 };
enum { HV_ARP_REQUEST = 1, HV_ARP_REPLY = 2 };

struct hv_arp {
	uint16_t operation; /* HV_ARP_REQUEST or HV_ARP_REPLY */
	uint8_t sender_mac[6], target_mac[6];
	struct hv_addr sender, target; /* v4-mapped */
};

/*
 * Read a message (p: after the Ethernet header; padding may follow). False when it is short, not
 * Ethernet/IPv4, of another operation, or when the sender's Ethernet address is a group or zero.
 */
bool hv_wire_arp_parse(const uint8_t *p, uint32_t size, struct hv_arp *out);
/* Write HV_ARP_SIZE bytes at p. */
void hv_wire_arp_write(uint8_t *p, const struct hv_arp *arp);

#endif
