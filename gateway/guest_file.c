/*
 * Whole small files: see guest_file.h.
 */
#include "gateway/guest_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int hv_file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		error = -errno;
	close(fd);
	return error;
}

ssize_t hv_file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t length;

	if (fd < 0)
		return -errno;
	do {
		length = read(fd, text + used, size - 1 - used);
		if (length > 0)
			used += (size_t)length;
	} while (length > 0 || (length < 0 && errno == EINTR));
	if (length < 0)
		used = 0;
	text[used] = '\0';
	length = length < 0 ? -errno : (ssize_t)used;
	close(fd);
	return length;
}
