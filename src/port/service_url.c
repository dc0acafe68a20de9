/*
 * What a URL asks for: transport, host, port, TLS. See haven_url_parse() in <haven/service.h>.
 *
 *	scheme "://" [ userinfo "@" ] host [ ":" port ] [ "/" path ] [ "?" query ] [ "#" fragment ]
 */
#include <arpa/inet.h>
#include <string.h>

#include "port/service_table.h"

#define TCP	  HAVEN_SERVICE_TCP
#define UDP	  HAVEN_SERVICE_UDP
#define NAME_MAX_ 253 /* of a host, RFC 1035 section 2.3.4 less the root's byte */

/*
 * Schemes whose default is not simply "the service of that name, over TCP, without TLS", and those that most
 * need to be right. Where TLS is agreed upon within the protocol (postgresql, mysql, rdp,
 * smtp, ldap...) the connection begins without it.
 */
static const struct scheme {
	const char *name;
	const char *service; /* of the registry, for the eye; the port is this table's */
	uint16_t port;
	uint8_t protocol;
	bool tls;
} schemes[] = {
	{"http", "http", 80, TCP, false},   /* RFC 9110 section 4.2.1 */
	{"https", "https", 443, TCP, true}, /* RFC 9110 section 4.2.2 */
	{"ws", "http", 80, TCP, false},	    /* RFC 6455 section 3 */
	{"wss", "https", 443, TCP, true},   /* RFC 6455 section 3 */
	{"ftp", "ftp", 21, TCP, false},	    /* RFC 1738 section 3.2 */
	{"ftps", "ftps", 990, TCP, true},   /* TLS from the first byte */
	{"tftp", "tftp", 69, UDP, false},   /* RFC 3617 */
	{"ssh", "ssh", 22, TCP, false},
	{"sftp", "ssh", 22, TCP, false},
	{"scp", "ssh", 22, TCP, false},
	{"telnet", "telnet", 23, TCP, false}, /* RFC 4248 */
	{"telnets", "telnets", 992, TCP, true},
	{"smtp", "smtp", 25, TCP, false},
	{"smtps", "submissions", 465, TCP, true}, /* RFC 8314 section 7.3 */
	{"submission", "submission", 587, TCP, false},
	{"submissions", "submissions", 465, TCP, true},
	{"pop", "pop3", 110, TCP, false}, /* RFC 2384 */
	{"pop3", "pop3", 110, TCP, false},
	{"pop3s", "pop3s", 995, TCP, true}, /* RFC 8314 section 3.3 */
	{"imap", "imap", 143, TCP, false},  /* RFC 5092 */
	{"imaps", "imaps", 993, TCP, true}, /* RFC 8314 section 3.2 */
	{"nntp", "nntp", 119, TCP, false},  /* RFC 5538 */
	{"nntps", "nntps", 563, TCP, true},
	{"ldap", "ldap", 389, TCP, false}, /* RFC 4516 */
	{"ldaps", "ldaps", 636, TCP, true},
	{"dns", "domain", 53, UDP, false}, /* RFC 4501 */
	{"ntp", "ntp", 123, UDP, false},
	{"snmp", "snmp", 161, UDP, false}, /* RFC 4088 */
	{"syslog", "syslog", 514, UDP, false},
	{"coap", "coap", 5683, UDP, false},	 /* RFC 7252 section 6.1 */
	{"coaps", "coaps", 5684, UDP, true},	 /* RFC 7252 section 6.2 */
	{"coap+tcp", "coap", 5683, TCP, false},	 /* RFC 8323 section 8.1 */
	{"coaps+tcp", "coaps", 5684, TCP, true}, /* RFC 8323 section 8.2 */
	{"rtsp", "rtsp", 554, TCP, false},	 /* RFC 7826 section 4.2 */
	{"rtsps", "rtsps", 322, TCP, true},	 /* RFC 7826 section 4.2 */
	{"ipp", "ipp", 631, TCP, false},	 /* RFC 3510 */
	{"ipps", "ipps", 631, TCP, true},	 /* RFC 7472 */
	{"irc", "ircu", 6667, TCP, false},	 /* what servers have; the registry's is 194 */
	{"ircs", "ircs-u", 6697, TCP, true},	 /* RFC 7194 */
	{"mqtt", "mqtt", 1883, TCP, false},
	{"mqtts", "secure-mqtt", 8883, TCP, true},
	{"amqp", "amqp", 5672, TCP, false},
	{"amqps", "amqps", 5671, TCP, true},
	{"redis", "redis", 6379, TCP, false},
	{"rediss", "redis", 6379, TCP, true},
	{"postgres", "postgresql", 5432, TCP, false},
	{"postgresql", "postgresql", 5432, TCP, false},
	{"mysql", "mysql", 3306, TCP, false},
	{"mongodb", "mongodb", 27017, TCP, false},
	{"rdp", "ms-wbt-server", 3389, TCP, false},
	{"vnc", "rfb", 5900, TCP, false}, /* RFC 7869 */
	{"smb", "microsoft-ds", 445, TCP, false},
	{"bgp", "bgp", 179, TCP, false},
};

