/*
 * PORTS of a rule: numbers, ranges and services, by haven_ports_parse(). What is kept are spans in order, of which
 * none touches the next, so that two ways to say the same become the same text.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "filter/rule_reader.h"

#define BOTH (HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP)

/* Returns false when there are too many. */
static bool add_span(struct hv_rule_draft *draft, uint32_t first, uint32_t last)
{
	struct hv_port_span *spans = draft->ports;
	size_t count = draft->spec.port_count, at = 0, end;

	while (at < count && spans[at].last + UINT32_C(1) < first)
		at++;
	for (end = at; end < count && spans[end].first <= last + 1; end++) {
		if (spans[end].first < first)
			first = spans[end].first;
		if (spans[end].last > last)
			last = spans[end].last;
	}
	if (end == at && count == HV_RULE_PORTS_MAX)
		return false;
	memmove(&spans[at + 1], &spans[end], (count - end) * sizeof(*spans));
	spans[at] = (struct hv_port_span){(uint16_t)first, (uint16_t)last};
	draft->spec.port_count = (uint16_t)(count + 1 - (end - at));
	return true;
}

/*
 * What a name of several ports means, all as good answers as the best one: what the overlay says, then official
 * names, then registered services, as haven_ports_parse() has it.
 */
static unsigned rank(const struct haven_service *service, const char *name)
{
	if (service->overlay)
		return 0;
	return 1 + (strcasecmp(name, service->name) != 0) * 2 + !service->registered;
}

/* Adds all ports of a name. Returns how many, 0: there is no such name, -1: too many. */
static int add_all(struct hv_reader *reader, struct hv_rule_draft *draft, const char *name,
		   unsigned mask)
{
	struct haven_service_query query;
	struct haven_service service;
	unsigned best = UINT32_MAX;
	int added = 0;

	haven_service_by_name(&query, reader->services, name, mask);
	while (haven_service_next(&query, &service)) {
		if (rank(&service, name) < best)
			best = rank(&service, name);
	}
	haven_service_by_name(&query, reader->services, name, mask);
	while (haven_service_next(&query, &service)) {
		if (rank(&service, name) != best)
			continue;
		if (!add_span(draft, service.first, service.last))
			return -1;
		added++;
	}
	return added;
}

static unsigned mask_of(const struct hv_rule_draft *draft)
{
	unsigned mask = draft->spec.protocols & BOTH;

	return mask ? mask : BOTH;
}

/* Which other protocol has a service of this name, else NULL. */
static const char *other_protocol(const struct hv_reader *reader, const char *text, size_t size,
				  unsigned mask)
{
	struct haven_ports ports;
	int error;

	if ((mask & BOTH) == BOTH)
		return NULL;
	error = haven_ports_parse(reader->services, text, size, BOTH & ~mask, &ports);
	return error == 0 || error == -ENOTUNIQ ? haven_service_protocol_name(BOTH & ~mask)
						: NULL;
}

/* What has neither dot nor colon is ports; who meant a host learns how to say so. */
static int fail_bare(struct hv_reader *reader, const char *hint)
{
	static const char *const elsewhere[] = {"allow", "deny", "in",	 "out",
						"tcp",	 "udp",	 "icmp", "any"};

	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		if (hv_reader_is(reader, elsewhere[i]))
			return hv_reader_word_expected(reader, "a host or ports here");
	}
	return hv_reader_word_expected(
		reader, "a port, a range or a service%s, or a host with a dot behind it", hint);
}

static int fail_unknown(struct hv_reader *reader, const char *text, size_t size, unsigned mask)
{
	const char *other = other_protocol(reader, text, size, mask);
	const char *near = NULL;
	char name[64], hint[160] = "";

	if (other)
		return hv_reader_expected(reader, text, size,
					  "a service of %s (%s has this one)",
					  haven_service_protocol_name(mask), other);
	snprintf(name, sizeof(name), "%.*s", (int)(size < 63 ? size : 63), text);
	if (haven_service_nearest(reader->services, name, mask, &near, 1) > 0)
		snprintf(hint, sizeof(hint), " (did you mean %s?)", near);
	if (text == reader->word && size == reader->size)
		return fail_bare(reader, hint);
	return hv_reader_expected(reader, text, size, "a port, a range or a service%s", hint);
}

static int fail_many(struct hv_reader *reader, const char *text, size_t size)
{
	return hv_reader_expected(reader, text, size, "at most %d ports and ranges of a rule",
				  HV_RULE_PORTS_MAX);
}

/* A name of several ports; as the end of a range it says nothing. */
static int parse_several(struct hv_reader *reader, struct hv_rule_draft *draft,
			 const char *text, size_t size)
{
	char name[128];
	int added;

	snprintf(name, sizeof(name), "%.*s", (int)(size < 127 ? size : 127), text);
	added = add_all(reader, draft, name, mask_of(draft));
	if (added < 0)
		return fail_many(reader, text, size);
	if (added == 0)
		return hv_reader_expected(reader, text, size,
					  "a range between services of one port each");
	return 0;
}

static int parse_one(struct hv_reader *reader, struct hv_rule_draft *draft, const char *text,
		     size_t size)
{
	unsigned mask = mask_of(draft);
	const char *slash = memchr(text, '/', size);
	struct haven_ports ports;
	int error;

	if (size == 0) {
		size_t rest = (size_t)(reader->word + reader->size - text);

		return hv_reader_expected(reader, text, rest, "a port, a range or a service");
	}
	if (slash)
		return hv_reader_expected(reader, slash, size - (size_t)(slash - text),
					  "the protocol before the host, as in `udp :53`");
	error = haven_ports_parse(reader->services, text, size, mask, &ports);
	if (error == -ENOTUNIQ)
		return parse_several(reader, draft, text, size);
	if (error == -ERANGE || (error == 0 && ports.first == 0))
		return hv_reader_expected(reader, text, size,
					  "ports of 1 to 65535, a range from low to high");
	if (error < 0)
		return fail_unknown(reader, text, size, mask);
	return add_span(draft, ports.first, ports.last) ? 0 : fail_many(reader, text, size);
}

int hv_rule_ports(struct hv_reader *reader, struct hv_rule_draft *draft, const char *text,
		  size_t size)
{
	const char *end = text + size;

	if (draft->spec.protocols == HV_RULE_ICMP)
		return hv_reader_expected(reader, text, size,
					  "no ports, which `icmp` does not have");
	for (;;) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		size_t length = (size_t)((comma ? comma : end) - text);
		int error = parse_one(reader, draft, text, length);

		if (error < 0 || !comma)
			return error;
		text = comma + 1;
	}
}

uint32_t hv_port_prefix(uint32_t first, uint32_t last, unsigned *bits)
{
	uint32_t size = 1;

	/* As large as the first port is aligned to, and no larger than what is left. */
	while (size < 65536 && (first & size) == 0 && first + 2 * size - 1 <= last)
		size *= 2;
	*bits = 16;
	for (uint32_t rest = size; rest > 1; rest /= 2)
		--*bits;
	return first + size;
}
