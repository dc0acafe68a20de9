/*
 * What a guest needed, as rules. See learn.h.
 */
#include "gateway/learn.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <haven/service.h>

#include "gateway/gateway.h"
#include "gateway/table.h"

#define NEEDS_MAX 65536

/* Indexes of what a rule is about; `both` is what TCP and UDP need alike. */
enum { LEARN_TCP, LEARN_UDP, LEARN_ICMP, LEARN_PROTOCOLS };
static const char *const protocol_words[] = {"tcp ", "udp ", "icmp "};

/* A port of a host that was needed. */
struct need {
	struct hv_node node;
	char host[HAVEN_NAME_SIZE]; /* name or address */
	bool is_address;
	uint8_t protocol;
	uint16_t port;
	bool reached; /* somebody answered there, once */
	uint64_t flows, bytes;
};

struct hv_learn {
	struct hv_gateway *gateway;
	FILE *file;
	char *path;
	char *const *command;
	struct hv_table needs;
	struct need **list;
	size_t count, size;
	uint64_t left_out; /* for lack of memory, or beyond the limit */
};

int hv_learn_open(const char *path, char *const *command, struct hv_gateway *gateway,
		  struct hv_learn **out, struct hv_gateway_error *error)
{
	struct hv_learn *learn = calloc(1, sizeof(*learn));

	if (!learn)
		return -ENOMEM;
	learn->gateway = gateway;
	learn->command = command;
	hv_table_init(&learn->needs);
	learn->path = strdup(path);
	learn->file = fopen(path, "we");
	if (!learn->file || !learn->path) {
		int failed = -errno;

		snprintf(error->text, sizeof(error->text), "cannot write '%s': %s", path,
			 strerror(-failed));
		free(learn->path);
		free(learn);
		return failed;
	}
	*out = learn;
	return 0;
}

/* --- remembering ------------------------------------------------------------------------ */

static uint64_t hash_of(const struct hv_table *table, const struct need *need)
{
	return hv_table_hash(table, (uint64_t)need->protocol << 16 | need->port, need->host,
			     strlen(need->host));
}

static struct need *find(struct hv_learn *learn, const struct need *wanted)
{
	struct hv_node *node = hv_table_first(&learn->needs, hash_of(&learn->needs, wanted));

	for (; node; node = hv_table_next(node)) {
		struct need *need = hv_container(node, struct need, node);

		if (need->protocol == wanted->protocol && need->port == wanted->port &&
		    strcmp(need->host, wanted->host) == 0)
			return need;
	}
	return NULL;
}

static bool grow(struct hv_learn *learn)
{
	size_t size = learn->size ? learn->size * 2 : 64;
	struct need **list;

	if (learn->count < learn->size)
		return true;
	if (learn->count >= NEEDS_MAX)
		return false;
	list = realloc(learn->list, size * sizeof(*list));
	if (!list)
		return false;
	learn->list = list;
	learn->size = size;
	return true;
}

static struct need *add(struct hv_learn *learn, const struct need *wanted)
{
	struct need *need = find(learn, wanted);

	if (need)
		return need;
	need = grow(learn) ? malloc(sizeof(*need)) : NULL;
	if (!need) {
		learn->left_out++;
		return NULL;
	}
	*need = *wanted;
	if (hv_table_add(&learn->needs, &need->node, hash_of(&learn->needs, need)) < 0) {
		free(need);
		learn->left_out++;
		return NULL;
	}
	learn->list[learn->count++] = need;
	return need;
}

static bool is_bound(const struct hv_learn *learn, const struct hv_flow *flow, const char *name)
{
	const struct hv_gateway *gateway = learn->gateway;
	struct haven_binding binding;

	for (unsigned i = 0;
	     haven_filter_binding(gateway->policy->filter, flow->destination.address, i,
				  gateway->loop.now_ns, &binding);
	     i++) {
		if (strcmp(binding.name, name) == 0)
			return true;
	}
	return false;
}

static uint8_t protocol_of(enum hv_flow_kind kind)
{
	if (kind == HV_FLOW_ECHO)
		return LEARN_ICMP;
	return kind == HV_FLOW_TCP_OUT ? LEARN_TCP : LEARN_UDP;
}

/* name: NULL: by its address. */
static struct need *need_of(struct hv_learn *learn, const struct hv_flow *flow,
			    const char *name)
{
	struct need wanted = {
		.protocol = protocol_of(flow->kind),
		.port = flow->kind == HV_FLOW_ECHO ? 0 : flow->destination.port,
		.is_address = !name,
	};
	char address[HV_ENDPOINT_TEXT];

	snprintf(wanted.host, sizeof(wanted.host), "%s",
		 name ? name : hv_address_text(flow->destination.address, address));
	return add(learn, &wanted);
}

void hv_learn_said(struct hv_learn *learn, struct hv_flow *flow, const char *name)
{
	struct need *need;

	if (!name || !is_bound(learn, flow, name)) {
		flow->by_address = true;
		return;
	}
	need = need_of(learn, flow, name);
	if (need)
		need->reached = true;
}

void hv_learn_ended(struct hv_learn *learn, const struct hv_flow *flow)
{
	struct need *need;

	if (!learn || flow->many ||
	    (flow->kind != HV_FLOW_TCP_OUT && flow->kind != HV_FLOW_UDP_OUT &&
	     flow->kind != HV_FLOW_ECHO))
		return;
	need = need_of(learn, flow, flow->by_address ? NULL : flow->name);
	if (!need)
		return;
	need->flows++;
	need->bytes += flow->bytes_in + flow->bytes_out;
	need->reached |= flow->ready_ns != 0;
}

