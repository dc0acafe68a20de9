/*
 * What sub-commands that have a guest share.
 */
#ifndef HV_CLI_CMD_COMMON_H
#define HV_CLI_CMD_COMMON_H

#include "cli/settings.h"
#include "gateway/session.h"

/* Parse and check; returns the first word after the options, or -1 when it was said what is wrong. */
int hv_cmd_settings(enum hv_command command, int argc, char **argv,
		    struct hv_settings *settings, struct hv_log *log);

/* "haven: error: ..." Returns HV_EXIT_FAILED. */
int hv_cmd_fail(const struct hv_log *log, const char *text);

/* Where the guest's messages go: into the log that is `context`. */
void hv_cmd_guest_line(void *context, enum hv_guest_log_level level, const char *text);

/* Gateway up, guest released, until its end. Ends the guest too. */
int hv_cmd_serve(struct hv_guest *guest, const struct hv_gateway_config *config,
		 uint64_t drain_ns);

#endif
