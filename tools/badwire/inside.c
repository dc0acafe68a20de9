/*
 * Namespaces for one command. See inside.h.
 *
 * In a user namespace of its own a process may make network namespaces and TAPs in them. Its
 * user is root there, as with unshare -r, so that the command may set sysctls and routes.
 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/guest_file.h"

static bool fail(char error[HV_OPTION_ERROR], const char *what, int number)
{
	snprintf(error, HV_OPTION_ERROR, "%s: %s", what, strerror(number));
	return false;
}

/* --- namespaces -------------------------------------------------------------------------- */

static bool make_user_namespace(char error[HV_OPTION_ERROR])
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int result;

	if (unshare(CLONE_NEWUSER) < 0)
		return fail(error, "cannot make a user namespace", errno);
	/* user_namespaces(7): setgroups goes before a plain user may map a group. */
	result = hv_file_write("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	if (result == 0 || result == -ENOENT)
		result = hv_file_write("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	if (result == 0)
		result = hv_file_write("/proc/self/gid_map", map);
	return result == 0 || fail(error, "cannot map the user's id", -result);
}

static bool bring_loopback_up(char error[HV_OPTION_ERROR])
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);
	int number = errno;

	if (fd >= 0)
		close(fd);
	return result == 0 || fail(error, "cannot bring loopback up", number);
}

static bool make_end(struct end *end, int *netns_fd, char error[HV_OPTION_ERROR])
{
	if (unshare(CLONE_NEWNET) < 0)
		return fail(error, "cannot make a network namespace", errno);
	*netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*netns_fd < 0)
		return fail(error, "/proc/self/ns/net", errno);
	return bring_loopback_up(error) && end_open_here(end, error);
}

bool inside_make(struct end ends[2], int netns_fd[2], char error[HV_OPTION_ERROR])
{
	/* In the first network namespace until both are there: going back is not allowed to all. */
	if (unshare(CLONE_NEWNET) < 0 && !make_user_namespace(error))
		return false;
	for (int i = 0; i < 2; i++)
		if (!make_end(&ends[i], &netns_fd[i], error))
			return false;
	return true;
}

/* --- the command ------------------------------------------------------------------------- */

static void become(char *const argv[], const int netns_fd[2], pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(125);
	if (setns(netns_fd[0], CLONE_NEWNET) < 0) {
		fprintf(stderr, "badwire: cannot join the namespace of end a: %s\n",
			strerror(errno));
		_exit(125);
	}
	execvp(argv[0], argv);
	fprintf(stderr, "badwire: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

pid_t inside_start(char *const argv[], const int netns_fd[2], char error[HV_OPTION_ERROR])
{
	static const char *const variables[2] = {INSIDE_VARIABLE_A, INSIDE_VARIABLE_B};
	pid_t parent = getpid(), child;
	char path[64];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)parent, netns_fd[i]);
		if (setenv(variables[i], path, 1) < 0) {
			fail(error, "setenv", errno);
			return -1;
		}
	}
	/* What the command leaves behind becomes ours, for inside_end(). */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	child = fork();
	if (child == 0)
		become(argv, netns_fd, parent);
	if (child < 0)
		fail(error, "fork", errno);
	return child;
}

/* Sends a signal to each child. Returns how many there are. */
static int signal_children(int number)
{
	char path[64];
	FILE *list;
	int child, count = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	list = fopen(path, "re");
	if (!list)
		return 0;
	while (fscanf(list, "%d", &child) == 1) { // NOLINT(cert-err34-c): the kernel's own list
		kill(child, number);
		count++;
	}
	fclose(list);
	return count;
}

void inside_end(void)
{
	enum { PATIENCE = 100, STEP_US = 10000 }; /* a second, then by force */

	for (int i = 0; i < 2 * PATIENCE; i++) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (signal_children(i < PATIENCE ? SIGTERM : SIGKILL) == 0)
			return;
		usleep(STEP_US);
	}
}

void inside_exec(const char *which, char *const argv[], char error[HV_OPTION_ERROR])
{
	bool first = strcmp(which, "a") == 0;
	const char *path = getenv(first ? INSIDE_VARIABLE_A : INSIDE_VARIABLE_B);
	int fd;

	if (!first && strcmp(which, "b") != 0) {
		snprintf(error, HV_OPTION_ERROR, "the ends are a and b, not \"%.80s\"", which);
		return;
	}
	if (!path) {
		snprintf(error, HV_OPTION_ERROR,
			 "--in is for what badwire --run started, and this was not");
		return;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
		snprintf(error, HV_OPTION_ERROR, "cannot join end %s (%s): %s", which, path,
			 strerror(errno));
		return;
	}
	execvp(argv[0], argv);
	snprintf(error, HV_OPTION_ERROR, "cannot run %.200s: %s", argv[0], strerror(errno));
}
