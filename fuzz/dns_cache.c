/*
 * A question and its answer, through all that changes them: what is kept is given back with the asker's identifier and spelling, and
 * with times that run down to 1 s and not below. The input: the size of the question (1 byte), seconds that go by (2 bytes), the question, the
 * answer.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/dns_cache.h"
#include "gateway/dns_static.h"
#include "gateway/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t answer[HV_DNS_MESSAGE_MAX], out[HV_DNS_MESSAGE_MAX];

static void check(bool good)
{
	if (!good)
		abort();
}

/* Bytes that a kept answer may give otherwise: where TTLs are. */
static void mark_ttls(size_t size, bool *may_differ)
{
	struct hv_dns_reader reader;
	struct hv_dns_record record;

	check(hv_dns_read_begin(&reader, answer, size));
	while (hv_dns_read_next(&reader, &record)) {
		for (size_t i = 0; i < 4 && record.type != HV_DNS_OPT; i++)
			may_differ[record.ttl_at + i] = true;
	}
	check(!reader.broken);
}

static void compare(const struct hv_dns_question *question, size_t size, uint32_t age_s)
{
	bool may_differ[HV_DNS_MESSAGE_MAX] = {false};

	check(hv_dns_answers(out, size, question->message, question->end));
	check(memcmp(out + HV_DNS_HEADER_SIZE, question->message + HV_DNS_HEADER_SIZE,
		     question->end - HV_DNS_HEADER_SIZE) == 0);
	mark_ttls(size, may_differ);
	for (size_t i = 2; i < size; i++) {
		if (i == HV_DNS_HEADER_SIZE)
			i = question->end;
		if (i >= size)
			break;
		if (!may_differ[i]) {
			check(out[i] == answer[i]);
			continue;
		}
		check(hv_dns_get32(out + i) >= 1 &&
		      hv_dns_get32(out + i) <= hv_dns_get32(answer + i) - age_s);
		i += 3;
	}
}

static void keep(const struct hv_dns_question *question, size_t size, uint32_t age_s)
{
	const uint64_t now_ns = 1000 * HV_NS_PER_S;
	struct hv_dns_cache cache;
	size_t got;

	hv_dns_cache_init(&cache);
	if (hv_dns_cache_put(&cache, &question->key, answer, size, now_ns)) {
		check(hv_dns_cache_get(&cache, question, now_ns, out) == size);
		got = hv_dns_cache_get(&cache, question, now_ns + age_s * HV_NS_PER_S, out);
		check(got == 0 || got == size);
		if (got)
			compare(question, got, age_s);
		check(hv_dns_cache_get(&cache, question, now_ns + 86400 * HV_NS_PER_S, out) ==
		      0);
	}
	hv_dns_cache_finish(&cache);
}

/* haven's own answers are answers. */
static void answer_here(const struct hv_dns_question *question)
{
	static const struct hv_network network = {.v4.enabled = true,
						  .v4.has_host_loopback = true};
	static const struct hv_dns_static_name name = {.name = "a.test"};
	struct hv_dns_static names = {.names = &name, .count = 1, .network = &network};
	struct hv_dns_reader reader;
	struct hv_dns_record record;
	size_t size = hv_dns_static_answer(&names, question, out);

	if (size == 0)
		size = hv_dns_write_empty(out, question, HV_DNS_REFUSED, HV_DNS_ERROR_BLOCKED);
	check(hv_dns_answers(out, size, question->message, question->end));
	check(hv_dns_read_begin(&reader, out, size));
	while (hv_dns_read_next(&reader, &record))
		;
	check(!reader.broken && reader.at == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_dns_question question;
	size_t asked, answered;
	uint32_t age_s;

	if (size < 3 || size - 3 < data[0])
		return 0;
	asked = data[0];
	age_s = hv_dns_get16(data + 1);
	data += 3;
	if (!hv_dns_question_parse(&question, data, asked))
		return 0;
	answer_here(&question);
	answered = size - 3 - asked;
	if (answered > sizeof(answer))
		return 0;
	memcpy(answer, data + asked, answered);
	size = hv_dns_make_shareable(answer, answered);
	check(size <= answered);
	if (size && question.shareable)
		keep(&question, size, age_s);
	return 0;
}
