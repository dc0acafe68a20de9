/*
 * What a connection tells about itself: counters kept on the way of the segments, and TCP_INFO made of
 * them: tcp_info.c. The struct that is filled has Linux's layout.
 */
#ifndef HV_TCP_INFO_H
#define HV_TCP_INFO_H

#include "tcp/tcp_conn.h"

/* Linux's numbers of states (include/net/tcp_states.h), as every program that reads TCP_INFO knows them. */
enum hv_tcp_info_state {
	HV_TCP_INFO_ESTABLISHED = 1,
	HV_TCP_INFO_SYN_SENT,
	HV_TCP_INFO_SYN_RECV,
	HV_TCP_INFO_FIN_WAIT1,
	HV_TCP_INFO_FIN_WAIT2,
	HV_TCP_INFO_TIME_WAIT,
	HV_TCP_INFO_CLOSE,
	HV_TCP_INFO_CLOSE_WAIT,
	HV_TCP_INFO_LAST_ACK,
	HV_TCP_INFO_LISTEN,
	HV_TCP_INFO_CLOSING,
};

/* tcpi_ca_state. */
enum {
	HV_TCP_INFO_OPEN,
	HV_TCP_INFO_DISORDER,
	HV_TCP_INFO_CWR, /* the window shrinks because of ECN */
	HV_TCP_INFO_RECOVERY,
	HV_TCP_INFO_LOSS,
};

/* tcpi_options. */
enum {
	HV_TCP_INFO_TIMESTAMPS = 1,
	HV_TCP_INFO_SACK = 2,
	HV_TCP_INFO_WSCALE = 4,
	HV_TCP_INFO_ECN = 8,	   /* agreed upon */
	HV_TCP_INFO_ECN_SEEN = 16, /* and a packet came with an ECT codepoint */
	HV_TCP_INFO_SYN_DATA = 32, /* data in our SYN was acknowledged (RFC 7413) */
};

/* Names, order and units as in struct tcp_info of <linux/tcp.h>; a test compares the offsets. */
struct hv_tcp_info {
	uint8_t state, ca_state, retransmits, probes, backoff, options;
	uint8_t wscale;	   /* send in the low four bits, receive in the high */
	uint8_t flags;	   /* bit 0: delivery_rate was limited by the application */
	uint32_t rto, ato; /* microseconds */
	uint32_t snd_mss, rcv_mss;
	uint32_t unacked, sacked, lost, retrans, fackets; /* segments under way */
	uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv; /* ms ago */
	uint32_t pmtu, rcv_ssthresh;
	uint32_t rtt, rttvar;		 /* microseconds */
	uint32_t snd_ssthresh, snd_cwnd; /* segments */
	uint32_t advmss, reordering;
	uint32_t rcv_rtt;   /* microseconds */
	uint32_t rcv_space; /* bytes that the reader took in the last round trip */
	uint32_t total_retrans;
	uint64_t pacing_rate, max_pacing_rate; /* bytes per second */
	uint64_t bytes_acked, bytes_received;
	uint32_t segs_out, segs_in;
	uint32_t notsent_bytes, min_rtt;
	uint32_t data_segs_in, data_segs_out;
	uint64_t delivery_rate;				  /* bytes per second */
	uint64_t busy_time, rwnd_limited, sndbuf_limited; /* microseconds */
	uint32_t delivered, delivered_ce;		  /* segments */
	uint64_t bytes_sent, bytes_retrans;
	uint32_t dsack_dups, reord_seen, rcv_ooopack;
	uint32_t snd_wnd, rcv_wnd;
	uint32_t rehash;
};

/* What the sender waits for, for busy_time and its parts. */
enum hv_tcp_wait {
	HV_TCP_WAIT_NOTHING, /* all that there was is acknowledged */
	HV_TCP_WAIT_BUSY,
	HV_TCP_WAIT_PEER_WINDOW,
	HV_TCP_WAIT_SEND_BUFFER, /* the buffer is too small: all of it is under way */
};

/* How many segments these bytes are. */
static inline uint32_t hv_tcp_segments(const struct hv_tcp_conn *conn, uint32_t bytes)
{
	return conn->mss ? (bytes + conn->mss - 1) / conn->mss : 0;
}
/* The handshake is complete: silence is counted from here on. */
void hv_tcp_count_start(struct hv_tcp_conn *conn);
/* A segment (or many in one packet) came in. */
void hv_tcp_count_in(struct hv_tcp_conn *conn, const struct hv_packet *packet);
/* [seq, seq + size) left in that many segments; SYN, FIN and bare ACKs have size 0. */
void hv_tcp_count_out(struct hv_tcp_conn *conn, uint32_t size, uint32_t segments, bool again);
/* So many bytes are newly known to have arrived. */
static inline void hv_tcp_count_delivered(struct hv_tcp_conn *conn, uint32_t bytes)
{
	uint32_t segments = hv_tcp_segments(conn, bytes);

	conn->count.delivered += segments;
	conn->count.delivered_ce += conn->ecn_told ? segments : 0;
}
/* After each attempt to send, and each ACK: whom does the sender wait for from here on? */
void hv_tcp_count_wait(struct hv_tcp_conn *conn);

void hv_tcp_info_fill(const struct hv_tcp_conn *conn, struct hv_tcp_info *info);

#endif
