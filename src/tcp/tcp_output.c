/*
 * Segments onto the wire: the header is written, the payload borrowed from the send ring, the
 * checksum left to the link, and the result handed to ip/.
 */
#include "tcp/tcp_output.h"

#include "tcp/tcp_ecn.h"
#include "tcp/tcp_info.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_record.h"
#include "tcp/tcp_scoreboard.h"
#include "tcp/tcp_spurious.h"
#include "tcp/tcp_timer.h"
#include "tcp/tcp_urgent.h"
#include "wire/checksum.h"

enum {
	COPY_BELOW = 512, /* payload up to this is copied: cheaper than a slice of its own */
	CHALLENGES = 500, /* in each window of a second, RFC 5961 section 7 */
	CHALLENGE_INTERVAL_MS = 500, /* of one connection; as Linux's tcp_invalid_ratelimit */
	CHECKSUM_OFFSET = 16,	     /* in the TCP header */
};

/* Leave the checksum to the link: pseudo-header sum in the field, the rest marked. */
static void leave_checksum(struct hv_packet *packet, const struct hv_addr *src,
			   const struct hv_addr *dst)
{
	uint64_t sum = hv_sum_pseudo(src, dst, IPPROTO_TCP, hv_packet_size(packet));
	uint16_t folded = hv_sum_fold(sum);

	memcpy(packet->data + CHECKSUM_OFFSET, &folded, sizeof(folded));
	packet->csum = HV_CSUM_PARTIAL;
	packet->csum_start = (uint16_t)(packet->data - packet->head);
	packet->csum_offset = CHECKSUM_OFFSET;
}

void hv_tcp_send_bare(struct hv_tcp *tcp, const struct hv_tcp_bare *bare)
{
	struct hv_packet *packet =
		hv_packet_new(tcp->core, HV_PACKET_HEADROOM,
			      bare->options ? HV_TCP_HEADER_MAX : HV_TCP_HEADER);
	struct hv_tcp_header header = {
		.src_port = bare->src_port,
		.dst_port = bare->dst_port,
		.seq = bare->seq,
		.ack = bare->ack,
		.flags = bare->flags,
		.window = bare->window,
	};
	struct hv_ip_tx tx = {
		.src = *bare->src,
		.dst = *bare->dst,
		.proto = IPPROTO_TCP,
		.hop_limit = bare->hop_limit,
		.traffic_class = bare->traffic_class,
		.dont_fragment = true,
	};

	if (!packet)
		return;
	if (bare->options) {
		uint8_t bytes[HV_TCP_HEADER_MAX - HV_TCP_HEADER];

		header.options_len = (uint8_t)hv_wire_tcp_options_write(bytes, bare->options);
		hv_packet_append(packet, HV_TCP_HEADER + header.options_len);
		memcpy(packet->data + HV_TCP_HEADER, bytes, header.options_len);
	} else {
		hv_packet_append(packet, HV_TCP_HEADER);
	}
	hv_wire_tcp_write(packet->data, &header);
	leave_checksum(packet, bare->src, bare->dst);
	tcp->segments_out++;
	hv_ip_output(tcp->ip, &tx, packet);
}

void hv_tcp_send_reset_for(struct hv_tcp *tcp, const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	struct hv_tcp_bare bare = {
		.src = &d->dst,
		.dst = &d->src,
		.src_port = d->dst_port,
		.dst_port = d->src_port,
		.flags = HV_TCP_RST,
	};

	if (d->tcp_flags & HV_TCP_RST)
		return;
	if (d->tcp_flags & HV_TCP_ACK) {
		bare.seq = d->ack;
	} else {
		bare.flags |= HV_TCP_ACK;
		bare.ack = d->seq + d->payload_len + !!(d->tcp_flags & HV_TCP_SYN) +
			   !!(d->tcp_flags & HV_TCP_FIN);
	}
	hv_tcp_send_bare(tcp, &bare);
}

/*
 * Where the peer takes a reset: behind all that was sent, as it may have got it, although a time-out has taken SND.NXT
 * back; but not beyond a window that it has closed. A peer in doubt asks back (RFC 5961 section 3.2).
 */
static uint32_t reset_seq(const struct hv_tcp_conn *conn)
{
	uint32_t edge = conn->snd_una + conn->snd_wnd;

	if (hv_tcp_is_opening(conn) || !hv_seq_gt(conn->snd_max, edge))
		return conn->snd_max;
	return edge;
}

void hv_tcp_send_reset(struct hv_tcp_conn *conn)
{
	/* RFC 7323 section 3.2: on a RST they may stand too, and help it through some filters. */
	const struct hv_tcp_options options = {
		.has_timestamps = true,
		.ts_value = hv_tcp_timestamp(conn),
		.ts_echo = conn->ts_recent,
	};
	struct hv_tcp_bare bare = {
		.src = &conn->tuple.local,
		.dst = &conn->tuple.remote,
		.src_port = conn->tuple.local_port,
		.dst_port = conn->tuple.remote_port,
		.seq = reset_seq(conn),
		.ack = conn->rcv_nxt,
		.flags = HV_TCP_RST | HV_TCP_ACK,
		.options = conn->timestamps ? &options : NULL,
	};

	hv_tcp_send_bare(conn->tcp, &bare);
}

