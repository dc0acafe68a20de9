/* HyStart++: when slow start ends without a loss (RFC 9406): tcp_hystart.c. */
#ifndef HV_TCP_HYSTART_H
#define HV_TCP_HYSTART_H

#include "tcp/tcp_conn.h"

/* All zero: before the first round. Microseconds; 0: not measured. */
struct hv_tcp_hystart {
	uint32_t last_min_us,
		current_min_us; /* least round trips of the last round, of this one */
	uint32_t baseline_us;	/* of the round that made us careful */
	uint32_t round_end;	/* snd_nxt when the round began */
	uint8_t samples;	/* in this round; saturates */
	uint8_t careful_rounds; /* of conservative slow start that began; 0: ordinary slow start */
	bool begun;
};

void hv_tcp_hystart_rtt(struct hv_tcp_hystart *h, uint32_t rtt_us);
/* An ACK in the initial slow start: the window grows, or slow start is over (ssthresh is cwnd). */
void hv_tcp_hystart_acked(struct hv_tcp_conn *conn, struct hv_tcp_hystart *h, uint32_t bytes);

#endif
