/* ICMPv6 on the way in (RFC 4443): echo requests, errors, and neighbour discovery to ndp.c. */
#include <netinet/in.h>

#include "ip/ip_state.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

/* RFC 4443 section 3.1; RFC 5461 section 4 for which are hard. */
static const struct {
	int error;
	bool hard;
} unreachable_codes[] = {
	[HV_ICMP6_NO_ROUTE] = {ENETUNREACH, false},
	[HV_ICMP6_PROHIBITED] = {EACCES, false},
	[HV_ICMP6_BEYOND_SCOPE] = {EHOSTUNREACH, false},
	[HV_ICMP6_ADDRESS] = {EHOSTUNREACH, false},
	[HV_ICMP6_PORT_UNREACHABLE] = {ECONNREFUSED, true},
	[HV_ICMP6_POLICY] = {EACCES, false},
	[HV_ICMP6_REJECT] = {EACCES, false},
};

static bool classify(const uint8_t *message, struct hv_icmp_report *report)
{
	uint8_t code = hv_icmp_code(message);

	switch (hv_icmp_type(message)) {
	case HV_ICMP6_UNREACHABLE:
		if (code >= sizeof(unreachable_codes) / sizeof(unreachable_codes[0]))
			return false;
		report->error = unreachable_codes[code].error;
		report->hard = unreachable_codes[code].hard;
		return true;
	case HV_ICMP6_TOO_BIG:
		report->error = EMSGSIZE;
		return true;
	case HV_ICMP6_TIME_EXCEEDED:
		report->error = EHOSTUNREACH;
		return true;
	case HV_ICMP6_PARAMETER:
		report->error = EPROTO;
		report->hard = code == HV_ICMP6_PROBLEM_NEXT_HEADER;
		return true;
	default:
		return false;
	}
}

/* RFC 4443 section 2.4(d). False: not for us. */
static bool error_input(struct hv_ip *ip, const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	const uint8_t *quote = d->l4 + HV_ICMP_HEADER;
	uint32_t quote_len = d->payload_len - HV_ICMP_HEADER;
	struct hv_icmp_report report = {.offender = d->src};
	struct hv_ipv6_header h;
	struct hv_ipv6_walk walk;

	if (!classify(d->l4, &report) || !hv_wire_ipv6_parse_quote(quote, quote_len, &h) ||
	    hv_wire_ipv6_walk(quote, quote_len, &walk) != HV_DROP_COUNT)
		return false;
	if (!hv_addr_equal(&h.src, &d->dst) || walk.fragment_offset || hv_addr_is_v4(&h.dst))
		return false;
	report.src = h.src;
	report.dst = h.dst;
	report.proto = walk.proto;
	report.transport = quote + walk.offset;
	report.transport_len = quote_len - walk.offset;
	if (report.error == EMSGSIZE) {
		report.mtu = hv_path_mtu_claimed(&h.dst, hv_icmp6_mtu(d->l4),
						 h.payload_length + HV_IPV6_HEADER);
		if (report.mtu == 0)
			return false;
	}
	hv_icmp_report(ip, &report);
	return true;
}

/* Section 4.2: from the address that was asked, or from one of ours when a group was. */
static bool echo_input(struct hv_ip *ip, struct haven_link *link,
		       const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	struct hv_addr src = d->dst;

	if (hv_ip_is_unspecified(&d->src))
		return false;
	if (hv_addr_is_multicast(&d->dst)) {
		const struct hv_ip_address *ours = hv_ip_link_source(ip, link, &d->src);

		if (!ours)
			return false;
		src = ours->addr;
	} else if (!hv_ip_is_local(ip, &d->dst)) {
		if (!ip->echo)
			return false;
		ip->echo(ip->echo_ctx, packet);
		return true;
	}
	if (!hv_icmp_may_echo(ip, packet))
		return true;
	hv_ip_echo_reply(ip, &src, &d->src, hv_icmp_identifier(d->l4), hv_icmp_sequence(d->l4),
			 d->l4 + HV_ICMP_HEADER, d->payload_len - HV_ICMP_HEADER);
	return true;
}

static bool is_discovery(uint8_t type)
{
	return type >= HV_ND_ROUTER_SOLICIT && type <= HV_ND_REDIRECT;
}

void hv_icmp6_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	bool done;

	if (d->payload_len < HV_ICMP_HEADER ||
	    (packet->csum == HV_CSUM_NONE &&
	     !hv_wire_icmp6_check(d->l4, d->payload_len, &d->src, &d->dst))) {
		hv_drop(ip->core, packet, HV_DROP_ICMP_INVALID);
		return;
	}
	if (is_discovery(hv_icmp_type(d->l4))) {
		hv_ndp_input(ip, link, packet);
		return;
	}
	if (hv_icmp_type(d->l4) == HV_ICMP6_ECHO_REQUEST)
		done = echo_input(ip, link, packet);
	else
		done = hv_icmp6_is_error(hv_icmp_type(d->l4)) && error_input(ip, packet);
	if (done)
		hv_packet_free(ip->core, packet);
	else
		hv_drop(ip->core, packet, HV_DROP_ICMP_IGNORED);
}
