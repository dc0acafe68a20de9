/* The other end as a process, our end on a socket of the host: see peer.h. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <haven/socket.h>

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

void peer_begin(unsigned seconds)
{
	signal(SIGPIPE, SIG_IGN);
	alarm(seconds);
}

/* --- processes -------------------------------------------------------------------------------- */

static void become(const char *const *arguments, int input, int output)
{
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execvp(arguments[0], (char *const *)arguments);
	_exit(127);
}

void process_start(struct process *process, const char *const *arguments)
{
	int input[2], output[2];

	memset(process, 0, sizeof(*process));
	must(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0, "pipe");
	process->pid = fork();
	must(process->pid >= 0, "fork");
	if (process->pid == 0)
		become(arguments, input[0], output[1]);
	close(input[0]);
	close(output[1]);
	process->input = input[1];
	process->output = output[0];
}

/* False: there is no more. */
static bool process_read(struct process *process)
{
	size_t room = sizeof(process->said) - 1 - process->said_size;
	ssize_t size;

	must(room, "room for what it says");
	size = read(process->output, process->said + process->said_size, room);
	if (size <= 0)
		return false;
	process->said_size += (size_t)size;
	process->said[process->said_size] = '\0';
	return true;
}

bool process_says(struct process *process, const char *text)
{
	while (!strstr(process->said, text)) {
		if (!process_read(process))
			return false;
	}
	return true;
}

void process_end(struct process *process)
{
	close(process->input);
	while (process_read(process))
		;
	close(process->output);
	waitpid(process->pid, &process->status, 0);
}

void process_kill(struct process *process)
{
	kill(process->pid, SIGTERM);
	process_end(process);
}

/* --- sockets ------------------------------------------------------------------------------------ */

static struct sockaddr_in loopback(unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int listen_anywhere(unsigned *port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 &&
		     listen(fd, 4) == 0 &&
		     getsockname(fd, (struct sockaddr *)&address, &length) == 0,
	     "a listener on loopback");
	*port = ntohs(address.sin_port);
	return fd;
}

int accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	must(fd >= 0, "accept");
	return fd;
}

int connect_port(unsigned port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0,
	     "connect to loopback");
	must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
	return fd;
}

/* --- TLS ------------------------------------------------------------------------------------------ */

static bool send_some(struct carrier *c)
{
	struct iovec slices[2];
	ssize_t size;

	if (!haven_tls_output(c->tls, slices))
		return false;
	size = write(c->fd, slices[0].iov_base, slices[0].iov_len);
	if (size < 0 && errno != EAGAIN) { /* the peer is gone: it is for nobody */
		haven_tls_input_end(c->tls, -errno);
		size = (ssize_t)slices[0].iov_len;
	}
	if (size > 0)
		haven_tls_output_consume(c->tls, (size_t)size);
	return size > 0;
}

static bool read_inside(struct carrier *c)
{
	bool moved = false;

	while ((c->result = haven_tls_read(c->tls, c->got + c->size,
					   sizeof(c->got) - 1 - c->size)) > 0) {
		c->size += (size_t)c->result;
		c->got[c->size] = '\0';
		moved = true;
	}
	return moved;
}

/* Bytes of the socket's that TLS does not take stay where they are. */
static bool take_some(struct carrier *c)
{
	char bytes[16384];
	ssize_t size = recv(c->fd, bytes, sizeof(bytes), MSG_PEEK), taken;

	if (size == 0 || (size < 0 && errno != EAGAIN)) {
		haven_tls_input_end(c->tls, size ? -errno : 0);
		return false;
	}
	if (size < 0)
		return false;
	taken = haven_tls_input(c->tls, bytes, (size_t)size);
	if (taken > 0)
		must(recv(c->fd, bytes, (size_t)taken, 0) == taken, "recv");
	return taken > 0;
}

/* One turn; waits when there is nothing to do. False: it has ended or failed. */
static bool carry(struct carrier *c)
{
	struct pollfd poll_fd = {.fd = c->fd, .events = POLLIN};
	struct iovec slices[2];
	bool moved = take_some(c);

	moved |= read_inside(c);
	moved |= send_some(c);
	if (c->result == 0 || haven_tls_error(c->tls)->code)
		return false;
	if (!moved) {
		if (haven_tls_output(c->tls, slices))
			poll_fd.events |= POLLOUT;
		poll(&poll_fd, 1, -1);
	}
	return true;
}

void carry_handshake(struct carrier *c)
{
	while (!(haven_tls_events(c->tls) & HAVEN_EVENT_CONNECTED) && carry(c))
		;
}

void carry_read(struct carrier *c, size_t size)
{
	while (c->size < size && carry(c))
		;
}

void carry_flush(struct carrier *c)
{
	struct pollfd poll_fd = {.fd = c->fd, .events = POLLOUT};
	struct iovec slices[2];

	while (haven_tls_output(c->tls, slices)) {
		if (!send_some(c))
			poll(&poll_fd, 1, -1);
	}
}

void carry_write(struct carrier *c, const char *text)
{
	size_t size = strlen(text);

	must(haven_tls_write(c->tls, text, size) == (ssize_t)size, "haven_tls_write");
	carry_flush(c);
}
