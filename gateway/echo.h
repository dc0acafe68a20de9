/*
 * ICMP echo through the gateway: each ping of the guest is a ping of the host.
 *
 * A flow is a guest's address and identifier and one destination; it has a host socket: a ping
 * socket where net.ipv4.ping_group_range lets this user have one, else a raw socket where haven may
 * (root). Where neither can be, the guest is told "administratively prohibited", and the log why.
 */
#ifndef HV_GATEWAY_ECHO_H
#define HV_GATEWAY_ECHO_H

#include "gateway/gateway.h"

int hv_echo_create(struct hv_gateway *gateway);
void hv_echo_destroy(struct hv_gateway *gateway);

/* The stack's callback for echo requests of the guest. */
void hv_echo_request(void *user, const struct haven_echo *echo);

#endif
