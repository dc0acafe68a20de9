/*
 * The script's time. It is virtual: it stands still while something happens, and jumps to the next
 * deadline while packetdrill waits. A script therefore takes as long as its work, and no load on the machine
 * can make it fail.
 */
#include "adapter.h"

uint64_t clock_next_us(const struct adapter *adapter)
{
	uint64_t stack_ns = adapter->stack ? haven_next_deadline(adapter->stack) : UINT64_MAX;
	uint64_t stack_us = stack_ns == UINT64_MAX ? UINT64_MAX : (stack_ns + 999) / 1000;

	return stack_us < adapter->wake_us ? stack_us : adapter->wake_us;
}

void clock_run_until(struct adapter *adapter, uint64_t time_us)
{
	for (;;) {
		uint64_t next_us = clock_next_us(adapter);

		if (next_us > time_us)
			break;
		if (next_us > adapter->now_us)
			adapter->now_us = next_us;
		adapter_turn(adapter);
		wait_settle(adapter);
		/* A deadline that the turn left where it was would hold time up for ever. */
		if (clock_next_us(adapter) <= next_us)
			adapter->now_us++;
	}
	if (time_us > adapter->now_us)
		adapter->now_us = time_us;
	if (adapter->stack)
		haven_set_time(adapter->stack, adapter->now_us * 1000);
}

int clock_sleep(void *userdata, useconds_t duration_us)
{
	struct adapter *adapter = userdata;

	pthread_mutex_lock(&adapter->lock);
	wait_settle(adapter);
	clock_run_until(adapter, adapter->now_us + duration_us);
	pthread_mutex_unlock(&adapter->lock);
	return 0;
}

/* Time advances a little with each look at it: packetdrill spins on the last few microseconds. */
int clock_read(void *userdata, struct timeval *time, struct timezone *zone)
{
	struct adapter *adapter = userdata;

	(void)zone;
	pthread_mutex_lock(&adapter->lock);
	if (!wait_returned(adapter)) {
		wait_settle(adapter);
		clock_run_until(adapter, adapter->now_us + 1);
	}
	time->tv_sec = (time_t)(adapter->now_us / 1000000);
	time->tv_usec = (suseconds_t)(adapter->now_us % 1000000);
	pthread_mutex_unlock(&adapter->lock);
	return 0;
}
