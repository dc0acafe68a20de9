/*
 * Timers: a hierarchical wheel. Setting, cancelling and firing are O(1); the next deadline is
 * found by bitmaps. Time is the stack's nanoseconds; a timer fires at or after its deadline,
 * never before, and at most HV_TIMER_TICK_NS late (when polled in time).
 */
#ifndef HV_BASE_TIMER_H
#define HV_BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

enum { HV_TIMER_LEVELS = 8, HV_TIMER_SLOTS = 64, HV_TIMER_TICK_SHIFT = 16 };
#define HV_TIMER_TICK_NS (UINT64_C(1) << HV_TIMER_TICK_SHIFT) /* 65.5 us */

struct hv_timer {
	struct hv_timer *next, **prev; /* prev NULL: not set */
	uint64_t deadline_ns;
	void (*fire)(
		struct hv_timer *
			timer); /* the timer is unset when this runs; it may set itself, or any other, again */
	uint16_t slot; /* where in the wheel */
};

struct hv_timer_wheel {
	uint64_t tick; /* the last tick that ran */
	uint64_t bitmap[HV_TIMER_LEVELS];
	struct hv_timer *slots[HV_TIMER_LEVELS][HV_TIMER_SLOTS];
	struct hv_timer *due; /* set for a time that had passed already: next advance */
};

void hv_timer_wheel_init(struct hv_timer_wheel *wheel, uint64_t now_ns);
void hv_timer_init(struct hv_timer *timer, void (*fire)(struct hv_timer *timer));
/* Set or move. A deadline in the past fires at the next advance. */
void hv_timer_set(struct hv_timer_wheel *wheel, struct hv_timer *timer, uint64_t deadline_ns);
void hv_timer_cancel(struct hv_timer_wheel *wheel,
		     struct hv_timer *timer); /* unset is allowed */
static inline bool hv_timer_is_set(const struct hv_timer *timer)
{
	return timer->prev;
}
/* Fire everything due at now_ns. Returns how many fired. */
unsigned hv_timer_advance(struct hv_timer_wheel *wheel, uint64_t now_ns);
/* When to call hv_timer_advance() next; never later than the first deadline's tick end; UINT64_MAX: nothing set. */
uint64_t hv_timer_next(const struct hv_timer_wheel *wheel);

#endif
