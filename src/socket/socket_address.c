/* Addresses of sockets: as the user writes them and as the stack holds them; bind, connect, names. */
#include "socket/socket_state.h"

#include <netinet/in.h>

int hv_socket_address_in(const struct haven_socket *socket, const struct sockaddr *address,
			 socklen_t length, int mapped_error, struct hv_addr *addr,
			 uint16_t *port)
{
	int error;

	if (!address || length < (socklen_t)sizeof(address->sa_family))
		return -EINVAL;
	if (address->sa_family != (socket->v6 ? AF_INET6 : AF_INET))
		return -EAFNOSUPPORT;
	error = hv_addr_from_sockaddr(address, length, addr, port);
	if (error < 0)
		return error;
	if (socket->v6_only && hv_addr_is_v4(addr))
		return mapped_error;
	return 0;
}

void hv_socket_address_out(const struct haven_socket *socket, const struct hv_addr *addr,
			   uint16_t port, struct sockaddr *address, socklen_t *length)
{
	struct sockaddr_storage storage;
	socklen_t real;

	if (!address || !length)
		return;
	real = hv_addr_to_sockaddr(addr, port, socket->v6, &storage);
	memcpy(address, &storage, real < *length ? real : *length);
	*length = real;
}

struct hv_addr hv_addr_any_like(const struct hv_addr *other)
{
	static const uint8_t zeros[16];

	return hv_addr_is_v4(other) ? hv_addr_v4(zeros) : hv_addr_v6(zeros);
}

static void bind_fill(struct haven_socket *socket, const struct hv_addr *local, uint16_t port)
{
	struct hv_bind *bind = hv_socket_bind(socket);

	bind->local = *local;
	bind->port = port;
	bind->dual = socket->v6 && !socket->v6_only && !hv_addr_is_v4(local) &&
		     hv_addr_is_any(local);
	bind->v6 = socket->v6;
	bind->reuse_addr = socket->reuse_addr;
	bind->reuse_port = socket->reuse_port;
}

/* What the error cannot say: how to go on. */
static void tell_privileged(const struct haven_socket *socket, uint16_t port)
{
	hv_log(socket->sockets->core, HAVEN_LOG_WARNING,
	       "port %u is below %u, where only a stack with the right (privileged) may bind; give the "
	       "stack that right, or a lower privileged_port_limit (0: none), or take a port from %u on",
	       port, socket->sockets->ports->config.privileged_limit,
	       socket->sockets->ports->config.privileged_limit);
}

int haven_bind(struct haven_socket *socket, const struct sockaddr *address, socklen_t length)
{
	struct hv_addr local;
	uint16_t port;
	int error = hv_socket_address_in(socket, address, length, -EINVAL, &local, &port);

	if (error < 0)
		return error;
	if (hv_socket_bind(socket)->slot || socket->address_only ||
	    (socket->stream && hv_stream_of(socket)->conn))
		return -EINVAL;
	if (!hv_addr_is_any(&local) && !socket->transparent &&
	    (socket->stream || !hv_addr_is_multicast(&local)) &&
	    !hv_ip_is_local(socket->sockets->ip, &local))
		return -EADDRNOTAVAIL;
	bind_fill(socket, &local, port);
	if (!port && socket->no_port) {
		socket->address_only = true;
		return 0;
	}
	error = hv_port_bind(socket->sockets->ports, hv_socket_bind(socket));
	if (error == -EACCES)
		tell_privileged(socket, port);
	return error;
}

int hv_socket_autobind(struct haven_socket *socket)
{
	static const uint8_t zeros[16];
	struct hv_addr any = socket->v6 ? hv_addr_v6(zeros) : hv_addr_v4(zeros);
	struct hv_bind *bind = hv_socket_bind(socket);

	if (bind->slot)
		return 0;
	if (!socket->address_only)
		bind_fill(socket, &any, 0);
	return hv_port_bind(socket->sockets->ports, bind);
}

int haven_connect(struct haven_socket *socket, const struct sockaddr *address, socklen_t length)
{
	struct hv_addr remote;
	uint16_t port;
	int error;

	/* A datagram socket is disconnected by AF_UNSPEC, as POSIX has it. */
	if (!socket->stream && address && length >= (socklen_t)sizeof(address->sa_family) &&
	    address->sa_family == AF_UNSPEC) {
		hv_udp_disconnect(socket->sockets->udp, &hv_datagram_of(socket)->udp);
		return 0;
	}
	error = hv_socket_address_in(socket, address, length, -ENETUNREACH, &remote, &port);
	if (error < 0)
		return error;
	if (!port || hv_addr_is_any(&remote))
		return -EADDRNOTAVAIL;
	return socket->stream ? hv_stream_connect(socket, &remote, port)
			      : hv_datagram_connect(socket, &remote, port);
}

/* The 4-tuple of a connected socket, or NULL. */
static const struct hv_tuple *tuple_of(const struct haven_socket *socket)
{
	if (socket->stream) {
		struct hv_tcp_conn *conn = hv_stream_of(socket)->conn;

		return conn ? hv_tcp_tuple(conn) : NULL;
	}
	return hv_datagram_of(socket)->udp.connected ? &hv_datagram_of(socket)->udp.tuple
						     : NULL;
}

int haven_getsockname(struct haven_socket *socket, struct sockaddr *address, socklen_t *length)
{
	static const uint8_t zeros[16];
	const struct hv_tuple *tuple = tuple_of(socket);
	const struct hv_bind *bind = hv_socket_bind(socket);
	struct hv_addr any = socket->v6 ? hv_addr_v6(zeros) : hv_addr_v4(zeros);

	if (!address || !length)
		return -EINVAL;
	if (tuple)
		hv_socket_address_out(socket, &tuple->local, tuple->local_port, address,
				      length);
	else if (bind->slot || socket->address_only)
		hv_socket_address_out(socket, &bind->local, bind->port, address, length);
	else
		hv_socket_address_out(socket, &any, 0, address, length);
	return 0;
}

int haven_getpeername(struct haven_socket *socket, struct sockaddr *address, socklen_t *length)
{
	const struct hv_tuple *tuple = tuple_of(socket);

	if (!address || !length)
		return -EINVAL;
	if (!tuple)
		return -ENOTCONN;
	hv_socket_address_out(socket, &tuple->remote, tuple->remote_port, address, length);
	return 0;
}
