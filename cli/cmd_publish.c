/*
 * haven publish NAME SPEC..., haven unpublish NAME SPEC...: ports of a network that is up.
 */
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/show.h"

struct settings {
	bool json, help;
};

static bool apply_json(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct settings *)user)->json = true;
	return true;
}

static bool apply_help(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct settings *)user)->help = true;
	return true;
}

static const struct hv_option options[] = {
	{0, "json", NULL, "one JSON object a line", 1, apply_json},
	{'h', "help", NULL, "show this", 1, apply_help},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

struct answer {
	const struct settings *settings;
	const struct hv_client_network *network;
};

/* "80/tcp of the guest is published at 0.0.0.0:8080" */
static void print_row(void *user, json_t *row)
{
	const struct answer *answer = user;
	const char *address = hv_row_text(row, "address");

	if (answer->settings->json) {
		json_object_set_new(row, "network", json_string(answer->network->name));
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	printf(strchr(address, ':') ? "%lld/%s of the guest is %s at [%s]:%lld%s\n"
				    : "%lld/%s of the guest is %s at %s:%lld%s\n",
	       hv_row_number(row, "guest_port"), hv_row_text(row, "protocol"),
	       hv_row_is(row, "unpublished") ? "no longer published" : "published", address,
	       hv_row_number(row, "host_port"),
	       json_is_true(json_object_get(row, "tls")) ? ", with TLS" : "");
}

/* Each SPEC is a request of its own: those before one that fails stand. */
static int ask(const char *what, char **words, int count, const struct settings *settings)
{
	struct hv_client_network network;
	struct answer answer = {.settings = settings, .network = &network};
	char error[HV_CLIENT_ERROR];
	int failed = hv_client_find(words[0], &network, error);

	for (int i = 1; i < count && failed == 0; i++) {
		json_t *request = json_pack("{s:s, s:s}", "request", what, "spec", words[i]);

		if (!request) {
			snprintf(error, sizeof(error), "'%.100s' is no text", words[i]);
			failed = -1;
			break;
		}
		failed = hv_client_ask(&network, request, print_row, &answer, NULL, error);
		json_decref(request);
	}
	return failed < 0 ? hv_show_fail(error) : 0;
}

static int publish(const char *what, const char *usage, int argc, char **argv)
{
	struct settings settings = {0};
	char error[HV_OPTION_ERROR];
	int words;

	if (!hv_options_words(options, OPTIONS, 1, argc, argv, &settings, &words, error))
		return hv_show_fail(error);
	if (settings.help) {
		puts(usage);
		hv_options_help(options, OPTIONS, 1, stdout);
		return 0;
	}
	if (words < 2)
		return hv_show_fail(
			words == 0 ? "which network? 'haven ls' lists them"
				   : "which port? as -p of 'haven run' has it: 8080:80");
	return ask(what, argv, words, &settings);
}

int hv_command_publish(int argc, char **argv)
{
	return publish(
		"publish",
		"usage: haven publish [options] NAME SPEC...\n"
		"\n"
		"Publishes ports of a network that is up. SPEC is as in -p of 'haven run'; 'auto': whatever\n"
		"the guest listens on, from now on.\n"
		"\n"
		"options:",
		argc, argv);
}

int hv_command_unpublish(int argc, char **argv)
{
	return publish(
		"unpublish",
		"usage: haven unpublish [options] NAME SPEC...\n"
		"\n"
		"Ends publications. SPEC as it was published; without a port of the host (80): wherever\n"
		"this port of the guest is published. TCP connections that are open stay open.\n"
		"\n"
		"options:",
		argc, argv);
}
