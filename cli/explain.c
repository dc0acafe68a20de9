/*
 * Steps as lines. See explain.h.
 */
#include "cli/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <haven/service.h>

#include "gateway/session.h"

#define LINE_MAX_ 2048

void hv_explain_init(struct hv_explain *explain, bool on, bool json)
{
	*explain = (struct hv_explain){
		.on = on,
		.json = json,
		.start_ns = hv_session_clock_ns(),
	};
}

static void write_json(double at_ms, const char *step, json_t *fields, const char *text)
{
	json_t *line = json_object();
	char *dump;

	json_object_set_new(line, "at_ms", json_real(at_ms));
	json_object_set_new(line, "step", json_string(step));
	json_object_set_new(line, "text", json_string(text));
	if (fields)
		json_object_update(line, fields);
	dump = json_dumps(line, JSON_REAL_PRECISION(10));
	if (dump)
		dprintf(STDERR_FILENO, "%s\n", dump);
	free(dump);
	json_decref(line);
}

/* What others say (HTTP's reason, a name) is shown as one line of text. */
static void make_harmless(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
			*text = '?';
	}
}

void hv_explain_step(const struct hv_explain *explain, const char *step, json_t *fields,
		     const char *format, ...)
{
	char text[LINE_MAX_];
	va_list arguments;
	double at_ms;

	if (explain->on) {
		at_ms = (double)(hv_session_clock_ns() - explain->start_ns) / 1e6;
		va_start(arguments, format);
		vsnprintf(text, sizeof(text), format, arguments);
		va_end(arguments);
		make_harmless(text);
		if (explain->json)
			write_json(at_ms, step, fields, text);
		else
			dprintf(STDERR_FILENO, "%10.3f ms  %-12s %s\n", at_ms, step, text);
	}
	if (fields)
		json_decref(fields);
}

const char *hv_explain_port(uint16_t port, unsigned protocol, char text[HV_PORT_TEXT])
{
	const char *range = haven_port_class_name(haven_port_class(port));
	const char *name = haven_service_name(NULL, port, protocol);

	if (name)
		snprintf(text, HV_PORT_TEXT, "%u, in the %s range: '%s' in the registry", port,
			 range, name);
	else
		snprintf(text, HV_PORT_TEXT,
			 "%u, in the %s range: no service is registered there", port, range);
	return text;
}
