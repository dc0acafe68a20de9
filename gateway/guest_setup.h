/*
 * The far side of the clone: what the guest's first process does before the command exists, and
 * what it is afterwards.
 */
#ifndef HV_GATEWAY_GUEST_SETUP_H
#define HV_GATEWAY_GUEST_SETUP_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "gateway/guest.h"
#include "gateway/guest_resolv.h"
#include "gateway/guest_tty.h"

/* What the first process knows; its own copy of haven's memory at the clone. */
struct hv_far {
	const struct hv_guest_options *options;
	int channel;	     /* its end */
	int near_channel;    /* haven's end, to be closed */
	bool user_namespace; /* it has a user namespace of its own */
	uid_t uid;	     /* haven's effective ids before the clone */
	gid_t gid;
	sigset_t command_mask; /* the signal mask that the command gets */
	struct hv_tty tty;
};

/*
 * Ids, wire, mounts and limits, in the namespaces just made. Returns 0 and *wire, which the caller
 * closes; or a negative errno after it told haven why on far->channel.
 */
int hv_setup(const struct hv_far *far, struct hv_guest_wire *wire, struct hv_resolv *resolv);

/*
 * The whole life of the guest's first process (process 1 of its process namespace): set-up, then
 * start the command when haven says so, reap orphans, tell haven how the command fares, end with
 * it. Its end ends every process inside: so the kernel has it.
 */
_Noreturn void hv_init_run(const struct hv_far *far);

#endif
