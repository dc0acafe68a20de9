/*
 * Any bytes as an answer: what is told of it are names of hosts, and each address is told of the question's own name, too.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
	char question[HV_DNS_NAME_SIZE];
	unsigned of_question, all;
};

static void check(bool good)
{
	if (!good)
		abort();
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);

	return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static void bound(void *user, const char *name, const uint8_t address[16], uint32_t ttl_s)
{
	struct told *told = user;
	size_t length = strlen(name);

	(void)address;
	check(length > 0 && length < HV_DNS_NAME_SIZE && name[length - 1] != '.');
	for (size_t i = 0; i < length; i++)
		check(name[i] > ' ' && name[i] < 0x7f && name[i] != '\\' &&
		      !(name[i] >= 'A' && name[i] <= 'Z'));
	check(ttl_s <= INT32_MAX);
	told->all++;
	/* "_443._https.a" is told as "a". */
	if (ends_with(told->question, name))
		told->of_question++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told told = {0};
	unsigned addresses;
	size_t end;

	if (size > HV_DNS_HEADER_SIZE)
		hv_dns_read_name(data, size, HV_DNS_HEADER_SIZE, told.question, &end);
	addresses = hv_dns_answer_read(data, size, bound, &told);
	check(addresses <= HV_DNS_ANSWER_ADDRESSES);
	check(told.of_question >= addresses && told.all <= addresses * HV_DNS_ANSWER_NAMES);
	return 0;
}
