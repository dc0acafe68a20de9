/* Send and receive as POSIX names them: one way for both kinds of sockets. */
#include "socket/socket_state.h"

#include <netinet/in.h>

static ssize_t send_to(struct haven_socket *socket, const struct iovec *iov, int count,
		       int flags, const struct sockaddr *address, socklen_t length)
{
	struct hv_addr remote;
	uint16_t port;
	int error;

	if (socket->layer)
		return address ? -EISCONN
			       : socket->layer->ops->send(socket->layer, iov, count, flags);
	if ((flags & MSG_OOB) && !socket->stream)
		return -EOPNOTSUPP;
	if (socket->stream && (flags & MSG_FASTOPEN) && address)
		return hv_stream_send_open(socket, iov, count, flags, address, length);
	if (socket->stream)
		return address ? -EISCONN : hv_stream_send(socket, iov, count, flags);
	if (!address)
		return hv_datagram_send(socket, iov, count, NULL, 0);
	error = hv_socket_address_in(socket, address, length, -ENETUNREACH, &remote, &port);
	if (error < 0)
		return error;
	return hv_datagram_send(socket, iov, count, &remote, port);
}

static ssize_t receive_from(struct haven_socket *socket, const struct iovec *iov, int count,
			    int flags, struct sockaddr *address, socklen_t *length)
{
	ssize_t size;

	if (flags & MSG_OOB)
		return -EINVAL;
	if (!socket->stream)
		return hv_datagram_receive(socket, iov, count, flags, address, length);
	size = socket->layer ? socket->layer->ops->receive(socket->layer, iov, count, flags)
			     : hv_stream_receive(socket, iov, count, flags);
	/* A stream tells no source for each call (POSIX recvfrom). */
	if (size >= 0 && address && length)
		*length = 0;
	return size;
}

ssize_t haven_send(struct haven_socket *socket, const void *data, size_t size, int flags)
{
	return haven_sendto(socket, data, size, flags, NULL, 0);
}

ssize_t haven_recv(struct haven_socket *socket, void *data, size_t size, int flags)
{
	return haven_recvfrom(socket, data, size, flags, NULL, NULL);
}

ssize_t haven_sendto(struct haven_socket *socket, const void *data, size_t size, int flags,
		     const struct sockaddr *address, socklen_t length)
{
	struct iovec iov = {(void *)data, size};

	return send_to(socket, &iov, 1, flags, address, length);
}

ssize_t haven_recvfrom(struct haven_socket *socket, void *data, size_t size, int flags,
		       struct sockaddr *address, socklen_t *length)
{
	struct iovec iov = {data, size};

	return receive_from(socket, &iov, 1, flags, address, length);
}

ssize_t haven_writev(struct haven_socket *socket, const struct iovec *iov, int count)
{
	return count < 0 ? -EINVAL : send_to(socket, iov, count, 0, NULL, 0);
}

ssize_t haven_readv(struct haven_socket *socket, const struct iovec *iov, int count)
{
	return count < 0 ? -EINVAL : receive_from(socket, iov, count, 0, NULL, NULL);
}

int haven_shutdown(struct haven_socket *socket, int how)
{
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (socket->layer)
		return socket->layer->ops->shutdown(socket->layer, how);
	return socket->stream ? hv_stream_shutdown(socket, how)
			      : hv_datagram_shutdown(socket, how);
}
