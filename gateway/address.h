/*
 * Addresses as the gateway handles them: 16 bytes, IPv4 in its v4-mapped form, with a port in a
 * struct haven_endpoint. Text, classes and prefixes; no policy.
 */
#ifndef HV_GATEWAY_ADDRESS_H
#define HV_GATEWAY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <haven/forward.h>

/* "[ffff:...:255.255.255.255]:65535" and its end. */
#define HV_ENDPOINT_TEXT 56

static inline bool hv_address_equal(const uint8_t a[16], const uint8_t b[16])
{
	return memcmp(a, b, 16) == 0;
}

static inline bool hv_endpoint_equal(const struct haven_endpoint *a,
				     const struct haven_endpoint *b)
{
	return a->port == b->port && hv_address_equal(a->address, b->address);
}

bool hv_address_is_v4(const uint8_t address[16]);
void hv_address_from_v4(uint8_t address[16], const void *four_bytes);
/* 0.0.0.0/8 or ::. Linux takes a connect to 0.0.0.0 for one to loopback. */
bool hv_address_is_unspecified(const uint8_t address[16]);
bool hv_address_is_loopback(const uint8_t address[16]);
/* Multicast, and 255.255.255.255. */
bool hv_address_is_multicast(const uint8_t address[16]);
/* fe80::/10; 169.254/16 is ordinary to a gateway. */
bool hv_address_is_link_local6(const uint8_t address[16]);
/* bits: of the family's own length (0..32 or 0..128). Families differ: false. */
bool hv_address_in_prefix(const uint8_t address[16], const uint8_t network[16], unsigned bits);

/* Numeric IPv4 or IPv6, without brackets, zone or port. */
bool hv_address_parse(const char *text, uint8_t address[16]);

/* "192.0.2.1:80", "[2001:db8::1]:https"; the port from 1, or a name of the built-in registry. */
bool hv_endpoint_parse(const char *text, struct haven_endpoint *endpoint);

/* Writes into `text` and returns it. */
const char *hv_address_text(const uint8_t address[16], char text[HV_ENDPOINT_TEXT]);
const char *hv_endpoint_text(const struct haven_endpoint *endpoint,
			     char text[HV_ENDPOINT_TEXT]);

#endif
