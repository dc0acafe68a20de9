/*
 * Bytes between standard input and output and a socket. See pump.h.
 */
#include "cli/pump.h"

#include <errno.h>
#include <stdlib.h>

/* The most that one read of the input asks for; a pipe of Linux holds 64 KiB. */
#define CHUNK (256 * 1024)
/* What one turn writes of what has come, so that the other direction has its turn, too. */
#define TURN_BYTES (1024 * 1024)

/* The largest datagram there is over IPv4: 65535 less the headers of IP and UDP. */
#define DATAGRAM_MAX 65507
/* What was sent last has left for the host after so many turns, the question for the gateway's MAC address and all. */
#define LAST_TURNS 8

static enum hv_pump_result failed(struct hv_pump *pump, enum hv_pump_result result, int error)
{
	pump->error = error;
	return result;
}

/* --- out: from the input to the socket ---------------------------------------------------- */

static void end_sending(struct hv_pump *pump, const char *why)
{
	pump->sent_end = true;
	hv_explain_step(pump->explain, "send-end", NULL,
			"%s: no more will be sent, after %llu bytes", why,
			(unsigned long long)pump->bytes_sent);
	haven_shutdown(pump->socket, SHUT_WR);
	pump->inproc->work = true;
}

/* Whether the socket takes something and the input has it. False: *result is to be returned. */
static bool may_send(struct hv_pump *pump, enum hv_pump_result *result)
{
	int error;

	*result = HV_PUMP_DONE;
	if (pump->sent_end || !(haven_socket_events(pump->socket) & HAVEN_EVENT_WRITABLE))
		return false;
	error = hv_stdio_ready(pump->in);
	if (error < 0 && error != -EAGAIN)
		*result = failed(pump, HV_PUMP_INPUT, error);
	return error >= 0;
}

static enum hv_pump_result send_some(struct hv_pump *pump)
{
	struct iovec slices[2] = {0};
	enum hv_pump_result result;
	ssize_t room, size;

	if (!may_send(pump, &result))
		return result;
	room = haven_send_reserve(pump->socket, CHUNK, slices);
	if (room == 0)
		return HV_PUMP_DONE;
	if (room < 0)
		return failed(pump, HV_PUMP_NETWORK, (int)room);
	size = hv_stdio_read(pump->in, slices, slices[1].iov_len ? 2 : 1);
	haven_send_commit(pump->socket, size > 0 ? (size_t)size : 0, false);
	pump->inproc->work = true;
	if (size > 0)
		pump->bytes_sent += (uint64_t)size;
	else if (size == 0)
		end_sending(pump, "standard input has ended");
	else if (size != -EAGAIN)
		return failed(pump, HV_PUMP_INPUT, (int)size);
	return HV_PUMP_DONE;
}

/* --- in: from the socket to the output ------------------------------------------------------ */

/* Nothing is to be read now: has it ended, or failed? recv() of one byte in place would take it; of none it tells nothing. */
static enum hv_pump_result look_at_end(struct hv_pump *pump)
{
	uint8_t byte;
	ssize_t size = haven_recv(pump->socket, &byte, 1, MSG_PEEK);

	if (size > 0 || size == -EAGAIN)
		return HV_PUMP_DONE;
	if (size < 0)
		return failed(pump, HV_PUMP_NETWORK, (int)size);
	pump->received_end = true;
	hv_explain_step(pump->explain, "receive-end", NULL,
			"the peer has ended its direction, after %llu bytes",
			(unsigned long long)pump->bytes_received);
	if (!pump->keep_output)
		hv_stdio_end_output(pump->out);
	/* Who sits at a terminal sees nothing of it, and has nobody to talk to any more. */
	if (!pump->sent_end && pump->in->is_terminal)
		end_sending(pump, "the peer has ended, and the input is a terminal");
	return HV_PUMP_DONE;
}

static enum hv_pump_result receive_some(struct hv_pump *pump)
{
	size_t total = 0;

	while (!pump->received_end && total < TURN_BYTES) {
		struct iovec slices[2] = {0};
		size_t size;
		ssize_t written;
		int error = hv_stdio_ready(pump->out);

		if (error == -EAGAIN)
			return HV_PUMP_DONE;
		if (error < 0)
			return failed(pump, HV_PUMP_OUTPUT, error);
		size = haven_recv_peek(pump->socket, slices);
		if (size == 0)
			return look_at_end(pump);
		written = hv_stdio_write(pump->out, slices, slices[1].iov_len ? 2 : 1);
		if (written == -EAGAIN)
			return HV_PUMP_DONE;
		if (written < 0)
			return failed(pump, HV_PUMP_OUTPUT, (int)written);
		haven_recv_consume(pump->socket, (size_t)written);
		pump->bytes_received += (uint64_t)written;
		pump->inproc->work = true;
		total += (size_t)written;
	}
	return HV_PUMP_DONE;
}

/* --- streams ---------------------------------------------------------------------------------- */

static bool is_done(const struct hv_pump *pump)
{
	return pump->sent_end && pump->received_end &&
	       (haven_socket_events(pump->socket) & (HAVEN_EVENT_SENT | HAVEN_EVENT_HANGUP));
}

