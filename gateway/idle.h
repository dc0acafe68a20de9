/*
 * Idle time-outs for many entries at the cost of one timer: a list for each length of time-out,
 * kept in the order of last use, so that what is due is at its head.
 */
#ifndef HV_GATEWAY_IDLE_H
#define HV_GATEWAY_IDLE_H

#include <sys/queue.h>

#include "gateway/loop.h"

#define HV_IDLE_CLASSES 2

/* Embedded in what times out. */
struct hv_idle {
	TAILQ_ENTRY(hv_idle) entry;
	uint64_t last_ns;
	uint8_t class;			       /* which list */
	void (*expired)(struct hv_idle *idle); /* called off the list */
};

TAILQ_HEAD(hv_idle_list, hv_idle);

struct hv_idle_clock {
	struct hv_loop *loop;
	struct hv_idle_list lists[HV_IDLE_CLASSES];
	uint64_t timeout_ns[HV_IDLE_CLASSES];
	struct hv_loop_timer timer;
};

void hv_idle_init(struct hv_idle_clock *clock, struct hv_loop *loop, uint64_t first_ns,
		  uint64_t second_ns);
void hv_idle_finish(struct hv_idle_clock *clock);

/* Enter, in class 0. */
void hv_idle_add(struct hv_idle_clock *clock, struct hv_idle *idle);
/* It was used now; class as it is to be from here on. */
void hv_idle_touch(struct hv_idle_clock *clock, struct hv_idle *idle, uint8_t class);
void hv_idle_remove(struct hv_idle_clock *clock, struct hv_idle *idle);

/* The one that was not used for longest among class 0, else class 1; NULL: none at all. */
struct hv_idle *hv_idle_oldest(const struct hv_idle_clock *clock);

#endif
