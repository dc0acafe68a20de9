/*
 * Headers and questions of DNS messages. See dns_message.h.
 */
#include "gateway/dns_message.h"

#include <string.h>

#define FLAG_QR	    0x80 /* byte 2: an answer */
#define MASK_OPCODE 0x78 /* byte 2 */
#define FLAG_RD	    0x01 /* byte 2: recursion desired */
#define FLAG_RA	    0x80 /* byte 3: recursion available */

#define LABEL_MAX      63
#define NAME_MAX_BYTES 255

static uint16_t count_at(const uint8_t *message, size_t offset)
{
	return (uint16_t)(message[offset] << 8 | message[offset + 1]);
}

/* End of the question that begins after the header, or 0. A first name has nothing to point to. */
static size_t find_question_end(const uint8_t *message, size_t size)
{
	size_t at = HV_DNS_HEADER_SIZE;

	while (at < size && message[at] != 0) {
		if (message[at] > LABEL_MAX)
			return 0;
		at += 1 + (size_t)message[at];
		if (at - HV_DNS_HEADER_SIZE > NAME_MAX_BYTES)
			return 0;
	}
	at += 1 + 4; /* root label, type, class */
	return at <= size ? at : 0;
}

bool hv_dns_is_query(const uint8_t *message, size_t size, size_t *question_end)
{
	if (size < HV_DNS_HEADER_SIZE || (message[2] & FLAG_QR) || count_at(message, 4) != 1)
		return false;
	*question_end = find_question_end(message, size);
	return *question_end != 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool hv_dns_answers(const uint8_t *answer, size_t size, const uint8_t *query,
		    size_t question_end)
{
	if (size < HV_DNS_HEADER_SIZE || !(answer[2] & FLAG_QR) ||
	    hv_dns_id(answer) != hv_dns_id(query) ||
	    (answer[2] & MASK_OPCODE) != (query[2] & MASK_OPCODE))
		return false;
	/* Some servers leave the question out when they cannot make sense of it. */
	if (count_at(answer, 4) == 0)
		return hv_dns_rcode(answer) != HV_DNS_NOERROR;
	if (size < question_end)
		return false;
	for (size_t i = HV_DNS_HEADER_SIZE; i < question_end; i++) {
		if (lower(answer[i]) != lower(query[i]))
			return false;
	}
	return true;
}

size_t hv_dns_make_failure(uint8_t *query, size_t question_end)
{
	query[2] = (uint8_t)(FLAG_QR | (query[2] & (MASK_OPCODE | FLAG_RD)));
	query[3] = FLAG_RA | HV_DNS_SERVFAIL;
	memset(query + 6, 0, HV_DNS_HEADER_SIZE - 6);
	return question_end;
}
