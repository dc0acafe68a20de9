/*
 * The records of a DNS message, one after the other (RFC 1035 section 4.1.3), and names anywhere
 * in it. Compressed names are c-ares's to follow (ares_expand_name).
 */
#ifndef HV_GATEWAY_DNS_RECORD_H
#define HV_GATEWAY_DNS_RECORD_H

#include "gateway/dns_message.h"

/* A host name as text, without final dot, and its end (RFC 1035 section 2.3.4: 253 characters). */
#define HV_DNS_NAME_SIZE 256

enum hv_dns_section {
	HV_DNS_QUESTION,
	HV_DNS_ANSWER,
	HV_DNS_AUTHORITY,
	HV_DNS_ADDITIONAL,
	HV_DNS_SECTIONS
};

struct hv_dns_record {
	enum hv_dns_section section;
	char name[HV_DNS_NAME_SIZE]; /* owner; as hv_dns_read_name() has it */
	uint16_t type, class;
	uint32_t
		ttl_s; /* 0 when its first bit is set (RFC 2181 section 8); of an OPT record: no time */
	size_t at; /* where the record begins, and where its TTL and its data are */
	size_t ttl_at, data_at;
	uint16_t data_size;
};

struct hv_dns_reader {
	const uint8_t *message;
	size_t size;
	size_t at;
	uint16_t left[HV_DNS_SECTIONS];
	bool broken; /* it ended before the message said so */
};

/*
 * The name at `at`: lower case, without final dot. "" when it is the root, or no name of a host: over-long as text, with
 * letters that text has to escape (RFC 4343 section 2.1), a dot inside of a label among them. *end: where it ends there. False: it
 * is malformed, or longer than a name can be.
 */
bool hv_dns_read_name(const uint8_t *message, size_t size, size_t at,
		      char name[HV_DNS_NAME_SIZE], size_t *end);

/* False: there is no header, or a malformed question. */
bool hv_dns_read_begin(struct hv_dns_reader *reader, const uint8_t *message, size_t size);
/* The next record of any section; false at the end, or where the message is malformed (broken). */
bool hv_dns_read_next(struct hv_dns_reader *reader, struct hv_dns_record *record);

#endif
