/*
 * Packets in and out: raw IP, as the script writes and expects them.
 */
#include <stdlib.h>
#include <string.h>

#include "adapter.h"

/* How long the script's next packet is waited for, in its own time. */
#define RECEIVE_LIMIT_US (150 * UINT64_C(1000000))

int packets_emit(void *user, const struct iovec *iov, int count,
		 const struct haven_frame_offload *offload)
{
	struct adapter *adapter = user;
	struct emitted *packet;
	size_t size = 0;

	(void)offload; /* none was offered */
	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	packet = malloc(sizeof(*packet) + size);
	if (!packet)
		return -ENOBUFS;
	*packet = (struct emitted){.time_us = adapter->now_us, .size = size};
	size = 0;
	for (int i = 0; i < count; i++) {
		memcpy(packet->bytes + size, iov[i].iov_base, iov[i].iov_len);
		size += iov[i].iov_len;
	}
	*adapter->emitted_end = packet;
	adapter->emitted_end = &packet->next;
	return 0;
}

static struct emitted *take(struct adapter *adapter)
{
	struct emitted *packet = adapter->emitted;

	if (packet) {
		adapter->emitted = packet->next;
		if (!adapter->emitted)
			adapter->emitted_end = &adapter->emitted;
	}
	return packet;
}

void packets_clear(struct adapter *adapter)
{
	struct emitted *packet;

	while ((packet = take(adapter)))
		free(packet);
}

/* A frame that stands for several segments says so, as a TUN device with offloads would. */
static struct haven_frame_offload offload_of(const struct adapter *adapter,
					     const uint8_t *packet, size_t size)
{
	struct haven_frame_offload offload = {0};
	size_t headers = packet[0] >> 4 == 4 ? (packet[0] & 15) * 4u : 40;

	if (size < headers + 20 || !adapter->settings.segment)
		return offload;
	if (size <=
	    headers + (size_t)(packet[headers + 12] >> 4) * 4 + adapter->settings.segment)
		return offload;
	offload.flags = 1; /* each segment would need a checksum of its own */
	offload.csum_start = (uint16_t)headers;
	offload.csum_offset = 16;
	offload.gso_type = packet[0] >> 4 == 4 ? 1 : 4;
	offload.gso_size = (uint16_t)adapter->settings.segment;
	return offload;
}

int packets_send(void *userdata, const void *packet, size_t size)
{
	struct adapter *adapter = userdata;
	int status = -ENETDOWN;

	pthread_mutex_lock(&adapter->lock);
	wait_settle(adapter);
	if (adapter->stack) {
		struct haven_frame_offload offload = offload_of(adapter, packet, size);
		uint64_t now_ns = adapter->now_us * 1000;

		status = haven_link_custom_input(adapter->link, packet, size,
						 offload.gso_size ? &offload : NULL);
		while (status == 0 &&
		       haven_input(adapter->stack, adapter->ifindex, 64, now_ns) == 64)
			;
		adapter_turn(adapter);
		readiness_take_ack(adapter);
		wait_settle(adapter);
	}
	pthread_mutex_unlock(&adapter->lock);
	return (int)adapter_result(status);
}

int packets_receive(void *userdata, void *packet, size_t *size, long long *time_us)
{
	struct adapter *adapter = userdata;
	struct emitted *emitted;
	uint64_t limit_us, next_us;

	pthread_mutex_lock(&adapter->lock);
	limit_us = adapter->now_us + RECEIVE_LIMIT_US;
	wait_settle(adapter);
	while (!(emitted = take(adapter))) {
		next_us = clock_next_us(adapter);
		if (next_us > limit_us)
			break;
		clock_run_until(adapter, next_us);
	}
	if (emitted) {
		*size = emitted->size < *size ? emitted->size : *size;
		memcpy(packet, emitted->bytes, *size);
		*time_us = (long long)emitted->time_us;
		free(emitted);
	} else {
		*size = 0;
		*time_us = (long long)adapter->now_us;
	}
	pthread_mutex_unlock(&adapter->lock);
	return 0;
}
