/* Making the index of a list of rules. See index.h. */
#include <string.h>

#include "filter/index.h"

/* --- tuples -------------------------------------------------------------------------------- */

static uint32_t tuple_hash(const struct hv_index *index, const struct hv_tuple *tuple)
{
	return (uint32_t)hv_siphash(&index->core->hash_key, tuple, sizeof(*tuple));
}

static uint32_t *tuple_slot(const struct hv_index *index, const struct hv_tuple *tuple)
{
	uint32_t mask = 2 * index->tuple_space - 1;

	for (uint32_t at = tuple_hash(index, tuple) & mask;; at = (at + 1) & mask) {
		uint32_t slot = index->tuple_slots[at];

		if (slot == 0 ||
		    memcmp(&index->tuples[slot - 1].tuple, tuple, sizeof(*tuple)) == 0)
			return &index->tuple_slots[at];
	}
}

static void free_tuples(struct hv_index *index)
{
	hv_free(index->core, index->tuples, index->tuple_space * sizeof(*index->tuples));
	hv_free(index->core, index->tuple_slots,
		(size_t)2 * index->tuple_space * sizeof(*index->tuple_slots));
}

static bool grow_tuples(struct hv_index *index)
{
	struct hv_index larger = *index;

	larger.tuple_space = index->tuple_space ? 2 * index->tuple_space : 16;
	larger.tuples = hv_alloc(index->core, larger.tuple_space * sizeof(*larger.tuples));
	larger.tuple_slots = hv_zalloc(index->core, (size_t)2 * larger.tuple_space *
							    sizeof(*larger.tuple_slots));
	if (!larger.tuples || !larger.tuple_slots) {
		free_tuples(&larger);
		return false;
	}
	for (uint32_t i = 0; i < index->tuple_count; i++) {
		larger.tuples[i] = index->tuples[i];
		*tuple_slot(&larger, &larger.tuples[i].tuple) = i + 1;
	}
	free_tuples(index);
	index->tuple_space = larger.tuple_space;
	index->tuples = larger.tuples;
	index->tuple_slots = larger.tuple_slots;
	return true;
}

/* The tuple's number; UINT32_MAX: no memory. Rules come in order: who makes it is the lowest in it. */
static uint32_t tuple_of(struct hv_index *index, const struct hv_tuple *tuple, uint32_t rule)
{
	uint32_t *slot;

	if (index->tuple_count == index->tuple_space && !grow_tuples(index))
		return UINT32_MAX;
	slot = tuple_slot(index, tuple);
	if (*slot == 0) {
		index->tuples[index->tuple_count] = (struct hv_index_tuple){
			.tuple = *tuple,
			.first = rule,
			.index = index->tuple_count,
		};
		*slot = ++index->tuple_count;
	}
	return *slot - 1;
}

/* --- entries ------------------------------------------------------------------------------- */

/* Unless there is one with the same key, which comes before it. */
static void enter(struct hv_index *index, const struct hv_index_key *key, uint32_t rule)
{
	uint32_t hash = hv_index_hash(index, key), mask = index->slots - 1;
	uint32_t at = hv_index_slot(index, hash);

	for (; index->hashes[at]; at = (at + 1) & mask) {
		if (index->hashes[at] == hash &&
		    hv_index_equal(index, &index->entries[at], key))
			return;
	}
	index->hashes[at] = hash;
	index->entries[at] = (struct hv_index_entry){
		.rule = rule,
		.tuple = key->tuple_index,
		.name = key->name,
		.port = key->port,
	};
}

/* One prefix of ports. False: no memory. */
static bool add_prefix(struct hv_index *index, struct hv_tuple *tuple, uint32_t number,
		       uint32_t name, uint32_t port, unsigned port_bits)
{
	const struct hv_rule_spec *spec = &index->rules[number - 1]->spec;
	struct hv_index_key key = {
		.tuple = tuple,
		.name = name,
		.port = port,
		.host = tuple->kind == HV_TUPLE_BLOCK ? &spec->host_block.address : NULL,
		.source = tuple->source == HV_HOST_BLOCK ? &spec->source_block.address : NULL,
	};

	tuple->port_bits = (uint8_t)port_bits;
	key.tuple_index = tuple_of(index, tuple, number);
	if (key.tuple_index == UINT32_MAX)
		return false;
	enter(index, &key, number);
	return true;
}

