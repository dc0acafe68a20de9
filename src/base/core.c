/*
 * The core of a stack: memory through the environment and counted, randomness, the log, and
 * the end of packets that go nowhere.
 */
#include "base/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int hv_core_init(struct hv_core *core, const struct haven_env *env)
{
	if (!env->alloc || !env->free || !env->random)
		return -EINVAL;
	memset(core, 0, sizeof(*core));
	core->env = *env;
	hv_timer_wheel_init(&core->wheel, 0);
	env->random(env->user, &core->hash_key, sizeof(core->hash_key));
	env->random(env->user, &core->isn_key, sizeof(core->isn_key));
	env->random(env->user, &core->port_key, sizeof(core->port_key));
	return 0;
}

void hv_core_finish(struct hv_core *core)
{
	hv_packet_pool_clear(core);
}

void *hv_alloc(struct hv_core *core, size_t size)
{
	void *memory = core->env.alloc(core->env.user, size);

	if (memory)
		core->memory_bytes += size;
	return memory;
}

void *hv_zalloc(struct hv_core *core, size_t size)
{
	void *memory = hv_alloc(core, size);

	if (memory)
		memset(memory, 0, size);
	return memory;
}

void hv_free(struct hv_core *core, void *memory, size_t size)
{
	if (!memory)
		return;
	core->memory_bytes -= size;
	core->env.free(core->env.user, memory, size);
}

/* Small numbers are drawn from a pool, so that a random bit does not cost a system call each. */
static void random_bytes(struct hv_core *core, void *out, unsigned size)
{
	struct hv_random_pool *pool = &core->random_pool;

	if (pool->left < size) {
		core->env.random(core->env.user, pool->bytes, sizeof(pool->bytes));
		pool->left = sizeof(pool->bytes);
	}
	pool->left -= size;
	memcpy(out, pool->bytes + pool->left, size);
	memset(pool->bytes + pool->left, 0, size); /* never seen twice */
}

uint32_t hv_random32(struct hv_core *core)
{
	uint32_t value;

	random_bytes(core, &value, sizeof(value));
	return value;
}

uint64_t hv_random64(struct hv_core *core)
{
	uint64_t value;

	random_bytes(core, &value, sizeof(value));
	return value;
}

/*
 * Multiply and shift; products whose low half falls into the short first interval are drawn
 * again, which leaves every result equally many (Lemire, arXiv:1805.10941).
 */
uint32_t hv_random_below(struct hv_core *core, uint32_t bound)
{
	uint32_t threshold = -bound % bound;
	uint64_t product;

	do
		product = (uint64_t)hv_random32(core) * bound;
	while ((uint32_t)product < threshold);
	return (uint32_t)(product >> 32);
}

void hv_log(struct hv_core *core, enum haven_log_level level, const char *format, ...)
{
	char message[256];
	va_list args;

	if (!core->env.log)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	core->env.log(core->env.user, level, message);
}

void hv_drop(struct hv_core *core, struct hv_packet *packet, enum hv_drop reason)
{
	core->drops[reason]++;
	hv_packet_free(core, packet);
}
