/*
 * ICMP (RFC 792, RFC 1122, RFC 1812) and ICMPv6 (RFC 4443): echo, errors in and errors out.
 * Stands beside the transports: IP hands it packets, and it sends through ip_output.c.
 */
#ifndef HV_IP_ICMP_H
#define HV_IP_ICMP_H

#include "base/core.h"

struct hv_ip;
struct hv_icmp_report;
struct haven_link;

/* Whole messages: an IPv4 error fits 576 bytes (RFC 1812 section 4.3.2.3), an IPv6 one 1280
 * (RFC 4443 section 2.4(c)). */
enum { HV_ICMP4_ERROR_MAX = 576, HV_ICMP6_ERROR_MAX = 1280 };
/* Codes that <haven/forward.h> has names for (wire/icmp.h calls them by the last word). */
enum { HV_ICMP4_PORT_UNREACHABLE = 3, HV_ICMP6_PORT_UNREACHABLE = 4 };

/*
 * Errors are limited by token buckets (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4(f)): one for
 * all, and one for each destination (those that share a slot share the tokens), so that one of them
 * cannot take all.
 */
enum {
	HV_ICMP_RATE = 1000, /* a second, all together */
	HV_ICMP_BURST = 50,
	HV_ICMP_PEER_RATE = 500,
	HV_ICMP_PEER_BURST = 40,
	HV_ICMP_PEERS = 64,
};
struct hv_icmp_bucket {
	uint64_t updated_ns;
	uint64_t tokens_ns; /* time saved up: one message costs 1 s / rate */
};
struct hv_icmp_limiter {
	struct hv_icmp_bucket all, peers[HV_ICMP_PEERS];
};
void hv_icmp_limiter_init(struct hv_ip *ip);
bool hv_icmp_limiter_take(struct hv_ip *ip, const struct hv_addr *to);

/* Consume. The descriptor is complete; d.l4 is at the ICMP header. link NULL: from ourselves. */
void hv_icmp4_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet);
void hv_icmp6_input(struct hv_ip *ip, struct haven_link *link, struct hv_packet *packet);

/* What an error says, in either family. */
struct hv_icmp_message {
	uint8_t type, code;
	uint32_t rest; /* bytes 4 to 7: MTU, pointer */
};
/*
 * An error about a packet that came in; does not consume. offender NULL: ours, on the link that
 * it came from. Nothing is sent where the RFCs forbid it (broadcast, errors, odd sources).
 * multicast_too: the exception of RFC 4443 section 2.4(e.3).
 */
void hv_icmp_error_about(struct hv_ip *ip, const struct hv_packet *packet,
			 const struct hv_icmp_message *message, const struct hv_addr *offender,
			 bool multicast_too);
/* The same, with the quotation given. Returns 0, -EAGAIN, -ENETUNREACH, -ENOMEM. */
int hv_icmp_error_output(struct hv_ip *ip, const struct hv_icmp_message *message,
			 const struct hv_addr *offender, const struct hv_addr *to,
			 const uint8_t *quote, uint32_t quote_len);

/* Whether an echo request may be answered (hv_ip_set_echo_filter()). False: who sent it was told, and the drop is counted. */
bool hv_icmp_may_echo(struct hv_ip *ip, const struct hv_packet *packet);
/* Hand a report to the transport that it concerns. */
void hv_icmp_report(struct hv_ip *ip, const struct hv_icmp_report *report);
/* A packet of ours (data at its IP header) went nowhere: tell its transport. Does not consume. */
void hv_icmp_report_local(struct hv_ip *ip, const struct hv_packet *packet, int error);

#endif
