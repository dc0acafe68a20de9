/* Explicit congestion notification (RFC 3168): tcp_ecn.c. */
#ifndef HV_TCP_ECN_H
#define HV_TCP_ECN_H

#include "tcp/tcp_conn.h"

/* The two low bits of the traffic class (RFC 3168 section 5). */
enum {
	HV_ECN_NOT_ECT = 0,
	HV_ECN_ECT_1 = 1,
	HV_ECN_ECT_0 = 2,
	HV_ECN_CE = 3,
	HV_ECN_MASK = 3,
};

/* haven_stack_config.ecn */
enum hv_tcp_ecn_mode {
	HV_TCP_ECN_OFF,
	HV_TCP_ECN_ON,	   /* ask for it, and agree */
	HV_TCP_ECN_ACCEPT, /* agree */
	HV_TCP_ECN_MORE, /* ON, and retransmissions and other control segments are ECN-capable too */
};

/* A SYN came. Do we agree to use ECN? */
bool hv_tcp_ecn_accepts(const struct hv_tcp *tcp, const struct hv_desc *syn);
/* In SYN-SENT a SYN came; with ACK it says whether the peer agreed. */
void hv_tcp_ecn_answered(struct hv_tcp_conn *conn, const struct hv_desc *d);
/* Data came that is in the window. */
void hv_tcp_ecn_data(struct hv_tcp_conn *conn, const struct hv_desc *d);
/* An acceptable ACK came, before all else is done for it: does it tell of congestion? */
void hv_tcp_ecn_ack(struct hv_tcp_conn *conn, const struct hv_desc *d);
/* The flags that a segment has besides its own. */
uint8_t hv_tcp_ecn_flags(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size,
			 uint8_t flags);
/* And the ECN field of its IP header. */
uint8_t hv_tcp_ecn_codepoint(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size,
			     uint8_t flags);
/* It left, with these flags. */
void hv_tcp_ecn_sent(struct hv_tcp_conn *conn, uint8_t flags);

#endif
