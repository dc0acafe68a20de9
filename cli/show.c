/*
 * Asks networks and shows what they say. See show.h.
 */
#include "cli/show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway/guest.h"
#include "gateway/log.h"

/* --- options ---------------------------------------------------------------------------- */

#define ALL_COMMANDS (HV_SHOW_LS | HV_SHOW_PORTS | HV_SHOW_FLOWS | HV_SHOW_WHY)

static bool apply_json(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct hv_show_settings *)user)->json = true;
	return true;
}

static bool apply_watch(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct hv_show_settings *)user)->watch = true;
	return true;
}

static bool apply_all(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct hv_show_settings *)user)->all = true;
	return true;
}

static bool apply_help(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct hv_show_settings *)user)->help = true;
	return true;
}

static const struct hv_option options[] = {
	{0, "all", NULL, "the connections of listening ports one by one, too", HV_SHOW_PORTS,
	 apply_all},
	{0, "json", NULL, "one JSON object a line", ALL_COMMANDS, apply_json},
	{0, "watch", NULL, "a live screen; q ends it",
	 HV_SHOW_LS | HV_SHOW_PORTS | HV_SHOW_FLOWS, apply_watch},
	{'h', "help", NULL, "show this", ALL_COMMANDS, apply_help},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

int hv_show_fail(const char *text)
{
	struct hv_log log;

	hv_log_init(&log, STDERR_FILENO, HV_LOG_WARNING);
	hv_log_line(&log, HV_LOG_ERROR, "%s", text);
	return HV_EXIT_FAILED;
}

/* Options may stand before, between and after the words. False with a line in error. */
static bool parse(const struct hv_view *view, int argc, char **argv,
		  struct hv_show_settings *settings, char error[HV_OPTION_ERROR])
{
	int at = 0;

	while (at < argc) {
		int next = hv_options_parse(options, OPTIONS, view->command, argc - at,
					    argv + at, settings, error);

		if (next < 0)
			return false;
		at += next;
		if (at >= argc)
			break;
		if (settings->word_count == view->words_max) {
			snprintf(error, HV_OPTION_ERROR, "'%.200s' is one word too many",
				 argv[at]);
			return false;
		}
		settings->words[settings->word_count++] = argv[at];
	}
	if (settings->help || settings->word_count >= view->words_min)
		return true;
	snprintf(error, HV_OPTION_ERROR,
		 "the name of a network is missing; 'haven ls' lists them");
	return false;
}

/* --- reading ---------------------------------------------------------------------------- */

static void take_row(void *user, json_t *row)
{
	struct hv_reading *reading = user;

	if (reading->count == reading->size) {
		size_t wanted = reading->size ? reading->size * 2 : 256;
		void *grown = realloc(reading->rows, wanted * sizeof(*reading->rows));

		if (!grown)
			return;
		reading->rows = grown;
		reading->size = wanted;
	}
	reading->rows[reading->count++] =
		(struct hv_row){.row = json_incref(row), .network = reading->asked};
}

static void finish_reading(struct hv_reading *reading)
{
	for (size_t i = 0; i < reading->count; i++)
		json_decref(reading->rows[i].row);
	free(reading->rows);
	free(reading->networks);
	reading->rows = NULL;
	reading->networks = NULL;
	reading->count = reading->size = reading->network_count = 0;
}

static int find_networks(struct hv_reading *reading, char error[HV_CLIENT_ERROR])
{
	const char *name = reading->settings->words[0];

	reading->several = !name;
	if (!name)
		return hv_client_list(&reading->networks, &reading->network_count, error);
	reading->networks = malloc(sizeof(*reading->networks));
	if (!reading->networks) {
		snprintf(error, HV_CLIENT_ERROR, "out of memory");
		return -ENOMEM;
	}
	reading->network_count = 1;
	return hv_client_find(name, reading->networks, error);
}

/* A network that cannot be asked: of all, one that has just ended is none, and the others are shown. */
static int tolerate(struct hv_reading *reading, int failed, const char *error)
{
	if (!reading->several)
		return failed;
	if (failed != -ECONNREFUSED)
		snprintf(reading->note, sizeof(reading->note), "%s", error);
	return 0;
}

static int read_networks(const struct hv_view *view, struct hv_reading *reading,
			 char error[HV_CLIENT_ERROR])
{
	json_t *request = view->request(reading->settings, error);
	int failed = request ? find_networks(reading, error) : -EINVAL;

	reading->note[0] = '\0';
	for (size_t i = 0; failed == 0 && i < reading->network_count; i++) {
		char note[HV_CLIENT_ERROR];

		reading->asked = &reading->networks[i];
		failed = hv_client_ask(reading->asked, request, take_row, reading, note, error);
		if (failed == 0 && note[0])
			memcpy(reading->note, note, sizeof(note));
		if (failed < 0)
			failed = tolerate(reading, failed, error);
	}
	json_decref(request);
	return failed;
}

/* --- showing ---------------------------------------------------------------------------- */

static void print_json(const struct hv_reading *reading, FILE *out)
{
	for (size_t i = 0; i < reading->count; i++) {
		json_t *row = reading->rows[i].row;

		json_object_set_new(row, "network",
				    json_string(reading->rows[i].network->name));
		json_dumpf(row, out, JSON_COMPACT);
		fputc('\n', out);
	}
}

static int show_once(const struct hv_view *view, const struct hv_show_settings *settings)
{
	struct hv_reading reading = {.settings = settings};
	char error[HV_CLIENT_ERROR];
	struct hv_screen screen;
	int failed = read_networks(view, &reading, error);

	if (failed == 0 && settings->json) {
		print_json(&reading, stdout);
	} else if (failed == 0) {
		hv_screen_of(stdout, &screen);
		view->print(&reading, &screen, stdout);
	}
	if (failed == 0 && reading.note[0]) {
		fflush(stdout);
		fprintf(stderr, "haven: %s\n", reading.note);
	}
	json_decref(reading.kept);
	finish_reading(&reading);
	return failed < 0 ? hv_show_fail(error) : 0;
}

struct watching {
	const struct hv_view *view;
	const struct hv_show_settings *settings;
	json_t *kept;
	struct timespec last;
	char error[HV_CLIENT_ERROR];
};

static double seconds_since(const struct timespec *then, struct timespec *now)
{
	clock_gettime(CLOCK_MONOTONIC, now);
	return (double)(now->tv_sec - then->tv_sec) +
	       (double)(now->tv_nsec - then->tv_nsec) / 1e9;
}

static bool draw(void *user, const struct hv_screen *screen, FILE *out)
{
	struct watching *watching = user;
	struct hv_reading reading = {
		.settings = watching->settings,
		.before = watching->kept,
	};
	struct hv_screen rest = *screen;
	struct timespec now;
	int failed = read_networks(watching->view, &reading, watching->error);

	reading.since_s = seconds_since(&watching->last, &now);
	if (failed == 0) {
		if (reading.note[0]) {
			fprintf(out, "%.*s\n", (int)screen->width, reading.note);
			rest.height--;
		}
		watching->view->print(&reading, &rest, out);
	}
	json_decref(watching->kept);
	watching->kept = reading.kept;
	watching->last = now;
	finish_reading(&reading);
	return failed == 0;
}

static int show_live(const struct hv_view *view, const struct hv_show_settings *settings)
{
	struct watching watching = {.view = view, .settings = settings};
	int failed;

	if (settings->json)
		return hv_show_fail("--watch and --json contradict each other");
	failed = hv_watch(draw, &watching);
	json_decref(watching.kept);
	if (failed < 0)
		return hv_show_fail("--watch takes a terminal for its input and output");
	/* The network that was watched has ended, or could not be asked. */
	return watching.error[0] && failed > 0 ? hv_show_fail(watching.error) : 0;
}

int hv_show_main(const struct hv_view *view, int argc, char **argv)
{
	struct hv_show_settings settings = {0};
	char error[HV_OPTION_ERROR];

	if (!parse(view, argc, argv, &settings, error))
		return hv_show_fail(error);
	if (settings.help) {
		puts(view->usage);
		hv_options_help(options, OPTIONS, view->command, stdout);
		return 0;
	}
	return settings.watch ? show_live(view, &settings) : show_once(view, &settings);
}

/* --- of rows ---------------------------------------------------------------------------- */

const char *hv_row_text(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

long long hv_row_number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

const char *hv_row_endpoint(const json_t *endpoint, char text[64])
{
	const char *address = hv_row_text(endpoint, "address");

	snprintf(text, 64, strchr(address, ':') ? "[%.45s]:%lld" : "%.45s:%lld", address,
		 hv_row_number(endpoint, "port"));
	return text;
}

bool hv_row_is(const json_t *row, const char *type)
{
	return strcmp(hv_row_text(row, "type"), type) == 0;
}
