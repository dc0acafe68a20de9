/* Bytes in and bytes out, for a connection without a socket. */
#include <haven/socket.h>
#include <haven/tls.h>

#include <limits.h>

#include "tls/tls_error.h"
#include "tls/tls_handshake.h"

/* --- the peer's side ------------------------------------------------------------------------------ */

/*
 * The handshake's bytes are counted: OpenSSL has a bound for each of its messages, but a peer can send many that are never complete
 * enough. Returns how many may be taken now.
 */
static size_t within_limit(struct haven_tls *tls, size_t size)
{
	uint64_t left = tls->context->handshake_bytes - tls->bytes_in;

	return size > left ? (size_t)left : size;
}

static bool is_over_limit(const struct haven_tls *tls)
{
	return !tls->connected && tls->bytes_in >= tls->context->handshake_bytes;
}

static size_t take(struct haven_tls *tls, const uint8_t *data, size_t size)
{
	size_t offered = tls->connected ? size : within_limit(tls, size), taken;
	bool was_connected = tls->connected;

	tls->in = data;
	tls->in_left = offered;
	hv_tls_advance(tls);
	taken = offered - tls->in_left;
	tls->in = NULL;
	tls->in_left = 0;
	if (!was_connected)
		tls->bytes_in += taken;
	if (is_over_limit(tls))
		hv_tls_fail(tls, HAVEN_TLS_ERROR_LIMIT,
			    "the peer's handshake is larger than %u bytes",
			    (unsigned)tls->context->handshake_bytes);
	return taken;
}

ssize_t haven_tls_input(struct haven_tls *tls, const void *data, size_t size)
{
	const uint8_t *from = data;
	size_t done = 0, taken;

	if (size > SSIZE_MAX)
		size = SSIZE_MAX;
	if (!tls->error.code && !tls->connected)
		hv_tls_look_at_head(tls, data, size);
	/* More than once where the handshake's limit stood in between. */
	do {
		taken = tls->error.code || tls->read_closed
				? 0
				: take(tls, from + done, size - done);
		done += taken;
	} while (taken && done < size);
	if (tls->error.code)
		return tls->error_number;
	/* Nothing counts after close_notify (RFC 8446 section 6.1). */
	return tls->read_closed ? (ssize_t)size : (ssize_t)done;
}

void haven_tls_input_end(struct haven_tls *tls, int error)
{
	tls->ended = true;
	if (error && !tls->end_error)
		tls->end_error = error;
	hv_tls_look_at_end(tls);
}

size_t haven_tls_output(const struct haven_tls *tls, struct iovec slices[2])
{
	int count;

	slices[0] = slices[1] = (struct iovec){0};
	return hv_ring_slices(&tls->out, 0, UINT32_MAX, slices, &count);
}

void haven_tls_output_consume(struct haven_tls *tls, size_t size)
{
	hv_ring_consume(&tls->out, (uint32_t)size);
	hv_ring_trim(&tls->out, &tls->context->core);
	if (tls->stalled)
		hv_tls_advance(tls);
}

/* --- the user's side -------------------------------------------------------------------------------- */

static int read_some(struct haven_tls *tls, void *data, size_t size, bool peek, size_t *got)
{
	return peek ? SSL_peek_ex(tls->ssl, data, size, got)
		    : SSL_read_ex(tls->ssl, data, size, got);
}

static ssize_t read_or_peek(struct haven_tls *tls, void *data, size_t size, bool peek)
{
	size_t got = 0;
	int result;

	if (tls->read_closed) /* whatever came after that */
		return 0;
	if (tls->error.code)
		return tls->error_number;
	if (!tls->connected)
		return -EAGAIN;
	if (!size)
		return 0;
	if (SSL_pending(tls->ssl)) {
		ERR_clear_error();
		result = read_some(tls, data, size > SSIZE_MAX ? SSIZE_MAX : size, peek, &got);
		if (result == 1)
			return (ssize_t)got;
		hv_tls_look_at_result(tls, result);
	}
	hv_tls_look_at_end(tls);
	if (tls->error.code)
		return tls->error_number;
	return tls->read_closed ? 0 : -EAGAIN;
}

ssize_t haven_tls_read(struct haven_tls *tls, void *data, size_t size)
{
	return read_or_peek(tls, data, size, false);
}

