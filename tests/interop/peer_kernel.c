/* One end in the kernel's TCP. See peer.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

enum { BLOCK = 1 << 18, CLOSE_WAIT_MS = 30000 };

static bool fail(struct peer_result *result, const char *what)
{
	snprintf(result->error, sizeof(result->error), "%s: %s", what, strerror(errno));
	return false;
}

static void note_info(int fd, struct peer_result *result)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return;
	peer_note_info(result, &info);
}

static bool set_options(int fd, const struct peer_options *options, struct peer_result *result)
{
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (options->congestion &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options->congestion,
		       (socklen_t)strlen(options->congestion)) < 0)
		return fail(result, "TCP_CONGESTION");
	if (options->send_buffer)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options->send_buffer, sizeof(int));
	if (options->receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options->receive_buffer, sizeof(int));
	return true;
}

/* A connected socket, or -1. */
static int get_connected(const struct peer_options *options, struct peer_result *result)
{
	const struct sockaddr *address = (const struct sockaddr *)&options->address;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int connection = -1;

	if (fd < 0 || !set_options(fd, options, result))
		return fd;
	if (!options->listens) {
		peer_is_ready();
		if (connect(fd, address, options->address_size) == 0)
			return fd;
		fail(result, "connect");
	} else if (bind(fd, address, options->address_size) < 0 || listen(fd, 16) < 0) {
		fail(result, "listen");
	} else {
		peer_is_ready();
		connection = accept(fd, NULL, NULL);
		if (connection < 0)
			fail(result, "accept");
	}
	close(fd);
	return connection;
}

/* Sends what fits. False: an error. */
static bool send_some(int fd, struct stream *stream, bool *sending, struct peer_result *result)
{
	while (*sending) {
		size_t size;
		const uint8_t *data = stream_next(stream, &size, peer_now_ns());
		ssize_t n = size ? send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

		if (n < 0)
			return errno == EAGAIN ? true : fail(result, "send");
		stream->sent += (uint64_t)n;
		if (size == 0) {
			*sending = false;
			note_info(fd, result);
			if (shutdown(fd, SHUT_WR) < 0)
				return fail(result, "shutdown");
		}
	}
	return true;
}

static bool receive_some(int fd, struct stream *stream, struct peer_result *result)
{
	static uint8_t block[BLOCK];
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
		stream_take(stream, block, (size_t)n, peer_now_ns());
	stream->finished = n == 0;
	return n == 0 || errno == EAGAIN || fail(result, "recv");
}

static bool transfer(int fd, struct stream *stream, struct peer_result *result)
{
	bool sending = true;

	while (sending || !stream->finished) {
		struct pollfd wait = {.fd = fd,
				      .events = (short)((sending ? POLLOUT : 0) |
							(stream->finished ? 0 : POLLIN))};

		if (poll(&wait, 1, 1000) < 0)
			return fail(result, "poll");
		if (!stream->finished && !receive_some(fd, stream, result))
			return false;
		if (!send_some(fd, stream, &sending, result))
			return false;
	}
	return true;
}

/* Whether the connection ends by itself: a socket in TIME-WAIT or after LAST-ACK says CLOSE. */
static bool wait_closed(int fd)
{
	for (int i = 0; i < CLOSE_WAIT_MS / 10; i++) {
		struct tcp_info info = {0};
		socklen_t size = sizeof(info);
		int error = 0;
		socklen_t error_size = sizeof(error);

		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
		if (info.tcpi_state == 7 /* TCP_CLOSE of the kernel */ ||
		    info.tcpi_state == 6 /* TCP_TIME_WAIT */) {
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
			return error == 0;
		}
		poll(NULL, 0, 10);
	}
	return false;
}

void peer_kernel(const struct peer_options *options, struct stream *stream,
		 struct peer_result *result)
{
	int fd = get_connected(options, result);

	if (fd < 0)
		return;
	if (!*result->error) {
		result->connected = true;
		if (options->seconds > 0)
			stream->stop_ns = peer_now_ns() + (uint64_t)(options->seconds * 1e9);
		if (transfer(fd, stream, result))
			result->closed = wait_closed(fd);
	}
	close(fd);
}
