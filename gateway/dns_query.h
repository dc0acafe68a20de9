/*
 * A question to the host's resolvers, and who waits for its answer.
 *
 * Over UDP each attempt gets a host socket of its own, so a source port and an identifier that nobody can guess (RFC 5452); over TCP, where
 * the guest asked by TCP, it goes with others on a connection (dns_stream.c). The next resolver is asked when one does not answer or says that
 * it cannot (SERVFAIL, NOTIMP, REFUSED).
 *
 *	asker --join--> query: waits --answered--> cache, all askers
 *	                  |  \----timed out, failed, could not help: next attempt
 *	                  \---- no attempt left: SERVFAIL to all
 */
#ifndef HV_GATEWAY_DNS_QUERY_H
#define HV_GATEWAY_DNS_QUERY_H

#include "gateway/dns_state.h"

struct hv_dns_query {
	struct hv_source source; /* UDP: the attempt's socket */
	struct hv_dns *dns;
	LIST_ENTRY(hv_dns_query) entry;
	struct hv_node node; /* in dns->shared, when it is shareable */
	uint64_t generation; /* of the resolvers that it began with */
	struct hv_dns_asker_list askers;
	unsigned asker_count;
	struct hv_dns_streamed streamed; /* TCP: its place on a stream */
	bool tcp;
	bool retired; /* it is being answered, or was given up */
	struct hv_loop_timer timer;
	uint64_t expires_ns;
	unsigned attempt; /* resolvers that were asked */
	unsigned answered_badly;
	unsigned server;     /* index of the one that is being asked */
	uint8_t *bad_answer; /* what a resolver said that could not help */
	size_t bad_answer_size;
	struct hv_dns_question question; /* its message is the one below */
	uint8_t bytes
		[]; /* two of length, for TCP, and the message with the attempt's identifier */
};

#endif
