/*
 * Standard input and output. See standard_io.h.
 */
#include "cli/standard_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void became_ready(struct hv_source *source, uint32_t events)
{
	struct hv_stdio *io = hv_container(source, struct hv_stdio, source);

	(void)events;
	io->ready = true;
}

static void open_common(struct hv_stdio *io, struct hv_loop *loop, int fd, uint32_t direction)
{
	struct stat status = {0};

	*io = (struct hv_stdio){
		.source = {.fd = fd, .ready = became_ready},
		.loop = loop,
		.direction = direction,
	};
	fstat(fd, &status);
	io->is_socket = S_ISSOCK(status.st_mode);
	io->is_terminal = isatty(fd);
}

void hv_stdio_open_input(struct hv_stdio *io, struct hv_loop *loop, int fd)
{
	open_common(io, loop, fd, EPOLLIN);
}

void hv_stdio_open_output(struct hv_stdio *io, struct hv_loop *loop, int fd)
{
	struct stat status = {0};
	char path[40];
	int own = -1;

	open_common(io, loop, fd, EPOLLOUT);
	fstat(fd, &status);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (S_ISFIFO(status.st_mode) || io->is_terminal)
		own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own >= 0) {
		io->source.fd = own;
		io->nonblocking = true;
	}
}

void hv_stdio_close(struct hv_stdio *io)
{
	if (io->added)
		hv_source_remove(io->loop, &io->source);
	io->added = false;
	if (io->nonblocking)
		close(io->source.fd);
	io->nonblocking = false;
	io->ended = true;
}

void hv_stdio_end_output(struct hv_stdio *io)
{
	if (io->ended)
		return;
	if (io->is_socket)
		shutdown(io->source.fd, SHUT_WR);
	hv_stdio_close(io);
	/* Number 1 stays taken, so that nothing else gets it. */
	if (freopen("/dev/null", "w", stdout) == NULL)
		close(STDOUT_FILENO);
}

/* One event, and then nothing until it is asked for again: a pipe whose other end is closed would wake every turn. */
static int arm(struct hv_stdio *io)
{
	uint32_t events = io->direction | EPOLLONESHOT;
	int error;

	if (io->added) {
		io->source.events = 0; /* disarmed by its event, whatever was asked for */
		return hv_source_change(io->loop, &io->source, events);
	}
	error = hv_source_add(io->loop, &io->source, events);
	io->added = error == 0;
	return error;
}

int hv_stdio_ready(struct hv_stdio *io)
{
	int error;

	if (io->ready || io->is_file)
		return 0;
	if (io->direction == EPOLLOUT && (io->nonblocking || io->is_socket) && !io->added)
		return 0; /* trying tells */
	error = arm(io);
	if (error == -EPERM) { /* epoll_ctl(2): a regular file or a directory */
		io->is_file = true;
		return 0;
	}
	return error < 0 ? error : -EAGAIN;
}

ssize_t hv_stdio_read(struct hv_stdio *io, const struct iovec *iov, int count)
{
	ssize_t size;

	io->ready = false;
	do
		size = readv(io->source.fd, iov, count);
	while (size < 0 && errno == EINTR);
	if (size == 0)
		io->ended = true;
	return size < 0 ? -errno : size;
}

static ssize_t write_once(struct hv_stdio *io, const struct iovec *iov, int count)
{
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
				 .msg_iovlen = (size_t)count};
	size_t first = iov[0].iov_len;

	if (io->is_socket)
		return sendmsg(io->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (io->nonblocking || io->is_file)
		return writev(io->source.fd, iov, count);
	return write(io->source.fd, iov[0].iov_base, first < PIPE_BUF ? first : PIPE_BUF);
}

ssize_t hv_stdio_write(struct hv_stdio *io, const struct iovec *iov, int count)
{
	ssize_t size;

	do
		size = write_once(io, iov, count);
	while (size < 0 && errno == EINTR);
	if (size > 0 && (io->nonblocking || io->is_socket))
		return size; /* as long as it goes on */
	io->ready = false;
	if (size < 0 && errno == EAGAIN) {
		int error = arm(io);

		return error < 0 ? error : -EAGAIN;
	}
	return size < 0 ? -errno : size;
}
