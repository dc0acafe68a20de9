/* Packets to the stack, made from steps; and what the stack sends, which is looked at and remembered. */
#include <string.h>

#include "fuzz/support/conversation.h"
#include "tcp/tcp_scoreboard.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

enum {
	PAYLOAD_MAX = 16384,
	HEADROOM =
		HV_IPV6_HEADER + 16, /* in front of a segment: IP header, and what follows it */
	SHAPE_OPTIONS = 4,	     /* IPv4 options, or an extension header of IPv6 */
	SHAPE_FRAGMENTS = 5,
	SHAPE_OVERLAP = 6, /* fragments that overlap */
	SHAPE_CORRUPT = 7,
	FRAGMENT_AT = 24,
};

static const uint8_t ours4[4] = {10, 0, 0, 1}, theirs4[4] = {10, 0, 0, 2},
		     others4[4] = {10, 9, 9, 9};
static const uint8_t ours6[16] = {0xfd, [15] = 1}, theirs6[16] = {0xfd, [15] = 2},
		     others6[16] = {0xfd, 9, [15] = 9};

struct hv_tcp_conn *conversation_conn(const struct conversation *c, const struct peer *peer)
{
	const struct hv_list *head = &c->stack->tcp.connections;

	for (struct hv_list *node = head->next; node != head; node = node->next) {
		struct hv_tcp_conn *conn = hv_container(node, struct hv_tcp_conn, all);

		if (conn->in_table && conn->tuple.remote_port == peer->port &&
		    conn->tuple.local_port == peer->stack_port &&
		    hv_tcp_is_v4(conn) == !peer->v6)
			return conn;
	}
	return NULL;
}

/* --- into the stack ------------------------------------------------------------------------------- */

static void hand_in(struct conversation *c, const uint8_t *packet, size_t size, bool checked)
{
	const struct haven_frame_offload offload = {.flags = checked ? 2 : 0};

	haven_link_custom_input(c->link, packet, size, &offload);
	haven_input(c->stack, 1, 16, c->now_ns);
}

static uint8_t *put_ipv4(const struct peer *peer, const struct step *step, uint8_t *p,
			 size_t size, uint8_t protocol, uint32_t offset, bool more)
{
	bool options = (step->shape & 7) == SHAPE_OPTIONS;
	struct hv_ipv4_header h = {
		.src = hv_addr_v4(theirs4),
		.dst = hv_addr_v4(peer->role == ROLE_FORWARDER ? others4 : ours4),
		.total_length = (uint16_t)(HV_IPV4_HEADER + size),
		.id = (uint16_t)(step->choice + step->seq_delta),
		.protocol = protocol,
		.ttl = step->shape & 32 ? 1 : 64,
		.more_fragments = more,
		.fragment_offset = (uint16_t)offset,
	};

	p -= HV_IPV4_HEADER;
	hv_wire_ipv4_write(p, &h);
	if (options) { /* eight bytes of them, between the header and the rest */
		static const uint8_t kinds[] = {1, 7, 68, 131, 137, 148, 0, 255};
		uint8_t list[8] = {kinds[step->extra & 7],
				   (uint8_t)(3 + (step->extra >> 3 & 7)), 4};

		memmove(p - 8, p, HV_IPV4_HEADER);
		p -= 8;
		memcpy(p + HV_IPV4_HEADER, list, 8);
		p[0] = 0x47;
		hv_put16(p + 2, (uint16_t)(h.total_length + 8));
	}
	p[1] = step->shape >> 3 & 3; /* ECN */
	memset(p + 10, 0, 2);
	hv_put_checksum(p + 10, hv_checksum(p, (size_t)(p[0] & 15) * 4));
	return p;
}

static uint8_t *put_ipv6(const struct peer *peer, const struct step *step, uint8_t *p,
			 size_t size, uint8_t protocol)
{
	struct hv_ipv6_header h = {
		.src = hv_addr_v6(theirs6),
		.dst = hv_addr_v6(peer->role == ROLE_FORWARDER ? others6 : ours6),
		.payload_length = (uint16_t)size,
		.next_header = protocol,
		.hop_limit = step->shape & 32 ? 1 : 64,
	};

	if ((step->shape & 7) ==
	    SHAPE_OPTIONS) { /* hop-by-hop, routing or destination options */
		static const uint8_t kinds[] = {0, 43, 60, 60};

		p -= 8;
		memset(p, 0, 8);
		p[0] = protocol;
		p[2] = step->extra >> 2;
		p[3] = step->extra & 128 ? 9 : 4;
		h.next_header = kinds[step->extra & 3];
		h.payload_length = (uint16_t)(size + 8);
	}
	p -= HV_IPV6_HEADER;
	hv_wire_ipv6_write(p, &h);
	p[1] |= (uint8_t)((step->shape >> 3 & 3) << 4); /* ECN */
	return p;
}

