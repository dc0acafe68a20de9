/*
 * Socket addresses as people type them: a numeric host, a port or the name of a service. See
 * haven_sockaddr_parse() in <haven/service.h>.
 */
#include <arpa/inet.h>
#include <string.h>

#include "port/service_table.h"

/* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255" and "%4294967295" */
#define HOST_MAX (INET6_ADDRSTRLEN + 11)

/* The number after '%' (RFC 4007 section 11.2; names of interfaces are the host's, not the stack's). */
static bool parse_zone(const char *text, uint32_t *zone)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > UINT32_MAX)
			return false;
	}
	*zone = (uint32_t)value;
	return true;
}

static int parse_v6(char *host, uint16_t port, struct sockaddr_storage *out, socklen_t *length)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	char *percent = strchr(host, '%');

	if (percent) {
		*percent = '\0';
		if (!parse_zone(percent + 1, &in6.sin6_scope_id))
			return -EINVAL;
	}
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	memcpy(out, &in6, sizeof(in6));
	*length = sizeof(in6);
	return 0;
}

static int parse_v4(const char *host, uint16_t port, struct sockaddr_storage *out,
		    socklen_t *length)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	if (*host && inet_pton(AF_INET, host, &in.sin_addr) != 1)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	memcpy(out, &in, sizeof(in));
	*length = sizeof(in);
	return 0;
}

int haven_sockaddr_parse(const struct haven_services *overlay, const char *text,
			 unsigned protocols, struct sockaddr_storage *out, socklen_t *length)
{
	const char *colon = strrchr(text, ':');
	size_t size = colon ? (size_t)(colon - text) : 0;
	bool brackets = size >= 2 && text[0] == '[' && text[size - 1] == ']';
	char host[HOST_MAX + 1];
	struct haven_ports ports;
	int error;

	if (brackets) {
		text++;
		size -= 2;
	}
	/* A socket address has no protocol: that is the socket's. */
	if (!colon || size > HOST_MAX || strchr(colon, '/'))
		return -EINVAL;
	memcpy(host, text, size);
	host[size] = '\0';
	error = haven_ports_parse(overlay, colon + 1, strlen(colon + 1), protocols, &ports);
	if (error < 0)
		return error;
	if (ports.first != ports.last)
		return -ENOTUNIQ;
	return brackets ? parse_v6(host, ports.first, out, length)
			: parse_v4(host, ports.first, out, length);
}
