/*
 * Segments from ip/: what they belong to, and RFC 9293 section 3.10.7 step by step.
 */
#include "tcp/tcp_ack.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_ecn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_filter.h"
#include "tcp/tcp_half_open.h"
#include "tcp/tcp_info.h"
#include "tcp/tcp_listen.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_request.h"
#include "tcp/tcp_state.h"
#include "tcp/tcp_syn_cookie.h"
#include "tcp/tcp_timer.h"
#include "tcp/tcp_timewait.h"
#include "tcp/tcp_urgent.h"

static void drop(struct hv_tcp_conn *conn, struct hv_packet *packet, enum hv_drop reason)
{
	hv_drop(hv_tcp_core(conn), packet, reason);
}

/* A bare reset with the sequence number that the segment asks for (SEG.ACK). */
static void reset_unacceptable(struct hv_tcp_conn *conn, struct hv_packet *packet)
{
	hv_tcp_send_reset_for(conn->tcp, packet);
	drop(conn, packet, HV_DROP_TCP_ACK);
}

/* RFC 9293 section 3.10.7.3. Consumes. */
static void syn_sent_input(struct hv_tcp_conn *conn, struct hv_packet *packet)
{
	struct hv_desc *d = &packet->d;
	struct hv_tcp_options options;
	bool ack = d->tcp_flags & HV_TCP_ACK;

	/* First: the ACK. */
	if (ack && (hv_seq_leq(d->ack, conn->iss) || hv_seq_gt(d->ack, conn->snd_max))) {
		reset_unacceptable(conn, packet);
		return;
	}
	/* Second: RST. It counts only with a good ACK (RFC 5961 section 3.2). */
	if (d->tcp_flags & HV_TCP_RST) {
		drop(conn, packet, HV_DROP_TCP_FLAGS);
		if (ack)
			hv_tcp_conn_end(conn, ECONNREFUSED);
		return;
	}
	/* Fourth: SYN. */
	if (!(d->tcp_flags & HV_TCP_SYN)) {
		drop(conn, packet, HV_DROP_TCP_FLAGS);
		return;
	}
	hv_tcp_options_read(d, &options);
	conn->irs = d->seq;
	conn->rcv_nxt = conn->ack_sent = d->seq + 1;
	/* What our SYN offered counts from here. */
	hv_tcp_window_field(conn, true);
	hv_tcp_options_agree(conn, &options);
	hv_tcp_ecn_answered(conn, d);
	conn->snd_wnd = conn->snd_wnd_max = d->window; /* not scaled in a SYN */
	conn->snd_wl1 = d->seq;
	conn->snd_wl2 = d->ack;
	if (!ack) { /* simultaneous open */
		conn->state = HV_TCP_SYN_RECEIVED;
		hv_tcp_fast_open_crossed(conn);
		conn->send_syn = true;
		hv_tcp_mark(conn);
		hv_packet_free(hv_tcp_core(conn), packet);
		return;
	}
	hv_tcp_established(conn);
	hv_tcp_fast_open_answered(conn, d, &options);
	conn->ack_now = true;
	d->seq++;
	hv_tcp_receive_segment(conn, packet); /* data or FIN with it */
}

/*
 * A SYN with the sequence number of the first one, in SYN-RECEIVED. Returns true when the segment goes on
 * as if it had none: the SYN-ACK of a simultaneous open (RFC 9293 figure 8).
 */
static bool repeated_syn(struct hv_tcp_conn *conn, struct hv_packet *packet)
{
	if (packet->d.tcp_flags & HV_TCP_ACK) {
		packet->d.tcp_flags &= (uint8_t)~HV_TCP_SYN;
		packet->d.seq++;
		return true;
	}
	conn->send_syn = true; /* our SYN-ACK was lost */
	hv_tcp_mark(conn);
	drop(conn, packet, HV_DROP_TCP_DUPLICATE);
	return false;
}

