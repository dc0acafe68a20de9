/*
 * Asking the filter, and what stays of its answers at a flow. See policy.h.
 */
#include "gateway/policy.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/audit.h"
#include "gateway/dns.h"
#include "gateway/dns_static.h"
#include "gateway/gateway.h"
#include "gateway/learn.h"
#include "gateway/services.h"

/* The host's addresses are read again when they are older than this and somebody asks. */
#define HOST_FRESH_NS HV_NS_PER_S
#define HOST_MAX      1024
/* Open flows that are asked about again in one turn. */
#define RECHECK_SLICE 512

/* --- the host's addresses --------------------------------------------------------------- */

static size_t add_address(uint8_t (*addresses)[16], size_t count, const uint8_t address[16])
{
	if (count < HOST_MAX)
		memcpy(addresses[count++], address, 16);
	return count;
}

/* By what the guest's network calls the host: its gateway, and --host-loopback. */
static size_t add_family(uint8_t (*addresses)[16], size_t count,
			 const struct hv_network_family *family)
{
	if (!family->enabled)
		return count;
	count = add_address(addresses, count, family->gateway);
	if (family->has_dns)
		count = add_address(addresses, count, family->dns);
	if (family->has_host_loopback)
		count = add_address(addresses, count, family->host_loopback);
	return count;
}

static size_t read_host(uint8_t (*addresses)[16], size_t count)
{
	struct ifaddrs *list;

	if (getifaddrs(&list) < 0)
		return count;
	for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
		struct haven_endpoint endpoint;

		if (at->ifa_addr && haven_endpoint_from_sockaddr(at->ifa_addr, &endpoint) == 0)
			count = add_address(addresses, count, endpoint.address);
	}
	freeifaddrs(list);
	return count;
}

/* What `host` means in rules, and what no name may be bound to. */
static void refresh_host(struct hv_policy *policy)
{
	const struct hv_gateway *gateway = policy->gateway;
	uint8_t(*addresses)[16];
	size_t count;

	if (policy->host_read_ns != 0 &&
	    gateway->loop.now_ns < policy->host_read_ns + HOST_FRESH_NS)
		return;
	addresses = calloc(HOST_MAX, sizeof(*addresses));
	if (!addresses)
		return;
	count = add_family(addresses, 0, &gateway->network.v4);
	count = add_family(addresses, count, &gateway->network.v6);
	count = read_host(addresses, count);
	if (haven_filter_set_host(policy->filter, addresses, count) == 0)
		policy->host_read_ns = gateway->loop.now_ns ? gateway->loop.now_ns : 1;
	free(addresses);
}

/* --- asking ----------------------------------------------------------------------------- */

static uint8_t protocol_of(const struct hv_flow *flow)
{
	switch (flow->kind) {
	case HV_FLOW_TCP_OUT:
	case HV_FLOW_TCP_IN:
		return IPPROTO_TCP;
	case HV_FLOW_ECHO:
		return haven_endpoint_is_v4(&flow->destination) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	default:
		return IPPROTO_UDP;
	}
}

static struct haven_filter_flow question_of(const struct hv_flow *flow,
					    const struct haven_endpoint *peer)
{
	struct haven_filter_flow question = {
		.direction = flow->kind == HV_FLOW_TCP_IN || flow->kind == HV_FLOW_UDP_IN
				     ? HAVEN_IN
				     : HAVEN_OUT,
		.protocol = protocol_of(flow),
		.source = peer ? *peer : flow->source,
		.destination = flow->destination,
	};

	if (flow->kind == HV_FLOW_ECHO)
		question.source.port = question.destination.port = 0;
	return question;
}

static void set_name(struct hv_flow *flow, const char *name)
{
	if (flow->name && strcmp(flow->name, name) == 0)
		return;
	free(flow->name);
	flow->name = name[0] ? strdup(name) : NULL;
}

/* What allowed the flow is its rule from now on. */
static void keep(struct hv_policy *policy, struct hv_flow *flow,
		 const struct haven_verdict *verdict)
{
	if (flow->rule != verdict->handle) {
		haven_filter_enter(policy->filter, verdict->handle);
		haven_filter_leave(policy->filter, flow->rule, 0);
		flow->rule = verdict->handle;
	}
	set_name(flow, verdict->name);
}

static enum hv_policy_answer answer_of(const struct haven_verdict *verdict)
{
	if (verdict->allowed)
		return HV_POLICY_ALLOWED;
	return verdict->silent ? HV_POLICY_SILENT : HV_POLICY_REFUSED;
}

/* Everything is allowed, so that it can be learned what is needed. */
static void allow_all(struct haven_verdict *verdict)
{
	verdict->allowed = true;
	verdict->name_check = HAVEN_NAME_IF_SAID;
	verdict->name_may_miss = true;
	verdict->rule = 0;
	verdict->handle = NULL;
}

