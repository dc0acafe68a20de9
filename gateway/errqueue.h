/*
 * What the host's kernel tells about datagrams that went wrong: its error queue (IP_RECVERR,
 * ip(7)), turned into what the guest has to be told by ICMP.
 */
#ifndef HV_GATEWAY_ERRQUEUE_H
#define HV_GATEWAY_ERRQUEUE_H

#include <haven/forward.h>

struct hv_net_error {
	int error;  /* errno */
	bool told;  /* kind is one that the guest is told */
	bool local; /* found by this host itself, not told by another */
	enum haven_icmp_kind kind;
	uint32_t mtu;			   /* TOO_BIG */
	struct haven_endpoint offender;	   /* zero when local */
	struct haven_endpoint destination; /* of the datagram */
	uint8_t data[64];		   /* the beginning of its payload */
	size_t size;			   /* of the payload, as far as the kernel kept it */
};

/* IP_RECVERR and the settings that go with it on a datagram or raw socket. */
void hv_errqueue_enable(int fd, int family);

/* The next error: 1, or 0 when there is none. */
int hv_errqueue_read(int fd, struct hv_net_error *error);

/* The kind that stands for an errno that a send gave. Returns false when there is none. */
bool hv_errqueue_kind(int error, enum haven_icmp_kind *kind);

#endif