static bool add_ports(struct hv_index *index, struct hv_tuple *tuple, uint32_t number,
		      uint32_t name)
{
	const struct haven_rule *rule = index->rules[number - 1];
	unsigned bits;

	if (rule->spec.port_count == 0)
		return add_prefix(index, tuple, number, name, 0, 0);
	for (unsigned i = 0; i < rule->spec.port_count; i++) {
		uint32_t port = rule->ports[i].first, next;

		for (; port <= rule->ports[i].last; port = next) {
			next = hv_port_prefix(port, rule->ports[i].last, &bits);
			if (!add_prefix(index, tuple, number, name, port, bits))
				return false;
		}
	}
	return true;
}

static uint8_t families_of(const struct hv_rule_spec *spec)
{
	uint8_t families = HV_FAMILY_BOTH;

	if (spec->host == HV_HOST_BLOCK)
		families &= spec->host_block.v6 ? HV_FAMILY_V6 : HV_FAMILY_V4;
	if (spec->source == HV_HOST_BLOCK)
		families &= spec->source_block.v6 ? HV_FAMILY_V6 : HV_FAMILY_V4;
	return families;
}

static uint8_t kind_of(const struct hv_rule_spec *spec)
{
	switch ((enum hv_host_kind)spec->host) {
	case HV_HOST_BLOCK:
		return HV_TUPLE_BLOCK;
	case HV_HOST_SELF:
		return HV_TUPLE_SELF;
	case HV_HOST_NAME:
	case HV_HOST_BELOW:
		return spec->allow ? HV_TUPLE_ALLOW_NAME : HV_TUPLE_DENY_NAME;
	default:
		return HV_TUPLE_ANY;
	}
}

/* For haven_filter_can_reach(): what allows something, and what denies all. */
static void note_reach(struct hv_index *index, uint32_t number, uint32_t name)
{
	const struct hv_rule_spec *spec = &index->rules[number - 1]->spec;
	struct hv_name_node *node = name ? &index->names.nodes[name / 2] : NULL;
	bool denies_all = !spec->allow && spec->protocols == HV_RULE_ANY &&
			  spec->port_count == 0 && spec->source == HV_HOST_ANY;
	uint32_t *first = NULL;

	if (spec->direction != HAVEN_OUT)
		return;
	if (node)
		first = spec->allow ? &node->allow[name % 2]
				    : (denies_all ? &node->deny[name % 2] : NULL);
	else if (spec->allow && spec->host != HV_HOST_SELF)
		first = &index->reach_allow;
	else if (denies_all && spec->host == HV_HOST_ANY)
		first = &index->reach_deny;
	if (first && number < *first)
		*first = number;
}

/* False: no memory. */
static bool add_rule(struct hv_index *index, uint32_t number)
{
	const struct haven_rule *rule = index->rules[number - 1];
	const struct hv_rule_spec *spec = &rule->spec;
	bool named = hv_rule_has_name(spec);
	uint32_t name = 0;
	struct hv_tuple tuple = {
		.direction = spec->direction,
		.protocols = spec->protocols,
		.kind = kind_of(spec),
		.source = spec->source,
		.families = families_of(spec),
	};

	if (spec->host == HV_HOST_BLOCK)
		tuple.host_bits = spec->host_block.bits;
	if (spec->source == HV_HOST_BLOCK)
		tuple.source_bits = spec->source_block.bits;
	if (named)
		name = hv_names_insert(&index->names, rule->name, spec->host == HV_HOST_BELOW);
	index->allows[spec->direction] |= spec->allow;
	index->has_names[spec->direction] |= named;
	index->has_host |= spec->host == HV_HOST_SELF || spec->source == HV_HOST_SELF;
	note_reach(index, number, name);
	if (!add_ports(index, &tuple, number, name))
		return false;
	if (tuple.kind != HV_TUPLE_DENY_NAME)
		return true;
	tuple.kind = HV_TUPLE_DENY_SOME_NAME;
	return add_ports(index, &tuple, number, 0);
}

