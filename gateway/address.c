/*
 * Addresses: text, classes, prefixes. See address.h.
 */
#include "gateway/address.h"

#include <arpa/inet.h>
#include <stdio.h>

#include <haven/service.h>

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool hv_address_is_v4(const uint8_t address[16])
{
	return memcmp(address, v4_mapped, sizeof(v4_mapped)) == 0;
}

void hv_address_from_v4(uint8_t address[16], const void *four_bytes)
{
	memcpy(address, v4_mapped, sizeof(v4_mapped));
	memcpy(address + 12, four_bytes, 4);
}

bool hv_address_is_unspecified(const uint8_t address[16])
{
	static const uint8_t any6[16];

	if (hv_address_is_v4(address))
		return address[12] == 0;
	return hv_address_equal(address, any6);
}

bool hv_address_is_loopback(const uint8_t address[16])
{
	static const uint8_t loopback6[16] = {[15] = 1};

	if (hv_address_is_v4(address))
		return address[12] == 127;
	return hv_address_equal(address, loopback6);
}

bool hv_address_is_multicast(const uint8_t address[16])
{
	if (hv_address_is_v4(address)) {
		static const uint8_t broadcast[4] = {255, 255, 255, 255};

		return (address[12] & 0xf0) == 0xe0 || memcmp(address + 12, broadcast, 4) == 0;
	}
	return address[0] == 0xff;
}

bool hv_address_is_link_local6(const uint8_t address[16])
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

bool hv_address_in_prefix(const uint8_t address[16], const uint8_t network[16], unsigned bits)
{
	bool v4 = hv_address_is_v4(network);
	unsigned bytes;

	if (v4 != hv_address_is_v4(address))
		return false;
	if (v4)
		bits += 96;
	bytes = bits / 8;
	if (memcmp(address, network, bytes) != 0)
		return false;
	bits %= 8;
	return bits == 0 || ((address[bytes] ^ network[bytes]) >> (8 - bits)) == 0;
}

bool hv_address_parse(const char *text, uint8_t address[16])
{
	uint8_t v4[4];

	if (inet_pton(AF_INET, text, v4) == 1) {
		hv_address_from_v4(address, v4);
		return true;
	}
	return inet_pton(AF_INET6, text, address) == 1;
}

bool hv_endpoint_parse(const char *text, struct haven_endpoint *endpoint)
{
	struct sockaddr_storage address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
	socklen_t length;

	/* ":80" is one for binding. */
	if (text[0] == ':' ||
	    haven_sockaddr_parse(NULL, text, HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP, &address,
				 &length) < 0)
		return false;
	if (address.ss_family == AF_INET) {
		hv_address_from_v4(endpoint->address, &in->sin_addr);
		endpoint->port = ntohs(in->sin_port);
		return endpoint->port != 0;
	}
	memcpy(endpoint->address, &in6->sin6_addr, 16);
	endpoint->port = ntohs(in6->sin6_port);
	return endpoint->port != 0 && in6->sin6_scope_id == 0 &&
	       !hv_address_is_v4(endpoint->address);
}

const char *hv_address_text(const uint8_t address[16], char text[HV_ENDPOINT_TEXT])
{
	bool v4 = hv_address_is_v4(address);

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address + 12 : address, text,
		       HV_ENDPOINT_TEXT))
		text[0] = '\0';
	return text;
}

const char *hv_endpoint_text(const struct haven_endpoint *endpoint, char text[HV_ENDPOINT_TEXT])
{
	char address[HV_ENDPOINT_TEXT];

	hv_address_text(endpoint->address, address);
	snprintf(text, HV_ENDPOINT_TEXT,
		 hv_address_is_v4(endpoint->address) ? "%.45s:%u" : "[%.45s]:%u", address,
		 endpoint->port);
	return text;
}
