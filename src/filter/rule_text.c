/*
 * The grammar of a rule, from its direction on; <haven/filter.h> has it whole. What a host is stands in rule_host.c,
 * ports in rule_ports.c, the words behind in rule_options.c.
 */
#include <string.h>

#include "filter/rule_reader.h"

static const struct {
	const char *word;
	uint8_t protocols;
} protocols[] = {
	{"tcp", HV_RULE_TCP},
	{"udp", HV_RULE_UDP},
	{"icmp", HV_RULE_ICMP},
	{"any", HV_RULE_ANY},
};

static int parse_direction(struct hv_reader *reader, struct hv_rule_draft *draft)
{
	if (hv_reader_is(reader, "out"))
		draft->spec.direction = HAVEN_OUT;
	else if (hv_reader_is(reader, "in"))
		draft->spec.direction = HAVEN_IN;
	else
		return hv_reader_word_expected(reader, "`in` or `out`");
	hv_reader_next(reader);
	return 0;
}

static void parse_protocol(struct hv_reader *reader, struct hv_rule_draft *draft)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (!hv_reader_is(reader, protocols[i].word))
			continue;
		draft->spec.protocols = protocols[i].protocols;
		hv_reader_next(reader);
		return;
	}
}

int hv_rule_parse(struct hv_reader *reader, bool allow, struct hv_rule_draft *draft)
{
	int error;

	memset(draft, 0, sizeof(*draft));
	draft->spec.allow = allow;
	draft->spec.protocols = HV_RULE_ANY;
	error = parse_direction(reader, draft);
	if (error < 0)
		return error;
	parse_protocol(reader, draft);
	error = hv_rule_host(reader, draft);
	if (error < 0)
		return error;
	/* Other protocols have no ports. */
	if (draft->spec.port_count && draft->spec.protocols == HV_RULE_ANY)
		draft->spec.protocols = HV_RULE_TCP | HV_RULE_UDP;
	return hv_rule_options(reader, draft);
}
