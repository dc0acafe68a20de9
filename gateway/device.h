/*
 * The wire: the interface that the guest sees, and haven's end of it.
 *
 *	TAP	tap0 in the guest's namespace <-> the descriptor of /dev/net/tun
 *
 *	veth	eth0 in the guest's namespace <-> hv0 in a namespace of the wire's own, which has
 *		nothing else in it and lives as long as the AF_PACKET socket on hv0
 *
 * The second namespace hides haven's end from the guest: nothing inside can see it, take it
 * down, or send to it other than by the wire.
 */
#ifndef HV_GATEWAY_DEVICE_H
#define HV_GATEWAY_DEVICE_H

#include "gateway/guest.h"

/* Null descriptors: what hv_device_close takes without harm. */
#define HV_WIRE_NONE                                    \
	(struct hv_guest_wire)                          \
	{                                               \
		.fd = -1, .netns_fd = -1, .diag_fd = -1 \
	}

/*
 * Makes the wire in the current network namespace and configures the guest's end (and loopback).
 * The caller has CAP_NET_ADMIN there, for a veth CAP_NET_RAW and CAP_SYS_ADMIN too, and is in the
 * same namespace afterwards. Failures and fallbacks are told on `channel` (guest_message.h).
 * Returns 0 and *wire, whose descriptors the caller closes; or a negative errno and nothing open.
 */
int hv_device_open(int channel, const struct hv_guest_network *network,
		   struct hv_guest_wire *wire);

void hv_device_close(struct hv_guest_wire *wire);

/* Checks what can be checked without the kernel. Returns NULL, or what is wrong. */
const char *hv_device_check(const struct hv_guest_network *network);

/* Whether the first `prefix` bits of a and b (`bytes` long) are the same. */
bool hv_device_same_prefix(const void *a, const void *b, size_t bytes, uint8_t prefix);

/* The link-local address (RFC 4291, appendix A) of a MAC. */
struct in6_addr hv_device_link_local(const uint8_t mac[6]);

#endif
