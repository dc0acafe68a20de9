/* Urgent data (RFC 9293 section 3.8.5, RFC 6093): tcp_urgent.c. */
#ifndef HV_TCP_URGENT_H
#define HV_TCP_URGENT_H

#include "tcp/tcp_conn.h"

/* A segment that is acceptable: does its urgent pointer say something new? */
void hv_tcp_urgent_input(struct hv_tcp_conn *conn, const struct hv_desc *d);
/* The reader moved on. */
void hv_tcp_urgent_read(struct hv_tcp_conn *conn);
/* The urgent pointer of a segment that begins at seq; 0: it has none, and no URG flag. */
uint16_t hv_tcp_urgent_pointer(const struct hv_tcp_conn *conn, uint32_t seq);
/* snd_una has moved. */
void hv_tcp_urgent_acked(struct hv_tcp_conn *conn);

#endif
