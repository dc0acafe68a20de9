/*
 * A whole file in memory. See read_file.h.
 */
#include "cli/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/read_fd.h"

char *hv_read_file(const char *path, size_t max, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(max + 1);
	ssize_t got = text ? hv_read_fd(fd, text, max) : -errno;

	if (fd >= 0)
		close(fd);
	if (!text || got < 0) {
		free(text);
		errno = (int)-got;
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
