/* `config` lines: what the stack, its link and its peer are made with. */
#include "cursor.h"

#include <stdio.h>
#include <string.h>

void seg_config_init(struct seg_config *config)
{
	*config = (struct seg_config){
		.mtu = 1500,
		.send_buffer = -1,
		.receive_buffer = -1,
		.max_sockets = -1,
		.max_time_wait = -1,
		.max_requests = -1,
		.max_half_open = -1,
		.ecn = -1,
		.mtu_probing = -1,
		.stack_iss = -1,
		.seed = 1,
		.peer_iss = 0xfffffff0, /* so that every script crosses zero */
		.port = 80,
		.hop_limit = -1,
		.time_wait_ns = UINT64_MAX,
		.tolerance_ns = 1000000,
		.v4 = true,
		.v6 = true,
	};
}

static bool read_only(struct seg_cursor *c, struct seg_config *config)
{
	if (seg_take_word(c, "ipv4"))
		config->v6 = false;
	else if (seg_take_word(c, "ipv6"))
		config->v4 = false;
	else
		return seg_bad(c, "ipv4 or ipv6 was expected");
	return true;
}

bool seg_read_config(struct seg_cursor *c, struct seg_config *config)
{
	const struct {
		const char *name;
		int64_t *value;
	} numbers[] = {
		{"mtu", &config->mtu},
		{"send-buffer", &config->send_buffer},
		{"receive-buffer", &config->receive_buffer},
		{"max-sockets", &config->max_sockets},
		{"max-time-wait", &config->max_time_wait},
		{"max-requests", &config->max_requests},
		{"max-half-open", &config->max_half_open},
		{"ecn", &config->ecn},
		{"mtu-probing", &config->mtu_probing},
		{"seed", &config->seed},
		{"peer-iss", &config->peer_iss},
		{"stack-iss", &config->stack_iss},
		{"port", &config->port},
		{"hop-limit", &config->hop_limit},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (seg_take_word(c, numbers[i].name))
			return seg_number(c, numbers[i].value);
	if (seg_take_word(c, "time-wait"))
		return seg_duration(c, &config->time_wait_ns);
	if (seg_take_word(c, "tolerance"))
		return seg_duration(c, &config->tolerance_ns);
	if (seg_take_word(c, "congestion"))
		return seg_word(c, config->congestion, sizeof(config->congestion)) ||
		       seg_bad(c, "the name of a congestion control was expected");
	if (seg_take_word(c, "forwarder")) {
		config->forwarder = true;
		return true;
	}
	if (seg_take_word(c, "offloads")) {
		config->offloads = true;
		return true;
	}
	if (seg_take_word(c, "no-quick-acks")) {
		config->no_quick_acks = true;
		return true;
	}
	if (seg_take_word(c, "only"))
		return read_only(c, config);
	return seg_bad(c, "nothing of that name can be configured");
}
