/*
 * Readiness: transports mark a socket, the caller drains what is marked. A socket stands in the queue
 * at most once, so that draining costs what changed and nothing else.
 */
#include "socket/socket_state.h"

void hv_socket_mark_ready(struct haven_socket *socket)
{
	if (hv_list_is_empty(&socket->ready))
		hv_list_append(&socket->sockets->ready, &socket->ready);
}

struct haven_socket *haven_next_ready(struct haven_stack *stack, unsigned *events)
{
	struct hv_list *node;

	while ((node = hv_list_pop(&hv_sockets_of(stack)->ready))) {
		struct haven_socket *socket = hv_container(node, struct haven_socket, ready);

		/* A layer has its own idea of what is worth telling. */
		if (socket->layer && !socket->layer->ops->ready(socket->layer))
			continue;
		if (events)
			*events = haven_socket_events(socket);
		return socket;
	}
	return NULL;
}

unsigned haven_socket_events(const struct haven_socket *socket)
{
	if (socket->layer)
		return socket->layer->ops->events(socket->layer);
	return socket->stream ? hv_stream_events(socket) : hv_datagram_events(socket);
}