/* Two fragments of the packet at p, the second one first. */
static void hand_in_fragments(struct conversation *c, const struct peer *peer,
			      const struct step *step, const uint8_t *p, size_t size,
			      uint8_t protocol)
{
	bool overlap = (step->shape & 7) == SHAPE_OVERLAP;
	size_t at[2] = {overlap ? FRAGMENT_AT - 8 : FRAGMENT_AT, 0};
	size_t part[2] = {size - at[0], FRAGMENT_AT};
	struct step plain = *step;

	plain.shape &= (uint8_t)~7;
	for (int i = 0; i < 2; i++) {
		uint8_t packet[HEADROOM + HV_TCP_HEADER_MAX + PAYLOAD_MAX],
			*q = packet + HEADROOM;
		uint8_t *start;

		memcpy(q, p + at[i], part[i]);
		if (peer->v6) {
			q -= 8;
			hv_wire_ipv6_fragment_write(q, protocol, (uint16_t)at[i], i != 0,
						    step->choice);
			start = put_ipv6(peer, &plain, q, part[i] + 8, 44);
		} else {
			start = put_ipv4(peer, &plain, q, part[i], protocol, (uint32_t)at[i],
					 i != 0);
		}
		hand_in(c, start, (size_t)(packet + HEADROOM + part[i] - start), false);
	}
}

/* `size` bytes of a transport's packet at p, with HEADROOM in front; the checksum is filled in by the link's word. */
static void hand_in_ip(struct conversation *c, const struct peer *peer, const struct step *step,
		       uint8_t *p, size_t size, uint8_t protocol)
{
	unsigned shape = step->shape & 7;
	uint8_t *start;

	if ((shape == SHAPE_FRAGMENTS || shape == SHAPE_OVERLAP) && size > FRAGMENT_AT) {
		hand_in_fragments(c, peer, step, p, size, protocol);
		return;
	}
	start = peer->v6 ? put_ipv6(peer, step, p, size, protocol)
			 : put_ipv4(peer, step, p, size, protocol, 0, false);
	hand_in(c, start, (size_t)(p + size - start), shape != SHAPE_CORRUPT);
}

/* The checksum of a segment, with its pseudo-header: fragments are checked when they are whole. */
static void put_tcp_checksum(const struct peer *peer, uint8_t *p, size_t size)
{
	uint8_t pseudo[40 + HV_TCP_HEADER_MAX + PAYLOAD_MAX];
	size_t at = 0;

	if (peer->v6) {
		memcpy(pseudo, theirs6, 16);
		memcpy(pseudo + 16, peer->role == ROLE_FORWARDER ? others6 : ours6, 16);
		at = 32;
	} else {
		memcpy(pseudo, theirs4, 4);
		memcpy(pseudo + 4, peer->role == ROLE_FORWARDER ? others4 : ours4, 4);
		at = 8;
	}
	hv_put32(pseudo + at, (uint32_t)size);
	hv_put32(pseudo + at + 4, IPPROTO_TCP);
	memcpy(pseudo + at + 8, p, size);
	hv_put_checksum(p + 16, hv_checksum(pseudo, at + 8 + size));
}

/* --- a segment ------------------------------------------------------------------------------------ */

static uint32_t base_of_seq(const struct peer *peer, const struct hv_tcp_conn *conn,
			    unsigned base)
{
	if (!conn)
		return base == SEQ_IRS	     ? peer->irs
		       : base == SEQ_NATURAL ? peer->irs + peer->furthest
		       : peer->seen	     ? peer->seen_ack
					     : peer->irs;
	switch (base) {
	case SEQ_RCV_EDGE:
		return conn->rcv_edge;
	case SEQ_IRS:
		return conn->irs;
	case SEQ_ACK_SENT:
		return conn->ack_sent;
	case SEQ_NATURAL:
		return peer->irs + peer->furthest;
	case SEQ_MIDDLE:
		return conn->rcv_nxt + (conn->rcv_edge - conn->rcv_nxt) / 2;
	case SEQ_BEFORE:
		return conn->rcv_nxt - 1;
	default:
		/* In SYN-SENT nothing is expected yet. */
		return conn->state == HV_TCP_SYN_SENT ? peer->irs : conn->rcv_nxt;
	}
}

