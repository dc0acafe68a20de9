/*
 * The grammar of `-p`. See publish_parse.h.
 */
#include "gateway/publish_parse.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "gateway/address.h"
#include "gateway/services.h"

#define TEXT_MAX 128

struct parser {
	uint8_t protocol;
	char reason[200]; /* what is wrong, when something is */
};

static bool wrong(struct parser *parser, const char *reason)
{
	snprintf(parser->reason, sizeof(parser->reason), "%s", reason);
	return false;
}

/* A port, a range of them, or a service's name. whose: "guest" or "host". */
static bool parse_ports(struct parser *parser, const char *whose, const char *text,
			uint16_t *first, uint16_t *last)
{
	unsigned protocol =
		parser->protocol == IPPROTO_TCP ? HAVEN_SERVICE_TCP : HAVEN_SERVICE_UDP;
	bool has_name = strpbrk(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	struct haven_services *services = has_name ? hv_services_load(HV_SERVICES_PATH) : NULL;
	struct haven_ports ports;
	int error = haven_ports_parse(services, text, strlen(text), protocol, &ports);

	if (error == 0 && ports.first == 0 && ports.last != 0)
		error = -ERANGE;
	if (error == 0) {
		*first = ports.first;
		*last = ports.last;
	} else if (has_name) {
		hv_services_explain(services, text, protocol, error, parser->reason,
				    sizeof(parser->reason));
	} else {
		snprintf(parser->reason, sizeof(parser->reason),
			 "the %s's port is no number from %d to 65535, no range and no name",
			 whose, whose[0] == 'h' ? 0 : 1);
	}
	haven_services_destroy(services);
	return error == 0;
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

/* What follows the ports: [tcp|udp][/tls] */
static bool parse_words(struct parser *parser, char *text, struct hv_publication *publication)
{
	char *tls = strrchr(text, '/');

	if (strcmp(text, "tls") == 0) {
		publication->tls = true;
		return true;
	}
	if (tls && strcmp(tls + 1, "tls") == 0) {
		*tls = '\0';
		publication->tls = true;
	}
	if (!parse_protocol(text, &parser->protocol))
		return wrong(parser, "the protocol is neither tcp nor udp");
	if (publication->tls && parser->protocol != IPPROTO_TCP)
		return wrong(parser, "TLS is spoken over tcp");
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

/* text: [[ADDR:]HOSTPORT[-END]:]PORT[-END], cut up. */
static bool parse_parts(struct parser *parser, char *text, struct hv_publication *publication)
{
	char *guest = cut_last(text);
	char *host;

	if (!parse_ports(parser, "guest", guest ? guest : text, &publication->guest_first,
			 &publication->guest_last))
		return false;
	if (!guest)
		return true;
	host = cut_last(text);
	if (host) {
		publication->any_address = false;
		if (!parse_address(text, publication->address))
			return wrong(parser,
				     "the address is neither IPv4 nor IPv6 in brackets");
	} else {
		host = text;
	}
	return !*host || parse_ports(parser, "host", host, &publication->host_first,
				     &publication->host_last);
}

static bool check(struct parser *parser, const struct hv_publication *publication)
{
	unsigned host = publication->host_last - publication->host_first;
	unsigned guest = publication->guest_last - publication->guest_first;

	if (publication->guest_first == 0)
		return wrong(parser, "the guest's port cannot be 0");
	if (publication->host_first != 0 && guest > 0 && host != guest)
		return wrong(parser, "the two ranges are of different length");
	return true;
}

static bool parse(struct parser *parser, char *text, struct hv_publication *publication)
{
	char *slash = strchr(text, '/');

	if (slash) {
		*slash = '\0';
		if (!parse_words(parser, slash + 1, publication))
			return false;
	}
	publication->protocol = parser->protocol;
	return parse_parts(parser, text, publication) && check(parser, publication);
}

bool hv_publication_parse(const char *text, struct hv_publication *publication, char *error,
			  size_t error_size)
{
	struct parser parser = {.protocol = IPPROTO_TCP};
	size_t length = strlen(text);
	char copy[TEXT_MAX];

	memset(publication, 0, sizeof(*publication));
	publication->any_address = true;
	if (length >= sizeof(copy)) {
		snprintf(error, error_size, "'%.40s...' is too long for a port to publish",
			 text);
		return false;
	}
	memcpy(copy, text, length + 1);
	if (parse(&parser, copy, publication))
		return true;
	snprintf(
		error, error_size,
		"cannot publish '%s': %s; it is [[ADDR:]HOSTPORT[-END]:]PORT[-END][/tcp|/udp][/tls]",
		text, parser.reason);
	return false;
}
