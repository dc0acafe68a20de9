/*
 * A network namespace that exists already: found, joined, and watched until it ends.
 */
#ifndef HV_GATEWAY_NETNS_H
#define HV_GATEWAY_NETNS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "gateway/guest.h"

struct hv_netns {
	int netns_fd;
	int userns_fd; /* to join when the network namespace alone is refused; -1: none */
	bool userns_first;
	pid_t pid;    /* 0: named by a path */
	int watch_fd; /* readable when something happened to the target: a pidfd, or inotify */
	char name[NAME_MAX + 1]; /* the watched file, of a path */
};

/*
 * Finds the target and begins to watch it. Returns 0, or a negative errno with error->text set and
 * nothing open.
 */
int hv_netns_open(const struct hv_guest_attach_options *options, struct hv_netns *netns,
		  struct hv_guest_error *error);

/* Joins it, for good: called in a process of its own. Returns 0 or a negative errno. */
int hv_netns_join(const struct hv_netns *netns);

/* To be asked when watch_fd is readable: whether the target is gone. */
bool hv_netns_gone(const struct hv_netns *netns);

/* Closes what joining took; what watching takes stays. */
void hv_netns_forget(struct hv_netns *netns);

void hv_netns_close(struct hv_netns *netns);

/* The process id in "/proc/PID/ns/net"; 0 for any other path. */
pid_t hv_netns_path_pid(const char *path);

#endif
