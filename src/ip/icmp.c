/*
 * What ICMP and ICMPv6 have in common: errors that we send and their limits, reports to
 * transports, echo replies.
 */
#include <haven/forward.h>

#include <netinet/in.h>

#include "ip/ip_state.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define SECOND_NS UINT64_C(1000000000)

static void bucket_fill(struct hv_icmp_bucket *bucket, uint64_t now_ns, uint64_t most_ns)
{
	bucket->tokens_ns += now_ns - bucket->updated_ns;
	if (bucket->tokens_ns > most_ns)
		bucket->tokens_ns = most_ns;
	bucket->updated_ns = now_ns;
}

void hv_icmp_limiter_init(struct hv_ip *ip)
{
	struct hv_icmp_limiter *limiter = &ip->limiter;
	uint64_t now_ns = ip->core->now_ns;

	limiter->all =
		(struct hv_icmp_bucket){now_ns, HV_ICMP_BURST * (SECOND_NS / HV_ICMP_RATE)};
	for (unsigned i = 0; i < HV_ICMP_PEERS; i++)
		limiter->peers[i] = (struct hv_icmp_bucket){
			now_ns, HV_ICMP_PEER_BURST * (SECOND_NS / HV_ICMP_PEER_RATE)};
}

bool hv_icmp_limiter_take(struct hv_ip *ip, const struct hv_addr *to)
{
	const uint64_t price_ns = SECOND_NS / HV_ICMP_RATE;
	const uint64_t peer_price_ns = SECOND_NS / HV_ICMP_PEER_RATE;
	uint64_t hash = hv_siphash(&ip->core->hash_key, to, sizeof(*to));
	struct hv_icmp_bucket *peer = &ip->limiter.peers[hash % HV_ICMP_PEERS];
	struct hv_icmp_bucket *all = &ip->limiter.all;

	bucket_fill(all, ip->core->now_ns, HV_ICMP_BURST * price_ns);
	bucket_fill(peer, ip->core->now_ns, HV_ICMP_PEER_BURST * peer_price_ns);
	if (all->tokens_ns < price_ns || peer->tokens_ns < peer_price_ns) {
		ip->core->drops[HV_DROP_ICMP_RATE]++;
		return false;
	}
	all->tokens_ns -= price_ns;
	peer->tokens_ns -= peer_price_ns;
	return true;
}

/* Finish the checksum and send. */
static int send_message(struct hv_ip *ip, const struct hv_addr *src, const struct hv_addr *dst,
			struct hv_packet *packet)
{
	bool is_v4 = hv_addr_is_v4(dst);
	struct hv_ip_tx tx = {.src = *src,
			      .dst = *dst,
			      .proto = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6};

	if (is_v4)
		hv_wire_icmp4_finish(packet->data, packet->len);
	else
		hv_wire_icmp6_finish(packet->data, packet->len, src, dst);
	return hv_ip_output(ip, &tx, packet);
}

/* How much of a packet an error may quote. */
static uint32_t quote_limit(bool is_v4)
{
	return is_v4 ? HV_ICMP4_ERROR_MAX - HV_IPV4_HEADER - HV_ICMP_HEADER
		     : HV_ICMP6_ERROR_MAX - HV_IPV6_HEADER - HV_ICMP_HEADER;
}

int hv_icmp_error_output(struct hv_ip *ip, const struct hv_icmp_message *message,
			 const struct hv_addr *offender, const struct hv_addr *to,
			 const uint8_t *quote, uint32_t quote_len)
{
	uint32_t limit = quote_limit(hv_addr_is_v4(to));
	struct hv_packet *packet;
	struct hv_addr src;
	int error;

	if (offender && !hv_ip_is_unspecified(offender) &&
	    hv_addr_is_v4(offender) == hv_addr_is_v4(to)) {
		src = *offender;
	} else {
		error = hv_ip_source(ip, to, &src);
		if (error)
			return -ENETUNREACH;
	}
	if (!hv_icmp_limiter_take(ip, to))
		return -EAGAIN;
	if (quote_len > limit)
		quote_len = limit;
	packet = hv_packet_new(ip->core, HV_PACKET_HEADROOM, HV_ICMP_HEADER + quote_len);
	if (!packet) {
		ip->core->drops[HV_DROP_NO_MEMORY]++;
		return -ENOMEM;
	}
	hv_icmp_write(hv_packet_append(packet, HV_ICMP_HEADER), message->type, message->code,
		      message->rest);
	memcpy(hv_packet_append(packet, quote_len), quote, quote_len);
	return send_message(ip, &src, to, packet);
}

