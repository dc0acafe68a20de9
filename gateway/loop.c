/*
 * epoll, one clock, a heap of timers. See loop.h.
 */
#include "gateway/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH 128

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * HV_NS_PER_S + (uint64_t)now.tv_nsec;
}

int hv_loop_init(struct hv_loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop->now_ns = clock_ns();
	return 0;
}

void hv_loop_finish(struct hv_loop *loop)
{
	hv_loop_end_turn(loop);
	free(loop->heap);
	loop->heap = NULL;
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

/* --- descriptors ------------------------------------------------------------------------ */

static int control(struct hv_loop *loop, int operation, struct hv_source *source,
		   uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(loop->epoll_fd, operation, source->fd, &event) < 0)
		return -errno;
	source->events = events;
	return 0;
}

int hv_source_add(struct hv_loop *loop, struct hv_source *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, source, events);
}

int hv_source_change(struct hv_loop *loop, struct hv_source *source, uint32_t events)
{
	if (source->events == events)
		return 0;
	return control(loop, EPOLL_CTL_MOD, source, events);
}

void hv_source_remove(struct hv_loop *loop, struct hv_source *source)
{
	control(loop, EPOLL_CTL_DEL, source, 0);
}

void hv_source_close(struct hv_loop *loop, struct hv_source *source,
		     void (*release)(struct hv_source *source))
{
	/* The last descriptor of an open file takes its registration along (epoll(7)). */
	if (source->fd >= 0)
		close(source->fd);
	source->fd = -1;
	source->release = release;
	source->next_dead = loop->dead;
	loop->dead = source;
}

void hv_loop_end_turn(struct hv_loop *loop)
{
	while (loop->dead) {
		struct hv_source *source = loop->dead;

		loop->dead = source->next_dead;
		if (source->release)
			source->release(source);
	}
}

/* --- timers ----------------------------------------------------------------------------- */

static void place(struct hv_loop *loop, size_t slot, struct hv_loop_timer *timer)
{
	loop->heap[slot] = timer;
	timer->slot = slot;
}

static void sift_up(struct hv_loop *loop, size_t slot)
{
	struct hv_loop_timer *timer = loop->heap[slot];

	while (slot > 1 && loop->heap[slot / 2]->deadline_ns > timer->deadline_ns) {
		place(loop, slot, loop->heap[slot / 2]);
		slot /= 2;
	}
	place(loop, slot, timer);
}

static void sift_down(struct hv_loop *loop, size_t slot)
{
	struct hv_loop_timer *timer = loop->heap[slot];

	for (;;) {
		size_t child = slot * 2;

		if (child > loop->heap_count)
			break;
		if (child < loop->heap_count &&
		    loop->heap[child + 1]->deadline_ns < loop->heap[child]->deadline_ns)
			child++;
		if (loop->heap[child]->deadline_ns >= timer->deadline_ns)
			break;
		place(loop, slot, loop->heap[child]);
		slot = child;
	}
	place(loop, slot, timer);
}

static int grow_heap(struct hv_loop *loop)
{
	size_t size = loop->heap_size ? loop->heap_size * 2 : 64;
	struct hv_loop_timer **heap;

	if (loop->heap_count + 1 < loop->heap_size)
		return 0;
	heap = realloc(loop->heap, size * sizeof(struct hv_loop_timer *));
	if (!heap)
		return -ENOMEM;
	loop->heap = heap;
	loop->heap_size = size;
	return 0;
}

int hv_loop_timer_set(struct hv_loop *loop, struct hv_loop_timer *timer, uint64_t deadline_ns)
{
	if (!timer->slot) {
		if (grow_heap(loop) < 0)
			return -ENOMEM;
		loop->heap_count++;
		place(loop, loop->heap_count, timer);
	}
	timer->deadline_ns = deadline_ns;
	sift_up(loop, timer->slot);
	sift_down(loop, timer->slot);
	return 0;
}

void hv_loop_timer_cancel(struct hv_loop *loop, struct hv_loop_timer *timer)
{
	size_t slot = timer->slot;
	struct hv_loop_timer *last;

	if (!slot)
		return;
	timer->slot = 0;
	last = loop->heap[loop->heap_count--];
	if (last == timer)
		return;
	place(loop, slot, last);
	sift_up(loop, slot);
	sift_down(loop, last->slot);
}

static void run_timers(struct hv_loop *loop)
{
	while (loop->heap_count > 0 && loop->heap[1]->deadline_ns <= loop->now_ns) {
		struct hv_loop_timer *timer = loop->heap[1];

		hv_loop_timer_cancel(loop, timer);
		timer->expired(timer);
	}
}

/* --- the wait --------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int hv_loop_wait(struct hv_loop *loop, uint64_t deadline_ns)
{
	struct epoll_event events[BATCH];
	struct timespec timeout = {0};
	uint64_t next = deadline_ns;
	int count;

	if (loop->heap_count > 0)
		next = earlier(next, loop->heap[1]->deadline_ns);
	if (next > loop->now_ns) {
		/* now_ns is as old as the turn: what is due by the real clock costs one empty turn. */
		uint64_t wait_ns = next - loop->now_ns;

		timeout.tv_sec = (time_t)(wait_ns / HV_NS_PER_S);
		timeout.tv_nsec = (long)(wait_ns % HV_NS_PER_S);
	}
	count = epoll_pwait2(loop->epoll_fd, events, BATCH,
			     next == UINT64_MAX ? NULL : &timeout, NULL);
	if (count < 0 && errno != EINTR)
		return -errno;
	loop->now_ns = clock_ns();
	loop->turns++;
	if (loop->woken)
		loop->woken(loop);
	for (int i = 0; i < count; i++) {
		struct hv_source *source = events[i].data.ptr;

		if (source->fd >= 0)
			source->ready(source, events[i].events);
	}
	run_timers(loop);
	return 0;
}
