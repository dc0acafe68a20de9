/*
 * Destinations and sources, as the address policy has them. See policy_address.h.
 */
#include "gateway/policy_address.h"

const struct hv_network_family *hv_network_family_of(const struct hv_network *network,
						     const uint8_t address[16])
{
	return hv_address_is_v4(address) ? &network->v4 : &network->v6;
}

/* What host_loopback stands for. */
static void loopback_of(const struct hv_network_family *family, uint8_t loopback[16])
{
	static const uint8_t loopback4[4] = {127, 0, 0, 1};
	static const uint8_t none[16];

	if (!hv_address_equal(family->host_loopback_is, none)) {
		memcpy(loopback, family->host_loopback_is, 16);
	} else if (hv_address_is_v4(family->host_loopback)) {
		hv_address_from_v4(loopback, loopback4);
	} else {
		memset(loopback, 0, 16);
		loopback[15] = 1;
	}
}

enum hv_destination hv_policy_destination(const struct hv_network *network,
					  const struct haven_endpoint *destination,
					  struct haven_endpoint *host)
{
	const uint8_t *address = destination->address;
	const struct hv_network_family *family = hv_network_family_of(network, address);

	*host = *destination;
	if (family->has_dns && hv_address_equal(address, family->dns) &&
	    destination->port == HV_PORT_DNS)
		return HV_DESTINATION_DNS;
	if (family->has_host_loopback && hv_address_equal(address, family->host_loopback)) {
		loopback_of(family, host->address);
		return HV_DESTINATION_HOST;
	}
	if (hv_address_equal(address, family->gateway) ||
	    (family->has_dns && hv_address_equal(address, family->dns)))
		return HV_DESTINATION_REFUSED;
	if (hv_address_is_multicast(address))
		return HV_DESTINATION_IGNORED;
	if (!family->enabled || hv_address_is_loopback(address) ||
	    hv_address_is_unspecified(address) || hv_address_is_link_local6(address))
		return HV_DESTINATION_UNREACHABLE;
	return HV_DESTINATION_HOST;
}

void hv_policy_source(const struct hv_network *network, const struct haven_endpoint *host,
		      struct haven_endpoint *guest_view)
{
	const struct hv_network_family *family = hv_network_family_of(network, host->address);

	*guest_view = *host;
	if (!hv_address_is_loopback(host->address))
		return;
	memcpy(guest_view->address,
	       family->has_host_loopback ? family->host_loopback : family->gateway, 16);
}

bool hv_policy_keeps_source(const struct hv_network *network, const uint8_t peer[16])
{
	const struct hv_network_family *family = hv_network_family_of(network, peer);

	return family->enabled && !hv_address_is_loopback(peer) &&
	       !hv_address_is_unspecified(peer) && !hv_address_is_multicast(peer) &&
	       !hv_address_is_link_local6(peer) &&
	       !hv_address_in_prefix(peer, family->gateway, family->prefix);
}
