/* Retransmissions that were not needed, and taking back what they cost: tcp_spurious.c. */
#ifndef HV_TCP_SPURIOUS_H
#define HV_TCP_SPURIOUS_H

#include "tcp/tcp_conn.h"

struct hv_tcp_delivery;

/* F-RTO (RFC 5682), step by step. */
enum hv_tcp_frto {
	HV_TCP_FRTO_OFF,
	HV_TCP_FRTO_FIRST,   /* the first ACK after the time-out is awaited */
	HV_TCP_FRTO_FORWARD, /* it came: new data goes, not old */
	HV_TCP_FRTO_VERDICT, /* the next ACK decides */
};

/* The reduction of the window that could still turn out to be a mistake; part of struct hv_tcp_flight. */
struct hv_tcp_undo {
	bool armed;	      /* there is one */
	bool stamped;	      /* something was sent again since then */
	bool timeout;	      /* it was a time-out */
	uint8_t frto;	      /* enum hv_tcp_frto */
	uint32_t marker, end; /* what was sent again is in [marker, end) */
	uint32_t stamp;	      /* our timestamp on the first retransmission (RFC 3522) */
	uint32_t pending;     /* bytes of it that no D-SACK has told of */
};

/* Fast recovery begins; the window was reduced just now. */
void hv_tcp_spurious_recovery(struct hv_tcp_conn *conn);
/* A time-out, before conn->loss_recovery says so. again: the window had been reduced for this loss before. */
void hv_tcp_spurious_timeout(struct hv_tcp_conn *conn, bool again);
/* There is nothing to be taken back any more. */
void hv_tcp_spurious_forget(struct hv_tcp_conn *conn);
/* [seq, end) was sent again. */
void hv_tcp_spurious_sent(struct hv_tcp_conn *conn, uint32_t seq, uint32_t end);
/* An ACK, after all else was done for it; `acked` bytes of it are new. */
void hv_tcp_spurious_ack(struct hv_tcp_conn *conn, uint32_t acked,
			 const struct hv_tcp_options *options,
			 const struct hv_tcp_delivery *delivery);
/* A duplicate ACK, without SACK. */
void hv_tcp_spurious_duplicate(struct hv_tcp_conn *conn);
/* F-RTO has the say about what is sent now; if so it has been sent. */
bool hv_tcp_spurious_forward(struct hv_tcp_conn *conn);

#endif