/* The segment left: what it settled, and what now waits for an answer. */
static void note_sent(struct hv_tcp_conn *conn, uint32_t seq, uint32_t size, uint8_t flags)
{
	uint32_t end = seq + size + !!(flags & HV_TCP_SYN) + !!(flags & HV_TCP_FIN);
	uint32_t segments = size > conn->mss ? (size + conn->mss - 1) / conn->mss : 1;

	conn->tcp->segments_out += segments;
	hv_tcp_count_out(conn, size, segments, end != seq && hv_seq_lt(seq, conn->snd_max));
	if (flags & HV_TCP_ACK) {
		conn->ack_sent = conn->rcv_nxt;
		conn->ack_now = false;
		if (conn->quick_acks)
			conn->quick_acks--;
		hv_tcp_disarm(conn, HV_TCP_DEADLINE_DELAYED_ACK);
	}
	if (flags & HV_TCP_FIN)
		conn->fin_sent = true;
	if (end == seq)
		return;
	if (conn->snd_una == conn->snd_max && !conn->probing)
		conn->progress_ns = hv_tcp_now(conn); /* the wait for an answer begins */
	if (hv_seq_lt(seq, conn->snd_max)) {
		conn->tcp->retransmits += segments;
		conn->timing = false; /* Karn's algorithm, RFC 6298 section 3 */
		hv_tcp_spurious_sent(conn, seq, end);
	} else if (!conn->timing) {
		conn->timing = true;
		conn->rtt_seq = end;
		conn->rtt_start_ns = hv_tcp_now(conn);
	}
	if (size && size % conn->mss)
		conn->snd_small = end;
	if (conn->sack_ok && !(flags & HV_TCP_SYN))
		hv_tcp_sent_note(conn, seq, end);
	if (seq == conn->snd_nxt)
		conn->snd_nxt = end;
	conn->snd_max = hv_seq_max(conn->snd_max, end);
	/* New data puts a tail loss probe off: the tail is another one now (RFC 8985 section 7.2). */
	if (conn->probing || (conn->tail_armed && end == conn->snd_max) ||
	    !hv_tcp_is_armed(conn, HV_TCP_DEADLINE_RETRANSMIT))
		hv_tcp_arm_retransmit(conn);
}

/* The header and small payload; slices for the rest. NULL: no memory. */
static struct hv_packet *build(struct hv_tcp_conn *conn, uint32_t seq, uint32_t size,
			       uint8_t flags)
{
	uint8_t options[HV_TCP_HEADER_MAX - HV_TCP_HEADER];
	bool is_syn = flags & HV_TCP_SYN;
	struct hv_tcp_header header = {
		.src_port = conn->tuple.local_port,
		.dst_port = conn->tuple.remote_port,
		.seq = seq,
		.ack = flags & HV_TCP_ACK ? conn->rcv_nxt : 0,
		.flags = flags,
	};
	uint16_t urgent = is_syn ? 0 : hv_tcp_urgent_pointer(conn, seq);
	uint32_t copy = size <= COPY_BELOW ? size : 0;
	uint32_t offset = seq + is_syn - hv_tcp_send_base(conn); /* of the data in the ring */
	struct hv_packet *packet;
	uint8_t *p;

	if (urgent) {
		header.flags |= HV_TCP_URG;
		header.urgent = urgent;
	}
	header.options_len =
		(uint8_t)(is_syn ? hv_tcp_options_syn(conn, flags & HV_TCP_ACK, options)
				 : hv_tcp_options_data(conn, size, options));
	packet = hv_packet_new(hv_tcp_core(conn), HV_PACKET_HEADROOM,
			       HV_TCP_HEADER + header.options_len + copy);
	if (!packet)
		return NULL;
	header.window = hv_tcp_window_field(conn, is_syn);
	p = hv_packet_append(packet, HV_TCP_HEADER + header.options_len);
	hv_wire_tcp_write(p, &header);
	memcpy(p + HV_TCP_HEADER, options, header.options_len);
	if (copy) {
		p = hv_packet_append(packet, copy);
		hv_ring_copy(&conn->send, offset, p, copy);
	} else if (size) {
		struct iovec slices[2];
		int count = 0;

		hv_ring_slices(&conn->send, offset, size, slices, &count);
		for (int i = 0; i < count; i++)
			hv_packet_add_slice(packet, slices[i].iov_base,
					    (uint32_t)slices[i].iov_len);
	}
	if (size > conn->mss) {
		packet->gso_type = hv_tcp_is_v4(conn) ? HV_GSO_TCP4 : HV_GSO_TCP6;
		packet->gso_size = conn->mss;
	}
	return packet;
}

