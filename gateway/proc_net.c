/*
 * Columns of /proc/net's tables. See proc_net.h.
 */
#include "gateway/proc_net.h"

#include <string.h>

const char *hv_proc_net_column(const char *line, unsigned column)
{
	line += strspn(line, " ");
	while (column-- > 0) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return line;
}
