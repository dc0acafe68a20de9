/*
 * Streams over tcp/. A stream socket has a connection from connect or accept on; it keeps it, closed
 * or not, until the socket itself is closed.
 */
#include "socket/socket_state.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

/* --- making connections -------------------------------------------------------------------- */

void hv_stream_adopt(struct haven_socket *socket, struct hv_tcp_conn *conn)
{
	hv_stream_of(socket)->conn = conn;
	hv_stream_of(socket)->bind.connected = true;
	hv_socket_options_apply(socket, conn);
}

/* With whom the connection shares its port: by its bind's options, or its own when it has none. */
static uint8_t share_of(const struct haven_socket *socket)
{
	const struct hv_stream *stream = hv_stream_of(socket);
	struct hv_bind unbound = {
		.reuse_addr = socket->reuse_addr,
		.reuse_port = socket->reuse_port,
		.dual = socket->v6 && !socket->v6_only,
	};

	return hv_port_share_of(stream->bind.slot ? &stream->bind : &unbound);
}

int hv_stream_connect(struct haven_socket *socket, const struct hv_addr *remote, uint16_t port)
{
	struct hv_stream *stream = hv_stream_of(socket);
	struct hv_addr local = hv_addr_any_like(remote);
	struct hv_tcp_conn *conn;
	int error;

	if (stream->listener)
		return -EISCONN;
	if (stream->conn) {
		unsigned events = hv_tcp_conn_events(stream->conn);

		error = hv_tcp_take_error(stream->conn);
		if (error)
			return -error;
		return events & (HAVEN_EVENT_CONNECTED | HAVEN_EVENT_HANGUP) ? -EISCONN
									     : -EALREADY;
	}
	if (hv_addr_is_multicast(remote) || hv_addr_is_v4_broadcast(remote))
		return -ENETUNREACH;
	if ((stream->bind.slot || socket->address_only) &&
	    !hv_addr_is_any(&stream->bind.local)) {
		local = stream->bind.local;
		if (hv_addr_is_v4(&local) != hv_addr_is_v4(remote))
			return -EINVAL;
	}
	error = hv_port_charge(socket->sockets->ports, &stream->bind);
	if (error < 0)
		return error;
	error = hv_tcp_connect(socket->sockets->tcp, &local,
			       stream->bind.slot ? stream->bind.port : 0, share_of(socket),
			       remote, port, socket, &conn);
	if (error < 0)
		return error;
	/* Bound to any address before, it holds only this one now; without memory it keeps both. */
	hv_port_move(socket->sockets->ports, &stream->bind, &hv_tcp_tuple(conn)->local);
	hv_stream_adopt(socket, conn);
	/* With Fast Open and a cookie the SYN goes with the first data (as Linux). */
	return hv_tcp_is_deferred(conn) ? 0 : -EINPROGRESS;
}

int haven_listen(struct haven_socket *socket, int backlog)
{
	struct hv_stream *stream = hv_stream_of(socket);
	int error;

	if (!socket->stream)
		return -EOPNOTSUPP;
	if (stream->conn)
		return -EINVAL;
	if (stream->listener)
		return 0;
	error = hv_socket_autobind(socket);
	if (error < 0)
		return error;
	error = hv_tcp_listen(socket->sockets->tcp, &stream->bind, backlog < 1 ? 1 : backlog,
			      socket, &stream->listener);
	if (!error)
		hv_stream_option_listener(socket);
	return error;
}

/* What a connection has from its listener. */
static void inherit(struct haven_socket *child, const struct haven_socket *parent)
{
	child->v6_only = parent->v6_only;
	child->reuse_addr = parent->reuse_addr;
	child->reuse_port = parent->reuse_port;
	child->transparent = parent->transparent;
	child->linger_seconds = parent->linger_seconds;
	hv_socket_options_apply(parent, hv_stream_of(child)->conn);
}

int haven_accept(struct haven_socket *socket, struct sockaddr *peer, socklen_t *length,
		 struct haven_socket **out)
{
	struct hv_tcp_listener *listener;
	struct hv_tcp_conn *conn;
	int error;

	*out = NULL;
	if (!socket->stream)
		return -EOPNOTSUPP;
	listener = hv_stream_of(socket)->listener;
	if (!listener)
		return -EINVAL;
	if (!hv_tcp_can_accept(listener))
		return -EAGAIN;
	/* The socket first: a connection that finds none stays in the queue. */
	error = hv_socket_new(socket->sockets, true, socket->v6, out);
	if (error < 0)
		return error;
	hv_stream_of(*out)->bind.owner = (*out)->owner = socket->owner;
	error = hv_port_charge(socket->sockets->ports, &hv_stream_of(*out)->bind);
	if (error < 0) {
		haven_close(*out);
		*out = NULL;
		return error;
	}
	conn = hv_tcp_accept(listener);
	if (!conn) {
		haven_close(*out);
		*out = NULL;
		return -EAGAIN;
	}
	hv_tcp_set_owner(conn, *out);
	hv_stream_adopt(*out, conn);
	inherit(*out, socket);
	haven_getpeername(*out, peer, length);
	/* Data may be there already, and nobody was told of it. */
	hv_socket_mark_ready(*out);
	return 0;
}

