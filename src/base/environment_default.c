/*
 * The environment that a program gets when it brings none of its own: malloc, free, getrandom.
 * The only file of the stack that asks the system for anything.
 */
#include <haven/stack.h>

#include <stdlib.h>
#include <sys/random.h>

static void *default_alloc(void *user, size_t size)
{
	(void)user;
	return malloc(size);
}

static void default_free(void *user, void *memory, size_t size)
{
	(void)user;
	(void)size;
	free(memory);
}

/*
 * Keys, sequence numbers and ports come from here. Were they predictable, every connection could
 * be forged from afar, so a system that has no randomness at all ends the program.
 */
static void default_random(void *user, void *buffer, size_t size)
{
	uint8_t *p = buffer;

	(void)user;
	while (size > 0) {
		ssize_t got = getrandom(p, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		p += got;
		size -= (size_t)got;
	}
}

void haven_env_default(struct haven_env *env)
{
	*env = (struct haven_env){
		.alloc = default_alloc,
		.free = default_free,
		.random = default_random,
	};
}
