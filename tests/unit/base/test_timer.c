/* The timer wheel: single cases, and 10^5 random operations against a list that is searched. */
#include "base/list.h"
#include "base/timer.h"
#include "support/test.h"

#define SECOND UINT64_C(1000000000)
#define HOUR   (3600 * SECOND)

struct probe {
	struct hv_timer timer;
	struct hv_timer_wheel *wheel;
	unsigned fired;
	uint64_t again_ns;	  /* set itself again for this; 0: no */
	struct hv_timer *cancels; /* another timer, cancelled when this one fires */
};

static void probe_fire(struct hv_timer *timer)
{
	struct probe *probe = hv_container(timer, struct probe, timer);

	assert_false(hv_timer_is_set(timer));
	probe->fired++;
	if (probe->again_ns)
		hv_timer_set(probe->wheel, timer, probe->again_ns);
	if (probe->cancels)
		hv_timer_cancel(probe->wheel, probe->cancels);
}

static void probe_init(struct probe *probe, struct hv_timer_wheel *wheel)
{
	*probe = (struct probe){.wheel = wheel};
	hv_timer_init(&probe->timer, probe_fire);
}

static void nothing_set_is_never_due(void **state)
{
	struct hv_timer_wheel wheel;

	(void)state;
	hv_timer_wheel_init(&wheel, 5 * HOUR);
	assert_true(hv_timer_next(&wheel) == UINT64_MAX);
	assert_int_equal(hv_timer_advance(&wheel, 100 * HOUR), 0);
	assert_true(hv_timer_next(&wheel) == UINT64_MAX);
}

static void fires_not_before_and_one_tick_after_at_most(void **state)
{
	static const uint64_t deadlines[] = {
		1,	     HV_TIMER_TICK_NS, HV_TIMER_TICK_NS + 1, 200000000,	     SECOND - 1,
		60 * SECOND, 2 * HOUR,	       1000 * HOUR,	     UINT64_MAX / 2,
	};
	struct hv_timer_wheel wheel;
	struct probe probe;

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(deadlines); i++) {
		hv_timer_wheel_init(&wheel, 0);
		probe_init(&probe, &wheel);
		hv_timer_set(&wheel, &probe.timer, deadlines[i]);
		hv_timer_advance(&wheel, deadlines[i] - 1);
		assert_int_equal(probe.fired, 0);
		assert_true(hv_timer_is_set(&probe.timer));
		hv_timer_advance(&wheel, deadlines[i] + HV_TIMER_TICK_NS);
		assert_int_equal(probe.fired, 1);
		assert_false(hv_timer_is_set(&probe.timer));
		assert_true(hv_timer_next(&wheel) == UINT64_MAX);
	}
}

/* Whoever comes back only when hv_timer_next() says so is there in time, and not too often. */
static void next_leads_to_the_deadline(void **state)
{
	struct test_random random;
	struct hv_timer_wheel wheel;
	struct probe probe;

	(void)state;
	test_random_init(&random, 7);
	for (int i = 0; i < 2000; i++) {
		uint64_t now = test_random_below(&random, UINT64_C(1) << (10 + i % 50));
		uint64_t deadline =
			now + test_random_below(&random, UINT64_C(1) << (1 + i % 60));
		unsigned turns = 0;

		hv_timer_wheel_init(&wheel, now);
		probe_init(&probe, &wheel);
		hv_timer_set(&wheel, &probe.timer, deadline);
		while (!probe.fired) {
			uint64_t next = hv_timer_next(&wheel);

			assert_true(next <= deadline + HV_TIMER_TICK_NS);
			assert_true(next > now || turns == 0);
			now = next > now ? next : now;
			hv_timer_advance(&wheel, now);
			assert_true(++turns <= HV_TIMER_LEVELS + 1);
		}
		assert_true(now >= deadline);
	}
}

static void past_deadlines_fire_at_the_next_advance(void **state)
{
	struct hv_timer_wheel wheel;
	struct probe probe;

	(void)state;
	hv_timer_wheel_init(&wheel, HOUR);
	probe_init(&probe, &wheel);
	hv_timer_set(&wheel, &probe.timer, SECOND);
	assert_true(hv_timer_next(&wheel) <= HOUR);
	assert_int_equal(hv_timer_advance(&wheel, HOUR), 1);
	/* A timer that always sets itself to the past fires once in each turn, not for ever. */
	probe.again_ns = SECOND;
	hv_timer_set(&wheel, &probe.timer, 0);
	for (unsigned i = 2; i < 10; i++) {
		assert_int_equal(hv_timer_advance(&wheel, HOUR), 1);
		assert_int_equal(probe.fired, i);
	}
	hv_timer_cancel(&wheel, &probe.timer);
	assert_int_equal(hv_timer_advance(&wheel, 2 * HOUR), 0);
}

