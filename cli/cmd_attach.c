/*
 * haven attach [options] PID|PATH: the same network for a namespace that exists.
 */
#include "cli/command.h"

#include <stdlib.h>

#include "cli/cmd_common.h"

static int help(void)
{
	puts("usage: haven attach [options] PID|PATH\n"
	     "\n"
	     "Gives the network namespace of a process, or the one at PATH (/run/netns/NAME,\n"
	     "/proc/PID/ns/net), an interface and haven as its gateway. Ends when the process ends, when\n"
	     "the path is deleted, or by a signal; the interface goes with it.\n"
	     "\n"
	     "options:");
	hv_options_help(hv_settings_options, hv_settings_option_count, HV_COMMAND_ATTACH,
			stdout);
	return 0;
}

/* A number is a process; a file whose name is a number has a path: ./123. */
static bool set_target(const char *target, struct hv_guest_attach_options *options)
{
	char *end;
	long pid = strtol(target, &end, 10);

	if (*end == '\0' && end != target) {
		options->pid = (pid_t)pid;
		return pid > 0 && pid == options->pid;
	}
	options->path = target;
	return *target != '\0';
}

static int attach(char *target, struct hv_settings *settings, struct hv_log *log)
{
	char *command[] = {target, NULL};
	struct hv_guest_attach_options options;
	struct hv_gateway_config config;
	struct hv_guest_error error;
	struct hv_guest *guest;

	hv_guest_attach_options_init(&options);
	if (!set_target(target, &options))
		return hv_cmd_fail(log, "attach needs the number of a process or a path");
	options.userns_path = settings->userns_path;
	options.log.line = hv_cmd_guest_line;
	options.log.context = log;
	hv_settings_guest_network(settings, &options.network);
	hv_settings_gateway(settings, &options.network, log, &config);
	config.command = command;
	config.attached = true;
	if (hv_guest_attach(&options, &guest, &error) < 0)
		return hv_cmd_fail(log, error.text);
	return hv_cmd_serve(guest, &config, 0);
}

int hv_command_attach(int argc, char **argv)
{
	struct hv_settings settings;
	struct hv_log log;
	int index = hv_cmd_settings(HV_COMMAND_ATTACH, argc, argv, &settings, &log);
	int status;

	if (index < 0)
		return HV_EXIT_FAILED;
	if (settings.help)
		status = help();
	else if (index != argc - 1)
		status = hv_cmd_fail(
			&log, index == argc
				      ? "attach to what? 'haven attach PID|PATH'"
				      : "attach takes one PID or PATH, options before it");
	else
		status = attach(argv[index], &settings, &log);
	hv_settings_finish(&settings);
	return status;
}