static void tell_allowed(struct hv_policy *policy, const struct hv_flow *flow,
			 const struct haven_verdict *verdict)
{
	char text[256];

	if (!verdict->log)
		return;
	hv_flow_describe(flow, text, sizeof(text));
	hv_log_notice(policy->gateway->log, "allowed: %s by rule %u%s%s", text, verdict->rule,
		      verdict->name[0] ? ", as " : "", verdict->name);
}

/*
 * What is not published is refused by default where an `allow in` stands. 'haven connect' is asked for by the network's own user,
 * who could publish the port as well: only rules that say `deny`, and limits, are for it.
 */
static void excuse_command(const struct hv_flow *flow, struct haven_verdict *verdict)
{
	if (flow->by_command && verdict->reason == HAVEN_VERDICT_DEFAULT)
		verdict->allowed = true;
}

enum hv_policy_answer hv_policy_ask(struct hv_gateway *gateway, struct hv_flow *flow,
				    const struct haven_endpoint *peer,
				    struct haven_verdict *verdict)
{
	struct hv_policy *policy = gateway->policy;
	struct haven_filter_flow question = question_of(flow, peer);

	*verdict = (struct haven_verdict){.allowed = true};
	if (!policy->active)
		return HV_POLICY_ALLOWED;
	if (haven_filter_has_host(policy->filter))
		refresh_host(policy);
	haven_filter_decide(policy->filter, &question, gateway->loop.now_ns, verdict);
	excuse_command(flow, verdict);
	if (policy->learn)
		allow_all(verdict);
	if (verdict->allowed) {
		keep(policy, flow, verdict);
		tell_allowed(policy, flow, verdict);
	}
	return answer_of(verdict);
}

enum hv_policy_answer hv_policy_judge(struct hv_gateway *gateway, struct hv_flow *flow,
				      const char *name, struct haven_verdict *verdict)
{
	struct hv_policy *policy = gateway->policy;
	struct haven_filter_flow question = question_of(flow, NULL);

	question.server_name = name;
	haven_filter_decide(policy->filter, &question, gateway->loop.now_ns, verdict);
	if (policy->learn) {
		allow_all(verdict);
		hv_learn_said(policy->learn, flow, name);
	}
	if (!verdict->allowed) {
		snprintf(verdict->name, sizeof(verdict->name), "%s", name);
		return answer_of(verdict);
	}
	keep(policy, flow, verdict);
	set_name(flow, name);
	flow->name_said = true;
	return HV_POLICY_ALLOWED;
}

bool hv_policy_judge_nameless(struct hv_gateway *gateway, struct hv_flow *flow,
			      const struct haven_verdict *first)
{
	if (gateway->policy->learn)
		hv_learn_said(gateway->policy->learn, flow, NULL);
	return first->name_check != HAVEN_NAME_MUST_BE_SAID && first->name_may_miss;
}

const char *hv_policy_name_fault(const struct hv_flow *flow, const char *name,
				 char text[HV_NAME_FAULT_SIZE])
{
	if (flow->name && strcmp(flow->name, name) != 0)
		snprintf(text, HV_NAME_FAULT_SIZE, "its address was looked up as '%s'",
			 flow->name);
	else
		snprintf(text, HV_NAME_FAULT_SIZE, "the server name that it says is refused");
	return text;
}

void hv_policy_leave(struct hv_gateway *gateway, struct hv_flow *flow)
{
	if (flow->being_refused)
		hv_refusal_flow_ended(gateway, flow);
	if (flow->rule)
		haven_filter_leave(gateway->policy->filter, flow->rule,
				   flow->bytes_in + flow->bytes_out);
	flow->rule = NULL;
	free(flow->name);
	flow->name = NULL;
}

/* --- after rules have changed ----------------------------------------------------------- */

bool hv_policy_still_allows(struct hv_gateway *gateway, const struct hv_flow *flow)
{
	struct hv_policy *policy = gateway->policy;
	struct haven_filter_flow question = question_of(flow, flow->peer);
	struct haven_verdict verdict;

	question.bound_name = flow->name;
	question.server_name = flow->name_said ? flow->name : NULL;
	haven_filter_explain(policy->filter, &question, gateway->loop.now_ns, &verdict);
	excuse_command(flow, &verdict);
	return verdict.allowed || policy->learn;
}

static void recheck_slice(struct hv_loop_timer *timer)
{
	struct hv_policy *policy = hv_container(timer, struct hv_policy, recheck);
	struct hv_gateway *gateway = policy->gateway;

	for (unsigned i = 0; i < RECHECK_SLICE; i++) {
		struct hv_flow *flow = hv_flow_cursor_next(&policy->cursor);

		if (!flow) {
			hv_flow_cursor_end(&policy->cursor);
			policy->rechecking = false;
			return;
		}
		if (flow->refuse && !hv_policy_still_allows(gateway, flow))
			flow->refuse(flow, "refused by new rules");
	}
	hv_loop_timer_set(&gateway->loop, timer, gateway->loop.now_ns);
}

