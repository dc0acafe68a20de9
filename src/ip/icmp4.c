/* ICMP for IPv4 on the way in (RFC 792, RFC 1122 section 3.2.2): echo requests and errors. */
#include <netinet/in.h>

#include "ip/ip_state.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

/* What an unreachable code means to a transport (RFC 1122 sections 3.2.2.1 and 4.2.3.9). */
static const struct {
	int error;
	bool hard;
} unreachable_codes[] = {
	[HV_ICMP4_NET] = {ENETUNREACH, false},
	[HV_ICMP4_HOST] = {EHOSTUNREACH, false},
	[HV_ICMP4_PROTOCOL] = {EPROTO, true},
	[HV_ICMP4_PORT_UNREACHABLE] = {ECONNREFUSED, true},
	[HV_ICMP4_TOO_BIG] = {EMSGSIZE, false},
	[HV_ICMP4_SOURCE_ROUTE] = {EHOSTUNREACH, false},
	[HV_ICMP4_NET_UNKNOWN] = {ENETUNREACH, false},
	[HV_ICMP4_HOST_UNKNOWN] = {EHOSTUNREACH, false},
	[8 /* source host isolated */] = {EHOSTUNREACH, false},
	[HV_ICMP4_NET_PROHIBITED] = {EACCES, false},
	[HV_ICMP4_HOST_PROHIBITED] = {EACCES, false},
	[11 /* network, for this service */] = {ENETUNREACH, false},
	[12 /* host, for this service */] = {EHOSTUNREACH, false},
	[HV_ICMP4_PROHIBITED] = {EACCES, false},
	[14 /* precedence violation */] = {EHOSTUNREACH, false},
	[15 /* precedence cut-off */] = {EHOSTUNREACH, false},
};

static bool classify(const uint8_t *message, struct hv_icmp_report *report)
{
	uint8_t code = hv_icmp_code(message);

	switch (hv_icmp_type(message)) {
	case HV_ICMP4_UNREACHABLE:
		if (code >= sizeof(unreachable_codes) / sizeof(unreachable_codes[0]))
			return false;
		report->error = unreachable_codes[code].error;
		report->hard = unreachable_codes[code].hard;
		return true;
	case HV_ICMP4_TIME_EXCEEDED:
		report->error = EHOSTUNREACH;
		return true;
	case HV_ICMP4_PARAMETER:
		report->error = EPROTO;
		return true;
	default: /* source quench (RFC 6633) and redirect change nothing */
		return false;
	}
}

/* RFC 1122 section 3.2.2: find out whose packet it was. False: not for us. */
static bool error_input(struct hv_ip *ip, const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	const uint8_t *quote = d->l4 + HV_ICMP_HEADER;
	uint32_t quote_len = d->payload_len - HV_ICMP_HEADER;
	struct hv_icmp_report report = {.offender = d->src};
	struct hv_ipv4_header h;

	if (!classify(d->l4, &report) || !hv_wire_ipv4_parse_quote(quote, quote_len, &h))
		return false;
	/* It comes back to where the packet was from. Fragments but the first say nothing. */
	if (!hv_addr_equal(&h.src, &d->dst) || h.fragment_offset)
		return false;
	report.src = h.src;
	report.dst = h.dst;
	report.proto = h.protocol;
	report.transport = quote + h.header_length;
	report.transport_len = quote_len - h.header_length;
	if (report.error == EMSGSIZE) {
		report.mtu = hv_path_mtu_claimed(&h.dst, hv_icmp4_mtu(d->l4), h.total_length);
		if (report.mtu == 0)
			return false;
	}
	hv_icmp_report(ip, &report);
	return true;
}

static bool echo_input(struct hv_ip *ip, const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;

	/* Broadcast echo makes floods (RFC 1122 section 3.2.2.6 allows silence). */
	if (d->link_broadcast)
		return false;
	if (hv_ip_is_local(ip, &d->dst)) {
		if (!hv_icmp_may_echo(ip, packet))
			return true;
		hv_ip_echo_reply(ip, &d->dst, &d->src, hv_icmp_identifier(d->l4),
				 hv_icmp_sequence(d->l4), d->l4 + HV_ICMP_HEADER,
				 d->payload_len - HV_ICMP_HEADER);
		return true;
	}
	if (!ip->echo)
		return false;
	ip->echo(ip->echo_ctx, packet);
	return true;
}

void hv_icmp4_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	bool done;

	(void)link;
	if (d->payload_len < HV_ICMP_HEADER ||
	    (packet->csum == HV_CSUM_NONE && !hv_wire_icmp4_check(d->l4, d->payload_len))) {
		hv_drop(ip->core, packet, HV_DROP_ICMP_INVALID);
		return;
	}
	if (hv_icmp_type(d->l4) == HV_ICMP4_ECHO_REQUEST)
		done = echo_input(ip, packet);
	else
		done = hv_icmp4_is_error(hv_icmp_type(d->l4)) && !d->link_broadcast &&
		       error_input(ip, packet);
	if (done)
		hv_packet_free(ip->core, packet);
	else
		hv_drop(ip->core, packet, HV_DROP_ICMP_IGNORED);
}
