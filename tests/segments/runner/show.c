/* Packets that came out, in the script's own notation, for messages. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "icmp.h"
#include "packet.h"

struct text {
	char *out;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format,
						      ...)
{
	va_list list;

	if (text->used >= text->size)
		return;
	va_start(list, format);
	text->used += (size_t)vsnprintf(text->out + text->used, text->size - text->used, format,
					list);
	va_end(list);
}

static void add_bytes(struct text *text, const struct seg_option *option)
{
	for (unsigned i = 0; i < option->size; i++)
		add(text, "%02x", option->bytes[i]);
}

static void add_option(struct text *text, const struct seg_option *option)
{
	switch (option->kind) {
	case SEG_OPTION_MSS:
		add(text, "mss %lld", (long long)option->a.low);
		break;
	case SEG_OPTION_WSCALE:
		add(text, "wscale %lld", (long long)option->a.low);
		break;
	case SEG_OPTION_SACKOK:
		add(text, "sackok");
		break;
	case SEG_OPTION_SACK:
		add(text, "sack");
		for (unsigned i = 0; i < option->count; i++)
			add(text, " %lld:%lld", (long long)option->blocks[i][0].low,
			    (long long)option->blocks[i][1].low);
		break;
	case SEG_OPTION_TS:
		add(text, "ts %lld %lld", (long long)option->a.low, (long long)option->b.low);
		break;
	case SEG_OPTION_FASTOPEN:
		add(text, option->size ? "fastopen " : "fastopen");
		add_bytes(text, option);
		break;
	case SEG_OPTION_BYTES:
		add(text, "bytes ");
		add_bytes(text, option);
		break;
	case SEG_OPTION_NOP:
	case SEG_OPTION_END:
		break;
	}
}

static void add_flags(struct text *text, uint8_t flags)
{
	static const char letters[] = "FSRPAUEW"; /* from the lowest bit */

	if (!flags)
		add(text, "-");
	for (unsigned i = 0; i < 8; i++)
		if (flags & 1u << i)
			add(text, "%c", letters[i]);
}

static void add_segment(struct text *text, const struct seg_seen *seen)
{
	static const char *const ecn[] = {"none", "ect1", "ect0", "ce"};

	add_flags(text, seen->flags);
	add(text, " %lld(%zu)", (long long)seen->seq, seen->size);
	if (seen->flags & SEG_ACK)
		add(text, " ack %lld", (long long)seen->ack);
	add(text, " win %lld", (long long)seen->window);
	if (seen->urgent)
		add(text, " urg %lld", (long long)seen->urgent);
	if (seen->ecn)
		add(text, " ecn %s", ecn[seen->ecn]);
	if (seen->option_count)
		add(text, " <");
	for (unsigned i = 0; i < seen->option_count; i++) {
		if (i)
			add(text, ", ");
		add_option(text, &seen->options[i]);
	}
	if (seen->option_count)
		add(text, ">");
	if (seen->flow_number != 1)
		add(text, " (flow %u, port %u to %u)", seen->flow_number, seen->src_port,
		    seen->dst_port);
}

const char *seg_show(const struct seg_seen *seen, char *out, size_t size)
{
	struct text text = {out, size, 0};

	add(&text, "> ");
	if (seen->is_tcp)
		add_segment(&text, seen);
	else if (seen->is_icmp && seen->icmp_kind >= 0)
		add(&text, "icmp %s mtu %lld",
		    seg_icmp_kind_at((unsigned)seen->icmp_kind)->name,
		    (long long)seen->icmp_mtu);
	else if (seen->is_icmp)
		add(&text, "icmp type %u code %u", seen->icmp_type, seen->icmp_code);
	if (seen->fault)
		add(&text, " [%s]", seen->fault);
	return out;
}
