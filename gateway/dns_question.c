/*
 * Questions, and answers of the gateway's own. See dns_question.h.
 */
#include "gateway/dns_question.h"

#include <string.h>

#define UDP_SIZE_MIN 512 /* RFC 1035 section 2.3.4, RFC 6891 section 6.2.3 */
/* What the gateway says that it takes: its questions go on as they are, so this is for looks. */
#define UDP_SIZE_OURS 1232

/* The record of EDNS (RFC 6891 section 6.1.2): root, type, size, extended rcode, version, flags, size of options. */
#define OPT_SIZE	 11
#define EDNS_DO		 0x8000 /* RFC 3225 section 3 */
#define TYPE_TSIG	 250
#define OPTION_COOKIE	 10 /* RFC 7873 */
#define OPTION_KEEPALIVE 11 /* RFC 7828 */
#define OPTION_PADDING	 12 /* RFC 7830 */
#define OPTION_ERROR	 15 /* RFC 8914 */

/* The last byte of a key. */
enum variant {
	VARIANT_RD = 1 << 0,
	VARIANT_CD = 1 << 1,
	VARIANT_AD = 1 << 2,
	VARIANT_EDNS = 1 << 3,
	VARIANT_DO = 1 << 4,
};

/* --- reading ---------------------------------------------------------------------------- */

/* Whether options are only such as no answer depends on. */
static bool are_indifferent(const uint8_t *options, size_t size)
{
	while (size >= 4) {
		size_t value = hv_dns_get16(options + 2);

		switch (hv_dns_get16(options)) {
		case OPTION_COOKIE:
		case OPTION_KEEPALIVE:
		case OPTION_PADDING:
			break;
		default:
			return false;
		}
		if (value > size - 4)
			return false;
		options += 4 + value;
		size -= 4 + value;
	}
	return size == 0;
}

/* Takes in an OPT record. Returns whether there is nothing special in it. */
static bool read_opt(struct hv_dns_question *question, const struct hv_dns_record *record)
{
	uint32_t extended = hv_dns_get32(question->message + record->ttl_at);

	question->edns = true;
	question->dnssec_ok = extended & EDNS_DO;
	if (record->class > UDP_SIZE_MIN)
		question->udp_size = record->class;
	return (extended & ~(uint32_t)EDNS_DO) == 0 && question->message[record->at] == 0 &&
	       are_indifferent(question->message + record->data_at, record->data_size);
}

/* Takes in what follows the question. Returns whether it is EDNS without specials, or nothing. */
static bool read_rest(struct hv_dns_question *question)
{
	struct hv_dns_reader reader;
	struct hv_dns_record record;
	bool plain = true;

	if (!hv_dns_read_begin(&reader, question->message, question->size))
		return false;
	while (hv_dns_read_next(&reader, &record)) {
		if (record.section != HV_DNS_ADDITIONAL || record.type != HV_DNS_OPT ||
		    question->edns || !read_opt(question, &record))
			plain = false;
	}
	return plain && !reader.broken && reader.at == question->size;
}

/* Types of records, and not of questions, transfers and the like (RFC 6895 section 3.1). */
static bool is_data_type(uint16_t type)
{
	return type != HV_DNS_OPT && (type < 128 || type > 255);
}

static void make_key(struct hv_dns_question *question)
{
	const uint8_t *name = question->message + HV_DNS_HEADER_SIZE;
	struct hv_dns_key *key = &question->key;
	size_t name_size = question->end - HV_DNS_HEADER_SIZE - 4, i;
	unsigned variant = 0;

	for (i = 0; i < name_size; i++)
		key->bytes[i] = hv_dns_lower(name[i]);
	for (; i < name_size + 4; i++)
		key->bytes[i] = name[i];
	if (question->message[2] & HV_DNS_FLAG_RD)
		variant |= VARIANT_RD;
	if (question->message[3] & HV_DNS_FLAG_CD)
		variant |= VARIANT_CD;
	if (question->message[3] & HV_DNS_FLAG_AD)
		variant |= VARIANT_AD;
	if (question->edns)
		variant |= VARIANT_EDNS;
	if (question->dnssec_ok)
		variant |= VARIANT_DO;
	key->bytes[i++] = (uint8_t)variant;
	key->size = (uint16_t)i;
}

bool hv_dns_question_parse(struct hv_dns_question *question, const uint8_t *message,
			   size_t size)
{
	size_t end;
	bool plain;

	memset(question, 0, sizeof(*question));
	if (!hv_dns_is_query(message, size, &question->end))
		return false;
	question->message = message;
	question->size = size;
	question->udp_size = UDP_SIZE_MIN;
	hv_dns_read_name(message, size, HV_DNS_HEADER_SIZE, question->name, &end);
	question->type = hv_dns_get16(message + question->end - 4);
	question->class = hv_dns_get16(message + question->end - 2);
	plain = read_rest(question);
	question->shareable = plain && (message[2] & ~HV_DNS_FLAG_RD) == 0 &&
			      (message[3] & ~(HV_DNS_FLAG_AD | HV_DNS_FLAG_CD)) == 0 &&
			      question->class == HV_DNS_CLASS_IN &&
			      is_data_type(question->type);
	if (question->shareable)
		make_key(question);
	return true;
}

