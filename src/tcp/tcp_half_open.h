/* Connections of listeners before their handshake is complete: tcp_half_open.c. */
#ifndef HV_TCP_HALF_OPEN_H
#define HV_TCP_HALF_OPEN_H

#include "tcp/tcp_conn.h"
#include "tcp/tcp_listen.h"
#include "tcp/tcp_options.h"

/* SYN-RECEIVED of a listener: what the SYN said, and what our SYN-ACK did. */
struct hv_tcp_half_open {
	struct hv_tuple tuple;
	struct hv_list link;  /* tcp->half_open[retries], by sent_ns: all wait equally long */
	struct hv_list queue; /* listener->half_open */
	struct hv_tcp_listener *listener;
	uint64_t sent_ns; /* the last SYN-ACK */
	uint32_t irs, iss;
	uint32_t ts_recent;	/* with timestamps */
	uint32_t challenged_ms; /* when it last answered what was not acceptable; 0: never */
	uint16_t window;	/* of the SYN: not scaled */
	uint16_t peer_mss;	/* 0: no option */
	uint8_t peer_wscale;	/* with wscale_ok */
	uint8_t retries;	/* of the SYN-ACK */
	bool wscale_ok : 1, sack_ok : 1, timestamps : 1;
	bool cookie : 1;    /* nothing is kept: iss and the timestamp say all */
	bool fast_open : 1; /* the SYN-ACK brings a Fast Open cookie */
	bool deferred : 1;  /* the handshake is complete but for data (TCP_DEFER_ACCEPT) */
	bool ecn : 1;	    /* the client asked for ECN, and we agree */
	bool ecn_mute : 1;  /* its last SYN did not ask any more */
	bool verified : 1; /* the client has answered, or was known before: no forged address */
};

static_assert(sizeof(struct hv_tcp_half_open) <= 160, "a flood must not cost much memory");

/* What a SYN for the listener says; iss is left to choose. */
void hv_tcp_half_open_read(struct hv_tcp_half_open *half, struct hv_tcp_listener *listener,
			   const struct hv_packet *packet,
			   const struct hv_tcp_options *options);
/* RFC 6528; beyond *iss_floor (may be NULL), RFC 6191. */
void hv_tcp_half_open_choose_iss(struct hv_tcp_half_open *half, const uint32_t *iss_floor);
/* Is there room for this one? Records of clients that nobody has verified leave a quarter of max_half_open free. */
bool hv_tcp_half_open_has_room(const struct hv_tcp_half_open *half);
/* Keep a copy, in the port table and under the timer. HV_DROP_COUNT, or why not. */
int hv_tcp_half_open_keep(const struct hv_tcp_half_open *half);
/* Send the SYN-ACK. */
void hv_tcp_half_open_answer(const struct hv_tcp_half_open *half);
/*
 * A segment for a record. The connection that it completes the handshake of, to be given the segment; else
 * NULL, and *reason says why the segment is dropped (HV_DROP_COUNT: it did its work). The packet is not consumed.
 */
struct hv_tcp_conn *hv_tcp_half_open_input(struct hv_tcp_half_open *half,
					   const struct hv_packet *packet, int *reason);
/*
 * The connection of it, in SYN-RECEIVED with the SYN-ACK sent; a kept record is gone then. NULL: no room or no memory, *reason says which,
 * and a kept record stays.
 */
struct hv_tcp_conn *hv_tcp_half_open_establish(struct hv_tcp_half_open *half, int *reason);
/* An ICMP error quoted our SYN-ACK. */
void hv_tcp_half_open_icmp(struct hv_tcp_half_open *half, const struct hv_icmp_report *report);
void hv_tcp_half_open_free(struct hv_tcp_half_open *half);
/* Reset it; it is gone then. */
void hv_tcp_half_open_reset(struct hv_tcp_half_open *half);
/* Reset all of a listener that ends. */
void hv_tcp_half_open_reset_all(struct hv_tcp_listener *listener);
void hv_tcp_half_open_fire(struct hv_timer *timer);

#endif
