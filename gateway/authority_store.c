/*
 * Where the local authority is kept. See authority_store.h.
 */
#include "gateway/authority_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int hv_store_fail(struct hv_store *store, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(store->error, store->error_size, format, arguments);
	va_end(arguments);
	return code;
}

/* --- the folder ----------------------------------------------------------------------------- */

/* As the XDG base directory specification has it: a relative path counts as none. */
static int find_folder(struct hv_store *store)
{
	const char *base = getenv("XDG_DATA_HOME"), *below = "";
	const struct passwd *user;
	int length;

	if (!base || base[0] != '/') {
		base = getenv("HOME");
		below = "/.local/share";
	}
	if (!base || base[0] != '/') {
		user = getpwuid(geteuid());
		base = user ? user->pw_dir : NULL;
	}
	if (!base || base[0] != '/')
		return hv_store_fail(store, -ENOENT,
				     "user %u has no home to keep the local authority in: "
				     "set XDG_DATA_HOME to a directory",
				     geteuid());
	length = snprintf(store->folder, sizeof(store->folder), "%s%s/haven", base, below);
	if (length >= (int)sizeof(store->folder))
		return hv_store_fail(store, -ENAMETOOLONG,
				     "the path of the home is too long: set XDG_DATA_HOME");
	return 0;
}

/*
 * One folder, if it is not there. `above` is the one that it is in, and becomes itself. Root makes none in a place of somebody else's, as under
 * `sudo -E`: that user could not use it later.
 */
static int make_folder(struct hv_store *store, const char *path, struct stat *above)
{
	struct stat here;

	if (stat(path, &here) == 0) {
		*above = here;
		return 0;
	}
	if (errno == ENOENT && geteuid() == 0 && above->st_uid != 0)
		return hv_store_fail(
			store, -EPERM,
			"cannot make '%s' as root in a directory of user %u: run haven as "
			"that user, or set HOME or XDG_DATA_HOME to a directory of root's",
			path, above->st_uid);
	if (errno != ENOENT || (mkdir(path, 0700) < 0 && errno != EEXIST) ||
	    stat(path, above) < 0)
		return hv_store_fail(store, -errno,
				     "cannot make '%s' for the local authority: %s; set "
				     "XDG_DATA_HOME to a directory that can be written",
				     path, strerror(errno));
	return 0;
}

static int make_folders(struct hv_store *store)
{
	char *slash = strchr(store->folder + 1, '/');
	struct stat above = {0};
	int error = 0;

	while (error == 0 && slash) {
		*slash = '\0';
		error = make_folder(store, store->folder, &above);
		*slash = '/';
		slash = strchr(slash + 1, '/');
	}
	return error ? error : make_folder(store, store->folder, &above);
}

static int open_folder(struct hv_store *store)
{
	struct stat here = {0};

	store->fd = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->fd < 0 || fstat(store->fd, &here) < 0)
		return hv_store_fail(store, -errno, "cannot open '%s': %s", store->folder,
				     strerror(errno));
	if (here.st_uid != geteuid())
		return hv_store_fail(
			store, -EPERM,
			"'%s' belongs to user %u, not to you (%u): set XDG_DATA_HOME to a "
			"directory of your own",
			store->folder, here.st_uid, geteuid());
	if (here.st_mode & (S_IWGRP | S_IWOTH))
		return hv_store_fail(
			store, -EPERM,
			"others can write in '%s' (mode %04o): chmod 700 it, and if that "
			"may have been used, 'haven ca --renew'",
			store->folder, here.st_mode & 07777);
	return 0;
}

