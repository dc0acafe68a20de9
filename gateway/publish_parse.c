/*
 * The grammar of `-p`. See publish_parse.h.
 */
#include "gateway/publish_parse.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "gateway/address.h"

#define TEXT_MAX 128

/* Decimal digits only, up to 65535. */
static bool parse_port(const char *text, size_t size, uint16_t *port)
{
	uint32_t value = 0;

	if (size == 0 || size > 5)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	*port = (uint16_t)value;
	return value <= 65535;
}

static bool parse_range(const char *text, uint16_t *first, uint16_t *last)
{
	const char *dash = strchr(text, '-');

	if (!dash) {
		*last = 0;
		if (!parse_port(text, strlen(text), first))
			return false;
		*last = *first;
		return true;
	}
	return parse_port(text, (size_t)(dash - text), first) &&
	       parse_port(dash + 1, strlen(dash + 1), last) && *first > 0 && *first <= *last;
}

static bool parse_protocol(const char *text, uint8_t *protocol)
{
	if (strcmp(text, "tcp") == 0)
		*protocol = IPPROTO_TCP;
	else if (strcmp(text, "udp") == 0)
		*protocol = IPPROTO_UDP;
	else
		return false;
	return true;
}

/* Cuts the last ":..." off text, not one inside of brackets. NULL: there is none. */
static char *cut_last(char *text)
{
	char *colon = strrchr(text, ':');
	char *bracket = strrchr(text, ']');

	if (!colon || (bracket && colon < bracket))
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static bool parse_address(char *text, uint8_t address[16])
{
	size_t size = strlen(text);

	if (size > 2 && text[0] == '[' && text[size - 1] == ']') {
		text[size - 1] = '\0';
		return hv_address_parse(text + 1, address) && !hv_address_is_v4(address);
	}
	/* Without brackets the colons of IPv6 could be anybody's. */
	return hv_address_parse(text, address) && hv_address_is_v4(address);
}

/* text: [[ADDR:]HOSTPORT[-END]:]PORT[-END], cut up. Returns what is wrong, or NULL. */
static const char *parse_parts(char *text, struct hv_publication *publication)
{
	char *guest = cut_last(text);
	char *host;

	if (!guest)
		return parse_range(text, &publication->guest_first, &publication->guest_last)
			       ? NULL
			       : "that is no port from 1 to 65535 and no range";
	if (!parse_range(guest, &publication->guest_first, &publication->guest_last))
		return "the guest's port is no number from 1 to 65535 and no range";
	host = cut_last(text);
	if (host) {
		publication->any_address = false;
		if (!parse_address(text, publication->address))
			return "the address is neither IPv4 nor IPv6 in brackets";
	} else {
		host = text;
	}
	if (*host && !parse_range(host, &publication->host_first, &publication->host_last))
		return "the host's port is no number from 0 to 65535 and no range";
	return NULL;
}

static const char *check(const struct hv_publication *publication)
{
	unsigned host = publication->host_last - publication->host_first;
	unsigned guest = publication->guest_last - publication->guest_first;

	if (publication->guest_first == 0)
		return "the guest's port cannot be 0";
	if (publication->host_first != 0 && guest > 0 && host != guest)
		return "the two ranges are of different length";
	return NULL;
}

bool hv_publication_parse(const char *text, struct hv_publication *publication, char *error,
			  size_t error_size)
{
	size_t length = strlen(text);
	char copy[TEXT_MAX];
	const char *wrong = NULL;
	char *slash;

	memset(publication, 0, sizeof(*publication));
	publication->any_address = true;
	publication->protocol = IPPROTO_TCP;
	if (length >= sizeof(copy)) {
		snprintf(error, error_size, "'%.40s...' is too long for a port to publish",
			 text);
		return false;
	}
	memcpy(copy, text, length + 1);
	slash = strchr(copy, '/');
	if (slash) {
		*slash = '\0';
		if (!parse_protocol(slash + 1, &publication->protocol))
			wrong = "the protocol is neither tcp nor udp";
	}
	if (!wrong)
		wrong = parse_parts(copy, publication);
	if (!wrong)
		wrong = check(publication);
	if (wrong)
		snprintf(error, error_size,
			 "cannot publish '%s': %s; "
			 "it is [[ADDR:]HOSTPORT[-END]:]PORT[-END][/tcp|/udp]",
			 text, wrong);
	return !wrong;
}
