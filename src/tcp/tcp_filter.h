/* Connections and the stack's filter: tcp_filter.c. With none (tcp->filter NULL) nothing is refused. */
#ifndef HV_TCP_FILTER_H
#define HV_TCP_FILTER_H

#include "tcp/tcp_conn.h"

/*
 * A SYN for a listener. HV_DROP_COUNT: it may go on, and hv_tcp_filter_end() must follow when its connection is over, or hv_tcp_filter_forget() when nothing is
 * kept of it. Else why it is dropped, and who sent it was told. The packet is not consumed.
 */
int hv_tcp_filter_syn(struct hv_tcp *tcp, const struct hv_packet *packet);
/* The same for the ACK that brings a good SYN cookie back: its SYN was asked about, and nothing was kept. */
int hv_tcp_filter_cookie(struct hv_tcp *tcp, const struct hv_packet *packet);
/* A SYN that nobody listens for. HV_DROP_COUNT: it is allowed, and meets what it would meet without a filter. */
int hv_tcp_filter_stray(struct hv_tcp *tcp, const struct hv_packet *packet);
/*
 * An active open, in the port table. 0, -EPERM, -ENOMEM. Refused in silence: 0, and conn->swallowed is set. It is in the table: what ends it there
 * tells the filter.
 */
int hv_tcp_filter_connect(struct hv_tcp_conn *conn);
/* After one of the first two: nothing is kept of the segment. */
void hv_tcp_filter_forget(struct hv_tcp *tcp, const struct hv_packet *packet);
/* A connection or half-open record of these ends is over. bytes: of data, both ways. */
void hv_tcp_filter_end(struct hv_tcp *tcp, const struct hv_tuple *tuple, uint64_t bytes);
/* Rules have changed: resets what they refuse now. Returns how many connections, half-open ones included. */
uint32_t hv_tcp_filter_again(struct hv_tcp *tcp);

#endif
