/*
 * haven why NAME [PORT|ADDR:PORT]: who holds a port and until when, what became of connections with an
 * endpoint; and without either, what packets were dropped for.
 */
#include <string.h>

#include "cli/cmd_flows.h"
#include "cli/command.h"
#include "gateway/services.h"

/* "8080", "53/udp", "http": one port. False with a line in error. */
static bool parse_port(const char *text, json_t *request, char error[HV_CLIENT_ERROR])
{
	struct haven_services *services = hv_services_load(HV_SERVICES_PATH);
	struct haven_ports ports;
	int failed = haven_ports_parse(services, text, strlen(text),
				       HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP, &ports);

	if (failed < 0)
		hv_services_explain(services, text, HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP,
				    failed, error, HV_CLIENT_ERROR);
	haven_services_destroy(services);
	if (failed == 0 && (ports.first == 0 || ports.first != ports.last ||
			    !(ports.protocols & (HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP)))) {
		snprintf(error, HV_CLIENT_ERROR,
			 "'%.100s' is not one port of TCP or UDP, from 1 to 65535", text);
		return false;
	}
	if (failed < 0)
		return false;
	json_object_set_new(request, "port", json_integer(ports.first));
	if (ports.protocols == HAVEN_SERVICE_TCP)
		json_object_set_new(request, "protocol", json_string("tcp"));
	else if (ports.protocols == HAVEN_SERVICE_UDP)
		json_object_set_new(request, "protocol", json_string("udp"));
	return true;
}

static json_t *request(const struct hv_show_settings *settings, char error[HV_CLIENT_ERROR])
{
	const char *subject = settings->words[1];
	json_t *request;

	if (!subject)
		return json_pack("{s:s}", "request", "drops");
	request = json_pack("{s:s}", "request", "why");
	if (strchr(subject, ':')) {
		json_object_set_new(request, "endpoint", json_string(subject));
		return request;
	}
	if (parse_port(subject, request, error))
		return request;
	json_decref(request);
	return NULL;
}

/* --- what is said ----------------------------------------------------------------------- */

static size_t count_of(const struct hv_reading *reading, const char *type)
{
	size_t count = 0;

	for (size_t i = 0; i < reading->count; i++)
		count += hv_row_is(reading->rows[i].row, type);
	return count;
}

/* Sentences; other people's names in them are made harmless as in tables. */
static void print_sentences(const struct hv_reading *reading, FILE *out)
{
	for (size_t i = 0; i < reading->count; i++) {
		const char *text = hv_row_text(reading->rows[i].row, "text");

		if (!hv_row_is(reading->rows[i].row, "why"))
			continue;
		hv_text_put(text, out);
		fputc('\n', out);
	}
}

enum { PROTOCOL, DIRECTION, FROM, TO, ENDED, REASON, OUT, IN, LASTED, COLUMNS };

static void print_ended(const struct hv_reading *reading, const struct hv_screen *screen,
			FILE *out)
{
	static const struct hv_column columns[COLUMNS] = {
		[PROTOCOL] = {"PROTO", false}, [DIRECTION] = {"DIR", false},
		[FROM] = {"FROM", false},      [TO] = {"TO", false},
		[ENDED] = {"ENDED", true},     [REASON] = {"REASON", false},
		[OUT] = {"OUT", true},	       [IN] = {"IN", true},
		[LASTED] = {"LASTED", true},
	};
	struct hv_text_table table;

	hv_text_table_init(&table, columns, COLUMNS);
	for (size_t i = 0; i < reading->count; i++) {
		const json_t *row = reading->rows[i].row;
		char from[64], to[64], duration[16], ago[24], sent[16], received[16],
			lasted[16];
		const char *cells[COLUMNS] = {
			hv_row_text(row, "protocol"),
			hv_row_text(row, "direction"),
			hv_row_endpoint(json_object_get(row, "source"), from),
			hv_row_endpoint(json_object_get(row, "destination"), to),
			ago,
			hv_row_text(row, "reason"),
			hv_text_bytes((unsigned long long)hv_row_number(row, "bytes_out"),
				      sent),
			hv_text_bytes((unsigned long long)hv_row_number(row, "bytes_in"),
				      received),
			hv_text_duration(json_real_value(json_object_get(row, "lasted_s")),
					 lasted),
		};

		if (!hv_row_is(row, "ended-flow"))
			continue;
		hv_text_duration(json_real_value(json_object_get(row, "ended_s_ago")),
				 duration);
		snprintf(ago, sizeof(ago), "%s ago", duration);
		hv_text_table_add(&table, HV_ROW_PLAIN, cells);
	}
	hv_text_table_print(&table, screen, out);
	hv_text_table_finish(&table);
}

static void print_drops(const struct hv_reading *reading, const struct hv_screen *screen,
			FILE *out)
{
	static const struct hv_column columns[] = {{"PACKETS", true}, {"DROPPED FOR", false}};
	struct hv_text_table table;

	hv_text_table_init(&table, columns, 2);
	for (size_t i = 0; i < reading->count; i++) {
		const json_t *row = reading->rows[i].row;
		char count[24];
		const char *cells[] = {count, hv_row_text(row, "reason")};

		snprintf(count, sizeof(count), "%lld", hv_row_number(row, "count"));
		hv_text_table_add(&table, HV_ROW_PLAIN, cells);
	}
	hv_text_table_print(&table, screen, out);
	hv_text_table_finish(&table);
}

static void print(struct hv_reading *reading, const struct hv_screen *screen, FILE *out)
{
	if (!reading->settings->words[1]) {
		print_drops(reading, screen, out);
		return;
	}
	print_sentences(reading, out);
	if (count_of(reading, "flow") > 0) {
		fputs("\nopen:\n", out);
		hv_flows_print(reading, screen, out);
	}
	if (count_of(reading, "ended-flow") > 0) {
		fputs("\nended:\n", out);
		print_ended(reading, screen, out);
	}
}

static const struct hv_view view = {
	.command = HV_SHOW_WHY,
	.usage =
		"usage: haven why [options] NAME [PORT[/tcp|/udp] | ADDR:PORT]\n"
		"\n"
		"PORT: who holds this port of the guest, and until when, or that it is free.\n"
		"ADDR:PORT: the connections with this end, open ones and those that ended lately, with the\n"
		"reason. Neither: how many packets were dropped, and for what.\n"
		"\n"
		"options:",
	.words_min = 1,
	.words_max = 2,
	.request = request,
	.print = print,
};

int hv_command_why(int argc, char **argv)
{
	return hv_show_main(&view, argc, argv);
}
