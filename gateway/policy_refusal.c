/*
 * Who was refused, and why: one line in the log, a place in the ring that the control socket shows, a
 * line of the audit. See policy.h.
 *
 * Whose socket it was is worth more than an instant answer: where a line is to be written, the guest's request waits until
 * its process is known (owner.h), some milliseconds. The log's rate bounds how often that is done.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <haven/service.h>

#include "gateway/audit.h"
#include "gateway/gateway.h"
#include "gateway/owner.h"

/* Lines of the log: so many at once, then one each interval. */
#define LINES_BURST	 20
#define LINE_INTERVAL_NS (500 * HV_NS_PER_MS)

/* A refusal that waits until its process is known. */
struct pending {
	LIST_ENTRY(pending) entry;
	struct hv_gateway *gateway;
	struct hv_survey_wait wait;
	struct haven_request *request; /* NULL: none, or given up */
	int error;		       /* for the request */
	struct hv_flow *flow; /* an open one, to be ended; NULL: none, or it has ended */
	struct hv_refused refused;
};

LIST_HEAD(pending_list, pending);
LIST_HEAD(listener_list, hv_refusal_listener);

struct hv_refusals {
	struct hv_refused ring[HV_REFUSALS_KEPT];
	uint64_t count; /* ever; the next goes to ring[this % size] */
	struct pending_list pending;
	struct listener_list listeners;
	unsigned lines_left;
	uint64_t line_ns; /* when lines_left was last made up */
	uint64_t untold;  /* since the last line */
};

/* --- text ------------------------------------------------------------------------------- */

static bool has_ports(enum hv_flow_kind kind)
{
	return kind != HV_FLOW_ECHO;
}

static const char *service_of(const struct hv_policy *policy, const struct hv_refused *refused)
{
	bool tcp = refused->kind == HV_FLOW_TCP_OUT || refused->kind == HV_FLOW_TCP_IN;

	return haven_service_name(policy->services, refused->destination.port,
				  tcp ? HAVEN_SERVICE_TCP : HAVEN_SERVICE_UDP);
}

void hv_refused_text(const struct hv_policy *policy, const struct hv_refused *refused,
		     char *text, size_t size)
{
	bool in = refused->kind == HV_FLOW_TCP_IN || refused->kind == HV_FLOW_UDP_IN;
	const char *service = has_ports(refused->kind) ? service_of(policy, refused) : NULL;
	char address[HV_ENDPOINT_TEXT], source[HV_ENDPOINT_TEXT], where[HAVEN_NAME_SIZE + 64],
		port[64] = "", from[80] = "", process[48] = "";

	hv_address_text(refused->destination.address, address);
	snprintf(where, sizeof(where), refused->name[0] ? "%s (%s)" : "%s%s",
		 refused->name[0] ? refused->name : "", address);
	if (has_ports(refused->kind))
		snprintf(port, sizeof(port), " port %u%s%s%s", refused->destination.port,
			 service ? " (" : "", service ? service : "", service ? ")" : "");
	if (in)
		snprintf(from, sizeof(from), " from %s",
			 hv_address_text(refused->source.address, source));
	if (refused->pid)
		snprintf(process, sizeof(process), ", process %s (%d)", refused->process,
			 refused->pid);
	snprintf(text, size, "refused: %s %s to %s%s%s %s%s",
		 hv_flow_protocol_name(refused->kind), hv_flow_direction_name(refused->kind),
		 where, port, from, refused->reason, process);
}

static void rule_text(const struct hv_policy *policy, uint32_t number, char *text, size_t size)
{
	struct haven_rule_info info;

	if (number > 0 && haven_filter_rule(policy->filter, number, &info))
		snprintf(text, size, "by rule %u '%.120s'", number, info.text);
	else
		snprintf(text, size, "by default: no rule allows it");
}

static void reason_text(const struct hv_policy *policy, const struct haven_verdict *verdict,
			const char *fault, char *text, size_t size)
{
	char rule[160];
	const char *more = "";

	rule_text(policy, verdict->rule, rule, sizeof(rule));
	if (fault)
		more = fault;
	else if (verdict->reason == HAVEN_VERDICT_LIMIT)
		more = "its limit of new flows is reached";
	else if (verdict->reason == HAVEN_VERDICT_MAX)
		more = "its number of flows is reached";
	else if (verdict->reason == HAVEN_VERDICT_DNS)
		more = "with rules that have names, DNS goes through haven only, unless a rule names the port";
	snprintf(text, size, "%s%s%.330s", rule, more[0] ? ": " : "", more);
}

