/*
 * haven flows [NAME]: every connection through the gateway.
 */
#include <string.h>

#include "cli/cmd_flows.h"
#include "cli/command.h"

enum {
	NETWORK,
	PROTOCOL,
	DIRECTION,
	STATE,
	FROM,
	TO,
	SERVICE,
	OUT,
	IN,
	RATE,
	RTT,
	AGE,
	COLUMNS
};

static json_t *request(const struct hv_show_settings *settings, char error[HV_CLIENT_ERROR])
{
	(void)settings;
	(void)error;
	return json_pack("{s:s}", "request", "flows");
}

/*
 * Bytes a second, both ways together: between two drawings of --watch, by what the last one kept; else
 * since the flow began.
 */
static double rate_of(struct hv_reading *reading, const struct hv_row *row, const char *from,
		      const char *to)
{
	json_int_t bytes =
		hv_row_number(row->row, "bytes_out") + hv_row_number(row->row, "bytes_in");
	double age_s = json_real_value(json_object_get(row->row, "age_s"));
	const json_t *before;
	char key[256];

	if (reading->settings->watch) {
		snprintf(key, sizeof(key), "%.60s %.8s %.64s %.64s", row->network->name,
			 hv_row_text(row->row, "protocol"), from, to);
		before = json_object_get(reading->before, key);
		if (!reading->kept)
			reading->kept = json_object();
		json_object_set_new(reading->kept, key, json_integer(bytes));
		if (before && json_integer_value(before) <= bytes && reading->since_s > 0)
			return (double)(bytes - json_integer_value(before)) / reading->since_s;
	}
	return age_s >= 0.001 ? (double)bytes / age_s : 0;
}

static void add(struct hv_text_table *table, struct hv_reading *reading,
		const struct hv_row *row)
{
	char from[64], client[96], to[64], out[16], in[16], rate_text[16], rate[24],
		rtt[24] = "-", age[16];
	const json_t *rtt_ms = json_object_get(row->row, "rtt_ms");
	const char *service = hv_row_text(row->row, "service");
	const char *state = hv_row_text(row->row, "state");
	const char *cells[COLUMNS] = {
		row->network->name,
		hv_row_text(row->row, "protocol"),
		hv_row_text(row->row, "direction"),
		state,
		hv_row_endpoint(json_object_get(row->row, "source"), from),
		hv_row_endpoint(json_object_get(row->row, "destination"), to),
		*service ? service : NULL,
		out,
		in,
		rate,
		rtt,
		age,
	};

	if (*hv_row_text(row->row, "client")) {
		snprintf(client, sizeof(client), "%s (%.20s)", from,
			 hv_row_text(row->row, "client"));
		cells[FROM] = client;
	}
	hv_text_bytes((unsigned long long)hv_row_number(row->row, "bytes_out"), out);
	hv_text_bytes((unsigned long long)hv_row_number(row->row, "bytes_in"), in);
	snprintf(rate, sizeof(rate), "%s/s",
		 hv_text_bytes((unsigned long long)rate_of(reading, row, from, to), rate_text));
	if (json_is_real(rtt_ms))
		snprintf(rtt, sizeof(rtt), "%.2fms", json_real_value(rtt_ms));
	hv_text_duration(json_real_value(json_object_get(row->row, "age_s")), age);
	hv_text_table_add(table, strcmp(state, "OPEN") == 0 ? HV_ROW_PLAIN : HV_ROW_FAINT,
			  cells);
}

void hv_flows_print(struct hv_reading *reading, const struct hv_screen *screen, FILE *out)
{
	struct hv_column columns[COLUMNS] = {
		[NETWORK] = {reading->several ? "NETWORK" : NULL, false},
		[PROTOCOL] = {"PROTO", false},
		[DIRECTION] = {"DIR", false},
		[STATE] = {"STATE", false},
		[FROM] = {"FROM", false},
		[TO] = {"TO", false},
		[SERVICE] = {"SERVICE", false},
		[OUT] = {"OUT", true},
		[IN] = {"IN", true},
		[RATE] = {"RATE", true},
		[RTT] = {"RTT", true},
		[AGE] = {"AGE", true},
	};
	struct hv_text_table table;

	hv_text_table_init(&table, columns, COLUMNS);
	for (size_t i = 0; i < reading->count; i++) {
		if (hv_row_is(reading->rows[i].row, "flow"))
			add(&table, reading, &reading->rows[i]);
	}
	hv_text_table_print(&table, screen, out);
	hv_text_table_finish(&table);
}

static const struct hv_view view = {
	.command = HV_SHOW_FLOWS,
	.usage =
		"usage: haven flows [options] [NAME]\n"
		"\n"
		"Lists every connection of a network, or of all that are up: who began it, where to, its\n"
		"state, bytes from the guest (OUT) and to it (IN), rate, round trip time on the host's\n"
		"side, and age. The rate is the mean since it began; with --watch, that of the last second.\n"
		"\n"
		"options:",
	.words_max = 1,
	.request = request,
	.print = hv_flows_print,
};

int hv_command_flows(int argc, char **argv)
{
	return hv_show_main(&view, argc, argv);
}
