/*
 * Answers that are kept: what one question was told, another with the same key is told for as long as the answer
 * said it holds (RFC 1035 section 3.2.1), and no longer.
 *
 *	positive	until the first of its TTLs is over, at most a day
 *	negative	RFC 2308 section 5: by the SOA record that comes with it, at most 3 hours
 *	not at all	truncated ones, other rcodes than NOERROR and NXDOMAIN, a TTL of 0, negative ones without SOA
 *
 * What was not used for longest goes when there are too many entries or bytes.
 */
#ifndef HV_GATEWAY_DNS_CACHE_H
#define HV_GATEWAY_DNS_CACHE_H

#include <sys/queue.h>

#include "gateway/dns_question.h"
#include "gateway/table.h"

#define HV_DNS_CACHE_ENTRIES 4096
#define HV_DNS_CACHE_BYTES   (4 * 1024 * 1024) /* with what an entry costs besides its answer */

TAILQ_HEAD(hv_dns_entry_list, hv_dns_entry);

struct hv_dns_cache {
	struct hv_table table;
	struct hv_dns_entry_list list; /* last used first */
	size_t bytes;
	uint64_t hits, misses;
};

void hv_dns_cache_init(struct hv_dns_cache *cache);
/* Forget all; the cache can be used again. */
void hv_dns_cache_clear(struct hv_dns_cache *cache);
void hv_dns_cache_finish(struct hv_dns_cache *cache);

/*
 * Keep an answer that hv_dns_make_shareable() has been over, in place of what was known before, if it is one that can be kept. Returns whether it was.
 */
bool hv_dns_cache_put(struct hv_dns_cache *cache, const struct hv_dns_key *key,
		      const uint8_t *answer, size_t size, uint64_t now_ns);

/*
 * The answer to a shareable question: its size, 0 when none is known. With the question's identifier and spelling, and what is left of
 * the TTLs, at least 1 s. out: HV_DNS_MESSAGE_MAX bytes.
 */
size_t hv_dns_cache_get(struct hv_dns_cache *cache, const struct hv_dns_question *question,
			uint64_t now_ns, uint8_t *out);

#endif
