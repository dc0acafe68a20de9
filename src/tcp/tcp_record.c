/*
 * Records: a send with MSG_EOR, as Linux has it for streams, ends a segment. What is written later starts a new one, the first
 * time and when it is sent again. The receiver does not see records; who counts or times segments does.
 */
#include "tcp/tcp_record.h"

enum {
	ROOM_FIRST = 8,
	ROOM_MAX = 4096, /* beyond it records run together */
};

static size_t bytes_of(uint32_t room)
{
	return sizeof(struct hv_tcp_records) + room * sizeof(uint32_t);
}

static bool grow(struct hv_tcp_conn *conn)
{
	struct hv_tcp_records *records = conn->records, *grown;
	uint32_t room = records ? records->room * 2 : ROOM_FIRST;

	if (room > ROOM_MAX)
		return false;
	grown = hv_alloc(hv_tcp_core(conn), bytes_of(room));
	if (!grown)
		return false;
	grown->count = 0;
	if (records) {
		memcpy(grown, records, bytes_of(records->count));
		hv_free(hv_tcp_core(conn), records, bytes_of(records->room));
	}
	grown->room = room;
	conn->records = grown;
	return true;
}

void hv_tcp_record_end(struct hv_tcp_conn *conn)
{
	uint32_t end = hv_tcp_send_end(conn);

	if (!conn->send.used || hv_tcp_record_ends_at(conn, end))
		return;
	if ((!conn->records || conn->records->count == conn->records->room) && !grow(conn))
		return;
	conn->records->ends[conn->records->count++] = end;
}

uint32_t hv_tcp_record_cut(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size)
{
	for (uint32_t i = 0; conn->records && i < conn->records->count; i++) {
		uint32_t end = conn->records->ends[i];

		if (hv_seq_gt(end, seq))
			return end - seq < size ? end - seq : size;
	}
	return size;
}

bool hv_tcp_record_ends_at(const struct hv_tcp_conn *conn, uint32_t seq)
{
	for (uint32_t i = 0; conn->records && i < conn->records->count; i++)
		if (conn->records->ends[i] == seq)
			return true;
	return false;
}

void hv_tcp_record_acked(struct hv_tcp_conn *conn)
{
	struct hv_tcp_records *records = conn->records;
	uint32_t over = 0;

	while (records && over < records->count &&
	       hv_seq_leq(records->ends[over], conn->snd_una))
		over++;
	if (!over)
		return;
	records->count -= over;
	if (!records->count)
		hv_tcp_record_finish(conn);
	else
		memmove(records->ends, records->ends + over,
			records->count * sizeof(records->ends[0]));
}

void hv_tcp_record_finish(struct hv_tcp_conn *conn)
{
	if (conn->records)
		hv_free(hv_tcp_core(conn), conn->records, bytes_of(conn->records->room));
	conn->records = NULL;
}
