/*
 * Requests about the policy: its rules with their counters, changes of it while the network is up, and who was refused.
 *
 * A policy of many rules does not fit into one request: it is staged in pieces, per client, and stands as a whole with
 * policy-replace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/control_state.h"
#include "gateway/services.h"

static struct hv_policy *policy_of(const struct hv_answer *answer)
{
	return answer->control->gateway->policy;
}

static struct hv_control_client *client_of(struct hv_answer *answer)
{
	return hv_container(answer, struct hv_control_client, answer);
}

/* --- what stands ------------------------------------------------------------------------ */

static const char *direction_name(enum haven_direction direction)
{
	return direction == HAVEN_OUT ? "out" : "in";
}

static json_t *rule_row(const char *type, const struct haven_rule_info *info)
{
	return json_pack("{s:s, s:i, s:o, s:o, s:i, s:s, s:s, s:I, s:I, s:I, s:i}", "type",
			 type, "number", (int)info->number, "rule", hv_json_text(info->text),
			 "file", info->file[0] ? hv_json_text(info->file) : json_null(), "line",
			 (int)info->line, "verdict", info->allow ? "allow" : "deny",
			 "direction", direction_name(info->direction), "flows",
			 (json_int_t)info->flows, "refused", (json_int_t)info->refused, "bytes",
			 (json_int_t)info->bytes, "open", (int)info->open);
}

static json_t *default_row(const struct haven_filter *filter, enum haven_direction direction)
{
	return json_pack("{s:s, s:s, s:s, s:I}", "type", "default", "direction",
			 direction_name(direction), "verdict",
			 haven_filter_default_allows(filter, direction) ? "allow" : "deny",
			 "flows", (json_int_t)haven_filter_default_count(filter, direction));
}

/* The rules; then what becomes of the rest, out and in. Rules may change between two steps: their numbers tell. */
static bool policy_step(struct hv_answer *answer, json_t **row)
{
	static const enum haven_direction directions[] = {HAVEN_OUT, HAVEN_IN};
	const struct haven_filter *filter = policy_of(answer)->filter;
	struct haven_rule_info info;

	if (answer->stage == 0 &&
	    haven_filter_rule(filter, (uint32_t)answer->position + 1, &info)) {
		answer->position++;
		*row = rule_row("rule", &info);
		return true;
	}
	if (answer->stage == 2)
		return false;
	*row = default_row(filter, directions[answer->stage++]);
	return true;
}

const struct hv_answer_kind hv_answer_policy = {.name = "policy", .step = policy_step};

/* --- changes ---------------------------------------------------------------------------- */

static void changed(struct hv_answer *answer)
{
	bool keep = json_is_true(json_object_get(answer->request, "keep_flows"));

	hv_policy_changed(answer->control->gateway, !keep);
}

/* Rules as text and no file: an error is about the text alone. */
static int explain(struct hv_answer *answer, int failed, const struct haven_rule_error *error)
{
	if (failed == -EINVAL)
		return hv_answer_fail(answer, failed, "%s%s", error->text,
				      error->column ? "" : " ");
	if (failed == -ENOSPC)
		return hv_answer_fail(answer, failed, "there can be at most 65536 rules");
	return hv_answer_fail(answer, failed, "%s", haven_strerror(failed));
}

static int new_rules(struct hv_answer *answer, struct haven_rules **out)
{
	struct haven_env env;
	int failed;

	haven_env_default(&env);
	failed = haven_rules_create(&env, policy_of(answer)->services, out);
	return failed < 0 ? hv_answer_fail(answer, failed, "out of memory") : 0;
}

static int insert(struct hv_answer *answer, enum haven_rule_verb verb)
{
	const char *text = json_string_value(json_object_get(answer->request, "rule"));
	bool last = json_is_true(json_object_get(answer->request, "last"));
	struct haven_filter *filter = policy_of(answer)->filter;
	uint32_t place = last ? haven_filter_rule_count(filter) + 1 : 1;
	struct haven_rule_error error;
	struct haven_rules *rules;
	int failed;

	if (!text)
		return hv_answer_fail(answer, -EINVAL, "the member \"rule\" is missing");
	failed = new_rules(answer, &rules);
	if (failed < 0)
		return failed;
	failed = haven_rules_add(rules, verb, text, &error);
	if (failed < 0) {
		haven_rules_destroy(rules);
		return explain(answer, failed, &error);
	}
	failed = haven_filter_insert(filter, place, rules);
	if (failed < 0)
		return explain(answer, failed, &error);
	answer->position = place;
	changed(answer);
	return 0;
}

static int allow_begin(struct hv_answer *answer)
{
	return insert(answer, HAVEN_RULE_ALLOW);
}

static int deny_begin(struct hv_answer *answer)
{
	return insert(answer, HAVEN_RULE_DENY);
}

/* The rule that came. */
static bool insert_step(struct hv_answer *answer, json_t **row)
{
	struct haven_rule_info info;

	if (answer->stage++ > 0 ||
	    !haven_filter_rule(policy_of(answer)->filter, (uint32_t)answer->position, &info))
		return false;
	*row = rule_row("rule", &info);
	return true;
}

