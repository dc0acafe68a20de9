/*
 * Sockets: endpoints of streams (TCP) and datagrams (UDP) in a stack.
 *
 * Names and meanings are those of POSIX. Addresses are sockaddr_in or sockaddr_in6. Nothing
 * blocks: a call that would returns -EAGAIN (or -EINPROGRESS for connect), and readiness says
 * when to try again. Results are bytes or 0; failures a negative errno (<haven/error.h>).
 *
 * A datagram socket keeps message boundaries. A stream socket has no limit of its own on the
 * size of a call: it takes what fits. TLS on a stream: <haven/tls.h>.
 */
#ifndef HAVEN_SOCKET_H
#define HAVEN_SOCKET_H

#include <sys/uio.h>

#include <haven/stack.h>

/* Readiness, a set of bits. */
enum haven_event {
	HAVEN_EVENT_READABLE = 1 << 0, /* data, end of stream, or a connection to accept */
	HAVEN_EVENT_WRITABLE = 1 << 1, /* send space; connect has succeeded */
	HAVEN_EVENT_ERROR = 1 << 2,    /* SO_ERROR is set; the connection is gone */
	HAVEN_EVENT_HANGUP = 1 << 3,   /* both directions are closed */
	HAVEN_EVENT_PEER_CLOSED = 1
				  << 4, /* the peer's FIN arrived (data may still be unread) */
	HAVEN_EVENT_CONNECTED = 1 << 5, /* the handshake is complete */
	HAVEN_EVENT_SENT = 1 << 6, /* everything sent, FIN included if any, is acknowledged */
	HAVEN_EVENT_SOFT_ERROR =
		1 << 7, /* in trouble, but not given up: HAVEN_SO_SOFT_ERROR says why */
	HAVEN_EVENT_URGENT =
		1 << 8, /* the peer has marked data as urgent: haven_recv_urgent() */
};

/*
 * Make a socket. domain: AF_INET, AF_INET6. type: SOCK_STREAM, SOCK_DGRAM. protocol: 0 or the
 * matching IPPROTO_.
 * Errors: -EAFNOSUPPORT, -EPROTONOSUPPORT, -EPROTOTYPE, -EMFILE, -ENOMEM.
 */
HAVEN_API int haven_socket(struct haven_stack *stack, int domain, int type, int protocol,
			   struct haven_socket **out);

/*
 * End the use of a socket; the pointer is invalid afterwards. A stream with unread data is
 * reset (RFC 9293 section 3.10.4, RFC 2525 section 2.17); otherwise what was sent is still
 * delivered, then FIN, in the background. SO_LINGER with 0 seconds resets. NULL is allowed.
 */
HAVEN_API void haven_close(struct haven_socket *socket);

/* Reset a stream (RST, RFC 9293 ABORT) and end the use of the socket. NULL is allowed. */
HAVEN_API void haven_abort(struct haven_socket *socket);

/*
 * Bind to a local address and port; port 0 chooses one (RFC 6056).
 * Errors: -EINVAL (already bound, bad length), -EAFNOSUPPORT, -EADDRNOTAVAIL (not an address of
 * this stack, unless HAVEN_SO_TRANSPARENT; or no port is free), -EADDRINUSE, -EACCES (a privileged port; the log
 * says how to go on), -EMFILE (max_sockets_per_owner), -ENOMEM.
 */
HAVEN_API int haven_bind(struct haven_socket *socket, const struct sockaddr *address,
			 socklen_t length);

/* Listen. backlog: connections that wait for accept (at least 1), and as many half-open ones (at least 64); beyond these, SYN cookies.
 * Errors: -EADDRINUSE, -EINVAL (connected), -EOPNOTSUPP (not a stream), -ENOMEM. */
HAVEN_API int haven_listen(struct haven_socket *socket, int backlog);

/* Take the first waiting connection. peer (may be NULL) and *length as in POSIX.
 * Errors: -EAGAIN, -EINVAL (not listening), -EOPNOTSUPP. */
HAVEN_API int haven_accept(struct haven_socket *socket, struct sockaddr *peer,
			   socklen_t *length, struct haven_socket **out);

/*
 * Connect. A stream returns -EINPROGRESS; HAVEN_EVENT_CONNECTED or _ERROR follows; or 0 with TCP_FASTOPEN_CONNECT when
 * the server is known: the SYN goes with the first data that is sent (RFC 7413). A datagram
 * socket returns 0 and from then on receives from that peer only.
 * Errors at once: -EADDRNOTAVAIL, -EAFNOSUPPORT, -EALREADY, -EISCONN, -EINVAL, -ENETUNREACH,
 * -EADDRINUSE (that 4-tuple is in use), -EMFILE (max_sockets_per_owner), -EPERM (a stream that a filter refuses, see
 * <haven/filter.h>), -ENOMEM. Later (SO_ERROR): ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNABORTED (a filter ended it).
 */
