/*
 * haven ca: the local authority, which signs for `-p PORT:PORT/tls`: its certificate, where it is, how to trust it, and a new one.
 */
#include "cli/command.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/options.h"
#include "cli/show.h"
#include "gateway/authority.h"
#include "gateway/guest.h"

#define THIS_COMMAND 1
#define NAMES_MAX    64

struct settings {
	bool path, json, renew, help;
	const char *names[NAMES_MAX];
	size_t name_count;
};

/* --- options -------------------------------------------------------------------------------- */

static bool apply_path(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct settings *)user)->path = true;
	return true;
}

static bool apply_json(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct settings *)user)->json = true;
	return true;
}

static bool apply_renew(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value;
	(void)error;
	((struct settings *)user)->renew = true;
	return true;
}

static bool apply_name(void *user, const char *value, char error[HV_OPTION_ERROR])
{
	struct settings *settings = user;

	if (settings->name_count == NAMES_MAX) {
		snprintf(error, HV_OPTION_ERROR, "'--name' can stand at most %d times",
			 NAMES_MAX);
		return false;
	}
	settings->names[settings->name_count++] = value;
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
	{0, "path", NULL, "only where the certificate is", THIS_COMMAND, apply_path},
	{0, "json", NULL,
	 "one JSON object: path, subject, sha256, not_before, not_after, names", THIS_COMMAND,
	 apply_json},
	{0, "renew", NULL, "make a new authority; the old files are kept as .old", THIS_COMMAND,
	 apply_renew},
	{0, "name", "NAME",
	 "with --renew: a host name that it may sign besides, and all\n"
	 "names under it (repeatable)",
	 THIS_COMMAND, apply_name},
	{'h', "help", NULL, "show this", THIS_COMMAND, apply_help},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

/* --- how to trust it ------------------------------------------------------------------------ */

/* `path` goes into commands: in quotes of the shell's when it needs them. */
static void quote(const char *path, FILE *out)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789/._-+@%:,";

	if (path[strspn(path, harmless)] == '\0') {
		fputs(path, out);
		return;
	}
	fputc('\'', out);
	for (; *path; path++) {
		if (*path == '\'')
			fputs("'\\''", out);
		else
			fputc(*path, out);
	}
	fputc('\'', out);
}

struct way {
	const char *who, *before, *after; /* before and after the path, in a command */
};

static void explain(const char *path, FILE *out)
{
	static const struct way ways[] = {
		{"one client:", "curl --cacert ", " https://localhost:8443/"},
		{"this machine (Debian, Ubuntu), as root:", "install -m 644 ",
		 " /usr/local/share/ca-certificates/haven.crt && update-ca-certificates"},
		/* Where the old place is not there, it is the new one for browsers since 2025. */
		{"Chromium and Chrome of this user (certutil is in libnss3-tools):",
		 "db=$HOME/.pki/nssdb; [ -d $db ] || db=$HOME/.local/share/pki/nssdb\n"
		 "    mkdir -p $db && certutil -d sql:$db -A -t C,, -n haven -i ",
		 ""},
		{"Firefox: the same with -d sql:PROFILE (about:profiles names its directory):",
		 "certutil -d sql:PROFILE -A -t C,, -n haven -i ", ""},
		{"Node.js:", "export NODE_EXTRA_CA_CERTS=", ""},
	};

	fputs("To make clients accept what this authority signs:\n", out);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		fprintf(out, "\n  %s\n    %s", ways[i].who, ways[i].before);
		quote(path, out);
		fprintf(out, "%s\n", ways[i].after);
	}
	fputs("\nKeep ca.key beside it to yourself: it signs in your name.\n", out);
}

static int help(void)
{
	puts("usage: haven ca [options]\n"
	     "\n"
	     "Writes the certificate (PEM) of your local authority, which signs for ports that are\n"
	     "published with TLS (-p 8443:80/tls) and without --tls-cert. It is made when it is\n"
	     "asked for first. It signs addresses, and names of this machine: its host name, and\n"
	     "those under localhost, test and haven. On a terminal it tells how to trust it.\n"
	     "\n"
	     "options:");
	hv_options_help(options, OPTIONS, THIS_COMMAND, stdout);
	puts("");
	explain("FILE", stdout);
	puts("\nFILE is what 'haven ca --path' says.");
	return 0;
}

/* --- answers -------------------------------------------------------------------------------- */

static json_t *names_of(const struct hv_authority *authority)
{
	json_t *names = json_array();
	const char *name;

	for (size_t i = 0; (name = hv_authority_permitted(authority, i)); i++)
		json_array_append_new(names, json_string(name));
	return names;
}

static void show_json(const struct hv_authority *authority,
		      const struct hv_authority_info *info)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "path", info->path, "subject",
				info->subject, "sha256", info->sha256, "not_before",
				(json_int_t)info->not_before, "not_after",
				(json_int_t)info->not_after, "names", names_of(authority));

	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

static void show_text(const struct hv_authority_info *info)
{
	time_t until = (time_t)info->not_after;
	struct tm then;
	char day[32] = "";

	fputs(info->pem, stdout);
	if (!isatty(STDOUT_FILENO))
		return;
	fflush(stdout);
	if (gmtime_r(&until, &then))
		strftime(day, sizeof(day), "%Y-%m-%d", &then);
	fprintf(stderr, "\n%s, valid until %s\nSHA-256 %s\n%s\n\n", info->subject, day,
		info->sha256, info->path);
	explain(info->path, stderr);
}

static void show(const struct settings *settings, const struct hv_authority *authority)
{
	struct hv_authority_info info;

	hv_authority_info(authority, &info);
	if (settings->renew)
		fprintf(stderr,
			"haven: a new authority. Take the one before it (%s.old) out of what trusts it "
			"(browsers: certutil -D -n haven), and start networks that publish with TLS "
			"again.\n",
			info.path);
	if (settings->json)
		show_json(authority, &info);
	else if (settings->path)
		puts(info.path);
	else
		show_text(&info);
}

int hv_command_ca(int argc, char **argv)
{
	struct settings settings = {0};
	struct hv_authority *authority;
	char error[HV_OPTION_ERROR] = "";
	int index =
		hv_options_parse(options, OPTIONS, THIS_COMMAND, argc, argv, &settings, error);
	int failed;

	if (index < 0)
		return hv_show_fail(error);
	if (settings.help)
		return help();
	if (index < argc)
		return hv_show_fail(
			"haven ca takes no words but options; see 'haven ca --help'");
	if (settings.name_count > 0 && !settings.renew)
		return hv_show_fail(
			"'--name' goes with '--renew': names are in the certificate");
	if (settings.renew)
		failed = hv_authority_renew(settings.names, settings.name_count, &authority,
					    error, sizeof(error));
	else
		failed = hv_authority_open(&authority, error, sizeof(error));
	if (failed < 0)
		return hv_show_fail(error);
	show(&settings, authority);
	hv_authority_close(authority);
	return 0;
}
