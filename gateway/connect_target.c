/*
 * From HOST:PORT to an endpoint of the guest's network. See connect_target.h.
 */
#include "gateway/connect_target.h"

#include <stdio.h>
#include <strings.h>

#include "gateway/services.h"

#define TEXT_MAX 128

static bool is_one_of_tcp(const struct haven_ports *ports)
{
	return ports->first == ports->last && ports->first != 0 &&
	       (ports->protocols & HAVEN_SERVICE_TCP);
}

static bool parse_port(const char *text, uint16_t *port, char *error, size_t error_size)
{
	bool has_name = strpbrk(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	struct haven_services *services = has_name ? hv_services_load(HV_SERVICES_PATH) : NULL;
	struct haven_ports ports;
	int failed = haven_ports_parse(services, text, strlen(text), HAVEN_SERVICE_TCP, &ports);

	if (failed < 0 && has_name)
		hv_services_explain(services, text, HAVEN_SERVICE_TCP, failed, error,
				    error_size);
	else if (failed < 0 || !is_one_of_tcp(&ports))
		snprintf(
			error, error_size,
			"'%.60s' is no port: a number from 1 to 65535, or the name of a service",
			text);
	else
		*port = ports.first;
	haven_services_destroy(services);
	return failed == 0 && is_one_of_tcp(&ports);
}

/* "10.0.2.100/24 and fd00::100/64" */
static const char *network_text(const struct hv_network *network, char *text, size_t size)
{
	char v4[HV_ENDPOINT_TEXT], v6[HV_ENDPOINT_TEXT];
	size_t used = 0;

	text[0] = '\0';
	if (network->v4.enabled)
		used = (size_t)snprintf(text, size, "%s/%u",
					hv_address_text(network->v4.guest, v4),
					network->v4.prefix);
	if (network->v6.enabled && used < size)
		snprintf(text + used, size - used, "%s%s/%u", used ? " and " : "",
			 hv_address_text(network->v6.guest, v6), network->v6.prefix);
	return text;
}

static bool is_gateway(const struct hv_network_family *family, const uint8_t address[16])
{
	return hv_address_equal(address, family->gateway) ||
	       (family->has_dns && hv_address_equal(address, family->dns)) ||
	       (family->has_host_loopback && hv_address_equal(address, family->host_loopback));
}

/* What is on the guest's link, or the guest's own: nothing else is routed to it. */
static bool check_address(const char *host, const struct hv_network *network,
			  const uint8_t address[16], char *error, size_t error_size)
{
	const struct hv_network_family *family = hv_network_family_of(network, address);
	char there[2 * HV_ENDPOINT_TEXT + 16];

	if (!family->enabled) {
		snprintf(error, error_size, "the guest has no %s",
			 hv_address_is_v4(address) ? "IPv4" : "IPv6");
		return false;
	}
	if (is_gateway(family, address)) {
		snprintf(error, error_size,
			 "'%.60s' is haven's own end of the network; the guest is 'localhost'",
			 host);
		return false;
	}
	if (hv_address_equal(address, family->guest) ||
	    hv_address_in_prefix(address, family->gateway, family->prefix))
		return true;
	snprintf(error, error_size,
		 "'%.60s' is not in the guest's network (%s); the guest is 'localhost'", host,
		 network_text(network, there, sizeof(there)));
	return false;
}

static bool is_guest_name(const char *host)
{
	return !*host || strcasecmp(host, "localhost") == 0 || strcasecmp(host, "guest") == 0;
}

static bool parse_host(const char *host, const struct hv_network *network,
		       struct hv_connect_target *target, char *error, size_t error_size)
{
	uint8_t *address = target->endpoint.address;

	target->any_family = is_guest_name(host);
	if (target->any_family) {
		memcpy(address, network->v4.enabled ? network->v4.guest : network->v6.guest,
		       16);
		return true;
	}
	if (!hv_address_parse(host, address)) {
		snprintf(
			error, error_size,
			"'%.60s' is no host of the guest's network: say 'localhost' (the guest) or "
			"an address",
			host);
		return false;
	}
	if (hv_address_is_loopback(address) &&
	    hv_network_family_of(network, address)->enabled) {
		memcpy(address, hv_network_family_of(network, address)->guest, 16);
		return true;
	}
	return check_address(host, network, address, error, error_size);
}

/* Takes the brackets off. False: colons without them could be anybody's. */
static bool unbracket(char **host)
{
	size_t size = strlen(*host);

	if ((*host)[0] != '[')
		return !strchr(*host, ':');
	if ((*host)[size - 1] != ']')
		return false;
	(*host)[size - 1] = '\0';
	++*host;
	return true;
}

bool hv_connect_target_parse(const char *text, const struct hv_network *network,
			     struct hv_connect_target *target, char *error, size_t error_size)
{
	char copy[TEXT_MAX];
	char *host = copy;
	char *colon;

	memset(target, 0, sizeof(*target));
	snprintf(copy, sizeof(copy), "%s", text);
	colon = strrchr(copy, ':');
	if (strlen(text) >= sizeof(copy) || !colon) {
		snprintf(
			error, error_size,
			"'%.60s' is no HOST:PORT, such as localhost:22 for the guest's port 22",
			text);
		return false;
	}
	*colon = '\0';
	if (!unbracket(&host)) {
		snprintf(error, error_size,
			 "'%.60s': an IPv6 address stands in brackets, as in [fd00::100]:22",
			 text);
		return false;
	}
	return parse_port(colon + 1, &target->endpoint.port, error, error_size) &&
	       parse_host(host, network, target, error, error_size);
}