static uint32_t base_of_ack(const struct peer *peer, const struct hv_tcp_conn *conn,
			    unsigned base)
{
	if (!conn)
		return peer->seen_end;
	switch (base) {
	case ACK_UNA:
		return conn->snd_una;
	case ACK_MSS:
		return conn->snd_una + conn->mss;
	case ACK_MIDDLE:
		return conn->snd_una + (conn->snd_max - conn->snd_una) / 2;
	case ACK_ISS:
		return conn->iss;
	case ACK_BEFORE:
		return conn->snd_una - 1;
	case ACK_BEYOND:
		return conn->snd_max + 1;
	default:
		return conn->snd_max;
	}
}

static uint32_t scaled(const struct hv_tcp_conn *conn, int16_t delta, unsigned scale)
{
	switch (scale & 3) {
	case 2:
		return (uint32_t)(delta * (int32_t)(conn ? conn->mss : 1000));
	case 3:
		return (uint32_t)delta << 16;
	default:
		return (uint32_t)delta;
	}
}

/* Blocks at the borders of records, or near to them. */
static void draw_sack(const struct hv_tcp_conn *conn, const struct step *step,
		      struct hv_tcp_options *options)
{
	uint32_t mixed = step->choice * UINT32_C(2654435761) + step->extra * UINT32_C(40503);
	const struct hv_tcp_sent *sent = conn && conn->flight ? conn->flight->first : NULL;
	uint32_t flight = conn ? conn->snd_max - conn->snd_una + 1 : 3000;
	uint32_t left = conn ? conn->snd_una : 0;

	options->sack_count = (uint8_t)(1 + (step->choice & 3));
	for (unsigned i = 0; i < options->sack_count; i++) {
		mixed = mixed * UINT32_C(1664525) + 1013904223;
		for (unsigned skip = mixed >> 28; sent && sent->next && skip > 0; skip--)
			sent = sent->next;
		options->sack[i][0] =
			sent && mixed & 1 ? sent->seq : left + (mixed >> 8) % flight;
		options->sack[i][1] = sent && mixed & 2
					      ? sent->end
					      : options->sack[i][0] + (mixed >> 4) % 5000;
	}
	if (step->options & OPTION_DSACK) {
		options->sack[0][0] = left - 500;
		options->sack[0][1] = left - (step->extra & 1 ? 0 : 400);
	}
}

static unsigned put_options(const struct conversation *c, const struct peer *peer,
			    const struct hv_tcp_conn *conn, const struct step *step, uint8_t *p)
{
	static const uint8_t scales[] = {0, 7, 14, 15, 255, 1, 2, 3};
	struct hv_tcp_options options = {
		.has_mss = step->options & OPTION_MSS,
		.mss = (uint16_t)(step->size ? step->size : 1460),
		.has_window_scale = step->options & OPTION_SCALE,
		.window_scale = scales[step->extra & 7],
		.sack_permitted = step->options & OPTION_SACK_OK,
		.has_timestamps = step->options & OPTION_TIMESTAMP,
		.ts_value =
			(uint32_t)(c->now_ns / HV_TCP_MS) + (uint32_t)(step->time_delta * 16),
		.ts_echo = peer->seen_time,
	};
	unsigned size;

	if (step->flags & HV_TCP_SYN && step->shape & 64) {
		options.has_fast_open = true;
		options.fast_open = peer->cookie;
		options.fast_open_len = peer->cookie_len;
	}
	if (step->options & OPTION_WRONG_TIME)
		options.ts_echo += (uint32_t)((step->extra - 128) * 1000);
	if (step->options & OPTION_SACK)
		draw_sack(conn, step, &options);
	size = hv_wire_tcp_options_write(p, &options);
	if (step->options & OPTION_RUBBISH && size <= 32) {
		const uint8_t rubbish[8] = {step->choice,
					    (uint8_t)(step->extra & 15),
					    step->choice,
					    step->extra,
					    1,
					    253,
					    8,
					    2};

		memcpy(p + size, rubbish, 8);
		size += 8;
	}
	return size;
}

/* What may be acknowledged from now on. */
static void note(struct peer *peer, const struct hv_tcp_conn *conn, uint32_t seq, uint32_t end,
		 uint8_t flags)
{
	uint32_t irs = conn && conn->state != HV_TCP_SYN_SENT ? conn->irs : peer->irs;

	if (!conn && flags & HV_TCP_SYN)
		irs = seq;
	if (irs != peer->irs) /* it is not known which of both there will be: anything may be */
		peer->furthest = UINT32_C(1) << 30;
	if (conn && conn->state == HV_TCP_SYN_SENT && flags & HV_TCP_SYN)
		irs = seq;
	peer->irs = irs;
	if (end - irs < UINT32_C(1) << 30 && end - irs > peer->furthest)
		peer->furthest = end - irs;
}

