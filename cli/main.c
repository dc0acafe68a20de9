/*
 * haven: the command. Finds the sub-command; each has a file of its own.
 */
#include <errno.h>
#include <fcntl.h>
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
	{"ls", "ls", "the networks that are up", hv_command_ls},
	{"ports", "ports  [NAME]", "every port: service, range, state, process, publication",
	 hv_command_ports},
	{"flows", "flows  [NAME]", "every connection: ends, state, bytes, rate, RTT",
	 hv_command_flows},
	{"publish", "publish NAME SPEC...", "publish ports while it runs", hv_command_publish},
	{"unpublish", "unpublish NAME SPEC...", "and end that", hv_command_unpublish},
	{"policy", "policy NAME [FILE]", "its rules, with counters; or other ones",
	 hv_command_policy},
	{"allow", "allow  NAME RULE", "allow flows while it runs", hv_command_allow},
	{"deny", "deny   NAME RULE", "refuse flows while it runs", hv_command_deny},
	{"refused", "refused NAME", "what was refused, by which rule, of whom",
	 hv_command_refused},
	{"why", "why    NAME [PORT|ADDR:PORT]",
	 "who holds a port and until when; why a flow ended", hv_command_why},
	{"connect", "connect NAME|- HOST:PORT|URL", "standard input and output on a socket",
	 hv_command_connect},
	{"listen", "listen [ADDR:]PORT", "the same on a connection that comes",
	 hv_command_listen},
	{"service", "service NAME|PORT[/PROTO]|URL...", "what the registry of services knows",
	 hv_command_service},
	{"ca", "ca [options]", "the certificate of your local authority, and how to trust it",
	 hv_command_ca},
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
	      "'haven COMMAND --help' (or 'haven help COMMAND') lists the options of each;\n"
	      "'haven --version' tells which haven this is; haven(1) is the manual.\n",
	      out);
}

/* What can stand first. */
static const char *first_word(const void *user, size_t i)
{
	static const char *const others[] = {"help", "--help", "--version", NULL};

	(void)user;
	return i < SUB_COMMANDS ? sub_commands[i].name : others[i - SUB_COMMANDS];
}

static const struct sub_command *find(const char *word)
{
	for (size_t i = 0; i < SUB_COMMANDS; i++) {
		if (strcmp(word, sub_commands[i].name) == 0)
			return &sub_commands[i];
	}
	return NULL;
}

static int unknown(const char *word)
{
	const char *near = hv_nearest(word, first_word, NULL);
	struct hv_log log;

	hv_log_init(&log, STDERR_FILENO, HV_LOG_WARNING);
	hv_log_line(&log, HV_LOG_ERROR, "unknown %s '%.200s'; %s%s%s",
		    word[0] == '-' ? "option" : "command", word,
		    near ? "did you mean '" : "'haven --help' lists what there is",
		    near ? near : "", near ? "'?" : "");
	return HV_EXIT_FAILED;
}

/* haven help [COMMAND], which is also haven COMMAND --help. */
static int help(const char *word)
{
	char option[] = "--help";
	const struct sub_command *sub_command = word ? find(word) : NULL;
	char *argv[] = {option, option, NULL};

	if (sub_command)
		return sub_command->run(2, argv);
	if (word)
		return unknown(word);
	usage(stdout);
	return 0;
}

static int run(int argc, char **argv)
{
	const struct sub_command *sub_command;

	if (argc < 2) {
		usage(stderr);
		return HV_EXIT_FAILED;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(NULL);
	if (strcmp(argv[1], "help") == 0)
		return help(argv[2]);
	if (strcmp(argv[1], "--version") == 0) {
		puts("haven " HAVEN_VERSION);
		return 0;
	}
	sub_command = find(argv[1]);
	return sub_command ? sub_command->run(argc - 1, argv + 1) : unknown(argv[1]);
}

/*
 * A standard descriptor that came closed is held, so that nothing else takes its number: a log line must not go
 * into a socket. Reading and writing it fail as before, and the command finds it closed.
 */
static void hold_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int wrong_way = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", wrong_way | O_CLOEXEC);
	}
}

int main(int argc, char **argv)
{
	int status;

	hold_standard_files();
	status = run(argc, argv);

	/* Help that could not be written was not shown. */
	if (fflush(stdout) == 0 || status != 0)
		return status;
	fprintf(stderr, "haven: error: cannot write to standard output: %s\n", strerror(errno));
	return HV_EXIT_FAILED;
}
