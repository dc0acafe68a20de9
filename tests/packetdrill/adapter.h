/*
 * The adapter between packetdrill and libhaven: one stack with one raw IP link, driven by calls of
 * two threads (packetdrill's own, and the one that it makes blocking calls on).
 *
 *	interface.c	what packetdrill loads: fills the table, makes and ends the adapter
 *	settings.c	flags and sysctls
 *	stack.c		the stack and its link, made at the first socket()
 *	clock.c		the script's time, which is virtual
 *	wait.c		blocking calls: who sleeps, who was woken
 *	descriptor.c	file descriptors
 *	calls.c		socket, bind, listen, accept, connect, close, ...
 *	transfer.c	read to sendmsg, splice
 *	linux_wmem.c	how much of a write fits, as Linux counts it
 *	options.c	getsockopt, setsockopt, fcntl, ioctl
 *	readiness.c	poll and epoll
 *	packets.c	packets in and out
 *	preload.c	what packetdrill asks of the kernel directly, about a descriptor of ours
 *
 * Every entry takes the lock and gives it back; the stack is used under it alone.
 */
#ifndef HAVEN_PACKETDRILL_ADAPTER_H
#define HAVEN_PACKETDRILL_ADAPTER_H

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/types.h>

#include <haven/link.h>
#include <haven/socket.h>
#include <haven/stack.h>

#include "settings.h"

/* A packet that the stack emitted and packetdrill has not asked for yet. */
struct emitted {
	struct emitted *next;
	uint64_t time_us;
	size_t size;
	uint8_t bytes[];
};

enum descriptor_kind { DESCRIPTOR_SOCKET, DESCRIPTOR_EPOLL };

/* A socket that an epoll descriptor looks at. */
struct watch {
	struct watch *next;
	int fd;
	struct epoll_event event;
	bool edge; /* something became true since it was last reported */
};

/* A send buffer as Linux counts it: see linux_wmem.c. */
struct wmem_packet {
	uint32_t size;	  /* of its data */
	uint64_t sent_us; /* 0: not yet */
};
struct wmem {
	bool on;
	bool fixed; /* SO_SNDBUF was set: the limit stays */
	bool begun; /* something was written */
	bool waits; /* a writer found no room, and was not told of any since */
	bool ended; /* MSG_EOR: nothing is added to the last packet */
	uint32_t limit, limit_most, used;
	uint32_t window_most; /* the peer's largest */
	size_t bytes;	      /* queued in the stack, when it was last looked at */
	uint32_t cut;	      /* of the packet at the end, what was sent last */
	struct wmem_packet *packets;
	size_t count, room, sent;
};

struct descriptor {
	int fd; /* a real one, of an eventfd: nobody else gets the number */
	enum descriptor_kind kind;
	int flags; /* O_NONBLOCK, as F_SETFL gave them */
	struct haven_socket *socket;
	bool tell_queued; /* TCP_INQ */
	bool zero_copy;	  /* SO_ZEROCOPY */
	struct wmem wmem;
	struct watch *watches; /* of an epoll descriptor */
};

struct adapter {
	pthread_mutex_t lock;
	struct settings settings;
	struct haven_stack *stack; /* NULL before the first socket() */
	struct haven_link *link;
	unsigned ifindex;

	uint64_t now_us;

	/* wait.c */
	pthread_cond_t changed, settled;
	uint64_t changes;   /* counted at each wake-up */
	unsigned sleeping;  /* blocked calls that wait for one */
	unsigned awake;	    /* woken, and neither asleep again nor back in packetdrill */
	pthread_t returner; /* the thread that is on its way back, when `returning` */
	bool returning;
	uint64_t wake_us; /* the earliest time-out of a blocked call; UINT64_MAX: none */

	struct emitted *emitted, **emitted_end;

	struct descriptor **descriptors; /* by number */
	size_t descriptor_count;
};

/* --- interface.c ------------------------------------------------------------------------- */
/* As a system call would: result, or -1 with errno for a negative one. */
long adapter_result(long status);

/* --- stack.c ----------------------------------------------------------------------------- */
/* The stack, made when it is not there yet. A negative errno. */
int adapter_start(struct adapter *adapter);
void adapter_stop(struct adapter *adapter);
/* After every call: send what is waiting, and see who can go on. */
void adapter_turn(struct adapter *adapter);

/* --- clock.c ----------------------------------------------------------------------------- */
/* When something will happen by itself; UINT64_MAX: never. */
uint64_t clock_next_us(const struct adapter *adapter);
/* Let time pass until then, with everything that is due on the way. */
void clock_run_until(struct adapter *adapter, uint64_t time_us);
int clock_sleep(void *userdata, useconds_t duration_us);
int clock_read(void *userdata, struct timeval *time, struct timezone *zone);

/* --- wait.c ------------------------------------------------------------------------------ */
/* A blocked call, from its first sleep to its end. Zero it; wait_end() it. */
struct waiter {
	bool woken;
};
#define WAIT_FOREVER UINT64_MAX
void wait_init(struct adapter *adapter);
/* Sleep until something changed, or until_us came. Returns false when that time is over. */
bool wait_sleep(struct adapter *adapter, struct waiter *waiter, uint64_t until_us);
void wait_end(struct adapter *adapter, struct waiter *waiter);
/* Something changed: every blocked call looks again. */
void wait_wake(struct adapter *adapter);
/* Wait until every call that was woken sleeps again or is back. Not for a thread that was woken itself. */
void wait_settle(struct adapter *adapter);
/* The calling thread is back in packetdrill, if it was on its way. */
bool wait_returned(struct adapter *adapter);

