/*
 * A filter on a stack of a world: rules as text, and what they have counted.
 *
 *	policy_init(&p, &w, LEFT, "allow out http");
 *	...
 *	world_finish(&w);
 *	policy_finish(&p);				(fails when anything was not given back)
 */
#ifndef SCENARIO_POLICY_H
#define SCENARIO_POLICY_H

#include <haven/filter.h>

#include "support.h"

struct policy {
	struct test_env env;
	struct haven_filter *filter;
	struct world *w;
	int side;
};

/* Rules, a line each, on the stack of this side. */
void policy_init(struct policy *p, struct world *w, int side, const char *rules);
/* Other rules, with haven_filter_replace(). */
void policy_change(struct policy *p, const char *rules);
/* After world_finish(). */
void policy_finish(struct policy *p);
/* What rule `number` tells. */
struct haven_rule_info rule_of(const struct policy *p, uint32_t number);

#endif
