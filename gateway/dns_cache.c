/*
 * Answers that are kept. See dns_cache.h.
 */
#include "gateway/dns_cache.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/loop.h"

#define POSITIVE_MAX_S (24 * 3600)
#define NEGATIVE_MAX_S (3 * 3600) /* RFC 2308 section 5 */
#define SOA_DATA_MIN   22	  /* two names and five numbers, the last of them MINIMUM */

/*
 * Where the TTLs are is found once: a name may point to where they, or the identifier, stand, and so the message be another one when
 * these have changed.
 */
struct hv_dns_entry {
	struct hv_node node;
	TAILQ_ENTRY(hv_dns_entry) entry;
	uint64_t stored_ns;
	uint32_t lifetime_s;
	uint16_t key_size, answer_size, ttl_count;
	uint8_t bytes[]; /* the key, the answer, where its TTLs are (2 bytes each) */
};

static size_t cost(const struct hv_dns_entry *entry)
{
	return sizeof(*entry) + entry->key_size + entry->answer_size + 2u * entry->ttl_count;
}

static uint8_t *answer_of(struct hv_dns_entry *entry)
{
	return entry->bytes + entry->key_size;
}

static uint8_t *ttls_of(struct hv_dns_entry *entry)
{
	return answer_of(entry) + entry->answer_size;
}

/* --- how long an answer holds ----------------------------------------------------------- */

/* What its records say. */
struct survey {
	uint16_t ttl_count;
	uint32_t least_s;    /* of all TTLs */
	bool answered;	     /* there is a record of the type that was asked for */
	bool has_soa;	     /* in the authority section: */
	uint32_t negative_s; /* how long it says that there is nothing (RFC 2308 section 4) */
	bool odd;
};

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void survey_record(struct survey *survey, const uint8_t *answer,
			  const struct hv_dns_record *record, uint16_t type)
{
	if (record->type == HV_DNS_OPT) {
		/* The upper bits of an rcode that has no name in the header (RFC 6891 section 6.1.3). */
		survey->odd |= answer[record->ttl_at] != 0;
		return;
	}
	survey->ttl_count++;
	survey->least_s = least(survey->least_s, record->ttl_s);
	if (record->section == HV_DNS_ANSWER && record->type == type)
		survey->answered = true;
	if (record->section == HV_DNS_AUTHORITY && record->type == HV_DNS_SOA &&
	    record->data_size >= SOA_DATA_MIN) {
		survey->has_soa = true;
		survey->negative_s =
			least(record->ttl_s,
			      hv_dns_get32(answer + record->data_at + record->data_size - 4));
	}
}

/* Whether an answer is to the question of this key. */
static bool is_about(const uint8_t *answer, size_t size, const struct hv_dns_key *key)
{
	size_t question = key->size - 1u, i;

	if (size < HV_DNS_HEADER_SIZE + question || hv_dns_get16(answer + 4) != 1)
		return false;
	answer += HV_DNS_HEADER_SIZE;
	for (i = 0; i < question - 4; i++) {
		if (hv_dns_lower(answer[i]) != key->bytes[i])
			return false;
	}
	return memcmp(answer + i, key->bytes + i, 4) == 0;
}

/* 0: it is not to be kept. */
static uint32_t lifetime_of(struct survey *survey, const uint8_t *answer, size_t size,
			    uint16_t type)
{
	enum hv_dns_rcode rcode = hv_dns_rcode(answer);
	struct hv_dns_reader reader;
	struct hv_dns_record record;

	*survey = (struct survey){.least_s = POSITIVE_MAX_S};
	if (!(answer[2] & HV_DNS_FLAG_QR) ||
	    (answer[2] & (HV_DNS_MASK_OPCODE | HV_DNS_FLAG_TC)) ||
	    (rcode != HV_DNS_NOERROR && rcode != HV_DNS_NXDOMAIN) ||
	    !hv_dns_read_begin(&reader, answer, size))
		return 0;
	while (hv_dns_read_next(&reader, &record))
		survey_record(survey, answer, &record, type);
	if (reader.broken || survey->odd)
		return 0;
	if (rcode == HV_DNS_NOERROR && survey->answered)
		return survey->least_s;
	if (!survey->has_soa)
		return 0;
	return least(survey->least_s, least(survey->negative_s, NEGATIVE_MAX_S));
}

/* --- entries ---------------------------------------------------------------------------- */

static uint64_t hash_of(const struct hv_dns_cache *cache, const struct hv_dns_key *key)
{
	return hv_table_hash(&cache->table, 0, key->bytes, key->size);
}

static struct hv_dns_entry *find(const struct hv_dns_cache *cache, const struct hv_dns_key *key)
{
	struct hv_node *node = hv_table_first(&cache->table, hash_of(cache, key));

	for (; node; node = hv_table_next(node)) {
		struct hv_dns_entry *entry = hv_container(node, struct hv_dns_entry, node);

		if (entry->key_size == key->size &&
		    memcmp(entry->bytes, key->bytes, key->size) == 0)
			return entry;
	}
	return NULL;
}

