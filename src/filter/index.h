/*
 * The index: finds the lowest rule that matches a flow with so many look-ups as there are kinds of rules, not rules.
 *
 * Tuple space search (Srinivasan, Suri, Varghese: "Packet Classification using Tuple Space Search", SIGCOMM 1999): which bits of
 * a flow a rule looks at is its tuple (so many bits of the destination, of the source, of the port; which protocols).
 * Rules of one tuple differ only in the value of those bits, so one look-up in a hash table finds those that
 * match. Of two rules with the same tuple and value, the second never decides, and is left out.
 *
 * A range of ports becomes up to 30 prefixes, each an entry. Names take part as numbers: a name of a rule is a place
 * in a tree of labels, org > example > www, with one number for the name itself and one for all names below it;
 * the names of a flow are looked up once for all rules.
 *
 * Tuples are listed by direction, protocol and family, each list in the order of the lowest rule in them: the
 * search ends when what it found comes before all that is left.
 */
#ifndef HV_FILTER_INDEX_H
#define HV_FILTER_INDEX_H

#include "base/core.h"

#include "filter/binding.h"
#include "filter/rule.h"

enum hv_tuple_kind {
	HV_TUPLE_ANY,
	HV_TUPLE_BLOCK,
	HV_TUPLE_SELF,
	HV_TUPLE_ALLOW_NAME,
	HV_TUPLE_DENY_NAME,
	/* Each rule that denies a name, without the name: tells whether a flow that says one has to be decided again. */
	HV_TUPLE_DENY_SOME_NAME,
};

/* Which bits of a flow are looked at. Compared and hashed as bytes: no padding. */
struct hv_tuple {
	uint8_t direction, protocols;	/* HV_RULE_ bits, as the rule has them */
	uint8_t port_bits;		/* of 16 */
	uint8_t kind;			/* enum hv_tuple_kind */
	uint8_t host_bits, source_bits; /* of 128, for blocks */
	uint8_t source;			/* enum hv_host_kind */
	uint8_t families;		/* HV_FAMILY_ bits */
};

enum { HV_FAMILY_V4 = 1, HV_FAMILY_V6 = 2, HV_FAMILY_BOTH = 3 };

struct hv_index_tuple {
	struct hv_tuple tuple;
	uint32_t first; /* the lowest rule */
	uint32_t index; /* in the order they were made */
};

struct hv_index_entry {
	uint32_t rule; /* its number */
	uint32_t tuple;
	uint32_t name;
	uint32_t port;
};

/* A label of a rule's name. What is below a name and the name itself are told apart by the last bit of its numbers. */
struct hv_name_node {
	uint32_t hash, parent;
	const char *label; /* in a rule */
	uint8_t length;
	bool used[2];
	/* Rules out: the first that allows the name, and the first that denies all there is to it; else UINT32_MAX. */
	uint32_t allow[2], deny[2];
};

struct hv_name_mark {
	uint32_t turn; /* of the question that counts here */
	uint32_t count;
};

/* Names of a question, as numbers. */
struct hv_name_set {
	uint32_t *numbers;
	uint32_t count;
};

struct hv_name_tree {
	struct hv_core *core;
	struct hv_name_node *nodes; /* the first is the root */
	uint32_t count, space;
	uint32_t *slots; /* of nodes, 0: free */
	uint32_t slot_count;
	unsigned depth;
	/* Of a question: which numbers the bound names have, how many names each, and those of the server's name. */
	struct hv_name_mark *marks;
	uint32_t turn;
	struct hv_name_set bound, server;
};

enum { HV_PROTOCOL_CLASSES = 4, HV_INDEX_LISTS = 2 * HV_PROTOCOL_CLASSES * 2 };

struct hv_index_list {
	uint32_t start, count;
	bool names; /* some tuple asks for a name */
};

