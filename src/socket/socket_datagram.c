/* Datagram sockets over udp/. */
#include "socket/socket_state.h"

#include <netinet/in.h>

/* The address that what goes to `remote` comes from. */
static int source_for(const struct haven_socket *socket, const struct hv_addr *remote,
		      struct hv_addr *source)
{
	const struct hv_bind *bind = &hv_datagram_of(socket)->udp.bind;
	bool bound = bind->slot || socket->address_only;

	/* A socket bound to a group sends from an address of ours. */
	if (bound && !hv_addr_is_any(&bind->local) && !hv_addr_is_multicast(&bind->local)) {
		*source = bind->local;
		return hv_addr_is_v4(source) == hv_addr_is_v4(remote) ? 0 : -ENETUNREACH;
	}
	/* Bound to the any address of one family, a socket speaks that family only. */
	if (bound && hv_addr_is_v4(&bind->local) != hv_addr_is_v4(remote) && !bind->dual)
		return -ENETUNREACH;
	return hv_ip_source(socket->sockets->ip, remote, source);
}

int hv_datagram_connect(struct haven_socket *socket, const struct hv_addr *remote,
			uint16_t port)
{
	struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;
	struct hv_addr local;
	int error = source_for(socket, remote, &local);

	if (error < 0)
		return error;
	error = hv_socket_autobind(socket);
	if (error < 0)
		return error;
	return hv_udp_connect(socket->sockets->udp, udp, &local, remote, port);
}

static int take_error(struct hv_udp_socket *udp)
{
	int error = udp->error;

	udp->error = 0;
	return -error;
}

ssize_t hv_datagram_send(struct haven_socket *socket, const struct iovec *iov, int count,
			 const struct hv_addr *remote, uint16_t port)
{
	struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;
	struct hv_ip_tx tx = {.hop_limit = udp->hop_limit, .traffic_class = udp->traffic_class};
	size_t total = 0;
	struct hv_udp *room = socket->sockets->udp;
	int error = take_error(udp), allowed = 1;

	if (error)
		return error;
	if (socket->send_shut)
		return -EPIPE;
	if (!remote && !udp->connected)
		return -EDESTADDRREQ;
	if (!remote) {
		remote = &udp->tuple.remote;
		port = udp->tuple.remote_port;
		tx.src = udp->tuple.local;
	} else {
		error = source_for(socket, remote, &tx.src);
		if (!error)
			error = hv_socket_autobind(socket);
		if (error < 0)
			return error;
	}
	tx.dst = *remote;
	if (hv_addr_is_multicast(remote)) {
		tx.hop_limit = udp->group_hops;
		tx.loop = udp->group_loop;
	}
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	if (room->filter)
		allowed = hv_udp_filter_output(room, &tx, udp->bind.port, port, total);
	if (allowed <= 0)
		return allowed < 0 ? allowed : (ssize_t)total;
	error = hv_udp_output_tx(room, &tx, udp->bind.port, port, iov, count, 0);
	return error < 0 ? error : (ssize_t)total;
}

/* Copy what fits; returns how much that was. */
static size_t copy_out(const struct iovec *iov, int count, const uint8_t *data, size_t size)
{
	size_t done = 0;

	for (int i = 0; i < count && done < size; i++) {
		size_t step = size - done < iov[i].iov_len ? size - done : iov[i].iov_len;

		if (step)
			memcpy(iov[i].iov_base, data + done, step);
		done += step;
	}
	return done;
}

ssize_t hv_datagram_receive(struct haven_socket *socket, const struct iovec *iov, int count,
			    int flags, struct sockaddr *address, socklen_t *length)
{
	struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;
	int error = take_error(udp);
	const uint8_t *data;
	uint32_t size;
	size_t copied;

	if (error)
		return error;
	data = hv_udp_front(udp, &size);
	if (!data)
		return socket->receive_shut ? 0 : -EAGAIN;
	hv_socket_address_out(socket, &udp->first->source, udp->first->source_port, address,
			      length);
	copied = copy_out(iov, count, data, size);
	if (!(flags & MSG_PEEK))
		hv_udp_pop(socket->sockets->udp, udp);
	return (ssize_t)(flags & MSG_TRUNC ? size : copied);
}

int hv_datagram_shutdown(struct haven_socket *socket, int how)
{
	if (!hv_datagram_of(socket)->udp.connected)
		return -ENOTCONN;
	if (how == SHUT_RD || how == SHUT_RDWR) {
		socket->receive_shut = true;
		hv_socket_mark_ready(socket);
	}
	if (how == SHUT_WR || how == SHUT_RDWR)
		socket->send_shut = true;
	return 0;
}

unsigned hv_datagram_events(const struct haven_socket *socket)
{
	const struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;
	unsigned events = 0;

	if (udp->first || socket->receive_shut)
		events |= HAVEN_EVENT_READABLE;
	if (!socket->send_shut)
		events |= HAVEN_EVENT_WRITABLE;
	if (udp->connected)
		events |= HAVEN_EVENT_CONNECTED;
	if (udp->error)
		events |= HAVEN_EVENT_ERROR;
	if (socket->receive_shut && socket->send_shut)
		events |= HAVEN_EVENT_HANGUP;
	return events;
}