/* A file of its own: NFS locks nothing that is not open for writing. */
static int take_lock(struct hv_store *store)
{
	store->lock =
		openat(store->fd, "ca.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (store->lock < 0 && errno == EROFS)
		return 0;
	while (store->lock >= 0 && flock(store->lock, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		return hv_store_fail(store, -errno, "cannot lock '%s/ca.lock': %s",
				     store->folder, strerror(errno));
	}
	if (store->lock < 0)
		return hv_store_fail(store, -errno, "cannot make '%s/ca.lock': %s",
				     store->folder, strerror(errno));
	return 0;
}

int hv_store_open(struct hv_store *store, char *error, size_t size)
{
	int failed;

	store->fd = store->lock = -1;
	store->error = error;
	store->error_size = size;
	failed = find_folder(store);
	if (failed == 0)
		failed = make_folders(store);
	if (failed == 0)
		failed = open_folder(store);
	if (failed == 0)
		failed = take_lock(store);
	if (failed < 0)
		hv_store_close(store);
	return failed;
}

void hv_store_close(struct hv_store *store)
{
	if (store->lock >= 0)
		close(store->lock);
	if (store->fd >= 0)
		close(store->fd);
	store->fd = store->lock = -1;
}

/* --- its files ------------------------------------------------------------------------------ */

static int check_file(struct hv_store *store, const char *name, bool secret,
		      const struct stat *file)
{
	mode_t others = secret ? S_IRWXG | S_IRWXO : S_IWGRP | S_IWOTH;

	if (!S_ISREG(file->st_mode))
		return hv_store_fail(store, -EPERM,
				     "'%s/%s' is no file: remove it, or 'haven ca --renew'",
				     store->folder, name);
	if (file->st_uid != geteuid())
		return hv_store_fail(
			store, -EPERM,
			"'%s/%s' belongs to user %u, not to you (%u): 'haven ca --renew' "
			"makes an authority of your own",
			store->folder, name, file->st_uid, geteuid());
	if (file->st_mode & others)
		return hv_store_fail(
			store, -EPERM,
			"others can %s '%s/%s' (mode %04o): if nobody has, chmod 600 it; "
			"else 'haven ca --renew', and trust the old one no more",
			secret ? "read or write" : "write", store->folder, name,
			file->st_mode & 07777);
	return 0;
}

static int read_text(int fd, char text[HV_STORE_TEXT_MAX])
{
	size_t used = 0;
	ssize_t got;

	do {
		got = read(fd, text + used, HV_STORE_TEXT_MAX - 1 - used);
		if (got > 0)
			used += (size_t)got;
	} while ((got > 0 && used < HV_STORE_TEXT_MAX - 1) || (got < 0 && errno == EINTR));
	text[used] = '\0';
	if (got < 0)
		return -errno;
	return used < HV_STORE_TEXT_MAX - 1 ? 0 : -EFBIG;
}

int hv_store_read(struct hv_store *store, const char *name, bool secret,
		  char text[HV_STORE_TEXT_MAX])
{
	/* A FIFO in its place is not waited for. */
	int fd = openat(store->fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat file = {0};
	int error = 0;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &file) < 0)
		error = hv_store_fail(store, -errno, "cannot open '%s/%s': %s", store->folder,
				      name, strerror(errno));
	if (error == 0)
		error = check_file(store, name, secret, &file);
	if (error == 0) {
		error = read_text(fd, text);
		if (error < 0)
			hv_store_fail(store, error, "cannot read '%s/%s': %s", store->folder,
				      name, strerror(-error));
	}
	if (fd >= 0)
		close(fd);
	return error;
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t written = write(fd, text, left);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			text += written;
			left -= (size_t)written;
		}
	}
	return fchmod(fd, 0600) < 0 || fsync(fd) < 0 ? -errno : 0;
}

int hv_store_write(struct hv_store *store, const char *name, const char *text)
{
	char draft[64];
	int fd, error;

	snprintf(draft, sizeof(draft), "%s.new", name);
	unlinkat(store->fd, draft, 0); /* of a run that was killed */
	fd = openat(store->fd, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	error = fd < 0 ? -errno : write_all(fd, text);
	if (error == 0 && renameat(store->fd, draft, store->fd, name) < 0)
		error = -errno;
	if (error == 0 && fsync(store->fd) < 0)
		error = -errno;
	if (fd >= 0)
		close(fd);
	if (error < 0) {
		unlinkat(store->fd, draft, 0);
		hv_store_fail(store, error, "cannot write '%s/%s': %s", store->folder, name,
			      strerror(-error));
	}
	return error;
}

int hv_store_set_aside(struct hv_store *store, const char *name)
{
	char old[64];

	snprintf(old, sizeof(old), "%s.old", name);
	if (renameat(store->fd, name, store->fd, old) < 0 && errno != ENOENT)
		return hv_store_fail(store, -errno, "cannot rename '%s/%s' to %s: %s",
				     store->folder, name, old, strerror(errno));
	return 0;
}