/* First to fourth check of section 3.10.7.4. Returns false when the packet was consumed. */
static bool check_segment(struct hv_tcp_conn *conn, struct hv_packet *packet,
			  const struct hv_tcp_options *options)
{
	const struct hv_desc *d = &packet->d;
	uint32_t size = d->payload_len + !!(d->tcp_flags & HV_TCP_FIN);

	if (hv_tcp_paws_reject(conn, d, options)) {
		hv_tcp_send_challenge(conn); /* RFC 7323 section 5.3, R1 */
		drop(conn, packet, HV_DROP_TCP_PAWS);
		return false;
	}
	if (d->tcp_flags & HV_TCP_RST) {
		/* RFC 5961 section 3.2: exactly next resets; in the window asks back. */
		bool exact = d->seq == conn->rcv_nxt;

		if (!exact && hv_tcp_is_acceptable(conn, d->seq, 0))
			hv_tcp_send_challenge(conn);
		drop(conn, packet, exact ? HV_DROP_TCP_CLOSED : HV_DROP_TCP_WINDOW);
		if (exact)
			hv_tcp_reset_received(conn);
		return false;
	}
	if (d->tcp_flags & HV_TCP_SYN) { /* RFC 5961 section 4.2 */
		hv_tcp_send_challenge(conn);
		drop(conn, packet, HV_DROP_TCP_FLAGS);
		return false;
	}
	if (!hv_tcp_is_acceptable(conn, d->seq, size)) {
		/* Something that took sequence space waits for this ACK; bare ones are limited. */
		if (size) {
			if (d->payload_len &&
			    hv_seq_leq(d->seq + d->payload_len, conn->rcv_nxt))
				hv_tcp_note_duplicate(conn, d->seq, d->seq + d->payload_len);
			hv_tcp_send_ack(conn);
		} else {
			hv_tcp_send_challenge(conn);
		}
		drop(conn, packet,
		     size && hv_seq_leq(d->seq + size, conn->rcv_nxt) ? HV_DROP_TCP_DUPLICATE
								      : HV_DROP_TCP_WINDOW);
		return false;
	}
	if (!(d->tcp_flags & HV_TCP_ACK)) { /* fifth: no ACK, no processing */
		drop(conn, packet, HV_DROP_TCP_FLAGS);
		return false;
	}
	return true;
}

/* The ACK in SYN-RECEIVED. Returns false when the packet was consumed. */
static bool complete_handshake(struct hv_tcp_conn *conn, struct hv_packet *packet)
{
	uint32_t ack = packet->d.ack;

	if (hv_seq_leq(ack, conn->snd_una) || hv_seq_gt(ack, conn->snd_max)) {
		reset_unacceptable(conn, packet);
		return false;
	}
	if (conn->listener && !conn->ready && !hv_tcp_listener_has_room(conn->listener)) {
		/* Not complete for us: SYN-ACK goes out again, and the client repeats its data. */
		drop(conn, packet, HV_DROP_TCP_LISTEN_OVERFLOW);
		return false;
	}
	hv_tcp_established(conn);
	return true;
}

/* SYN-RECEIVED and all states after it: section 3.10.7.4. Consumes. */
static void segment_input(struct hv_tcp_conn *conn, struct hv_packet *packet)
{
	struct hv_tcp_options options;

	hv_tcp_options_read(&packet->d, &options);
	if (conn->state == HV_TCP_SYN_RECEIVED && (packet->d.tcp_flags & HV_TCP_SYN) &&
	    packet->d.seq == conn->irs && !repeated_syn(conn, packet))
		return;
	if (!check_segment(conn, packet, &options))
		return;
	if (conn->state == HV_TCP_SYN_RECEIVED && !complete_handshake(conn, packet))
		return;
	if (hv_tcp_ack_input(conn, &packet->d, &options) == HV_TCP_ACK_IGNORE) {
		drop(conn, packet, HV_DROP_TCP_ACK);
		return;
	}
	if (!conn->in_table) { /* the ACK ended it: LAST-ACK, CLOSING */
		hv_packet_free(hv_tcp_core(conn), packet);
		return;
	}
	hv_tcp_urgent_input(conn, &packet->d); /* sixth */
	hv_tcp_receive_segment(conn, packet);  /* seventh and eighth */
}

static void conn_input(struct hv_tcp_conn *conn, struct hv_packet *packet)
{
	hv_tcp_hold(conn);
	conn->received_ns = hv_tcp_now(conn);
	conn->keepalive_probes = 0;
	hv_tcp_count_in(conn, packet);
	if (conn->state == HV_TCP_SYN_SENT)
		syn_sent_input(conn, packet);
	else
		segment_input(conn, packet);
	hv_tcp_release(conn);
}

static void drop_for(struct hv_tcp *tcp, struct hv_packet *packet, int reason)
{
	if (reason == HV_DROP_COUNT)
		hv_packet_free(tcp->core, packet);
	else
		hv_drop(tcp->core, packet, reason);
}

/* A handshake may be complete with it. Consumes. */
static void half_open_input(struct hv_tcp *tcp, struct hv_tcp_half_open *half,
			    struct hv_packet *packet)
{
	int reason;
	struct hv_tcp_conn *conn = hv_tcp_half_open_input(half, packet, &reason);

	if (conn)
		conn_input(conn, packet);
	else
		drop_for(tcp, packet, reason);
}

/* An ACK to a listener that has nothing to acknowledge, but for the SYN cookies it may have sent. Consumes. */
static void listener_ack(struct hv_tcp_listener *listener, struct hv_packet *packet)
{
	int reason;
	struct hv_tcp_conn *conn = hv_tcp_syn_cookie_input(listener, packet, &reason);

	if (conn) {
		conn_input(conn, packet);
		return;
	}
	if (reason == HV_DROP_TCP_FLAGS || reason == HV_DROP_TCP_COOKIE)
		hv_tcp_send_reset_for(listener->tcp, packet);
	drop_for(listener->tcp, packet, reason);
}

