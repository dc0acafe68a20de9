/*
 * The birth of a guest in a namespace that exists: a helper process joins it, makes the wire
 * there, sends haven its end, and is gone. haven itself never leaves its own namespaces.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/device.h"
#include "gateway/guest_state.h"

/* What ends an attached guest from outside. */
static const int taken_signals[] = {SIGHUP, SIGINT, SIGTERM, 0};

static void describe(const struct hv_guest_attach_options *options, char *text, size_t size)
{
	if (options->pid > 0)
		snprintf(text, size, "of process %d", (int)options->pid);
	else
		snprintf(text, size, "%s", options->path);
}

static _Noreturn void help(const struct hv_guest *guest,
			   const struct hv_guest_attach_options *options, int channel)
{
	struct hv_message ready = {.kind = HV_MESSAGE_READY};
	char name[HV_MESSAGE_TEXT_SIZE];
	int result = hv_netns_join(&guest->target);

	if (result < 0) {
		describe(options, name, sizeof(name));
		hv_message_failed(channel, HV_STAGE_JOIN, -result, name);
	} else if (hv_device_open(channel, &options->network, &ready.wire) == 0) {
		hv_message_send(channel, &ready);
	}
	_exit(0);
}

static int run_helper(struct hv_guest *guest, const struct hv_guest_attach_options *options,
		      struct hv_guest_error *error)
{
	int ends[2];
	int result = hv_message_pair(ends);
	pid_t pid;

	if (result < 0)
		return hv_guest_fail(error, HV_STAGE_PREPARE, -result, "socketpair");
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		help(guest, options, ends[1]);
	}
	result = -errno;
	close(ends[1]);
	if (pid < 0)
		result = hv_guest_fail(error, HV_STAGE_PREPARE, -result, "fork");
	else
		result = hv_guest_await_ready(guest, ends[0], error);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return result;
}

static int attach(struct hv_guest *guest, const struct hv_guest_attach_options *options,
		  struct hv_guest_error *error)
{
	int result = hv_netns_open(options, &guest->target, error);

	if (result < 0)
		return result;
	guest->pid = guest->target.pid;
	result = run_helper(guest, options, error);
	if (result < 0)
		return result;
	/* Open, it would keep who made the namespace from unmounting its path. */
	hv_netns_forget(&guest->target);
	result = hv_guest_watch(guest, guest->target.watch_fd, EPOLLIN);
	return result < 0 ? hv_guest_fail(error, HV_STAGE_PREPARE, -result, "epoll") : 0;
}

int hv_guest_attach(const struct hv_guest_attach_options *options, struct hv_guest **result,
		    struct hv_guest_error *error)
{
	const char *wrong = hv_device_check(&options->network);
	struct hv_guest *guest;
	int failed;

	*result = NULL;
	if (!wrong && options->pid <= 0 && !options->path)
		wrong = "there is no process id and no path";
	if (!wrong && !options->network.configure && options->network.wire == HV_WIRE_VETH)
		wrong = "only a TAP can be there already";
	if (wrong)
		return hv_guest_fail(error, HV_STAGE_OPTIONS, EINVAL, wrong);
	guest = hv_guest_new(&options->log, taken_signals);
	if (!guest)
		return hv_guest_fail(error, HV_STAGE_PREPARE, errno, "");
	guest->attached = true;
	guest->phase = HV_PHASE_RUNNING;
	failed = attach(guest, options, error);
	if (failed < 0) {
		hv_guest_destroy(guest);
		return failed;
	}
	*result = guest;
	return 0;
}
