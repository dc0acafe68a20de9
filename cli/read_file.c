/*
 * A whole file in memory. See read_file.h.
 */
#include "cli/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t read_all(int fd, char *text, size_t max)
{
	size_t used = 0;

	while (used < max) {
		ssize_t size = read(fd, text + used, max - used);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -1;
		if (size == 0)
			break;
		used += (size_t)size;
	}
	return (ssize_t)used;
}

char *hv_read_file(const char *path, size_t max, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(max + 1);
	ssize_t got = text ? read_all(fd, text, max) : -1;
	int error = errno;

	if (fd >= 0)
		close(fd);
	if (got < 0) {
		free(text);
		errno = error;
		return NULL;
	}
	text[got] = '\0';
	*size = (size_t)got;
	return text;
}

void hv_read_file_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}