/* --- lists --------------------------------------------------------------------------------- */

static bool is_in_list(const struct hv_tuple *tuple, unsigned list)
{
	unsigned v6 = list % 2, protocol_class = list / 2 % HV_PROTOCOL_CLASSES;

	return tuple->direction == list / 2 / HV_PROTOCOL_CLASSES &&
	       (tuple->protocols & 1U << protocol_class) &&
	       (tuple->families & (v6 ? HV_FAMILY_V6 : HV_FAMILY_V4));
}

static bool asks_for_name(const struct hv_tuple *tuple)
{
	return tuple->kind == HV_TUPLE_ALLOW_NAME || tuple->kind == HV_TUPLE_DENY_NAME;
}

static void fill_list(struct hv_index *index, unsigned number, uint32_t start)
{
	struct hv_index_list *list = &index->lists[number];

	/* Tuples were made in the order of the lowest rule in them. */
	*list = (struct hv_index_list){.start = start};
	for (uint32_t i = 0; i < index->tuple_count; i++) {
		const struct hv_index_tuple *tuple = &index->tuples[i];

		if (!is_in_list(&tuple->tuple, number))
			continue;
		index->listed[start + list->count++] = *tuple;
		list->names |= asks_for_name(&tuple->tuple);
	}
}

static bool make_lists(struct hv_index *index)
{
	uint32_t start = 0;

	for (unsigned list = 0; list < HV_INDEX_LISTS; list++) {
		for (uint32_t i = 0; i < index->tuple_count; i++)
			index->listed_count += is_in_list(&index->tuples[i].tuple, list);
	}
	if (index->listed_count == 0)
		return true;
	index->listed = hv_alloc(index->core, index->listed_count * sizeof(*index->listed));
	if (!index->listed)
		return false;
	for (unsigned list = 0; list < HV_INDEX_LISTS; list++) {
		fill_list(index, list, start);
		start += index->lists[list].count;
	}
	return true;
}

/* --- all ----------------------------------------------------------------------------------- */

void hv_index_free(struct hv_index *index)
{
	struct hv_core *core;

	if (!index)
		return;
	core = index->core;
	hv_names_finish(&index->names);
	hv_free(core, index->listed, index->listed_count * sizeof(*index->listed));
	free_tuples(index);
	hv_free(core, index->entries, index->slots * sizeof(*index->entries));
	hv_free(core, index->hashes, index->slots * sizeof(*index->hashes));
	hv_free(core, index, sizeof(*index));
}

/* A table at most half full of all entries, and room for all labels. */
static bool make_tables(struct hv_index *index)
{
	uint32_t cost = 0, labels = 0;

	for (uint32_t i = 0; i < index->rule_count; i++) {
		const struct haven_rule *rule = index->rules[i];

		cost += rule->cost;
		if (!hv_rule_has_name(&rule->spec))
			continue;
		labels++;
		for (const char *c = rule->name; *c; c++)
			labels += *c == '.';
	}
	index->slots = 4;
	while (index->slots < 2 * (cost - labels))
		index->slots *= 2;
	index->hashes = hv_zalloc(index->core, index->slots * sizeof(*index->hashes));
	index->entries = hv_alloc(index->core, index->slots * sizeof(*index->entries));
	return hv_names_init(&index->names, index->core, labels) && index->hashes &&
	       index->entries;
}

struct hv_index *hv_index_new(struct hv_core *core, struct haven_rule *const *rules,
			      uint32_t count)
{
	struct hv_index *index = hv_zalloc(core, sizeof(*index));

	if (!index)
		return NULL;
	index->core = core;
	index->rules = rules;
	index->rule_count = count;
	index->reach_allow = index->reach_deny = UINT32_MAX;
	if (!make_tables(index))
		goto fail;
	for (uint32_t number = 1; number <= count; number++) {
		if (!add_rule(index, number))
			goto fail;
	}
	if (!make_lists(index) || !hv_names_ready(&index->names))
		goto fail;
	return index;

fail:
	hv_index_free(index);
	return NULL;
}
