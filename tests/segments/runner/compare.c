/* Is a packet that came out the one that the script expects? */
#include <string.h>

#include "packet.h"

bool seg_in_range(const struct seg_value *value, int64_t number)
{
	return value->any || (number >= value->low && number <= value->high);
}

static bool agrees(const struct seg_value *value, int64_t number)
{
	return !value->given || seg_in_range(value, number);
}

static const struct seg_option *next_option(const struct seg_option *option,
					    const struct seg_option *end)
{
	while (option < end &&
	       (option->kind == SEG_OPTION_NOP || option->kind == SEG_OPTION_END))
		option++;
	return option;
}

static bool same_blocks(const struct seg_option *expected, const struct seg_option *came)
{
	if (expected->count != came->count)
		return false;
	for (unsigned i = 0; i < came->count; i++)
		for (unsigned side = 0; side < 2; side++)
			if (!seg_in_range(&expected->blocks[i][side],
					  came->blocks[i][side].low))
				return false;
	return true;
}

static bool same_option(const struct seg_flow *flow, const struct seg_option *expected,
			const struct seg_option *came)
{
	if (expected->kind != came->kind)
		return false;
	switch (expected->kind) {
	case SEG_OPTION_MSS:
	case SEG_OPTION_WSCALE:
		return seg_in_range(&expected->a, came->a.low);
	case SEG_OPTION_TS:
		return expected->automatic || (seg_in_range(&expected->a, came->a.low) &&
					       seg_in_range(&expected->b, came->b.low));
	case SEG_OPTION_SACK:
		return same_blocks(expected, came);
	case SEG_OPTION_FASTOPEN:
		if (expected->any)
			return came->size > 0;
		if (expected->same)
			return came->size == flow->cookie_size &&
			       memcmp(came->bytes, flow->cookie, came->size) == 0;
		/* fall through */
	case SEG_OPTION_BYTES:
		return expected->size == came->size &&
		       memcmp(expected->bytes, came->bytes, came->size) == 0;
	default:
		return true;
	}
}

/* Kinds and values, in order; NOPs do not count. */
static bool same_options(const struct seg_segment *expected, const struct seg_seen *seen)
{
	const struct seg_option *want = expected->options, *came = seen->options;
	const struct seg_option *want_end = want + expected->option_count;
	const struct seg_option *came_end = came + seen->option_count;

	for (;;) {
		want = next_option(want, want_end);
		if (want == want_end || came == came_end)
			return want == want_end && came == came_end;
		if (!same_option(seen->flow, want++, came++))
			return false;
	}
}

/* Options that nobody spoke of: timestamps are everywhere, and SYNs have theirs. */
static bool no_strange_option(const struct seg_seen *seen)
{
	if (seen->flags & SEG_SYN)
		return true;
	for (unsigned i = 0; i < seen->option_count; i++)
		if (seen->options[i].kind != SEG_OPTION_TS)
			return false;
	return true;
}

/* The stack's bytes must be those that were sent, wherever they are cut. */
static bool good_payload(const struct seg_seen *seen)
{
	int64_t position = seen->seq - !(seen->flags & SEG_SYN);

	for (size_t i = 0; i < seen->size; i++, position++)
		if (position >= 0 && seen->payload[i] != seg_pattern((uint64_t)position))
			return false;
	return true;
}

bool seg_matches_segment(const struct seg_world *world, const struct seg_segment *expected,
			 const struct seg_seen *seen, const char **why)
{
	const uint8_t looked_at = expected->push_or_not ? 0xff & ~SEG_PSH : 0xff;
	const struct {
		const char *name;
		bool same;
	} checks[] = {
		{"flags", (seen->flags & looked_at) == (expected->flags & looked_at)},
		{"flow", seen->flow_number == world->flow + 1 &&
				 seen->src_port == world->flows[world->flow].stack_port},
		{"sequence number", agrees(&expected->seq, seen->seq)},
		{"length", agrees(&expected->size, (int64_t)seen->size)},
		{"ack", agrees(&expected->ack, seen->ack)},
		{"win", agrees(&expected->window, seen->window)},
		{"urg", agrees(&expected->urgent, seen->urgent)},
		{"ecn", agrees(&expected->ecn, seen->ecn)},
		{"ttl", agrees(&expected->ttl, seen->ttl)},
		{"tos", agrees(&expected->tos, seen->tos)},
		{"options",
		 expected->mode == SEG_OPTIONS_ANY ||
			 (expected->mode == SEG_OPTIONS_UNSAID ? no_strange_option(seen)
							       : same_options(expected, seen))},
		{"payload", good_payload(seen)},
	};

	if (!seen->is_tcp) {
		*why = "a segment was expected";
		return false;
	}
	*why = seen->fault;
	for (size_t i = 0; !*why && i < sizeof(checks) / sizeof(checks[0]); i++)
		if (!checks[i].same)
			*why = checks[i].name;
	return !*why;
}

bool seg_matches_icmp(const struct seg_icmp *expected, const struct seg_seen *seen,
		      const char **why)
{
	*why = seen->fault;
	if (!*why && (!seen->is_icmp || seen->icmp_kind != (int)expected->kind))
		*why = "kind of message";
	if (!*why && !agrees(&expected->mtu, seen->icmp_mtu))
		*why = "mtu";
	return !*why;
}
