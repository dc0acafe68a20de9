/*
 * From a host to addresses, in the order in which they are to be tried.
 *
 *	an address	itself
 *	localhost	::1, 127.0.0.1
 *	a name		what /etc/hosts has for it; else DNS: A and AAAA, asked of the gateway's DNS by datagrams of the client's
 *			stack, and by TCP where an answer is truncated
 *
 * IPv6 comes first, but addresses that the host has no route to come last (RFC 6724 section 5, rule 1). Names are taken as they
 * are: there is no search list.
 */
#ifndef HV_CLI_RESOLVE_H
#define HV_CLI_RESOLVE_H

#include "cli/explain.h"
#include "cli/inproc.h"

#define HV_RESOLVED_MAX	 16
#define HV_RESOLVE_ERROR 512

struct hv_resolve {
	struct hv_inproc *inproc;
	struct hv_explain *explain;
	const char *host;
	int family; /* AF_UNSPEC: a name */
	bool v4_only, v6_only;
	uint64_t deadline_ns;
	unsigned count;
	uint8_t addresses[HV_RESOLVED_MAX][16];
	char error[HV_RESOLVE_ERROR];
};

/* The first fields are set. False: error says why there is none. */
bool hv_resolve(struct hv_resolve *resolve);

#endif
