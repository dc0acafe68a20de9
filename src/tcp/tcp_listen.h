/* Listeners: tcp_listen.c. */
#ifndef HV_TCP_LISTEN_H
#define HV_TCP_LISTEN_H

#include "tcp/tcp_conn.h"
#include "tcp/tcp_options.h"

/* Options of a listener that decide about handshakes; the others are given to connections at accept. */
struct hv_tcp_listen_options {
	uint16_t user_mss;	/* TCP_MAXSEG; 0: none */
	uint32_t receive_limit; /* SO_RCVBUF; 0: the stack's */
	uint32_t window_clamp;	/* TCP_WINDOW_CLAMP; 0: none */
	uint8_t hop_limit, traffic_class;
	uint8_t defer; /* TCP_DEFER_ACCEPT: so many time-outs of the SYN-ACK; 0: none */
};

struct hv_tcp_listener {
	struct hv_tcp *tcp;
	struct hv_bind *bind;
	void *owner;
	uint32_t backlog; /* of each list; at least 64 of half_open */
	uint32_t half_open_count, ready_count;
	struct hv_tcp_listen_options options;
	uint64_t cookie_ns;	  /* when it last sent a SYN cookie; 0: never */
	struct hv_list half_open; /* SYN-RECEIVED: struct hv_tcp_half_open */
	struct hv_list ready;	  /* waiting for accept; oldest first */
	/* Fast Open: connections in SYN-RECEIVED, and those that a reset ended (tcp_fastopen.c). */
	struct hv_list fast_open;
	uint32_t fast_open_max, fast_open_count, fast_open_resets;
	uint64_t fast_open_reset_ns;
};

/*
 * A SYN for a listener: a record, or at the limits a SYN cookie. Returns HV_DROP_COUNT, or why it was dropped;
 * the packet is not consumed.
 */
int hv_tcp_listen_input(struct hv_tcp_listener *listener, const struct hv_packet *packet,
			const struct hv_tcp_options *options, const uint32_t *iss_floor);
/* May a half-open connection of it become ready? */
static inline bool hv_tcp_listener_has_room(const struct hv_tcp_listener *listener)
{
	return listener->ready_count < listener->backlog;
}
/* The handshake is complete: the owner is told. */
void hv_tcp_listener_ready(struct hv_tcp_conn *conn);
/* The connection leaves its listener (ended, or accepted). None is allowed. */
void hv_tcp_listener_leave(struct hv_tcp_conn *conn);

#endif
