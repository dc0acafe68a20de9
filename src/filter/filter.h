/*
 * The filter inside: rules in force, their index, names bound to addresses.
 *
 * A question takes this way:
 *
 *	haven_filter_decide()	filter_decide.c		what names are bound (binding.c), what they mean in rules (index_names.c)
 *	hv_index_search()	index_search.c		the lowest rule that matches, by tuples (index.h)
 *	hv_limit_take()		filter_limit.c		`limit` and `max` of that rule
 *
 * Rules change as a whole: a new list and a new index are made beside the old ones, and take their place when nothing
 * can fail any more (filter_change.c).
 */
#ifndef HV_FILTER_FILTER_H
#define HV_FILTER_FILTER_H

#include <assert.h>

#include "base/core.h"

#include "filter/binding.h"
#include "filter/rule.h"

struct hv_index;

struct haven_filter {
	struct hv_core core;
	uint64_t name_floor_ns;
	bool name_may_miss;
	struct haven_rule **rules; /* in order; NULL when there are none */
	uint32_t rule_count;
	struct hv_index *index;
	uint64_t default_counts[2]; /* by direction */
	struct hv_bindings bindings;
	struct hv_addr *host; /* sorted */
	size_t host_count;
};

/* Whether an address is the host's: one that the filter was told, or loopback. */
bool hv_filter_is_host(const struct haven_filter *filter, const struct hv_addr *address);

/* Takes a token. False: there is none. tokens come in each period, and as many can be there. */
bool hv_limit_take(struct hv_limit *limit, uint32_t tokens, uint64_t period_ns,
		   uint64_t now_ns);

#endif