/*
 * RFC 1122 section 3.2.2, RFC 1812 section 4.3.2.7, RFC 4443 section 2.4(e): never about an error,
 * to or from a group, about a broadcast frame, to a source that names no single host. (Fragments but
 * the first are turned away where they are seen: afterwards packets are whole.)
 */
static bool may_tell(const struct hv_packet *packet, bool multicast_too)
{
	const struct hv_desc *d = &packet->d;
	bool is_v4 = hv_addr_is_v4(&d->dst);

	if (hv_ip_is_unspecified(&d->src) || hv_addr_is_multicast(&d->src) ||
	    hv_addr_is_loopback(&d->src) || hv_addr_is_v4_broadcast(&d->src))
		return false;
	if (d->link_broadcast || hv_addr_is_multicast(&d->dst) ||
	    hv_addr_is_v4_broadcast(&d->dst))
		return multicast_too && !is_v4 && hv_addr_is_multicast(&d->dst);
	if (d->proto == (is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		if (d->payload_len == 0)
			return false;
		return is_v4 ? !hv_icmp4_is_error(hv_icmp_type(d->l4))
			     : !hv_icmp6_is_error(hv_icmp_type(d->l4)) &&
				       hv_icmp_type(d->l4) != HV_ND_REDIRECT;
	}
	return true;
}

void hv_icmp_error_about(struct hv_ip *ip, const struct hv_packet *packet,
			 const struct hv_icmp_message *message, const struct hv_addr *offender,
			 bool multicast_too)
{
	const struct hv_desc *d = &packet->d;
	uint32_t size = (uint32_t)(packet->data + packet->len - d->l3);

	if (!may_tell(packet, multicast_too))
		return;
	if (!offender && hv_ip_is_local(ip, &d->dst))
		offender = &d->dst;
	if (!offender) {
		const struct hv_ip_address *ours =
			hv_ip_link_source(ip, hv_ip_link(ip, d->ifindex), &d->src);

		if (ours)
			offender = &ours->addr;
	}
	hv_icmp_error_output(ip, message, offender, &d->src, d->l3, size);
}

/* What haven_icmp_kind is in each family. */
static bool message_of(int kind, uint32_t mtu, bool is_v4, struct hv_icmp_message *out)
{
	static const struct {
		uint8_t v4[2], v6[2];
	} table[] = {
		[HAVEN_ICMP_NET_UNREACHABLE] = {{HV_ICMP4_UNREACHABLE, HV_ICMP4_NET},
						{HV_ICMP6_UNREACHABLE, HV_ICMP6_NO_ROUTE}},
		[HAVEN_ICMP_HOST_UNREACHABLE] = {{HV_ICMP4_UNREACHABLE, HV_ICMP4_HOST},
						 {HV_ICMP6_UNREACHABLE, HV_ICMP6_ADDRESS}},
		[HAVEN_ICMP_PORT_UNREACHABLE] = {{HV_ICMP4_UNREACHABLE,
						  HV_ICMP4_PORT_UNREACHABLE},
						 {HV_ICMP6_UNREACHABLE,
						  HV_ICMP6_PORT_UNREACHABLE}},
		[HAVEN_ICMP_PROHIBITED] = {{HV_ICMP4_UNREACHABLE, HV_ICMP4_PROHIBITED},
					   {HV_ICMP6_UNREACHABLE, HV_ICMP6_PROHIBITED}},
		[HAVEN_ICMP_TOO_BIG] = {{HV_ICMP4_UNREACHABLE, HV_ICMP4_TOO_BIG},
					{HV_ICMP6_TOO_BIG, 0}},
		[HAVEN_ICMP_TIME_EXCEEDED] = {{HV_ICMP4_TIME_EXCEEDED,
					       HV_ICMP_EXCEEDED_TRANSIT},
					      {HV_ICMP6_TIME_EXCEEDED,
					       HV_ICMP_EXCEEDED_TRANSIT}},
	};

	if (kind < 0 || kind > HAVEN_ICMP_TIME_EXCEEDED)
		return false;
	out->type = is_v4 ? table[kind].v4[0] : table[kind].v6[0];
	out->code = is_v4 ? table[kind].v4[1] : table[kind].v6[1];
	/* IPv4 has 16 bits for it (RFC 1191 section 4). */
	out->rest = kind != HAVEN_ICMP_TOO_BIG	? 0
		    : is_v4 && mtu > UINT16_MAX ? UINT16_MAX
						: mtu;
	return true;
}

void hv_ip_unreachable(struct hv_ip *ip, const struct hv_packet *packet, int kind, uint32_t mtu,
		       const struct hv_addr *offender)
{
	struct hv_icmp_message message;

	if (message_of(kind, mtu, hv_addr_is_v4(&packet->d.dst), &message))
		hv_icmp_error_about(ip, packet, &message, offender, kind == HAVEN_ICMP_TOO_BIG);
}

int hv_ip_icmp_error_output(struct hv_ip *ip, int kind, uint32_t mtu,
			    const struct hv_addr *offender, const struct hv_addr *to,
			    const uint8_t *quote, uint32_t quote_len)
{
	struct hv_icmp_message message;

	if (!message_of(kind, mtu, hv_addr_is_v4(to), &message))
		return -EINVAL;
	return hv_icmp_error_output(ip, &message, offender, to, quote, quote_len);
}

int hv_ip_echo_reply(struct hv_ip *ip, const struct hv_addr *src, const struct hv_addr *dst,
		     uint16_t identifier, uint16_t sequence, const uint8_t *data, uint32_t size)
{
	uint8_t type = hv_addr_is_v4(dst) ? HV_ICMP4_ECHO_REPLY : HV_ICMP6_ECHO_REPLY;
	struct hv_packet *packet;

	if (size > UINT16_MAX - HV_ICMP_HEADER)
		return -EMSGSIZE;
	packet = hv_packet_new(ip->core, HV_PACKET_HEADROOM, HV_ICMP_HEADER + size);
	if (!packet) {
		ip->core->drops[HV_DROP_NO_MEMORY]++;
		return -ENOMEM;
	}
	hv_icmp_write_echo(hv_packet_append(packet, HV_ICMP_HEADER), type, identifier,
			   sequence);
	if (size > 0)
		memcpy(hv_packet_append(packet, size), data, size);
	return send_message(ip, src, dst, packet);
}

bool hv_icmp_may_echo(struct hv_ip *ip, const struct hv_packet *packet)
{
	enum hv_ip_echo_verdict verdict = ip->echo_filter
						  ? ip->echo_filter(ip->echo_filter_ctx, packet)
						  : HV_IP_ECHO_ANSWER;

	if (verdict == HV_IP_ECHO_ANSWER)
		return true;
	if (verdict == HV_IP_ECHO_REFUSE)
		hv_ip_unreachable(ip, packet, HAVEN_ICMP_PROHIBITED, 0, NULL);
	return false;
}

void hv_icmp_report(struct hv_ip *ip, const struct hv_icmp_report *report)
{
	const struct hv_ip_transport *transport = NULL;

	if (report->proto == IPPROTO_TCP)
		transport = &ip->tcp;
	else if (report->proto == IPPROTO_UDP)
		transport = &ip->udp;
	/* TCP can tell whether the packet was really under way; who cannot has to believe (RFC 5927 section 7). */
	if (report->error == EMSGSIZE && report->mtu && !(transport && transport->checks_mtu))
		hv_ip_mtu_note(ip, &report->dst, report->mtu);
	if (!transport)
		return;
	/* Transports need 8 bytes to know whose it was (RFC 792). */
	if (transport->icmp_error && report->transport_len >= 8)
		transport->icmp_error(transport->ctx, report);
}

void hv_icmp_report_local(struct hv_ip *ip, const struct hv_packet *packet, int error)
{
	struct hv_icmp_report report = {.error = error};
	uint32_t header;

	if (packet->data[0] >> 4 == 4) {
		struct hv_ipv4_header h;

		if (!hv_wire_ipv4_parse_quote(packet->data, packet->len, &h) ||
		    h.fragment_offset)
			return;
		report.src = h.src;
		report.dst = h.dst;
		report.proto = h.protocol;
		header = h.header_length;
	} else {
		struct hv_ipv6_walk walk;

		if (hv_wire_ipv6_walk(packet->data, packet->len, &walk) != HV_DROP_COUNT ||
		    walk.fragment_offset)
			return;
		report.src = hv_addr_v6(hv_ipv6_src(packet->data));
		report.dst = hv_addr_v6(hv_ipv6_dst(packet->data));
		report.proto = walk.proto;
		header = walk.offset;
	}
	report.offender = report.src;
	report.transport = packet->data + header;
	report.transport_len = packet->len - header;
	hv_icmp_report(ip, &report);
}
