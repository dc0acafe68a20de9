/*
 * Inside of the socket room: what a socket is, and what the sockets of a stack share.
 *
 *	socket.c		make, end, user's pointer and owner
 *	socket_address.c	addresses in and out; bind, connect, names
 *	socket_stream.c		calls of streams, over tcp/
 *	socket_datagram.c	calls of datagram sockets, over udp/
 *	socket_io.c		send and receive, for both kinds
 *	socket_options.c	setsockopt and getsockopt
 *	socket_ready.c		the queue of sockets whose events changed
 *	socket_group.c		options of multicast
 *	socket_forward.c	the forwarder's public calls
 */
#ifndef HV_SOCKET_SOCKET_STATE_H
#define HV_SOCKET_SOCKET_STATE_H

#include <haven/socket.h>

#include "base/core.h"
#include "base/list.h"
#include "ip/ip.h"
#include "port/port.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

struct hv_sockets {
	struct haven_stack *stack;
	struct hv_core *core;
	struct hv_ip *ip;
	struct hv_port_table *ports;
	struct hv_udp *udp;
	struct hv_tcp *tcp;
	struct hv_list all;   /* by haven_socket.node */
	struct hv_list ready; /* by haven_socket.ready; first to be returned first */
	uint32_t count, limit;
	uint8_t hop_limit; /* the stack's default */
};

/* What every struct haven_stack begins with: how public calls find their rooms. */
struct hv_stack_head {
	struct hv_core core;
	struct hv_sockets sockets;
};

static inline struct hv_sockets *hv_sockets_of(struct haven_stack *stack)
{
	return &((struct hv_stack_head *)stack)->sockets;
}

/* An option that was set before there was a connection to set it on. */
struct hv_socket_option {
	struct hv_socket_option *next;
	int level, option, value;
};

enum { HV_LINGER_OFF = -1 };

/*
 * What may stand between a stream and its user (tls/): the user's calls go to it, and it calls the connection. It is made and put into
 * haven_socket.layer by the room that has it, on a socket with a connection. No call comes after close() but ready() and end().
 */
struct hv_socket_layer;
struct hv_socket_layer_ops {
	ssize_t (*send)(struct hv_socket_layer *layer, const struct iovec *iov, int count,
			int flags);
	ssize_t (*receive)(struct hv_socket_layer *layer, const struct iovec *iov, int count,
			   int flags);
	/* The zero-copy calls of <haven/socket.h>. */
	size_t (*peek)(struct hv_socket_layer *layer, struct iovec slices[2]);
	void (*consume)(struct hv_socket_layer *layer, size_t size);
	ssize_t (*reserve)(struct hv_socket_layer *layer, size_t wanted,
			   struct iovec slices[2]);
	void (*commit)(struct hv_socket_layer *layer, size_t size, bool more);
	int (*shutdown)(struct hv_socket_layer *layer, int how);
	unsigned (*events)(const struct hv_socket_layer *layer);
	/* Bytes that wait in it to be sent. */
	size_t (*queued)(const struct hv_socket_layer *layer);
	/* SO_ERROR: a positive errno, 0. */
	int (*error)(const struct hv_socket_layer *layer);
	/* The connection's events changed: work. Returns whether the user is to hear of it. It may have ended the socket when not. */
	bool (*ready)(struct hv_socket_layer *layer);
	/* The user is done. Returns whether the socket is to be ended now, *abort: by a reset; else the layer does it by hv_socket_end(). */
	bool (*close)(struct hv_socket_layer *layer, bool *abort);
	/* The socket goes; its connection may have gone already. */
	void (*end)(struct hv_socket_layer *layer);
};
struct hv_socket_layer {
	const struct hv_socket_layer_ops *ops;
};

struct haven_socket {
	struct hv_sockets *sockets;
	struct hv_socket_layer *layer; /* NULL: none */
	struct hv_list node;
	struct hv_list ready; /* in no list: its events did not change */
	void *user;
	uint64_t owner;
	struct hv_socket_option *options; /* streams */
	int linger_seconds;		  /* SO_LINGER, HV_LINGER_OFF */
	bool stream;			  /* else datagram */
	bool v6;			  /* AF_INET6: addresses are shown as sockaddr_in6 */
	bool v6_only;
	bool reuse_addr, reuse_port;
	bool transparent;
	bool no_port;	   /* IP_BIND_ADDRESS_NO_PORT: bind to port 0 takes the address only */
	bool address_only; /* it did: the address is in the bind, which has no slot */
	bool receive_shut, send_shut; /* datagrams; streams have this in tcp/ */
};

/* A stream: fresh, bound, listening, or with a connection (in any state, closed included). */
struct hv_stream {
	struct haven_socket socket;
	struct hv_bind bind;
	struct hv_tcp_conn *conn;
	struct hv_tcp_listener *listener;
};

