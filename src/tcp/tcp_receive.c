/*
 * Data on its way in: is it inside the window, to whom does it go, and how much window is offered
 * next (RFC 9293 sections 3.4, 3.8.6, 3.10.7.4).
 */
#include "tcp/tcp_receive.h"

#include "tcp/tcp_ecn.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_state.h"
#include "tcp/tcp_timer.h"
#include "tcp/tcp_urgent.h"

bool hv_tcp_is_acceptable(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size)
{
	uint32_t window = hv_tcp_receive_window(conn);

	/*
	 * RFC 9293 section 3.10.7.4, first check, with its special allowance: at a closed window the ACK of a
	 * segment that would be next still counts. A bare ACK may stand at the right edge, where
	 * the peer's SND.NXT is when it filled the window.
	 */
	if (size == 0)
		return seq - conn->rcv_nxt <= window;
	if (window == 0)
		return seq == conn->rcv_nxt;
	return hv_seq_lt(seq, conn->rcv_edge) && hv_seq_gt(seq + size, conn->rcv_nxt);
}

uint16_t hv_tcp_window_field(struct hv_tcp_conn *conn, bool is_syn)
{
	uint32_t space = hv_tcp_receive_space(conn), worth = hv_tcp_window_step(conn);
	uint32_t edge = conn->rcv_nxt + space, window, field;
	uint8_t scale = conn->rcv_wscale;

	if (is_syn) {
		/* The field of a SYN is never scaled (RFC 7323 section 2.2). */
		window = space > 65535 ? 65535 : space;
		conn->rcv_edge = conn->rcv_nxt + window;
		return (uint16_t)window;
	}
	/* Receiver's SWS avoidance, RFC 9293 section 3.8.6.2.2; the edge never moves left. */
	if (hv_seq_lt(edge, conn->rcv_edge + worth))
		edge = conn->rcv_edge;
	window = edge - conn->rcv_nxt;
	field = window >> scale;
	/*
	 * Rounding down takes back a little of what was offered; rounding up must not offer what is not there,
	 * ACK after ACK. rcv_edge, which decides what is accepted, stays (RFC 7323 section 2.4).
	 */
	if ((field << scale) < window && ((field + 1) << scale) <= space)
		field++;
	if (field > 65535)
		field = 65535;
	conn->rcv_edge = hv_seq_max(conn->rcv_edge, conn->rcv_nxt + (field << scale));
	return (uint16_t)field;
}

void hv_tcp_set_receive_limit(struct hv_tcp_conn *conn, uint32_t limit_bytes)
{
	uint32_t promised = conn->receive.used + hv_tcp_receive_window(conn);

	conn->receive_limit = limit_bytes;
	conn->receive.limit = limit_bytes > promised ? limit_bytes : promised;
}

void hv_tcp_reader_took(struct hv_tcp_conn *conn, uint32_t size)
{
	uint32_t half, worth, space;

	hv_tcp_urgent_read(conn);
	/* A reader that empties the buffer keeps pace: it gets a larger one, up to the limit. */
	conn->tune_bytes += size;
	if (!conn->receive.used && !conn->receive_fixed &&
	    conn->tune_bytes >= conn->receive_limit / 2) {
		uint32_t most = conn->tcp->config.receive_buffer_bytes;

		hv_tcp_set_receive_limit(conn, conn->receive_limit > most / 2
						       ? most
						       : conn->receive_limit * 2);
		conn->tune_bytes = 0;
	}
	half = hv_tcp_receive_most(conn) / 2;
	worth = 2 * (uint32_t)conn->rcv_mss < half ? 2 * (uint32_t)conn->rcv_mss : half;
	/*
	 * A window update, when there is enough to tell (RFC 9293 section 3.8.6.2.2) and the sender may be short of window;
	 * else the next ACK tells.
	 */
	space = hv_tcp_receive_space(conn);
	if (space > UINT32_C(65535) << conn->rcv_wscale)
		space = UINT32_C(65535) << conn->rcv_wscale; /* what the field can tell */
	if (!conn->fin_received && !hv_seq_lt(conn->rcv_nxt + space, conn->rcv_edge + worth) &&
	    space / 2 >= hv_tcp_receive_window(conn))
		conn->ack_now = true;
}

/*
 * SHUT_RD: what comes stays readable (as Linux), as far as there is room, and all of it is taken. Behind bytes that were
 * thrown away nothing is kept: what is read has no hole.
 */
static uint32_t deliver_unwanted(struct hv_tcp_conn *conn, const uint8_t *data, uint32_t size)
{
	uint32_t stored = 0;

	if (!conn->receive_lost)
		stored = hv_ring_write(&conn->receive, hv_tcp_core(conn), data, size);
	conn->receive_lost |= stored < size;
	conn->rcv_nxt += size;
	conn->rcv_edge = hv_seq_max(conn->rcv_edge, conn->rcv_nxt);
	conn->count.bytes_received += size;
	if (stored)
		hv_tcp_notify(conn, HAVEN_EVENT_READABLE);
	return size;
}

