/*
 * Bytes between a host socket and a stack socket. See relay.h.
 *
 * Each direction ends by itself; the relay ends when both have, or at the first error:
 *
 *	host_eof    the host's FIN was passed on as the guest's (haven_shutdown)
 *	guest_eof   the guest's FIN was passed on as the host's (shutdown)
 *	both        closed
 */
#include "gateway/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/helper.h"
#include "gateway/name_gate.h"
#include "gateway/relay_tls.h"

/*
 * A relay's share of a turn. What is read from the host leaves for the guest at the turn's end: this
 * much stays in the processor's cache on its way.
 */
#define TURN_BYTES (256 * 1024)
/* A read of the host socket asks for as much as the last ones gave: a small one costs a small buffer. */
#define CHUNK_FIRST (16 * 1024)
#define CHUNK_MAX   (128 * 1024)

static void host_event(struct hv_source *source, uint32_t events);
static size_t sink(void *user, const uint8_t *data, size_t size);

/* Rules that came later, or its server's name, refuse it. */
static void refuse(struct hv_flow *flow, const char *reason)
{
	struct hv_relay *relay = hv_container(flow, struct hv_relay, flow);

	if (relay->request)
		haven_request_refuse(relay->request, ECONNREFUSED, NULL);
	relay->request = NULL;
	hv_relay_abort(relay, reason);
}
static void guest_event(struct hv_stack_user *user, unsigned events);

/* --- making and ending ------------------------------------------------------------------ */

struct hv_relay *hv_relay_new(struct hv_gateway *gateway, int fd, enum hv_flow_kind kind)
{
	struct hv_relay *relay = calloc(1, sizeof(*relay));

	if (!relay) {
		close(fd);
		return NULL;
	}
	relay->gateway = gateway;
	relay->source.fd = fd;
	relay->source.ready = host_event;
	relay->user.event = guest_event;
	relay->flow.kind = kind;
	relay->flow.refuse = refuse;
	relay->flow.relayed = true;
	relay->chunk = CHUNK_FIRST;
	relay->phase =
		kind == HV_FLOW_TCP_IN ? HV_RELAY_GUEST_CONNECTING : HV_RELAY_HOST_CONNECTING;
	return relay;
}

int hv_relay_start(struct hv_relay *relay)
{
	struct hv_gateway *gateway = relay->gateway;
	int error = hv_source_add(&gateway->loop, &relay->source,
				  EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);

	if (error < 0)
		return error;
	TAILQ_INSERT_TAIL(&gateway->relays, relay, entry);
	hv_gateway_flow_opened(gateway, &relay->flow);
	return 0;
}

void hv_relay_discard(struct hv_relay *relay)
{
	hv_name_gate_free(relay);
	hv_relay_tls_free(relay);
	hv_policy_leave(relay->gateway, &relay->flow);
	close(relay->source.fd);
	free(relay);
}

static void release(struct hv_source *source)
{
	free(hv_container(source, struct hv_relay, source));
}

/* Off all lists; both sockets are dealt with by the caller. */
static void end(struct hv_relay *relay, const char *reason)
{
	struct hv_gateway *gateway = relay->gateway;

	if (relay->runnable)
		TAILQ_REMOVE(&gateway->runnable, relay, runnable_entry);
	TAILQ_REMOVE(&gateway->relays, relay, entry);
	if (relay->watcher)
		relay->watcher->ended(relay->watcher, reason);
	hv_name_gate_free(relay);
	hv_gateway_flow_closed(gateway, &relay->flow, reason);
	hv_relay_tls_free(relay);
	relay->phase = HV_RELAY_ENDED;
	hv_helper_end(relay->helper);
	relay->helper = NULL;
	hv_source_close(&gateway->loop, &relay->source, release);
	gateway->stack_work = true;
}

void hv_relay_close(struct hv_relay *relay, const char *reason)
{
	if (relay->socket) {
		haven_socket_set_sink(relay->socket, NULL, NULL);
		haven_socket_set_user(relay->socket, NULL);
		haven_close(relay->socket);
	}
	if (relay->tls)
		hv_relay_tls_discard(relay);
	end(relay, reason);
}

