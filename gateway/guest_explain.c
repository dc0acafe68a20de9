/*
 * Why a guest could not be set up, and how to go on: see guest_explain.h.
 *
 * The usual reasons are switches that a distribution or an administrator has set, and errno alone
 * does not tell them apart: EPERM may be any of four. So the switches themselves are read, and
 * the one that is to blame is named together with the command that changes it.
 */
#include "gateway/guest_explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/guest_file.h"

static const char *const stage_texts[] = {
#define HV_STAGE_TEXT(name, text) [HV_STAGE_##name] = text,
	HV_STAGE_MAP(HV_STAGE_TEXT)
#undef HV_STAGE_TEXT
};
_Static_assert(sizeof(stage_texts) / sizeof(stage_texts[0]) == HV_STAGE_COUNT,
	       "each stage has its text");

static long read_setting(const char *path)
{
	char text[32];

	return hv_file_read(path, text, sizeof(text)) > 0 ? strtol(text, NULL, 10) : -1;
}

void hv_explain_gather(struct hv_explain_facts *facts)
{
	char status[4096];
	const char *seccomp = NULL;

	facts->max_user_namespaces = read_setting("/proc/sys/user/max_user_namespaces");
	facts->max_net_namespaces = read_setting("/proc/sys/user/max_net_namespaces");
	facts->max_pid_namespaces = read_setting("/proc/sys/user/max_pid_namespaces");
	facts->max_mnt_namespaces = read_setting("/proc/sys/user/max_mnt_namespaces");
	facts->unprivileged_userns_clone =
		read_setting("/proc/sys/kernel/unprivileged_userns_clone");
	facts->apparmor_restrict_unprivileged_userns =
		read_setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
	if (hv_file_read("/proc/self/status", status, sizeof(status)) > 0)
		seccomp = strstr(status, "\nSeccomp:\t");
	facts->seccomp = seccomp && seccomp[strlen("\nSeccomp:\t")] == '2';
}

/* One of the user.max_*_namespaces is used up, or is 0. False: it is none of them. */
static bool explain_limit(char *text, size_t size, const struct hv_explain_facts *facts)
{
	const struct {
		const char *kind;
		long limit;
	} limits[] = {
		{"user", facts->max_user_namespaces},
		{"net", facts->max_net_namespaces},
		{"pid", facts->max_pid_namespaces},
		{"mnt", facts->max_mnt_namespaces},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].limit != 0)
			continue;
		snprintf(text, size,
			 "%s namespaces are switched off here (user.max_%s_namespaces is 0); "
			 "to allow them: sudo sysctl -w user.max_%s_namespaces=16384",
			 limits[i].kind, limits[i].kind, limits[i].kind);
		return true;
	}
	return false;
}

static void explain_namespaces(char *text, size_t size, int error,
			       const struct hv_explain_facts *facts)
{
	bool refused = error == EPERM || error == EACCES;

	if ((error == ENOSPC || refused) && explain_limit(text, size, facts))
		return;
	if (error == ENOSPC || error == EUSERS)
		snprintf(
			text, size,
			"the limit of namespaces is reached; see sysctl user.max_user_namespaces "
			"and its neighbours, or end what holds them (lsns)");
	else if (refused && facts->unprivileged_userns_clone == 0)
		snprintf(text, size,
			 "this kernel keeps user namespaces for root "
			 "(kernel.unprivileged_userns_clone is 0); to allow them: "
			 "sudo sysctl -w kernel.unprivileged_userns_clone=1");
	else if (refused && facts->apparmor_restrict_unprivileged_userns > 0)
		snprintf(text, size,
			 "AppArmor keeps user namespaces from programs without a profile "
			 "(kernel.apparmor_restrict_unprivileged_userns is 1); to allow them: "
			 "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
	else if (refused && facts->seccomp)
		snprintf(text, size,
			 "a seccomp filter (of a container?) refuses new namespaces; start the "
			 "container with --security-opt seccomp=unconfined or as privileged");
	else if (refused)
		snprintf(text, size,
			 "the system refuses new namespaces (a chroot, a security module or a "
			 "container around haven): %s",
			 strerror(error));
	else if (error == EINVAL)
		snprintf(text, size,
			 "this kernel was built without user or network namespaces "
			 "(CONFIG_USER_NS, CONFIG_NET_NS)");
	else
		snprintf(text, size, "%s", strerror(error));
}

static void explain_tun_open(char *text, size_t size, int error)
{
	if (error == EACCES || error == EPERM)
		snprintf(text, size,
			 "%s; to allow it: sudo chmod 0666 /dev/net/tun; or use --link veth",
			 strerror(error));
	else if (error == ENOENT || error == ENODEV || error == ENXIO)
		snprintf(text, size,
			 "it is not there; to load it: sudo modprobe tun; or use --link veth");
	else
		snprintf(text, size, "%s", strerror(error));
}

static void explain_join(char *text, size_t size, int error)
{
	if (error == EPERM || error == EACCES)
		snprintf(text, size,
			 "it belongs to another user; run haven as that user or as root");
	else if (error == EINVAL)
		snprintf(text, size, "it is not a network namespace");
	else
		snprintf(text, size, "%s", strerror(error));
}

void hv_explain(struct hv_guest_error *result, enum hv_stage stage, int error,
		const char *detail, const struct hv_explain_facts *facts)
{
	char why[sizeof(result->text) / 2 + 64];

	result->error = error;
	switch (stage) {
	case HV_STAGE_OPTIONS: /* the detail says it all */
		snprintf(result->text, sizeof(result->text), "%s", detail);
		return;
	case HV_STAGE_NAMESPACES:
	case HV_STAGE_ID_MAP:
	case HV_STAGE_MOUNTS:
		explain_namespaces(why, sizeof(why), error, facts);
		break;
	case HV_STAGE_TUN_OPEN:
		explain_tun_open(why, sizeof(why), error);
		break;
	case HV_STAGE_TUN_CREATE:
	case HV_STAGE_VETH:
		if (error == EEXIST || error == EBUSY)
			snprintf(why, sizeof(why),
				 "an interface of this name is there already");
		else
			snprintf(why, sizeof(why), "%s", strerror(error));
		break;
	case HV_STAGE_CONFIGURE:
		/* Addresses are put on haven's own interface; routes are the whole namespace's. */
		snprintf(why, sizeof(why), "%s",
			 error == EEXIST ? "it is there already; haven attaches to a namespace "
					   "that has no other way out"
					 : strerror(error));
		break;
	case HV_STAGE_JOIN:
		explain_join(why, sizeof(why), error);
		break;
	default:
		snprintf(why, sizeof(why), "%s", strerror(error));
		break;
	}
	snprintf(result->text, sizeof(result->text), "cannot %s%s%.120s%s: %s",
		 stage_texts[stage], *detail ? " (" : "", detail, *detail ? ")" : "", why);
}

int hv_guest_fail(struct hv_guest_error *result, enum hv_stage stage, int number,
		  const char *detail)
{
	struct hv_explain_facts facts;

	hv_explain_gather(&facts);
	hv_explain(result, stage, number, detail, &facts);
	return -number;
}
