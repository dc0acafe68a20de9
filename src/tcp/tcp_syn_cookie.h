/* SYN cookies: tcp_syn_cookie.c. */
#ifndef HV_TCP_SYN_COOKIE_H
#define HV_TCP_SYN_COOKIE_H

#include "tcp/tcp_half_open.h"

/* Turn what a SYN said into a cookie: iss is the cookie, options that it cannot keep are gone. */
void hv_tcp_syn_cookie_make(struct hv_tcp_half_open *half);
/* The timestamp of its SYN-ACK: our clock now_ms, its low bits replaced by the options. */
uint32_t hv_tcp_syn_cookie_stamp(uint32_t now_ms, const struct hv_tcp_half_open *half);
/*
 * An ACK for a listener that belongs to nothing. The connection of the cookie that it acknowledges, to be given the segment; else NULL,
 * and *reason says why the segment is dropped. The packet is not consumed.
 */
struct hv_tcp_conn *hv_tcp_syn_cookie_input(struct hv_tcp_listener *listener,
					    const struct hv_packet *packet, int *reason);

#endif
