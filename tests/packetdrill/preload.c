/*
 * What packetdrill asks of the kernel although a shared object is under test. Assertions in a script (%{ ... }%) read
 * TCP_INFO with the process's own getsockopt(); with LD_PRELOAD naming this object too, that call comes here, and goes
 * on to the kernel when the descriptor is none of ours. The other functions keep packetdrill from pinning its memory
 * and from becoming a real-time process: with virtual time neither is needed, and both need privileges.
 */
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
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

EXPORT int getsockopt(int fd, int level, int option, void *restrict value,
		      socklen_t *restrict length)
{
	struct adapter *adapter = atomic_load(&current);
	bool ours = false;

	if (adapter) {
		pthread_mutex_lock(&adapter->lock);
		ours = descriptor_find(adapter, fd) != NULL;
		pthread_mutex_unlock(&adapter->lock);
	}
	return ours ? call_getsockopt(adapter, fd, level, option, value, length)
		    : (int)syscall(SYS_getsockopt, fd, level, option, value, length);
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