void hv_stream_end(struct haven_socket *socket, bool abort)
{
	struct hv_stream *stream = hv_stream_of(socket);

	if (stream->listener)
		hv_tcp_listener_close(stream->listener);
	if (stream->conn && abort)
		hv_tcp_abort(stream->conn);
	else if (stream->conn)
		hv_tcp_close(stream->conn);
	stream->listener = NULL;
	stream->conn = NULL;
	hv_port_unbind(socket->sockets->ports, &stream->bind);
}

/* --- bytes --------------------------------------------------------------------------------- */

/* Copy from iov, from *offset of *iov on, into slices; both hold `size` bytes at least. */
static void gather(const struct iovec **iov, size_t *offset, const struct iovec *slices,
		   size_t size)
{
	size_t filled = 0;

	while (size) {
		size_t from = (*iov)->iov_len - *offset;
		size_t room = slices->iov_len - filled;
		size_t step = from < room ? from : room;

		if (step > size)
			step = size;
		if (step)
			memcpy((uint8_t *)slices->iov_base + filled,
			       (const uint8_t *)(*iov)->iov_base + *offset, step);
		*offset += step;
		filled += step;
		size -= step;
		if (*offset == (*iov)->iov_len) {
			(*iov)++;
			*offset = 0;
		}
		if (filled == slices->iov_len) {
			slices++;
			filled = 0;
		}
	}
}

ssize_t hv_stream_send(struct haven_socket *socket, const struct iovec *iov, int count,
		       int flags)
{
	struct hv_tcp_conn *conn = hv_stream_of(socket)->conn;
	size_t total = 0, sent = 0, offset = 0;

	if (!conn)
		return hv_stream_of(socket)->listener ? -EPIPE : -ENOTCONN;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	while (sent < total) {
		struct iovec slices[2];
		int slice_count;
		ssize_t room = hv_tcp_send_reserve(conn, total - sent, slices, &slice_count);

		if (room < 0 && !sent) {
			int error = hv_tcp_take_error(conn);

			return error ? -error : room;
		}
		if (room <= 0)
			break;
		gather(&iov, &offset, slices, (size_t)room);
		hv_tcp_send_commit(conn, (size_t)room, flags & MSG_MORE);
		sent += (size_t)room;
	}
	if (sent && (flags & MSG_OOB))
		hv_tcp_urgent_mark(conn);
	if (flags & MSG_EOR && total && sent == total)
		hv_tcp_record_end(conn);
	return sent || !total ? (ssize_t)sent : -EAGAIN;
}

ssize_t hv_stream_send_open(struct haven_socket *socket, const struct iovec *iov, int count,
			    int flags, const struct sockaddr *address, socklen_t length)
{
	int error = haven_connect(socket, address, length);

	if (error < 0 && error != -EINPROGRESS)
		return error;
	if (error == -EINPROGRESS)
		hv_tcp_set_option(hv_stream_of(socket)->conn, IPPROTO_TCP, TCP_FASTOPEN_CONNECT,
				  1);
	if (!hv_tcp_is_deferred(hv_stream_of(socket)->conn))
		return -EINPROGRESS;
	return hv_stream_send(socket, iov, count, flags);
}

/* Copy `size` bytes at most from slices into iov, from *offset of *iov on. Returns how many. */
static size_t scatter(const struct iovec *slices, int slice_count, const struct iovec **iov,
		      size_t *offset, size_t size)
{
	size_t done = 0;

	for (int i = 0; i < slice_count; i++) {
		size_t used = 0;

		while (used < slices[i].iov_len && done < size) {
			size_t room = (*iov)->iov_len - *offset;
			size_t left = slices[i].iov_len - used;
			size_t step = room < left ? room : left;

			if (step)
				memcpy((uint8_t *)(*iov)->iov_base + *offset,
				       (const uint8_t *)slices[i].iov_base + used, step);
			used += step;
			done += step;
			*offset += step;
			if (*offset == (*iov)->iov_len) {
				(*iov)++;
				*offset = 0;
			}
		}
	}
	return done;
}

/*
 * What a receive call says when no byte waits. The peer's FIN counts more than a reset after it;
 * without FIN the error comes first, once, and the end after it (as Linux).
 */
