/* What the two ends agree upon in SYN segments, and timestamps: tcp_options.c. */
#ifndef HV_TCP_OPTIONS_H
#define HV_TCP_OPTIONS_H

#include "tcp/tcp_conn.h"

/* Options of the segment; the common case of timestamps alone is read without the parser. */
void hv_tcp_options_read(const struct hv_desc *d, struct hv_tcp_options *out);
/* Options of a SYN or SYN-ACK of ours. Returns bytes. */
unsigned hv_tcp_options_syn(struct hv_tcp_conn *conn, bool is_answer, uint8_t *out);
/* Options of any other segment with `size` bytes of data. */
unsigned hv_tcp_options_data(struct hv_tcp_conn *conn, uint32_t size, uint8_t *out);
/* Take over what the peer's SYN offered; the window field of a SYN is not scaled. */
void hv_tcp_options_agree(struct hv_tcp_conn *conn, const struct hv_tcp_options *options);
/* SMSS anew from the path MTU, the peer's MSS and the options (RFC 9293 section 3.7.1, RFC 6691). */
void hv_tcp_mss_update(struct hv_tcp_conn *conn);
/* The MSS option we send, from the MTU towards the peer. */
uint16_t hv_tcp_mss_offer(struct hv_tcp *tcp, const struct hv_addr *remote);
uint8_t hv_tcp_window_scale_for(uint32_t limit_bytes);
/* Our timestamp clock in milliseconds, with the connection's offset. */
uint32_t hv_tcp_timestamp(const struct hv_tcp_conn *conn);
/* What it was at another time. */
uint32_t hv_tcp_timestamp_at(const struct hv_tcp_conn *conn, uint64_t time_ns);
/* RFC 7323 section 5.3 R1: an old duplicate? */
/* TCP_MAXSEG before the handshake: neither sent nor offered to be taken. 0: no limit. */
void hv_tcp_mss_limit(struct hv_tcp_conn *conn, uint16_t user_mss);
bool hv_tcp_paws_reject(const struct hv_tcp_conn *conn, const struct hv_desc *d,
			const struct hv_tcp_options *options);
/* RFC 7323 section 4.3: remember the timestamp to echo. */
void hv_tcp_timestamp_note(struct hv_tcp_conn *conn, uint32_t seq,
			   const struct hv_tcp_options *options);

#endif
