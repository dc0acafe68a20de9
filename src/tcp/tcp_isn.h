/* Initial sequence numbers and timestamp offsets: tcp_isn.c. */
#ifndef HV_TCP_ISN_H
#define HV_TCP_ISN_H

#include "tcp/tcp_conn.h"

/* RFC 6528 section 3. */
uint32_t hv_tcp_isn(struct hv_core *core, const struct hv_tuple *tuple);
/* RFC 6191: one that is beyond `floor`, all that the connection before it sent. */
uint32_t hv_tcp_isn_beyond(struct hv_core *core, const struct hv_tuple *tuple, uint32_t floor);
/* RFC 7323 section 7.1: a random offset for each pair of addresses and ports. */
uint32_t hv_tcp_timestamp_offset(struct hv_core *core, const struct hv_tuple *tuple);

#endif