void hv_policy_reason(const struct hv_policy *policy, const struct haven_verdict *verdict,
		      char *text, size_t size)
{
	reason_text(policy, verdict, NULL, text, size);
}

/* --- telling ---------------------------------------------------------------------------- */

static void remember(struct hv_policy *policy, const struct hv_refused *refused)
{
	struct hv_refusals *refusals = policy->refusals;
	struct hv_refusal_listener *listener, *next;

	refusals->ring[refusals->count++ % HV_REFUSALS_KEPT] = *refused;
	refusals->ring[(refusals->count - 1) % HV_REFUSALS_KEPT].number = refusals->count;
	for (listener = LIST_FIRST(&refusals->listeners); listener; listener = next) {
		next = LIST_NEXT(listener, entry);
		listener->refused(listener);
	}
}

/* Whether a line may be written now. */
static bool take_line(struct hv_refusals *refusals, uint64_t now_ns)
{
	uint64_t lines = (now_ns - refusals->line_ns) / LINE_INTERVAL_NS;

	if (lines > 0) {
		refusals->line_ns += lines * LINE_INTERVAL_NS;
		lines += refusals->lines_left;
		refusals->lines_left = lines < LINES_BURST ? (unsigned)lines : LINES_BURST;
	}
	if (refusals->lines_left == 0) {
		refusals->untold++;
		return false;
	}
	refusals->lines_left--;
	return true;
}

static void write_line(struct hv_policy *policy, const struct hv_refused *refused)
{
	struct hv_refusals *refusals = policy->refusals;
	char text[1024];

	hv_refused_text(policy, refused, text, sizeof(text));
	if (refusals->untold > 0)
		hv_log_notice(policy->gateway->log, "%s (and %llu more were refused)", text,
			      (unsigned long long)refusals->untold);
	else
		hv_log_notice(policy->gateway->log, "%s", text);
	refusals->untold = 0;
}

static void tell(struct hv_policy *policy, const struct hv_refused *refused, bool line)
{
	if (line)
		write_line(policy, refused);
	remember(policy, refused);
	hv_audit_refused(policy->audit, refused);
}

/* --- whose socket it was ---------------------------------------------------------------- */

static uint8_t transport_of(enum hv_flow_kind kind)
{
	return kind == HV_FLOW_TCP_OUT || kind == HV_FLOW_TCP_IN ? IPPROTO_TCP : IPPROTO_UDP;
}

static bool is_its_socket(const struct hv_refused *refused,
			  const struct hv_guest_socket *socket)
{
	if (socket->protocol != transport_of(refused->kind) ||
	    socket->local.port != refused->source.port || socket->process == HV_NO_PROCESS)
		return false;
	return socket->remote.port == 0 ||
	       hv_endpoint_equal(&socket->remote, &refused->destination);
}

static void find_process(struct hv_refused *refused, const struct hv_survey *survey)
{
	for (size_t i = 0; survey && i < survey->count; i++) {
		const struct hv_guest_process *process;

		if (!is_its_socket(refused, &survey->sockets[i]))
			continue;
		process = &survey->processes[survey->sockets[i].process];
		refused->pid = (int)process->pid;
		memcpy(refused->process, process->name, sizeof(refused->process));
		refused->process[sizeof(refused->process) - 1] = '\0';
		return;
	}
}

/* What becomes of what was refused: a request that waits, a flow that is open, or neither. */
static void act(struct hv_gateway *gateway, struct haven_request *request, int error,
		struct hv_flow *flow)
{
	if (request)
		haven_request_refuse(request, error, NULL);
	if (flow)
		flow->refuse(flow, "refused by a rule");
	gateway->stack_work = true;
}

static void end_pending(struct pending *pending)
{
	LIST_REMOVE(pending, entry);
	if (pending->flow)
		pending->flow->being_refused = false;
	act(pending->gateway, pending->request, pending->error, pending->flow);
	tell(pending->gateway->policy, &pending->refused, true);
	free(pending);
}

static void surveyed(struct hv_survey_wait *wait, struct hv_survey *survey)
{
	struct pending *pending = hv_container(wait, struct pending, wait);

	find_process(&pending->refused, survey);
	hv_survey_release(survey);
	end_pending(pending);
}

/* False: it is not to be known. */
static bool ask_for_process(struct hv_gateway *gateway, const struct hv_refused *refused,
			    struct haven_request *request, int error, struct hv_flow *flow)
{
	struct pending *pending;