/*
 * RFC 9293 section 3.9.1.2: PSH where nothing is behind it, unless the user said that more follows. And on what is
 * cut into several segments: a receiver that puts them together again (GRO) then hands them up at once.
 */
static bool is_pushed(const struct hv_tcp_conn *conn, uint32_t seq, uint32_t size)
{
	if (!size)
		return false;
	if (hv_tcp_record_ends_at(conn, seq + size))
		return true;
	if (conn->no_push)
		return false;
	return size > conn->mss || seq + size == hv_tcp_send_end(conn);
}

/* To ip/, unless it is the SYN of a connection that a filter refuses in silence: that gets lost. Consumes. */
static int output(struct hv_tcp_conn *conn, const struct hv_ip_tx *tx, struct hv_packet *packet,
		  uint8_t flags)
{
	if ((flags & HV_TCP_SYN) && conn->swallowed) {
		hv_drop(hv_tcp_core(conn), packet, HV_DROP_FILTER);
		return 0;
	}
	return hv_ip_output(conn->tcp->ip, tx, packet);
}

int hv_tcp_transmit(struct hv_tcp_conn *conn, uint32_t seq, uint32_t size, uint8_t flags)
{
	uint8_t push = is_pushed(conn, seq, size) ? HV_TCP_PSH : 0;
	uint8_t all_flags = flags | push | hv_tcp_ecn_flags(conn, seq, size, flags);
	struct hv_packet *packet = build(conn, seq, size, all_flags);
	struct hv_ip_tx tx = {
		.src = conn->tuple.local,
		.dst = conn->tuple.remote,
		.proto = IPPROTO_TCP,
		.hop_limit = conn->hop_limit,
		.traffic_class =
			conn->traffic_class | hv_tcp_ecn_codepoint(conn, seq, size, flags),
		/* RFC 1191: path MTU discovery */
		.dont_fragment = conn->mtu_discover != IP_PMTUDISC_DONT &&
				 conn->mtu_discover != IP_PMTUDISC_OMIT,
	};
	bool recorded = conn->sack_ok && !(flags & HV_TCP_SYN) && (size || flags & HV_TCP_FIN);
	int status;

	if (!packet)
		return -ENOMEM;
	if (recorded && !hv_tcp_sent_reserve(conn, seq)) {
		hv_packet_free(hv_tcp_core(conn), packet);
		return -ENOMEM;
	}
	leave_checksum(packet, &tx.src, &tx.dst);
	status = output(conn, &tx, packet, flags);
	if (status == -EAGAIN || status == -ENOMEM || status == -EMSGSIZE)
		return status; /* it never left: nothing is under way */
	if (status < 0)
		hv_tcp_soft_error(conn, -status); /* as if it had been lost on the way */
	note_sent(conn, seq, size, flags);
	hv_tcp_ecn_sent(conn, all_flags);
	return 0;
}

int hv_tcp_send_ack(struct hv_tcp_conn *conn)
{
	/* After a time-out snd_nxt is behind; an ACK says how far we were (RFC 9293 SND.NXT). */
	int status = hv_tcp_transmit(conn, conn->snd_max, 0, HV_TCP_ACK);

	if (status >= 0)
		return status;
	conn->ack_now = true;
	if (status == -EAGAIN) { /* when the link is free again */
		hv_list_remove(&conn->output);
		hv_list_append(&conn->tcp->blocked, &conn->output);
	} else {
		hv_tcp_arm(conn, HV_TCP_DEADLINE_DELAYED_ACK, HV_TCP_DELAYED_ACK_NS);
	}
	return status;
}

bool hv_tcp_challenge_allowed(struct hv_tcp *tcp, uint32_t *last_ms)
{
	uint64_t now_ns = tcp->core->now_ns;
	uint32_t now_ms = (uint32_t)(now_ns / HV_TCP_MS) | 1; /* 0 means never */

	if (*last_ms && now_ms - *last_ms < CHALLENGE_INTERVAL_MS)
		return false;
	if (now_ns - tcp->challenge_window_ns >= HV_TCP_SECOND || !tcp->challenge_window_ns) {
		tcp->challenge_window_ns = now_ns;
		/* A limit that others can count is a side channel: it varies. */
		tcp->challenge_count = CHALLENGES / 2 + hv_random_below(tcp->core, CHALLENGES);
	}
	if (!tcp->challenge_count)
		return false;
	tcp->challenge_count--;
	*last_ms = now_ms;
	return true;
}

void hv_tcp_send_challenge(struct hv_tcp_conn *conn)
{
	if (hv_tcp_challenge_allowed(conn->tcp, &conn->challenged_ms))
		hv_tcp_send_ack(conn);
}
