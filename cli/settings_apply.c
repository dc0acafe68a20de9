/*
 * From settings to what guest and gateway are told. See settings.h.
 */
#include "cli/settings.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200 section 5 */

/* Places in the guest's network that are the gateway's, its DNS's. */
#define HOST_GATEWAY 2
#define HOST_DNS     3

/* Host `number` of the network that `address` is in. */
static void host_of_network(const uint8_t address[16], unsigned prefix, uint8_t number,
			    uint8_t host[16])
{
	unsigned bits = hv_address_is_v4(address) ? prefix + 96 : prefix;

	memcpy(host, address, 16);
	for (unsigned i = bits; i < 128; i++)
		host[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	host[15] |= number;
}

static bool fail(char error[HV_OPTION_ERROR], const char *line)
{
	snprintf(error, HV_OPTION_ERROR, "%s", line);
	return false;
}

/* The first and last address of an IPv4 network are the network's own and its broadcast's. */
static bool is_edge4(const uint8_t address[16], const struct hv_settings_family *family)
{
	uint32_t hosts, host;

	if (!hv_address_is_v4(address) || family->prefix > 31)
		return false;
	hosts = UINT32_MAX >> family->prefix;
	host = ((uint32_t)address[12] << 24 | (uint32_t)address[13] << 16 |
		(uint32_t)address[14] << 8 | address[15]) &
	       hosts;
	return host == 0 || host == hosts;
}

/* What the addresses of a family may not be. */
static bool check_family(const struct hv_settings_family *family, char error[HV_OPTION_ERROR])
{
	if (!hv_address_in_prefix(family->gateway, family->address, family->prefix))
		return fail(error, "the gateway is not in the guest's network");
	if (is_edge4(family->address, family) || is_edge4(family->gateway, family))
		return fail(error, "the first and the last address of an IPv4 network are "
				   "nobody's: neither the guest's nor the gateway's");
	if (family->has_host_loopback &&
	    hv_address_equal(family->host_loopback, family->address))
		return fail(error, "guest and --host-loopback have the same address");
	for (unsigned i = 0; i < family->dns_count; i++) {
		if (hv_address_equal(family->dns[i], family->address))
			return fail(error, "guest and DNS server have the same address");
	}
	return true;
}

static bool complete_family(struct hv_settings_family *family, const char *address,
			    uint8_t prefix, bool dns_none, char error[HV_OPTION_ERROR])
{
	if (family->off)
		return family->has_address || family->has_gateway ||
				       family->has_host_loopback || family->dns_count
			       ? fail(error,
				      "an address is of the family that -4 or -6 turns off")
			       : true;
	if (!family->has_address)
		hv_address_parse(address, family->address);
	if (family->prefix == 0)
		family->prefix = prefix;
	if (!family->has_gateway)
		host_of_network(family->address, family->prefix, HOST_GATEWAY, family->gateway);
	if (hv_address_equal(family->gateway, family->address)) {
		if (family->has_gateway)
			return fail(error, "guest and gateway have the same address");
		host_of_network(family->address, family->prefix, 1, family->gateway);
	}
	if (family->dns_count == 0 && !dns_none) {
		host_of_network(family->address, family->prefix, HOST_DNS, family->dns[0]);
		/* A network so small that 3 is taken, or the broadcast address: at the gateway itself. */
		if (hv_address_equal(family->dns[0], family->address) ||
		    (hv_address_is_v4(family->address) && family->prefix >= 30))
			memcpy(family->dns[0], family->gateway, 16);
		family->dns_count = 1;
	}
	return check_family(family, error);
}

bool hv_settings_complete(struct hv_settings *settings, char error[HV_OPTION_ERROR])
{
	if (settings->v4.off && settings->v6.off)
		return fail(error, "-4 and -6 together leave nothing");
	if (!hv_settings_policy_complete(settings, error) ||
	    !hv_settings_tls_complete(settings, error))
		return false;
	if (settings->dns_none && settings->v4.dns_count + settings->v6.dns_count > 0)
		return fail(error, "--dns none and --dns ADDR contradict each other");
	if (settings->mtu && settings->mtu < IPV6_MTU_MIN && !settings->v6.off)
		return fail(error, "IPv6 needs an MTU of at least 1280; -4 turns it off");
	/* One family's server is enough: the other's default is not added to a chosen one. */
	if (settings->v4.dns_count + settings->v6.dns_count > 0) {
		bool only4 = settings->v6.dns_count == 0;
		bool only6 = settings->v4.dns_count == 0;

		return complete_family(&settings->v4, "10.0.2.100", 24, only6, error) &&
		       complete_family(&settings->v6, "fd00::100", 64, only4, error);
	}
	return complete_family(&settings->v4, "10.0.2.100", 24, settings->dns_none, error) &&
	       complete_family(&settings->v6, "fd00::100", 64, settings->dns_none, error);
}

void hv_settings_guest_network(const struct hv_settings *settings,
			       struct hv_guest_network *network)
{
	network->wire = settings->wire;
	if (settings->ifname)
		snprintf(network->ifname, sizeof(network->ifname), "%s", settings->ifname);
	if (settings->mtu)
		network->mtu = settings->mtu;
	network->ipv4.enabled = !settings->v4.off;
	network->ipv4.prefix = settings->v4.prefix;
	memcpy(&network->ipv4.address, settings->v4.address + 12, 4);
	memcpy(&network->ipv4.gateway, settings->v4.gateway + 12, 4);
	network->ipv6.enabled = !settings->v6.off;
	network->ipv6.prefix = settings->v6.prefix;
	memcpy(&network->ipv6.address, settings->v6.address, 16);
	memcpy(&network->ipv6.gateway, settings->v6.gateway, 16);
}

void hv_settings_guest_dns(const struct hv_settings *settings, struct hv_guest_options *options)
{
	options->dns4_count = settings->v4.off ? 0 : settings->v4.dns_count;
	for (size_t i = 0; i < options->dns4_count; i++)
		memcpy(&options->dns4[i], settings->v4.dns[i] + 12, 4);
	options->dns6_count = settings->v6.off ? 0 : settings->v6.dns_count;
	for (size_t i = 0; i < options->dns6_count; i++)
		memcpy(&options->dns6[i], settings->v6.dns[i], 16);
}

static void gateway_family(const struct hv_settings_family *family,
			   struct hv_network_family *out)
{
	out->enabled = !family->off;
	out->prefix = family->prefix;
	memcpy(out->guest, family->address, 16);
	memcpy(out->gateway, family->gateway, 16);
	out->has_host_loopback = family->has_host_loopback;
	memcpy(out->host_loopback, family->host_loopback, 16);
	/* The first server that is in the guest's network is the gateway's to answer for. */
	for (unsigned i = 0; i < family->dns_count && !out->has_dns && !family->off; i++) {
		if (hv_address_in_prefix(family->dns[i], family->address, family->prefix)) {
			out->has_dns = true;
			memcpy(out->dns, family->dns[i], 16);
		}
	}
}

void hv_settings_gateway(struct hv_settings *settings, const struct hv_guest_network *network,
			 const struct hv_log *log, struct hv_gateway_config *config)
{
	memset(config, 0, sizeof(*config));
	config->log = log;
	config->mtu = network->mtu;
	config->publications = settings->publications;
	config->publication_count = settings->publication_count;
	config->publish_auto = settings->publish_auto;
	config->static_names = settings->static_names;
	config->static_name_count = settings->static_name_count;
	config->tls_in.pairs = settings->tls_pairs;
	config->tls_in.pair_count = settings->tls_pair_count;
	config->tls_in.client_ca = settings->tls_client_ca;
	config->tls_out.targets = settings->tls_targets;
	config->tls_out.target_count = settings->tls_target_count;
	config->tls_out.ca = settings->tls_out_ca;
	config->ftp_ports = settings->ftp_ports;
	config->ftp_port_count = settings->ftp_port_count;
	config->capture_path = settings->capture_path;
	config->impaired = settings->impaired;
	config->fault_in = settings->fault_in;
	config->fault_out = settings->fault_out;
	config->started_ns = settings->started_ns;
	config->name = settings->name;
	config->privileged_ports = settings->privileged_ports;
	config->policy = settings->policy;
	settings->policy.rules = NULL;
	gateway_family(&settings->v4, &config->network.v4);
	gateway_family(&settings->v6, &config->network.v6);
}
