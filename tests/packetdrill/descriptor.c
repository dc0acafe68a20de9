/*
 * File descriptors. Each is a real one, of an eventfd: packetdrill's own clean-up calls the kernel's
 * close() on it, and no other file can have its number meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "adapter.h"

static void forget(struct adapter *adapter, struct descriptor *descriptor)
{
	adapter->descriptors[descriptor->fd] = NULL;
	readiness_forget(adapter, descriptor->fd);
	haven_close(descriptor->socket);
	wmem_end(&descriptor->wmem);
	while (descriptor->watches) {
		struct watch *watch = descriptor->watches;

		descriptor->watches = watch->next;
		free(watch);
	}
	free(descriptor);
}

struct descriptor *descriptor_new(struct adapter *adapter, enum descriptor_kind kind)
{
	struct descriptor *descriptor = calloc(1, sizeof(*descriptor));
	int fd = eventfd(0, EFD_CLOEXEC);

	if (!descriptor || fd < 0)
		goto failed;
	if ((size_t)fd >= adapter->descriptor_count) {
		size_t count = (size_t)fd + 16;
		struct descriptor **grown =
			realloc(adapter->descriptors, count * sizeof(struct descriptor *));

		if (!grown)
			goto failed;
		memset(grown + adapter->descriptor_count, 0,
		       (count - adapter->descriptor_count) * sizeof(struct descriptor *));
		adapter->descriptors = grown;
		adapter->descriptor_count = count;
	}
	/* The number was closed behind our back, and is given out again. */
	if (adapter->descriptors[fd])
		forget(adapter, adapter->descriptors[fd]);
	*descriptor = (struct descriptor){.fd = fd, .kind = kind, .flags = O_RDWR};
	adapter->descriptors[fd] = descriptor;
	return descriptor;
failed:
	if (fd >= 0)
		close(fd);
	free(descriptor);
	return NULL;
}

struct descriptor *descriptor_find(struct adapter *adapter, int fd)
{
	return fd >= 0 && (size_t)fd < adapter->descriptor_count ? adapter->descriptors[fd]
								 : NULL;
}

struct descriptor *descriptor_socket(struct adapter *adapter, int fd)
{
	struct descriptor *descriptor = descriptor_find(adapter, fd);

	if (descriptor && descriptor->kind == DESCRIPTOR_SOCKET)
		return descriptor;
	errno = descriptor ? ENOTSOCK : EBADF;
	return NULL;
}

void descriptor_close(struct adapter *adapter, struct descriptor *descriptor)
{
	int fd = descriptor->fd;

	forget(adapter, descriptor);
	close(fd);
}
