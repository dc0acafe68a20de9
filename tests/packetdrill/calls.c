/*
 * Calls that make, connect and end sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "adapter.h"

int call_socket(void *userdata, int domain, int type, int protocol)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor = NULL;
	struct haven_socket *socket = NULL;
	int status;

	pthread_mutex_lock(&adapter->lock);
	status = adapter_start(adapter);
	if (status == 0)
		status = haven_socket(adapter->stack, domain,
				      type & ~SOCK_NONBLOCK & ~SOCK_CLOEXEC, protocol, &socket);
	if (status == 0) {
		descriptor = descriptor_new(adapter, DESCRIPTOR_SOCKET);
		if (descriptor) {
			descriptor->socket = socket;
			wmem_init(adapter, descriptor);
			descriptor->flags |= type & SOCK_NONBLOCK ? O_NONBLOCK : 0;
			status = descriptor->fd;
		} else {
			haven_close(socket);
			status = -EMFILE;
		}
	}
	pthread_mutex_unlock(&adapter->lock);
	return (int)adapter_result(status);
}

int call_bind(void *userdata, int fd, const struct sockaddr *address, socklen_t length)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	int status = -1;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (descriptor)
		status = (int)adapter_result(haven_bind(descriptor->socket, address, length));
	pthread_mutex_unlock(&adapter->lock);
	return status;
}

int call_listen(void *userdata, int fd, int backlog)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	int status = -1;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (descriptor)
		status = (int)adapter_result(haven_listen(descriptor->socket, backlog));
	pthread_mutex_unlock(&adapter->lock);
	return status;
}

/* Wait for a connection. A negative errno, or the new descriptor. */
static int accept_one(struct adapter *adapter, struct descriptor *descriptor,
		      struct sockaddr *address, socklen_t *length)
{
	struct waiter waiter = {0};
	struct haven_socket *socket;
	struct descriptor *accepted;
	int fd = descriptor->fd, status;

	for (;;) {
		status = haven_accept(descriptor->socket, address, length, &socket);
		if (status != -EAGAIN || descriptor->flags & O_NONBLOCK)
			break;
		wait_sleep(adapter, &waiter, WAIT_FOREVER);
		if (descriptor_find(adapter, fd) != descriptor) {
			status = -EBADF;
			break;
		}
	}
	if (status == 0) {
		accepted = descriptor_new(adapter, DESCRIPTOR_SOCKET);
		if (accepted) {
			accepted->socket = socket;
			wmem_init(adapter, accepted);
			wmem_inherit(&accepted->wmem, &descriptor->wmem);
			status = accepted->fd;
		} else {
			haven_close(socket);
			status = -EMFILE;
		}
	}
	wait_end(adapter, &waiter);
	return status;
}

int call_accept(void *userdata, int fd, struct sockaddr *address, socklen_t *length)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	int status = -1;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (descriptor)
		status = (int)adapter_result(accept_one(adapter, descriptor, address, length));
	pthread_mutex_unlock(&adapter->lock);
	return status;
}

int call_finish_connect(struct adapter *adapter, struct descriptor *descriptor)
{
	struct waiter waiter = {0};
	int fd = descriptor->fd, error = 0;
	socklen_t length = sizeof(error);

	while (!(haven_socket_events(descriptor->socket) &
		 (HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR | HAVEN_EVENT_HANGUP))) {
		wait_sleep(adapter, &waiter, WAIT_FOREVER);
		if (descriptor_find(adapter, fd) != descriptor) {
			wait_end(adapter, &waiter);
			return -EBADF;
		}
	}
	haven_getsockopt(descriptor->socket, SOL_SOCKET, SO_ERROR, &error, &length);
	wait_end(adapter, &waiter);
	return -error;
}

int call_connect(void *userdata, int fd, const struct sockaddr *address, socklen_t length)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	int status = -1;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (descriptor) {
		status = haven_connect(descriptor->socket, address, length);
		adapter_turn(adapter);
		if (status == -EINPROGRESS && !(descriptor->flags & O_NONBLOCK))
			status = call_finish_connect(adapter, descriptor);
		status = (int)adapter_result(status);
	}
	pthread_mutex_unlock(&adapter->lock);
	return status;
}

int call_close(void *userdata, int fd)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_find(adapter, fd);
	if (descriptor) {
		descriptor_close(adapter, descriptor);
		adapter_turn(adapter);
	}
	pthread_mutex_unlock(&adapter->lock);
	return descriptor ? 0 : close(fd);
}

int call_shutdown(void *userdata, int fd, int how)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	int status = -1;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (descriptor) {
		status = (int)adapter_result(haven_shutdown(descriptor->socket, how));
		adapter_turn(adapter);
	}
	pthread_mutex_unlock(&adapter->lock);
	return status;
}