const struct hv_answer_kind hv_answer_allow = {
	.name = "allow",
	.begin = allow_begin,
	.step = insert_step,
};
const struct hv_answer_kind hv_answer_deny = {
	.name = "deny",
	.begin = deny_begin,
	.step = insert_step,
};

static int remove_begin(struct hv_answer *answer)
{
	json_int_t number = json_integer_value(json_object_get(answer->request, "number"));
	struct haven_filter *filter = policy_of(answer)->filter;
	int failed;

	if (number < 1 || number > (json_int_t)haven_filter_rule_count(filter))
		return hv_answer_fail(answer, -ENOENT,
				      "there is no such rule: they are numbered from 1 to %u",
				      haven_filter_rule_count(filter));
	failed = haven_filter_remove(filter, (uint32_t)number);
	if (failed < 0)
		return hv_answer_fail(answer, failed, "%s", haven_strerror(failed));
	changed(answer);
	return 0;
}

static bool no_step(struct hv_answer *answer, json_t **row)
{
	(void)answer;
	(void)row;
	return false;
}

const struct hv_answer_kind hv_answer_policy_remove = {
	.name = "policy-remove",
	.begin = remove_begin,
	.step = no_step,
};

/* Lines of rules, added to those that were staged before. */
static int stage_begin(struct hv_answer *answer)
{
	const json_t *text = json_object_get(answer->request, "rules");
	struct hv_control_client *client = client_of(answer);
	struct haven_rule_error error;
	int failed;

	if (!json_is_string(text))
		return hv_answer_fail(answer, -EINVAL, "the member \"rules\" is missing");
	if (!client->staged) {
		failed = new_rules(answer, &client->staged);
		if (failed < 0)
			return failed;
	}
	failed = haven_rules_add_text(client->staged, "", json_string_value(text),
				      json_string_length(text), NULL, &error);
	return failed < 0 ? explain(answer, failed, &error) : 0;
}

const struct hv_answer_kind hv_answer_policy_stage = {
	.name = "policy-stage",
	.begin = stage_begin,
	.step = no_step,
};

static int replace_begin(struct hv_answer *answer)
{
	struct hv_control_client *client = client_of(answer);
	struct haven_rules *rules = client->staged;
	int failed;

	if (!rules) {
		failed = new_rules(answer, &rules);
		if (failed < 0)
			return failed;
	}
	client->staged = NULL;
	failed = haven_filter_replace(policy_of(answer)->filter, rules);
	if (failed < 0)
		return hv_answer_fail(answer, failed, "%s", haven_strerror(failed));
	changed(answer);
	return 0;
}

const struct hv_answer_kind hv_answer_policy_replace = {
	.name = "policy-replace",
	.begin = replace_begin,
	.step = no_step,
};

/* --- refusals --------------------------------------------------------------------------- */

json_t *hv_json_refused(struct hv_control *control, const struct hv_refused *refused)
{
	static const char type[] = "refused";
	char text[1024];
	json_t *row;

	hv_refused_text(control->gateway->policy, refused, text, sizeof(text));
	row = json_pack("{s:s, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "type", type,
			"number", (json_int_t)refused->number, "at", (json_int_t)refused->at,
			"protocol", hv_flow_protocol_name(refused->kind), "direction",
			hv_flow_direction_name(refused->kind), "source",
			hv_json_endpoint(&refused->source), "destination",
			hv_json_endpoint(&refused->destination), "name",
			refused->name[0] ? hv_json_text(refused->name) : json_null(), "rule",
			refused->rule ? json_integer(refused->rule) : json_null(), "reason",
			hv_json_text(refused->reason), "text", hv_json_text(text));
	if (row)
		json_object_set_new(row, "process",
				    refused->pid
					    ? json_pack("{s:i, s:o}", "pid", refused->pid,
							"name", hv_json_text(refused->process))
					    : json_null());
	return row;
}

static void refused(struct hv_refusal_listener *listener)
{
	struct hv_answer *answer = hv_container(listener, struct hv_answer, listener);

	if (!answer->idle)
		return;
	answer->idle = false;
	hv_answer_ready(answer);
}

static int refusals_begin(struct hv_answer *answer)
{
	if (!json_is_true(json_object_get(answer->request, "follow")))
		return 0;
	answer->listener.refused = refused;
	answer->listening = true;
	hv_refusal_listen(policy_of(answer), &answer->listener);
	return 0;
}

/* position: the number of the last that was told. */
static bool refusals_step(struct hv_answer *answer, json_t **row)
{
	const struct hv_refused *next = hv_refusal_after(policy_of(answer), answer->position);

	if (!next) {
		answer->idle = answer->listening;
		return answer->listening;
	}
	answer->position = next->number;
	*row = hv_json_refused(answer->control, next);
	return true;
}

const struct hv_answer_kind hv_answer_refusals = {
	.name = "refusals",
	.begin = refusals_begin,
	.step = refusals_step,
};
