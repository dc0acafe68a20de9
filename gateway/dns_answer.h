/*
 * Which addresses a DNS answer gives to which names.
 *
 * Only what answers the question counts: the chain of CNAME records that begins at the question's name, and
 * the addresses at its end (a DNAME comes with the CNAME that it stands for, RFC 6672 section 5.3.1). A record of any other name is passed over, so
 * that an answer about one name says nothing about another.
 *
 * An address is bound to its owner and to each name of the chain before it, for the shortest TTL on the way.
 *
 * HTTPS and SVCB records (RFC 9460) lead on to their target, by alias or with address hints, and what they lead to may stand in the additional
 * section. But a zone may name any target and hint at any address, and no resolver looks whether the target agrees. So these addresses are
 * bound to the names that led to the target; to the target itself only when it is below the record's owner, whose zone it is in.
 * A question for a port, _8443._https.example.org, is one about example.org.
 */
#ifndef HV_GATEWAY_DNS_ANSWER_H
#define HV_GATEWAY_DNS_ANSWER_H

#include "gateway/dns_record.h"

/* What is looked at in one answer; what comes behind is passed over. */
#define HV_DNS_ANSWER_NAMES	64
#define HV_DNS_ANSWER_RECORDS	256
#define HV_DNS_ANSWER_ADDRESSES 256

/*
 * name: lower case, without final dot. address: 16 bytes, IPv4 v4-mapped. The same pair may come more than once, with another
 * TTL.
 */
typedef void hv_dns_bound_fn(void *user, const char *name, const uint8_t address[16],
			     uint32_t ttl_s);

/*
 * Tell all that an answer says; nothing when it is none (NOERROR, class IN, one question). In a message that breaks off,
 * what stands before. Returns how many addresses were told, each counted once for all of its names.
 */
unsigned hv_dns_answer_read(const uint8_t *message, size_t size, hv_dns_bound_fn *bound,
			    void *user);

/* The name that a question of this type is about: "_8443._https.example.org" is one about example.org (RFC 9460 section 9.1). */
const char *hv_dns_without_port(const char *name, uint16_t type);

#endif
