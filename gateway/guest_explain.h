/*
 * From (stage, errno) of a set-up that failed to one line that says what to do about it.
 */
#ifndef HV_GATEWAY_GUEST_EXPLAIN_H
#define HV_GATEWAY_GUEST_EXPLAIN_H

#include <stdbool.h>

#include "gateway/guest.h"

/* The stages of the set-up that can fail, in their order: name, and "cannot ..." */
#define HV_STAGE_MAP(stage)                                                                    \
	stage(OPTIONS, "use these options") stage(PREPARE, "prepare the guest") stage(         \
		NAMESPACES, "make a network of its own for the command")                       \
		stage(ID_MAP, "map the user's id into the user namespace") stage(              \
			MOUNTS, "make a mount namespace for the command")                      \
			stage(TARGET, "find the network namespace") stage(                     \
				JOIN, "join the network namespace") stage(TUN_OPEN,            \
									  "open /dev/net/tun") \
				stage(TUN_CREATE, "create the TAP interface") stage(           \
					VETH, "create the veth pair")                          \
					stage(PACKET, "open a packet socket on the veth pair") \
						stage(CONFIGURE, "configure the network")      \
							stage(COMMAND, "start the command")

enum hv_stage {
#define HV_STAGE_ENUM(name, text) HV_STAGE_##name,
	HV_STAGE_MAP(HV_STAGE_ENUM)
#undef HV_STAGE_ENUM
		HV_STAGE_COUNT,
};

/* What decides whether namespaces may be made here. -1: this kernel does not have the setting. */
struct hv_explain_facts {
	long max_user_namespaces;
	long max_net_namespaces;
	long max_pid_namespaces;
	long max_mnt_namespaces;
	long unprivileged_userns_clone;		    /* Debian and Ubuntu kernels */
	long apparmor_restrict_unprivileged_userns; /* Ubuntu 23.10 on */
	bool seccomp;				    /* a filter stands over this process */
};

/* Reads them from /proc. */
void hv_explain_gather(struct hv_explain_facts *facts);

/* Writes the line. `detail` names the thing at hand (an interface, a path), or is empty. */
void hv_explain(struct hv_guest_error *result, enum hv_stage stage, int error,
		const char *detail, const struct hv_explain_facts *facts);

/* Gathers the facts and writes the line. Returns -number. */
int hv_guest_fail(struct hv_guest_error *result, enum hv_stage stage, int number,
		  const char *detail);

#endif
