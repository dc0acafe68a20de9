/*
 * haven policy, allow, deny: the rules of a network that is up. haven refused: what they have refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/show.h"
#include "gateway/policy_file.h"
#include "gateway/services.h"

/* Bits of the commands, for the table of options. */
enum { POLICY = 1 << 0, CHANGE = 1 << 1, REFUSED = 1 << 2 };

/* Rules of one request of policy-stage: a request is a line of at most 4,096 bytes. */
#define STAGE_BYTES 1800

struct settings {
	bool json, help, last, keep_flows, check, follow;
	const char *remove;
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

static bool apply_last(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct settings *)user)->last = true;
	return true;
}

static bool apply_keep(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct settings *)user)->keep_flows = true;
	return true;
}

static bool apply_check(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct settings *)user)->check = true;
	return true;
}

static bool apply_follow(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct settings *)user)->follow = true;
	return true;
}

static bool apply_remove(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct settings *)user)->remove = value;
	return true;
}

static const struct hv_option options[] = {
	{0, "last", NULL, "behind the rules that there are (default: in front)", CHANGE,
	 apply_last},
	{0, "remove", "N", "take rule N away", POLICY, apply_remove},
	{0, "check", NULL, "only look whether FILE is right; no NAME", POLICY, apply_check},
	{0, "keep-flows", NULL, "connections that the rules refuse now go on", POLICY | CHANGE,
	 apply_keep},
	{0, "follow", NULL, "go on as more are refused, until ^C", REFUSED, apply_follow},
	{0, "json", NULL, "one JSON object a line", POLICY | CHANGE | REFUSED, apply_json},
	{'h', "help", NULL, "show this", POLICY | CHANGE | REFUSED, apply_help},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

static int usage(const char *text, unsigned command)
{
	puts(text);
	hv_options_help(options, OPTIONS, command, stdout);
	return 0;
}

/* --- showing ---------------------------------------------------------------------------- */

enum { NUMBER, FLOWS, DENIED, OPEN, BYTES, RULE, COLUMNS };

struct listing {
	const struct settings *settings;
	const struct hv_client_network *network;
	struct hv_text_table table;
};

static void print_json(const struct listing *listing, json_t *row)
{
	json_object_set_new(row, "network", json_string(listing->network->name));
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
}

static void add_rule(struct listing *listing, const json_t *row)
{
	char number[16], flows[24], denied[24], open[16], bytes[16];
	const char *cells[COLUMNS] = {number, flows, denied,
				      open,   bytes, hv_row_text(row, "rule")};

	snprintf(number, sizeof(number), "%lld", hv_row_number(row, "number"));
	snprintf(flows, sizeof(flows), "%lld", hv_row_number(row, "flows"));
	snprintf(denied, sizeof(denied), "%lld", hv_row_number(row, "refused"));
	snprintf(open, sizeof(open), "%lld", hv_row_number(row, "open"));
	hv_text_bytes((unsigned long long)hv_row_number(row, "bytes"), bytes);
	hv_text_table_add(&listing->table,
			  hv_row_number(row, "flows") ? HV_ROW_PLAIN : HV_ROW_FAINT, cells);
}

/* What no rule matches: "the rest out is refused". */
static void add_default(struct listing *listing, const json_t *row)
{
	bool allow = strcmp(hv_row_text(row, "verdict"), "allow") == 0;
	bool out = strcmp(hv_row_text(row, "direction"), "out") == 0;
	char flows[24], text[64];
	const char *cells[COLUMNS] = {"-", flows, allow ? "0" : flows, NULL, NULL, text};

	snprintf(flows, sizeof(flows), "%lld", hv_row_number(row, "flows"));
	snprintf(text, sizeof(text), "(the rest %s: %s)", out ? "out" : "in",
		 allow ? out ? "allowed" : "allowed where it is published" : "refused");
	hv_text_table_add(&listing->table, HV_ROW_FAINT, cells);
}

static void show_row(void *user, json_t *row)
{
	struct listing *listing = user;

	if (listing->settings->json)
		print_json(listing, row);
	else if (hv_row_is(row, "rule"))
		add_rule(listing, row);
	else if (hv_row_is(row, "default"))
		add_default(listing, row);
}

static int show(const struct hv_client_network *network, const struct settings *settings)
{
	static const struct hv_column columns[COLUMNS] = {
		[NUMBER] = {"RULE", true},    [FLOWS] = {"FLOWS", true},
		[DENIED] = {"REFUSED", true}, [OPEN] = {"OPEN", true},
		[BYTES] = {"BYTES", true},    [RULE] = {"", false},
	};
	struct listing listing = {.settings = settings, .network = network};
	char error[HV_CLIENT_ERROR];
	json_t *request = json_pack("{s:s}", "request", "policy");
	struct hv_screen screen;
	int failed;

	hv_text_table_init(&listing.table, columns, COLUMNS);
	failed = hv_client_ask(network, request, show_row, &listing, NULL, error);
	if (failed == 0 && !settings->json) {
		hv_screen_of(stdout, &screen);
		hv_text_table_print(&listing.table, &screen, stdout);
	}
	hv_text_table_finish(&listing.table);
	json_decref(request);
	return failed < 0 ? hv_show_fail(error) : 0;
}

/* --- changing --------------------------------------------------------------------------- */

static void print_changed(void *user, json_t *row)
{
	struct listing *listing = user;

	if (listing->settings->json)
		print_json(listing, row);
	else
		printf("rule %lld: %s\n", hv_row_number(row, "number"),
		       hv_row_text(row, "rule"));
}

/* Takes the request. */
static int change(const struct hv_client_network *network, json_t *request,
		  const struct settings *settings)
{
	struct listing listing = {.settings = settings, .network = network};
	char error[HV_CLIENT_ERROR];
	int failed;

	if (!request)
		return hv_show_fail("the rule is no text");
	failed = hv_client_ask(network, request, print_changed, &listing, NULL, error);
	json_decref(request);
	return failed < 0 ? hv_show_fail(error) : 0;
}

static int remove_rule(const struct hv_client_network *network, const struct settings *settings)
{
	char *end;
	long number = strtol(settings->remove, &end, 10);

	if (*end || end == settings->remove || number < 1)
		return hv_show_fail(
			"--remove takes the number of a rule; 'haven policy NAME' shows them");
	return change(network,
		      json_pack("{s:s, s:I, s:b}", "request", "policy-remove", "number",
				(json_int_t)number, "keep_flows", settings->keep_flows),
		      settings);
}

/* The rules of the file, in pieces; then they stand all at once. */
static json_t *requests_of(const struct haven_rules *rules, bool keep_flows)
{
	json_t *requests = json_array();
	char piece[STAGE_BYTES + HAVEN_RULE_TEXT];
	size_t used = 0;

	for (uint32_t i = 1; i <= haven_rules_count(rules); i++) {
		used += (size_t)snprintf(piece + used, sizeof(piece) - used, "%s\n",
					 haven_rules_text(rules, i));
		if (used < STAGE_BYTES && i < haven_rules_count(rules))
			continue;
		json_array_append_new(requests, json_pack("{s:s, s:s}", "request",
							  "policy-stage", "rules", piece));
		used = 0;
	}
	json_array_append_new(requests, json_pack("{s:s, s:b}", "request", "policy-replace",
						  "keep_flows", keep_flows));
	return requests;
}

/* network: NULL: the file is only checked. */
static int use_file(const struct hv_client_network *network, const char *path,
		    const struct settings *settings)
{
	struct haven_services *services = hv_services_load(HV_SERVICES_PATH);
	struct haven_rules *rules = NULL;
	char error[HV_OPTION_ERROR];
	struct haven_env env;
	int status;

	haven_env_default(&env);
	if (haven_rules_create(&env, services, &rules) < 0)
		status = hv_show_fail("out of memory");
	else if (!hv_policy_file_add(rules, path, error, sizeof(error)))
		status = hv_show_fail(error);
	else if (!network)
		status = 0;
	else
		status = change(network, requests_of(rules, settings->keep_flows), settings);
	haven_rules_destroy(rules);
	haven_services_destroy(services);
	return status;
}

/* --- the commands ----------------------------------------------------------------------- */

static const char policy_usage[] =
	"usage: haven policy [options] NAME [FILE]\n"
	"       haven policy --check FILE\n"
	"\n"
	"Shows the rules of a network that is up, in their order: flows that each decided about, how\n"
	"many of them it refused, how many are open, bytes of those that have ended. With FILE: its\n"
	"rules stand from now on instead of all others, at once; connections that they refuse are ended.\n"
	"\n"
	"options:";

int hv_command_policy(int argc, char **argv)
{
	struct settings settings = {0};
	struct hv_client_network network;
	char error[HV_OPTION_ERROR];
	int words;

	if (!hv_options_words(options, OPTIONS, POLICY, argc, argv, &settings, &words, error))
		return hv_show_fail(error);
	if (settings.help)
		return usage(policy_usage, POLICY);
	if (settings.check)
		return words == 1 ? use_file(NULL, argv[0], &settings)
				  : hv_show_fail("--check takes one FILE and no NAME");
	if (words == 0)
		return hv_show_fail("which network? 'haven ls' lists them");
	if (words > 2 || (words == 2 && settings.remove))
		return hv_show_fail("a NAME, and at most one FILE");
	if (hv_client_find(argv[0], &network, error) < 0)
		return hv_show_fail(error);
	if (settings.remove)
		return remove_rule(&network, &settings);
	return words == 2 ? use_file(&network, argv[1], &settings) : show(&network, &settings);
}

/* A rule may be one word or several: the shell's quotes can be left out. */
static bool join(char **words, int count, char *text, size_t size)
{
	size_t used = 0;

	for (int i = 0; i < count; i++) {
		int length = snprintf(text + used, size - used, "%s%s", i ? " " : "", words[i]);

		used += (size_t)length;
		if (used >= size)
			return false;
	}
	return true;
}

static int add(const char *what, const char *text, int argc, char **argv)
{
	struct settings settings = {0};
	struct hv_client_network network;
	char error[HV_OPTION_ERROR], rule[HAVEN_RULE_TEXT];
	int words;

	if (!hv_options_words(options, OPTIONS, CHANGE, argc, argv, &settings, &words, error))
		return hv_show_fail(error);
	if (settings.help)
		return usage(text, CHANGE);
	if (words < 2)
		return hv_show_fail(words == 0
					    ? "which network? 'haven ls' lists them"
					    : "which flows? as --allow of 'haven run' has it: "
					      "out example.org:https");
	if (!join(argv + 1, words - 1, rule, sizeof(rule)))
		return hv_show_fail("the rule is too long");
	if (hv_client_find(argv[0], &network, error) < 0)
		return hv_show_fail(error);
	return change(&network,
		      json_pack("{s:s, s:s, s:b, s:b}", "request", what, "rule", rule, "last",
				settings.last, "keep_flows", settings.keep_flows),
		      &settings);
}

int hv_command_allow(int argc, char **argv)
{
	return add(
		"allow",
		"usage: haven allow [options] NAME RULE\n"
		"\n"
		"Allows flows in a network that is up. RULE is as in --allow of 'haven run'; it is tried\n"
		"before the rules that there are.\n"
		"\n"
		"options:",
		argc, argv);
}

int hv_command_deny(int argc, char **argv)
{
	return add(
		"deny",
		"usage: haven deny [options] NAME RULE\n"
		"\n"
		"Refuses flows in a network that is up, and ends those that are open. RULE is as in --deny of\n"
		"'haven run'; it is tried before the rules that there are.\n"
		"\n"
		"options:",
		argc, argv);
}

static void print_refused(void *user, json_t *row)
{
	struct listing *listing = user;
	time_t at = (time_t)hv_row_number(row, "at");
	struct tm parts;
	char when[32];

	if (listing->settings->json) {
		print_json(listing, row);
		return;
	}
	localtime_r(&at, &parts);
	strftime(when, sizeof(when), "%H:%M:%S", &parts);
	printf("%s ", when);
	hv_text_put(hv_row_text(row, "text"), stdout);
	putchar('\n');
	fflush(stdout);
}

int hv_command_refused(int argc, char **argv)
{
	struct settings settings = {0};
	struct hv_client_network network;
	struct listing listing = {.settings = &settings, .network = &network};
	char error[HV_OPTION_ERROR];
	json_t *request;
	int words, failed;

	if (!hv_options_words(options, OPTIONS, REFUSED, argc, argv, &settings, &words, error))
		return hv_show_fail(error);
	if (settings.help)
		return usage(
			"usage: haven refused [options] NAME\n"
			"\n"
			"Lists the flows that rules have refused, the last 256 of them, with the rule and the\n"
			"process.\n"
			"\n"
			"options:",
			REFUSED);
	if (words != 1)
		return hv_show_fail(words == 0 ? "which network? 'haven ls' lists them"
					       : "one NAME of a network");
	if (hv_client_find(argv[0], &network, error) < 0)
		return hv_show_fail(error);
	request = json_pack("{s:s, s:b}", "request", "refusals", "follow", settings.follow);
	failed = hv_client_ask(&network, request, print_refused, &listing, NULL, error);
	json_decref(request);
	return failed < 0 && !(settings.follow && failed == -ECONNREFUSED) ? hv_show_fail(error)
									   : 0;
}
