/*
 * Reading policy files. See policy_file.h.
 */
#include "gateway/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (16 * 1024 * 1024)

/* The whole of a descriptor, which may be a pipe. Allocated; NULL with errno set. */
static char *read_all(int fd, size_t *size)
{
	size_t room = 65536, used = 0;
	char *text = malloc(room);

	while (text) {
		ssize_t got;

		if (used == room) {
			char *grown = room < FILE_MAX ? realloc(text, room * 2) : NULL;

			if (!grown) {
				free(text);
				errno = room < FILE_MAX ? ENOMEM : EFBIG;
				return NULL;
			}
			text = grown;
			room *= 2;
		}
		got = read(fd, text + used, room - used);
		if (got == 0)
			break;
		if (got < 0 && errno != EINTR) {
			int error = errno;

			free(text);
			errno = error;
			return NULL;
		}
		if (got > 0)
			used += (size_t)got;
	}
	*size = used;
	return text;
}

static int load(const char *path, char **text, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	*text = read_all(fd, size);
	error = *text ? 0 : errno ? -errno : -EIO;
	close(fd);
	return error;
}

/* "rules/web" said by "/etc/haven/policy" is "/etc/haven/rules/web". */
static int open_included(void *user, const char *file, const char *from, const char **text,
			 size_t *size, char path[192])
{
	const char *slash = strrchr(from, '/');
	int folder = file[0] != '/' && slash ? (int)(slash - from) + 1 : 0;
	char *loaded = NULL;
	int error;

	(void)user;
	if (snprintf(path, 192, "%.*s%s", folder, from, file) >= 192)
		return -ENAMETOOLONG;
	error = load(path, &loaded, size);
	if (error == 0)
		*text = loaded;
	return error;
}

static void close_included(void *user, const char *text, size_t size)
{
	(void)user;
	(void)size;
	free((void *)(uintptr_t)text);
}

static void explain(int failed, const struct haven_rule_error *wrong, char *error, size_t size)
{
	if (failed == -EINVAL && wrong->file[0])
		snprintf(error, size, "%s:%u:%u: %s", wrong->file, wrong->line, wrong->column,
			 wrong->text);
	else if (failed == -EINVAL)
		snprintf(error, size, "%s", wrong->text);
	else if (failed == -ENOSPC)
		snprintf(error, size, "there can be at most 65536 rules");
	else
		snprintf(error, size, "%s", haven_strerror(failed));
}

bool hv_policy_file_add(struct haven_rules *rules, const char *path, char *error, size_t size)
{
	static const struct haven_rules_source source = {
		.open = open_included,
		.close = close_included,
	};
	struct haven_rule_error wrong = {0};
	size_t length = 0;
	char *text = NULL;
	int failed = load(path, &text, &length);

	if (failed < 0) {
		snprintf(error, size, "cannot read '%s': %s", path, strerror(-failed));
		return false;
	}
	failed = haven_rules_add_text(rules, path, text, length, &source, &wrong);
	free(text);
	if (failed < 0)
		explain(failed, &wrong, error, size);
	return failed == 0;
}

bool hv_policy_rule_add(struct haven_rules *rules, enum haven_rule_verb verb, const char *text,
			char *error, size_t size)
{
	struct haven_rule_error wrong = {0};
	int failed = haven_rules_add(rules, verb, text, &wrong);

	if (failed < 0)
		explain(failed, &wrong, error, size);
	return failed == 0;
}
