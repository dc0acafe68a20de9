/* A rule as the shortest text that says it: what haven_filter_rule() shows, and what makes two rules the same. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "filter/rule.h"

struct writer {
	char *text;
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *w, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(w->text + w->length, HV_RULE_TEXT_MAX - w->length, format, args);
	va_end(args);
	if (length > 0)
		w->length += (size_t)length;
	/* Cannot be, as HV_RULE_TEXT_MAX has room for all parts at their longest. */
	if (w->length >= HV_RULE_TEXT_MAX)
		w->length = HV_RULE_TEXT_MAX - 1;
}

static void put_block(struct writer *w, const struct hv_block *block)
{
	char text[INET6_ADDRSTRLEN];

	put(w, "%s", hv_addr_text(&block->address, text, sizeof(text)));
	if (block->bits < 128)
		put(w, "/%u", block->v6 ? block->bits : block->bits - 96U);
}

/* A name without dot and colon would be read as PORTS, and `host` has a meaning of its own. */
static void put_name(struct writer *w, const struct hv_rule_draft *draft)
{
	const char *name = draft->name;
	bool bare = !strchr(name, '.') &&
		    (draft->spec.port_count == 0 || strcmp(name, "host") == 0);

	if (draft->spec.host == HV_HOST_BELOW)
		put(w, "*.%s", name);
	else
		put(w, "%s%s", name, bare ? "." : "");
}

static void put_host(struct writer *w, const struct hv_rule_draft *draft)
{
	const struct hv_rule_spec *spec = &draft->spec;
	bool brackets = spec->host == HV_HOST_BLOCK && spec->host_block.v6 && spec->port_count;

	if (spec->host == HV_HOST_ANY && spec->port_count == 0)
		return;
	put(w, brackets ? " [" : " ");
	switch ((enum hv_host_kind)spec->host) {
	case HV_HOST_ANY:
		break;
	case HV_HOST_BLOCK:
		put_block(w, &spec->host_block);
		break;
	case HV_HOST_SELF:
		put(w, "host");
		break;
	case HV_HOST_NAME:
	case HV_HOST_BELOW:
		put_name(w, draft);
		break;
	}
	if (brackets)
		put(w, "]");
}

static void put_ports(struct writer *w, const struct hv_rule_draft *draft)
{
	for (unsigned i = 0; i < draft->spec.port_count; i++) {
		const struct hv_port_span *span = &draft->ports[i];

		put(w, "%c%u", i ? ',' : ':', (unsigned)span->first);
		if (span->last != span->first)
			put(w, "-%u", (unsigned)span->last);
	}
}

static const char *protocol_word(uint8_t protocols)
{
	switch (protocols) {
	case HV_RULE_TCP:
		return " tcp";
	case HV_RULE_UDP:
		return " udp";
	case HV_RULE_ICMP:
		return " icmp";
	default:
		return "";
	}
}

static const char *period_word(uint64_t period_ns)
{
	if (period_ns == UINT64_C(1000000000))
		return "s";
	return period_ns == UINT64_C(60000000000) ? "min" : "h";
}

size_t hv_rule_print(const struct hv_rule_draft *draft, char *text)
{
	const struct hv_rule_spec *spec = &draft->spec;
	struct writer w = {.text = text};

	put(&w, "%s %s%s", spec->allow ? "allow" : "deny",
	    spec->direction == HAVEN_OUT ? "out" : "in", protocol_word(spec->protocols));
	put_host(&w, draft);
	put_ports(&w, draft);
	if (spec->source == HV_HOST_SELF)
		put(&w, " from host");
	if (spec->source == HV_HOST_BLOCK) {
		put(&w, " from ");
		put_block(&w, &spec->source_block);
	}
	if (spec->drop)
		put(&w, " drop");
	if (spec->log)
		put(&w, " log");
	if (spec->limit)
		put(&w, " limit %u/%s", (unsigned)spec->limit,
		    period_word(spec->limit_period_ns));
	if (spec->max)
		put(&w, " max %u", (unsigned)spec->max);
	return w.length;
}