uint32_t hv_tcp_deliver(struct hv_tcp_conn *conn, const uint8_t *data, uint32_t size)
{
	uint32_t taken = 0, stored = 0;

	if (conn->receive_shut)
		return deliver_unwanted(conn, data, size);
	if (conn->sink && !conn->receive.used)
		taken = (uint32_t)conn->sink(conn->sink_user, data, size);
	conn->rcv_nxt += taken;
	if (taken)
		hv_tcp_reader_took(conn, taken);
	if (taken < size) {
		stored = hv_ring_write(&conn->receive, hv_tcp_core(conn), data + taken,
				       size - taken);
		conn->rcv_nxt += stored;
		if (hv_tcp_is_enough_to_read(conn))
			hv_tcp_notify(conn, HAVEN_EVENT_READABLE);
	}
	conn->rcv_edge = hv_seq_max(conn->rcv_edge, conn->rcv_nxt);
	conn->count.bytes_received += taken + stored;
	return taken + stored;
}

bool hv_tcp_ack_is_due(const struct hv_tcp_conn *conn)
{
	uint32_t unacked = conn->rcv_nxt - conn->ack_sent;

	if (conn->ack_now)
		return true;
	/* RFC 9293 section 3.8.6.3: at least every second full-sized segment. */
	return unacked && (conn->quick_acks || unacked >= 2 * (uint32_t)conn->segment_estimate);
}

/* How large the peer's segments are, so that two of them can be told. */
static void estimate_segment(struct hv_tcp_conn *conn, const struct hv_packet *packet)
{
	uint32_t size = packet->gso_size ? packet->gso_size : packet->d.payload_len;

	if (size > conn->rcv_mss)
		size = conn->rcv_mss;
	if (size > conn->segment_estimate)
		conn->segment_estimate = (uint16_t)size;
}

/* The bytes at rcv_nxt are here. Consumes. */
static void receive_in_order(struct hv_tcp_conn *conn, struct hv_packet *packet,
			     const uint8_t *data, uint32_t size, bool fin)
{
	uint32_t taken = size ? hv_tcp_deliver(conn, data, size) : 0;

	if (taken < size) {
		hv_drop(hv_tcp_core(conn), packet, HV_DROP_TCP_RECEIVE_BUFFER);
		conn->ack_now = true;
		hv_tcp_mark(conn);
		return;
	}
	hv_packet_free(hv_tcp_core(conn), packet);
	if (fin) {
		/* The stream ends here, whatever was said to be behind it. */
		hv_tcp_reassembly_clear(conn);
	} else if (conn->blocks) {
		conn->ack_now = true; /* RFC 5681 section 4.2: a gap was filled */
		fin = hv_tcp_reassembly_deliver(conn);
	}
	if (!conn->send.used && !hv_tcp_is_armed(conn, HV_TCP_DEADLINE_TRIM) &&
	    conn->receive.memory)
		hv_tcp_arm(conn, HV_TCP_DEADLINE_TRIM, HV_TCP_TRIM_NS);
	hv_tcp_mark(conn);
	if (fin)
		hv_tcp_fin_received(conn);
}

void hv_tcp_receive_segment(struct hv_tcp_conn *conn, struct hv_packet *packet)
{
	struct hv_core *core = hv_tcp_core(conn);
	uint32_t seq = packet->d.seq, size = packet->d.payload_len;
	const uint8_t *data = packet->d.payload;
	bool fin = packet->d.tcp_flags & HV_TCP_FIN;

	if ((!size && !fin) || conn->fin_received) {
		hv_packet_free(core, packet); /* nothing comes after FIN: section 3.10.7.4 */
		return;
	}
	if (conn->orphan && size && hv_seq_gt(seq + size, conn->rcv_nxt)) {
		/* Nobody will read it, and the sender must know (RFC 1122 section 4.2.2.13). */
		hv_tcp_send_reset_for(conn->tcp, packet); /* SEG.ACK is what it expects next */
		hv_drop(core, packet, HV_DROP_TCP_CLOSED);
		hv_tcp_conn_end(conn, ECONNRESET);
		return;
	}
	if (hv_seq_lt(seq, conn->rcv_nxt)) { /* the left is old */
		uint32_t old = conn->rcv_nxt - seq;

		if (old > size) { /* the FIN too: is_acceptable() let it in by a hair */
			hv_drop(core, packet, HV_DROP_TCP_DUPLICATE);
			return;
		}
		hv_tcp_note_duplicate(conn, seq, conn->rcv_nxt);
		data += old;
		size -= old;
		seq = conn->rcv_nxt;
		conn->ack_now = true;
	}
	if (hv_seq_gt(seq + size, conn->rcv_edge)) { /* the right is too much */
		size = conn->rcv_edge - seq;
		fin = false;
		conn->ack_now = true;
		hv_tcp_mark(conn);
	}
	estimate_segment(conn, packet);
	if (packet->d.payload_len)
		hv_tcp_ecn_data(conn, &packet->d);
	if (seq == conn->rcv_nxt) {
		receive_in_order(conn, packet, data, size, fin);
		return;
	}
	conn->count.out_of_order++;
	hv_tcp_reassembly_add(conn, packet, seq, data, size, fin);
	hv_tcp_send_ack(conn); /* RFC 5681 section 4.2: a duplicate ACK at once, for each */
}