static ssize_t nothing_to_receive(struct hv_tcp_conn *conn)
{
	if (!(hv_tcp_conn_events(conn) & HAVEN_EVENT_PEER_CLOSED)) {
		int error = hv_tcp_take_error(conn);

		if (error)
			return -error;
	}
	return hv_tcp_receive_ended(conn) ? 0 : -EAGAIN;
}

ssize_t hv_stream_receive(struct haven_socket *socket, const struct iovec *iov, int count,
			  int flags)
{
	struct hv_tcp_conn *conn = hv_stream_of(socket)->conn;
	size_t total = 0, received = 0, offset = 0;

	if (!conn)
		return -ENOTCONN;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	while (received < total) {
		struct iovec slices[2];
		int slice_count;
		size_t size = hv_tcp_receive_peek(conn, slices, &slice_count);

		if (!size)
			break;
		if (!(flags &
		      MSG_TRUNC)) /* with it they are counted, and thrown away (as Linux) */
			size = scatter(slices, slice_count, &iov, &offset, total - received);
		else if (size > total - received)
			size = total - received;
		received += size;
		if (flags & MSG_PEEK)
			break;
		hv_tcp_receive_consume(conn, size);
	}
	return received || !total ? (ssize_t)received : nothing_to_receive(conn);
}

int hv_stream_shutdown(struct haven_socket *socket, int how)
{
	struct hv_tcp_conn *conn = hv_stream_of(socket)->conn;

	if (!conn)
		return -ENOTCONN;
	if (how == SHUT_RD || how == SHUT_RDWR)
		hv_tcp_shutdown_receive(conn);
	if (how == SHUT_WR || how == SHUT_RDWR)
		return hv_tcp_shutdown_send(conn);
	return 0;
}

unsigned hv_stream_events(const struct haven_socket *socket)
{
	const struct hv_stream *stream = hv_stream_of(socket);

	if (stream->conn)
		return hv_tcp_conn_events(stream->conn);
	if (stream->listener)
		return hv_tcp_can_accept(stream->listener) ? HAVEN_EVENT_READABLE : 0;
	return 0;
}

/* --- zero copy ------------------------------------------------------------------------------ */

size_t haven_recv_peek(struct haven_socket *socket, struct iovec slices[2])
{
	int count;

	slices[0] = slices[1] = (struct iovec){0};
	if (socket->layer)
		return socket->layer->ops->peek(socket->layer, slices);
	if (!socket->stream || !hv_stream_of(socket)->conn)
		return 0;
	return hv_tcp_receive_peek(hv_stream_of(socket)->conn, slices, &count);
}

void haven_recv_consume(struct haven_socket *socket, size_t size)
{
	if (socket->layer)
		socket->layer->ops->consume(socket->layer, size);
	else if (socket->stream && hv_stream_of(socket)->conn && size)
		hv_tcp_receive_consume(hv_stream_of(socket)->conn, size);
}

ssize_t haven_send_reserve(struct haven_socket *socket, size_t wanted, struct iovec slices[2])
{
	int count;

	slices[0] = slices[1] = (struct iovec){0};
	if (socket->layer)
		return socket->layer->ops->reserve(socket->layer, wanted, slices);
	if (!socket->stream || !hv_stream_of(socket)->conn)
		return -ENOTCONN;
	return hv_tcp_send_reserve(hv_stream_of(socket)->conn, wanted, slices, &count);
}

void haven_send_commit(struct haven_socket *socket, size_t size, bool more)
{
	if (socket->layer)
		socket->layer->ops->commit(socket->layer, size, more);
	else if (socket->stream && hv_stream_of(socket)->conn)
		hv_tcp_send_commit(hv_stream_of(socket)->conn, size, more);
}

void haven_socket_set_sink(struct haven_socket *socket, haven_sink_fn *sink, void *user)
{
	if (socket->stream && hv_stream_of(socket)->conn && !socket->layer)
		hv_tcp_set_sink(hv_stream_of(socket)->conn, sink, user);
}

size_t haven_send_queued(const struct haven_socket *socket)
{
	const struct hv_stream *stream = hv_stream_of(socket);

	return (socket->stream && stream->conn ? hv_tcp_send_queued(stream->conn) : 0) +
	       (socket->layer ? socket->layer->ops->queued(socket->layer) : 0);
}

size_t haven_recv_urgent(const struct haven_socket *socket)
{
	const struct hv_stream *stream = hv_stream_of(socket);

	return socket->stream && stream->conn ? hv_tcp_urgent_left(stream->conn) : 0;
}

uint64_t haven_socket_rtt_ns(const struct haven_socket *socket)
{
	const struct hv_stream *stream = hv_stream_of(socket);

	return socket->stream && stream->conn ? hv_tcp_rtt_ns(stream->conn) : 0;
}