void conversation_segment(struct conversation *c, const struct step *step)
{
	struct peer *peer = &c->peers[step->peer % CONVERSATION_PEERS];
	struct hv_tcp_conn *conn = conversation_conn(c, peer);
	uint8_t packet[HEADROOM + HV_TCP_HEADER_MAX + PAYLOAD_MAX], *p = packet + HEADROOM;
	uint32_t size =
		step->flags & HV_TCP_SYN && !(step->shape & 128) ? 0 : step->size % PAYLOAD_MAX;
	struct hv_tcp_header h = {
		.src_port = peer->port,
		.dst_port = peer->stack_port,
		.seq = base_of_seq(peer, conn, step->base & 15) +
		       scaled(conn, step->seq_delta, step->scale),
		.ack = base_of_ack(peer, conn, step->base >> 4) +
		       scaled(conn, step->ack_delta, step->scale >> 2),
		.flags = step->flags,
		.window = step->window,
		.urgent = step->flags & HV_TCP_URG ? step->extra : 0,
	};
	uint32_t end = h.seq + size + !!(h.flags & HV_TCP_SYN) + !!(h.flags & HV_TCP_FIN);
	uint32_t first = h.seq + !!(h.flags & HV_TCP_SYN);

	h.options_len = (uint8_t)put_options(c, peer, conn, step, p + HV_TCP_HEADER);
	hv_wire_tcp_write(p, &h);
	for (uint32_t i = 0; i < size; i++)
		p[HV_TCP_HEADER + h.options_len + i] = peer_byte(peer, first + i);
	size += HV_TCP_HEADER + h.options_len;
	put_tcp_checksum(peer, p, size);
	if ((step->shape & 7) == SHAPE_CORRUPT)
		p[16] ^= 1;
	else
		note(peer, conn, h.seq, end, h.flags);
	hand_in_ip(c, peer, step, p, size, IPPROTO_TCP);
}

/* --- a peer that behaves -------------------------------------------------------------------------- */

void conversation_polite(struct conversation *c, const struct step *step)
{
	const struct peer *peer = &c->peers[step->peer % CONVERSATION_PEERS];
	const struct hv_tcp_conn *conn = conversation_conn(c, peer);
	struct step next = {
		.peer = step->peer,
		.flags = HV_TCP_ACK,
		.window = step->window,
		/* Without conn it may be half-open. */
		.options = (conn ? conn->timestamps : peer->seen_time) ? OPTION_TIMESTAMP : 0,
		.extra = step->extra,
		.choice = step->choice >> 3,
		.shape = step->shape,
	};
	const uint8_t all = OPTION_MSS | OPTION_SCALE | OPTION_SACK_OK | OPTION_TIMESTAMP;

	switch (step->choice & 7) {
	case 0: /* begins: with SYN, or answers one */
		next.flags = peer->role == ROLE_ACTIVE ? HV_TCP_SYN | HV_TCP_ACK : HV_TCP_SYN;
		next.options = all & ~step->options;
		next.base = SEQ_IRS;
		next.size = 1460;
		break;
	case 1:
	case 2: /* data */
		next.size = step->size;
		next.flags |= HV_TCP_PSH;
		break;
	case 3: /* the end of its stream */
		next.flags |= HV_TCP_FIN;
		break;
	case 4:
		next.flags = HV_TCP_RST;
		break;
	case 5: /* what came last was not there, but the one before: a hole */
		next.base = ACK_UNA << 4;
		next.options |= OPTION_SACK;
		break;
	default: /* everything has arrived */
		break;
	}
	conversation_segment(c, &next);
}

/* --- ICMP about what the stack has sent --------------------------------------------------------- */

