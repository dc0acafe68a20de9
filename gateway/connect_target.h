/*
 * Where `haven connect NAME HOST:PORT` goes to: an address of the guest's network, and a port.
 */
#ifndef HV_GATEWAY_CONNECT_TARGET_H
#define HV_GATEWAY_CONNECT_TARGET_H

#include "gateway/policy_address.h"

struct hv_connect_target {
	struct haven_endpoint endpoint;
	bool any_family; /* the guest was meant, by no address: the other family will do, too */
};

/*
 * "localhost:22", "guest:ssh", ":22", "10.0.2.100:22", "[fd00::100]:22". Loopback is the guest's, and so its address in that family. The
 * port is a number or the name of a TCP service. False with a line in error: it is none, or is not of the guest's network.
 */
bool hv_connect_target_parse(const char *text, const struct hv_network *network,
			     struct hv_connect_target *target, char *error, size_t error_size);

#endif
