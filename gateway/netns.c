/*
 * A network namespace that exists already: see netns.h.
 *
 * Joining it takes CAP_SYS_ADMIN in its owner, a user namespace. Root of the host, and whoever is
 * in that user namespace already, has it; a plain user gets it by joining that user namespace
 * first, which its creator may do.
 */
#include "gateway/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/guest_explain.h"

pid_t hv_netns_path_pid(const char *path)
{
	char *rest;
	long pid;

	if (strncmp(path, "/proc/", 6) != 0)
		return 0;
	pid = strtol(path + 6, &rest, 10);
	if (rest == path + 6 || pid <= 0 || pid > INT_MAX || strcmp(rest, "/ns/net") != 0)
		return 0;
	return (pid_t)pid;
}

/* A deletion of the file is seen in its directory; a bind mount on it changes nothing in that. */
static int watch_path(const char *path, struct hv_netns *netns)
{
	char directory[PATH_MAX], base[PATH_MAX];

	if (snprintf(directory, sizeof(directory), "%s", path) >= (int)sizeof(directory))
		return -ENAMETOOLONG;
	memcpy(base, directory, sizeof(base));
	snprintf(netns->name, sizeof(netns->name), "%.*s", NAME_MAX, basename(base));
	netns->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (netns->watch_fd < 0)
		return -errno;
	if (inotify_add_watch(netns->watch_fd, dirname(directory),
			      IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR) < 0)
		return -errno;
	/* Deleted between the open and the watch? Then no event would ever come. */
	return access(path, F_OK) < 0 ? -errno : 0;
}

static int watch(const char *path, struct hv_netns *netns)
{
	struct pollfd poll_fd;

	if (netns->pid == 0)
		return watch_path(path, netns);
	netns->watch_fd = (int)syscall(SYS_pidfd_open, netns->pid, 0);
	if (netns->watch_fd < 0)
		return -errno;
	/* The id may have gone to another process since the namespace was opened. */
	poll_fd = (struct pollfd){.fd = netns->watch_fd, .events = POLLIN};
	return poll(&poll_fd, 1, 0) == 0 ? 0 : -ESRCH;
}

/* The owner of the network namespace; -1 when it is not for this process to know. */
static int find_userns(const struct hv_guest_attach_options *options, struct hv_netns *netns)
{
	netns->userns_first = options->userns_path != NULL;
	if (options->userns_path) {
		netns->userns_fd = open(options->userns_path, O_RDONLY | O_CLOEXEC);
		return netns->userns_fd < 0 ? -errno : 0;
	}
	netns->userns_fd = ioctl(netns->netns_fd, NS_GET_USERNS);
	if (netns->userns_fd >= 0)
		fcntl(netns->userns_fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

int hv_netns_open(const struct hv_guest_attach_options *options, struct hv_netns *netns,
		  struct hv_guest_error *error)
{
	enum hv_stage stage = HV_STAGE_TARGET;
	const char *path = options->path;
	char text[64];
	int result;

	*netns = (struct hv_netns){.netns_fd = -1, .userns_fd = -1, .watch_fd = -1};
	netns->pid = options->pid > 0 ? options->pid : hv_netns_path_pid(path);
	if (netns->pid > 0) {
		snprintf(text, sizeof(text), "/proc/%d/ns/net", (int)netns->pid);
		path = text;
	}
	netns->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (netns->netns_fd < 0) {
		result = errno == ENOENT && netns->pid > 0 ? -ESRCH : -errno;
		if (result == -EACCES || result == -EPERM)
			stage = HV_STAGE_JOIN;
		goto failed;
	}
	stage = HV_STAGE_JOIN;
	result = ioctl(netns->netns_fd, NS_GET_NSTYPE) == CLONE_NEWNET ? 0 : -EINVAL;
	if (result < 0)
		goto failed;
	result = find_userns(options, netns);
	if (result < 0) {
		path = options->userns_path;
		goto failed;
	}
	stage = HV_STAGE_TARGET;
	result = watch(path, netns);
	if (result < 0)
		goto failed;
	return 0;

failed:
	hv_netns_close(netns);
	return hv_guest_fail(error, stage, -result, path);
}

int hv_netns_join(const struct hv_netns *netns)
{
	if (!netns->userns_first && setns(netns->netns_fd, CLONE_NEWNET) == 0)
		return 0;
	if (!netns->userns_first && (errno != EPERM || netns->userns_fd < 0))
		return -errno;
	/* EINVAL: this process is in that user namespace already. */
	if (setns(netns->userns_fd, CLONE_NEWUSER) < 0 && errno != EINVAL)
		return -errno;
	return setns(netns->netns_fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

static bool path_gone(const struct hv_netns *netns)
{
	_Alignas(struct inotify_event) char buffer[4096];
	ssize_t length;

	while ((length = read(netns->watch_fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + length;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			if (event->mask & (IN_DELETE_SELF | IN_IGNORED | IN_UNMOUNT))
				return true;
			if (event->len > 0 && strcmp(event->name, netns->name) == 0)
				return true;
			at += sizeof(*event) + event->len;
		}
	}
	return false;
}

bool hv_netns_gone(const struct hv_netns *netns)
{
	struct pollfd poll_fd = {.fd = netns->watch_fd, .events = POLLIN};

	if (netns->pid == 0)
		return path_gone(netns);
	return poll(&poll_fd, 1, 0) > 0;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void hv_netns_forget(struct hv_netns *netns)
{
	close_one(&netns->netns_fd);
	close_one(&netns->userns_fd);
}

void hv_netns_close(struct hv_netns *netns)
{
	hv_netns_forget(netns);
	close_one(&netns->watch_fd);
}
