/*
 * What to connect to. See target.h.
 */
#include "cli/target.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gateway/services.h"

#define TLS_PREFIX "tls:"

__attribute__((format(printf, 2, 3))) static bool wrong(char *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, HV_TARGET_ERROR, format, arguments);
	va_end(arguments);
	return false;
}

/* A name with a final dot is the same name: there is no search list that it would keep away. TLS has none (RFC 6066 section 3). */
static void take_host(struct hv_target *target, const struct haven_url *url)
{
	size_t size = strlen(url->host);

	memcpy(target->host, url->host, sizeof(target->host));
	target->family = url->family;
	if (size > 0 && target->host[size - 1] == '.')
		target->host[size - 1] = '\0';
}

/* --- URLs ------------------------------------------------------------------------------- */

static bool explain_url(const char *text, int failed, char *error)
{
	int scheme = (int)strcspn(text, ":");

	switch (failed) {
	case -EPROTONOSUPPORT:
		return wrong(error, "'%.100s': nothing has its default port by the name '%.*s'",
			     text, scheme < 32 ? scheme : 32, text);
	case -ERANGE:
		return wrong(error, "'%.200s': the port is not from 1 to 65535", text);
	default:
		return wrong(
			error,
			"'%.200s' is not a URL of a host that is a name, an IPv4 address or "
			"an IPv6 address in brackets",
			text);
	}
}

static bool parse_url(const struct haven_services *services, const char *text, bool udp,
		      struct hv_target *target, char *error)
{
	struct haven_url url;
	int failed = haven_url_parse(services, text, &url);

	if (failed < 0)
		return explain_url(text, failed, error);
	target->is_url = true;
	target->http = strcmp(url.scheme, "http") == 0 || strcmp(url.scheme, "https") == 0;
	target->tls = url.tls;
	target->udp = udp || url.protocol == HAVEN_SERVICE_UDP;
	target->port = url.port;
	target->port_given = url.port_given;
	target->service = url.service;
	target->path = text + url.path_at;
	take_host(target, &url);
	memcpy(target->scheme, url.scheme, sizeof(target->scheme));
	if (target->http && memchr(text, '@', url.path_at))
		return wrong(error,
			     "'%.*s...': a user name in a URL is nothing that haven sends",
			     (int)strcspn(text, ":"), text);
	if (target->udp && target->http)
		return wrong(error, "'%.200s': HTTP is over TCP, and --udp is not", text);
	if (target->udp && target->tls)
		return wrong(error, "'%.200s' means DTLS, which haven does not speak", text);
	return true;
}

/* --- HOST:PORT -------------------------------------------------------------------------- */

static bool parse_port(const struct haven_services *services, const char *text, bool udp,
		       bool zero_allowed, uint16_t *port, char *error)
{
	unsigned protocol = udp ? HAVEN_SERVICE_UDP : HAVEN_SERVICE_TCP;
	struct haven_ports ports;
	int failed = haven_ports_parse(services, text, strlen(text), protocol, &ports);

	if (failed < 0) {
		hv_services_explain(services, text, protocol, failed, error, HV_TARGET_ERROR);
		return false;
	}
	if (ports.first != ports.last || !(ports.protocols & protocol))
		return wrong(error, "'%.60s' is not one port of %s", text, udp ? "UDP" : "TCP");
	if (ports.first == 0 && !zero_allowed)
		return wrong(error, "nobody listens at port 0: it means 'choose one'");
	*port = ports.first;
	return true;
}

/* The rules for hosts are those of URLs. */
static bool parse_host(const char *text, size_t size, struct hv_target *target, char *error)
{
	char url_text[HAVEN_URL_HOST + 16];
	struct haven_url url;

	snprintf(url_text, sizeof(url_text), "http://%.*s/",
		 size < HAVEN_URL_HOST ? (int)size : HAVEN_URL_HOST, text);
	if (size == 0 || memchr(text, '@', size) || memchr(text, '/', size) ||
	    haven_url_parse(NULL, url_text, &url) < 0 || url.port_given)
		return wrong(error,
			     "'%.*s' is no host: neither a name nor an IPv4 address; an IPv6 "
			     "address stands in brackets, as in [::1]:80",
			     size < 200 ? (int)size : 200, text);
	take_host(target, &url);
	return true;
}

/* The colon in front of the port; NULL: there is none. */
static const char *port_colon(const char *text)
{
	const char *from = text;

	if (text[0] == '[') {
		from = strchr(text, ']');
		if (!from)
			return NULL;
	}
	return strrchr(from, ':');
}

bool hv_target_parse(const struct haven_services *services, const char *text, bool udp,
		     struct hv_target *target, char error[HV_TARGET_ERROR])
{
	const char *colon;

	*target = (struct hv_target){.path = "", .udp = udp};
	if (haven_url_is(text))
		return parse_url(services, text, udp, target, error);
	if (strncmp(text, TLS_PREFIX, strlen(TLS_PREFIX)) == 0) {
		text += strlen(TLS_PREFIX);
		target->tls = true;
	}
	if (target->tls && udp)
		return wrong(error, "tls: is for streams, and --udp is for datagrams");
	colon = port_colon(text);
	if (!colon)
		return wrong(error, "'%.200s' has no port: it is HOST:PORT, or a URL", text);
	target->port_given = true;
	return parse_host(text, (size_t)(colon - text), target, error) &&
	       parse_port(services, colon + 1, udp, false, &target->port, error);
}

bool hv_target_parse_listen(const struct haven_services *services, const char *text, bool udp,
			    struct hv_target *target, char error[HV_TARGET_ERROR])
{
	const char *colon = port_colon(text);

	*target = (struct hv_target){.path = "", .udp = udp, .port_given = true};
	if (colon) {
		if (!parse_host(text, (size_t)(colon - text), target, error))
			return false;
		if (target->family == AF_UNSPEC)
			return wrong(
				error,
				"'%.200s' is a name: listen at an address, or at a port alone",
				target->host);
		text = colon + 1;
	}
	return parse_port(services, text, udp, true, &target->port, error);
}

const char *hv_target_text(const struct hv_target *target, char text[HV_TARGET_TEXT])
{
	const char *format = target->family == AF_INET6 ? "[%s]:%u" : "%s:%u";

	snprintf(text, HV_TARGET_TEXT, format, target->host, target->port);
	return text;
}
