/*
 * TLS between a relay and its host socket. See relay_tls.h.
 */
#include "gateway/relay_tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Of one read of the socket while hands are shaken: what a peer has to say then is seldom more. */
#define HANDSHAKE_READ (16 * 1024)
#define DISCARD_BYTES  (1024 * 1024)

struct hv_relay_tls {
	struct haven_tls *tls;
	struct hv_relay *relay;
	const char *server_name;    /* of a client; NULL: we are the server */
	struct hv_loop_timer timer; /* the handshake's */
	const uint8_t *rest;	    /* read from the socket, not taken by TLS yet */
	size_t rest_size;
	uint8_t *
		kept; /* where the rest lies between turns; NULL: in the gateway's buffer, or there is none */
	bool ending;   /* close_notify was said; FIN follows it */
	bool fin_sent; /* all is out */
	bool told;     /* why it has failed */
};

static void expired(struct hv_loop_timer *timer)
{
	struct hv_relay_tls *t = hv_container(timer, struct hv_relay_tls, timer);

	haven_tls_poll(t->tls, t->relay->gateway->loop.now_ns);
	hv_relay_tls_secure(t->relay);
}

int hv_relay_tls_begin(struct hv_relay *relay, struct haven_tls_context *context,
		       const char *server_name)
{
	struct hv_gateway *gateway = relay->gateway;
	struct hv_relay_tls *t;
	int failed;

	if (!gateway->tls_buffer)
		gateway->tls_buffer = malloc(HV_TLS_BUFFER);
	t = gateway->tls_buffer ? calloc(1, sizeof(*t)) : NULL;
	if (!t)
		return -ENOMEM;
	failed = haven_tls_create(context, server_name, gateway->loop.now_ns, &t->tls, NULL);
	if (failed == 0) {
		t->timer.expired = expired;
		failed = hv_loop_timer_set(&gateway->loop, &t->timer,
					   haven_tls_deadline(t->tls));
	}
	if (failed < 0) {
		haven_tls_destroy(t->tls);
		free(t);
		return failed;
	}
	t->relay = relay;
	t->server_name = server_name;
	relay->tls = t;
	relay->phase = HV_RELAY_SECURING;
	return 0;
}

void hv_relay_tls_free(struct hv_relay *relay)
{
	struct hv_relay_tls *t = relay->tls;

	if (!t)
		return;
	hv_loop_timer_cancel(&relay->gateway->loop, &t->timer);
	haven_tls_destroy(t->tls);
	free(t->kept);
	free(t);
	relay->tls = NULL;
}

void hv_relay_tls_discard(const struct hv_relay *relay)
{
	/* Without a copy: tcp(7), MSG_TRUNC. */
	while (recv(relay->source.fd, NULL, DISCARD_BYTES, MSG_TRUNC | MSG_DONTWAIT) ==
	       DISCARD_BYTES)
		;
}

/* --- what is told ------------------------------------------------------------------------ */

const char *hv_relay_tls_reason(const struct hv_relay *relay)
{
	const struct haven_tls_error *error = haven_tls_error(relay->tls->tls);

	return error->code ? haven_tls_error_text(error->code) : NULL;
}

bool hv_relay_tls_has_told(const struct hv_relay *relay)
{
	enum haven_tls_error_code code = haven_tls_error(relay->tls->tls)->code;

	return code != HAVEN_TLS_ERROR_NONE && code != HAVEN_TLS_ERROR_TRANSPORT;
}

/* Who is at the other end of the host's socket, and where. */
static void peer_text(const struct hv_relay *relay, char *text, size_t size)
{
	char end[HV_ENDPOINT_TEXT];

	if (relay->tls->server_name)
		snprintf(text, size, "to %s at %s", relay->tls->server_name,
			 hv_endpoint_text(&relay->flow.destination, end));
	else
		snprintf(text, size, "from %s at port %u", hv_endpoint_text(&relay->peer, end),
			 relay->flow.host_port);
}

/*
 * One line, once. Handshakes that fail are warnings, but those of who just went away again: anybody looks whether a port is open. To a server,
 * every failure is one.
 */