	if (!gateway->surveyor || refused->kind == HV_FLOW_TCP_IN ||
	    refused->kind == HV_FLOW_UDP_IN || refused->kind == HV_FLOW_ECHO)
		return false;
	pending = calloc(1, sizeof(*pending));
	if (!pending)
		return false;
	pending->gateway = gateway;
	pending->request = request;
	pending->error = error;
	pending->flow = flow;
	if (flow)
		flow->being_refused = true;
	pending->refused = *refused;
	pending->wait.done = surveyed;
	LIST_INSERT_HEAD(&gateway->policy->refusals->pending, pending, entry);
	hv_survey_ask(gateway->surveyor, &pending->wait);
	return true;
}

/* --- from outside ----------------------------------------------------------------------- */

static void refuse(struct hv_gateway *gateway, const struct hv_flow *flow,
		   const struct haven_verdict *verdict, const char *fault,
		   struct haven_request *request, struct hv_flow *open)
{
	struct hv_policy *policy = gateway->policy;
	int error = verdict->silent ? ETIMEDOUT : ECONNREFUSED;
	const char *name = verdict->name[0] ? verdict->name : flow->name;
	struct hv_refused refused = {
		.at = (int64_t)time(NULL),
		.kind = flow->kind,
		.source = flow->peer ? *flow->peer : flow->source,
		.destination = flow->destination,
		.rule = verdict->rule,
	};
	bool line = hv_log_on(gateway->log, HV_LOG_WARNING) &&
		    take_line(policy->refusals, gateway->loop.now_ns);

	snprintf(refused.name, sizeof(refused.name), "%s", name ? name : "");
	reason_text(policy, verdict, fault, refused.reason, sizeof(refused.reason));
	if (line && ask_for_process(gateway, &refused, request, error, open))
		return;
	act(gateway, request, error, open);
	tell(policy, &refused, line);
}

void hv_policy_refused(struct hv_gateway *gateway, const struct hv_flow *flow,
		       const struct haven_verdict *verdict, const char *fault,
		       struct haven_request *request)
{
	refuse(gateway, flow, verdict, fault, request, NULL);
}

void hv_policy_end(struct hv_gateway *gateway, struct hv_flow *flow,
		   const struct haven_verdict *verdict, const char *fault)
{
	if (!flow->being_refused)
		refuse(gateway, flow, verdict, fault, NULL, flow);
}

void hv_refusal_flow_ended(struct hv_gateway *gateway, const struct hv_flow *flow)
{
	struct pending *pending;

	LIST_FOREACH(pending, &gateway->policy->refusals->pending, entry) {
		if (pending->flow == flow)
			pending->flow = NULL;
	}
}

bool hv_refusal_cancelled(struct hv_gateway *gateway, const struct haven_request *request)
{
	struct pending *pending;

	LIST_FOREACH(pending, &gateway->policy->refusals->pending, entry) {
		if (pending->request == request) {
			pending->request = NULL;
			return true;
		}
	}
	return false;
}

void hv_refusals_stop(struct hv_gateway *gateway)
{
	struct hv_refusals *refusals = gateway->policy ? gateway->policy->refusals : NULL;
	struct pending *pending = refusals ? LIST_FIRST(&refusals->pending) : NULL;

	while (pending) {
		struct pending *next = LIST_NEXT(pending, entry);

		hv_survey_cancel(gateway->surveyor, &pending->wait);
		end_pending(pending);
		pending = next;
	}
	gateway->surveyor = NULL;
}

const struct hv_refused *hv_refusal_after(const struct hv_policy *policy, uint64_t after)
{
	const struct hv_refusals *refusals = policy->refusals;
	uint64_t first =
		refusals->count > HV_REFUSALS_KEPT ? refusals->count - HV_REFUSALS_KEPT : 0;
	uint64_t index = after > first ? after : first;

	return index < refusals->count ? &refusals->ring[index % HV_REFUSALS_KEPT] : NULL;
}

void hv_refusal_listen(struct hv_policy *policy, struct hv_refusal_listener *listener)
{
	LIST_INSERT_HEAD(&policy->refusals->listeners, listener, entry);
}

void hv_refusal_unlisten(struct hv_refusal_listener *listener)
{
	LIST_REMOVE(listener, entry);
}

int hv_refusals_create(struct hv_policy *policy)
{
	policy->refusals = calloc(1, sizeof(*policy->refusals));
	if (!policy->refusals)
		return -ENOMEM;
	LIST_INIT(&policy->refusals->pending);
	LIST_INIT(&policy->refusals->listeners);
	policy->refusals->lines_left = LINES_BURST;
	return 0;
}

void hv_refusals_destroy(struct hv_policy *policy)
{
	if (!policy->refusals)
		return;
	hv_refusals_stop(policy->gateway);
	free(policy->refusals);
	policy->refusals = NULL;
}
