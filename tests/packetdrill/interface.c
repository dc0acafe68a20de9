/*
 * What packetdrill loads: packetdrill_interface_init() makes the adapter and fills the table.
 */
#include "interface.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapter.h"

enum { START_S = 3600 }; /* any; not 0, so that a time that was never set shows */

long adapter_result(long status)
{
	if (status >= 0)
		return status;
	errno = (int)-status;
	return -1;
}

static void adapter_free(void *userdata)
{
	struct adapter *adapter = userdata;

	preload_set(NULL);
	for (size_t i = 0; i < adapter->descriptor_count; i++) {
		if (adapter->descriptors[i])
			descriptor_close(adapter, adapter->descriptors[i]);
	}
	free(adapter->descriptors);
	adapter_stop(adapter);
	packets_clear(adapter);
	pthread_cond_destroy(&adapter->changed);
	pthread_cond_destroy(&adapter->settled);
	pthread_mutex_destroy(&adapter->lock);
	free(adapter);
}

__attribute__((visibility("default"))) void packetdrill_interface_init(
	const char *flags, struct packetdrill_interface *interface)
{
	struct adapter *adapter = calloc(1, sizeof(*adapter));

	/* There is nobody to tell: a script cannot run without it. */
	if (!adapter || !settings_init(&adapter->settings, flags)) {
		fprintf(stderr, "haven-packetdrill: cannot start\n");
		exit(EXIT_FAILURE);
	}
	pthread_mutex_init(&adapter->lock, NULL);
	wait_init(adapter);
	adapter->now_us = START_S * UINT64_C(1000000);
	adapter->emitted_end = &adapter->emitted;
	preload_set(adapter);
	*interface = (struct packetdrill_interface){
		.userdata = adapter,
		.free = adapter_free,
		.socket = call_socket,
		.bind = call_bind,
		.listen = call_listen,
		.accept = call_accept,
		.connect = call_connect,
		.read = call_read,
		.readv = call_readv,
		.recv = call_recv,
		.recvfrom = call_recvfrom,
		.recvmsg = call_recvmsg,
		.write = call_write,
		.writev = call_writev,
		.send = call_send,
		.sendto = call_sendto,
		.sendmsg = call_sendmsg,
		.fcntl = call_fcntl,
		.ioctl = call_ioctl,
		.close = call_close,
		.shutdown = call_shutdown,
		.getsockopt = call_getsockopt,
		.setsockopt = call_setsockopt,
		.poll = call_poll,
		.netdev_send = packets_send,
		.netdev_receive = packets_receive,
		.usleep = clock_sleep,
		.gettimeofday = clock_read,
		.epoll_create = call_epoll_create,
		.epoll_ctl = call_epoll_ctl,
		.epoll_wait = call_epoll_wait,
		.pipe = call_pipe,
		.splice = call_splice,
	};
}
