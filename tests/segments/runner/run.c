/* A script, statement by statement, on a world of its own. */
#include <stdio.h>
#include <string.h>

#include "packet.h"

#define START_NS	UINT64_C(1000000000000) /* clocks that begin at 0 hide errors */
#define ISN_CLOCK_SHIFT 12			/* nanoseconds to steps of the ISN: 4 us */

static double seconds(const struct seg_world *world, uint64_t time_ns)
{
	return (double)(int64_t)(time_ns - world->start_ns) / 1e9;
}

/* Something came out that nobody spoke of. */
static bool unexpected(struct seg_world *world, const char *instead)
{
	struct seg_seen seen;
	char text[SEG_LINE];

	seg_parse(world, world->first->bytes, world->first->size, &seen);
	return seg_fail(world, "%s\n\texpected: %s\n\tcame:     %.6f %s", world->at->text,
			instead, seconds(world, world->first->time_ns),
			seg_show(&seen, text, sizeof(text)));
}

static uint64_t time_of(const struct seg_world *world, const struct seg_statement *s,
			uint64_t time_ns)
{
	switch (s->when) {
	case SEG_AT:
		return world->start_ns + time_ns;
	case SEG_AFTER:
		return world->now_ns + time_ns;
	case SEG_NOW:
		break;
	}
	return world->now_ns;
}

/* Until the statement's time; nothing may come out on the way. */
static bool wait_quietly(struct seg_world *world, uint64_t until_ns)
{
	if (until_ns < world->now_ns)
		return seg_fail(world, "%s\n\tthis time has passed: it is %.6f",
				world->at->text, seconds(world, world->now_ns));
	seg_advance(world, until_ns);
	return !world->error[0] && (!world->first || unexpected(world, "nothing"));
}

/* --- what comes out ------------------------------------------------------------------------ */

static bool expect_packet(struct seg_world *world, const struct seg_statement *s)
{
	uint64_t from_ns = time_of(world, s, s->from_ns), to_ns = time_of(world, s, s->to_ns);
	uint64_t tolerance_ns = world->script->config.tolerance_ns;
	struct seg_seen seen;
	char text[SEG_LINE];
	const char *why = NULL;
	bool same;

	/* A timer may fire a little late, never early. */
	if (s->when != SEG_NOW)
		to_ns += tolerance_ns;
	seg_advance(world, to_ns);
	if (!world->first)
		return seg_fail(world, "%s\n\tnothing came until %.6f", s->text,
				seconds(world, world->now_ns));
	seg_parse(world, world->first->bytes, world->first->size, &seen);
	same = s->kind == SEG_ICMP_OUT ? seg_matches_icmp(&s->icmp, &seen, &why)
				       : seg_matches_segment(world, &s->segment, &seen, &why);
	if (same && s->when != SEG_NOW &&
	    (world->first->time_ns < from_ns || world->first->time_ns > to_ns))
		why = "time";
	if (why)
		return seg_fail(
			world,
			"%s differs (script clock %.6f)\n\texpected: %s\n\tcame:     %.6f %s",
			why, seconds(world, from_ns), s->text,
			seconds(world, world->first->time_ns),
			seg_show(&seen, text, sizeof(text)));
	seg_packet_pop(world);
	return true;
}

static void discard_until(struct seg_world *world, uint64_t until_ns)
{
	do {
		seg_advance(world, until_ns);
		while (world->first)
			seg_packet_pop(world);
	} while (world->now_ns < until_ns && !world->error[0]);
}

/* --- the rest ------------------------------------------------------------------------------ */

static bool expect_state(struct seg_world *world, const struct seg_statement *s)
{
	const char *state = seg_state(world);

	if (strcmp(state, s->plain.name) == 0)
		return true;
	return seg_fail(world, "%s\n\tcame: state %s", s->text, state);
}

static bool expect_drops(struct seg_world *world, const struct seg_statement *s)
{
	for (unsigned i = 0; i < haven_drop_reasons(); i++) {
		uint64_t count;

		if (strcmp(haven_drop_name(i), s->plain.name) != 0)
			continue;
		count = haven_drop_count(world->stack, i);
		return seg_in_range(&s->plain.value, (int64_t)count) ||
		       seg_fail(world, "%s\n\tcame: %llu", s->text, (unsigned long long)count);
	}
	return seg_fail(world, "%s\n\tthere is no such reason", s->text);
}