/* An error of the connection that reading does not meet: the peer's direction had ended before. */
static int late_error(const struct hv_pump *pump)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (pump->received_end && (haven_socket_events(pump->socket) & HAVEN_EVENT_ERROR))
		haven_getsockopt(pump->socket, SOL_SOCKET, SO_ERROR, &error, &size);
	return -error;
}

enum hv_pump_result hv_pump_stream(struct hv_pump *pump)
{
	while (!is_done(pump)) {
		enum hv_pump_result result = receive_some(pump);
		int error = late_error(pump);

		if (result == HV_PUMP_DONE && error < 0)
			return failed(pump, HV_PUMP_NETWORK, error);
		if (result == HV_PUMP_DONE)
			result = send_some(pump);
		if (result != HV_PUMP_DONE)
			return result;
		if (is_done(pump))
			break;
		error = hv_inproc_turn(pump->inproc, UINT64_MAX);
		if (error < 0)
			return failed(pump, HV_PUMP_LOOP, error);
	}
	return HV_PUMP_DONE;
}

/* --- datagrams ---------------------------------------------------------------------------------- */

static void tell_datagram(const struct hv_pump *pump, const char *step, ssize_t size)
{
	if (pump->explain->on)
		hv_explain_step(pump->explain, step, json_pack("{s:i}", "bytes", (int)size),
				"%zd bytes", size);
}

static enum hv_pump_result send_datagram(struct hv_pump *pump, uint8_t *buffer)
{
	struct iovec iov = {.iov_base = buffer, .iov_len = DATAGRAM_MAX};
	enum hv_pump_result result;
	ssize_t size;

	if (!may_send(pump, &result))
		return result;
	size = hv_stdio_read(pump->in, &iov, 1);
	if (size == -EAGAIN)
		return HV_PUMP_DONE;
	if (size < 0)
		return failed(pump, HV_PUMP_INPUT, (int)size);
	pump->inproc->work = true;
	if (size == 0) {
		pump->sent_end = true;
		return HV_PUMP_DONE;
	}
	size = haven_send(pump->socket, buffer, (size_t)size, 0);
	if (size < 0 && size != -EAGAIN)
		return failed(pump, HV_PUMP_NETWORK, (int)size);
	if (size > 0) {
		pump->bytes_sent += (uint64_t)size;
		tell_datagram(pump, "datagram-out", size);
	}
	return HV_PUMP_DONE;
}

/* All of it, whatever the output is: a datagram has no half. */
static enum hv_pump_result write_all(struct hv_pump *pump, uint8_t *data, size_t size)
{
	while (size > 0) {
		struct iovec iov = {.iov_base = data, .iov_len = size};
		int error = hv_stdio_ready(pump->out);
		ssize_t written = error < 0 ? error : hv_stdio_write(pump->out, &iov, 1);

		if (written < 0 && written != -EAGAIN)
			return failed(pump, HV_PUMP_OUTPUT, (int)written);
		if (written == -EAGAIN && hv_inproc_turn(pump->inproc, UINT64_MAX) < 0)
			return failed(pump, HV_PUMP_LOOP, -EIO);
		if (written > 0) {
			data += written;
			size -= (size_t)written;
		}
	}
	return HV_PUMP_DONE;
}

/* *any: one has come. */
static enum hv_pump_result receive_datagrams(struct hv_pump *pump, uint8_t *buffer, bool *any)
{
	enum hv_pump_result result = HV_PUMP_DONE;
	ssize_t size;

	while (result == HV_PUMP_DONE &&
	       (size = haven_recv(pump->socket, buffer, DATAGRAM_MAX, 0)) != -EAGAIN) {
		if (size < 0)
			return failed(pump, HV_PUMP_NETWORK, (int)size);
		*any = true;
		pump->bytes_received += (uint64_t)size;
		tell_datagram(pump, "datagram-in", size);
		result = write_all(pump, buffer, (size_t)size);
	}
	return result;
}

enum hv_pump_result hv_pump_datagrams(struct hv_pump *pump, uint64_t wait_ns)
{
	enum hv_pump_result result = HV_PUMP_DONE;
	uint8_t *buffer = malloc(DATAGRAM_MAX);
	uint64_t end_ns = UINT64_MAX;

	if (!buffer)
		return failed(pump, HV_PUMP_LOOP, -ENOMEM);
	while (result == HV_PUMP_DONE && hv_inproc_now(pump->inproc) < end_ns) {
		bool ended = pump->sent_end, any = false;

		result = send_datagram(pump, buffer);
		if (result == HV_PUMP_DONE)
			result = receive_datagrams(pump, buffer, &any);
		if (pump->sent_end && (any || !ended))
			end_ns = hv_inproc_now(pump->inproc) + wait_ns;
		if (result == HV_PUMP_DONE && hv_inproc_turn(pump->inproc, end_ns) < 0)
			result = failed(pump, HV_PUMP_LOOP, -EIO);
	}
	for (int turn = 0; turn < LAST_TURNS; turn++)
		hv_inproc_turn(pump->inproc, hv_inproc_now(pump->inproc));
	free(buffer);
	return result;
}
