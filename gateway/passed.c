/*
 * Taking descriptors, with care: what comes is somebody else's idea. See passed.h.
 */
#include "gateway/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One is taken. What is sent besides it is never installed (MSG_CTRUNC): there is no room for it. */
#define CONTROL_BYTES CMSG_LEN(sizeof(int))

/* The descriptors of a message. Keeps the first, closes the others. Returns how many there were. */
static unsigned take(struct msghdr *message, int *fd)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	unsigned count = 0;

	for (; header; header = CMSG_NXTHDR(message, header)) {
		size_t size = header->cmsg_len - CMSG_LEN(0);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= size; at += sizeof(int)) {
			int one;

			memcpy(&one, CMSG_DATA(header) + at, sizeof(one));
			if (count++ == 0)
				*fd = one;
			else
				close(one);
		}
	}
	return count;
}

ssize_t hv_passed_receive(int socket, void *buffer, size_t size, int *fd, const char **fault)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = buffer, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CONTROL_BYTES,
	};
	ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	unsigned count;

	*fd = -1;
	*fault = NULL;
	if (got < 0)
		return got;
	count = take(&message, fd);
	if (count <= 1 && !(message.msg_flags & MSG_CTRUNC))
		return got;
	if (count > 0)
		close(*fd);
	*fd = -1;
	/* Without a number to be had the kernel leaves the descriptor out, and says the same. */
	*fault = count > 0 ? "one descriptor can be passed with a request, and there were more"
			   : "haven has no room for another open file (ulimit -Hn)";
	return got;
}

static bool option_is(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

const char *hv_passed_prepare(int fd)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	int flags;

	if (!option_is(fd, SO_DOMAIN, AF_UNIX) || !option_is(fd, SO_TYPE, SOCK_STREAM))
		return "the descriptor is no stream socket of the Unix domain";
	if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
		return "the socket that was passed is not connected";
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return "the socket that was passed cannot be made one that does not block";
	return NULL;
}