static void tell(const struct hv_relay *relay)
{
	const struct haven_tls_error *error = haven_tls_error(relay->tls->tls);
	struct hv_gateway *gateway = relay->gateway;
	char peer[HAVEN_TLS_NAME_SIZE + HV_ENDPOINT_TEXT + 16];
	bool away = !relay->tls->server_name && (error->code == HAVEN_TLS_ERROR_HUNG_UP ||
						 error->code == HAVEN_TLS_ERROR_TRANSPORT);

	if (relay->tls->told || !error->code)
		return;
	relay->tls->told = true;
	peer_text(relay, peer, sizeof(peer));
	if (relay->phase == HV_RELAY_SECURING && !away)
		hv_log_bucketed(gateway->log, &gateway->tls_lines, gateway->loop.now_ns,
				"TLS %s: %s", peer, error->text);
	else
		hv_log_line(gateway->log, HV_LOG_INFO, "TLS %s: %s", peer, error->text);
}

/* --- to the host's socket --------------------------------------------------------------- */

int hv_relay_tls_flush(struct hv_relay *relay)
{
	struct hv_relay_tls *t = relay->tls;
	struct iovec slices[2];
	struct msghdr message = {.msg_iov = slices};
	size_t size;

	while ((size = haven_tls_output(t->tls, slices)) > 0) {
		ssize_t sent;

		if (!relay->host_writable)
			return 0;
		message.msg_iovlen = slices[1].iov_len > 0 ? 2 : 1;
		do
			sent = sendmsg(relay->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		while (sent < 0 && errno == EINTR);
		if (sent < (ssize_t)size)
			relay->host_writable = false;
		if (sent < 0)
			return errno == EAGAIN ? 0 : errno;
		haven_tls_output_consume(t->tls, (size_t)sent);
	}
	if (t->ending && !t->fin_sent) {
		t->fin_sent = true;
		shutdown(relay->source.fd, SHUT_WR);
	}
	return 0;
}

/* One piece. Returns the bytes taken. */
static size_t write_piece(struct hv_relay *relay, const uint8_t *data, size_t size, int *error)
{
	size_t done = 0;

	while (done < size && *error == 0) {
		ssize_t put = haven_tls_write(relay->tls->tls, data + done, size - done);

		if (put > 0) {
			done += (size_t)put;
			if (done < size)
				*error = hv_relay_tls_flush(relay);
			continue;
		}
		if (put != -EAGAIN) {
			tell(relay);
			*error = (int)-put;
		}
		break;
	}
	return done;
}

size_t hv_relay_tls_write(struct hv_relay *relay, const struct iovec *iov, int count,
			  int *error)
{
	size_t total = 0;

	for (int i = 0; i < count && *error == 0; i++) {
		size_t taken = write_piece(relay, iov[i].iov_base, iov[i].iov_len, error);

		total += taken;
		if (taken < iov[i].iov_len)
			break;
	}
	if (*error == 0)
		*error = hv_relay_tls_flush(relay);
	relay->flow.bytes_out += total;
	return total;
}

void hv_relay_tls_end(struct hv_relay *relay)
{
	/* When TLS has failed meanwhile, reading tells. */
	haven_tls_shutdown(relay->tls->tls);
	relay->tls->ending = true;
	hv_relay_tls_flush(relay);
}

bool hv_relay_tls_is_out(const struct hv_relay *relay)
{
	return relay->tls->fin_sent;
}

/* --- from the host's socket ------------------------------------------------------------- */

/* The gateway's buffer is the next relay's. */
static void keep_rest(struct hv_relay_tls *t)
{
	if (t->rest_size == 0 || t->kept)
		return;
	t->kept = malloc(t->rest_size);
	if (!t->kept) {
		t->rest_size = 0;
		haven_tls_input_end(t->tls, -ENOMEM);
		return;
	}
	memcpy(t->kept, t->rest, t->rest_size);
	t->rest = t->kept;
}

/* False: TLS has something that is to be read first, or cannot send its answer now. */
static bool take_rest(struct hv_relay_tls *t)
{
	ssize_t taken = haven_tls_input(t->tls, t->rest, t->rest_size);

	if (taken < 0)
		taken = (ssize_t)t->rest_size; /* nobody will want it */
	t->rest += taken;
	t->rest_size -= (size_t)taken;
	if (t->rest_size == 0) {
		free(t->kept);
		t->kept = NULL;
	}
	return taken > 0;
}

/*
 * Hand TLS what comes next, of which the socket is asked for `size` bytes. False: there is nothing, or it cannot be taken
 * now. *emptied: the socket had no more.
 */
static bool feed(struct hv_relay *relay, size_t size, bool *emptied)
{
	struct hv_relay_tls *t = relay->tls;
	ssize_t got;

	if (t->rest_size > 0)
		return take_rest(t);
	if (*emptied)
		return false;
	do
		got = recv(relay->source.fd, relay->gateway->tls_buffer, size, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got <= 0) {
		*emptied = true;
		if (got < 0 && errno == EAGAIN)
			return false;
		haven_tls_input_end(t->tls, got < 0 ? -errno : 0);
		return true;
	}
	/* A short read has emptied the socket; what comes later makes an edge (epoll(7)). */
	*emptied = (size_t)got < size && !relay->host_ending;
	t->rest = relay->gateway->tls_buffer;
	t->rest_size = (size_t)got;
	return take_rest(t);
}

/* As much as there will be space for; where that is little, a piece of a record. */
static size_t wanted(size_t space)
{
	size_t size = space > 2 * HV_RELAY_TLS_SLACK ? space - HV_RELAY_TLS_SLACK : space;

	return size < HV_TLS_BUFFER ? size : HV_TLS_BUFFER;
}

/* What can be had of what was read. Bytes, 0 at the peer's close_notify, or a negative errno. */
static ssize_t decrypt(struct hv_relay_tls *t, const struct iovec iov[2])
{
	size_t total = 0;
	ssize_t got = 1;

	for (int i = 0; i < 2 && got > 0; i++) {
		uint8_t *data = iov[i].iov_base;
		size_t done = 0;

		while (done < iov[i].iov_len && got > 0) {
			got = haven_tls_read(t->tls, data + done, iov[i].iov_len - done);
			if (got > 0)
				done += (size_t)got;
			else if (got == -EAGAIN && t->rest_size > 0 && take_rest(t))
				got = 1;
		}
		total += done;
	}
	return total > 0 ? (ssize_t)total : got;
}

ssize_t hv_relay_tls_read(struct hv_relay *relay, const struct iovec iov[2], bool *more)
{
	struct hv_relay_tls *t = relay->tls;
	size_t space = iov[0].iov_len + iov[1].iov_len;
	bool emptied = false, fed = true;
	ssize_t got = decrypt(t, iov);

	while (got == -EAGAIN && fed) {
		fed = feed(relay, wanted(space), &emptied);
		got = decrypt(t, iov);
	}
	keep_rest(t);
	/* Answers to what was read: new keys, an alert. */
	hv_relay_tls_flush(relay);
	*more = got > 0 &&
		(!emptied || (size_t)got == space || t->rest_size > 0 ||
		 (haven_tls_events(t->tls) & (HAVEN_EVENT_PEER_CLOSED | HAVEN_EVENT_ERROR)));
	if (got >= 0)
		return got;
	if (got != -EAGAIN)
		tell(relay);
	errno = (int)-got;
	return -1;
}

/* --- shaking hands ---------------------------------------------------------------------- */

static void insecure(struct hv_relay *relay)
{
	if (relay->flow.kind == HV_FLOW_TCP_IN)
		hv_tcp_in_insecure(relay);
	else
		hv_tcp_out_insecure(relay);
}

void hv_relay_tls_secure(struct hv_relay *relay)
{
	struct hv_relay_tls *t = relay->tls;
	const struct haven_tls_error *error = haven_tls_error(t->tls);
	bool emptied = false, fed = true;

	while (fed && !error->code && !(haven_tls_events(t->tls) & HAVEN_EVENT_CONNECTED)) {
		int failed;

		fed = feed(relay, HANDSHAKE_READ, &emptied);
		failed = hv_relay_tls_flush(relay);
		if (failed)
			haven_tls_input_end(t->tls, -failed);
	}
	if (error->code) {
		hv_relay_tls_flush(relay);
		tell(relay);
		insecure(relay);
		return;
	}
	if (!fed) {
		keep_rest(t);
		return;
	}
	hv_loop_timer_cancel(&relay->gateway->loop, &t->timer);
	keep_rest(t);
	/* More may have come with the last of it. */
	relay->host_readable = true;
	if (relay->flow.kind == HV_FLOW_TCP_IN)
		hv_tcp_in_secured(relay);
	else
		hv_tcp_out_secured(relay);
}