static void forget(struct hv_dns_cache *cache, struct hv_dns_entry *entry)
{
	hv_table_remove(&cache->table, &entry->node);
	TAILQ_REMOVE(&cache->list, entry, entry);
	cache->bytes -= cost(entry);
	free(entry);
}

static void make_room(struct hv_dns_cache *cache)
{
	while (cache->table.count > HV_DNS_CACHE_ENTRIES || cache->bytes > HV_DNS_CACHE_BYTES)
		forget(cache, TAILQ_LAST(&cache->list, hv_dns_entry_list));
}

/* TTLs of the answer that is being kept. That of a SOA record says how long there is nothing, so it ends with the entry. */
static void find_ttls(struct hv_dns_entry *entry, const uint8_t *answer)
{
	uint8_t *ttls = ttls_of(entry);
	struct hv_dns_reader reader;
	struct hv_dns_record record;

	if (!hv_dns_read_begin(&reader, answer, entry->answer_size))
		return;
	while (hv_dns_read_next(&reader, &record)) {
		if (record.type == HV_DNS_OPT)
			continue;
		hv_dns_put16(ttls, (uint16_t)record.ttl_at);
		ttls += 2;
		if (record.section == HV_DNS_AUTHORITY && record.type == HV_DNS_SOA)
			hv_dns_put32(answer_of(entry) + record.ttl_at,
				     least(record.ttl_s, entry->lifetime_s));
	}
}

static struct hv_dns_entry *new_entry(const struct hv_dns_key *key, const uint8_t *answer,
				      size_t size, uint16_t ttl_count, uint32_t lifetime_s)
{
	struct hv_dns_entry *entry = malloc(sizeof(*entry) + key->size + size + 2u * ttl_count);

	if (!entry)
		return NULL;
	entry->lifetime_s = lifetime_s;
	entry->key_size = key->size;
	entry->answer_size = (uint16_t)size;
	entry->ttl_count = ttl_count;
	memcpy(entry->bytes, key->bytes, key->size);
	memcpy(answer_of(entry), answer, size);
	find_ttls(entry, answer);
	return entry;
}

bool hv_dns_cache_put(struct hv_dns_cache *cache, const struct hv_dns_key *key,
		      const uint8_t *answer, size_t size, uint64_t now_ns)
{
	uint16_t type = hv_dns_get16(key->bytes + key->size - 5);
	struct hv_dns_entry *entry = find(cache, key);
	struct survey survey;
	uint32_t lifetime_s = 0;

	if (entry)
		forget(cache, entry);
	if (is_about(answer, size, key))
		lifetime_s = lifetime_of(&survey, answer, size, type);
	if (lifetime_s == 0)
		return false;
	entry = new_entry(key, answer, size, survey.ttl_count, lifetime_s);
	if (!entry)
		return false;
	entry->stored_ns = now_ns;
	if (hv_table_add(&cache->table, &entry->node, hash_of(cache, key)) < 0) {
		free(entry);
		return false;
	}
	TAILQ_INSERT_HEAD(&cache->list, entry, entry);
	cache->bytes += cost(entry);
	make_room(cache);
	return true;
}

/* The answer as it is now. */
static void copy_aged(struct hv_dns_entry *entry, uint32_t age_s, uint8_t *out)
{
	const uint8_t *ttls = ttls_of(entry);

	memcpy(out, answer_of(entry), entry->answer_size);
	for (unsigned i = 0; i < entry->ttl_count; i++) {
		uint8_t *ttl = out + hv_dns_get16(ttls + 2 * (size_t)i);

		hv_dns_put32(ttl, hv_dns_get32(ttl) - age_s);
	}
}

size_t hv_dns_cache_get(struct hv_dns_cache *cache, const struct hv_dns_question *question,
			uint64_t now_ns, uint8_t *out)
{
	struct hv_dns_entry *entry = find(cache, &question->key);
	uint64_t age_s = entry ? (now_ns - entry->stored_ns) / HV_NS_PER_S : 0;

	if (entry && age_s >= entry->lifetime_s) {
		forget(cache, entry);
		entry = NULL;
	}
	if (!entry) {
		cache->misses++;
		return 0;
	}
	cache->hits++;
	TAILQ_REMOVE(&cache->list, entry, entry);
	TAILQ_INSERT_HEAD(&cache->list, entry, entry);
	copy_aged(entry, (uint32_t)age_s, out);
	hv_dns_set_id(out, hv_dns_id(question->message));
	memcpy(out + HV_DNS_HEADER_SIZE, question->message + HV_DNS_HEADER_SIZE,
	       question->end - HV_DNS_HEADER_SIZE);
	return entry->answer_size;
}

/* --- the whole -------------------------------------------------------------------------- */

void hv_dns_cache_init(struct hv_dns_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
	hv_table_init(&cache->table);
	TAILQ_INIT(&cache->list);
}

void hv_dns_cache_clear(struct hv_dns_cache *cache)
{
	while (!TAILQ_EMPTY(&cache->list))
		forget(cache, TAILQ_FIRST(&cache->list));
}

void hv_dns_cache_finish(struct hv_dns_cache *cache)
{
	hv_dns_cache_clear(cache);
	hv_table_finish(&cache->table);
}
