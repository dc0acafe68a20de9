/*
 * haven listen [ADDR:]PORT: standard input and output on a connection that comes. See connect.h.
 */
#include "cli/command.h"

#include "cli/connect.h"

static int help(void)
{
	puts("usage: haven listen [options] [ADDR:]PORT\n"
	     "\n"
	     "Waits for a connection at a port of the host, and connects standard input and output\n"
	     "with it, through haven's own TCP/IP. PORT is a number or the name of a service; 0: one\n"
	     "that is free, which is told on standard error. ADDR: at this address only.\n"
	     "\n"
	     "Exit status: 0; 1 when the network said no (reset, TLS failed, cut short); 125 when\n"
	     "haven failed.\n"
	     "\n"
	     "options:");
	hv_connect_options_help(HV_COMMAND_LISTEN);
	return 0;
}

int hv_command_listen(int argc, char **argv)
{
	struct hv_connect_settings settings;
	struct hv_log log;
	int words = hv_connect_options(HV_COMMAND_LISTEN, argc, argv, &settings, &log);

	if (words < 0)
		return HV_EXIT_FAILED;
	if (settings.help)
		return help();
	if (words != 1) {
		hv_log_line(&log, HV_LOG_ERROR, "at which port? as in 'haven listen 8080'");
		return HV_EXIT_FAILED;
	}
	return hv_listen_here(argv[0], &settings, &log);
}
