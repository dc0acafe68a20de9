/*
 * The timer wheel.
 *
 * Time is counted in ticks of HV_TIMER_TICK_NS and written in base 64: one level for each digit.
 * A timer stands at the level of the highest digit in which its tick differs from the wheel's, in
 * the slot of that digit. So every timer of a level is due before every timer of a higher one,
 * slots of a level are due from low to high, and the first slot in use is two bit scans away.
 * When the wheel's tick reaches a slot of level 0 its timers fire; a slot of a higher level is
 * taken apart, and its timers fall to lower levels. A jump of hours touches only slots in use.
 */
#include "base/timer.h"

#include <stddef.h>
#include <string.h>

enum { DIGIT_BITS = 6, NO_SLOT = HV_TIMER_LEVELS * HV_TIMER_SLOTS };
#define LAST_TICK (UINT64_MAX >> HV_TIMER_TICK_SHIFT)

_Static_assert(1 << DIGIT_BITS == HV_TIMER_SLOTS, "a digit is a slot");
_Static_assert(HV_TIMER_LEVELS *DIGIT_BITS + HV_TIMER_TICK_SHIFT >= 64,
	       "every time has its place");

/* Rounded up, so that a timer never fires early. */
static uint64_t tick_of(uint64_t deadline_ns)
{
	uint64_t tick = deadline_ns >> HV_TIMER_TICK_SHIFT;

	if (deadline_ns & (HV_TIMER_TICK_NS - 1) && tick < LAST_TICK)
		tick++;
	return tick;
}

static void link_timer(struct hv_timer **list, struct hv_timer *timer, unsigned slot)
{
	timer->next = *list;
	timer->prev = list;
	timer->slot = (uint16_t)slot;
	if (timer->next)
		timer->next->prev = &timer->next;
	*list = timer;
}

static void unlink_timer(struct hv_timer *timer)
{
	*timer->prev = timer->next;
	if (timer->next)
		timer->next->prev = timer->prev;
	timer->next = NULL;
	timer->prev = NULL;
}

/* Put a timer where it belongs; what is due goes to the list `due`. */
static void place(struct hv_timer_wheel *wheel, struct hv_timer *timer, struct hv_timer **due)
{
	uint64_t tick = tick_of(timer->deadline_ns);
	unsigned level, digit;

	if (tick <= wheel->tick) {
		link_timer(due, timer, NO_SLOT);
		return;
	}
	level = (unsigned)(63 - __builtin_clzll(tick ^ wheel->tick)) / DIGIT_BITS;
	digit = (unsigned)(tick >> (level * DIGIT_BITS)) & (HV_TIMER_SLOTS - 1);
	link_timer(&wheel->slots[level][digit], timer, level * HV_TIMER_SLOTS + digit);
	wheel->bitmap[level] |= UINT64_C(1) << digit;
}

void hv_timer_wheel_init(struct hv_timer_wheel *wheel, uint64_t now_ns)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick = now_ns >> HV_TIMER_TICK_SHIFT;
}

void hv_timer_init(struct hv_timer *timer, void (*fire)(struct hv_timer *timer))
{
	*timer = (struct hv_timer){.fire = fire, .slot = NO_SLOT};
}

void hv_timer_cancel(struct hv_timer_wheel *wheel, struct hv_timer *timer)
{
	unsigned level, digit;

	if (!timer->prev)
		return;
	unlink_timer(timer);
	if (timer->slot == NO_SLOT)
		return;
	level = timer->slot / HV_TIMER_SLOTS;
	digit = timer->slot % HV_TIMER_SLOTS;
	if (!wheel->slots[level][digit])
		wheel->bitmap[level] &= ~(UINT64_C(1) << digit);
}

void hv_timer_set(struct hv_timer_wheel *wheel, struct hv_timer *timer, uint64_t deadline_ns)
{
	hv_timer_cancel(wheel, timer);
	timer->deadline_ns = deadline_ns;
	place(wheel, timer, &wheel->due);
}

/* The first slot in use: its level and the tick at which it begins. False when there is none. */
static bool first_slot(const struct hv_timer_wheel *wheel, unsigned *level, uint64_t *tick)
{
	for (unsigned l = 0; l < HV_TIMER_LEVELS; l++) {
		unsigned shift = l * DIGIT_BITS;
		uint64_t digit, above;

		if (!wheel->bitmap[l])
			continue;
		digit = (uint64_t)__builtin_ctzll(wheel->bitmap[l]);
		above = wheel->tick >> shift >> DIGIT_BITS << DIGIT_BITS;
		*level = l;
		*tick = (above | digit) << shift;
		return true;
	}
	return false;
}

/* Take a whole list over; *from is empty afterwards. */
static void take_list(struct hv_timer **to, struct hv_timer **from)
{
	*to = *from;
	*from = NULL;
	if (*to)
		(*to)->prev = to;
}

/* Timers that are cancelled or moved by others' fire() leave this list by themselves. */
static unsigned fire_all(struct hv_timer **list)
{
	unsigned count = 0;
	struct hv_timer *timer;

	for (timer = *list; timer; timer = timer->next)
		timer->slot = NO_SLOT;
	while ((timer = *list)) {
		unlink_timer(timer);
		timer->fire(timer);
		count++;
	}
	return count;
}

unsigned hv_timer_advance(struct hv_timer_wheel *wheel, uint64_t now_ns)
{
	uint64_t target = now_ns >> HV_TIMER_TICK_SHIFT, tick;
	struct hv_timer *firing, *timer;
	unsigned level, count;

	take_list(&firing, &wheel->due);
	count = fire_all(&firing);
	while (first_slot(wheel, &level, &tick) && tick <= target) {
		unsigned digit =
			(unsigned)(tick >> (level * DIGIT_BITS)) & (HV_TIMER_SLOTS - 1);
		struct hv_timer *list;

		wheel->tick = tick;
		wheel->bitmap[level] &= ~(UINT64_C(1) << digit);
		take_list(&list, &wheel->slots[level][digit]);
		firing = NULL;
		while ((timer = list)) {
			unlink_timer(timer);
			place(wheel, timer, &firing);
		}
		count += fire_all(&firing);
	}
	if (target > wheel->tick)
		wheel->tick = target;
	return count;
}

uint64_t hv_timer_next(const struct hv_timer_wheel *wheel)
{
	unsigned level;
	uint64_t tick;

	if (wheel->due)
		return wheel->tick << HV_TIMER_TICK_SHIFT;
	if (!first_slot(wheel, &level, &tick))
		return UINT64_MAX;
	return tick << HV_TIMER_TICK_SHIFT;
}
