/*
 * From a line to an answer: which request it is, and the life that all answers have in common.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/control_state.h"

static const struct hv_answer_kind *const kinds[] = {
	&hv_answer_info,	   &hv_answer_ports,
	&hv_answer_flows,	   &hv_answer_why,
	&hv_answer_publish,	   &hv_answer_unpublish,
	&hv_answer_drops,	   &hv_answer_policy,
	&hv_answer_allow,	   &hv_answer_deny,
	&hv_answer_policy_remove,  &hv_answer_policy_stage,
	&hv_answer_policy_replace, &hv_answer_refusals,
	&hv_answer_connect,
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int hv_answer_fail(struct hv_answer *answer, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(answer->error.text, sizeof(answer->error.text), format, arguments);
	va_end(arguments);
	return error;
}

/* What a request that cannot be understood gets: its error, and nothing else. */
static const struct hv_answer_kind nothing = {.name = "nothing"};

static const struct hv_answer_kind *find(const char *name)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	}
	return NULL;
}

static void surveyed(struct hv_survey_wait *wait, struct hv_survey *survey)
{
	struct hv_answer *answer = hv_container(wait, struct hv_answer, wait);

	answer->survey = survey;
	if (!survey)
		hv_answer_fail(answer, -ENOMEM, "out of memory");
	hv_answer_ready(answer);
}

static void understand(struct hv_answer *answer, char *line, size_t size)
{
	json_error_t wrong;
	const char *name;

	answer->kind = &nothing;
	answer->request = json_loadb(line, size, JSON_REJECT_DUPLICATES, &wrong);
	if (!json_is_object(answer->request)) {
		hv_answer_fail(answer, -EINVAL, "the request is no JSON object: %s",
			       answer->request ? "it is something else" : wrong.text);
		return;
	}
	name = json_string_value(json_object_get(answer->request, "request"));
	if (!name) {
		hv_answer_fail(answer, -EINVAL, "the member \"request\" is missing");
		return;
	}
	if (!find(name)) {
		hv_answer_fail(answer, -EINVAL, "there is no request '%.60s'", name);
		return;
	}
	answer->kind = find(name);
}

void hv_answer_begin(struct hv_answer *answer, struct hv_control *control, char *line,
		     size_t size)
{
	int failed;

	memset(answer, 0, sizeof(*answer));
	answer->control = control;
	answer->wait.done = surveyed;
	understand(answer, line, size);
	if (answer->error.text[0])
		return;
	failed = answer->kind->begin ? answer->kind->begin(answer) : 0;
	if (failed < 0) {
		if (!answer->error.text[0])
			hv_answer_fail(answer, failed, "%s", strerror(-failed));
		return;
	}
	if (answer->needs_survey)
		hv_survey_ask(control->surveyor, &answer->wait);
}

bool hv_answer_can_step(const struct hv_answer *answer)
{
	return answer->kind && !answer->wait.waiting && !answer->idle;
}

/* The last row: {"type":"end"}, with how many there were and what is not in them. */
static json_t *end_row(const struct hv_answer *answer)
{
	json_t *row = json_pack("{s:s, s:I}", "type", "end", "rows", (json_int_t)answer->rows);

	if (row && answer->survey && answer->survey->note[0])
		json_object_set_new(row, "note", hv_json_text(answer->survey->note));
	return row;
}

static json_t *error_row(const struct hv_answer *answer)
{
	return json_pack("{s:s, s:o}", "type", "error", "message",
			 hv_json_text(answer->error.text));
}

bool hv_answer_step(struct hv_answer *answer, json_t **row)
{
	if (!answer->error.text[0] && answer->kind->step(answer, row)) {
		answer->rows += *row != NULL;
		return true;
	}
	json_decref(*row);
	*row = answer->error.text[0] ? error_row(answer) : end_row(answer);
	return false;
}

void hv_answer_end(struct hv_answer *answer)
{
	if (!answer->kind)
		return;
	if (answer->wait.waiting)
		hv_survey_cancel(answer->control->surveyor, &answer->wait);
	if (answer->listening)
		hv_refusal_unlisten(&answer->listener);
	if (answer->has_cursor)
		hv_flow_cursor_end(&answer->cursor);
	if (answer->relay)
		answer->relay->watcher = NULL;
	json_decref(answer->connected);
	json_decref(answer->outcome);
	hv_survey_release(answer->survey);
	free(answer->publications);
	json_decref(answer->request);
	memset(answer, 0, sizeof(*answer));
}