HAVEN_API int haven_connect(struct haven_socket *socket, const struct sockaddr *address,
			    socklen_t length);

/*
 * Send and receive. flags: MSG_MORE (send: the rest of a segment follows), MSG_OOB (send on a stream: urgent), MSG_PEEK (receive),
 * MSG_TRUNC (datagram: return the real length; stream: throw the bytes away), MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL (no effect),
 * MSG_EOR (send on a stream: what follows is not put into the same segment), MSG_FASTOPEN (sendto on a stream that is not connected: connect, and send in the SYN when the server is known; else -EINPROGRESS, and nothing was taken).
 * recv returns 0 at the end of a stream. Errors: -EAGAIN, -ENOTCONN, -EPIPE (after shutdown of this direction
 * or when the connection ended), -EPERM (a datagram that a filter refuses), -ECONNABORTED (a filter ended the connection), -ECONNRESET, -ETIMEDOUT, -EMSGSIZE, -EDESTADDRREQ, -ENETUNREACH, -EHOSTUNREACH, -ENOBUFS, -ECONNREFUSED.
 */
HAVEN_API ssize_t haven_send(struct haven_socket *socket, const void *data, size_t size,
			     int flags);
HAVEN_API ssize_t haven_recv(struct haven_socket *socket, void *data, size_t size, int flags);
HAVEN_API ssize_t haven_sendto(struct haven_socket *socket, const void *data, size_t size,
			       int flags, const struct sockaddr *address, socklen_t length);
HAVEN_API ssize_t haven_recvfrom(struct haven_socket *socket, void *data, size_t size,
				 int flags, struct sockaddr *address, socklen_t *length);
HAVEN_API ssize_t haven_writev(struct haven_socket *socket, const struct iovec *iov, int count);
HAVEN_API ssize_t haven_readv(struct haven_socket *socket, const struct iovec *iov, int count);

/*
 * how: SHUT_RD, SHUT_WR, SHUT_RDWR. Errors: -ENOTCONN, -EINVAL. After SHUT_RD reading never waits: what a stream has received, and
 * what still comes while there is room for it, is read, and then 0. The peer's window stays open; what finds no room, and all
 * behind it, is acknowledged and thrown away.
 */
HAVEN_API int haven_shutdown(struct haven_socket *socket, int how);

HAVEN_API int haven_getsockname(struct haven_socket *socket, struct sockaddr *address,
				socklen_t *length);
HAVEN_API int haven_getpeername(struct haven_socket *socket, struct sockaddr *address,
				socklen_t *length);

/*
 * Options. Level SOL_SOCKET: SO_REUSEADDR, SO_REUSEPORT (sockets of one stack share a port; a flow stays with
 * the socket that its two ends select), SO_KEEPALIVE, SO_LINGER, SO_RCVBUF, SO_SNDBUF,
 * SO_ERROR (read and clear), SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN. IPPROTO_TCP: TCP_NODELAY,
 * TCP_MAXSEG, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, TCP_QUICKACK, TCP_CORK, TCP_FASTOPEN (of a listener: how many connections may
 * wait for their ACK with data from the SYN; 0: off), TCP_FASTOPEN_CONNECT; TCP_CONGESTION (a name:
 * "cubic", "reno" or "none", see haven_stack_config; -ENOENT: unknown), which accepted sockets have from their listener.
 * TCP_NOTSENT_LOWAT (WRITABLE only while less than half of it waits unsent), TCP_WINDOW_CLAMP, TCP_SYNCNT, TCP_LINGER2, TCP_DEFER_ACCEPT (up to
 * 31 s). SOL_SOCKET too: SO_RCVLOWAT (READABLE only from there on), SO_OOBINLINE (always on). Buffer sizes are bytes of data; getsockopt
 * shows them doubled, as Linux does. What is set on a listener holds for its connections, from their SYN-ACK on.
 * IPPROTO_IP/IPPROTO_IPV6: IP_TTL, IP_TOS, IP_MTU_DISCOVER (streams: IP_PMTUDISC_DONT clears DF), IPV6_UNICAST_HOPS, IPV6_TCLASS, IPV6_V6ONLY; IP_BIND_ADDRESS_NO_PORT: bind to port
 * 0 takes the address only, and connect chooses a port that is new for its destination. SOL_HAVEN: below.
 * Of datagram sockets: IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP (struct ip_mreq, ip_mreqn), IPV6_JOIN_GROUP,
 * IPV6_LEAVE_GROUP (struct ipv6_mreq; on AF_INET6 sockets): links by the stack's ifindex; IP_MULTICAST_TTL,
 * IPV6_MULTICAST_HOPS (1 to 255), IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP: one value for both families.
 * Read only: TCP_INFO (struct tcp_info of <linux/tcp.h> up to tcpi_rehash, cut to *length; what is not known is 0),
 * SO_MEMINFO (nine uint32_t), TCP_CC_INFO (length 0).
 * Values are as Linux has them (int, struct linger). Errors: -ENOPROTOOPT, -EINVAL, -EISCONN.
 */
