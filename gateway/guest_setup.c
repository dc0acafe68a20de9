/*
 * What is made in the guest's namespaces before its command starts: see guest_setup.h.
 */
#include "gateway/guest_setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "gateway/device.h"
#include "gateway/guest_file.h"
#include "gateway/guest_message.h"

/*
 * One id is mapped: what user_namespaces(7) grants everybody. The gid needs setgroups(2) denied
 * first, or the mapping would be a way out of a group that takes rights away.
 */
static int map_ids(const struct hv_far *far)
{
	char uid_map[48], gid_map[48];
	const struct {
		const char *path, *text;
	} steps[] = {
		{"/proc/self/setgroups", "deny"},
		{"/proc/self/uid_map", uid_map},
		{"/proc/self/gid_map", gid_map},
	};

	snprintf(uid_map, sizeof(uid_map), "%u %u 1", far->options->map_root ? 0 : far->uid,
		 far->uid);
	snprintf(gid_map, sizeof(gid_map), "%u %u 1", far->options->map_root ? 0 : far->gid,
		 far->gid);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int result = hv_file_write(steps[i].path, steps[i].text);

		if (result < 0)
			return hv_message_failed(far->channel, HV_STAGE_ID_MAP, -result,
						 steps[i].path);
	}
	return 0;
}

/* Ports may be bound, from 1 on or as the options say, and ping sockets opened, by whoever is inside. */
static void open_limits(const struct hv_far *far)
{
	const char *port_start = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
	const char *ping_groups = "/proc/sys/net/ipv4/ping_group_range";
	unsigned int gid = far->options->map_root ? 0 : far->gid;
	char own_group[32];
	char limit[16];
	int result;

	snprintf(limit, sizeof(limit), "%u", far->options->privileged_ports);
	result = hv_file_write(port_start, limit);
	if (result < 0)
		hv_message_note(
			far->channel, HV_GUEST_LOG_WARNING,
			"the kernel's own limit says which ports can be bound inside: %s: %s",
			port_start, strerror(-result));
	else if (far->options->privileged_ports && far->uid != 0 && !far->options->map_root)
		hv_message_note(
			far->channel, HV_GUEST_LOG_WARNING,
			"ports below %s take root inside (bind says 'Permission denied'): run it "
			"with --root, take a port from %s on, or lower --privileged-ports",
			limit, limit);
	/* Ids that are not mapped cannot be named, so it is all groups, or the only one. */
	if (!far->user_namespace && hv_file_write(ping_groups, "0 2147483647") == 0)
		return;
	snprintf(own_group, sizeof(own_group), "%u %u", gid, gid);
	result = hv_file_write(ping_groups, own_group);
	if (result < 0)
		hv_message_note(far->channel, HV_GUEST_LOG_DEBUG,
				"no ping sockets inside: %s: %s", ping_groups,
				strerror(-result));
}

/*
 * Changes of the host's mounts come in, changes made here do not go out. The new /proc shows the
 * guest's processes; containers that hide parts of /proc do not get one, and keep the old: it is
 * right about /proc/self, but shows the ids that processes have outside.
 */
static int make_mounts(const struct hv_far *far, struct hv_resolv *resolv)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return hv_message_failed(far->channel, HV_STAGE_MOUNTS, errno, "");
	hv_resolv_mount(far->channel, far->options, resolv);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0) {
		hv_resolv_keep(resolv);
		return 0;
	}
	hv_message_note(far->channel, HV_GUEST_LOG_DEBUG,
			"/proc inside shows the processes of the host: mount: %s",
			strerror(errno));
	hv_resolv_drop(resolv);
	return 0;
}

int hv_setup(const struct hv_far *far, struct hv_guest_wire *wire, struct hv_resolv *resolv)
{
	int result = far->user_namespace ? map_ids(far) : 0;

	if (result < 0)
		return result;
	/* Before what follows: a new /proc can be written where a container's is read-only. */
	result = make_mounts(far, resolv);
	if (result < 0)
		return result;
	result = hv_device_open(far->channel, &far->options->network, wire);
	if (result < 0)
		return result;
	open_limits(far);
	return 0;
}
