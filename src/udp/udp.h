/*
 * UDP (RFC 768): datagrams between ports. Bound sockets receive by the port table; what no socket claims goes
 * to the forwarder, or is answered port unreachable (RFC 1122 section 4.1.3.1).
 */
#ifndef HV_UDP_UDP_H
#define HV_UDP_UDP_H

#include <haven/forward.h>

#include "base/core.h"
#include "base/list.h"
#include "ip/ip.h"
#include "port/port.h"

enum { HV_UDP_MAX_MEMBERSHIPS = 20 }; /* of one socket, as on Linux */

struct hv_filter_track; /* filter/filter_track.h */

struct hv_udp {
	struct hv_core *core;
	struct hv_ip *ip;
	struct hv_port_table *ports;
	const struct haven_forwarder *forwarder; /* the stack's; callbacks may be NULL */
	struct hv_filter_track *filter;		 /* the stack's; NULL: everything is allowed */
	/* Called when a socket's readiness changed. Set by socket/. */
	void (*on_event)(void *ctx, void *owner, unsigned events);
	void *ctx;
	struct hv_list memberships; /* of all sockets, by hv_udp_membership.node */
	uint64_t datagrams_in, datagrams_out;
};

/* A datagram, or a batch of gso_size each, that waits for its reader. One allocation, of the exact size. */
struct hv_udp_queued {
	struct hv_udp_queued *next;
	struct hv_addr source;
	uint16_t source_port;
	uint16_t gso_size; /* 0: one datagram */
	uint32_t size, taken;
	uint8_t data[];
};

/* A group that a socket joined on a link. */
struct hv_udp_membership {
	struct hv_list node;
	struct hv_udp_membership *next; /* the socket's */
	struct hv_udp_socket *socket;
	struct hv_addr group;
	unsigned ifindex;
};

/* One UDP endpoint, embedded in a socket. */
struct hv_udp_socket {
	struct hv_bind bind;   /* bound while bind.slot */
	struct hv_tuple tuple; /* when connected */
	struct hv_addr bound;  /* while connected: the address before */
	bool connected;
	uint8_t hop_limit, traffic_class; /* hop_limit 0: the stack's */
	uint8_t group_hops;		  /* to multicast groups */
	bool group_loop;		  /* and to members here */
	struct hv_udp_membership *memberships;
	int error;		/* pending SO_ERROR, positive */
	uint32_t receive_limit; /* bytes */
	uint32_t receive_bytes; /* held in the queue, with what holding costs */
	struct hv_udp_queued *first, **last;
	void *owner;
};

void hv_udp_init(struct hv_udp *udp, struct hv_core *core, struct hv_ip *ip,
		 struct hv_port_table *ports);
void hv_udp_input(void *ctx, struct hv_packet *packet); /* hv_ip_transport.input */
void hv_udp_icmp_error(void *ctx, const struct hv_icmp_report *report);
/*
 * Send. iov: payload. gso_size 0: one datagram. A datagram larger than the MTU is sent in fragments; one that a
 * full link drops is counted there and not reported, as on any network.
 * 0, -EINVAL (families differ, no port), -EMSGSIZE, -ENETUNREACH, -EHOSTUNREACH, -ENOMEM.
 */
int hv_udp_output(struct hv_udp *udp, const struct haven_endpoint *src,
		  const struct haven_endpoint *dst, const struct iovec *iov, int iov_count,
		  uint16_t gso_size, uint8_t hop_limit, uint8_t traffic_class);

/* The same from addresses and fields as ip/ has them; tx->proto is filled in. */
int hv_udp_output_tx(struct hv_udp *udp, const struct hv_ip_tx *tx, uint16_t src_port,
		     uint16_t dst_port, const struct iovec *iov, int iov_count,
		     uint16_t gso_size);

/* --- sockets ------------------------------------------------------------------------------ */

void hv_udp_socket_init(struct hv_udp_socket *socket, uint32_t receive_limit, void *owner);
/* Bind by what the caller filled into socket->bind. Errors as hv_port_bind(). */
int hv_udp_bind(struct hv_udp *udp, struct hv_udp_socket *socket);
/*
 * From here on: only this peer's datagrams, and its ICMP errors. Must be bound; local is the address that
 * stands for it in the 4-tuple. A second connect replaces the first. -EADDRINUSE, -ENOMEM (then it is not connected).
 */
int hv_udp_connect(struct hv_udp *udp, struct hv_udp_socket *socket,
		   const struct hv_addr *local, const struct hv_addr *remote,
		   uint16_t remote_port);
void hv_udp_disconnect(struct hv_udp *udp, struct hv_udp_socket *socket);
void hv_udp_close(struct hv_udp *udp, struct hv_udp_socket *socket);
/* Queue what the packet carries for the socket, or drop it when the limit is reached. Consumes. */
void hv_udp_deliver(struct hv_udp *udp, struct hv_udp_socket *socket, struct hv_packet *packet);
/* The same without consuming. HV_DROP_COUNT: it is queued; else why not, which is not counted. */
enum hv_drop hv_udp_queue(struct hv_udp *udp, struct hv_udp_socket *socket,
			  const struct hv_packet *packet);

/*
 * udp_group.c: get what is sent to a multicast group on a link. -EINVAL (no group), -ENODEV, -EADDRINUSE (in it
 * already), -ENOBUFS (HV_UDP_MAX_MEMBERSHIPS, or the stack's HV_IP_MAX_GROUPS), -ENOMEM.
 */
int hv_udp_join(struct hv_udp *udp, struct hv_udp_socket *socket, unsigned ifindex,
		const struct hv_addr *group);
/* -EADDRNOTAVAIL: not in it. */
int hv_udp_leave(struct hv_udp *udp, struct hv_udp_socket *socket, unsigned ifindex,
		 const struct hv_addr *group);
void hv_udp_leave_all(struct hv_udp *udp, struct hv_udp_socket *socket);
/* A datagram to a group that was joined: a copy to each receiver. False: no such group, not consumed. */
bool hv_udp_group_input(struct hv_udp *udp, struct hv_packet *packet);

/*
 * udp_filter.c, for when there is a filter: whether a socket may send this. 1: it may; 0: it gets lost, and the socket does not know; -EPERM, -ENOMEM.
 * bytes: of payload.
 */
int hv_udp_filter_output(struct hv_udp *udp, const struct hv_ip_tx *tx, uint16_t src_port,
			 uint16_t dst_port, size_t bytes);
/* Whether a datagram may go on to a socket; when not, it was answered and is consumed. */
bool hv_udp_filter_input(struct hv_udp *udp, struct hv_packet *packet);
/* The same for one that no socket waits for: what is refused looks alike, whether one does or not. */
bool hv_udp_filter_stray(struct hv_udp *udp, struct hv_packet *packet);

/* The first datagram's bytes and size, in place; NULL: none waits. */
const uint8_t *hv_udp_front(const struct hv_udp_socket *socket, uint32_t *size);
/* Give the first datagram up. */
void hv_udp_pop(struct hv_udp *udp, struct hv_udp_socket *socket);

#endif