static void past_deadlines_set_while_firing_wait_for_the_next_turn(void **state)
{
	struct hv_timer_wheel wheel;
	struct probe probe;

	(void)state;
	hv_timer_wheel_init(&wheel, 0);
	probe_init(&probe, &wheel);
	probe.again_ns = 1;
	hv_timer_set(&wheel, &probe.timer, SECOND);
	assert_int_equal(hv_timer_advance(&wheel, HOUR), 1);
	assert_int_equal(hv_timer_advance(&wheel, HOUR), 1);
}

static void periodic_timer_over_a_jump_of_hours(void **state)
{
	struct hv_timer_wheel wheel;
	struct probe probe;

	(void)state;
	hv_timer_wheel_init(&wheel, 3);
	probe_init(&probe, &wheel);
	probe.again_ns = 30 * HOUR;
	hv_timer_set(&wheel, &probe.timer, SECOND);
	assert_int_equal(hv_timer_advance(&wheel, 20 * HOUR), 1);
	assert_true(hv_timer_next(&wheel) <= 30 * HOUR + HV_TIMER_TICK_NS);
	probe.again_ns = 0;
	assert_int_equal(hv_timer_advance(&wheel, 29 * HOUR), 0);
	assert_int_equal(hv_timer_advance(&wheel, 31 * HOUR), 1);
}

static void moved_timers_fire_once_at_the_last_deadline(void **state)
{
	struct hv_timer_wheel wheel;
	struct probe probe;

	(void)state;
	hv_timer_wheel_init(&wheel, 0);
	probe_init(&probe, &wheel);
	for (uint64_t i = 1; i <= 100; i++)
		hv_timer_set(&wheel, &probe.timer, i * SECOND);
	assert_int_equal(hv_timer_advance(&wheel, 99 * SECOND), 0);
	assert_int_equal(hv_timer_advance(&wheel, 101 * SECOND), 1);
	hv_timer_set(&wheel, &probe.timer, 200 * SECOND);
	hv_timer_cancel(&wheel, &probe.timer);
	hv_timer_cancel(&wheel, &probe.timer);
	assert_true(hv_timer_next(&wheel) == UINT64_MAX);
	assert_int_equal(hv_timer_advance(&wheel, 300 * SECOND), 0);
}

/* Two timers of one slot, each of which cancels the other: exactly one fires. */
static void cancel_of_a_neighbour_while_firing(void **state)
{
	struct hv_timer_wheel wheel;
	struct probe a, b;

	(void)state;
	for (uint64_t deadline = 0; deadline <= 4 * HOUR; deadline += HOUR) {
		hv_timer_wheel_init(&wheel, 0);
		probe_init(&a, &wheel);
		probe_init(&b, &wheel);
		a.cancels = &b.timer;
		b.cancels = &a.timer;
		hv_timer_set(&wheel, &a.timer, deadline);
		hv_timer_set(&wheel, &b.timer, deadline);
		assert_int_equal(hv_timer_advance(&wheel, 5 * HOUR), 1);
		assert_int_equal(a.fired + b.fired, 1);
		assert_true(hv_timer_next(&wheel) == UINT64_MAX);
	}
}

static void the_end_of_time_has_a_slot(void **state)
{
	struct hv_timer_wheel wheel;
	struct probe probe;

	(void)state;
	hv_timer_wheel_init(&wheel, 0);
	probe_init(&probe, &wheel);
	hv_timer_set(&wheel, &probe.timer, UINT64_MAX);
	assert_int_equal(hv_timer_advance(&wheel, UINT64_MAX / 4 * 3), 0);
	assert_int_equal(hv_timer_advance(&wheel, UINT64_MAX), 1);
}

/* --- against a reference ----------------------------------------------------------------- */

enum { TIMERS = 300, OPERATIONS = 100000 };

struct model {
	struct hv_timer_wheel wheel;
	struct test_random random;
	uint64_t now;
	struct entry {
		struct hv_timer timer;
		struct model *model;
		bool set;
		uint64_t deadline;
	} entries[TIMERS];
	unsigned fired;
};

