/*
 * UDP through the gateway.
 *
 * From the guest (udp_out.c): one host socket for each address and port of the guest, whatever
 * it sends to, so that its mapping does not depend on the destination (RFC 4787 section 4.1).
 * What comes back is let in from addresses that the guest has sent to (address-dependent
 * filtering, section 5): only what is published comes in unasked.
 *
 * To the guest (udp_in.c): a published port is a host socket; each peer has a session, by which
 * the guest's answers find the socket and address that the peer had sent to.
 *
 * Both end after 30 s without traffic, 120 s once both sides have spoken (section 4.3).
 */
#ifndef HV_GATEWAY_UDP_H
#define HV_GATEWAY_UDP_H

#include "gateway/gateway.h"
#include "gateway/idle.h"
#include "gateway/table.h"
#include "gateway/udp_socket.h"

struct hv_udp {
	struct hv_gateway *gateway;
	struct hv_table mappings;  /* by the guest's endpoint */
	struct hv_table sessions;  /* by guest's endpoint and the peer's as the guest sees it */
	struct hv_table peers;	   /* sessions again, by listener and the peer's endpoint */
	struct hv_idle_clock idle; /* of both */
	struct hv_udp_batch *batch;
	uint8_t *receive_buffer;
};

/* A published UDP port. */
struct hv_udp_listener {
	struct hv_udp_socket socket;
	uint16_t host_port, guest_port;
};

int hv_udp_create(struct hv_gateway *gateway);
void hv_udp_destroy(struct hv_gateway *gateway);

/* The stack's callback for datagrams of the guest. */
void hv_udp_out_datagram(void *user, const struct haven_datagram *datagram);

/* An answer of a published port? Then it was sent, and true is returned. */
bool hv_udp_in_answer(struct hv_udp *udp, const struct haven_datagram *datagram);

/* Publish: binds `address`. 0 or a negative errno. */
int hv_udp_listener_open(struct hv_gateway *gateway, const struct haven_endpoint *address,
			 uint16_t guest_port, struct hv_udp_listener **out);
/* Ends its sessions too. */
void hv_udp_listener_close(struct hv_udp_listener *listener);

/* ICMP for the guest about a datagram that it sent. */
void hv_udp_tell(struct hv_gateway *gateway, const struct haven_endpoint *source,
		 const struct haven_endpoint *destination, const struct hv_net_error *error);

/* A datagram of the guest as it leaves for `destination`, in the host's network. */
void hv_udp_departure_of(const struct haven_datagram *datagram,
			 const struct haven_endpoint *destination,
			 struct hv_udp_departure *departure);

#endif