/* --- descriptor.c ------------------------------------------------------------------------ */
/* A new one; NULL with errno. */
struct descriptor *descriptor_new(struct adapter *adapter, enum descriptor_kind kind);
/* NULL: not ours. */
struct descriptor *descriptor_find(struct adapter *adapter, int fd);
/* The socket of one, or NULL with errno EBADF or ENOTSOCK. */
struct descriptor *descriptor_socket(struct adapter *adapter, int fd);
void descriptor_close(struct adapter *adapter, struct descriptor *descriptor);

/* --- the calls, as in struct packetdrill_interface ----------------------------------------- */
int call_socket(void *userdata, int domain, int type, int protocol);
int call_bind(void *userdata, int fd, const struct sockaddr *address, socklen_t length);
int call_listen(void *userdata, int fd, int backlog);
int call_accept(void *userdata, int fd, struct sockaddr *address, socklen_t *length);
int call_connect(void *userdata, int fd, const struct sockaddr *address, socklen_t length);
int call_close(void *userdata, int fd);
int call_shutdown(void *userdata, int fd, int how);
/* Under the lock: wait until a connection attempt is over. 0, or why it failed. */
int call_finish_connect(struct adapter *adapter, struct descriptor *descriptor);

ssize_t call_read(void *userdata, int fd, void *data, size_t size);
ssize_t call_readv(void *userdata, int fd, const struct iovec *iov, int count);
ssize_t call_recv(void *userdata, int fd, void *data, size_t size, int flags);
ssize_t call_recvfrom(void *userdata, int fd, void *data, size_t size, int flags,
		      struct sockaddr *address, socklen_t *length);
ssize_t call_recvmsg(void *userdata, int fd, struct msghdr *message, int flags);
ssize_t call_write(void *userdata, int fd, const void *data, size_t size);
ssize_t call_writev(void *userdata, int fd, const struct iovec *iov, int count);
ssize_t call_send(void *userdata, int fd, const void *data, size_t size, int flags);
ssize_t call_sendto(void *userdata, int fd, const void *data, size_t size, int flags,
		    const struct sockaddr *address, socklen_t length);
ssize_t call_sendmsg(void *userdata, int fd, const struct msghdr *message, int flags);
int call_pipe(void *userdata, int fds[2]);
ssize_t call_splice(void *userdata, int fd_in, loff_t *offset_in, int fd_out,
		    loff_t *offset_out, size_t size, unsigned flags);

/* --- linux_wmem.c ------------------------------------------------------------------------ */
/* For a descriptor that has its socket. */
void wmem_init(const struct adapter *adapter, struct descriptor *descriptor);
void wmem_inherit(struct wmem *wmem, const struct wmem *listener);
void wmem_end(struct wmem *wmem);
/* SO_SNDBUF, doubled. */
void wmem_set_limit(struct wmem *wmem, uint32_t bytes);
/* Does a write on this descriptor, now, go through wmem_send()? */
bool wmem_applies(const struct adapter *adapter, struct descriptor *descriptor);
/* As haven_send(), for as much as there is room. */
ssize_t wmem_send(const struct adapter *adapter, struct descriptor *descriptor,
		  const uint8_t *data, size_t size, int flags);
/* False: the buffer is too full for poll(), who wants to be told when it is not. */
bool wmem_is_writable(const struct adapter *adapter, struct descriptor *descriptor);
/* A packet came. True: a writer that waits is to be told of room. */
bool wmem_take_ack(const struct adapter *adapter, struct descriptor *descriptor);

int call_fcntl(void *userdata, int fd, int command, ...);
int call_ioctl(void *userdata, int fd, unsigned long request, ...);
int call_getsockopt(void *userdata, int fd, int level, int option, void *value,
		    socklen_t *length);
int call_setsockopt(void *userdata, int fd, int level, int option, const void *value,
		    socklen_t length);

int call_poll(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms);
int call_epoll_create(void *userdata, int size);
int call_epoll_ctl(void *userdata, int epoll_fd, int operation, int fd,
		   struct epoll_event *event);
int call_epoll_wait(void *userdata, int epoll_fd, struct epoll_event *events, int most,
		    int timeout_ms);
/* What poll() says of a socket. */
unsigned readiness_of(const struct adapter *adapter, struct descriptor *descriptor);
/* A packet came: who found a send buffer full may go on. */
void readiness_take_ack(struct adapter *adapter);
/* Sockets whose events changed: note it for those that look at edges. */
void readiness_note(struct adapter *adapter);
/* Nobody looks at this descriptor any more. */
void readiness_forget(struct adapter *adapter, int fd);

int packets_send(void *userdata, const void *packet, size_t size);
int packets_receive(void *userdata, void *packet, size_t *size, long long *time_us);
/* The link's: a packet left the stack. */
int packets_emit(void *user, const struct iovec *iov, int count,
		 const struct haven_frame_offload *offload);
void packets_clear(struct adapter *adapter);

/* --- preload.c --------------------------------------------------------------------------- */
/* Whose descriptors the process's own calls are about; NULL: nobody's. */
void preload_set(struct adapter *adapter);

#endif
