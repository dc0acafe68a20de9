/*
 * The event loop: the only place that reads the clock, and where every descriptor waits.
 *
 * A turn is hv_loop_wait() (sleep, read the clock once, call what is ready, call timers that are
 * due) followed by what the gateway does with the stack, then hv_loop_end_turn(). A source that is
 * closed during a turn stays in memory until the turn ends, since the batch of events that the
 * kernel gave may still name it.
 */
#ifndef HV_GATEWAY_LOOP_H
#define HV_GATEWAY_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define HV_NS_PER_S  UINT64_C(1000000000)
#define HV_NS_PER_MS UINT64_C(1000000)

#define hv_container(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* A descriptor and who is called when it is ready. Embedded in what owns it. */
struct hv_source {
	int fd;		 /* -1: closed */
	uint32_t events; /* EPOLL bits asked for */
	void (*ready)(struct hv_source *source, uint32_t events);
	void (*release)(struct hv_source *source); /* frees the owner, at the turn's end */
	struct hv_source *next_dead;
};

/* Embedded; zeroed means idle. */
struct hv_loop_timer {
	uint64_t deadline_ns;
	size_t slot; /* in the heap, from 1; 0: idle */
	void (*expired)(struct hv_loop_timer *timer);
};

struct hv_loop {
	int epoll_fd;
	uint64_t now_ns;	     /* CLOCK_MONOTONIC, read once a turn */
	struct hv_loop_timer **heap; /* heap[1..heap_count], earliest first */
	size_t heap_count, heap_size;
	struct hv_source *dead;
	uint64_t turns;
	void (*woken)(
		struct hv_loop *loop); /* after the clock, before the sources; may be NULL */
};

/* 0 or a negative errno. */
int hv_loop_init(struct hv_loop *loop);
void hv_loop_finish(struct hv_loop *loop);

/* source->fd and ->ready are set. events: EPOLLIN and so on, with EPOLLET when wanted. */
int hv_source_add(struct hv_loop *loop, struct hv_source *source, uint32_t events);
int hv_source_change(struct hv_loop *loop, struct hv_source *source, uint32_t events);
/* Stop watching, keep the descriptor open. */
void hv_source_remove(struct hv_loop *loop, struct hv_source *source);
/* Close the descriptor; release (may be NULL) is called when the turn ends. */
void hv_source_close(struct hv_loop *loop, struct hv_source *source,
		     void (*release)(struct hv_source *source));

/* (Re)arm. Returns 0 or -ENOMEM; re-arming an armed timer cannot fail. */
int hv_loop_timer_set(struct hv_loop *loop, struct hv_loop_timer *timer, uint64_t deadline_ns);
void hv_loop_timer_cancel(struct hv_loop *loop, struct hv_loop_timer *timer);
static inline bool hv_loop_timer_armed(const struct hv_loop_timer *timer)
{
	return timer->slot != 0;
}

/* Sleep until something is ready, a timer is due, or deadline_ns; then serve all of it. */
int hv_loop_wait(struct hv_loop *loop, uint64_t deadline_ns);
/* Free what was closed in this turn. */
void hv_loop_end_turn(struct hv_loop *loop);

#endif
