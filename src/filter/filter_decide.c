/*
 * What is to become of a flow. See haven_filter_decide() in <haven/filter.h> for what matches when.
 *
 * A flow that says its server's name is asked about for the second time. What the first answer was is not kept: it is
 * found again by deciding without the name, which costs as much once more, and only flows that say one.
 */
#include <netinet/in.h>
#include <string.h>

#include "filter/filter.h"
#include "filter/index.h"
#include "filter/name.h"

/* A name that is bound to the destination. */
struct bound {
	const char *text;
	size_t length;
	uint64_t since_ns;
};

struct question {
	struct haven_filter *filter;
	struct hv_index_flow flow;
	struct bound bound[HV_NAMES_MAX]; /* the oldest first */
	unsigned bound_count;
	char bound_name[HAVEN_NAME_SIZE]; /* in place of them */
	const char *server;		  /* NULL: not said */
	char server_name[HAVEN_NAME_SIZE];
	size_t server_length; /* 0: it is no name, and matches none */
};

struct decision {
	struct haven_rule *rule; /* NULL: the default */
	bool allowed;
	enum haven_verdict_reason reason;
	struct hv_index_answer answer;
};

/* --- the question -------------------------------------------------------------------------- */

static uint8_t protocol_bit(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return HV_RULE_TCP;
	case IPPROTO_UDP:
		return HV_RULE_UDP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return HV_RULE_ICMP;
	default:
		return HV_RULE_OTHER;
	}
}

static void collect_bound(struct question *q, uint64_t now_ns)
{
	const struct hv_binding *found[HV_NAMES_MAX];

	q->bound_count = hv_bindings_of(&q->filter->bindings, &q->flow.destination, now_ns,
					q->server != NULL, found);
	for (unsigned i = 0; i < q->bound_count; i++) {
		q->bound[i] = (struct bound){
			.text = found[i]->name->text,
			.length = found[i]->name->length,
			.since_ns = found[i]->since_ns,
		};
	}
}

/* An open flow keeps the name that it was allowed by, whatever has become of that. */
static void replace_bound(struct question *q, const char *name)
{
	int length = hv_name_canonical(name, strlen(name), q->bound_name);
	struct bound only = {.text = q->bound_name};

	if (length < 0)
		return;
	only.length = (size_t)length;
	for (unsigned i = 0; i < q->bound_count; i++) {
		if (q->bound[i].length == only.length &&
		    memcmp(q->bound[i].text, only.text, only.length) == 0)
			only.since_ns = q->bound[i].since_ns;
	}
	q->bound[0] = only;
	q->bound_count = 1;
}

static void ask(struct question *q, struct haven_filter *filter,
		const struct haven_filter_flow *flow, uint64_t now_ns)
{
	q->filter = filter;
	q->flow = (struct hv_index_flow){
		.direction = flow->direction,
		.protocol = protocol_bit(flow->protocol),
		.port = flow->destination.port,
		.destination = hv_addr_v6(flow->destination.address),
		.source = hv_addr_v6(flow->source.address),
	};
	q->flow.v6 = !hv_addr_is_v4(&q->flow.destination);
	if (filter->index->has_host) {
		q->flow.is_host = hv_filter_is_host(filter, &q->flow.destination);
		q->flow.source_is_host = hv_filter_is_host(filter, &q->flow.source);
	}
	q->server = flow->server_name;
	q->server_length = 0;
	if (q->server) {
		int length = hv_name_canonical(q->server, strlen(q->server), q->server_name);

		q->server_length = length < 0 ? 0 : (size_t)length;
	}
	collect_bound(q, now_ns);
	if (flow->bound_name && *flow->bound_name)
		replace_bound(q, flow->bound_name);
	q->flow.name_count = q->bound_count;
}

/* --- the answer ---------------------------------------------------------------------------- */

/*
 * DNS to somebody else would bring addresses of which the filter knows no name, or worse, names that the one who answers
 * chose: while rules have names, who wants that says so with the port.
 */
static bool is_foreign_dns(const struct question *q, const struct haven_rule *rule)
{
	const struct hv_index_flow *flow = &q->flow;

	return flow->direction == HAVEN_OUT && (flow->port == 53 || flow->port == 853) &&
	       (flow->protocol & (HV_RULE_TCP | HV_RULE_UDP)) &&
	       q->filter->index->has_names[HAVEN_OUT] && !(rule && rule->spec.port_count);
}

static void find_names(struct question *q)
{
	struct hv_index *index = q->filter->index;
	unsigned list = hv_index_list_of(q->flow.direction, q->flow.protocol, q->flow.v6);

	hv_names_begin(&index->names);
	if (!index->lists[list].names)
		return;
	for (unsigned i = 0; i < q->bound_count; i++)
		hv_names_bound(&index->names, q->bound[i].text, q->bound[i].length);
	if (q->flow.server_said && q->server_length)
		hv_names_server(&index->names, q->server_name, q->server_length);
}