ssize_t haven_tls_peek(struct haven_tls *tls, void *data, size_t size)
{
	return read_or_peek(tls, data, size, true);
}

static bool has_record_room(const struct haven_tls *tls)
{
	return hv_ring_space(&tls->out) >= HV_TLS_RECORD_ROOM;
}

/* Memory for a whole record beforehand: what is encrypted must go out. */
static bool reserve_record(struct haven_tls *tls)
{
	struct iovec slices[2];
	int count;

	return hv_ring_reserve(&tls->out, &tls->context->core, HV_TLS_RECORD_ROOM, slices,
			       &count) == HV_TLS_RECORD_ROOM;
}

/* The same for all that is written at once: the output then grows in one step, not with every record. */
static void reserve_all(struct haven_tls *tls, size_t size)
{
	struct iovec slices[2];
	size_t wanted =
		size + size / 16 + HV_TLS_RECORD_ROOM; /* also in records of 512 bytes */
	int count;

	if (size <= HV_TLS_RECORD_BYTES)
		return;
	if (wanted > tls->out.limit)
		wanted = tls->out.limit;
	hv_ring_reserve(&tls->out, &tls->context->core, (uint32_t)wanted, slices, &count);
}

/* A new key for what we send, before the old one is worn out; TLS 1.2 has no way to change it. */
static void renew_key(struct haven_tls *tls)
{
	if (++tls->records_out < HV_TLS_RECORDS_OF_KEY ||
	    SSL_version(tls->ssl) < TLS1_3_VERSION)
		return;
	/* It goes out with the next record. */
	SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
	tls->records_out = 0;
}

static ssize_t write_record(struct haven_tls *tls, const uint8_t *data, size_t size)
{
	size_t written = 0;
	int result;

	if (!reserve_record(tls))
		return -ENOMEM;
	if (size > HV_TLS_RECORD_BYTES)
		size = HV_TLS_RECORD_BYTES;
	ERR_clear_error();
	renew_key(tls);
	result = SSL_write_ex(tls->ssl, data, size, &written);
	if (result == 1)
		return (ssize_t)written;
	hv_tls_look_at_result(tls, result);
	return tls->error.code ? tls->error_number : -EAGAIN;
}

ssize_t haven_tls_write(struct haven_tls *tls, const void *data, size_t size)
{
	const uint8_t *from = data;
	size_t done = 0;
	ssize_t result = -EAGAIN;

	if (tls->error.code)
		return tls->error_number;
	if (tls->write_shut)
		return -EPIPE;
	if (!hv_tls_is_open(tls))
		return -EAGAIN;
	if (!size)
		return 0;
	if (size > SSIZE_MAX)
		size = SSIZE_MAX;
	reserve_all(tls, size);
	while (done < size && has_record_room(tls)) {
		result = write_record(tls, from + done, size - done);
		if (result < 0)
			break;
		done += (size_t)result;
	}
	return done ? (ssize_t)done : result;
}

int haven_tls_shutdown(struct haven_tls *tls)
{
	if (tls->error.code)
		return tls->error_number;
	if (!tls->connected)
		return -ENOTCONN;
	if (!tls->write_shut) {
		tls->write_shut = true;
		tls->close_wanted = true;
		hv_tls_advance(tls);
	}
	return tls->error.code ? tls->error_number : 0;
}

unsigned haven_tls_events(const struct haven_tls *tls)
{
	unsigned events = 0;

	if (tls->error.code)
		return HAVEN_EVENT_ERROR | HAVEN_EVENT_READABLE | HAVEN_EVENT_WRITABLE |
		       HAVEN_EVENT_HANGUP;
	if (tls->connected) {
		events |= HAVEN_EVENT_CONNECTED;
		if (SSL_pending(tls->ssl))
			events |= HAVEN_EVENT_READABLE;
		if (!tls->write_shut && hv_tls_is_open(tls) && has_record_room(tls))
			events |= HAVEN_EVENT_WRITABLE;
	}
	if (tls->read_closed)
		events |= HAVEN_EVENT_READABLE | HAVEN_EVENT_PEER_CLOSED;
	if (tls->read_closed && tls->write_shut)
		events |= HAVEN_EVENT_HANGUP;
	return events;
}
