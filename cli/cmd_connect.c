/*
 * haven connect NAME HOST:PORT.
 */
#include "cli/command.h"

#include <string.h>

#include "cli/connect.h"
#include "cli/show.h"

int hv_command_connect(int argc, char **argv)
{
	struct hv_connect_settings settings = {0};

	if (argc != 3)
		return hv_show_fail("usage: haven connect NAME HOST:PORT");
	return hv_connect_into(argv[1], argv[2], &settings);
}
