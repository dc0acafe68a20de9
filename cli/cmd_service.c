/*
 * haven service NAME|PORT[/PROTO]|RANGE|PREFIX*|URL...: what the registry knows, with /etc/services on top.
 */
#include "cli/command.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/service_show.h"
#include "gateway/guest.h"
#include "gateway/log.h"
#include "gateway/services.h"

#define EXIT_UNANSWERED 1
#define NEAR		3
#define THIS_COMMAND	1

struct settings {
	bool json, help;
};

struct asking {
	const struct haven_services *services;
	struct hv_service_show show;
	struct hv_log log;
	bool unanswered; /* something that was asked for is not there */
};

/* --- options ---------------------------------------------------------------------------- */

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
	{0, "json", NULL, "one JSON object a line", THIS_COMMAND, apply_json},
	{'h', "help", NULL, "show this", THIS_COMMAND, apply_help},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

static int help(void)
{
	puts("usage: haven service [options] NAME|PORT[/PROTO]|RANGE|PREFIX*|URL...\n"
	     "\n"
	     "Tells what is known of services and ports: IANA's registry, with /etc/services on top.\n"
	     "PROTO is tcp, udp, sctp or dccp. The exit status is 1 when something is not there.\n"
	     "\n"
	     "  https             a name or alias\n"
	     "  443, 53/udp       a port\n"
	     "  6000-6063         every service in a range\n"
	     "  'post*'           names that begin so; a beginning alone is enough when no name\n"
	     "                    is just that\n"
	     "  https://a.b/x     what a URL connects to\n"
	     "\n"
	     "options:");
	hv_options_help(options, OPTIONS, THIS_COMMAND, stdout);
	return 0;
}

/* --- asking ----------------------------------------------------------------------------- */

__attribute__((format(printf, 5, 6))) static void unanswered(struct asking *asking,
							     const char *word,
							     const char *const *near,
							     size_t near_count,
							     const char *format, ...)
{
	char line[HV_OPTION_ERROR];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	hv_log_line(&asking->log, HV_LOG_ERROR, "%s", line);
	hv_service_show_error(&asking->show, word, line, near, near_count);
	asking->unanswered = true;
}

/* What is wrong with `word`, of which haven_ports_parse() said so. */
static void explain(struct asking *asking, const char *word, const char *body,
		    unsigned protocols, int error)
{
	char line[HV_OPTION_ERROR];
	const char *near[NEAR];
	size_t count = 0;

	hv_services_explain(asking->services, word, protocols, error, line, sizeof(line));
	if (error == -ENOENT)
		count = haven_service_nearest(asking->services, body, protocols, near, NEAR);
	unanswered(asking, word, near, count, "%s", line);
}

/* Shows all answers; returns how many. A service that matched by several of its names is one. */
static size_t show_all(struct asking *asking, const char *word,
		       struct haven_service_query *query, unsigned protocols)
{
	struct haven_service service, last = {0};
	size_t count = 0;

	while (haven_service_next(query, &service)) {
		if (service.name == last.name && service.first == last.first)
			continue;
		hv_service_show_service(&asking->show, word, &service, protocols);
		last = service;
		count++;
	}
	return count;
}

static void ask_ports(struct asking *asking, const char *word, const struct haven_ports *ports)
{
	struct haven_service_query query;
	unsigned protocols = ports->protocol_given ? ports->protocols : 0;

	haven_service_by_range(&query, asking->services, ports->first, ports->last, protocols);
	if (show_all(asking, word, &query, protocols) == 0)
		hv_service_show_ports(&asking->show, word, ports);
}

/* A name; else a range whose ends are names; else the beginning of names. */
static void ask_name(struct asking *asking, const char *word, const char *body,
		     unsigned protocols)
{
	struct haven_service_query query;
	struct haven_ports ports;
	int error;

	haven_service_by_name(&query, asking->services, body, protocols);
	if (show_all(asking, word, &query, protocols) > 0)
		return;
	error = haven_ports_parse(asking->services, word, strlen(word), 0, &ports);
	if (error == 0) {
		ask_ports(asking, word, &ports);
		return;
	}
	if (error == -ENOENT) {
		haven_service_by_prefix(&query, asking->services, body, protocols);
		if (show_all(asking, word, &query, protocols) > 0)
			return;
	}
	explain(asking, word, body, protocols, error);
}

static void ask_prefix(struct asking *asking, const char *word, char *body, unsigned protocols)
{
	struct haven_service_query query;

	body[strlen(body) - 1] = '\0';
	haven_service_by_prefix(&query, asking->services, body, protocols);
	if (show_all(asking, word, &query, protocols) == 0)
		unanswered(asking, word, NULL, 0, "no service's name begins with '%.60s'",
			   body);
}

