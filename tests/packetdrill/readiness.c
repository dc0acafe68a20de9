/*
 * poll and epoll, over the library's readiness. Level is asked from the socket; an edge is what the library's
 * queue of changed sockets has named since it was last reported.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "adapter.h"

/* A timeout in milliseconds as a time; negative: never. */
static uint64_t deadline_us(const struct adapter *adapter, int timeout_ms)
{
	return timeout_ms < 0 ? WAIT_FOREVER : adapter->now_us + (uint64_t)timeout_ms * 1000;
}

/* What poll and epoll call the library's events; their bits are the same numbers. */
unsigned readiness_of(const struct adapter *adapter, struct descriptor *descriptor)
{
	unsigned events = haven_socket_events(descriptor->socket), bits = 0;

	if (events & HAVEN_EVENT_READABLE)
		bits |= POLLIN | POLLRDNORM;
	if (events & HAVEN_EVENT_WRITABLE && wmem_is_writable(adapter, descriptor))
		bits |= POLLOUT | POLLWRNORM;
	if (events & HAVEN_EVENT_ERROR)
		bits |= POLLERR;
	if (events & HAVEN_EVENT_HANGUP)
		bits |= POLLHUP;
	if (events & HAVEN_EVENT_PEER_CLOSED)
		bits |= POLLRDHUP;
	return bits;
}

/* --- poll --------------------------------------------------------------------------------- */

static int poll_once(struct adapter *adapter, struct pollfd *fds, nfds_t count)
{
	int ready = 0;

	for (nfds_t i = 0; i < count; i++) {
		struct descriptor *descriptor = descriptor_find(adapter, fds[i].fd);
		unsigned events = POLLNVAL;

		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		if (descriptor && descriptor->socket)
			events = readiness_of(adapter, descriptor) &
				 ((unsigned short)fds[i].events | POLLERR | POLLHUP);
		fds[i].revents = (short)events;
		ready += events != 0;
	}
	return ready;
}

int call_poll(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct adapter *adapter = userdata;
	struct waiter waiter = {0};
	uint64_t until_us;
	int ready;

	pthread_mutex_lock(&adapter->lock);
	until_us = deadline_us(adapter, timeout_ms);
	while (!(ready = poll_once(adapter, fds, count)) &&
	       wait_sleep(adapter, &waiter, until_us))
		;
	wait_end(adapter, &waiter);
	pthread_mutex_unlock(&adapter->lock);
	return ready;
}

/* --- epoll -------------------------------------------------------------------------------- */

/* Something became true of this socket. */
static void note(struct adapter *adapter, const struct haven_socket *socket)
{
	for (size_t i = 0; i < adapter->descriptor_count; i++) {
		struct descriptor *epoll = adapter->descriptors[i];

		for (struct watch *w = epoll ? epoll->watches : NULL; w; w = w->next) {
			struct descriptor *d = descriptor_find(adapter, w->fd);

			if (d && d->socket == socket)
				w->edge = true;
		}
	}
}

void readiness_note(struct adapter *adapter)
{
	struct haven_socket *socket;

	while ((socket = haven_next_ready(adapter->stack, NULL)))
		note(adapter, socket);
}

void readiness_take_ack(struct adapter *adapter)
{
	for (size_t i = 0; i < adapter->descriptor_count; i++) {
		if (adapter->descriptors[i] && wmem_take_ack(adapter, adapter->descriptors[i]))
			note(adapter, adapter->descriptors[i]->socket);
	}
}

void readiness_forget(struct adapter *adapter, int fd)
{
	for (size_t i = 0; i < adapter->descriptor_count; i++) {
		struct watch **link =
			adapter->descriptors[i] ? &adapter->descriptors[i]->watches : NULL;

		while (link && *link) {
			struct watch *watch = *link;

			if (watch->fd == fd) {
				*link = watch->next;
				free(watch);
			} else {
				link = &watch->next;
			}
		}
	}
}

