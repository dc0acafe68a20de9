/*
 * Path MTUs that routers told us (RFC 1191, RFC 8201). Asked by route.c when it makes a path,
 * written by what comes in as ICMP "too big".
 */
#ifndef HV_IP_PATH_MTU_H
#define HV_IP_PATH_MTU_H

#include "base/core.h"
#include "base/hash.h"
#include "base/list.h"

struct hv_ip;

/*
 * What we believe at least. IPv4 allows 68 (RFC 791), but who forges one message could then make us
 * send a packet for every 28 bytes of data (RFC 5927 section 7); no real path is below 576, less
 * the tunnel header of 20 or so: 552, as others have it. IPv6 is never below 1280 (RFC 8200).
 */
enum { HV_PATH_MTU_MIN_V4 = 552, HV_PATH_MTU_MIN_V6 = 1280 };
enum { HV_PATH_MTU_ENTRIES = 1024 };		       /* then the oldest goes */
#define HV_PATH_MTU_LIFETIME_NS UINT64_C(600000000000) /* 10 min: RFC 8201 section 5.3 */

struct hv_path_mtu {
	struct hv_hash_node node;
	struct hv_list age; /* oldest first */
	struct hv_addr dst;
	uint64_t until_ns;
	uint32_t mtu;
};

struct hv_path_mtu_table {
	struct hv_hash hash;
	struct hv_list age;
	uint32_t count;
};

void hv_path_mtu_init(struct hv_ip *ip);
void hv_path_mtu_finish(struct hv_ip *ip);
/* 0: nothing is known; else the MTU and the time when it is forgotten. */
uint32_t hv_path_mtu_find(struct hv_ip *ip, const struct hv_addr *dst, uint64_t *until_ns);
/*
 * What a router means that said `mtu` about a packet of `size` bytes to dst. mtu 0 (IPv4 only): it is from before
 * RFC 1191, and the next lower plateau is taken. 0: not believed.
 */
uint32_t hv_path_mtu_claimed(const struct hv_addr *dst, uint32_t mtu, uint32_t size);
/*
 * A router said `mtu` about a packet of `size` bytes to dst. As above. Returns what holds now, or 0:
 * not believed.
 */
uint32_t hv_path_mtu_update(struct hv_ip *ip, const struct hv_addr *dst, uint32_t mtu,
			    uint32_t size);

#endif
