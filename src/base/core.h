/*
 * The core: what every room of a stack shares. Environment, current time, timers, packet pool,
 * keys and drop counters. It is the first member of struct haven_stack.
 */
#ifndef HV_BASE_CORE_H
#define HV_BASE_CORE_H

#include <haven/stack.h>

#include "base/drop.h"
#include "base/packet.h"
#include "base/siphash.h"
#include "base/timer.h"

/* Random bytes that were asked for in advance; the last `left` are still unused. */
struct hv_random_pool {
	uint8_t bytes[128];
	unsigned left;
};

struct hv_core {
	struct haven_env env;
	uint64_t now_ns; /* set once per turn */
	struct hv_timer_wheel wheel;
	struct hv_packet_pool pool;
	uint64_t drops[HV_DROP_COUNT];
	size_t memory_bytes;		/* held through env.alloc */
	struct hv_siphash_key hash_key; /* of hash tables */
	struct hv_siphash_key isn_key;	/* initial sequence numbers, RFC 6528 */
	struct hv_siphash_key port_key; /* ephemeral ports, RFC 6056 */
	struct hv_random_pool random_pool;
};

/* Errors: -EINVAL (a callback is missing). */
int hv_core_init(struct hv_core *core, const struct haven_env *env);
/* Frees the pool. Everything else must be freed already. */
void hv_core_finish(struct hv_core *core);

/* The core of a stack: its first member. */
static inline struct hv_core *hv_core_of(const struct haven_stack *stack)
{
	return (struct hv_core *)stack;
}

/* Memory through the environment, counted. hv_alloc may return NULL; hv_zalloc zeroes. */
void *hv_alloc(struct hv_core *core, size_t size);
void *hv_zalloc(struct hv_core *core, size_t size);
void hv_free(struct hv_core *core, void *memory, size_t size); /* NULL is allowed */

uint32_t hv_random32(struct hv_core *core);
uint64_t hv_random64(struct hv_core *core);
/* Uniform in 0 <= x < bound (bound > 0), without bias. */
uint32_t hv_random_below(struct hv_core *core, uint32_t bound);

void hv_log(struct hv_core *core, enum haven_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Count the drop and free the packet. */
void hv_drop(struct hv_core *core, struct hv_packet *packet, enum hv_drop reason);

#endif
