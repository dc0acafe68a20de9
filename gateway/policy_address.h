/*
 * Which destination of the guest is which address of the host's network, and which is none.
 *
 * Every flow out asks here once, before any socket is made. What holds:
 *	the host's loopback is out of reach, whatever way it is written (127/8, ::1, 0/8, ::),
 *		except through the address that --host-loopback maps to it;
 *	the gateway's own addresses are closed, but for DNS at its port;
 *	the host's other addresses are peers like any other in the network: what listens on all
 *		addresses of the host can be reached at them, as from the host's neighbours;
 *	nothing is forwarded to multicast, broadcast or link-local IPv6 addresses.
 */
#ifndef HV_GATEWAY_POLICY_ADDRESS_H
#define HV_GATEWAY_POLICY_ADDRESS_H

#include "gateway/address.h"

#define HV_PORT_DNS 53

/* One family of the wire between guest and gateway. */
struct hv_network_family {
	bool enabled;
	uint8_t prefix; /* bits, of the family's own length */
	uint8_t guest[16], gateway[16];
	bool has_dns; /* the gateway answers DNS at: */
	uint8_t dns[16];
	bool has_host_loopback; /* --host-loopback: this address is the host's loopback */
	uint8_t host_loopback[16];
	/* Which of the host's loopback it is; all zero: 127.0.0.1, ::1. */
	uint8_t host_loopback_is[16];
};

struct hv_network {
	struct hv_network_family v4, v6;
};

enum hv_destination {
	HV_DESTINATION_HOST,	/* go on to *host */
	HV_DESTINATION_DNS,	/* a question to the gateway's DNS */
	HV_DESTINATION_REFUSED, /* the gateway itself, and nothing listens there */
	HV_DESTINATION_UNREACHABLE,
	HV_DESTINATION_IGNORED, /* multicast: nobody is told anything */
};

const struct hv_network_family *hv_network_family_of(const struct hv_network *network,
						     const uint8_t address[16]);

/* Where traffic of the guest to `destination` goes; fills *host when it goes to the host's network. */
enum hv_destination hv_policy_destination(const struct hv_network *network,
					  const struct haven_endpoint *destination,
					  struct haven_endpoint *host);

/*
 * The way back: as what the guest knows `host`, an address that something came from. Loopback is
 * the address of --host-loopback when there is one, else the gateway's.
 */
void hv_policy_source(const struct hv_network *network, const struct haven_endpoint *host,
		      struct haven_endpoint *guest_view);

/*
 * Whether the guest may be shown `peer` as the source of a published connection: its answers
 * must come back to the gateway, so it is not on the guest's own link, loopback, or of a family
 * that the guest does not have.
 */
bool hv_policy_keeps_source(const struct hv_network *network, const uint8_t peer[16]);

#endif