struct hv_datagram_socket {
	struct haven_socket socket;
	struct hv_udp_socket udp;
};

static inline struct hv_stream *hv_stream_of(const struct haven_socket *socket)
{
	return (struct hv_stream *)socket;
}
static inline struct hv_datagram_socket *hv_datagram_of(const struct haven_socket *socket)
{
	return (struct hv_datagram_socket *)socket;
}
/* Where the port table has its local end. */
static inline struct hv_bind *hv_socket_bind(struct haven_socket *socket)
{
	return socket->stream ? &hv_stream_of(socket)->bind : &hv_datagram_of(socket)->udp.bind;
}

void hv_sockets_init(struct hv_sockets *sockets, struct haven_stack *stack,
		     uint32_t max_sockets);
/* Free every socket; nothing is sent. After hv_tcp_finish(), which has freed the connections. */
void hv_sockets_finish(struct hv_sockets *sockets);

/* socket.c: -EMFILE, -ENOMEM. */
int hv_socket_new(struct hv_sockets *sockets, bool stream, bool v6, struct haven_socket **out);
/* haven_close() and haven_abort() without asking the layer. */
void hv_socket_end(struct haven_socket *socket, bool abort);

/* socket_address.c */
/* An address given by the user of this socket. -EAFNOSUPPORT, -EINVAL; v4-mapped on a v6-only socket: `mapped_error`. */
int hv_socket_address_in(const struct haven_socket *socket, const struct sockaddr *address,
			 socklen_t length, int mapped_error, struct hv_addr *addr,
			 uint16_t *port);
/* The other way: truncated to *length, which becomes the real one. address may be NULL. */
void hv_socket_address_out(const struct haven_socket *socket, const struct hv_addr *addr,
			   uint16_t port, struct sockaddr *address, socklen_t *length);
/* Bind to a chosen port, when it is not bound yet: of any address, or the one that bind was given. */
int hv_socket_autobind(struct haven_socket *socket);
/* The "any" address of another's family. */
struct hv_addr hv_addr_any_like(const struct hv_addr *other);

/* socket_group.c: 0, an error, or 1: not such an option. */
int hv_group_option_set(struct haven_socket *socket, int level, int option, const void *value,
			socklen_t length);
/* Whether it is such an option. */
bool hv_group_option_get(const struct haven_socket *socket, int level, int option, int *value);

/* socket_info.c: whether it is such an option. */
bool hv_info_option_get(const struct haven_socket *socket, int level, int option, void *value,
			socklen_t *length);

/* socket_stream.c */
int hv_stream_connect(struct haven_socket *socket, const struct hv_addr *remote, uint16_t port);
/* MSG_FASTOPEN: connect and send in one (RFC 7413). -EINPROGRESS: connecting, nothing was taken. */
ssize_t hv_stream_send_open(struct haven_socket *socket, const struct iovec *iov, int count,
			    int flags, const struct sockaddr *address, socklen_t length);
ssize_t hv_stream_send(struct haven_socket *socket, const struct iovec *iov, int count,
		       int flags);
ssize_t hv_stream_receive(struct haven_socket *socket, const struct iovec *iov, int count,
			  int flags);
int hv_stream_shutdown(struct haven_socket *socket, int how);
unsigned hv_stream_events(const struct haven_socket *socket);
/* abort: reset rather than close. */
void hv_stream_end(struct haven_socket *socket, bool abort);
/* The connection becomes this socket's. */
void hv_stream_adopt(struct haven_socket *socket, struct hv_tcp_conn *conn);

/* socket_datagram.c */
int hv_datagram_connect(struct haven_socket *socket, const struct hv_addr *remote,
			uint16_t port);
/* remote NULL: the connected peer. */
ssize_t hv_datagram_send(struct haven_socket *socket, const struct iovec *iov, int count,
			 const struct hv_addr *remote, uint16_t port);
ssize_t hv_datagram_receive(struct haven_socket *socket, const struct iovec *iov, int count,
			    int flags, struct sockaddr *address, socklen_t *length);
int hv_datagram_shutdown(struct haven_socket *socket, int how);
unsigned hv_datagram_events(const struct haven_socket *socket);

/* socket_options.c */
/* Give a connection the options that were set on the socket. */
/* Options that a listener has itself: after each change, and when it begins to listen. */
void hv_stream_option_listener(struct haven_socket *socket);
void hv_socket_options_apply(const struct haven_socket *socket, struct hv_tcp_conn *conn);
void hv_socket_options_free(struct haven_socket *socket);

/* socket_ready.c */
void hv_socket_mark_ready(struct haven_socket *socket);

#endif
