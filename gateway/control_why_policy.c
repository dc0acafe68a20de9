/*
 * The request "why" about flows to somewhere: what the rules say, and by which name.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "gateway/control_state.h"

/* "10 s", "3 min", "2 h" */
static const char *span_text(uint64_t ns, char text[32])
{
	uint64_t s = ns / HV_NS_PER_S;

	if (s < 120)
		snprintf(text, 32, "%llu s", (unsigned long long)s);
	else if (s < 7200)
		snprintf(text, 32, "%llu min", (unsigned long long)(s / 60));
	else
		snprintf(text, 32, "%llu h", (unsigned long long)(s / 3600));
	return text;
}

static void destination_text(const struct hv_answer *answer, char *text, size_t size)
{
	char endpoint[HV_ENDPOINT_TEXT];

	if (answer->name[0])
		snprintf(text, size, "%s:%u", answer->name, answer->endpoint.port);
	else
		snprintf(text, size, "%s", hv_endpoint_text(&answer->endpoint, endpoint));
}

/* Which names are bound to the address, the deciding one first: "as good.test, which DNS said 10 s ago, for 50 s more". */
static void name_text(const struct hv_answer *answer, const struct haven_verdict *verdict,
		      char *text, size_t size)
{
	const struct hv_gateway *gateway = answer->control->gateway;
	uint64_t now_ns = gateway->loop.now_ns;
	struct haven_binding binding;
	char since[32], left[32];

	text[0] = '\0';
	if (answer->name[0] || !verdict->name[0])
		return;
	for (unsigned i = 0;
	     haven_filter_binding(gateway->policy->filter, answer->endpoint.address, i, now_ns,
				  &binding);
	     i++) {
		if (strcmp(binding.name, verdict->name) != 0)
			continue;
		if (binding.expires_ns == UINT64_MAX)
			snprintf(text, size, ", as %s, a static name", binding.name);
		else
			snprintf(text, size,
				 ", as %s: DNS has said so since %s ago, and it holds for %s "
				 "more",
				 binding.name, span_text(now_ns - binding.since_ns, since),
				 span_text(binding.expires_ns - now_ns, left));
		return;
	}
}

static void rule_text(const struct hv_answer *answer, const struct haven_verdict *verdict,
		      char *text, size_t size)
{
	struct haven_rule_info info;

	if (verdict->reason == HAVEN_VERDICT_DNS)
		snprintf(text, size,
			 "as rules with names stand, and DNS then goes through haven only, "
			 "unless a rule names the port");
	else if (verdict->rule && haven_filter_rule(answer->control->gateway->policy->filter,
						    verdict->rule, &info))
		snprintf(text, size, "by rule %u '%s'", info.number, info.text);
	else
		snprintf(text, size, "by default: no rule matches");
}

static const char *check_text(const struct haven_verdict *verdict)
{
	if (!verdict->allowed || verdict->name_check == HAVEN_NAME_FREE)
		return "";
	if (verdict->name_check == HAVEN_NAME_MUST_BE_SAID)
		return "; its address serves a name that is refused, too: TLS or HTTP must say "
		       "the right one";
	return "; what it says by TLS or HTTP must be that name, too";
}

json_t *hv_why_policy_row(const struct hv_answer *answer, uint8_t protocol)
{
	struct hv_gateway *gateway = answer->control->gateway;
	struct haven_filter_flow flow = {
		.direction = HAVEN_OUT,
		.protocol = protocol,
		.destination = answer->endpoint,
	};
	const struct hv_network_family *family =
		hv_network_family_of(&gateway->network, answer->endpoint.address);
	char where[HAVEN_NAME_SIZE + 8], rule[512], name[HAVEN_NAME_SIZE + 128];
	struct haven_verdict verdict;
	json_t *row;

	memcpy(flow.source.address, family->guest, 16);
	if (answer->name[0])
		flow.bound_name = flow.server_name = answer->name;
	haven_filter_explain(gateway->policy->filter, &flow, gateway->loop.now_ns, &verdict);
	destination_text(answer, where, sizeof(where));
	rule_text(answer, &verdict, rule, sizeof(rule));
	name_text(answer, &verdict, name, sizeof(name));
	row = hv_why_row(answer, verdict.allowed ? "allowed" : "denied",
			 "the guest may %sconnect to %s by %s, %s%s%s",
			 verdict.allowed ? "" : "not ", where,
			 hv_control_protocol_name(protocol), rule, name, check_text(&verdict));
	if (!row)
		return NULL;
	json_object_set_new(row, "protocol", json_string(hv_control_protocol_name(protocol)));
	json_object_set_new(row, "rule",
			    verdict.rule ? json_integer(verdict.rule) : json_null());
	json_object_set_new(row, "name",
			    verdict.name[0] ? hv_json_text(verdict.name) : json_null());
	return row;
}
