/*
 * The pair of sockets between haven and the guest's first process: see guest_message.h.
 */
#include "gateway/guest_message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The descriptors of struct hv_guest_wire, in the order in which they travel. */
#define WIRE_FD_COUNT 3

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(WIRE_FD_COUNT * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

int hv_message_pair(int ends[2])
{
	const int on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
		int error = errno;

		close(ends[0]);
		close(ends[1]);
		return -error;
	}
	return 0;
}

static void put_descriptors(struct msghdr *header, union control *control,
			    const struct hv_guest_wire *wire)
{
	const int fds[WIRE_FD_COUNT] = {wire->fd, wire->netns_fd, wire->diag_fd};
	struct cmsghdr *part;

	header->msg_control = control;
	header->msg_controllen = CMSG_SPACE(sizeof(fds));
	part = CMSG_FIRSTHDR(header);
	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(part), fds, sizeof(fds));
}

int hv_message_send(int channel, const struct hv_message *message)
{
	union control control = {0};
	struct iovec data = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
	struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
	ssize_t sent;

	if (message->kind == HV_MESSAGE_READY)
		put_descriptors(&header, &control, &message->wire);
	do {
		sent = sendmsg(channel, &header, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static void take_descriptors(const struct cmsghdr *part, struct hv_message *message)
{
	int fds[WIRE_FD_COUNT];

	if (message->kind != HV_MESSAGE_READY || part->cmsg_len != CMSG_LEN(sizeof(fds)))
		return;
	memcpy(fds, CMSG_DATA(part), sizeof(fds));
	message->wire.fd = fds[0];
	message->wire.netns_fd = fds[1];
	message->wire.diag_fd = fds[2];
}

static void take_sender(const struct cmsghdr *part, struct hv_message *message)
{
	struct ucred sender;

	if (part->cmsg_len != CMSG_LEN(sizeof(sender)))
		return;
	memcpy(&sender, CMSG_DATA(part), sizeof(sender));
	message->sender = sender.pid;
}

int hv_message_receive(int channel, struct hv_message *message, bool wait)
{
	union control control;
	struct iovec data = {.iov_base = message, .iov_len = sizeof(*message)};
	struct msghdr header = {.msg_iov = &data,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	ssize_t received;

	memset(message, 0, sizeof(*message));
	do {
		received =
			recvmsg(channel, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	} while (received < 0 && errno == EINTR);
	if (received < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (received == 0)
		return 0;
	if (received != sizeof(*message))
		return -EPROTO;

	message->sender = 0;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part;
	     part = CMSG_NXTHDR(&header, part)) {
		if (part->cmsg_level != SOL_SOCKET)
			continue;
		if (part->cmsg_type == SCM_RIGHTS)
			take_descriptors(part, message);
		else if (part->cmsg_type == SCM_CREDENTIALS)
			take_sender(part, message);
	}
	return 1;
}

void hv_message_note(int channel, enum hv_guest_log_level level, const char *format, ...)
{
	struct hv_message message = {.kind = HV_MESSAGE_NOTE, .value = level};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message.text, sizeof(message.text), format, arguments);
	va_end(arguments);
	hv_message_send(channel, &message);
}

int hv_message_failed(int channel, enum hv_stage stage, int error, const char *detail)
{
	struct hv_message message = {.kind = HV_MESSAGE_FAILED, .value = stage, .error = error};

	snprintf(message.text, sizeof(message.text), "%s", detail);
	hv_message_send(channel, &message);
	return -error;
}
