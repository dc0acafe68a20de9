/*
 * From a host to addresses. See resolve.h; dns_lookup.h asks.
 */
#include "cli/resolve.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/dns_lookup.h"
#include "cli/hosts.h"

__attribute__((format(printf, 2, 3))) static bool fail(struct hv_resolve *resolve,
						       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(resolve->error, sizeof(resolve->error), format, arguments);
	va_end(arguments);
	return false;
}

static void add(void *user, const uint8_t address[16])
{
	struct hv_resolve *resolve = user;

	if (resolve->count == HV_RESOLVED_MAX ||
	    (hv_address_is_v4(address) ? resolve->v6_only : resolve->v4_only))
		return;
	for (unsigned i = 0; i < resolve->count; i++) {
		if (hv_address_equal(resolve->addresses[i], address))
			return;
	}
	memcpy(resolve->addresses[resolve->count++], address, 16);
}

/* --- order ------------------------------------------------------------------------------ */

/* Whether the host's kernel would know a way: a connect of a datagram socket asks it, and sends nothing. */
static bool has_route(const uint8_t address[16])
{
	struct haven_endpoint endpoint = {.port = 9};
	struct sockaddr_storage sockaddr;
	socklen_t size;
	bool route;
	int fd;

	memcpy(endpoint.address, address, 16);
	size = haven_endpoint_to_sockaddr(&endpoint, &sockaddr);
	fd = socket(sockaddr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	route = connect(fd, (struct sockaddr *)&sockaddr, size) == 0;
	close(fd);
	return route;
}

/* A stable sort by: a route, IPv6. */
static void sort(struct hv_resolve *resolve)
{
	unsigned rank[HV_RESOLVED_MAX];

	for (unsigned i = 0; i < resolve->count; i++) {
		uint8_t address[16];
		unsigned own = (has_route(resolve->addresses[i]) ? 0 : 2) +
			       (hv_address_is_v4(resolve->addresses[i]) ? 1 : 0);
		unsigned at = i;

		memcpy(address, resolve->addresses[i], 16);
		for (; at > 0 && rank[at - 1] > own; at--) {
			rank[at] = rank[at - 1];
			memcpy(resolve->addresses[at], resolve->addresses[at - 1], 16);
		}
		rank[at] = own;
		memcpy(resolve->addresses[at], address, 16);
	}
}

static void tell_order(const struct hv_resolve *resolve)
{
	char list[HV_RESOLVED_MAX * HV_ENDPOINT_TEXT], text[HV_ENDPOINT_TEXT];
	json_t *addresses;
	size_t used = 0;

	if (!resolve->explain->on)
		return;
	addresses = json_array();
	for (unsigned i = 0; i < resolve->count; i++) {
		const char *route = has_route(resolve->addresses[i])
					    ? ""
					    : " (the host has no route to it)";

		hv_address_text(resolve->addresses[i], text);
		json_array_append_new(addresses, json_string(text));
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s%s",
					 i ? ", " : "", text, route);
		if (used >= sizeof(list))
			used = sizeof(list) - 1;
	}
	hv_explain_step(resolve->explain, "addresses",
			json_pack("{s:o}", "addresses", addresses),
			"to be tried in this order: %s", list);
}

/* --- where from ------------------------------------------------------------------------- */

static const char *wanted_kind(const struct hv_resolve *resolve)
{
	return resolve->v4_only ? "IPv4 " : resolve->v6_only ? "IPv6 " : "";
}

static bool take_literal(struct hv_resolve *resolve)
{
	uint8_t address[16];

	if (!hv_address_parse(resolve->host, address))
		return fail(resolve, "'%s' is no address", resolve->host);
	add(resolve, address);
	if (resolve->count == 0)
		return fail(resolve, "'%s' is no %saddress, and the options ask for one",
			    resolve->host, wanted_kind(resolve));
	return true;
}

static bool look_at_host(struct hv_resolve *resolve)
{
	uint8_t addresses[HV_HOSTS_MAX][16];
	unsigned count = hv_hosts_lookup(HV_HOSTS_PATH, resolve->host, addresses);
	const char *by = HV_HOSTS_PATH;

	if (count == 0 && hv_hosts_is_localhost(resolve->host)) {
		hv_address_parse("::1", addresses[0]);
		hv_address_parse("127.0.0.1", addresses[1]);
		by = "RFC 6761";
		count = 2;
	}
	for (unsigned i = 0; i < count; i++)
		add(resolve, addresses[i]);
	if (resolve->count > 0)
		hv_explain_step(resolve->explain, "hosts", NULL,
				"'%s' is known by %s, without DNS", resolve->host, by);
	return resolve->count > 0;
}

static bool ask_dns(struct hv_resolve *resolve)
{
	struct hv_dns_lookup lookup = {
		.inproc = resolve->inproc,
		.explain = resolve->explain,
		.name = resolve->host,
		.v4 = !resolve->v6_only,
		.v6 = !resolve->v4_only,
		.deadline_ns = resolve->deadline_ns,
		.address = add,
		.user = resolve,
	};

	switch (hv_dns_lookup(&lookup)) {
	case HV_DNS_LOOKUP_ANSWERED:
		break;
	case HV_DNS_LOOKUP_NO_SUCH_NAME:
		return fail(resolve, "there is no name '%s' (DNS says NXDOMAIN)",
			    resolve->host);
	case HV_DNS_LOOKUP_FAILED:
		return fail(resolve, "DNS could not answer about '%s': %s", resolve->host,
			    lookup.rcode_name);
	case HV_DNS_LOOKUP_NO_ANSWER:
		return fail(resolve, "DNS gave no answer about '%s'", resolve->host);
	case HV_DNS_LOOKUP_BROKEN:
		return fail(resolve, "cannot ask DNS about '%s': %s", resolve->host,
			    haven_strerror(lookup.error));
	}
	if (resolve->count == 0)
		return fail(resolve, "the name '%s' has no %saddress", resolve->host,
			    wanted_kind(resolve));
	return true;
}

bool hv_resolve(struct hv_resolve *resolve)
{
	resolve->count = 0;
	if (resolve->family != AF_UNSPEC)
		return take_literal(resolve);
	if (!look_at_host(resolve) && !ask_dns(resolve))
		return false;
	sort(resolve);
	tell_order(resolve);
	return true;
}