/* With the name that the flow says, or as if it had said none. */
static void decide(struct question *q, bool with_server, struct decision *d)
{
	struct haven_filter *filter = q->filter;

	q->flow.server_said = with_server;
	find_names(q);
	hv_index_search(filter->index, &q->flow, &d->answer);
	d->rule = NULL;
	d->reason = HAVEN_VERDICT_DEFAULT;
	d->allowed = haven_filter_default_allows(filter, q->flow.direction);
	if (d->answer.rule != UINT32_MAX) {
		d->rule = filter->rules[d->answer.rule - 1];
		d->reason = HAVEN_VERDICT_RULE;
		d->allowed = d->rule->spec.allow;
	}
	if (d->allowed && is_foreign_dns(q, d->rule)) {
		d->reason = HAVEN_VERDICT_DNS;
		d->allowed = false;
	}
}

/* Counts the flow, and holds it against `max` and `limit` of its rule. */
static void charge(struct question *q, struct decision *d, uint64_t now_ns)
{
	struct haven_rule *rule = d->rule;

	if (!rule) {
		q->filter->default_counts[q->flow.direction]++;
		return;
	}
	rule->flows++;
	if (d->allowed && rule->spec.max && rule->open >= rule->spec.max) {
		d->reason = HAVEN_VERDICT_MAX;
		d->allowed = false;
	}
	if (d->allowed && rule->spec.limit &&
	    !hv_limit_take(&rule->limit, rule->spec.limit, rule->spec.limit_period_ns,
			   now_ns)) {
		d->reason = HAVEN_VERDICT_LIMIT;
		d->allowed = false;
	}
	rule->refused += !d->allowed;
}

/* The name to show: one that the rule means, best of all that which the flow says, else the latest. */
static const struct bound *best_name(const struct question *q, const struct haven_rule *rule)
{
	const struct bound *best = NULL;
	bool meant = rule && hv_rule_has_name(&rule->spec), said = false;

	for (unsigned i = 0; i < q->bound_count; i++) {
		const struct bound *bound = &q->bound[i];

		if (meant && !hv_rule_means(rule, bound->text, bound->length))
			continue;
		if (said)
			continue;
		best = bound;
		said = q->server_length == bound->length &&
		       memcmp(bound->text, q->server_name, bound->length) == 0;
	}
	if (!best && q->bound_count)
		best = &q->bound[q->bound_count - 1];
	return best;
}

static void check_name(const struct question *q, const struct decision *d,
		       struct haven_verdict *verdict)
{
	bool by_name = d->rule && hv_rule_has_name(&d->rule->spec);

	if (!d->allowed || q->server)
		return;
	if (d->answer.some < d->answer.rule) {
		verdict->name_check = HAVEN_NAME_MUST_BE_SAID;
		return;
	}
	if (!by_name && d->answer.may_deny >= d->answer.rule)
		return;
	verdict->name_check = HAVEN_NAME_IF_SAID;
	verdict->name_may_miss = !by_name || q->filter->name_may_miss;
}

static void tell(const struct question *q, const struct decision *d,
		 struct haven_verdict *verdict)
{
	const struct bound *name = best_name(q, d->rule);

	verdict->allowed = d->allowed;
	verdict->reason = d->reason;
	verdict->silent = d->rule && !d->allowed && d->rule->spec.drop;
	verdict->log = d->rule && d->rule->spec.log;
	verdict->rule = d->rule ? d->rule->number : 0;
	verdict->handle = d->rule;
	verdict->name_check = HAVEN_NAME_FREE;
	verdict->name_may_miss = false;
	verdict->name[0] = '\0';
	verdict->name_since_ns = 0;
	if (name) {
		memcpy(verdict->name, name->text, name->length);
		verdict->name[name->length] = '\0';
		verdict->name_since_ns = name->since_ns;
	}
	check_name(q, d, verdict);
}

void haven_filter_decide(struct haven_filter *filter, const struct haven_filter_flow *flow,
			 uint64_t now_ns, struct haven_verdict *verdict)
{
	struct decision decision, before;
	struct question q;
	bool again = false;

	ask(&q, filter, flow, now_ns);
	if (q.server) {
		decide(&q, false, &before);
		decide(&q, true, &decision);
		again = before.rule == decision.rule;
	} else {
		decide(&q, false, &decision);
	}
	if (!again)
		charge(&q, &decision, now_ns);
	tell(&q, &decision, verdict);
}

void haven_filter_explain(struct haven_filter *filter, const struct haven_filter_flow *flow,
			  uint64_t now_ns, struct haven_verdict *verdict)
{
	struct decision decision;
	struct question q;

	ask(&q, filter, flow, now_ns);
	decide(&q, q.server != NULL, &decision);
	tell(&q, &decision, verdict);
}
