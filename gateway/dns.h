/*
 * DNS at the gateway's address: questions of the guest, answered by what haven knows itself (dns_static.h), by what was asked
 * before (dns_cache.h), or by the host's resolvers (dns_query.h).
 *
 *	guest -- UDP: datagram ---- dns.c ---- static names, policy, cache
 *	      \- TCP: dns_tcp.c --/     \----- dns_query.c -- UDP: a socket for each attempt -- resolver
 *	                                                \---- TCP: dns_stream.c ------------/
 *
 * Questions go on as they are, and answers come back as they are, but for what a cache has to change: identifier, spelling of the
 * question, TTLs, cookies. EDNS, DNSSEC and truncation are between guest and resolver.
 */
#ifndef HV_GATEWAY_DNS_H
#define HV_GATEWAY_DNS_H

#include "gateway/gateway.h"

/* What a policy wants to know and to say. Names are lower case, without final dot. */
struct hv_dns_watcher {
	void *user;
	/*
	 * Before an answer goes to the guest: each address that it gives to a name (dns_answer.h), with what is left of its TTL; wherever the
	 * answer is from. May be NULL.
	 */
	void (*bound)(void *user, const char *name, const uint8_t address[16], uint32_t ttl_s);
	/*
	 * Whether the guest may ask for this name. NULL: for all. Where it may not, it is told REFUSED, and nothing leaves; and so for
	 * all that is no question about a name of a host in class IN. Reverse names (in-addr.arpa, ip6.arpa) are names like others. haven's
	 * own names are not asked about.
	 */
	bool (*wanted)(void *user, const char *name);
};

/* config: static_names are not copied. 0 or a negative errno. */
int hv_dns_create(struct hv_gateway *gateway, const struct hv_gateway_config *config);
void hv_dns_destroy(struct hv_gateway *gateway);

/* From now on; the struct is copied. At first nobody watches, and everything is wanted. */
void hv_dns_watch(struct hv_dns *dns, const struct hv_dns_watcher *watcher);

/* For who looks at it at work. */
struct hv_dns_stats {
	size_t kept, kept_bytes; /* answers in the cache */
	uint64_t hits, misses;	 /* of questions that it was looked in for */
	unsigned connections;	 /* of the guest */
};
void hv_dns_stats(const struct hv_dns *dns, struct hv_dns_stats *stats);

/* A question of the guest, or several (gso_size), to the gateway's DNS address. */
void hv_dns_query(struct hv_dns *dns, const struct haven_datagram *datagram);

/* A connection of the guest to there: answered at once, whatever it is to be. The limit of flows is the caller's to look at. */
void hv_dns_tcp_request(struct hv_dns *dns, struct haven_request *request,
			const struct haven_endpoint *source,
			const struct haven_endpoint *destination);

#endif
