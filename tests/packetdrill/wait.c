/*
 * Blocking calls. packetdrill makes them on a second thread, waits until that thread sleeps in the
 * kernel, and goes on with the script on the first one.
 *
 * With virtual time nobody may let time pass, or look for packets, while a call that was woken has not
 * done its work: wait_settle() waits for those. A call is settled when it sleeps again, or when its thread has
 * read the clock, which packetdrill does first of all when a blocking call returns.
 */
#include <errno.h>
#include <time.h>

#include "adapter.h"

enum {
	PATIENCE_MS = 400, /* without anybody who drives the clock, a sleeper does it itself */
	RETURN_MS = 1000,  /* a thread that does not read the clock is taken to be back */
};

void wait_init(struct adapter *adapter)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&adapter->changed, &attr);
	pthread_cond_init(&adapter->settled, &attr);
	pthread_condattr_destroy(&attr);
	adapter->wake_us = UINT64_MAX;
}

/* Wait on a condition for real time. Returns false when it is over. */
static bool wait_real(struct adapter *adapter, pthread_cond_t *condition, unsigned duration_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += duration_ms / 1000;
	until.tv_nsec += (long)(duration_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return pthread_cond_timedwait(condition, &adapter->lock, &until) != ETIMEDOUT;
}

static void settle_one(struct adapter *adapter)
{
	if (adapter->awake)
		adapter->awake--;
	pthread_cond_broadcast(&adapter->settled);
}

bool wait_sleep(struct adapter *adapter, struct waiter *waiter, uint64_t until_us)
{
	uint64_t seen = adapter->changes;

	if (until_us <= adapter->now_us)
		return false;
	if (waiter->woken)
		settle_one(adapter);
	if (until_us < adapter->wake_us)
		adapter->wake_us = until_us;
	adapter->sleeping++;
	while (adapter->changes == seen) {
		uint64_t time_us = adapter->now_us;

		if (!wait_real(adapter, &adapter->changed, PATIENCE_MS) &&
		    adapter->changes == seen && adapter->now_us == time_us &&
		    clock_next_us(adapter) != UINT64_MAX) {
			adapter->now_us = clock_next_us(adapter);
			adapter_turn(adapter);
		}
	}
	waiter->woken = true;
	return true;
}

void wait_wake(struct adapter *adapter)
{
	if (!adapter->sleeping)
		return;
	adapter->changes++;
	adapter->awake += adapter->sleeping;
	adapter->sleeping = 0;
	adapter->wake_us = UINT64_MAX; /* who sleeps again says so again */
	pthread_cond_broadcast(&adapter->changed);
}

void wait_end(struct adapter *adapter, struct waiter *waiter)
{
	if (!waiter->woken)
		return;
	if (adapter->returning)
		settle_one(adapter); /* two at once: the first had its time */
	adapter->returning = true;
	adapter->returner = pthread_self();
}

bool wait_returned(struct adapter *adapter)
{
	if (!adapter->returning || !pthread_equal(adapter->returner, pthread_self()))
		return false;
	adapter->returning = false;
	settle_one(adapter);
	return true;
}

void wait_settle(struct adapter *adapter)
{
	while (adapter->awake) {
		if (!wait_real(adapter, &adapter->settled, RETURN_MS)) {
			adapter->awake = 0;
			adapter->returning = false;
		}
	}
}
