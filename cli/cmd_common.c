/*
 * What `haven run` and `haven attach` do alike. See cmd_common.h.
 */
#include "cli/cmd_common.h"

#include <signal.h>
#include <unistd.h>

int hv_cmd_fail(const struct hv_log *log, const char *text)
{
	hv_log_line(log, HV_LOG_ERROR, "%s", text);
	return HV_EXIT_FAILED;
}

int hv_cmd_settings(enum hv_command command, int argc, char **argv,
		    struct hv_settings *settings, struct hv_log *log)
{
	char error[HV_OPTION_ERROR];
	int index;

	hv_settings_init(settings);
	settings->started_ns = hv_session_clock_ns();
	hv_log_init(log, STDERR_FILENO, HV_LOG_WARNING);
	index = hv_options_parse(hv_settings_options, hv_settings_option_count, command, argc,
				 argv, settings, error);
	if (index >= 0 && !settings->help && !hv_settings_complete(settings, error))
		index = -1;
	if (index < 0) {
		hv_cmd_fail(log, error);
		hv_settings_finish(settings);
		return -1;
	}
	log->level = settings->level;
	return index;
}

void hv_cmd_guest_line(void *context, enum hv_guest_log_level level, const char *text)
{
	static const enum hv_log_level levels[] = {
		[HV_GUEST_LOG_DEBUG] = HV_LOG_DEBUG,
		[HV_GUEST_LOG_WARNING] = HV_LOG_WARNING,
		[HV_GUEST_LOG_ERROR] = HV_LOG_ERROR,
	};

	hv_log_line(context, levels[level], "%s", text);
}

/*
 * The guest stands before the gateway is made: its processes then hold none of the gateway's
 * descriptors, and it has the limits that haven was started with.
 */
int hv_cmd_serve(struct hv_guest *guest, const struct hv_gateway_config *config,
		 uint64_t drain_ns)
{
	struct hv_gateway_error error;
	struct hv_gateway *gateway;
	int status = HV_EXIT_FAILED;
	int signal_number;

	hv_session_raise_limits();
	if (hv_gateway_create(config, &gateway, &error) == 0) {
		status = hv_session_run(gateway, guest, config, drain_ns, &error);
		hv_gateway_destroy(gateway);
	}
	if (error.text[0])
		hv_cmd_fail(config->log, error.text);
	signal_number = hv_guest_die_by(guest);
	hv_guest_destroy(guest);
	if (signal_number) {
		signal(signal_number, SIG_DFL);
		raise(signal_number);
	}
	return status;
}
