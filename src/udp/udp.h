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

struct hv_udp {
	struct hv_core *core;
	struct hv_ip *ip;
	struct hv_port_table *ports;
	const struct haven_forwarder *forwarder; /* the stack's; callbacks may be NULL */
	/* Called when a socket's readiness changed. Set by socket/. */
	void (*on_event)(void *ctx, void *owner, unsigned events);
	void *ctx;
	uint64_t datagrams_in, datagrams_out;
};

/* One UDP endpoint, embedded in a socket. */
struct hv_udp_socket {
	struct hv_bind bind;
	struct hv_tuple tuple; /* when connected */
	bool bound, connected;
	bool transparent;
	uint8_t hop_limit, traffic_class;
	int error;			/* pending SO_ERROR, positive */
	uint32_t receive_limit;		/* bytes */
	struct hv_packet_queue receive; /* parsed packets; payload by descriptor */
	void *owner;
};

void hv_udp_init(struct hv_udp *udp, struct hv_core *core, struct hv_ip *ip,
		 struct hv_port_table *ports);
void hv_udp_input(void *ctx, struct hv_packet *packet); /* hv_ip_transport.input */
void hv_udp_icmp_error(void *ctx, const struct hv_icmp_report *report);
/* iov: payload. gso_size 0: one datagram. 0, -EMSGSIZE, -ENETUNREACH, -ENOMEM. */
int hv_udp_output(struct hv_udp *udp, const struct haven_endpoint *src,
		  const struct haven_endpoint *dst, const struct iovec *iov, int iov_count,
		  uint16_t gso_size, uint8_t hop_limit, uint8_t traffic_class);

#endif
