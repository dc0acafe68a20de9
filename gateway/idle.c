/*
 * Idle time-outs. See idle.h.
 */
#include "gateway/idle.h"

#include <string.h>

/* The timer may come early by entries that were used since; it then only sets itself anew. */
static void arm(struct hv_idle_clock *clock)
{
	uint64_t next_ns = UINT64_MAX;

	for (unsigned i = 0; i < HV_IDLE_CLASSES; i++) {
		struct hv_idle *first = TAILQ_FIRST(&clock->lists[i]);

		if (first && first->last_ns + clock->timeout_ns[i] < next_ns)
			next_ns = first->last_ns + clock->timeout_ns[i];
	}
	if (next_ns != UINT64_MAX)
		hv_loop_timer_set(clock->loop, &clock->timer, next_ns);
}

static void expire(struct hv_loop_timer *timer)
{
	struct hv_idle_clock *clock = hv_container(timer, struct hv_idle_clock, timer);

	for (unsigned i = 0; i < HV_IDLE_CLASSES; i++) {
		struct hv_idle *first;

		while ((first = TAILQ_FIRST(&clock->lists[i])) &&
		       first->last_ns + clock->timeout_ns[i] <= clock->loop->now_ns) {
			TAILQ_REMOVE(&clock->lists[i], first, entry);
			first->expired(first);
		}
	}
	arm(clock);
}

void hv_idle_init(struct hv_idle_clock *clock, struct hv_loop *loop, uint64_t first_ns,
		  uint64_t second_ns)
{
	memset(clock, 0, sizeof(*clock));
	clock->loop = loop;
	clock->timeout_ns[0] = first_ns;
	clock->timeout_ns[1] = second_ns;
	clock->timer.expired = expire;
	for (unsigned i = 0; i < HV_IDLE_CLASSES; i++)
		TAILQ_INIT(&clock->lists[i]);
}

void hv_idle_finish(struct hv_idle_clock *clock)
{
	hv_loop_timer_cancel(clock->loop, &clock->timer);
}

void hv_idle_add(struct hv_idle_clock *clock, struct hv_idle *idle)
{
	idle->class = 0;
	idle->last_ns = clock->loop->now_ns;
	TAILQ_INSERT_TAIL(&clock->lists[0], idle, entry);
	if (!hv_loop_timer_armed(&clock->timer))
		arm(clock);
	else if (clock->timer.deadline_ns > idle->last_ns + clock->timeout_ns[0])
		arm(clock);
}

void hv_idle_touch(struct hv_idle_clock *clock, struct hv_idle *idle, uint8_t class)
{
	if (idle->last_ns == clock->loop->now_ns && idle->class == class)
		return;
	TAILQ_REMOVE(&clock->lists[idle->class], idle, entry);
	idle->class = class;
	idle->last_ns = clock->loop->now_ns;
	TAILQ_INSERT_TAIL(&clock->lists[class], idle, entry);
}

void hv_idle_remove(struct hv_idle_clock *clock, struct hv_idle *idle)
{
	TAILQ_REMOVE(&clock->lists[idle->class], idle, entry);
}

struct hv_idle *hv_idle_oldest(const struct hv_idle_clock *clock)
{
	struct hv_idle *oldest = TAILQ_FIRST(&clock->lists[0]);

	return oldest ? oldest : TAILQ_FIRST(&clock->lists[1]);
}
