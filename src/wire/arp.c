/* ARP messages (RFC 826). */
#include "wire/arp.h"

#include <string.h>

#include "wire/ethernet.h"

enum { HARDWARE_ETHERNET = 1 };

bool hv_wire_arp_parse(const uint8_t *p, uint32_t size, struct hv_arp *out)
{
	if (size < HV_ARP_SIZE)
		return false;
	if (hv_get16(p) != HARDWARE_ETHERNET || hv_get16(p + 2) != HV_ETHERTYPE_IPV4)
		return false;
	if (p[4] != HV_ETH_ADDR || p[5] != 4)
		return false;
	out->operation = hv_get16(p + 6);
	if (out->operation != HV_ARP_REQUEST && out->operation != HV_ARP_REPLY)
		return false;
	memcpy(out->sender_mac, p + 8, HV_ETH_ADDR);
	out->sender = hv_addr_v4(p + 14);
	memcpy(out->target_mac, p + 18, HV_ETH_ADDR);
	out->target = hv_addr_v4(p + 24);
	return !hv_eth_is_group(out->sender_mac) && !hv_eth_is_zero(out->sender_mac);
}

void hv_wire_arp_write(uint8_t *p, const struct hv_arp *arp)
{
	hv_put16(p, HARDWARE_ETHERNET);
	hv_put16(p + 2, HV_ETHERTYPE_IPV4);
	p[4] = HV_ETH_ADDR;
	p[5] = 4;
	hv_put16(p + 6, arp->operation);
	memcpy(p + 8, arp->sender_mac, HV_ETH_ADDR);
	memcpy(p + 14, arp->sender.b + 12, 4);
	memcpy(p + 18, arp->target_mac, HV_ETH_ADDR);
	memcpy(p + 24, arp->target.b + 12, 4);
}
