/*
 * Records of DNS messages. See dns_record.h.
 */
#include "gateway/dns_record.h"

#include <ares.h>
#include <string.h>

#define NAME_BYTES_MAX 255 /* as in a message, RFC 1035 section 2.3.4 */
/* Of a record, after its name: type, class, TTL, size of data. */
#define FIXED_SIZE 10

/*
 * Bytes that this text takes in a message: a label's length stands where its dot is, and two more are the first length and the
 * root. An escape is \DDD or \C.
 */
static size_t size_in_message(const char *text)
{
	size_t size = 2;

	for (; *text && size <= NAME_BYTES_MAX; size++) {
		if (*text != '\\')
			text++;
		else
			text += text[1] >= '0' && text[1] <= '9' ? 4 : 2;
	}
	return size;
}

/*
 * Whether the text says all of the name, and nothing else than a name of a host. c-ares 1.18 leaves a label of one zero byte
 * unescaped, where the text then ends: behind a dot, or at once.
 */
static bool is_plain(const char *text, size_t length)
{
	return length > 0 && length < HV_DNS_NAME_SIZE && text[length - 1] != '.' &&
	       strcspn(text, "\\ ") == length;
}

bool hv_dns_read_name(const uint8_t *message, size_t size, size_t at,
		      char name[HV_DNS_NAME_SIZE], size_t *end)
{
	char *text;
	long encoded;
	bool good;

	name[0] = '\0';
	if (at >= size || size > HV_DNS_MESSAGE_MAX ||
	    ares_expand_name(message + at, message, (int)size, &text, &encoded) != ARES_SUCCESS)
		return false;
	*end = at + (size_t)encoded;
	good = size_in_message(text) <= NAME_BYTES_MAX;
	if (good && is_plain(text, strlen(text))) {
		size_t i = 0;

		for (; text[i]; i++)
			name[i] = (char)hv_dns_lower((uint8_t)text[i]);
		name[i] = '\0';
	}
	ares_free_string(text);
	return good;
}

bool hv_dns_read_begin(struct hv_dns_reader *reader, const uint8_t *message, size_t size)
{
	char name[HV_DNS_NAME_SIZE];

	*reader = (struct hv_dns_reader){.message = message, .size = size, .broken = true};
	if (size < HV_DNS_HEADER_SIZE)
		return false;
	for (unsigned i = 0; i < HV_DNS_SECTIONS; i++)
		reader->left[i] = hv_dns_get16(message + 4 + 2 * (size_t)i);
	reader->at = HV_DNS_HEADER_SIZE;
	for (; reader->left[HV_DNS_QUESTION] > 0; reader->left[HV_DNS_QUESTION]--) {
		if (!hv_dns_read_name(message, size, reader->at, name, &reader->at) ||
		    size - reader->at < 4)
			return false;
		reader->at += 4; /* type and class */
	}
	reader->broken = false;
	return true;
}

bool hv_dns_read_next(struct hv_dns_reader *reader, struct hv_dns_record *record)
{
	const uint8_t *message = reader->message;
	enum hv_dns_section section = HV_DNS_ANSWER;
	size_t at;

	while (section < HV_DNS_SECTIONS && reader->left[section] == 0)
		section++;
	if (section == HV_DNS_SECTIONS || reader->broken)
		return false;
	reader->broken = true;
	record->at = reader->at;
	if (!hv_dns_read_name(message, reader->size, reader->at, record->name, &at) ||
	    reader->size - at < FIXED_SIZE)
		return false;
	record->section = section;
	record->type = hv_dns_get16(message + at);
	record->class = hv_dns_get16(message + at + 2);
	record->ttl_at = at + 4;
	record->ttl_s = hv_dns_get32(message + at + 4);
	if (record->ttl_s > INT32_MAX)
		record->ttl_s = 0;
	record->data_size = hv_dns_get16(message + at + 8);
	record->data_at = at + FIXED_SIZE;
	if (reader->size - record->data_at < record->data_size)
		return false;
	reader->at = record->data_at + record->data_size;
	reader->left[section]--;
	reader->broken = false;
	return true;
}
