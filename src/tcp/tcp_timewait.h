/* TIME-WAIT without a connection: tcp_timewait.c. */
#ifndef HV_TCP_TIMEWAIT_H
#define HV_TCP_TIMEWAIT_H

#include "tcp/tcp_conn.h"
#include "tcp/tcp_options.h"

/* All that TIME-WAIT needs to answer for 2 MSL. */
struct hv_tcp_time_wait {
	struct hv_tuple tuple;
	struct hv_list link; /* tcp->time_wait, oldest first: all wait equally long */
	uint64_t deadline_ns;
	uint32_t snd_nxt, rcv_nxt, rcv_wnd; /* rcv_wnd in bytes */
	uint32_t ts_recent, ts_offset;
	uint8_t rcv_wscale;
	bool timestamps;
	uint64_t challenge_ns; /* when it last answered (limits the answers) */
};

/* The record takes the connection's tuple over. No memory: TIME-WAIT ends at once. */
void hv_tcp_time_wait_start(struct hv_tcp_conn *conn);
void hv_tcp_time_wait_end(struct hv_tcp *tcp, struct hv_tcp_time_wait *wait);
/*
 * A segment for it. Returns true when it is a new SYN that may take the place: the record is gone then, and
 * *iss_floor is what the new connection's ISS must exceed. The packet is never consumed.
 */
bool hv_tcp_time_wait_input(struct hv_tcp *tcp, struct hv_tcp_time_wait *wait,
			    const struct hv_packet *packet, uint32_t *iss_floor);
/*
 * An active open wants this 4-tuple: a record that is a second old and had timestamps makes way. The port
 * table then has room for it.
 */
void hv_tcp_time_wait_yield(struct hv_tcp *tcp, const struct hv_tuple *tuple);
void hv_tcp_time_wait_fire(struct hv_timer *timer);

#endif
