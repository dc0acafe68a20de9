/*
 * The lines of a relay with a helper, from side to side. See helper.h.
 */
#include "gateway/helper_state.h"

#include <errno.h>
#include <stdlib.h>

/* A relay's share of a turn. */
#define TURN_LINES 32

/* --- making and ending ------------------------------------------------------------------ */

static bool is_asked_for(const struct hv_relay *relay)
{
	const struct hv_gateway *gateway = relay->gateway;

	if (relay->flow.kind != HV_FLOW_TCP_OUT && relay->flow.kind != HV_FLOW_TCP_IN)
		return false;
	/* The client has no address that data could come from. */
	if (relay->flow.by_command)
		return false;
	for (unsigned i = 0; i < gateway->ftp_port_count; i++) {
		if (gateway->ftp_ports[i] == relay->flow.destination.port)
			return true;
	}
	return false;
}

struct hv_helper *hv_helper_begin(struct hv_relay *relay)
{
	struct hv_helper *helper;

	if (!is_asked_for(relay))
		return NULL;
	helper = calloc(1, sizeof(*helper));
	if (!helper)
		return NULL;
	helper->relay = relay;
	TAILQ_INIT(&helper->waiting);
	return helper;
}

void hv_helper_end(struct hv_helper *helper)
{
	if (!helper)
		return;
	while (!TAILQ_EMPTY(&helper->waiting))
		hv_ftp_wait_no_more(TAILQ_FIRST(&helper->waiting));
	free(helper);
}

/* --- bytes ------------------------------------------------------------------------------ */

void hv_helper_tell(struct hv_helper_side *side, const void *data, size_t size)
{
	memcpy(side->out + side->out_size, data, size);
	side->out_size += size;
}

static void drop_front(uint8_t *data, size_t *size, size_t count)
{
	*size -= count;
	memmove(data, data + count, *size);
}

/* Whether something moved. *error: the host's, an errno. */
static bool send_to_host(struct hv_helper *helper, int *error)
{
	struct hv_relay *relay = helper->relay;
	struct hv_helper_side *side = &helper->host;
	ssize_t sent;

	if (side->out_size == 0 || !relay->host_writable)
		return false;
	do
		sent = send(relay->source.fd, side->out, side->out_size,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < (ssize_t)side->out_size)
		relay->host_writable = false;
	if (sent < 0) {
		if (errno != EAGAIN)
			*error = errno;
		return false;
	}
	relay->flow.bytes_out += (uint64_t)sent;
	drop_front(side->out, &side->out_size, (size_t)sent);
	return true;
}

static bool send_to_guest(struct hv_helper *helper)
{
	struct hv_relay *relay = helper->relay;
	struct hv_helper_side *side = &helper->guest;
	ssize_t sent;

	if (side->out_size == 0)
		return false;
	/* Without room a readiness event comes later; any other error has an event of its own. */
	sent = haven_send(relay->socket, side->out, side->out_size, 0);
	if (sent <= 0)
		return false;
	relay->gateway->stack_work = true;
	relay->flow.bytes_in += (uint64_t)sent;
	drop_front(side->out, &side->out_size, (size_t)sent);
	return true;
}

static bool read_guest(struct hv_helper *helper)
{
	struct hv_relay *relay = helper->relay;
	struct hv_helper_side *side = &helper->guest;
	struct iovec slices[2] = {0};
	size_t room = HV_HELPER_LINE - side->line_size;
	size_t size = haven_recv_peek(relay->socket, slices);

	if (size == 0) {
		bool closed = haven_socket_events(relay->socket) & HAVEN_EVENT_PEER_CLOSED;
		bool news = closed && !side->ended;

		side->ended = closed;
		return news;
	}
	/* What is in the second slice is seen at the next look. */
	size = slices[0].iov_len < room ? slices[0].iov_len : room;
	if (size == 0)
		return false;
	memcpy(side->line + side->line_size, slices[0].iov_base, size);
	side->line_size += size;
	haven_recv_consume(relay->socket, size);
	relay->gateway->stack_work = true;
	return true;
}

static bool read_host(struct hv_helper *helper, int *error)
{
	struct hv_relay *relay = helper->relay;
	struct hv_helper_side *side = &helper->host;
	size_t room = HV_HELPER_LINE - side->line_size;
	ssize_t got;

	if (!relay->host_readable || side->ended || room == 0)
		return false;
	do
		got = recv(relay->source.fd, side->line + side->line_size, room, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		relay->host_readable = false;
		if (errno != EAGAIN)
			*error = errno;
		return false;
	}
	side->line_size += (size_t)got;
	side->ended = got == 0;
	return true;
}

/* --- lines ------------------------------------------------------------------------------ */

static struct hv_helper_side *other(struct hv_helper *helper, const struct hv_helper_side *side)
{
	return side == &helper->guest ? &helper->host : &helper->guest;
}

/* The bytes of the next line that is whole, or will not become so; 0: wait for more. */
static size_t next_line(const struct hv_helper *helper, const struct hv_helper_side *side)
{
	const uint8_t *end = memchr(side->line, '\n', side->line_size);

	if (end)
		return (size_t)(end - side->line) + 1;
	if (helper->aside || side->ended || side->line_size == HV_HELPER_LINE)
		return side->line_size;
	return 0;
}

/* One line of this side, when both sides have been told what came of those before. */
static bool take_line(struct hv_helper *helper, struct hv_helper_side *side)
{
	size_t size = next_line(helper, side);
	enum hv_helper_rest rest = side->rest;

	if (size == 0 || helper->guest.out_size > 0 || helper->host.out_size > 0)
		return false;
	if (helper->aside || rest == HV_HELPER_REST_PASS)
		hv_helper_tell(other(helper, side), side->line, size);
	else if (rest == HV_HELPER_REST_NONE)
		rest = hv_ftp_line(helper, side, (const char *)side->line, size);
	side->rest = side->line[size - 1] == '\n' ? HV_HELPER_REST_NONE : rest;
	drop_front(side->line, &side->line_size, size);
	return true;
}

/* Whether everything that this side said has gone on, its end as well. */
static bool is_through(struct hv_helper *helper, const struct hv_helper_side *side)
{
	return side->ended && side->line_size == 0 && other(helper, side)->out_size == 0;
}

static void pass_ends_on(struct hv_helper *helper)
{
	struct hv_relay *relay = helper->relay;

	if (is_through(helper, &helper->host) && !relay->host_eof)
		hv_relay_host_ended(relay);
	if (is_through(helper, &helper->guest) && !relay->guest_eof)
		hv_relay_guest_ended(relay);
}

static bool is_empty(const struct hv_helper *helper)
{
	return helper->guest.line_size + helper->guest.out_size + helper->host.line_size +
		       helper->host.out_size ==
	       0;
}

bool hv_helper_pump(struct hv_relay *relay)
{
	struct hv_helper *helper = relay->helper;
	bool moved = true;
	int error = 0;

	for (unsigned lines = 0; moved && !error; lines++) {
		if (lines == TURN_LINES) {
			hv_relay_run_again(relay);
			break;
		}
		if (helper->aside && is_empty(helper))
			return true;
		moved = send_to_host(helper, &error);
		moved |= send_to_guest(helper);
		if (!helper->aside) {
			moved |= read_guest(helper);
			moved |= read_host(helper, &error);
		}
		moved |= take_line(helper, &helper->guest);
		moved |= take_line(helper, &helper->host);
	}
	if (error) {
		hv_relay_host_failed(relay, error);
		return false;
	}
	pass_ends_on(helper);
	if (relay->host_eof && relay->guest_eof)
		hv_relay_close(relay, "closed");
	return false;
}