/* --- writing ---------------------------------------------------------------------------- */

/* Names first, hosts in order, then protocols, then ports. */
static int compare(const void *left, const void *right)
{
	const struct need *a = *(struct need *const *)left, *b = *(struct need *const *)right;
	int order = (int)a->is_address - (int)b->is_address;

	if (order == 0)
		order = strcmp(a->host, b->host);
	if (order == 0)
		order = (int)a->reached - (int)b->reached;
	if (order == 0)
		order = (int)a->protocol - (int)b->protocol;
	return order ? order : (int)a->port - (int)b->port;
}

static void write_ports(FILE *file, struct need *const *needs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned bit =
			needs[i]->protocol == LEARN_TCP ? HAVEN_SERVICE_TCP : HAVEN_SERVICE_UDP;
		const char *service = haven_service_name(NULL, needs[i]->port, bit);
		struct haven_ports ports;

		fputc(i == 0 ? ':' : ',', file);
		/* A name that people know, and that stands for this port alone. */
		if (service && haven_port_class(needs[i]->port) == HAVEN_PORT_SYSTEM &&
		    haven_ports_parse(NULL, service, strlen(service), bit, &ports) == 0 &&
		    ports.first == needs[i]->port && ports.last == ports.first)
			fputs(service, file);
		else
			fprintf(file, "%u", needs[i]->port);
	}
}

static bool same_ports(struct need *const *a, struct need *const *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (a[i]->port != b[i]->port)
			return false;
	}
	return true;
}

/* One rule: `count` ports of one host; what they carried in a comment. */
static void write_rule(FILE *file, const char *protocol, struct need *const *needs,
		       size_t count, uint64_t flows, uint64_t bytes)
{
	const struct need *first = needs[0];
	bool brackets =
		first->is_address && strchr(first->host, ':') && first->protocol != LEARN_ICMP;

	fprintf(file, "%sallow out %s%s%s%s",
		first->reached ? "" : "# nobody answered: ", protocol, brackets ? "[" : "",
		first->host, brackets ? "]" : "");
	if (first->protocol != LEARN_ICMP)
		write_ports(file, needs, count);
	fprintf(file, "\t# %llu flow%s, %llu bytes\n", (unsigned long long)flows,
		flows == 1 ? "" : "s", (unsigned long long)bytes);
}

static size_t same_group(struct need *const *needs, size_t count)
{
	size_t i = 1;

	while (i < count && strcmp(needs[i]->host, needs[0]->host) == 0 &&
	       needs[i]->protocol == needs[0]->protocol &&
	       needs[i]->reached == needs[0]->reached)
		i++;
	return i;
}

static void sum(struct need *const *needs, size_t count, uint64_t *flows, uint64_t *bytes)
{
	for (size_t i = 0; i < count; i++) {
		*flows += needs[i]->flows;
		*bytes += needs[i]->bytes;
	}
}

/* The rules of what stands at `needs`; returns how many of them that was. */
static size_t write_group(FILE *file, struct need *const *needs, size_t count)
{
	size_t group = same_group(needs, count), second = 0;
	uint64_t flows = 0, bytes = 0;
	const char *protocol = protocol_words[needs[0]->protocol];

	if (group < count)
		second = same_group(needs + group, count - group);
	/* TCP and UDP at the same ports: a rule without protocol says both. */
	if (second == group && needs[0]->protocol == LEARN_TCP &&
	    needs[group]->protocol == LEARN_UDP &&
	    strcmp(needs[0]->host, needs[group]->host) == 0 &&
	    needs[0]->reached == needs[group]->reached &&
	    same_ports(needs, needs + group, group))
		protocol = "";
	else
		second = 0;
	sum(needs, group + second, &flows, &bytes);
	write_rule(file, protocol, needs, group, flows, bytes);
	return group + second;
}

static void write_head(struct hv_learn *learn)
{
	time_t now = time(NULL);
	struct tm parts;
	char date[32];

	localtime_r(&now, &parts);
	strftime(date, sizeof(date), "%Y-%m-%d", &parts);
	fprintf(learn->file, "# What this run needed, %s:", date);
	for (size_t i = 0; learn->command && learn->command[i] && i < 64; i++) {
		fputc(' ', learn->file);
		for (const char *at = learn->command[i]; *at; at++)
			fputc((unsigned char)*at < ' ' ? '?' : *at, learn->file);
	}
	fputs("\n# Everything else out is refused by it. Read it before you keep it.\n",
	      learn->file);
	if (learn->left_out > 0)
		fprintf(learn->file, "# Not complete: %llu flows were left out.\n",
			(unsigned long long)learn->left_out);
}

static void write_rules(struct hv_learn *learn)
{
	bool any = false;
	size_t at = 0;

	if (learn->count > 0)
		qsort(learn->list, learn->count, sizeof(struct need *), compare);
	while (at < learn->count) {
		any |= learn->list[at]->reached;
		at += write_group(learn->file, learn->list + at, learn->count - at);
	}
	if (!any)
		fputs("deny out\t# it needed nothing\n", learn->file);
}

void hv_learn_close(struct hv_learn *learn)
{
	if (!learn)
		return;
	write_head(learn);
	write_rules(learn);
	if (fclose(learn->file) != 0)
		hv_log_line(learn->gateway->log, HV_LOG_WARNING,
			    "the policy in '%s' is not whole: %s", learn->path,
			    strerror(errno));
	hv_table_finish(&learn->needs);
	for (size_t i = 0; i < learn->count; i++)
		free(learn->list[i]);
	free(learn->list);
	free(learn->path);
	free(learn);
}
