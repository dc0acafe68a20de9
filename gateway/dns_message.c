/*
 * Headers and questions of DNS messages. See dns_message.h.
 */
#include "gateway/dns_message.h"

#include <string.h>

#define LABEL_MAX      63
#define NAME_MAX_BYTES 255
#define TYPE_AND_CLASS 4

/* End of the question that begins after the header, or 0. A first name has nothing to point to. */
static size_t find_question_end(const uint8_t *message, size_t size)
{
	size_t at = HV_DNS_HEADER_SIZE;

	while (at < size && message[at] != 0) {
		if (message[at] > LABEL_MAX)
			return 0;
		at += 1 + (size_t)message[at];
		if (at - HV_DNS_HEADER_SIZE >= NAME_MAX_BYTES)
			return 0;
	}
	at += 1 + TYPE_AND_CLASS; /* the root label first */
	return at <= size ? at : 0;
}

bool hv_dns_is_query(const uint8_t *message, size_t size, size_t *question_end)
{
	if (size < HV_DNS_HEADER_SIZE || (message[2] & HV_DNS_FLAG_QR) ||
	    hv_dns_get16(message + 4) != 1)
		return false;
	*question_end = find_question_end(message, size);
	return *question_end != 0;
}

/* Letters of either case are one name; a type or a class that looks like a letter is not. */
static bool same_question(const uint8_t *a, const uint8_t *b, size_t question_end)
{
	size_t name_end = question_end - TYPE_AND_CLASS;

	for (size_t i = HV_DNS_HEADER_SIZE; i < name_end; i++) {
		if (hv_dns_lower(a[i]) != hv_dns_lower(b[i]))
			return false;
	}
	return memcmp(a + name_end, b + name_end, TYPE_AND_CLASS) == 0;
}

bool hv_dns_answers(const uint8_t *answer, size_t size, const uint8_t *query,
		    size_t question_end)
{
	if (size < HV_DNS_HEADER_SIZE || !(answer[2] & HV_DNS_FLAG_QR) ||
	    hv_dns_id(answer) != hv_dns_id(query) ||
	    (answer[2] & HV_DNS_MASK_OPCODE) != (query[2] & HV_DNS_MASK_OPCODE))
		return false;
	/* Some servers leave the question out when they cannot make sense of it. */
	if (hv_dns_get16(answer + 4) == 0)
		return hv_dns_rcode(answer) != HV_DNS_NOERROR;
	return size >= question_end && same_question(answer, query, question_end);
}
