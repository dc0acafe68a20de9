/*
 * haven run [options] [--] COMMAND...: a command in a network of its own.
 */
#include "cli/command.h"

#include <stdlib.h>

#include "cli/cmd_common.h"

static int help(void)
{
	puts("usage: haven run [options] [--] [COMMAND [ARGUMENT...]]\n"
	     "\n"
	     "Runs a command (default: $SHELL) in a network of its own. Everything goes out through\n"
	     "haven; what is published comes in. The exit status is the command's, 128+n when\n"
	     "signal n ended it, and 125 when haven itself failed.\n"
	     "\n"
	     "options:");
	hv_options_help(hv_settings_options, hv_settings_option_count, HV_COMMAND_RUN, stdout);
	return 0;
}

static int run(char **argv, struct hv_settings *settings, struct hv_log *log)
{
	struct hv_guest_options options;
	struct hv_gateway_config config;
	struct hv_guest_error error;
	struct hv_guest *guest;

	hv_guest_options_init(&options);
	options.argv = argv;
	options.map_root = settings->map_root;
	options.privileged_ports = settings->privileged_ports;
	options.log.line = hv_cmd_guest_line;
	options.log.context = log;
	hv_settings_guest_network(settings, &options.network);
	hv_settings_guest_dns(settings, &options);
	hv_settings_gateway(settings, &options.network, log, &config);
	config.command = argv;
	if (hv_guest_start(&options, &guest, &error) < 0)
		return hv_cmd_fail(log, error.text);
	return hv_cmd_serve(guest, &config, HV_SESSION_DRAIN_NS);
}

int hv_command_run(int argc, char **argv)
{
	struct hv_settings settings;
	struct hv_log log;
	char fallback[] = "/bin/sh";
	char *shell[2] = {getenv("SHELL"), NULL};
	char **command = shell;
	int index = hv_cmd_settings(HV_COMMAND_RUN, argc, argv, &settings, &log);
	int status;

	if (index < 0)
		return HV_EXIT_FAILED;
	if (!shell[0] || !*shell[0])
		shell[0] = fallback;
	if (index < argc)
		command = argv + index;
	status = settings.help ? help() : run(command, &settings, &log);
	hv_settings_finish(&settings);
	return status;
}
