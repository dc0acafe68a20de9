/*
 * Two stacks in this process: a client of haven's own, and the gateway's, with a wire in memory between them.
 *
 *	socket -- client's stack == pair in memory == gateway's stack -- flows -- host sockets -- the host's network
 *
 * What `haven run` needs namespaces for is a guest with a kernel; here the guest is a stack, so this works anywhere and for
 * anybody. The gateway is the same one, with its DNS, its relays and its published ports.
 *
 * The client's network is one that is nobody's outside of a host: 192.0.0.0/29 (RFC 7335), and fd68:6176:656e::/64, a unique
 * local prefix (RFC 4193).
 *
 *	number 1	the gateway
 *	number 2	the client
 *	number 3	DNS
 *	number 4	stands for the host's loopback
 *
 * The program is written straight on: it calls haven_ functions and waits with hv_inproc_turn().
 */
#ifndef HV_CLI_INPROC_H
#define HV_CLI_INPROC_H

#include <haven/socket.h>

#include "gateway/gateway.h"

/* Called with each packet on the wire, an Ethernet frame with its checksums; outbound: from the client. */
typedef void hv_inproc_packet_fn(void *user, bool outbound, const uint8_t *frame, size_t size);

struct hv_inproc_config {
	const struct hv_log *log;
	hv_inproc_packet_fn *packet; /* NULL: nobody looks */
	void *packet_user;
};

struct hv_inproc {
	struct hv_gateway *gateway;
	struct haven_stack *stack; /* the client's */
	unsigned ifindex;
	bool work; /* the client has called its stack since the last turn: it has something to send */
	hv_inproc_packet_fn *packet;
	void *packet_user;
};

/* TIME-WAIT of the client's stack (RFC 9293 section 3.4.2). */
#define HV_INPROC_TIME_WAIT_NS (60 * HV_NS_PER_S)

/* 0, or a negative errno with error->text set. */
int hv_inproc_create(const struct hv_inproc_config *config, struct hv_inproc **out,
		     struct hv_gateway_error *error);
/* NULL is allowed. */
void hv_inproc_destroy(struct hv_inproc *inproc);

/* As the gateway's loop has it. */
static inline uint64_t hv_inproc_now(const struct hv_inproc *inproc)
{
	return inproc->gateway->loop.now_ns;
}

/* One turn of both: sleeps at most until deadline_ns. 0 or a negative errno. */
int hv_inproc_turn(struct hv_inproc *inproc, uint64_t deadline_ns);

/* Turns until the socket has one of these events (HAVEN_EVENT_), which are returned; 0: the deadline came first. */
unsigned hv_inproc_wait(struct hv_inproc *inproc, const struct haven_socket *socket,
			unsigned events, uint64_t deadline_ns);

/*
 * The gateway's relay of a connection of the client's: its port there, and its far end as the client sees it. NULL: there is none (any
 * more).
 */
struct hv_relay *hv_inproc_relay(const struct hv_inproc *inproc, uint16_t port,
				 const struct haven_endpoint *far);

/* A connection that was closed is going its last ways: turns until its relay has ended, at most limit_ns. */
void hv_inproc_drain(struct hv_inproc *inproc, uint16_t port, const struct haven_endpoint *far,
		     uint64_t limit_ns);

/* A socket of the client's stack, of the family of `like`. */
int hv_inproc_socket(struct hv_inproc *inproc, const uint8_t like[16], int type,
		     struct haven_socket **out);

/* The client's own address, and the gateway's DNS, in the family of `like`. */
const struct hv_network_family *hv_inproc_family(const struct hv_inproc *inproc, bool v4);

/*
 * What the client has to connect to in order to reach `host`: the same, but for loopback, which an address of the client's network stands
 * for from here on.
 */
void hv_inproc_destination(struct hv_inproc *inproc, const struct haven_endpoint *host,
			   struct haven_endpoint *destination);

#endif