static bool select_flow(struct seg_world *world, const struct seg_statement *s)
{
	if (s->plain.value.low < 1 || s->plain.value.low > SEG_FLOWS)
		return seg_fail(world, "flows are 1 to %d", SEG_FLOWS);
	world->flow = (unsigned)s->plain.value.low - 1;
	return true;
}

/* The next SYN of the stack is of another connection; the peer's numbers move on. */
static void begin_anew(struct seg_world *world, const struct seg_statement *s)
{
	struct seg_flow *flow = seg_flow(world);

	flow->peer_iss += (uint32_t)s->plain.value.low;
	flow->stack_known = false;
	flow->stack_iss = 0;
	flow->ts_known = false;
	flow->ts_auto = false;
}

static bool step(struct seg_world *world, const struct seg_statement *s)
{
	world->at = s;
	if (s->kind == SEG_SEGMENT_OUT || s->kind == SEG_ICMP_OUT)
		return expect_packet(world, s);
	if (s->kind == SEG_DISCARD) {
		discard_until(world, time_of(world, s, s->to_ns));
		return true;
	}
	/* Calls and questions see the moment as it is; only what goes in must find it quiet. */
	if (s->when != SEG_NOW || s->kind == SEG_QUIET ||
	    (!world->batch && (s->kind == SEG_SEGMENT_IN || s->kind == SEG_ICMP_IN)))
		if (!wait_quietly(world, time_of(world, s, s->to_ns)))
			return false;
	switch (s->kind) {
	case SEG_SEGMENT_IN:
		seg_send_segment(world, &s->segment);
		return true;
	case SEG_ICMP_IN:
		seg_send_icmp(world, &s->icmp);
		return true;
	case SEG_CALL:
		return seg_do_call(world, &s->call);
	case SEG_STATE:
		return expect_state(world, s);
	case SEG_DROPS:
		return expect_drops(world, s);
	case SEG_FAIL:
		world->fail_at = s->plain.value.low
					 ? world->allocations + (uint64_t)s->plain.value.low
					 : 0;
		world->fail_span = s->plain.more.given ? (uint64_t)s->plain.more.low - 1 : 0;
		return true;
	case SEG_FLOW:
		return select_flow(world, s);
	case SEG_ANEW:
		begin_anew(world, s);
		return true;
	case SEG_BATCH:
		world->batch = true;
		return true;
	case SEG_REFUSE:
		return seg_forward_refuse(world, s->plain.name);
	case SEG_REQUESTS:
		return seg_in_range(&s->plain.value, world->request_count) ||
		       seg_fail(world, "%s\n\tcame: %u", s->text, world->request_count);
	case SEG_LINK:
		seg_link_set(world, (enum seg_link_mode)s->plain.value.low);
		return true;
	case SEG_FLUSH:
		world->batch = false;
		seg_poll(world);
		return true;
	default: /* quiet, wait: the time was all */
		return true;
	}
}

static bool run_all(struct seg_world *world)
{
	for (size_t i = 0; i < world->script->count; i++)
		if (!step(world, &world->script->statements[i]))
			return false;
	return !world->first || unexpected(world, "the end of the script");
}

/*
 * When the script begins. The stack's ISNs follow a clock (RFC 9293 section 3.4.1), so that the time decides
 * where they are: a first run, whose result does not matter, says where it would be.
 */
static uint64_t start_time(const struct seg_script *script, bool v6)
{
	uint32_t wanted = (uint32_t)script->config.stack_iss, iss;
	struct seg_world world;

	if (script->config.stack_iss < 0)
		return START_NS;
	if (seg_world_init(&world, script, v6, START_NS))
		run_all(&world);
	iss = world.flows[0].stack_iss;
	seg_close_all(&world);
	seg_world_finish(&world);
	return START_NS + ((uint64_t)(wanted - iss) << ISN_CLOCK_SHIFT);
}

bool seg_run(const struct seg_script *script, bool v6, char *error, size_t size)
{
	struct seg_world world;
	bool good =
		seg_world_init(&world, script, v6, start_time(script, v6)) && run_all(&world);

	if (good && script->config.stack_iss >= 0 &&
	    world.flows[0].stack_iss != (uint32_t)script->config.stack_iss)
		good = seg_fail(&world,
				"the stack's first number is %u, not what was configured",
				world.flows[0].stack_iss);
	/* Closing sends what nobody looks at; then nothing may be left. */
	seg_close_all(&world);
	good &= seg_world_finish(&world);
	snprintf(error, size, "%s", world.error);
	return good;
}
