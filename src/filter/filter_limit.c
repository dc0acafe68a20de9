/*
 * `limit`: a token bucket. N tokens come in a period and as many it holds, full at first.
 *
 * Credit counts in parts of a token, of which one is as many as the period has nanoseconds: each nanosecond adds N of
 * them, exactly. N is at most 10^6 and the longest period 3.6 * 10^12 ns, so that all stays below 2^63.
 */
#include "filter/filter.h"

#define LONGEST_PERIOD_NS UINT64_C(3600000000000)

static_assert(HV_RULE_LIMIT_MAX < (INT64_MAX / 2) / LONGEST_PERIOD_NS,
	      "credit and what is added to it fit into 64 bits");

bool hv_limit_take(struct hv_limit *limit, uint32_t tokens, uint64_t period_ns, uint64_t now_ns)
{
	uint64_t full = tokens * period_ns;
	uint64_t elapsed = now_ns > limit->at_ns ? now_ns - limit->at_ns : 0;

	if (!limit->begun || elapsed >= period_ns) {
		limit->credit = full;
	} else {
		limit->credit += elapsed * tokens;
		if (limit->credit > full)
			limit->credit = full;
	}
	limit->begun = true;
	if (limit->at_ns < now_ns)
		limit->at_ns = now_ns;
	if (limit->credit < period_ns)
		return false;
	limit->credit -= period_ns;
	return true;
}
