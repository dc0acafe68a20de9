/*
 * Conversations of UDP, as rules see them: a port of the guest's with one destination. A mapping (udp_out.c) is for all
 * destinations alike; these stand beside it while a policy is there, and say which of them may be spoken to.
 *
 *	ask -> REFUSED (for a second, then it is asked about again)
 *	    -> OPEN
 *	    -> LOOKING: a rule with a name allowed it; QUIC's ClientHello, over some datagrams, has to say that name.
 *	       They are held until it has.
 */
#ifndef HV_GATEWAY_UDP_TALK_H
#define HV_GATEWAY_UDP_TALK_H

#include "gateway/udp.h"

struct hv_udp_talks;

int hv_udp_talks_create(struct hv_gateway *gateway);
void hv_udp_talks_destroy(struct hv_gateway *gateway);

/*
 * A datagram of the guest that would go out: whether it may, now. When not, it was refused (and the guest told), or is
 * held; what was held before and may go now was handed to `send` first. host: destination in the host's network.
 */
bool hv_udp_talk_out(struct hv_gateway *gateway, const struct haven_datagram *datagram,
		     const struct haven_endpoint *host);

/* A datagram from `peer`, as the guest sees it, to a port of the guest: whether that may speak to this peer, and so be answered. */
bool hv_udp_talk_in(struct hv_gateway *gateway, const struct haven_endpoint *guest,
		    const struct haven_endpoint *peer, size_t size);

/* udp_out.c: send a datagram of the guest out, without asking. */
void hv_udp_out_send(struct hv_gateway *gateway, const struct haven_datagram *datagram,
		     const struct haven_endpoint *host);

#endif
