/*
 * The stack under test: made at the first socket(), when the script's shell commands have set what they
 * want to set.
 */
#include <errno.h>
#include <string.h>

#include "adapter.h"

/* A route to everything of this family, on the link itself. */
static int add_default_route(struct adapter *adapter, sa_family_t family)
{
	struct sockaddr_storage any = {.ss_family = family};

	return haven_route_add(adapter->stack, adapter->ifindex, (struct sockaddr *)&any, 0,
			       NULL);
}

static int add_link(struct adapter *adapter)
{
	static const struct haven_link_ops ops = {.send = packets_emit};
	struct haven_link_config config;
	int status;

	haven_link_config_init(&config);
	config.mtu = adapter->settings.mtu;
	config.offloads = 0; /* packets leave as they would be on a wire */
	status = haven_link_custom(adapter->stack, &ops, adapter, false, &config,
				   &adapter->link);
	if (status == 0)
		status = haven_stack_attach(adapter->stack, adapter->link, &adapter->ifindex);
	for (unsigned i = 0; status == 0 && i < adapter->settings.local_count; i++) {
		const struct local_address *local = &adapter->settings.locals[i];

		status = haven_address_add(adapter->stack, adapter->ifindex,
					   (const struct sockaddr *)&local->address,
					   local->prefix_bits);
		if (status == 0)
			status = add_default_route(adapter, local->address.ss_family);
	}
	return status;
}

/* The sysctl's, when the library has that one. */
static const char *congestion_control(const struct settings *settings)
{
	const char *name = settings_text(settings, "tcp_congestion_control");

	return name && !strcmp(name, "reno") ? "reno" : "cubic";
}

int adapter_start(struct adapter *adapter)
{
	const struct settings *settings = &adapter->settings;
	struct haven_stack_config config;
	int status;

	settings_reload(&adapter->settings);
	if (adapter->stack)
		return 0;
	haven_stack_config_init(&config);
	config.privileged = true;
	config.no_pacing = true; /* as a Linux host without sch_fq */
	config.send_buffer_bytes = (uint32_t)settings_number(settings, "tcp_wmem", 2, 4 << 20);
	config.receive_buffer_bytes =
		(uint32_t)settings_number(settings, "tcp_rmem", 2, 6 << 20);
	config.tcp_no_timestamps = !settings_number(settings, "tcp_timestamps", 0, 1);
	config.tcp_no_sack = !settings_number(settings, "tcp_sack", 0, 1);
	config.tcp_no_window_scaling = !settings_number(settings, "tcp_window_scaling", 0, 1);
	if (settings_number(settings, "tcp_notsent_lowat", 0, UINT32_MAX) < UINT32_MAX)
		config.notsent_lowat_bytes =
			(uint32_t)settings_number(settings, "tcp_notsent_lowat", 0, 0);
	config.ecn = (uint8_t)settings_number(settings, "tcp_ecn", 0, 2);
	config.mtu_probing = (uint8_t)settings_number(settings, "tcp_mtu_probing", 0, 0);
	/* Linux paces where the device's queue is fq, or the algorithm asks for it: CUBIC does not. */
	config.no_pacing = settings_text(settings, "qdisc") == NULL;
	config.tcp_packet_segments =
		(uint16_t)settings_number(settings, "tcp_min_tso_segs", 0, 2);
	config.tcp_no_quick_acks = settings->no_quick_acks;
	config.congestion_control = congestion_control(settings);
	config.notsent_lowat_bytes =
		(uint32_t)settings_number(settings, "tcp_notsent_lowat", 0, 0);
	status = haven_stack_create(&config, &adapter->stack);
	if (status < 0)
		return status;
	haven_set_time(adapter->stack, adapter->now_us * 1000);
	status = add_link(adapter);
	if (status < 0)
		adapter_stop(adapter);
	return status;
}

void adapter_stop(struct adapter *adapter)
{
	haven_stack_destroy(adapter->stack);
	adapter->stack = NULL;
}

void adapter_turn(struct adapter *adapter)
{
	if (!adapter->stack)
		return;
	haven_poll(adapter->stack, adapter->now_us * 1000);
	readiness_note(adapter);
	wait_wake(adapter);
}
