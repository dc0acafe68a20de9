/*
 * The list of flows, their limits and their lines in the log. See flow.h.
 */
#include "gateway/flow.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>

static const struct {
	const char *protocol, *direction;
	uint32_t limit;
} kinds[] = {
	[HV_FLOW_TCP_OUT] = {"tcp", "out", 65536}, [HV_FLOW_TCP_IN] = {"tcp", "in", 65536},
	[HV_FLOW_UDP_OUT] = {"udp", "out", 16384}, [HV_FLOW_UDP_IN] = {"udp", "in", 65536},
	[HV_FLOW_ECHO] = {"icmp", "out", 1024},	   [HV_FLOW_DNS] = {"dns", "out", 1024},
};
static_assert(sizeof(kinds) / sizeof(kinds[0]) == HV_FLOW_KINDS, "a row for each kind");

static const char *const states[] = {
	[HV_FLOW_CONNECTING] = "CONNECTING",
	[HV_FLOW_OPEN] = "OPEN",
	[HV_FLOW_CLOSING] = "CLOSING",
};
static_assert(sizeof(states) / sizeof(states[0]) == HV_FLOW_STATES, "a name for each state");

const char *hv_flow_protocol_name(enum hv_flow_kind kind)
{
	return kinds[kind].protocol;
}

const char *hv_flow_direction_name(enum hv_flow_kind kind)
{
	return kinds[kind].direction;
}

const char *hv_flow_state_name(enum hv_flow_state state)
{
	return states[state];
}

void hv_flow_table_init(struct hv_flow_table *table, const struct hv_log *log)
{
	memset(table, 0, sizeof(*table));
	TAILQ_INIT(&table->list);
	LIST_INIT(&table->cursors);
	table->log = log;
	for (unsigned i = 0; i < HV_FLOW_KINDS; i++)
		table->limit[i] = kinds[i].limit;
}

bool hv_flow_allowed(struct hv_flow_table *table, enum hv_flow_kind kind)
{
	if (table->count[kind] < table->limit[kind])
		return true;
	table->refused_by_limit++;
	return false;
}

void hv_flow_describe(const struct hv_flow *flow, char *text, size_t size)
{
	char source[HV_ENDPOINT_TEXT], destination[HV_ENDPOINT_TEXT], host[32] = "";

	if (flow->host_port && flow->kind != HV_FLOW_UDP_OUT)
		snprintf(host, sizeof(host), " (host port %u)", flow->host_port);
	else if (flow->by_command)
		snprintf(host, sizeof(host), " (haven connect)");
	snprintf(text, size, "%s %s %s -> %s%s", kinds[flow->kind].protocol,
		 kinds[flow->kind].direction, hv_endpoint_text(&flow->source, source),
		 hv_endpoint_text(&flow->destination, destination), host);
}

static double milliseconds(uint64_t ns)
{
	return (double)ns / 1e6;
}

void hv_flow_take(struct hv_flow *flow, struct hv_flow *from)
{
	flow->source = from->source;
	flow->destination = from->destination;
	flow->rule = from->rule;
	flow->name = from->name;
	from->rule = NULL;
	from->name = NULL;
}

void hv_flow_open(struct hv_flow_table *table, struct hv_flow *flow, uint64_t now_ns)
{
	flow->opened_ns = now_ns;
	flow->state = HV_FLOW_CONNECTING;
	TAILQ_INSERT_TAIL(&table->list, flow, entry);
	table->count[flow->kind]++;
	table->total++;
	table->opened[flow->kind]++;
	if (hv_log_on(table->log, HV_LOG_DEBUG)) {
		char text[256];

		hv_flow_describe(flow, text, sizeof(text));
		hv_log_line(table->log, HV_LOG_DEBUG, "%s begins", text);
	}
}

void hv_flow_ready(struct hv_flow_table *table, struct hv_flow *flow, uint64_t now_ns)
{
	flow->ready_ns = now_ns;
	flow->state = HV_FLOW_OPEN;
	if (hv_log_on(table->log, HV_LOG_INFO)) {
		char text[256];

		hv_flow_describe(flow, text, sizeof(text));
		hv_log_line(table->log, HV_LOG_INFO, "%s open, handshake %.1f ms", text,
			    milliseconds(now_ns - flow->opened_ns));
	}
}

static void remember(struct hv_flow_table *table, const struct hv_flow *flow, uint64_t now_ns,
		     const char *reason)
{
	struct hv_flow_ended *ended = &table->ended[table->ended_count++ % HV_FLOWS_ENDED];

	*ended = (struct hv_flow_ended){
		.kind = flow->kind,
		.was_open = flow->ready_ns != 0,
		.by_command = flow->by_command,
		.source = flow->source,
		.destination = flow->destination,
		.host_port = flow->host_port,
		.opened_ns = flow->opened_ns,
		.closed_ns = now_ns,
		.bytes_out = flow->bytes_out,
		.bytes_in = flow->bytes_in,
	};
	snprintf(ended->reason, sizeof(ended->reason), "%s", reason);
	if (flow->name)
		snprintf(ended->name, sizeof(ended->name), "%s", flow->name);
}

void hv_flow_close(struct hv_flow_table *table, struct hv_flow *flow, uint64_t now_ns,
		   const char *reason)
{
	struct hv_flow_cursor *cursor;

	LIST_FOREACH(cursor, &table->cursors, entry) {
		if (cursor->next == flow)
			cursor->next = TAILQ_NEXT(flow, entry);
	}
	remember(table, flow, now_ns, reason);
	TAILQ_REMOVE(&table->list, flow, entry);
	table->count[flow->kind]--;
	table->total--;
	table->closed_since_trim++;
	if (hv_log_on(table->log, HV_LOG_INFO)) {
		char text[256];

		hv_flow_describe(flow, text, sizeof(text));
		hv_log_line(table->log, HV_LOG_INFO,
			    "%s ended: %s, %llu bytes out, %llu bytes in, %.1f ms", text,
			    reason, (unsigned long long)flow->bytes_out,
			    (unsigned long long)flow->bytes_in,
			    milliseconds(now_ns - flow->opened_ns));
	}
}

void hv_flow_cursor_begin(struct hv_flow_table *table, struct hv_flow_cursor *cursor)
{
	cursor->next = TAILQ_FIRST(&table->list);
	LIST_INSERT_HEAD(&table->cursors, cursor, entry);
}

struct hv_flow *hv_flow_cursor_next(struct hv_flow_cursor *cursor)
{
	struct hv_flow *flow = cursor->next;

	if (flow)
		cursor->next = TAILQ_NEXT(flow, entry);
	return flow;
}

void hv_flow_cursor_end(struct hv_flow_cursor *cursor)
{
	LIST_REMOVE(cursor, entry);
}

void hv_flow_table_trim(struct hv_flow_table *table)
{
	table->closed_since_trim = 0;
	malloc_trim(0);
}
