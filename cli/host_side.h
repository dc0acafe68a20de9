/*
 * The other connection: that of the host's kernel, which the gateway's relay opened or accepted. haven sees no packet of it;
 * what is told is what the kernel says of it (TCP_INFO, sock_diag(7)).
 */
#ifndef HV_CLI_HOST_SIDE_H
#define HV_CLI_HOST_SIDE_H

#include <haven/forward.h>

#include "cli/explain.h"

struct hv_relay;

struct hv_host_side {
	bool known;
	struct haven_endpoint local, remote;
};

/* The relay's connection is established. */
void hv_host_side_connected(struct hv_host_side *side, const struct hv_explain *explain,
			    const struct hv_relay *relay);

/* What is left of it in the kernel when both directions have ended: TIME-WAIT, until when; or nothing. */
void hv_host_side_ended(const struct hv_host_side *side, const struct hv_explain *explain);

#endif
