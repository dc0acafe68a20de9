/* The port table as the user sees it: one row for each bind and each connection. */
#include "stack_state.h"

#include <netinet/in.h>

struct each {
	bool (*visit)(void *user, const struct haven_port_info *info);
	void *user;
	bool stopped;
};

static bool tell(struct each *each, const struct haven_port_info *info)
{
	each->stopped = !each->visit(each->user, info);
	return !each->stopped;
}

static bool visit_bind(const struct hv_bind *bind, void *ctx)
{
	struct haven_port_info info = {.protocol = bind->proto, .owner = bind->owner};

	/* A connected socket's row is its 4-tuple. */
	if (bind->connected)
		return true;
	info.state = bind->listening ? "LISTEN" : "BOUND";
	hv_addr_to_sockaddr(&bind->local, bind->port, false, &info.local);
	return tell(ctx, &info);
}

static uint64_t owner_of(const struct hv_tuple *tuple, const char **state)
{
	const struct haven_socket *socket;
	void *owner = NULL;

	if (tuple->proto == IPPROTO_TCP) {
		*state = hv_tcp_tuple_state(tuple, &owner);
	} else {
		owner = hv_container(tuple, struct hv_udp_socket, tuple)->owner;
		*state = "ESTABLISHED";
	}
	socket = owner;
	return socket ? socket->owner : 0;
}

static bool visit_tuple(const struct hv_tuple *tuple, void *ctx)
{
	struct haven_port_info info = {.protocol = tuple->proto};

	info.owner = owner_of(tuple, &info.state);
	hv_addr_to_sockaddr(&tuple->local, tuple->local_port, false, &info.local);
	hv_addr_to_sockaddr(&tuple->remote, tuple->remote_port, false, &info.remote);
	return tell(ctx, &info);
}

void haven_ports_each(const struct haven_stack *stack,
		      bool (*visit)(void *user, const struct haven_port_info *info), void *user)
{
	struct each each = {visit, user, false};

	hv_port_each_bind(&stack->ports, visit_bind, &each);
	if (!each.stopped)
		hv_port_each_tuple(&stack->ports, visit_tuple, &each);
}

int haven_ephemeral_exclude(struct haven_stack *stack, struct haven_port_range range,
			    bool exclude)
{
	return hv_port_exclude(&stack->ports, range.first, range.last, exclude);
}