static bool is_letter(char c)
{
	c = hv_service_lower(c);
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 3986 section 3.1. Returns its length, 0: there is none before "://". */
static size_t scheme_size(const char *text)
{
	size_t size = 0;

	if (!is_letter(text[0]))
		return 0;
	while (is_letter(text[size]) || is_digit(text[size]) ||
	       (text[size] && strchr("+-.", text[size])))
		size++;
	return strncmp(text + size, "://", 3) == 0 ? size : 0;
}

bool haven_url_is(const char *text)
{
	return scheme_size(text) > 0;
}

/* A scheme that the table does not have: a service of that name with one port. */
static int scheme_from_registry(const struct haven_services *overlay, struct haven_url *url)
{
	unsigned protocol = TCP;
	struct haven_ports ports;
	int error = haven_ports_parse(overlay, url->scheme, strlen(url->scheme), TCP, &ports);

	if (error == -ENOENT) {
		protocol = UDP;
		error = haven_ports_parse(overlay, url->scheme, strlen(url->scheme), UDP,
					  &ports);
	}
	/* A range ("smtp-pop3") is no scheme; the service of a name always answers by it. */
	if (error < 0 || ports.first != ports.last)
		return -EPROTONOSUPPORT;
	url->port = ports.first;
	url->protocol = (uint8_t)protocol;
	url->tls = false;
	url->service = haven_service_name(overlay, ports.first, protocol);
	return 0;
}

static int parse_scheme(const struct haven_services *overlay, const char *text, size_t size,
			struct haven_url *url)
{
	if (size >= sizeof(url->scheme))
		return -EPROTONOSUPPORT;
	for (size_t i = 0; i < size; i++)
		url->scheme[i] = hv_service_lower(text[i]);
	url->scheme[size] = '\0';
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strcmp(url->scheme, schemes[i].name) == 0) {
			url->port = schemes[i].port;
			url->protocol = schemes[i].protocol;
			url->tls = schemes[i].tls;
			url->service = schemes[i].service;
			return 0;
		}
	}
	return scheme_from_registry(overlay, url);
}

/* Names as DNS and hosts files have them; no escapes, no other scripts. */
static bool is_host_name(const char *host)
{
	size_t size = strlen(host), label = 0;

	if (size > 0 && host[size - 1] == '.')
		size--;
	if (size == 0 || size > NAME_MAX_)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (host[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!is_letter(host[i]) && !is_digit(host[i]) && host[i] != '-' &&
		    host[i] != '_')
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0;
}

/* What ends in a number is meant to be an IPv4 address: "1.2.3", "1.2.3.256" are not names. */
static bool ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *label = dot ? dot + 1 : host;

	return *label && label[strspn(label, "0123456789")] == '\0';
}

static int parse_host(const char *text, size_t size, struct haven_url *url)
{
	bool bracket = size > 0 && text[0] == '[';
	uint8_t address[16];

	if (bracket) {
		if (size < 4 || text[size - 1] != ']')
			return -EINVAL;
		text++;
		size -= 2;
	}
	if (size == 0 || size >= sizeof(url->host) || memchr(text, '\0', size))
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		url->host[i] = hv_service_lower(text[i]);
	url->host[size] = '\0';
	url->family = AF_UNSPEC;
	if (bracket) {
		url->family = AF_INET6;
		return inet_pton(AF_INET6, url->host, address) == 1 ? 0 : -EINVAL;
	}
	if (inet_pton(AF_INET, url->host, address) == 1) {
		url->family = AF_INET;
		return 0;
	}
	return is_host_name(url->host) && !ends_in_number(url->host) ? 0 : -EINVAL;
}

/* ":port" or nothing. A colon alone is the default (RFC 3986 section 3.2.3). */
static int parse_port(const char *text, size_t size, struct haven_url *url)
{
	uint32_t value = 0;

	if (size == 0)
		return 0;
	if (text[0] != ':')
		return -EINVAL;
	if (size == 1)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (!is_digit(text[i]))
			return -EINVAL;
		value = value * 10 + (uint32_t)(text[i] - '0');
		if (value > 65535)
			return -ERANGE;
	}
	if (value == 0)
		return -ERANGE;
	url->port = (uint16_t)value;
	url->port_given = true;
	return 0;
}

int haven_url_parse(const struct haven_services *overlay, const char *text,
		    struct haven_url *out)
{
	struct haven_url url = {0};
	size_t scheme = scheme_size(text), size, host;
	const char *authority = text + scheme + 3;
	const char *user;
	int error;

	if (scheme == 0)
		return -EINVAL;
	/* Blanks and control characters have no place in a URL, and end up in commands. */
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '\\')
			return -EINVAL;
	}
	error = parse_scheme(overlay, text, scheme, &url);
	if (error < 0)
		return error;
	size = strcspn(authority, "/?#");
	url.path_at = (size_t)(authority + size - text);
	user = memrchr(authority, '@', size);
	if (user) {
		size -= (size_t)(user + 1 - authority);
		authority = user + 1;
	}
	if (size > 0 && authority[0] == '[') {
		const char *end = memchr(authority, ']', size);

		host = end ? (size_t)(end + 1 - authority) : size;
	} else {
		const char *colon = memchr(authority, ':', size);

		host = colon ? (size_t)(colon - authority) : size;
	}
	error = parse_host(authority, host, &url);
	if (error == 0)
		error = parse_port(authority + host, size - host, &url);
	if (error == 0)
		*out = url;
	return error;
}
