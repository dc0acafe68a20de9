/* Looking a flow up in the index. See index.h. */
#include <string.h>

#include "filter/index.h"

struct hv_addr hv_addr_masked(const struct hv_addr *address, unsigned bits)
{
	struct hv_addr masked = *address;

	for (unsigned i = bits / 8; i < 16; i++)
		masked.b[i] = 0;
	if (bits < 128)
		masked.b[bits / 8] = address->b[bits / 8] & (uint8_t)(0xff00 >> bits % 8);
	return masked;
}

uint32_t hv_index_hash(const struct hv_index *index, const struct hv_index_key *key)
{
	uint32_t words[3 + 4 + 4] = {key->tuple_index, key->name, key->port};
	size_t size = 3 * sizeof(*words);

	if (key->host) {
		memcpy((char *)words + size, key->host, sizeof(*key->host));
		size += sizeof(*key->host);
	}
	if (key->source) {
		memcpy((char *)words + size, key->source, sizeof(*key->source));
		size += sizeof(*key->source);
	}
	return (uint32_t)hv_siphash(&index->core->hash_key, words, size) | 1;
}

bool hv_index_equal(const struct hv_index *index, const struct hv_index_entry *entry,
		    const struct hv_index_key *key)
{
	const struct hv_rule_spec *spec = &index->rules[entry->rule - 1]->spec;

	return entry->tuple == key->tuple_index && entry->name == key->name &&
	       entry->port == key->port &&
	       (!key->host || hv_addr_equal(&spec->host_block.address, key->host)) &&
	       (!key->source || hv_addr_equal(&spec->source_block.address, key->source));
}

static uint32_t look_up(const struct hv_index *index, const struct hv_index_key *key)
{
	uint32_t hash = hv_index_hash(index, key), mask = index->slots - 1;

	for (uint32_t at = hv_index_slot(index, hash); index->hashes[at];
	     at = (at + 1) & mask) {
		const struct hv_index_entry *entry = &index->entries[at];

		if (index->hashes[at] == hash && hv_index_equal(index, entry, key))
			return entry->rule;
	}
	return UINT32_MAX;
}

static void lower(uint32_t *least, uint32_t rule)
{
	if (rule < *least)
		*least = rule;
}

/* Rules that allow a name match when it is bound and, once the flow has said one, said. */
static void search_allowed(const struct hv_index *index, const struct hv_index_flow *flow,
			   struct hv_index_key *key, struct hv_index_answer *answer)
{
	const struct hv_name_tree *names = &index->names;
	const struct hv_name_set *set = flow->server_said ? &names->server : &names->bound;

	for (uint32_t i = 0; i < set->count; i++) {
		key->name = set->numbers[i];
		if (hv_names_count(names, key->name) > 0)
			lower(&answer->rule, look_up(index, key));
	}
}

/* Rules that deny a name match when it is said, or as long as none is, when all bound names are ones that they mean. */
static void search_denied(const struct hv_index *index, const struct hv_index_flow *flow,
			  struct hv_index_key *key, struct hv_index_answer *answer)
{
	const struct hv_name_tree *names = &index->names;
	const struct hv_name_set *set = flow->server_said ? &names->server : &names->bound;

	for (uint32_t i = 0; i < set->count; i++) {
		bool all = flow->server_said ||
			   hv_names_count(names, set->numbers[i]) == flow->name_count;

		key->name = set->numbers[i];
		lower(all ? &answer->rule : &answer->some, look_up(index, key));
	}
}

static void search_tuple(const struct hv_index *index, const struct hv_index_flow *flow,
			 const struct hv_index_tuple *listed, struct hv_index_answer *answer)
{
	const struct hv_tuple *tuple = &listed->tuple;
	struct hv_addr host, source;
	struct hv_index_key key = {
		.tuple = tuple,
		.tuple_index = listed->index,
		.port = flow->port & (0xffff0000U >> tuple->port_bits),
	};

	if (tuple->source == HV_HOST_SELF && !flow->source_is_host)
		return;
	if (tuple->source == HV_HOST_BLOCK) {
		/* Nobody sends from one family to the other, but anybody may ask. */
		if (hv_addr_is_v4(&flow->source) == flow->v6)
			return;
		source = hv_addr_masked(&flow->source, tuple->source_bits);
		key.source = &source;
	}
	switch ((enum hv_tuple_kind)tuple->kind) {
	case HV_TUPLE_SELF:
		if (!flow->is_host)
			return;
		lower(&answer->rule, look_up(index, &key));
		break;
	case HV_TUPLE_BLOCK:
		host = hv_addr_masked(&flow->destination, tuple->host_bits);
		key.host = &host;
		lower(&answer->rule, look_up(index, &key));
		break;
	case HV_TUPLE_ANY:
		lower(&answer->rule, look_up(index, &key));
		break;
	case HV_TUPLE_ALLOW_NAME:
		search_allowed(index, flow, &key, answer);
		break;
	case HV_TUPLE_DENY_NAME:
		search_denied(index, flow, &key, answer);
		break;
	case HV_TUPLE_DENY_SOME_NAME:
		if (!flow->server_said)
			lower(&answer->may_deny, look_up(index, &key));
		break;
	}
}

void hv_index_search(const struct hv_index *index, const struct hv_index_flow *flow,
		     struct hv_index_answer *answer)
{
	const struct hv_index_list *list =
		&index->lists[hv_index_list_of(flow->direction, flow->protocol, flow->v6)];

	*answer = (struct hv_index_answer){UINT32_MAX, UINT32_MAX, UINT32_MAX};
	for (uint32_t i = 0; i < list->count; i++) {
		const struct hv_index_tuple *listed = &index->listed[list->start + i];

		if (listed->first >= answer->rule)
			return;
		search_tuple(index, flow, listed, answer);
	}
}
