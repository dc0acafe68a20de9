/* Records in the stream (MSG_EOR): tcp_record.c. */
#ifndef HV_TCP_RECORD_H
#define HV_TCP_RECORD_H

#include "tcp/tcp_conn.h"

/* Where records end, in order of sequence; made with the first one. */
struct hv_tcp_records {
	uint32_t count, room;
	uint32_t ends[];
};

/* At most `size` bytes from seq on, without going over an end of a record. */
uint32_t hv_tcp_record_cut(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size);
/* Whether one ends there. */
bool hv_tcp_record_ends_at(const struct hv_tcp_conn *conn, uint32_t seq);
/* snd_una has moved. */
void hv_tcp_record_acked(struct hv_tcp_conn *conn);
void hv_tcp_record_finish(struct hv_tcp_conn *conn);

#endif
