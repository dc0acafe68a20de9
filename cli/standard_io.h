/*
 * Standard input and output in an event loop, whatever they are: pipes, terminals, sockets, files.
 *
 * They are shared with other processes, and O_NONBLOCK with them; so it is left as it is. Input is read once for each time that epoll
 * says there is some. Output to a pipe or a terminal goes through a descriptor of our own, opened anew, that does not
 * block; where that cannot be, in pieces that fit when epoll says there is room (PIPE_BUF). Files are always ready, and epoll
 * does not take them.
 */
#ifndef HV_CLI_STANDARD_IO_H
#define HV_CLI_STANDARD_IO_H

#include <sys/uio.h>

#include "gateway/loop.h"

struct hv_stdio {
	struct hv_source source; /* fd is the one that is read or written */
	struct hv_loop *loop;
	uint32_t direction; /* EPOLLIN or EPOLLOUT */
	bool is_file;	    /* always ready */
	bool is_socket;
	bool is_terminal;
	bool nonblocking; /* output: a descriptor of our own */
	bool added, ready, ended;
};

/* fd: STDIN_FILENO for input, STDOUT_FILENO for output. */
void hv_stdio_open_input(struct hv_stdio *io, struct hv_loop *loop, int fd);
void hv_stdio_open_output(struct hv_stdio *io, struct hv_loop *loop, int fd);
/* Takes it out of the loop; a descriptor of our own is closed. */
void hv_stdio_close(struct hv_stdio *io);
/* The other side of the output shall see its end: the descriptor itself is closed, too. */
void hv_stdio_end_output(struct hv_stdio *io);

/* Whether it can be read or written now. When not, the loop's turn ends as soon as it can. 0 or a negative errno. */
int hv_stdio_ready(struct hv_stdio *io);

/* After hv_stdio_ready(): one read or write. Bytes; 0 from read: the end; -EAGAIN, or another negative errno. */
ssize_t hv_stdio_read(struct hv_stdio *io, const struct iovec *iov, int count);
ssize_t hv_stdio_write(struct hv_stdio *io, const struct iovec *iov, int count);

#endif
