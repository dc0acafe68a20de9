/*
 * /etc/resolv.conf as the guest sees it: see guest_resolv.h.
 */
#include "gateway/guest_resolv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/guest_file.h"
#include "gateway/guest_message.h"

#define TARGET "/etc/resolv.conf"

/* The tmpfs is made under the place of the new /proc, which then hides it. */
#define STAGE	   "/proc"
#define STAGE_DIR  STAGE "/etc"
#define STAGE_FILE STAGE_DIR "/resolv.conf"

/* Sockets by which name services go round resolv.conf, straight to the host's resolver. */
static const char *const bypasses[] = {
	"/run/systemd/resolve/io.systemd.Resolve",
	"/run/nscd/socket",
};

static size_t append_line(char *text, size_t size, size_t used, const char *line, size_t length)
{
	if (used + length + 1 >= size)
		return used;
	memcpy(text + used, line, length);
	text[used + length] = '\n';
	text[used + length + 1] = '\0';
	return used + length + 1;
}

static size_t append_nameserver(char *text, size_t size, size_t used, int family,
				const void *address)
{
	char line[16 + INET6_ADDRSTRLEN] = "nameserver ";
	size_t prefix = strlen(line);

	inet_ntop(family, address, line + prefix, (socklen_t)(sizeof(line) - prefix));
	return append_line(text, size, used, line, strlen(line));
}

/* Whether the line says something that holds for the guest too. */
static bool is_kept(const char *line, size_t length)
{
	static const char *const keywords[] = {"search", "domain", "options", "sortlist"};

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		size_t word = strlen(keywords[i]);

		if (length > word && memcmp(line, keywords[i], word) == 0 &&
		    (line[word] == ' ' || line[word] == '\t'))
			return true;
	}
	return false;
}

size_t hv_resolv_compose(const struct hv_guest_options *options, const char *host, char *text,
			 size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < options->dns4_count; i++)
		used = append_nameserver(text, size, used, AF_INET, &options->dns4[i]);
	for (size_t i = 0; i < options->dns6_count; i++)
		used = append_nameserver(text, size, used, AF_INET6, &options->dns6[i]);
	while (*host) {
		size_t length = strcspn(host, "\n");

		if (is_kept(host, length))
			used = append_line(text, size, used, host, length);
		host += length;
		host += *host == '\n';
	}
	return used;
}

static int write_file(const char *text, size_t length)
{
	ssize_t written;
	int fd;

	if (mkdir(STAGE_DIR, 0755) < 0)
		return -errno;
	fd = open(STAGE_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	/* Whatever the umask is. */
	fchmod(fd, 0644);
	chmod(STAGE_DIR, 0755);
	written = write(fd, text, length);
	close(fd);
	if (written != (ssize_t)length)
		return -EIO;
	fd = open(STAGE_FILE, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Makes the tmpfs with the file in it. Returns the file, O_PATH; or a negative errno, and no tmpfs. */
static int make_file(const char *text, size_t length)
{
	int result;

	if (mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=64k,nr_inodes=8,mode=755") < 0)
		return -errno;
	result = write_file(text, length);
	if (result < 0)
		umount2(STAGE, MNT_DETACH);
	return result;
}

/*
 * Lays the file over the host's; where that is not there, or is a link to nowhere, a read-only view
 * of /etc that has it.
 */
static int lay_over(void)
{
	if (mount(STAGE_FILE, TARGET, NULL, MS_BIND, NULL) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	if (mount("overlay", "/etc", "overlay", MS_NOSUID | MS_NODEV,
		  "lowerdir=" STAGE_DIR ":/etc") < 0)
		return -errno;
	return 0;
}

/* A plain file there is no socket: who connects is refused, and asks by resolv.conf. */
static void close_bypasses(int channel)
{
	for (size_t i = 0; i < sizeof(bypasses) / sizeof(bypasses[0]); i++) {
		if (mount(STAGE_FILE, bypasses[i], NULL, MS_BIND, NULL) == 0)
			hv_message_note(channel, HV_GUEST_LOG_DEBUG,
					"%s is hidden from the guest", bypasses[i]);
	}
}

/* Watches the directories of the name and of the file that it leads to. */
static int watch_host_file(void)
{
	char real[PATH_MAX];
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return -1;
	inotify_add_watch(fd, "/etc", IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
	if (realpath(TARGET, real))
		inotify_add_watch(fd, dirname(real), IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
	return fd;
}

void hv_resolv_mount(int channel, const struct hv_guest_options *options,
		     struct hv_resolv *resolv)
{
	char host[HV_RESOLV_SIZE], text[HV_RESOLV_SIZE];
	size_t length;
	int result;

	*resolv = (struct hv_resolv){.file_fd = -1, .watch_fd = -1};
	if (options->dns4_count == 0 && options->dns6_count == 0)
		return;
	if (hv_file_read(TARGET, host, sizeof(host)) < 0)
		host[0] = '\0';
	length = hv_resolv_compose(options, host, text, sizeof(text));
	result = make_file(text, length);
	if (result >= 0) {
		resolv->file_fd = result;
		result = lay_over();
		close_bypasses(channel);
	}
	if (result < 0)
		hv_message_note(channel, HV_GUEST_LOG_WARNING,
				"%s inside is the host's, so names may not resolve: %s", TARGET,
				strerror(-result));
}

void hv_resolv_keep(struct hv_resolv *resolv)
{
	if (resolv->file_fd >= 0)
		resolv->watch_fd = watch_host_file();
}

void hv_resolv_drop(struct hv_resolv *resolv)
{
	if (resolv->file_fd < 0)
		return;
	close(resolv->file_fd);
	resolv->file_fd = -1;
	umount2(STAGE, MNT_DETACH);
}

void hv_resolv_restore(const struct hv_resolv *resolv)
{
	_Alignas(struct inotify_event) char events[4096];
	char source[48];
	struct stat ours, seen;

	while (read(resolv->watch_fd, events, sizeof(events)) > 0)
		;
	if (fstat(resolv->file_fd, &ours) < 0)
		return;
	if (stat(TARGET, &seen) == 0 && seen.st_dev == ours.st_dev &&
	    seen.st_ino == ours.st_ino)
		return;
	snprintf(source, sizeof(source), "/proc/self/fd/%d", resolv->file_fd);
	mount(source, TARGET, NULL, MS_BIND, NULL);
}
