/*
 * Bytes: every call of reading and writing comes down to two functions. Both look at the pointers first, as the
 * kernel does when it copies from and to a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter.h"

/* Flags of the call that say how to wait or to account, and nothing about the stream. */
#define CALL_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_ZEROCOPY | MSG_WAITALL)

/* --- sending ------------------------------------------------------------------------------ */

/* What a first send with MSG_FASTOPEN, or on a socket that is connecting, waits for. */
static bool is_connecting(const struct haven_socket *socket)
{
	return !(haven_socket_events(socket) &
		 (HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR | HAVEN_EVENT_HANGUP));
}

static ssize_t send_all(struct adapter *adapter, struct descriptor *descriptor,
			const uint8_t *data, size_t size, int flags,
			const struct sockaddr *address, socklen_t length)
{
	bool dont_wait = descriptor->flags & O_NONBLOCK || flags & MSG_DONTWAIT;
	struct waiter waiter = {0};
	int fd = descriptor->fd;
	size_t sent = 0;
	ssize_t status;

	if (!(flags & MSG_FASTOPEN)) /* a stream's send ignores the address */
		address = NULL;
	for (;;) {
		if (!address && size && wmem_applies(adapter, descriptor))
			status = wmem_send(adapter, descriptor, data + sent, size - sent,
					   flags & ~CALL_FLAGS);
		else
			status = haven_sendto(descriptor->socket, data + sent, size - sent,
					      flags & ~CALL_FLAGS, address,
					      address ? length : 0);
		adapter_turn(adapter);
		if (status > 0)
			sent += (size_t)status;
		if (status == -EINPROGRESS && !dont_wait) {
			status = call_finish_connect(adapter, descriptor);
			address = NULL;
			if (status == 0)
				continue;
		}
		if ((status < 0 && status != -EAGAIN) || sent == size || dont_wait)
			break;
		wait_sleep(adapter, &waiter, WAIT_FOREVER);
		if (descriptor_find(adapter, fd) != descriptor) {
			status = -EBADF;
			break;
		}
		/* The rest waits until poll() would say that there is room, as a writer in the kernel does. */
		while (!is_connecting(descriptor->socket) &&
		       !(readiness_of(adapter, descriptor) & (POLLOUT | POLLERR | POLLHUP)))
			wait_sleep(adapter, &waiter, WAIT_FOREVER);
	}
	wait_end(adapter, &waiter);
	return sent ? (ssize_t)sent : status;
}

ssize_t call_sendto(void *userdata, int fd, const void *data, size_t size, int flags,
		    const struct sockaddr *address, socklen_t length)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	ssize_t status = -1;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (descriptor && size && !data)
		errno = EFAULT;
	else if (descriptor)
		status = adapter_result(
			send_all(adapter, descriptor, data, size, flags, address, length));
	pthread_mutex_unlock(&adapter->lock);
	return status;
}

static ssize_t send_iov(void *userdata, int fd, const struct iovec *iov, size_t count,
			int flags, const struct sockaddr *address, socklen_t length)
{
	size_t size = 0, offset = 0;
	uint8_t *data;
	ssize_t status;

	for (size_t i = 0; i < count; i++)
		size += iov[i].iov_len;
	data = malloc(size ? size : 1);
	if (!data)
		return adapter_result(-ENOMEM);
	for (size_t i = 0; i < count; i++) {
		if (iov[i].iov_len)
			memcpy(data + offset, iov[i].iov_base, iov[i].iov_len);
		offset += iov[i].iov_len;
	}
	status = call_sendto(userdata, fd, data, size, flags, address, length);
	free(data);
	return status;
}

ssize_t call_write(void *userdata, int fd, const void *data, size_t size)
{
	return call_sendto(userdata, fd, data, size, 0, NULL, 0);
}

ssize_t call_writev(void *userdata, int fd, const struct iovec *iov, int count)
{
	return send_iov(userdata, fd, iov, (size_t)count, 0, NULL, 0);
}

ssize_t call_send(void *userdata, int fd, const void *data, size_t size, int flags)
{
	return call_sendto(userdata, fd, data, size, flags, NULL, 0);
}

ssize_t call_sendmsg(void *userdata, int fd, const struct msghdr *message, int flags)
{
	return send_iov(userdata, fd, message->msg_iov, message->msg_iovlen, flags,
			message->msg_name, message->msg_namelen);
}

/* --- receiving ---------------------------------------------------------------------------- */

static ssize_t receive(struct adapter *adapter, struct descriptor *descriptor, void *data,
		       size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
	bool dont_wait = descriptor->flags & O_NONBLOCK || flags & MSG_DONTWAIT;
	struct waiter waiter = {0};
	int fd = descriptor->fd;
	ssize_t status;

	for (;;) {
		status = haven_recvfrom(descriptor->socket, data, size, flags & ~CALL_FLAGS,
					address, length);
		if (status != -EAGAIN || dont_wait)
			break;
		wait_sleep(adapter, &waiter, WAIT_FOREVER);
		if (descriptor_find(adapter, fd) != descriptor) {
			status = -EBADF;
			break;
		}
	}
	adapter_turn(adapter); /* the window may have opened */
	wait_end(adapter, &waiter);
	return status;
}

