/*
 * What a forwarder has to know of a DNS message (RFC 1035 section 4.1): header and question.
 */
#ifndef HV_GATEWAY_DNS_MESSAGE_H
#define HV_GATEWAY_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_DNS_HEADER_SIZE 12

/* RFC 1035 section 4.1.1 */
enum hv_dns_rcode {
	HV_DNS_NOERROR = 0,
	HV_DNS_SERVFAIL = 2,
	HV_DNS_NOTIMP = 4,
	HV_DNS_REFUSED = 5,
};

static inline uint16_t hv_dns_id(const uint8_t *message)
{
	return (uint16_t)(message[0] << 8 | message[1]);
}

static inline void hv_dns_set_id(uint8_t *message, uint16_t id)
{
	message[0] = (uint8_t)(id >> 8);
	message[1] = (uint8_t)id;
}

static inline enum hv_dns_rcode hv_dns_rcode(const uint8_t *message)
{
	return (enum hv_dns_rcode)(message[3] & 0x0f);
}

/* A query with one whole question. *question_end: where the question ends. */
bool hv_dns_is_query(const uint8_t *message, size_t size, size_t *question_end);

/* Whether `answer` answers `query` (whose question ends at question_end): id, opcode, question. */
bool hv_dns_answers(const uint8_t *answer, size_t size, const uint8_t *query,
		    size_t question_end);

/* Turns a query, in place, into its answer SERVFAIL; returns the answer's size. */
size_t hv_dns_make_failure(uint8_t *query, size_t question_end);

#endif
