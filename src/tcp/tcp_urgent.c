/*
 * Urgent data (RFC 9293 section 3.8.5). It stays where it is in the stream (RFC 6093 section 6: "out of band"
 * data that applications took out of it is what went wrong with it); all there is besides is a mark: the peer says that
 * up to there something urgent is to be read, the owner is told so, and can ask how much. An owner can set the mark,
 * too; new programs should not (RFC 6093 section 5, SHLD-13).
 *
 * The pointer is that of the byte behind the urgent data (MUST-62), which may be of any length (MUST-31).
 */
#include "tcp/tcp_urgent.h"

/* Sequence number of the next byte that the reader gets. */
static uint32_t read_position(const struct hv_tcp_conn *conn)
{
	return conn->rcv_nxt - conn->fin_received - conn->receive.used;
}

/* Section 3.10.7.4, sixth check: RCV.UP <- max(RCV.UP, SEG.UP), and the owner is told (MUST-32). */
void hv_tcp_urgent_input(struct hv_tcp_conn *conn, const struct hv_desc *d)
{
	uint32_t up = d->seq + d->urgent;

	if (!(d->tcp_flags & HV_TCP_URG) || conn->fin_received || conn->receive_shut)
		return;
	if (!hv_seq_gt(up, conn->urgent_in ? conn->rcv_up : read_position(conn)))
		return;
	conn->urgent_in = true;
	conn->rcv_up = up;
	hv_tcp_notify(conn, HAVEN_EVENT_URGENT);
}

void hv_tcp_urgent_read(struct hv_tcp_conn *conn)
{
	if (conn->urgent_in && !hv_seq_gt(conn->rcv_up, read_position(conn)))
		conn->urgent_in = false;
}

size_t hv_tcp_urgent_left(const struct hv_tcp_conn *conn)
{
	if (!conn->urgent_in || (conn->fin_received && !conn->receive.used))
		return 0; /* behind the end of the stream nothing is urgent */
	return conn->rcv_up - read_position(conn);
}

void hv_tcp_urgent_mark(struct hv_tcp_conn *conn)
{
	if (!conn->send.used)
		return;
	conn->urgent_out = true;
	conn->snd_up = hv_tcp_send_end(conn);
	hv_tcp_mark(conn);
}

uint16_t hv_tcp_urgent_pointer(const struct hv_tcp_conn *conn, uint32_t seq)
{
	if (!conn->urgent_out || !hv_seq_gt(conn->snd_up, seq))
		return 0;
	return conn->snd_up - seq > UINT16_MAX ? UINT16_MAX : (uint16_t)(conn->snd_up - seq);
}

void hv_tcp_urgent_acked(struct hv_tcp_conn *conn)
{
	if (conn->urgent_out && hv_seq_geq(conn->snd_una, conn->snd_up))
		conn->urgent_out = false;
}