bool hv_dns_question_is_below(const struct hv_dns_question *question, const char *top)
{
	const uint8_t *label = question->message + HV_DNS_HEADER_SIZE;
	size_t size = strlen(top);

	if (*label == 0)
		return false;
	while (label[1 + label[0]] != 0)
		label += 1 + label[0];
	if (*label != size)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (hv_dns_lower(label[1 + i]) != (uint8_t)top[i])
			return false;
	}
	return true;
}

/* Options are moved together, those that stay. Returns their size; -1: malformed. */
static int keep_errors(uint8_t *options, size_t size)
{
	size_t kept = 0, at = 0;

	while (size - at >= 4) {
		size_t whole = 4 + (size_t)hv_dns_get16(options + at + 2);

		if (whole > size - at)
			return -1;
		if (hv_dns_get16(options + at) == OPTION_ERROR) {
			memmove(options + kept, options + at, whole);
			kept += whole;
		}
		at += whole;
	}
	return at == size ? (int)kept : -1;
}

/* Returns the answer's new size. Names may point into what comes behind: only a last record can be made shorter. */
static size_t shorten_opt(uint8_t *answer, size_t size, const struct hv_dns_record *opt)
{
	uint8_t *options = answer + opt->data_at;
	int kept;

	if (opt->data_size == 0)
		return size;
	if (opt->data_at + opt->data_size != size)
		return 0;
	kept = keep_errors(options, opt->data_size);
	if (kept < 0)
		return 0;
	hv_dns_put16(options - 2, (uint16_t)kept);
	return opt->data_at + (size_t)kept;
}

size_t hv_dns_make_shareable(uint8_t *answer, size_t size)
{
	struct hv_dns_reader reader;
	struct hv_dns_record record, opt = {0};

	if (!hv_dns_read_begin(&reader, answer, size))
		return 0;
	while (hv_dns_read_next(&reader, &record)) {
		if (record.type == TYPE_TSIG || (record.type == HV_DNS_OPT && opt.at))
			return 0;
		if (record.type == HV_DNS_OPT)
			opt = record;
	}
	if (reader.broken)
		return 0;
	/* What may stand behind the message belongs to nobody. */
	return opt.at ? shorten_opt(answer, reader.at, &opt) : reader.at;
}

/* --- writing ---------------------------------------------------------------------------- */

void hv_dns_write_begin(struct hv_dns_writer *writer, const struct hv_dns_question *question,
			enum hv_dns_rcode rcode)
{
	uint8_t *out = writer->out;

	memcpy(out, question->message, question->end);
	out[2] = (uint8_t)(HV_DNS_FLAG_QR | (out[2] & (HV_DNS_MASK_OPCODE | HV_DNS_FLAG_RD)));
	out[3] = (uint8_t)(HV_DNS_FLAG_RA | (out[3] & HV_DNS_FLAG_CD) | rcode);
	memset(out + 6, 0, HV_DNS_HEADER_SIZE - 6);
	writer->size = question->end;
}

bool hv_dns_write_record(struct hv_dns_writer *writer, uint16_t type, uint32_t ttl_s,
			 const void *data, size_t size)
{
	uint8_t *at = writer->out + writer->size;

	/* Room for EDNS with an extended error stays. */
	if (writer->size + 12 + size + OPT_SIZE + 6 > HV_DNS_MESSAGE_MAX)
		return false;
	hv_dns_put16(at, 0xc000 | HV_DNS_HEADER_SIZE); /* the question's name */
	hv_dns_put16(at + 2, type);
	hv_dns_put16(at + 4, HV_DNS_CLASS_IN);
	hv_dns_put32(at + 6, ttl_s);
	hv_dns_put16(at + 10, (uint16_t)size);
	memcpy(at + 12, data, size);
	writer->size += 12 + size;
	hv_dns_put16(writer->out + 6, (uint16_t)(hv_dns_get16(writer->out + 6) + 1));
	return true;
}

size_t hv_dns_write_end(struct hv_dns_writer *writer, const struct hv_dns_question *question,
			int extended_error)
{
	uint8_t *at = writer->out + writer->size;

	/* RFC 6891 section 6.1.1: an answer has EDNS when the question has. */
	if (!question->edns)
		return writer->size;
	memset(at, 0, OPT_SIZE);
	hv_dns_put16(at + 1, HV_DNS_OPT);
	hv_dns_put16(at + 3, UDP_SIZE_OURS);
	hv_dns_put16(at + 7, question->dnssec_ok ? EDNS_DO : 0);
	writer->size += OPT_SIZE;
	if (extended_error != HV_DNS_ERROR_NONE) {
		hv_dns_put16(at + 9, 6);
		hv_dns_put16(at + 11, OPTION_ERROR);
		hv_dns_put16(at + 13, 2);
		hv_dns_put16(at + 15, (uint16_t)extended_error);
		writer->size += 6;
	}
	hv_dns_put16(writer->out + 10, 1);
	return writer->size;
}

size_t hv_dns_write_empty(uint8_t *out, const struct hv_dns_question *question,
			  enum hv_dns_rcode rcode, int extended_error)
{
	struct hv_dns_writer writer = {.out = out};

	hv_dns_write_begin(&writer, question, rcode);
	return hv_dns_write_end(&writer, question, extended_error);
}

size_t hv_dns_write_truncated(uint8_t *out, const struct hv_dns_question *question,
			      enum hv_dns_rcode rcode)
{
	size_t size = hv_dns_write_empty(out, question, rcode, HV_DNS_ERROR_NONE);

	out[2] |= HV_DNS_FLAG_TC;
	return size;
}
