/*
 * What a forwarder has to know of a DNS message (RFC 1035 section 4.1): header and question. What
 * follows them is read by dns_record.h.
 */
#ifndef HV_GATEWAY_DNS_MESSAGE_H
#define HV_GATEWAY_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_DNS_HEADER_SIZE 12
/* The largest message there can be: its length over TCP has 16 bits (RFC 1035 section 4.2.2). */
#define HV_DNS_MESSAGE_MAX 65535

/* Bytes 2 and 3 of the header. */
#define HV_DNS_FLAG_QR	   0x80 /* byte 2: an answer */
#define HV_DNS_MASK_OPCODE 0x78 /* byte 2 */
#define HV_DNS_FLAG_TC	   0x02 /* byte 2: truncated */
#define HV_DNS_FLAG_RD	   0x01 /* byte 2: recursion desired */
#define HV_DNS_FLAG_RA	   0x80 /* byte 3: recursion available */
#define HV_DNS_FLAG_AD	   0x20 /* byte 3: authentic data (RFC 4035 section 3.2.3) */
#define HV_DNS_FLAG_CD	   0x10 /* byte 3: checking disabled (RFC 4035 section 3.2.2) */

/* RFC 1035 section 4.1.1 */
enum hv_dns_rcode {
	HV_DNS_NOERROR = 0,
	HV_DNS_SERVFAIL = 2,
	HV_DNS_NXDOMAIN = 3,
	HV_DNS_NOTIMP = 4,
	HV_DNS_REFUSED = 5,
};

/* Types of records (RFC 1035 section 3.2.2, 3596, 6891, 9460) and of questions (RFC 1035 section 3.2.3). */
enum hv_dns_type {
	HV_DNS_A = 1,
	HV_DNS_CNAME = 5,
	HV_DNS_SOA = 6,
	HV_DNS_HINFO = 13,
	HV_DNS_AAAA = 28,
	HV_DNS_OPT = 41,
	HV_DNS_SVCB = 64,
	HV_DNS_HTTPS = 65,
	HV_DNS_TKEY = 249, /* the first of those that mean no record that can be kept */
	HV_DNS_IXFR = 251,
	HV_DNS_AXFR = 252,
	HV_DNS_ANY = 255,
};

#define HV_DNS_CLASS_IN 1

static inline uint16_t hv_dns_get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t hv_dns_get32(const uint8_t *bytes)
{
	return (uint32_t)hv_dns_get16(bytes) << 16 | hv_dns_get16(bytes + 2);
}

static inline void hv_dns_put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static inline void hv_dns_put32(uint8_t *bytes, uint32_t value)
{
	hv_dns_put16(bytes, (uint16_t)(value >> 16));
	hv_dns_put16(bytes + 2, (uint16_t)value);
}

static inline uint16_t hv_dns_id(const uint8_t *message)
{
	return hv_dns_get16(message);
}

static inline void hv_dns_set_id(uint8_t *message, uint16_t id)
{
	hv_dns_put16(message, id);
}

static inline enum hv_dns_rcode hv_dns_rcode(const uint8_t *message)
{
	return (enum hv_dns_rcode)(message[3] & 0x0f);
}

/* A letter of a name as it is compared (RFC 4343): only those of ASCII have two cases. */
static inline uint8_t hv_dns_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* A query with one whole question. *question_end: where the question ends. */
bool hv_dns_is_query(const uint8_t *message, size_t size, size_t *question_end);

/* Whether `answer` answers `query` (whose question ends at question_end): id, opcode, question. */
bool hv_dns_answers(const uint8_t *answer, size_t size, const uint8_t *query,
		    size_t question_end);

#endif
