/*
 * A question of the guest: what it asks, whether its answer can be another question's, too, and answers
 * that the gateway gives by itself.
 */
#ifndef HV_GATEWAY_DNS_QUESTION_H
#define HV_GATEWAY_DNS_QUESTION_H

#include "gateway/dns_record.h"

/* A question is small; the sizes of RFC 6891 section 6.2.5 are for answers. */
#define HV_DNS_QUESTION_MAX 4096

/*
 * What makes two questions one: name (lower case, as in a message), type, class, and what of header and EDNS an answer
 * depends on: RD, CD and AD (RFC 4035 section 3.2, RFC 6840 section 5.7), whether there is EDNS, DO (RFC 3225).
 */
struct hv_dns_key {
	uint16_t size;
	uint8_t bytes[255 + 4 + 1];
};

struct hv_dns_question {
	const uint8_t *message; /* the caller's */
	size_t size;
	size_t end; /* of the question, in the message */
	char name
		[HV_DNS_NAME_SIZE]; /* as hv_dns_read_name() has it; "": the root, or no name of a host */
	uint16_t type, class;
	bool edns, dnssec_ok;
	uint16_t udp_size; /* the largest answer that it takes over UDP */
	/*
	 * Its answer may be given to others with the same key: an ordinary question of class IN with nothing in it that an answer would
	 * be made for (client subnet, TSIG, NSID...). Cookies (RFC 7873), padding and time-outs are between neighbours, and
	 * hv_dns_make_shareable() takes them out of an answer.
	 */
	bool shareable;
	struct hv_dns_key key; /* when it is shareable */
};

/* False: no query with one whole question. */
bool hv_dns_question_parse(struct hv_dns_question *question, const uint8_t *message,
			   size_t size);

/* Whether the name is `top` (one label, lower case) or ends in it, whatever its other labels are. */
bool hv_dns_question_is_below(const struct hv_dns_question *question, const char *top);

/*
 * Takes out of an answer, in place, what was for one client: options of EDNS other than extended errors (RFC 8914). Returns its new size, or 0
 * when that cannot be: it is malformed, signed for one client (TSIG), or has its EDNS in an odd place.
 */
size_t hv_dns_make_shareable(uint8_t *answer, size_t size);

/* --- answers of the gateway's own --------------------------------------------------------- */

/* Extended error (RFC 8914 section 5.2) */
#define HV_DNS_ERROR_NONE    (-1)
#define HV_DNS_ERROR_BLOCKED 15

struct hv_dns_writer {
	uint8_t *out; /* of HV_DNS_MESSAGE_MAX bytes */
	size_t size;
};

/* Header and question, as the question has them. */
void hv_dns_write_begin(struct hv_dns_writer *writer, const struct hv_dns_question *question,
			enum hv_dns_rcode rcode);
/* A record of the question's name in the answer section. False: there is no room. */
bool hv_dns_write_record(struct hv_dns_writer *writer, uint16_t type, uint32_t ttl_s,
			 const void *data, size_t size);
/* EDNS, if the question has it, with an extended error if there is one. Returns the answer's size. */
size_t hv_dns_write_end(struct hv_dns_writer *writer, const struct hv_dns_question *question,
			int extended_error);

/* An answer without records. */
size_t hv_dns_write_empty(uint8_t *out, const struct hv_dns_question *question,
			  enum hv_dns_rcode rcode, int extended_error);
/* "Ask by TCP" (RFC 2181 section 9), with the rcode of the answer that is too long. */
size_t hv_dns_write_truncated(uint8_t *out, const struct hv_dns_question *question,
			      enum hv_dns_rcode rcode);

#endif
