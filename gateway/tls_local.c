/*
 * What the local authority signs for this machine. See tls_local.h.
 */
#include "gateway/tls_local.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/address.h"
#include "gateway/authority.h"

#define NAME_SIZE	   256
#define RENEW_BEFORE_S	   (30 * 86400)
#define BELOW_LOCALHOST	   ".localhost"
#define HOST_ADDRESSES_MAX 48

/* What the machine is called. */
struct names {
	char names[HV_AUTHORITY_NAMES_MAX][NAME_SIZE];
	unsigned count;
};

struct hv_tls_local {
	struct hv_authority *authority;
	char network[NAME_SIZE];
	struct names names;
	/* The machine's own, and behind it those of names that clients asked for. */
	struct hv_authority_leaf leaves[1 + HV_TLS_LOCAL_NAMES];
	unsigned added; /* ever */
	struct haven_tls_identity identities[1 + HV_TLS_LOCAL_NAMES];
};

/* --- what the machine is called --------------------------------------------------------- */

static void add_name(const struct hv_tls_local *local, struct names *names, const char *name)
{
	for (unsigned i = 0; i < names->count; i++) {
		if (strcmp(names->names[i], name) == 0)
			return;
	}
	if (names->count < HV_AUTHORITY_NAMES_MAX && strlen(name) < NAME_SIZE &&
	    hv_authority_covers(local->authority, name))
		snprintf(names->names[names->count++], NAME_SIZE, "%s", name);
}

/* Link-local addresses are no good without their zone, which no certificate has. */
static void add_addresses(const struct hv_tls_local *local, struct names *names)
{
	struct ifaddrs *list;

	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *at = list; at && names->count < HOST_ADDRESSES_MAX;
	     at = at->ifa_next) {
		struct haven_endpoint endpoint;
		char text[HV_ENDPOINT_TEXT];

		if (at->ifa_addr &&
		    haven_endpoint_from_sockaddr(at->ifa_addr, &endpoint) == 0 &&
		    !hv_address_is_link_local6(endpoint.address))
			add_name(local, names, hv_address_text(endpoint.address, text));
	}
	freeifaddrs(list);
}

static void collect(const struct hv_tls_local *local, struct names *names)
{
	char host[NAME_SIZE / 2] = "", text[NAME_SIZE];

	*names = (struct names){0};
	add_name(local, names, "localhost");
	if (gethostname(host, sizeof(host) - 1) == 0 && host[0]) {
		add_name(local, names, host);
		host[strcspn(host, ".")] = '\0';
		add_name(local, names, host);
		snprintf(text, sizeof(text), "%s.local", host);
		add_name(local, names, text);
	}
	if (local->network[0]) {
		snprintf(text, sizeof(text), "%.200s.haven", local->network);
		add_name(local, names, text);
	}
	add_name(local, names, "127.0.0.1");
	add_name(local, names, "::1");
	add_addresses(local, names);
}

/* --- certificates ----------------------------------------------------------------------- */

static unsigned leaf_count(const struct hv_tls_local *local)
{
	return 1 + (local->added < HV_TLS_LOCAL_NAMES ? local->added : HV_TLS_LOCAL_NAMES);
}

static void put(struct hv_tls_local *local, unsigned i, const struct hv_authority_leaf *leaf)
{
	hv_authority_leaf_free(&local->leaves[i]);
	local->leaves[i] = *leaf;
	local->identities[i] = (struct haven_tls_identity){
		.chain = leaf->chain,
		.chain_size = strlen(leaf->chain),
		.key = leaf->key,
		.key_size = strlen(leaf->key),
		.label = "the local authority's certificate",
	};
}

int hv_tls_local_renew(struct hv_tls_local *local, char *error, size_t size)
{
	const char *pointers[HV_AUTHORITY_NAMES_MAX];
	struct hv_authority_leaf leaf;
	struct names names;
	int failed;

	collect(local, &names);
	for (unsigned i = 0; i < names.count; i++)
		pointers[i] = names.names[i];
	failed =
		hv_authority_issue(local->authority, pointers, names.count, &leaf, error, size);
	if (failed < 0)
		return failed;
	put(local, 0, &leaf);
	local->names = names;
	local->added = 0; /* they will be asked for again */
	return 0;
}

bool hv_tls_local_is_stale(const struct hv_tls_local *local, time_t now)
{
	struct names names;

	collect(local, &names);
	if (names.count != local->names.count ||
	    local->leaves[0].not_after - now < RENEW_BEFORE_S)
		return true;
	for (unsigned i = 0; i < names.count; i++) {
		if (strcmp(names.names[i], local->names.names[i]) != 0)
			return true;
	}
	return false;
}

static bool is_below_localhost(const char *name)
{
	size_t size = strlen(name), end = strlen(BELOW_LOCALHOST);

	return size > end && strcmp(name + size - end, BELOW_LOCALHOST) == 0;
}

/* Its user has decided about an authority that is bound to names; one that is not could be had to sign anything. */
static bool may_add(const struct hv_tls_local *local, const char *name)
{
	bool bound = hv_authority_permitted(local->authority, 0) != NULL;

	return strlen(name) < NAME_SIZE && !strchr(name, '*') &&
	       (bound ? hv_authority_covers(local->authority, name) : is_below_localhost(name));
}

bool hv_tls_local_add(struct hv_tls_local *local, const char *name)
{
	unsigned place = local->added % HV_TLS_LOCAL_NAMES;
	char error[HV_AUTHORITY_ERROR];
	struct hv_authority_leaf leaf;

	if (!may_add(local, name) ||
	    hv_authority_issue(local->authority, &name, 1, &leaf, error, sizeof(error)) < 0)
		return false;
	put(local, 1 + place, &leaf);
	local->added++;
	return true;
}

const struct haven_tls_identity *hv_tls_local_identities(const struct hv_tls_local *local,
							 unsigned *count)
{
	*count = leaf_count(local);
	return local->identities;
}

/* --- life ------------------------------------------------------------------------------- */

int hv_tls_local_open(const char *network, struct hv_tls_local **out, char *error, size_t size)
{
	struct hv_tls_local *local = calloc(1, sizeof(*local));
	int failed;

	*out = NULL;
	if (!local) {
		snprintf(error, size, "out of memory");
		return -ENOMEM;
	}
	snprintf(local->network, sizeof(local->network), "%s", network ? network : "");
	failed = hv_authority_open(&local->authority, error, size);
	if (failed == 0)
		failed = hv_tls_local_renew(local, error, size);
	if (failed < 0)
		hv_tls_local_close(local);
	else
		*out = local;
	return failed;
}

void hv_tls_local_close(struct hv_tls_local *local)
{
	if (!local)
		return;
	for (unsigned i = 0; i < 1 + HV_TLS_LOCAL_NAMES; i++)
		hv_authority_leaf_free(&local->leaves[i]);
	hv_authority_close(local->authority);
	free(local);
}
