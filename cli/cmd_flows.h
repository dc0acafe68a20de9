/*
 * The table of flows, which `haven why` shows too.
 */
#ifndef HV_CLI_CMD_FLOWS_H
#define HV_CLI_CMD_FLOWS_H

#include "cli/show.h"

void hv_flows_print(struct hv_reading *reading, const struct hv_screen *screen, FILE *out);

#endif
