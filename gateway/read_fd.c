/*
 * Reading a descriptor. See read_fd.h.
 */
#include "gateway/read_fd.h"

#include <errno.h>
#include <unistd.h>

ssize_t hv_read_fd(int fd, char *text, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, text + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}