void conversation_icmp(struct conversation *c, const struct step *step)
{
	static const uint8_t kinds4[][2] = {{3, 4},  {3, 0}, {3, 1},  {3, 3},
					    {3, 13}, {4, 0}, {11, 0}, {12, 0}};
	static const uint8_t kinds6[][2] = {{2, 0}, {1, 0}, {1, 3}, {1, 4},
					    {3, 0}, {4, 0}, {4, 1}, {1, 1}};
	const struct peer *peer = &c->peers[step->peer % CONVERSATION_PEERS];
	const uint8_t *kind = peer->v6 ? kinds6[step->choice & 7] : kinds4[step->choice & 7];
	uint8_t packet[HEADROOM + 8 + CONVERSATION_QUOTE], *p = packet + HEADROOM;
	uint8_t *tcp = p + 8 + (peer->v6 ? HV_IPV6_HEADER : HV_IPV4_HEADER);
	size_t size = 8 + peer->quote_size;
	struct step plain = {.peer = step->peer, .shape = step->shape & 32};
	struct peer host = *peer;

	if (!peer->quote_size)
		return;
	memset(p, 0, 8);
	p[0] = kind[0];
	p[1] = kind[1];
	hv_put32(p + 4, step->window);
	memcpy(p + 8, peer->quote, peer->quote_size);
	hv_put32(tcp + 4, hv_get32(tcp + 4) + scaled(conversation_conn(c, peer),
						     step->seq_delta, step->scale));
	if (step->size && step->size < size)
		size = step->size;
	/* For the stack itself, also when the segment was sent for somebody behind it. */
	if (peer->role == ROLE_FORWARDER && step->extra & 1)
		host.role = ROLE_LISTENER;
	hand_in_ip(c, &host, &plain, p, size, peer->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* --- out of the stack ------------------------------------------------------------------------------ */

static void look(struct conversation *c, struct peer *peer, const uint8_t *tcp, size_t size)
{
	const struct hv_tcp_conn *conn = conversation_conn(c, peer);
	uint32_t header = (uint32_t)(tcp[12] >> 4) * 4, seq = hv_get32(tcp + 4), end;
	struct hv_tcp_options options;
	uint8_t flags = tcp[13];

	conversation_must(header >= HV_TCP_HEADER && header <= size, "a bad header", conn);
	end = seq + (uint32_t)(size - header) + !!(flags & HV_TCP_SYN) + !!(flags & HV_TCP_FIN);
	for (size_t i = header; i < size; i++)
		conversation_must(tcp[i] == stack_byte(peer, seq + !!(flags & HV_TCP_SYN) +
								     (uint32_t)(i - header)),
				  "bytes that the program did not write there", conn);
	if (flags & HV_TCP_RST)
		return;
	peer->seen = true;
	peer->seen_end = end;
	if (flags & HV_TCP_ACK) {
		peer->seen_ack = hv_get32(tcp + 8);
		if (conn && conn->irs == peer->irs && conn->state != HV_TCP_SYN_SENT)
			conversation_must(peer->seen_ack - peer->irs <= peer->furthest,
					  "an ACK of what was never sent", conn);
	}
	hv_wire_tcp_options_parse(tcp + HV_TCP_HEADER, header - HV_TCP_HEADER, &options);
	if (options.has_timestamps)
		peer->seen_time = options.ts_value;
	if (options.has_fast_open) {
		peer->cookie_len = options.fast_open_len;
		memcpy(peer->cookie, options.fast_open, options.fast_open_len);
	}
}

int conversation_sent(void *user, const struct iovec *iov, int count,
		      const struct haven_frame_offload *offload)
{
	struct conversation *c = user;
	static uint8_t packet[65536 + 256];
	size_t size = 0, skip;
	uint8_t protocol;

	(void)offload;
	for (int i = 0; i < count; i++) {
		conversation_must(size + iov[i].iov_len <= 65575, "a packet beyond 64 KiB",
				  NULL);
		memcpy(packet + size, iov[i].iov_base, iov[i].iov_len);
		size += iov[i].iov_len;
	}
	if (c->busy) {
		c->busy--;
		return -EAGAIN;
	}
	skip = packet[0] >> 4 == 6 ? HV_IPV6_HEADER : HV_IPV4_HEADER;
	protocol = packet[0] >> 4 == 6 ? packet[6] : packet[9];
	if (protocol != IPPROTO_TCP || size < skip + HV_TCP_HEADER)
		return 0;
	for (unsigned i = 0; i < CONVERSATION_PEERS; i++) {
		struct peer *peer = &c->peers[i];

		if (peer->v6 != (skip == HV_IPV6_HEADER) ||
		    peer->port != hv_get16(packet + skip + 2) ||
		    peer->stack_port != hv_get16(packet + skip))
			continue;
		look(c, peer, packet + skip, size - skip);
		peer->quote_size = size < CONVERSATION_QUOTE ? size : CONVERSATION_QUOTE;
		memcpy(peer->quote, packet, peer->quote_size);
	}
	return 0;
}
