/* The forwarder: connection requests that no socket claims are held until the script answers them. */
#include <string.h>

#include "names.h"
#include "packet.h"

static void on_request(void *user, struct haven_request *request,
		       const struct haven_endpoint *source,
		       const struct haven_endpoint *destination)
{
	struct seg_world *world = user;

	(void)source;
	(void)destination;
	if (world->request_count == SEG_REQUESTS_MAX)
		haven_request_refuse(request, ECONNREFUSED, NULL);
	else
		world->requests[world->request_count++] = request;
}

static void forget(struct seg_world *world, unsigned index)
{
	world->request_count--;
	memmove(&world->requests[index], &world->requests[index + 1],
		(world->request_count - index) * sizeof(world->requests[0]));
}

static void on_cancelled(void *user, struct haven_request *request)
{
	struct seg_world *world = user;

	for (unsigned i = 0; i < world->request_count; i++) {
		if (world->requests[i] == request) {
			forget(world, i);
			return;
		}
	}
}

void seg_forward_start(struct seg_world *world)
{
	const struct haven_forwarder forwarder = {.user = world,
						  .tcp = on_request,
						  .tcp_cancelled = on_cancelled};

	haven_stack_set_forwarder(world->stack, &forwarder);
}

int seg_forward_take(struct seg_world *world, struct haven_socket **out)
{
	struct haven_request *request = world->requests[0];

	if (!world->request_count)
		return -EAGAIN;
	forget(world, 0);
	return haven_request_accept(request, out);
}

bool seg_forward_refuse(struct seg_world *world, const char *error)
{
	struct haven_request *request = world->requests[0];
	int number = seg_errno_of(error);

	if (!world->request_count || number < 0)
		return seg_fail(world, "%s\n\t%s", world->at->text,
				number < 0 ? "there is no such error" : "no request is held");
	forget(world, 0);
	haven_set_time(world->stack, world->now_ns);
	haven_request_refuse(request, number, NULL);
	seg_poll(world);
	return true;
}
