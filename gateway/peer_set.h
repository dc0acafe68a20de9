/*
 * The addresses that a UDP mapping has sent to, and so accepts datagrams from
 * (RFC 4787 section 5, address-dependent filtering).
 *
 * At most HV_PEER_SET_MAX addresses. One more, and the set begins anew with it: who is still in
 * use is entered again by the next datagram to it.
 */
#ifndef HV_GATEWAY_PEER_SET_H
#define HV_GATEWAY_PEER_SET_H

#include <stdbool.h>
#include <stdint.h>

#define HV_PEER_SET_MAX 4096

struct hv_peer_set {
	uint8_t last[16];     /* most sets know one peer, and need no memory */
	uint8_t (*slots)[16]; /* open addressing; an unused one is all zero */
	uint32_t size, count;
};

/* hash: of the address, keyed. Without memory the address is only kept as `last`. */
void hv_peer_set_add(struct hv_peer_set *set, const uint8_t address[16],
		     uint64_t (*hash)(const void *key, const uint8_t address[16]),
		     const void *key);
bool hv_peer_set_has(const struct hv_peer_set *set, const uint8_t address[16],
		     uint64_t (*hash)(const void *key, const uint8_t address[16]),
		     const void *key);
void hv_peer_set_finish(struct hv_peer_set *set);

#endif
