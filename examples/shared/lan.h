/*
 * A local network: a small Ethernet switch between any number of hosts, made of links of the
 * program's own (haven_link_custom). It learns which address is behind which of its ports, as switches do, and
 * floods what it does not know.
 */
#ifndef EXAMPLES_LAN_H
#define EXAMPLES_LAN_H

#include "sockets.h"

enum {
	LAN_PORTS_MAX = 512,
	LAN_ADDRESSES = 4096,
	LAN_FRAME_MAX = 65535 + 14, /* the largest IP packet, and Ethernet's header */
};

struct lan_port {
	struct lan *lan;
	struct haven_link *link; /* NULL: nothing is plugged in */
};

struct lan_address {
	uint8_t mac[6];
	struct lan_port *port; /* NULL: none */
};

/* All zero: nothing is plugged in yet. */
struct lan {
	struct lan_port ports[LAN_PORTS_MAX];
	unsigned port_count;
	struct lan_address learned[LAN_ADDRESSES]; /* a hash table */
	uint64_t frames, flooded;
	uint64_t digest; /* of every frame, in order: two equal runs have the same */
	uint8_t frame[LAN_FRAME_MAX];
};

/*
 * Plug a host in. The n-th one has the address 10.0.0.n (and on to 10.0.1.0 after 255), of 16 bits of network.
 * fault: words of haven_fault_parse() for its cable, NULL: none. The lan outlives the host.
 */
void lan_plug(struct lan *lan, struct host *host, const char *fault);

#endif