/* close() with SO_LINGER 0 sends RST (Linux tcp(7), as RFC 9293 section 3.10.5 ABORT). */
void hv_relay_reset_host(const struct hv_relay *relay)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(relay->source.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void hv_relay_abort(struct hv_relay *relay, const char *reason)
{
	if (relay->socket) {
		haven_socket_set_user(relay->socket, NULL);
		haven_abort(relay->socket);
	}
	if (relay->tls && hv_relay_tls_has_told(relay))
		hv_relay_tls_discard(relay);
	else
		hv_relay_reset_host(relay);
	end(relay, reason);
}

bool hv_relay_drained(const struct hv_relay *relay)
{
	/* Before the host answered, the guest had no SYN-ACK, and so could send nothing. */
	return relay->phase != HV_RELAY_OPEN || relay->reset_pending ||
	       (relay->guest_eof && (!relay->tls || hv_relay_tls_is_out(relay)));
}

/* --- errors of a side ------------------------------------------------------------------- */

static const char *host_reason(const struct hv_relay *relay, int error)
{
	const char *reason = relay->tls ? hv_relay_tls_reason(relay) : NULL;

	if (reason)
		return reason;
	return error == ECONNRESET || error == EPIPE ? "reset by the host's side"
						     : strerror(error);
}

/* The host's connection broke: a reset for the guest, after what it was sent before. */
void hv_relay_host_failed(struct hv_relay *relay, int error)
{
	if (relay->reset_pending)
		return;
	if (haven_send_queued(relay->socket) > 0) {
		relay->reset_pending = true;
		relay->host_readable = relay->host_writable = false;
		return;
	}
	hv_relay_abort(relay, host_reason(relay, error));
}

static void guest_failed(struct hv_relay *relay)
{
	int error = 0;
	socklen_t size = sizeof(error);

	haven_getsockopt(relay->socket, SOL_SOCKET, SO_ERROR, &error, &size);
	hv_relay_abort(relay, error == 0 || error == ECONNRESET ? "reset by the guest's side"
								: haven_strerror(error));
}

static int take_host_error(const struct hv_relay *relay)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(relay->source.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return errno;
	return error;
}

/* In the next turn, with hv_relay_run(). */
void hv_relay_run_again(struct hv_relay *relay)
{
	if (relay->runnable)
		return;
	relay->runnable = true;
	TAILQ_INSERT_TAIL(&relay->gateway->runnable, relay, runnable_entry);
}

/* --- host to guest ---------------------------------------------------------------------- */

/* *more: another read will find something. */
static ssize_t read_host(struct hv_relay *relay, struct iovec *iov, size_t wanted, bool *more)
{
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t size;

	if (relay->tls)
		return hv_relay_tls_read(relay, iov, more);
	do {
		if (iov[0].iov_len >= wanted)
			size = recv(relay->source.fd, iov[0].iov_base, wanted, MSG_DONTWAIT);
		else
			size = recvmsg(relay->source.fd, &message, MSG_DONTWAIT);
	} while (size < 0 && errno == EINTR);
	/* A short read has emptied the socket; what comes later makes an edge (epoll(7)). */
	*more = size == (ssize_t)wanted;
	return size;
}

/* Grow with reads that fill their space, shrink with those that do not need it. */
static void adapt_chunk(struct hv_relay *relay, bool more, size_t got)
{
	if (more && relay->chunk < CHUNK_MAX)
		relay->chunk *= 2;
	else if (got < relay->chunk / 4 && relay->chunk > CHUNK_FIRST)
		relay->chunk /= 2;
}

void hv_relay_host_ended(struct hv_relay *relay)
{
	relay->host_eof = true;
	relay->host_readable = false;
	relay->flow.state = HV_FLOW_CLOSING;
	haven_shutdown(relay->socket, SHUT_WR);
}

/* One read. Returns the number of bytes, or 0 when this direction has to wait or has ended. */
static size_t read_once(struct hv_relay *relay, int *error)
{
	struct iovec iov[2] = {0};
	size_t wanted = relay->chunk + (relay->tls ? HV_RELAY_TLS_SLACK : 0);
	ssize_t space = haven_send_reserve(relay->socket, wanted, iov);
	bool more = false;
	ssize_t got;

	if (space <= 0) {
		*error = space < 0 ? (int)space : 0;
		return 0;
	}
	got = read_host(relay, iov, (size_t)space, &more);
	if (got > 0) {
		if (relay->gate && hv_name_gate_answered(relay, iov, (size_t)got))
			hv_relay_run_again(relay);
		haven_send_commit(relay->socket, (size_t)got, more);
		relay->flow.bytes_in += (uint64_t)got;
		adapt_chunk(relay, more, (size_t)got);
		if (!more && !relay->host_ending)
			relay->host_readable = false;
		return (size_t)got;
	}
	haven_send_commit(relay->socket, 0, false);
	/* Left without a word, as when it was killed: what it sent may not be all, and the guest must not take it for that. */
	if (got == 0 && relay->host_gone && !relay->guest_eof)
		*error = ECONNRESET;
	else if (got == 0)
		hv_relay_host_ended(relay);
	else if (errno == EAGAIN)
		relay->host_readable = false;
	else
		*error = errno;
	return 0;
}

/* Returns false when the relay has ended. */
static bool pump_in(struct hv_relay *relay)
{
	size_t total = 0;

	while (relay->host_readable && total < TURN_BYTES) {
		int error = 0;
		size_t got = read_once(relay, &error);

		if (error > 0) {
			hv_relay_host_failed(relay, error);
			return relay->phase == HV_RELAY_OPEN;
		}
		if (error == -ENOMEM) {
			/* No event will say that there is memory again. */
			hv_relay_run_again(relay);
			return true;
		}
		if (error < 0) {
			/* The guest's side is gone; its event tells why. */
			relay->host_readable = false;
			break;
		}
		relay->gateway->stack_work = true;
		if (got == 0)
			return true;
		total += got;
	}
	if (relay->host_readable && total >= TURN_BYTES)
		hv_relay_run_again(relay);
	return true;
}

/* --- guest to host ---------------------------------------------------------------------- */

/* Bytes taken; less than size when the socket is full or has failed (*error). */
static size_t write_host(struct hv_relay *relay, struct iovec *iov, int count, int *error)
{
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};
	size_t size = iov[0].iov_len + (count > 1 ? iov[1].iov_len : 0);
	ssize_t sent;

	if (relay->tls)
		return hv_relay_tls_write(relay, iov, count, error);
	do {
		if (count == 1)
			sent = send(relay->source.fd, iov[0].iov_base, iov[0].iov_len,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			sent = sendmsg(relay->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		relay->host_writable = false;
		if (errno != EAGAIN)
			*error = errno;
		return 0;
	}
	if ((size_t)sent < size)
		relay->host_writable = false;
	relay->flow.bytes_out += (uint64_t)sent;
	return (size_t)sent;
}

/* Straight from the packet; runs inside haven_input() and may not touch the stack. */
static size_t sink(void *user, const uint8_t *data, size_t size)
{
	struct hv_relay *relay = user;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};

	if (!relay->host_writable || relay->host_error || relay->flow.being_refused)
		return 0;
	if (relay->gate)
		iov.iov_len = hv_name_gate_sink(relay, data, size);
	if (iov.iov_len == 0)
		return 0;
	size = write_host(relay, &iov, 1, &relay->host_error);
	if (relay->host_error)
		hv_relay_run_again(relay);
	if (relay->gate)
		hv_name_gate_sent(relay, size);
	return size;
}

/* What of it may go on. The gate may open for good, or the relay end. */
static size_t look(struct hv_relay *relay, struct iovec iov[2], size_t size)
{
	size_t allowed = hv_name_gate_look(relay, iov, size);

	if (allowed == 0 && relay->gate && relay->phase == HV_RELAY_OPEN &&
	    !relay->flow.being_refused &&
	    (haven_socket_events(relay->socket) & HAVEN_EVENT_PEER_CLOSED)) {
		hv_name_gate_ended(relay);
		if (!relay->gate)
			allowed = size;
	}
	if (iov[0].iov_len > allowed)
		iov[0].iov_len = allowed;
	if (iov[1].iov_len > allowed - iov[0].iov_len)
		iov[1].iov_len = allowed - iov[0].iov_len;
	return allowed;
}

void hv_relay_guest_ended(struct hv_relay *relay)
{
	relay->guest_eof = true;
	relay->flow.state = HV_FLOW_CLOSING;
	/* When both have ended, the close that follows says so. */
	if (relay->tls)
		hv_relay_tls_end(relay);
	else if (!relay->host_eof)
		shutdown(relay->source.fd, SHUT_WR);
}

/* Returns false when the relay has ended. */
static bool pump_out(struct hv_relay *relay)
{
	while (relay->host_writable && !relay->guest_eof) {
		struct iovec iov[2] = {0};
		size_t size = haven_recv_peek(relay->socket, iov);
		int error = 0;
		size_t sent;

		if (size == 0) {
			if (haven_socket_events(relay->socket) & HAVEN_EVENT_PEER_CLOSED)
				hv_relay_guest_ended(relay);
			break;
		}
		if (relay->gate) {
			size = look(relay, iov, size);
			if (size == 0)
				return relay->phase == HV_RELAY_OPEN;
		}
		sent = write_host(relay, iov, iov[0].iov_len < size ? 2 : 1, &error);
		if (sent > 0) {
			if (relay->gate)
				hv_name_gate_sent(relay, sent);
			haven_recv_consume(relay->socket, sent);
			relay->gateway->stack_work = true;
		}
		if (error) {
			hv_relay_host_failed(relay, error);
			return relay->phase == HV_RELAY_OPEN;
		}
		/* TLS may have to read before it can write. */
		if (sent == 0)
			break;
	}
	return true;
}

static void close_when_done(struct hv_relay *relay)
{
	if (relay->host_eof && relay->guest_eof && (!relay->tls || hv_relay_tls_is_out(relay)))
		hv_relay_close(relay, "closed");
	else if (relay->host_eof && relay->host_gone)
		hv_relay_close(relay, "left by the client");
}

/* What TLS could not send before. Returns false when the relay has ended. */
static bool flush_tls(struct hv_relay *relay)
{
	int error = hv_relay_tls_flush(relay);

	if (error == 0)
		return true;
	hv_relay_host_failed(relay, error);
	return false;
}

static void pump(struct hv_relay *relay)
{
	if (relay->phase != HV_RELAY_OPEN || relay->reset_pending || relay->flow.being_refused)
		return;
	if (relay->host_error) {
		hv_relay_host_failed(relay, relay->host_error);
		return;
	}
	if (relay->helper) {
		if (!hv_helper_pump(relay))
			return;
		hv_helper_end(relay->helper);
		relay->helper = NULL;
		haven_socket_set_sink(relay->socket, sink, relay);
	}
	if (relay->tls && !flush_tls(relay))
		return;
	if (pump_in(relay) && pump_out(relay))
		close_when_done(relay);
}

/* --- events ----------------------------------------------------------------------------- */

static void host_event(struct hv_source *source, uint32_t events)
{
	struct hv_relay *relay = hv_container(source, struct hv_relay, source);

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		relay->host_readable = !relay->host_eof;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		relay->host_ending = true;
	if (events & EPOLLOUT)
		relay->host_writable = true;
	/* A socket of the Unix domain knows at once that its peer is closed; TCP hears of it by a reset. */
	if ((events & EPOLLHUP) && relay->flow.by_command)
		relay->host_gone = true;
	if (relay->phase == HV_RELAY_HOST_CONNECTING) {
		hv_tcp_out_host_event(relay, events);
		return;
	}
	if (relay->phase == HV_RELAY_SECURING) {
		hv_relay_tls_secure(relay);
		return;
	}
	if (relay->phase == HV_RELAY_GUEST_CONNECTING) {
		/* The client has gone before the guest answered. */
		if (events & (EPOLLHUP | EPOLLERR))
			hv_relay_abort(relay, "given up by the client");
		return;
	}
	/* With nothing left to read, an error has no other way to show itself. */
	if ((events & EPOLLERR) && relay->host_eof) {
		int error = take_host_error(relay);

		if (error) {
			hv_relay_host_failed(relay, error);
			return;
		}
	}
	pump(relay);
}

static void guest_event(struct hv_stack_user *user, unsigned events)
{
	struct hv_relay *relay = hv_container(user, struct hv_relay, user);

	if (relay->phase == HV_RELAY_GUEST_CONNECTING) {
		hv_tcp_in_guest_event(relay, events);
		return;
	}
	if (events & HAVEN_EVENT_ERROR) {
		guest_failed(relay);
		return;
	}
	if ((events & HAVEN_EVENT_CONNECTED) && relay->flow.ready_ns == 0)
		hv_flow_ready(&relay->gateway->flows, &relay->flow,
			      relay->gateway->loop.now_ns);
	if (relay->reset_pending) {
		if (haven_send_queued(relay->socket) == 0)
			hv_relay_abort(relay, host_reason(relay, ECONNRESET));
		return;
	}
	pump(relay);
}

void hv_relay_run(struct hv_relay *relay)
{
	TAILQ_REMOVE(&relay->gateway->runnable, relay, runnable_entry);
	relay->runnable = false;
	pump(relay);
}

void hv_relay_open(struct hv_relay *relay)
{
	int on = 1;

	relay->phase = HV_RELAY_OPEN;
	haven_socket_set_user(relay->socket, &relay->user);
	haven_setsockopt(relay->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/*
	 * A relay with a gate has no helper: what it is has to be seen first, and then the beginning is over. With TLS, data connections
	 * would need it, too, and FTP's own words for that are not spoken here.
	 */
	relay->helper = relay->gate || relay->tls ? NULL : hv_helper_begin(relay);
	if (!relay->helper)
		haven_socket_set_sink(relay->socket, sink, relay);
	pump(relay);
}
