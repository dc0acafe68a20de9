/*
 * A host socket for datagrams, as UDP flows and published UDP ports use it: batches in both
 * directions, and errors in full.
 *
 * Towards the host, datagrams of a turn are collected and leave in one sendmmsg(); those of one size
 * to one destination as a single message that the kernel cuts (UDP_SEGMENT). From the host,
 * recvmmsg() takes what is there, with UDP_GRO where the kernel joins datagrams; and datagrams
 * of one peer and size that came one after the other go on to the guest as one packet.
 */
#ifndef HV_GATEWAY_UDP_SOCKET_H
#define HV_GATEWAY_UDP_SOCKET_H

#include "gateway/errqueue.h"
#include "gateway/gateway.h"

/* What came from the host's network: a datagram, or with gso_size > 0 a run of them from one peer. */
struct hv_udp_arrival {
	struct haven_endpoint peer;
	uint8_t local[16]; /* of ours that it was sent to; published sockets only */
	const struct iovec *iov;
	int iov_count;
	size_t size;
	uint16_t gso_size;
};

/* What goes there. */
struct hv_udp_departure {
	struct haven_endpoint destination;
	const uint8_t *local; /* source address, NULL: the kernel's choice */
	const uint8_t *data;
	size_t size;
	uint16_t gso_size;
	uint8_t hop_limit; /* 0: the host's default */
	bool dont_fragment;
};

struct hv_udp_socket {
	struct hv_source source;
	struct hv_gateway *gateway;
	int family;
	int discover;	  /* IP_MTU_DISCOVER as it is set now; -1: never set */
	bool no_segments; /* the path does not take UDP_SEGMENT */
	void (*arrived)(struct hv_udp_socket *socket, const struct hv_udp_arrival *arrival);
	/* error->destination: of the host's side, as it was sent to. */
	void (*failed)(struct hv_udp_socket *socket, const struct hv_net_error *error);
};

struct hv_udp_batch;
struct hv_udp_batch *hv_udp_batch_new(void); /* NULL: no memory */
void hv_udp_batch_free(struct hv_udp_batch *batch);

/*
 * Make the host socket and watch it. bind_to: NULL, or where to bind (a published port; then
 * arrivals tell `local`). 0 or a negative errno.
 */
int hv_udp_socket_open(struct hv_udp_socket *socket, struct hv_gateway *gateway, int family,
		       const struct sockaddr *bind_to, socklen_t bind_size);
/* Sends what waits for it, then closes it. */
void hv_udp_socket_close(struct hv_udp_socket *socket,
			 void (*release)(struct hv_source *source));

/* Copies; what is sent leaves at the latest with hv_udp_flush(). */
void hv_udp_socket_send(struct hv_udp_socket *socket, const struct hv_udp_departure *departure);
void hv_udp_flush(struct hv_gateway *gateway);

#endif
