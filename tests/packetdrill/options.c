/*
 * Options and flags of descriptors. Most go to the library as they are; here is what concerns the descriptor
 * alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "adapter.h"

#ifndef SIOCINQ
#define SIOCINQ FIONREAD
#endif
#ifndef SIOCOUTQ
#define SIOCOUTQ TIOCOUTQ
#endif

int call_fcntl(void *userdata, int fd, int command, ...)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	int status = 0, value;
	va_list list;

	va_start(list, command);
	value = command == F_SETFL || command == F_SETFD ? va_arg(list, int) : 0;
	va_end(list);
	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_find(adapter, fd);
	if (!descriptor)
		status = -EBADF;
	else if (command == F_GETFL)
		status = descriptor->flags;
	else if (command == F_SETFL)
		descriptor->flags = O_RDWR | (value & O_NONBLOCK);
	else if (command != F_GETFD && command != F_SETFD)
		status = -EINVAL;
	pthread_mutex_unlock(&adapter->lock);
	return (int)adapter_result(status);
}

int call_ioctl(void *userdata, int fd, unsigned long request, ...)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	struct iovec slices[2];
	int status = 0, *value;
	va_list list;

	va_start(list, request);
	value = va_arg(list, int *);
	va_end(list);
	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (!descriptor)
		status = -errno;
	else if (request == SIOCINQ)
		*value = (int)haven_recv_peek(descriptor->socket, slices);
	else if (request == SIOCOUTQ)
		*value = (int)haven_send_queued(descriptor->socket);
	else if (request == FIONBIO)
		descriptor->flags = O_RDWR | (*value ? O_NONBLOCK : 0);
	else
		status = -ENOTTY;
	pthread_mutex_unlock(&adapter->lock);
	return (int)adapter_result(status);
}

/* --- getsockopt --------------------------------------------------------------------------- */

/* Returns 1 when the option is not the descriptor's own. */
static int get_own(struct descriptor *descriptor, int level, int option, void *value,
		   socklen_t *length)
{
	int number;

	if (level == SOL_SOCKET && option == SO_ZEROCOPY)
		number = descriptor->zero_copy;
	else if (level == IPPROTO_TCP && option == TCP_INQ)
		number = descriptor->tell_queued;
	else
		return 1;
	if (*length > sizeof(number))
		*length = sizeof(number);
	memcpy(value, &number, *length);
	return 0;
}

/* TCP_INFO as long as it was asked for: what newer kernels have behind the library's is 0. */
static int get_info(struct haven_socket *socket, void *value, socklen_t *length)
{
	socklen_t asked = *length;
	int status = haven_getsockopt(socket, IPPROTO_TCP, TCP_INFO, value, length);

	if (status == 0 && *length < asked) {
		memset((uint8_t *)value + *length, 0, asked - *length);
		*length = asked;
	}
	return status;
}

/*
 * A send buffer of N bytes is one of 2N to Linux: the other half is for its own expenses, which it counts in. Scripts
 * write as if there were none, so the library, which counts data, gets 2N, and shows 4N.
 */
static int get_send_buffer(struct descriptor *descriptor, void *value, socklen_t *length)
{
	int number, status;
	socklen_t size = sizeof(number);

	status = haven_getsockopt(descriptor->socket, SOL_SOCKET, SO_SNDBUF, &number, &size);
	number = descriptor->wmem.on ? (int)descriptor->wmem.limit : number / 2;
	if (*length > sizeof(number))
		*length = sizeof(number);
	memcpy(value, &number, *length);
	return status;
}

int call_getsockopt(void *userdata, int fd, int level, int option, void *value,
		    socklen_t *length)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	int status;

	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	status = descriptor ? get_own(descriptor, level, option, value, length) : 0;
	if (!descriptor)
		status = -errno;
	else if (status > 0 && level == IPPROTO_TCP && option == TCP_INFO)
		status = get_info(descriptor->socket, value, length);
	else if (status > 0 && level == SOL_SOCKET && option == SO_SNDBUF)
		status = get_send_buffer(descriptor, value, length);
	else if (status > 0)
		status = haven_getsockopt(descriptor->socket, level, option, value, length);
	pthread_mutex_unlock(&adapter->lock);
	return (int)adapter_result(status);
}

/* --- setsockopt --------------------------------------------------------------------------- */

/* Returns 1 when the option is not the descriptor's own. */
static int set_own(struct descriptor *descriptor, int level, int option, int number)
{
	if (level == SOL_SOCKET && option == SO_ZEROCOPY) {
		descriptor->zero_copy = number != 0;
		return 0;
	}
	if (level == IPPROTO_TCP && option == TCP_INQ) {
		if (number != 0 && number != 1)
			return -EINVAL;
		descriptor->tell_queued = number != 0;
		return 0;
	}
	return 1;
}

static int set_option(struct descriptor *descriptor, int level, int option, const void *value,
		      socklen_t length)
{
	int number = 0;

	/* An option of IP may be one byte long. */
	if (level == IPPROTO_IP && length == 1) {
		number = *(const uint8_t *)value;
		value = &number;
		length = sizeof(number);
	} else if (level == SOL_SOCKET && option == SO_SNDBUF && length >= sizeof(number)) {
		memcpy(&number, value, sizeof(number));
		number = number > 1 << 29 ? 1 << 30 : number * 2;
		if (descriptor->wmem.on) {
			wmem_set_limit(&descriptor->wmem, (uint32_t)number);
			return 0;
		}
		value = &number;
	}
	if (level == IPPROTO_IP && (option == IP_FREEBIND || option == IP_TRANSPARENT)) {
		level = SOL_HAVEN;
		option = HAVEN_SO_TRANSPARENT;
	}
	return haven_setsockopt(descriptor->socket, level, option, value, length);
}

int call_setsockopt(void *userdata, int fd, int level, int option, const void *value,
		    socklen_t length)
{
	struct adapter *adapter = userdata;
	struct descriptor *descriptor;
	int status, number = 0;

	if (value && length >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	pthread_mutex_lock(&adapter->lock);
	descriptor = descriptor_socket(adapter, fd);
	if (!descriptor)
		status = -errno;
	else if (!value)
		status = -EFAULT;
	else
		status = set_own(descriptor, level, option, number);
	if (descriptor && status > 0) {
		status = set_option(descriptor, level, option, value, length);
		adapter_turn(adapter);
	}
	pthread_mutex_unlock(&adapter->lock);
	return (int)adapter_result(status);
}
