/*
 * DNS as a client of the gateway's: one question for A and one for AAAA, each by a datagram of its own socket, so from a port and with
 * an identifier that nobody can guess (RFC 5452); again when no answer comes; by TCP when the answer is truncated (RFC 7766).
 */
#ifndef HV_CLI_DNS_LOOKUP_H
#define HV_CLI_DNS_LOOKUP_H

#include "cli/explain.h"
#include "cli/inproc.h"

enum hv_dns_lookup_result {
	HV_DNS_LOOKUP_ANSWERED, /* perhaps without an address */
	HV_DNS_LOOKUP_NO_SUCH_NAME,
	HV_DNS_LOOKUP_FAILED,	 /* rcode_name */
	HV_DNS_LOOKUP_NO_ANSWER, /* in time */
	HV_DNS_LOOKUP_BROKEN,	 /* error: a negative errno of ours */
};

struct hv_dns_lookup {
	struct hv_inproc *inproc;
	struct hv_explain *explain;
	const char *name; /* of a host, in small letters; a final dot is allowed */
	bool v4, v6;	  /* what is wanted */
	uint64_t deadline_ns;
	/* Called with each address of the name. */
	void (*address)(void *user, const uint8_t address[16]);
	void *user;
	const char *rcode_name;
	int error;
};

/* One that was answered is enough: then what the other question met is not told. */
enum hv_dns_lookup_result hv_dns_lookup(struct hv_dns_lookup *lookup);

#endif