static uint64_t random_deadline(struct model *model)
{
	uint64_t distance =
		test_random_below(&model->random,
				  UINT64_C(1) << test_random_below(&model->random, 50));

	if (test_random_one_in(&model->random, 10))
		return model->now > distance ? model->now - distance : 0;
	return model->now + distance;
}

static void model_set(struct model *model, struct entry *entry)
{
	entry->deadline = random_deadline(model);
	entry->set = true;
	hv_timer_set(&model->wheel, &entry->timer, entry->deadline);
}

static void model_fire(struct hv_timer *timer)
{
	struct entry *entry = hv_container(timer, struct entry, timer);
	struct model *model = entry->model;
	struct entry *other = &model->entries[test_random_below(&model->random, TIMERS)];

	assert_true(entry->set);
	assert_true(entry->deadline <= model->now);
	entry->set = false;
	model->fired++;
	if (test_random_one_in(&model->random, 3)) {
		hv_timer_cancel(&model->wheel, &other->timer);
		other->set = false;
	}
	if (test_random_one_in(&model->random, 3)) {
		entry->deadline = model->now + 1 + test_random_below(&model->random, HOUR);
		entry->set = true;
		hv_timer_set(&model->wheel, timer, entry->deadline);
	}
}

static void model_advance(struct model *model)
{
	unsigned before = model->fired, fired;

	if (test_random_one_in(&model->random, 50))
		model->now += test_random_below(&model->random, 50 * HOUR);
	else if (test_random_one_in(&model->random, 2) &&
		 hv_timer_next(&model->wheel) != UINT64_MAX)
		model->now = hv_timer_next(&model->wheel) > model->now
				     ? hv_timer_next(&model->wheel)
				     : model->now;
	else
		model->now += test_random_below(&model->random, SECOND);
	fired = hv_timer_advance(&model->wheel, model->now);
	assert_int_equal(fired, model->fired - before);
}

static void model_check(const struct model *model)
{
	uint64_t first = UINT64_MAX, next = hv_timer_next(&model->wheel);

	for (int i = 0; i < TIMERS; i++) {
		const struct entry *entry = &model->entries[i];

		assert_int_equal(entry->set, hv_timer_is_set(&entry->timer));
		if (!entry->set)
			continue;
		/* Everything that was due has fired. */
		assert_true(entry->deadline + HV_TIMER_TICK_NS > model->now ||
			    next <= model->now);
		if (entry->deadline < first)
			first = entry->deadline;
	}
	if (first == UINT64_MAX)
		assert_true(next == UINT64_MAX);
	else
		assert_true(next <= first + HV_TIMER_TICK_NS || next <= model->now);
}

static void agrees_with_a_reference(void **state)
{
	static struct model model;

	(void)state;
	test_random_init(&model.random, 2024);
	model.now = 17 * HOUR;
	hv_timer_wheel_init(&model.wheel, model.now);
	for (int i = 0; i < TIMERS; i++) {
		model.entries[i].model = &model;
		hv_timer_init(&model.entries[i].timer, model_fire);
	}
	for (int i = 0; i < OPERATIONS; i++) {
		struct entry *entry = &model.entries[test_random_below(&model.random, TIMERS)];

		switch (test_random_below(&model.random, 5)) {
		case 0:
			hv_timer_cancel(&model.wheel, &entry->timer);
			entry->set = false;
			break;
		case 1:
			model_advance(&model);
			break;
		default:
			model_set(&model, entry);
			break;
		}
		if (i % 16 == 0)
			model_check(&model);
	}
	assert_true(model.fired > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_set_is_never_due),
		cmocka_unit_test(fires_not_before_and_one_tick_after_at_most),
		cmocka_unit_test(next_leads_to_the_deadline),
		cmocka_unit_test(past_deadlines_fire_at_the_next_advance),
		cmocka_unit_test(past_deadlines_set_while_firing_wait_for_the_next_turn),
		cmocka_unit_test(periodic_timer_over_a_jump_of_hours),
		cmocka_unit_test(moved_timers_fire_once_at_the_last_deadline),
		cmocka_unit_test(cancel_of_a_neighbour_while_firing),
		cmocka_unit_test(the_end_of_time_has_a_slot),
		cmocka_unit_test(agrees_with_a_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
