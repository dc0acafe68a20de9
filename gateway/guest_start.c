/*
 * The birth of a guest with a command: the near side of the clone. guest_setup.h has the far side.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/device.h"
#include "gateway/guest_setup.h"
#include "gateway/guest_state.h"

/* What haven passes on to the command, and SIGCONT, which it follows. */
static const int taken_signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
				    SIGUSR1, SIGUSR2, SIGCONT, 0};

#define GUEST_NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)

/* fork() with namespaces and a pidfd. The C library has no call that returns twice and does it. */
static pid_t clone_into(unsigned long namespaces, int *pidfd)
{
	return (pid_t)syscall(SYS_clone, namespaces | CLONE_PIDFD | SIGCHLD, NULL, pidfd, NULL,
			      NULL);
}

/*
 * Root has what it takes without a user namespace, unless a container took that away; everybody
 * else needs one. Returns as fork() does.
 */
static pid_t make_init(struct hv_guest *guest, struct hv_far *far)
{
	pid_t pid;

	if (far->uid == 0) {
		far->user_namespace = false;
		pid = clone_into(GUEST_NAMESPACES, &guest->pidfd);
		if (pid >= 0 || errno != EPERM)
			return pid;
	}
	far->user_namespace = true;
	return clone_into(GUEST_NAMESPACES | CLONE_NEWUSER, &guest->pidfd);
}

static int check(const struct hv_guest_options *options, struct hv_guest_error *error)
{
	const char *wrong = hv_device_check(&options->network);

	if (!wrong && (!options->argv || !options->argv[0]))
		wrong = "there is no command";
	if (!wrong && !options->network.configure)
		wrong = "a new network must be configured";
	if (!wrong &&
	    (options->dns4_count > HV_GUEST_DNS_MAX || options->dns6_count > HV_GUEST_DNS_MAX))
		wrong = "there are too many DNS addresses";
	return wrong ? hv_guest_fail(error, HV_STAGE_OPTIONS, EINVAL, wrong) : 0;
}

/* Clones init and takes from it what it made. */
static int start(struct hv_guest *guest, const struct hv_guest_options *options,
		 struct hv_guest_error *error)
{
	struct hv_far far = {.options = options, .uid = geteuid(), .gid = getegid()};
	int ends[2];
	int result = hv_message_pair(ends);

	if (result < 0)
		return hv_guest_fail(error, HV_STAGE_PREPARE, -result, "socketpair");
	guest->channel = ends[0];
	far.near_channel = ends[0];
	far.channel = ends[1];
	far.tty = guest->tty;
	far.command_mask = guest->old_mask;
	guest->pid = make_init(guest, &far);
	if (guest->pid == 0)
		hv_init_run(&far);
	result = -errno;
	close(ends[1]);
	if (guest->pid < 0) {
		guest->pid = 0;
		return hv_guest_fail(error, HV_STAGE_NAMESPACES, -result, "");
	}
	return hv_guest_await_ready(guest, guest->channel, error);
}

static int watch(struct hv_guest *guest)
{
	int failed = hv_guest_watch(guest, guest->channel, EPOLLIN);

	if (failed == 0)
		failed = hv_guest_watch(guest, guest->pidfd, EPOLLIN);
	if (failed == 0 && guest->tty.fd >= 0)
		failed = hv_guest_watch(guest, guest->tty.fd, 0);
	return failed;
}

int hv_guest_start(const struct hv_guest_options *options, struct hv_guest **result,
		   struct hv_guest_error *error)
{
	struct hv_guest *guest;
	int failed = check(options, error);

	*result = NULL;
	if (failed < 0)
		return failed;
	guest = hv_guest_new(&options->log, taken_signals);
	if (!guest)
		return hv_guest_fail(error, HV_STAGE_PREPARE, errno, "");
	hv_tty_open(&guest->tty);
	guest->command = strdup(options->argv[0]);
	failed = guest->command ? start(guest, options, error)
				: hv_guest_fail(error, HV_STAGE_PREPARE, ENOMEM, "");
	if (failed == 0) {
		failed = watch(guest);
		if (failed < 0)
			hv_guest_fail(error, HV_STAGE_PREPARE, -failed, "epoll");
	}
	if (failed < 0) {
		hv_guest_destroy(guest);
		return failed;
	}
	*result = guest;
	return 0;
}
