/* Which Ethernet group an IP group is sent to. */
#include "wire/ethernet.h"

bool hv_eth_group_address(const struct hv_addr *addr, uint8_t mac[HV_ETH_ADDR])
{
	if (hv_addr_is_v4_broadcast(addr)) {
		memset(mac, 0xff, HV_ETH_ADDR);
		return true;
	}
	if (!hv_addr_is_multicast(addr))
		return false;
	if (hv_addr_is_v4(addr)) {
		/* The low 23 bits (RFC 1112 section 6.4). */
		mac[0] = 0x01;
		mac[1] = 0x00;
		mac[2] = 0x5e;
		mac[3] = addr->b[13] & 0x7f;
		mac[4] = addr->b[14];
		mac[5] = addr->b[15];
	} else {
		/* The low 32 bits (RFC 2464 section 7). */
		mac[0] = 0x33;
		mac[1] = 0x33;
		memcpy(mac + 2, addr->b + 12, 4);
	}
	return true;
}