void hv_policy_changed(struct hv_gateway *gateway, bool end_flows)
{
	struct hv_policy *policy = gateway->policy;

	policy->active =
		haven_filter_rule_count(policy->filter) > 0 || policy->audit || policy->learn;
	refresh_host(policy);
	if (!end_flows)
		return;
	policy->generation++;
	if (policy->rechecking)
		hv_flow_cursor_end(&policy->cursor);
	hv_flow_cursor_begin(&gateway->flows, &policy->cursor);
	policy->rechecking = true;
	recheck_slice(&policy->recheck);
}

/* --- names ------------------------------------------------------------------------------ */

/* By the operator, who may mean any address with it. */
static bool is_given(const struct hv_policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->static_name_count; i++) {
		if (strcmp(policy->static_names[i].name, name) == 0)
			return true;
	}
	return strcmp(name, "host.haven") == 0;
}

void hv_policy_bound(void *user, const char *name, const uint8_t address[16], uint32_t ttl_s)
{
	struct hv_gateway *gateway = user;
	struct hv_policy *policy = gateway->policy;
	char text[HV_ENDPOINT_TEXT];
	int failed;

	hv_tls_out_bound(gateway, name, address);
	refresh_host(policy);
	if (is_given(policy, name))
		failed = haven_filter_bind_static(policy->filter, name, address);
	else
		failed = haven_filter_bind(policy->filter, name, address, ttl_s * HV_NS_PER_S,
					   gateway->loop.now_ns);
	if (failed == -EPERM && haven_filter_has_names(policy->filter, HAVEN_OUT))
		hv_log_limited(gateway->log, &policy->limit_rebinding, gateway->loop.now_ns,
			       "the name '%s' has the host's own address %s: rules with that "
			       "name do not allow it",
			       name, hv_address_text(address, text));
	else if (failed == -ENOMEM)
		hv_log_limited(gateway->log, &gateway->limit_descriptors, gateway->loop.now_ns,
			       "no memory for the addresses of names");
}

static bool is_wanted(void *user, const char *name)
{
	return haven_filter_can_reach(((struct hv_gateway *)user)->policy->filter, name);
}

void hv_policy_watch_dns(struct hv_gateway *gateway)
{
	struct hv_dns_watcher watcher = {
		.user = gateway,
		.bound = hv_policy_bound,
		.wanted = gateway->policy->dns_strict ? is_wanted : NULL,
	};

	hv_dns_watch(gateway->dns, &watcher);
}

/* --- life ------------------------------------------------------------------------------- */

static int create_filter(struct hv_policy *policy, const struct hv_policy_config *wanted)
{
	struct haven_filter_config config;
	int failed;

	haven_filter_config_init(&config);
	config.name_may_miss = wanted->name_may_miss;
	if (wanted->name_floor_s > 0)
		config.name_floor_ns = wanted->name_floor_s * HV_NS_PER_S;
	failed = haven_filter_create(&config, &policy->filter);
	if (failed < 0) {
		haven_rules_destroy(wanted->rules);
		return failed;
	}
	return wanted->rules ? haven_filter_replace(policy->filter, wanted->rules) : 0;
}

int hv_policy_create(struct hv_gateway *gateway, const struct hv_gateway_config *config,
		     struct hv_gateway_error *error)
{
	const struct hv_policy_config *wanted = &config->policy;
	struct hv_policy *policy = calloc(1, sizeof(*policy));
	int failed;

	if (!policy) {
		haven_rules_destroy(wanted->rules);
		return -ENOMEM;
	}
	gateway->policy = policy;
	policy->gateway = gateway;
	policy->dns_strict = wanted->dns_strict;
	policy->static_names = config->static_names;
	policy->static_name_count = config->static_name_count;
	policy->recheck.expired = recheck_slice;
	policy->services = hv_services_load(HV_SERVICES_PATH);
	failed = create_filter(policy, wanted);
	if (failed == 0)
		failed = hv_refusals_create(policy);
	if (failed == 0 && wanted->audit_path)
		failed = hv_audit_open(wanted->audit_path, gateway, &policy->audit, error);
	if (failed == 0 && wanted->learn_path)
		failed = hv_learn_open(wanted->learn_path, config->command, gateway,
				       &policy->learn, error);
	if (failed == 0)
		hv_policy_changed(gateway, false);
	return failed;
}

void hv_policy_destroy(struct hv_gateway *gateway)
{
	struct hv_policy *policy = gateway->policy;

	if (!policy)
		return;
	if (policy->rechecking)
		hv_flow_cursor_end(&policy->cursor);
	hv_loop_timer_cancel(&gateway->loop, &policy->recheck);
	hv_learn_close(policy->learn);
	hv_audit_close(policy->audit);
	hv_refusals_destroy(policy);
	haven_filter_destroy(policy->filter);
	haven_services_destroy(policy->services);
	free(policy);
	gateway->policy = NULL;
}
