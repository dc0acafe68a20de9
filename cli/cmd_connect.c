/*
 * haven connect NAME|- TARGET: standard input and output on a socket. See connect.h.
 */
#include "cli/command.h"

#include <string.h>

#include "cli/connect.h"

static int help(void)
{
	puts("usage: haven connect [options] - URL|HOST:PORT|tls:HOST:PORT\n"
	     "       haven connect [--explain] [--timeout SECONDS] NAME HOST:PORT\n"
	     "\n"
	     "Connects standard input and output with a socket of haven's own TCP/IP, which reaches\n"
	     "the network by a gateway in the same process: no namespace, no privilege. Of an http\n"
	     "or https URL it writes the body. PORT is a number or the name of a service.\n"
	     "\n"
	     "With NAME, a network that is up ('haven ls'): with a port inside of it, published or\n"
	     "not. HOST is 'localhost', which is the guest, or an address of its network.\n"
	     "\n"
	     "Exit status: 0; 1 when the network said no (refused, unreachable, no such name, reset,\n"
	     "TLS failed, cut short); 22 when HTTP said 400 or above; 125 when haven failed.\n"
	     "\n"
	     "options:");
	hv_connect_options_help(HV_COMMAND_CONNECT);
	return 0;
}

int hv_command_connect(int argc, char **argv)
{
	struct hv_connect_settings settings;
	struct hv_log log;
	int words = hv_connect_options(HV_COMMAND_CONNECT, argc, argv, &settings, &log);

	if (words < 0)
		return HV_EXIT_FAILED;
	if (settings.help)
		return help();
	if (words != 2) {
		hv_log_line(
			&log, HV_LOG_ERROR, "%s; as in 'haven connect - https://example.org/'",
			words < 2 ? "where to? NAME or '-', and a URL or HOST:PORT, are missing"
				  : "too many words: NAME or '-', and one URL or HOST:PORT");
		return HV_EXIT_FAILED;
	}
	if (strcmp(argv[0], "-") != 0)
		return hv_connect_into(argv[0], argv[1], &settings);
	return hv_connect_here(argv[1], &settings, &log);
}
