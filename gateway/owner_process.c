/*
 * From a socket's inode to the process that has it: /proc/PID/fd of the guest's processes, in
 * steps (proc(5)). See owner.h.
 */
#include "gateway/owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of one step, in system calls, about. */
#define STEP_CALLS 256
/* Finding out whether a process is the guest's takes the time of about two. */
#define CALLS_OF_A_PROCESS 2

struct hv_process_scan {
	struct hv_survey *survey;
	struct stat netns;
	DIR *proc;
	DIR *files; /* of the process at hand; NULL: none is */
	pid_t pid;
	uint32_t
		process; /* its number in the survey; HV_NO_PROCESS: none of the sockets was its */
	unsigned hidden; /* processes of the guest whose descriptors cannot be read */
};

struct hv_process_scan *hv_process_scan_new(struct hv_survey *survey, int netns_fd)
{
	struct hv_process_scan *scan = calloc(1, sizeof(*scan));

	if (!scan)
		return NULL;
	scan->survey = survey;
	if (fstat(netns_fd, &scan->netns) < 0 || !(scan->proc = opendir("/proc"))) {
		int error = errno;

		free(scan);
		errno = error;
		return NULL;
	}
	return scan;
}

void hv_process_scan_free(struct hv_process_scan *scan)
{
	if (!scan)
		return;
	if (scan->files)
		closedir(scan->files);
	closedir(scan->proc);
	free(scan);
}

/* --- what is known of a process --------------------------------------------------------- */

unsigned long long hv_process_start_ticks(const char *line)
{
	/* pid (name) state ...: the name may hold anything, parentheses too. */
	const char *place = strrchr(line, ')');
	unsigned field = 2;

	while (place && field < 22) {
		place = strchr(place, ' ');
		if (place)
			place++;
		field++;
	}
	return place && isdigit((unsigned char)*place) ? strtoull(place, NULL, 10) : 0;
}

/* The first bytes of a small file, ended by 0. False when there are none. */
static bool read_start(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return true;
}

static void describe(struct hv_guest_process *process)
{
	char text[1024];
	struct timespec boot;
	unsigned long long ticks = 0;
	long per_second = sysconf(_SC_CLK_TCK);

	if (read_start(process->pid, "comm", text, sizeof(text))) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(process->name, sizeof(process->name), "%.15s", text);
	}
	if (read_start(process->pid, "stat", text, sizeof(text)))
		ticks = hv_process_start_ticks(text);
	if (ticks && per_second > 0 && clock_gettime(CLOCK_BOOTTIME, &boot) == 0)
		process->started = time(NULL) - boot.tv_sec +
				   (time_t)(ticks / (unsigned long long)per_second);
}

/* --- steps ------------------------------------------------------------------------------ */

static bool is_guests(const struct hv_process_scan *scan, pid_t pid)
{
	char path[64];
	struct stat netns;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &netns) == 0 && netns.st_ino == scan->netns.st_ino &&
	       netns.st_dev == scan->netns.st_dev;
}

/* "socket:[123]"; 0 when it is something else. */
static uint32_t socket_inode(const char *link)
{
	static const char prefix[] = "socket:[";

	if (strncmp(link, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	return (uint32_t)strtoul(link + sizeof(prefix) - 1, NULL, 10);
}

static void see_descriptor(struct hv_process_scan *scan, const char *name)
{
	struct hv_survey *survey = scan->survey;
	struct hv_guest_socket *socket;
	char link[64];
	ssize_t size = readlinkat(dirfd(scan->files), name, link, sizeof(link) - 1);

	if (size <= 0)
		return;
	link[size] = '\0';
	socket = hv_survey_find(survey, socket_inode(link));
	if (!socket)
		return;
	if (scan->process == HV_NO_PROCESS) {
		scan->process = hv_survey_add_process(survey, scan->pid);
		if (scan->process == HV_NO_PROCESS)
			return;
		describe(&survey->processes[scan->process]);
	}
	/* Processes come by their number: the one that made the socket mostly is the first. */
	if (socket->process == HV_NO_PROCESS) {
		socket->process = scan->process;
		socket->holders = 1;
	} else if (socket->process != scan->process) {
		socket->holders++;
	}
}

/* The next process of the guest. Returns false at the end of them, or of *calls. */
static bool next_process(struct hv_process_scan *scan, int *calls)
{
	const struct dirent *entry;

	while (*calls > 0 && (entry = readdir(scan->proc))) {
		char path[64];

		scan->pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (scan->pid <= 0)
			continue;
		*calls -= CALLS_OF_A_PROCESS;
		if (!is_guests(scan, scan->pid))
			continue;
		scan->process = HV_NO_PROCESS;
		snprintf(path, sizeof(path), "/proc/%d/fd", (int)scan->pid);
		scan->files = opendir(path);
		if (scan->files)
			return true;
		if (errno == EACCES)
			scan->hidden++;
	}
	return false;
}

bool hv_process_scan_step(struct hv_process_scan *scan)
{
	int calls = STEP_CALLS;

	while (calls > 0) {
		const struct dirent *entry;

		if (!scan->files && !next_process(scan, &calls))
			break;
		entry = readdir(scan->files);
		if (!entry) {
			closedir(scan->files);
			scan->files = NULL;
			continue;
		}
		calls--;
		if (entry->d_name[0] != '.')
			see_descriptor(scan, entry->d_name);
	}
	if (calls <= 0)
		return true;
	if (scan->hidden > 0 && !scan->survey->note[0])
		snprintf(scan->survey->note, sizeof(scan->survey->note),
			 "%u processes of the guest cannot be looked into from here",
			 scan->hidden);
	return false;
}
