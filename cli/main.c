/*
 * haven: the command. Finds the sub-command; each has a file of its own.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/options.h"
#include "gateway/guest.h"
#include "gateway/log.h"

struct sub_command {
	const char *name;
	const char *usage;
	const char *help;
	int (*run)(int argc, char **argv);
};

static const struct sub_command sub_commands[] = {
	{"run", "run    [options] [--] COMMAND...",
	 "a command in a network of its own (default: $SHELL)", hv_command_run},
	{"attach", "attach [options] PID|PATH", "a network namespace that exists already",
	 hv_command_attach},
};

#define SUB_COMMANDS (sizeof(sub_commands) / sizeof(sub_commands[0]))

static void usage(FILE *out)
{
	fputs("usage: haven COMMAND ...\n\n"
	      "Gives programs a network of their own, without root.\n\n",
	      out);
	for (size_t i = 0; i < SUB_COMMANDS; i++)
		fprintf(out, "  haven %-34s %s\n", sub_commands[i].usage, sub_commands[i].help);
	fputs("\n"
	      "'haven COMMAND --help' lists the options of each; 'haven --version' tells which haven\n"
	      "this is; haven(1) is the manual.\n",
	      out);
}

static const char *sub_command_name(const void *user, size_t i)
{
	(void)user;
	return i < SUB_COMMANDS ? sub_commands[i].name : NULL;
}

static int unknown(const char *word)
{
	const char *near = hv_nearest(word, sub_command_name, NULL);
	struct hv_log log;

	hv_log_init(&log, STDERR_FILENO, HV_LOG_WARNING);
	hv_log_line(&log, HV_LOG_ERROR,
		    "unknown %s '%.200s'%s%s%s; 'haven --help' lists what there is",
		    word[0] == '-' ? "option" : "command", word, near ? "; did you mean '" : "",
		    near ? near : "", near ? "'?" : "");
	return HV_EXIT_FAILED;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return HV_EXIT_FAILED;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("haven " HAVEN_VERSION);
		return 0;
	}
	for (size_t i = 0; i < SUB_COMMANDS; i++) {
		if (strcmp(argv[1], sub_commands[i].name) == 0)
			return sub_commands[i].run(argc - 1, argv + 1);
	}
	return unknown(argv[1]);
}