#define SOL_HAVEN	     0x4856
#define HAVEN_SO_TRANSPARENT 1 /* int: bind to, and connect from, addresses that are not ours */
/*
 * int, read only, of streams: why a connection that still tries is in trouble (RFC 9293 section 3.9.1.8): the errno of an ICMP
 * error (EHOSTUNREACH, ENETUNREACH, ...), or ETIMEDOUT after three retransmissions without an answer; 0: it is not. Progress clears it.
 */
#define HAVEN_SO_SOFT_ERROR 2
HAVEN_API int haven_setsockopt(struct haven_socket *socket, int level, int option,
			       const void *value, socklen_t length);
HAVEN_API int haven_getsockopt(struct haven_socket *socket, int level, int option, void *value,
			       socklen_t *length);

/* --- readiness -------------------------------------------------------------------------- */

/*
 * The next socket whose events changed since it was last returned, or NULL. Drain after each
 * haven_poll(). *events (may be NULL) is what holds now. A closed socket is never returned.
 */
HAVEN_API struct haven_socket *haven_next_ready(struct haven_stack *stack, unsigned *events);

/* What holds now, without touching the queue. */
HAVEN_API unsigned haven_socket_events(const struct haven_socket *socket);

/* A pointer of the caller's, kept with the socket; a socket from accept has NULL. */
HAVEN_API void haven_socket_set_user(struct haven_socket *socket, void *user);
HAVEN_API void *haven_socket_user(const struct haven_socket *socket);
/* A tag that the port table shows as the owner, and that max_sockets_per_owner counts; accepted sockets have their
 * listener's. 0: nobody. */
HAVEN_API void haven_socket_set_owner(struct haven_socket *socket, uint64_t owner);
HAVEN_API struct haven_stack *haven_socket_stack(const struct haven_socket *socket);

/* --- zero copy, for relays (streams only) ----------------------------------------------- */

/*
 * Look at received bytes in place: fills up to 2 slices and returns their number of bytes
 * (0: none; then see haven_socket_events). Valid until the next call on this stack.
 * haven_recv_consume() gives the first `size` of them up; at most what was seen.
 */
HAVEN_API size_t haven_recv_peek(struct haven_socket *socket, struct iovec slices[2]);
HAVEN_API void haven_recv_consume(struct haven_socket *socket, size_t size);

/*
 * Reserve send space: up to 2 writable slices, at most `wanted` bytes in all; returns the
 * number of bytes (0: full, WRITABLE comes later), or -EPIPE, -ENOTCONN, -ENOMEM. Valid until the next call on this
 * stack. haven_send_commit() queues the first `size` of them; 0 is allowed.
 * `more`: more follows at once, so a last small segment may wait (as MSG_MORE), until a commit, also one of 0, says otherwise.
 */
HAVEN_API ssize_t haven_send_reserve(struct haven_socket *socket, size_t wanted,
				     struct iovec slices[2]);
HAVEN_API void haven_send_commit(struct haven_socket *socket, size_t size, bool more);

/*
 * Data straight from the packet. While a sink is set and the receive buffer is empty, in-order
 * data is offered to it from within haven_input(); it returns how many bytes it took (0 to
 * size). The rest goes to the receive buffer as usual. The sink must not call functions of this
 * stack.  NULL removes it.
 */
typedef size_t haven_sink_fn(void *user, const uint8_t *data, size_t size);
HAVEN_API void haven_socket_set_sink(struct haven_socket *socket, haven_sink_fn *sink,
				     void *user);

/*
 * Urgent data (RFC 9293 section 3.8.5) is delivered inline, as SO_OOBINLINE would have it; the mark is all there is besides:
 * bytes that are to be read (arrived or not) until the last urgent one is taken, 0 without. MSG_OOB on a send marks its last byte. New
 * programs should not use it (RFC 6093).
 */
HAVEN_API size_t haven_recv_urgent(const struct haven_socket *socket);

/* Bytes sent by the user that the peer has not acknowledged yet (SIOCOUTQ). */
HAVEN_API size_t haven_send_queued(const struct haven_socket *socket);
/* Smoothed round trip time in nanoseconds, 0 when not measured yet. */
HAVEN_API uint64_t haven_socket_rtt_ns(const struct haven_socket *socket);

#endif