static void ask_url(struct asking *asking, const char *word)
{
	struct haven_url url;
	int error = haven_url_parse(asking->services, word, &url);
	size_t scheme = strcspn(word, ":");

	switch (error) {
	case 0:
		hv_service_show_url(&asking->show, word, &url);
		break;
	case -EPROTONOSUPPORT:
		unanswered(asking, word, NULL, 0,
			   "'%.60s': nothing has its default port by the name '%.*s'", word,
			   scheme < 32 ? (int)scheme : 32, word);
		break;
	case -ERANGE:
		unanswered(asking, word, NULL, 0, "'%.200s': the port is not from 1 to 65535",
			   word);
		break;
	default:
		unanswered(asking, word, NULL, 0,
			   "'%.200s' is not a URL of a host that is a name, an IPv4 address or "
			   "an IPv6 address in brackets",
			   word);
		break;
	}
}

static void ask(struct asking *asking, const char *word)
{
	const char *slash = strchr(word, '/');
	size_t size = slash ? (size_t)(slash - word) : strlen(word);
	unsigned protocols = 0;
	struct haven_ports ports;
	char body[128];

	if (haven_url_is(word)) {
		ask_url(asking, word);
		return;
	}
	if (slash)
		protocols = haven_service_protocol(slash + 1, strlen(slash + 1));
	if (size == 0 || size >= sizeof(body) || (slash && !protocols) ||
	    word[strspn(word, "-0123456789")] == '\0' || strspn(word, "-0123456789") == size) {
		int error = haven_ports_parse(asking->services, word, strlen(word), 0, &ports);

		if (error == 0)
			ask_ports(asking, word, &ports);
		else
			explain(asking, word, "", 0, error);
		return;
	}
	memcpy(body, word, size);
	body[size] = '\0';
	if (body[size - 1] == '*')
		ask_prefix(asking, word, body, protocols);
	else
		ask_name(asking, word, body, protocols);
}

/* --- the command ------------------------------------------------------------------------ */

/* "-1" is no option: it is a port, though a wrong one. */
static bool is_word(const char *word)
{
	return word[0] != '-' || word[1] == '\0' || (word[1] >= '0' && word[1] <= '9');
}

/*
 * Options may stand before, between and after the words, which are moved to the front of argv[1..]. Returns how
 * many there are, or -1 with a line in error.
 */
static int sort_words(int argc, char **argv, struct settings *settings,
		      char error[HV_OPTION_ERROR])
{
	int words = 0, at = 1;

	while (at < argc) {
		int end = at, next;

		if (is_word(argv[at])) {
			argv[1 + words++] = argv[at++];
			continue;
		}
		if (strcmp(argv[at], "--") == 0) {
			while (++at < argc)
				argv[1 + words++] = argv[at];
			break;
		}
		while (end < argc && !is_word(argv[end]) && strcmp(argv[end], "--") != 0)
			end++;
		next = hv_options_parse(options, OPTIONS, THIS_COMMAND, end - at + 1,
					argv + at - 1, settings, error);
		if (next < 0)
			return -1;
		at = end;
	}
	return words;
}

int hv_command_service(int argc, char **argv)
{
	struct settings settings = {0};
	struct asking asking = {0};
	struct haven_services *services;
	char error[HV_OPTION_ERROR];
	int words = sort_words(argc, argv, &settings, error);

	hv_log_init(&asking.log, STDERR_FILENO, HV_LOG_WARNING);
	if (words < 0) {
		hv_log_line(&asking.log, HV_LOG_ERROR, "%s", error);
		return HV_EXIT_FAILED;
	}
	if (settings.help)
		return help();
	if (words == 0) {
		hv_log_line(&asking.log, HV_LOG_ERROR,
			    "what of? a name, a port, a range or a URL is missing; "
			    "'haven service --help' has examples");
		return HV_EXIT_FAILED;
	}
	services = hv_services_load(HV_SERVICES_PATH);
	asking.services = services;
	hv_service_show_init(&asking.show, settings.json, stdout);
	for (int i = 0; i < words; i++)
		ask(&asking, argv[1 + i]);
	hv_service_show_finish(&asking.show);
	haven_services_destroy(services);
	if (asking.show.failed) {
		hv_log_line(&asking.log, HV_LOG_ERROR, "out of memory, or cannot write");
		return HV_EXIT_FAILED;
	}
	return asking.unanswered ? EXIT_UNANSWERED : 0;
}
