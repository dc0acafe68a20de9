/*
 * What packetdrill asks of the kernel although a shared object is under test. Assertions in a script (%{ ... }%) read
 * TCP_INFO with the process's own getsockopt(); with LD_PRELOAD naming this object too, that call comes here, and goes
 * on to the kernel when the descriptor is none of ours. The other functions keep packetdrill from pinning its memory
 * and from becoming a real-time process: with virtual time neither is needed, and both need privileges.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adapter.h"

#define EXPORT __attribute__((visibility("default")))

/* A call of libc has no userdata: this is the one thing here that the whole process shares. */
static _Atomic(struct adapter *) current;

void preload_set(struct adapter *adapter)
{
	atomic_store(&current, adapter);
}

static bool is_ours(struct adapter *adapter, int fd)
{
	bool ours = false;

	if (adapter) {
		pthread_mutex_lock(&adapter->lock);
		ours = descriptor_find(adapter, fd) != NULL;
		pthread_mutex_unlock(&adapter->lock);
	}
	return ours;
}

EXPORT int getsockopt(int fd, int level, int option, void *restrict value,
		      socklen_t *restrict length)
{
	struct adapter *adapter = atomic_load(&current);

	return is_ours(adapter, fd)
		       ? call_getsockopt(adapter, fd, level, option, value, length)
		       : (int)syscall(SYS_getsockopt, fd, level, option, value, length);
}

/* From a file of the kernel's to a socket of ours: packetdrill has no entry for it in its table. */
EXPORT ssize_t sendfile(int out_fd, int in_fd, off_t *offset, size_t count)
{
	struct adapter *adapter = atomic_load(&current);
	uint8_t *data;
	ssize_t size;

	if (!is_ours(adapter, out_fd))
		return syscall(SYS_sendfile, out_fd, in_fd, offset, count);
	data = malloc(count ? count : 1);
	if (!data)
		return adapter_result(-ENOMEM);
	size = offset ? pread(in_fd, data, count, *offset) : read(in_fd, data, count);
	if (size > 0)
		size = call_write(adapter, out_fd, data, (size_t)size);
	if (size > 0 && offset)
		*offset += size;
	free(data);
	return size;
}

/* The same by the name that programs without large files know. */
EXPORT ssize_t sendfile_plain(int out_fd, int in_fd, off_t *offset,
			      size_t count) __asm__("sendfile");
ssize_t sendfile_plain(int out_fd, int in_fd, off_t *offset, size_t count)
{
	return sendfile(out_fd, in_fd, offset, count);
}

EXPORT int mlockall(int flags)
{
	(void)flags;
	return 0;
}

EXPORT int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	(void)pid, (void)policy, (void)param;
	return 0;
}
