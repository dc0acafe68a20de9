/*
 * Process 1 of the guest: see guest_setup.h.
 *
 *	haven --(channel)-- init ---- the command
 *	                      `------ orphans of the command
 *
 * It exists for three guarantees. It is killed when haven dies (PR_SET_PDEATHSIG, and the end of
 * the channel), and with it, by the kernel, all that runs in its process namespace. It ends when
 * the command ends, with the same effect. And it keeps the capabilities over the namespaces, which
 * the command does not get: execve(2) of a user other than 0 gives them up. Having more than the
 * command, it cannot be traced by it either.
 */
#include "gateway/guest_setup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/device.h"
#include "gateway/guest_message.h"

struct init {
	const struct hv_far *far;
	struct hv_resolv resolv;
	struct sigaction command_child; /* the disposition of SIGCHLD that the command gets */
	int child_fd;			/* signalfd of SIGCHLD */
	pid_t command;
};

/* haven's own descriptors are close-on-exec, but this process never execs. */
static void close_haven_files(const struct hv_far *far)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;

	close(far->near_channel);
	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		int flags = fcntl(fd, F_GETFD);

		if (fd > 2 && fd != dirfd(directory) && fd != far->channel &&
		    fd != far->tty.fd && flags >= 0 && (flags & FD_CLOEXEC))
			close(fd);
	}
	closedir(directory);
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/*
 * What the command inherits is the command's alone: a pipe that it closes must end for who reads
 * it. So keep only what init itself needs.
 */
static void close_command_files(const struct init *init)
{
	int keep[] = {-1, init->far->channel, init->child_fd, init->resolv.file_fd,
		      init->resolv.watch_fd};
	const size_t count = sizeof(keep) / sizeof(keep[0]);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	keep[0] = 2;
	qsort(keep, count, sizeof(keep[0]), compare_fds);
	for (size_t i = 0; i < count; i++) {
		int from = keep[i] + 1;
		int to = i + 1 < count ? keep[i + 1] - 1 : INT_MAX;

		if (from > 2 && from <= to)
			close_range((unsigned int)from, (unsigned int)to, 0);
	}
}

/*
 * Whether any directory of PATH has a file of this name. execvp(3) says EACCES when it could not
 * look into one of them, even when the file is in none.
 */
static bool is_in_path(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	for (path = path ? path : "/bin:/usr/bin"; *path; path += *path == ':') {
		size_t length = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s%s%s", (int)length, path, length ? "/" : "",
			 name);
		if (access(file, F_OK) == 0)
			return true;
		path += length;
	}
	return false;
}

/* What execvp's failure means to who typed the command: ENOENT, it is not there; else the reason. */
static int exec_error(const char *name, int error)
{
	if (error == ENOTDIR || (error == EACCES && !strchr(name, '/') && !is_in_path(name)))
		return ENOENT;
	return error;
}

/* In the command's process, until exec. */
static _Noreturn void become_command(const struct init *init, bool foreground)
{
	const struct hv_far *far = init->far;
	const struct hv_guest_options *options = far->options;
	struct hv_message message = {.kind = HV_MESSAGE_STARTED};

	if (far->tty.separate)
		setpgid(0, 0);
	if (foreground)
		hv_tty_set_foreground(far->tty.fd, getpgrp());
	if (options->new_privileges_off)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (options->env)
		environ = (char **)options->env;
	hv_message_send(far->channel, &message);
	sigaction(SIGCHLD, &init->command_child, NULL);
	sigprocmask(SIG_SETMASK, &far->command_mask, NULL);
	execvp(options->argv[0], options->argv);
	message.kind = HV_MESSAGE_NOT_EXECUTED;
	message.error = exec_error(options->argv[0], errno);
	hv_message_send(far->channel, &message);
	_exit(message.error == ENOENT ? HV_EXIT_NOT_FOUND : HV_EXIT_NOT_EXECUTABLE);
}

static void tell(const struct init *init, enum hv_message_kind kind, int value)
{
	hv_message_send(init->far->channel, &(struct hv_message){.kind = kind, .value = value});
}

/* Waits for haven's word. Returns whether the command gets the terminal. */
static bool wait_for_release(const struct init *init)
{
	struct hv_message message;

	for (;;) {
		if (hv_message_receive(init->far->channel, &message, true) <= 0)
			_exit(HV_EXIT_FAILED);
		if (message.kind == HV_MESSAGE_RELEASE)
			return message.value;
		if (message.kind == HV_MESSAGE_SIGNAL) {
			/* It never began; the signal would have ended it in its first instant. */
			tell(init, HV_MESSAGE_ENDED, W_EXITCODE(0, message.value));
			_exit(HV_EXIT_FAILED);
		}
	}
}

static void start_command(struct init *init)
{
	bool foreground = wait_for_release(init);

	init->command = fork();
	if (init->command == 0)
		become_command(init, foreground);
	if (init->command < 0) {
		hv_message_failed(init->far->channel, HV_STAGE_COMMAND, errno,
				  init->far->options->argv[0]);
		_exit(HV_EXIT_FAILED);
	}
	/* Here too, so that it is done before the first signal for the group comes. */
	if (init->far->tty.separate)
		setpgid(init->command, init->command);
}

/* Children of the command that lost their parent end here as well. */
static void reap(const struct init *init)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(init->child_fd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != init->command)
			continue;
		if (WIFSTOPPED(status)) {
			tell(init, HV_MESSAGE_STOPPED, WSTOPSIG(status));
			continue;
		}
		tell(init, HV_MESSAGE_ENDED, status);
		_exit(0);
	}
}

static void obey(const struct init *init)
{
	struct hv_message message;

	if (hv_message_receive(init->far->channel, &message, true) <= 0)
		_exit(HV_EXIT_FAILED);
	if (message.kind == HV_MESSAGE_SIGNAL)
		kill(init->command, message.value);
	else if (message.kind == HV_MESSAGE_CONTINUE)
		kill(init->far->tty.separate ? -init->command : init->command, SIGCONT);
}

static _Noreturn void serve(const struct init *init)
{
	struct pollfd fds[] = {
		{.fd = init->far->channel, .events = POLLIN},
		{.fd = init->child_fd, .events = POLLIN},
		{.fd = init->resolv.watch_fd, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0 && errno != EINTR)
			_exit(HV_EXIT_FAILED);
		if (fds[1].revents)
			reap(init);
		if (fds[0].revents)
			obey(init);
		if (fds[2].revents)
			hv_resolv_restore(&init->resolv);
	}
}

/* SIGCHLD comes by descriptor, and as the default, not ignored as haven may have inherited it. */
static void take_child_signal(struct init *init)
{
	const struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigaction(SIGCHLD, &standard, &init->command_child);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	init->child_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

_Noreturn void hv_init_run(const struct hv_far *far)
{
	struct init init = {.far = far};
	struct hv_message ready = {.kind = HV_MESSAGE_READY};

	/* If haven is dead by now, the channel's end says so. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_NAME, "haven-init", 0, 0, 0);
	close_haven_files(far);
	take_child_signal(&init);
	if (hv_setup(far, &ready.wire, &init.resolv) < 0)
		_exit(HV_EXIT_FAILED);
	if (hv_message_send(far->channel, &ready) < 0)
		_exit(HV_EXIT_FAILED);
	/* haven has its copies; the wire must end with haven, not with this process. */
	hv_device_close(&ready.wire);
	start_command(&init);
	close_command_files(&init);
	serve(&init);
}
