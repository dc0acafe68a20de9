/*
 * The interface by which packetdrill drives a stack that is a shared object: the caller hands over this
 * struct, packetdrill_interface_init() fills it. Every function takes `userdata` and then the arguments of the
 * POSIX call that it is named after, and answers as that call does (-1 and errno).
 */
#ifndef HAVEN_PACKETDRILL_INTERFACE_H
#define HAVEN_PACKETDRILL_INTERFACE_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

struct packetdrill_interface {
	void *userdata;
	void (*free)(void *userdata);

	int (*socket)(void *userdata, int domain, int type, int protocol);
	int (*bind)(void *userdata, int fd, const struct sockaddr *address, socklen_t length);
	int (*listen)(void *userdata, int fd, int backlog);
	int (*accept)(void *userdata, int fd, struct sockaddr *address, socklen_t *length);
	int (*connect)(void *userdata, int fd, const struct sockaddr *address,
		       socklen_t length);

	ssize_t (*read)(void *userdata, int fd, void *data, size_t size);
	ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int count);
	ssize_t (*recv)(void *userdata, int fd, void *data, size_t size, int flags);
	ssize_t (*recvfrom)(void *userdata, int fd, void *data, size_t size, int flags,
			    struct sockaddr *address, socklen_t *length);
	ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *message, int flags);

	ssize_t (*write)(void *userdata, int fd, const void *data, size_t size);
	ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int count);
	ssize_t (*send)(void *userdata, int fd, const void *data, size_t size, int flags);
	ssize_t (*sendto)(void *userdata, int fd, const void *data, size_t size, int flags,
			  const struct sockaddr *address, socklen_t length);
	ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *message, int flags);

	int (*fcntl)(void *userdata, int fd, int command, ...);
	int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
	int (*close)(void *userdata, int fd);
	int (*shutdown)(void *userdata, int fd, int how);
	int (*getsockopt)(void *userdata, int fd, int level, int option, void *value,
			  socklen_t *length);
	int (*setsockopt)(void *userdata, int fd, int level, int option, const void *value,
			  socklen_t length);
	int (*poll)(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms);

	/* A raw IP packet into the stack. */
	int (*netdev_send)(void *userdata, const void *packet, size_t size);
	/*
	 * The next raw IP packet that the stack emitted. *size: room, then its size; 0 with result 0: nothing came.
	 * *time_us: when it was emitted, on gettimeofday's clock. -1 is retried for ever.
	 */
	int (*netdev_receive)(void *userdata, void *packet, size_t *size, long long *time_us);

	int (*usleep)(void *userdata, useconds_t duration_us);
	int (*gettimeofday)(void *userdata, struct timeval *time, struct timezone *zone);

	int (*epoll_create)(void *userdata, int size);
	int (*epoll_ctl)(void *userdata, int epoll_fd, int operation, int fd,
			 struct epoll_event *event);
	int (*epoll_wait)(void *userdata, int epoll_fd, struct epoll_event *events, int most,
			  int timeout_ms);
	int (*pipe)(void *userdata, int fds[2]);
	ssize_t (*splice)(void *userdata, int fd_in, loff_t *offset_in, int fd_out,
			  loff_t *offset_out, size_t size, unsigned flags);
};

/* What packetdrill looks up in the object. flags: the text of --so_flags, or NULL (settings.h). */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface);

#endif