ssize_t call_recvfrom(void *userdata, int fd, void *data, size_t size, int flags,
		      struct sockaddr *address, socklen_t *length)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	ssize_t status = -1;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (descriptor && size && !data)
		errno = EFAULT;
	else if (descriptor)
		status = adapter_result(
			receive(adapter, descriptor, data, size, flags, address, length));
	pthread_mutex_unlock(&adapter->lock);
	return status;
}

ssize_t call_read(void *userdata, int fd, void *data, size_t size)
{
	return call_recvfrom(userdata, fd, data, size, 0, NULL, NULL);
}

ssize_t call_recv(void *userdata, int fd, void *data, size_t size, int flags)
{
	return call_recvfrom(userdata, fd, data, size, flags, NULL, NULL);
}

static ssize_t receive_iov(void *userdata, int fd, const struct iovec *iov, size_t count,
			   int flags)
{
	size_t size = 0, offset = 0;
	uint8_t *data;
	ssize_t status;

	for (size_t i = 0; i < count; i++)
		size += iov[i].iov_len;
	data = malloc(size ? size : 1);
	if (!data)
		return adapter_result(-ENOMEM);
	status = call_recvfrom(userdata, fd, data, size, flags, NULL, NULL);
	for (size_t i = 0; status > 0 && i < count && offset < (size_t)status; i++) {
		size_t left = (size_t)status - offset;
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		if (part)
			memcpy(iov[i].iov_base, data + offset, part);
		offset += part;
	}
	free(data);
	return status;
}

ssize_t call_readv(void *userdata, int fd, const struct iovec *iov, int count)
{
	return receive_iov(userdata, fd, iov, (size_t)count, 0);
}

/* How much is left to read; one more than nothing when the stream has ended, as Linux tells it. */
static int queued_bytes(struct haven_socket *socket)
{
	struct iovec slices[2];
	size_t size = haven_recv_peek(socket, slices);

	return size ? (int)size : !!(haven_socket_events(socket) & HAVEN_EVENT_PEER_CLOSED);
}

ssize_t call_recvmsg(void *userdata, int fd, struct msghdr *message, int flags)
{
	struct adapter *adapter = userdata;
	ssize_t status =
		receive_iov(userdata, fd, message->msg_iov, message->msg_iovlen, flags);
	struct descriptor *descriptor;
	size_t room = message->msg_controllen;

	if (status < 0)
		return status;
	message->msg_flags = 0;
	message->msg_controllen = 0;
	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (descriptor && descriptor->tell_queued && message->msg_control &&
	    room >= CMSG_SPACE(sizeof(int))) {
		struct cmsghdr *header = message->msg_control;
		int queued = queued_bytes(descriptor->socket);

		*header = (struct cmsghdr){CMSG_LEN(sizeof(int)), IPPROTO_TCP, TCP_CM_INQ};
		memcpy(CMSG_DATA(header), &queued, sizeof(queued));
		message->msg_controllen = CMSG_SPACE(sizeof(int));
	}
	pthread_mutex_unlock(&adapter->lock);
	return status;
}

/* --- pipes -------------------------------------------------------------------------------- */

int call_pipe(void *userdata, int fds[2])
{
	(void)userdata;
	return pipe(fds); /* the kernel's own: no packet is in it */
}

static bool is_socket(struct adapter *adapter, int fd)
{
	struct descriptor *descriptor;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_find(adapter, fd);
	pthread_mutex_unlock(&adapter->lock);
	return descriptor && descriptor->kind == DESCRIPTOR_SOCKET;
}

/* Between a socket of ours and a pipe: as far as one copy goes. */
ssize_t call_splice(void *userdata, int fd_in, loff_t *offset_in, int fd_out,
		    loff_t *offset_out, size_t size, unsigned flags)
{
	bool in = is_socket(userdata, fd_in), out = is_socket(userdata, fd_out);
	int wait = flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0;
	uint8_t *data;
	ssize_t status;

	(void)offset_in, (void)offset_out; /* neither a pipe nor a socket has one */
	if (in == out)
		return adapter_result(-EINVAL);
	if (size > PIPE_BUF * 16)
		size = PIPE_BUF * 16; /* what a pipe holds */
	data = malloc(size ? size : 1);
	if (!data)
		return adapter_result(-ENOMEM);
	status = in ? call_recv(userdata, fd_in, data, size, wait) : read(fd_in, data, size);
	if (status > 0)
		status = in ? write(fd_out, data, (size_t)status)
			    : call_send(userdata, fd_out, data, (size_t)status,
					flags & SPLICE_F_MORE ? MSG_MORE | wait : wait);
	free(data);
	return status;
}
