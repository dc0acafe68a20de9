/*
 * A guest and its gateway, from the wire to the guest's end: what `haven run` and `haven attach`
 * have in common.
 */
#ifndef HV_GATEWAY_SESSION_H
#define HV_GATEWAY_SESSION_H

#include "gateway/gateway.h"
#include "gateway/guest.h"

/*
 * What the processes of a guest that has ended left in their sockets may take this long to get
 * out. Not for an attached namespace: others may go on in there.
 */
#define HV_SESSION_DRAIN_NS (2 * HV_NS_PER_S)

/*
 * Takes the guest's wire, lets the guest go on (hv_guest_release), and runs until it has ended.
 * Returns what haven is to exit with; HV_EXIT_FAILED when the gateway failed, with error->text set.
 * Guest and gateway stay the caller's.
 * drain_ns: how long to go on for what a guest that has ended had sent; 0: not.
 *
 * From here on SIGRTMIN makes the gateway write its state to standard error.
 */
int hv_session_run(struct hv_gateway *gateway, struct hv_guest *guest,
		   const struct hv_gateway_config *config, uint64_t drain_ns,
		   struct hv_gateway_error *error);

/* CLOCK_MONOTONIC, for hv_gateway_config. */
uint64_t hv_session_clock_ns(void);

/* As many open files as this user may have; what the guest has is not changed. Call after hv_guest_start. */
void hv_session_raise_limits(void);

#endif
