/* The one struct that holds all of a stack. Only stack.c and stack_ports.c include it. */
#ifndef HV_STACK_STATE_H
#define HV_STACK_STATE_H

#include "filter/filter_track.h"
#include "ip/ip_state.h"
#include "socket/socket_state.h"

struct haven_stack {
	struct hv_stack_head
		head; /* core and sockets; first, see hv_core_of(), hv_sockets_of() */
	struct hv_ip ip;
	struct hv_port_table ports;
	struct hv_udp udp;
	struct hv_tcp tcp;
	struct haven_forwarder forwarder;
	struct hv_filter_track filter; /* without a filter at first */
};

_Static_assert(offsetof(struct haven_stack, head.core) == 0, "hv_core_of() needs it first");

#endif