int call_epoll_create(void *userdata, int size)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;

	if (size <= 0)
		return (int)adapter_result(-EINVAL);
	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_new(adapter, DESCRIPTOR_EPOLL);
	pthread_mutex_unlock(&adapter->lock);
	return descriptor ? descriptor->fd : -1;
}

static struct watch **watch_find(struct descriptor *epoll, int fd)
{
	struct watch **link = &epoll->watches;

	while (*link && (*link)->fd != fd)
		link = &(*link)->next;
	return link;
}

static int control(struct descriptor *epoll, int operation, int fd,
		   const struct epoll_event *event)
{
	struct watch **link = watch_find(epoll, fd), *watch = *link;

	if (operation == EPOLL_CTL_ADD) {
		if (watch)
			return -EEXIST;
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return -ENOMEM;
		watch->fd = fd;
		*link = watch; /* at the end: reported in the order of arrival */
	} else if (!watch) {
		return -ENOENT;
	}
	if (operation == EPOLL_CTL_DEL) {
		*link = watch->next;
		free(watch);
		return 0;
	}
	watch->event = *event;
	watch->edge = true; /* what holds already is news to this watch */
	return 0;
}

int call_epoll_ctl(void *userdata, int epoll_fd, int operation, int fd,
		   struct epoll_event *event)
{
	struct adapter *adapter = userdata;
	struct descriptor *epoll;
	int status;

	pthread_mutex_lock(&adapter->lock);
	epoll = descriptor_find(adapter, epoll_fd);
	if (!epoll || !descriptor_find(adapter, fd))
		status = -EBADF;
	else if (epoll->kind != DESCRIPTOR_EPOLL || fd == epoll_fd)
		status = -EINVAL;
	else if (!event && operation != EPOLL_CTL_DEL)
		status = -EFAULT;
	else
		status = control(epoll, operation, fd, event);
	pthread_mutex_unlock(&adapter->lock);
	return (int)adapter_result(status);
}

static int collect(struct adapter *adapter, struct descriptor *epoll,
		   struct epoll_event *events, int most)
{
	int count = 0;

	for (struct watch *watch = epoll->watches; watch && count < most; watch = watch->next) {
		struct descriptor *descriptor = descriptor_find(adapter, watch->fd);
		uint32_t wanted = watch->event.events, bits;

		if (!descriptor || !descriptor->socket)
			continue;
		bits = readiness_of(adapter, descriptor) & (wanted | EPOLLERR | EPOLLHUP);
		if (!bits || (wanted & EPOLLET && !watch->edge) ||
		    !(wanted & ~(uint32_t)(EPOLLET | EPOLLONESHOT)))
			continue;
		watch->edge = false;
		if (wanted & EPOLLONESHOT)
			watch->event.events = 0;
		events[count++] =
			(struct epoll_event){.events = bits, .data = watch->event.data};
	}
	return count;
}

int call_epoll_wait(void *userdata, int epoll_fd, struct epoll_event *events, int most,
		    int timeout_ms)
{
	struct adapter *adapter = userdata;
	struct waiter waiter = {0};
	struct descriptor *epoll;
	uint64_t until_us;
	int status = 0;

	pthread_mutex_lock(&adapter->lock);
	epoll = descriptor_find(adapter, epoll_fd);
	if (!epoll)
		status = -EBADF;
	else if (epoll->kind != DESCRIPTOR_EPOLL || most <= 0)
		status = -EINVAL;
	until_us = deadline_us(adapter, timeout_ms);
	while (!status && !(status = collect(adapter, epoll, events, most))) {
		if (!wait_sleep(adapter, &waiter, until_us))
			break;
		if (descriptor_find(adapter, epoll_fd) != epoll)
			status = -EBADF;
	}
	wait_end(adapter, &waiter);
	pthread_mutex_unlock(&adapter->lock);
	return (int)adapter_result(status);
}