struct hv_index {
	struct hv_core *core;
	struct haven_rule *const *rules;
	uint32_t rule_count;
	/*
	 * The hash table, open addressing: hashes (0: free) by themselves, since most look-ups find nothing and should touch
	 * little memory, and what they stand for.
	 */
	uint32_t *hashes;
	struct hv_index_entry *entries;
	uint32_t slots; /* a power of two */
	struct hv_index_tuple *tuples;
	uint32_t tuple_count, tuple_space;
	uint32_t *tuple_slots; /* of tuples plus one, 0: free; twice the space */
	struct hv_index_list lists[HV_INDEX_LISTS];
	struct hv_index_tuple *listed; /* of all lists */
	uint32_t listed_count;
	struct hv_name_tree names;
	bool allows[2], has_names[2]; /* by direction */
	bool has_host;
	/* Rules out: the first that allows without a name, and the first that denies all; else UINT32_MAX. */
	uint32_t reach_allow, reach_deny;
};

/* The rules must stay in place as long as the index. NULL: no memory. */
struct hv_index *hv_index_new(struct hv_core *core, struct haven_rule *const *rules,
			      uint32_t count);
void hv_index_free(struct hv_index *index); /* NULL is allowed */

/* What is asked of the index. */
struct hv_index_flow {
	enum haven_direction direction;
	uint8_t protocol; /* one of the HV_RULE_ bits */
	bool v6, is_host, source_is_host;
	bool server_said; /* names.server counts */
	uint16_t port;
	struct hv_addr destination, source;
	uint32_t name_count; /* bound to the destination */
};

/* Numbers of rules, UINT32_MAX: none. */
struct hv_index_answer {
	uint32_t rule;	   /* the lowest that matches */
	uint32_t some;	   /* the lowest that denies some of the bound names, not all */
	uint32_t may_deny; /* the lowest that denies a name, whichever is said */
};

static inline unsigned hv_index_list_of(unsigned direction, uint8_t protocol, bool v6)
{
	unsigned protocol_class = (unsigned)__builtin_ctz(protocol);

	return (direction * HV_PROTOCOL_CLASSES + protocol_class) * 2 + v6;
}

/* Before: hv_names_begin(), and the names of the flow, when lists[].names says that they matter. */
void hv_index_search(const struct hv_index *index, const struct hv_index_flow *flow,
		     struct hv_index_answer *answer);

/* What rules are entered and looked up by. Both sides fill it in the same way. */
struct hv_index_key {
	const struct hv_tuple *tuple;
	uint32_t tuple_index, name, port;
	const struct hv_addr *host, *source; /* masked by the caller when they count */
};
uint32_t hv_index_hash(const struct hv_index *index,
		       const struct hv_index_key *key); /* not 0 */
/* Where a hash would be. Its last bit is always set, and says nothing. */
static inline uint32_t hv_index_slot(const struct hv_index *index, uint32_t hash)
{
	return hash >> 1 & (index->slots - 1);
}
bool hv_index_equal(const struct hv_index *index, const struct hv_index_entry *entry,
		    const struct hv_index_key *key);
struct hv_addr hv_addr_masked(const struct hv_addr *address, unsigned bits);

/* --- names, index_names.c ------------------------------------------------------------------ */

/* Room for so many labels. False: no memory; finish frees what there is. */
bool hv_names_init(struct hv_name_tree *tree, struct hv_core *core, uint32_t labels);
void hv_names_finish(struct hv_name_tree *tree);
/* The number of a rule's name. */
uint32_t hv_names_insert(struct hv_name_tree *tree, const char *name, bool below);
/* All are in: makes room for questions. */
bool hv_names_ready(struct hv_name_tree *tree);

/* A new question: no names yet. */
void hv_names_begin(struct hv_name_tree *tree);
/* A name that is bound to the destination, once each; and the one that the flow says. */
void hv_names_bound(struct hv_name_tree *tree, const char *name, size_t length);
void hv_names_server(struct hv_name_tree *tree, const char *name, size_t length);
/* How many of the bound names have this number. */
uint32_t hv_names_count(const struct hv_name_tree *tree, uint32_t number);

#endif
