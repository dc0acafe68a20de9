/*
 * haven ls: the networks that are up.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/show.h"

enum { NAME, USER, PID, SINCE, COMMAND, ADDRESS, LINK, FLOWS, OUT, IN, COLUMNS };

static json_t *request(const struct hv_show_settings *settings, char error[HV_CLIENT_ERROR])
{
	(void)settings;
	(void)error;
	return json_pack("{s:s}", "request", "info");
}

/* Strings of an array, with blanks between. */
static void join(const json_t *array, char *text, size_t size)
{
	size_t used = 0;
	size_t index;
	const json_t *word;

	text[0] = '\0';
	json_array_foreach(array, index, word)
	{
		const char *one = json_string_value(word);
		int length = snprintf(text + used, size - used, index ? " %s" : "%s",
				      one ? one : "");

		used += (size_t)length;
		if (length < 0 || used >= size)
			return;
	}
}

static void add(struct hv_text_table *table, const json_t *row)
{
	const json_t *link = json_object_get(row, "link");
	char user[24], pid[24], since[40] = "", command[256], address[128], flows[24],
				link_text[80], out[16], in[16];
	time_t started = (time_t)hv_row_number(row, "started");
	struct tm then;
	const char *cells[COLUMNS] = {hv_row_text(row, "name"),
				      user,
				      pid,
				      since,
				      command,
				      address,
				      link_text,
				      flows,
				      out,
				      in};

	snprintf(user, sizeof(user), "%lld", hv_row_number(row, "uid"));
	snprintf(pid, sizeof(pid), "%lld", hv_row_number(row, "pid"));
	if (localtime_r(&started, &then))
		strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &then);
	join(json_object_get(row, "command"), command, sizeof(command));
	join(json_object_get(row, "addresses"), address, sizeof(address));
	snprintf(link_text, sizeof(link_text), "%s%s", hv_row_text(link, "kind"),
		 json_is_true(json_object_get(link, "impaired")) ? ", impaired" : "");
	snprintf(flows, sizeof(flows), "%lld", hv_row_number(row, "flows"));
	hv_text_bytes((unsigned long long)hv_row_number(row, "bytes_out"), out);
	hv_text_bytes((unsigned long long)hv_row_number(row, "bytes_in"), in);
	hv_text_table_add(table, HV_ROW_PLAIN, cells);
}

static void print(struct hv_reading *reading, const struct hv_screen *screen, FILE *out)
{
	struct hv_column columns[COLUMNS] = {
		[NAME] = {"NAME", false},	[USER] = {geteuid() == 0 ? "USER" : NULL, true},
		[PID] = {"PID", true},		[SINCE] = {"SINCE", false},
		[COMMAND] = {"COMMAND", false}, [ADDRESS] = {"ADDRESS", false},
		[LINK] = {"LINK", false},	[FLOWS] = {"FLOWS", true},
		[OUT] = {"OUT", true},		[IN] = {"IN", true},
	};
	struct hv_text_table table;

	hv_text_table_init(&table, columns, COLUMNS);
	for (size_t i = 0; i < reading->count; i++)
		add(&table, reading->rows[i].row);
	hv_text_table_print(&table, screen, out);
	hv_text_table_finish(&table);
}

static const struct hv_view view = {
	.command = HV_SHOW_LS,
	.usage = "usage: haven ls [options]\n"
		 "\n"
		 "Lists the networks of yours that are up; root sees those of all users.\n"
		 "\n"
		 "options:",
	.request = request,
	.print = print,
};

int hv_command_ls(int argc, char **argv)
{
	return hv_show_main(&view, argc, argv);
}