/* Section 3.10.7.1. What the filter refuses looks alike, whether somebody listens or not. Consumes. */
static void nobody_input(struct hv_tcp *tcp, struct hv_packet *packet)
{
	uint8_t flags = packet->d.tcp_flags & (HV_TCP_SYN | HV_TCP_ACK | HV_TCP_FIN);
	int reason = flags == HV_TCP_SYN ? hv_tcp_filter_stray(tcp, packet) : HV_DROP_COUNT;

	if (reason == HV_DROP_COUNT) {
		hv_tcp_send_reset_for(tcp, packet);
		reason = HV_DROP_TCP_NO_SOCKET;
	}
	hv_drop(tcp->core, packet, reason);
}

/* No connection: listener, forwarder, or nobody (section 3.10.7.1 and .2). Consumes. */
static void stray_input(struct hv_tcp *tcp, struct hv_packet *packet, const uint32_t *iss_floor)
{
	const struct hv_desc *d = &packet->d;
	struct hv_bind *bind = hv_port_find_receiver(tcp->ports, IPPROTO_TCP, &d->dst,
						     d->dst_port, &d->src, d->src_port);
	struct hv_tcp_listener *listener = bind ? hv_tcp_listener_of(bind) : NULL;
	struct hv_tcp_options options;
	bool opens;
	int reason;

	if (d->tcp_flags & HV_TCP_RST) {
		hv_drop(tcp->core, packet, HV_DROP_TCP_NO_SOCKET);
		return;
	}
	if (listener && (d->tcp_flags & HV_TCP_ACK)) {
		listener_ack(listener, packet);
		return;
	}
	opens = (d->tcp_flags & (HV_TCP_SYN | HV_TCP_ACK | HV_TCP_FIN)) == HV_TCP_SYN;
	if (!listener && (!opens || !(tcp->forwarder && tcp->forwarder->tcp))) {
		nobody_input(tcp, packet);
		return;
	}
	if (!opens) { /* a listener ignores what neither opens nor acknowledges */
		hv_drop(tcp->core, packet, HV_DROP_TCP_FLAGS);
		return;
	}
	hv_tcp_options_read(d, &options);
	reason = listener ? hv_tcp_listen_input(listener, packet, &options, iss_floor)
			  : hv_tcp_request_new(tcp, packet, &options, iss_floor);
	drop_for(tcp, packet, reason);
}

void hv_tcp_input(void *ctx, struct hv_packet *packet)
{
	struct hv_tcp *tcp = ctx;
	const struct hv_desc *d = &packet->d;
	int reason = hv_wire_tcp_parse(packet);
	uint32_t iss_floor, *floor = NULL;
	struct hv_tuple *tuple;
	bool anew;

	if (reason != HV_DROP_COUNT) {
		hv_drop(tcp->core, packet, reason);
		return;
	}
	tcp->segments_in++;
	/* RFC 1122 section 4.2.3.10: never for or from many. */
	if (d->link_broadcast || hv_addr_is_multicast(&d->dst) ||
	    hv_addr_is_v4_broadcast(&d->dst)) {
		hv_drop(tcp->core, packet, HV_DROP_TCP_NO_SOCKET);
		return;
	}
	tuple = hv_port_find(tcp->ports, IPPROTO_TCP, &d->dst, d->dst_port, &d->src,
			     d->src_port);
	if (!tuple) {
		stray_input(tcp, packet, NULL);
		return;
	}
	switch (tuple->kind) {
	case HV_TCP_KIND_CONN:
		conn_input(hv_container(tuple, struct hv_tcp_conn, tuple), packet);
		return;
	case HV_TCP_KIND_HALF_OPEN:
		half_open_input(tcp, hv_container(tuple, struct hv_tcp_half_open, tuple),
				packet);
		return;
	case HV_TCP_KIND_TIME_WAIT:
		anew = hv_tcp_time_wait_input(tcp,
					      hv_container(tuple, struct hv_tcp_time_wait,
							   tuple),
					      packet, &iss_floor);
		floor = &iss_floor;
		break;
	default: /* HV_TCP_KIND_REQUEST */
		anew = hv_tcp_request_input(hv_container(tuple, struct haven_request, tuple),
					    packet);
		break;
	}
	if (anew)
		stray_input(tcp, packet, floor);
	else
		hv_packet_free(tcp->core, packet);
}

const char *hv_tcp_tuple_state(const struct hv_tuple *tuple, void **owner)
{
	enum hv_tcp_state state = HV_TCP_SYN_RECEIVED; /* of a request, or half-open */
	void *who = NULL;

	if (tuple->kind == HV_TCP_KIND_CONN) {
		const struct hv_tcp_conn *conn =
			hv_container(tuple, const struct hv_tcp_conn, tuple);

		state = conn->state;
		who = conn->owner;
	} else if (tuple->kind == HV_TCP_KIND_TIME_WAIT) {
		state = HV_TCP_TIME_WAIT;
	}
	if (owner)
		*owner = who;
	return hv_tcp_state_text(state);
}
