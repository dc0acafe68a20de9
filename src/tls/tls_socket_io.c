/* TLS as a layer on a stream socket: the bytes of its user. */
#include "tls/tls_socket.h"

#include <string.h>

#include "tls/tls_error.h"

/* --- reading ------------------------------------------------------------------------------------------ */

/* From what was opened for haven_recv_peek(), when there is any. */
static size_t take_plain(struct hv_tls_socket *ts, void *data, size_t size, bool peek)
{
	uint32_t want = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
	uint32_t got = hv_ring_copy(&ts->plain, 0, data, want);

	if (!peek) {
		hv_ring_consume(&ts->plain, got);
		hv_ring_trim(&ts->plain, hv_tls_core(ts));
	}
	return got;
}

static ssize_t receive_piece(struct hv_tls_socket *ts, void *data, size_t size, bool peek)
{
	ssize_t got;

	if (ts->plain.used)
		return (ssize_t)take_plain(ts, data, size, peek);
	do
		got = peek ? haven_tls_peek(ts->tls, data, size)
			   : haven_tls_read(ts->tls, data, size);
	while (got == -EAGAIN && hv_tls_socket_pump(ts));
	return got == -EAGAIN && ts->receive_shut ? 0 : got;
}

/* Into one buffer, until it is full or nothing more is there. */
static ssize_t receive_into(struct hv_tls_socket *ts, const struct iovec *iov)
{
	size_t done = 0;
	ssize_t got = 0;

	while (done < iov->iov_len) {
		got = receive_piece(ts, (uint8_t *)iov->iov_base + done, iov->iov_len - done,
				    false);
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done ? (ssize_t)done : got;
}

static ssize_t receive_all(struct hv_tls_socket *ts, const struct iovec *iov, int count)
{
	ssize_t done = 0, got = 0;

	for (int i = 0; i < count; i++) {
		got = receive_into(ts, &iov[i]);
		if (got > 0)
			done += got;
		if (got < (ssize_t)iov[i].iov_len)
			break;
	}
	return done ? done : got;
}

ssize_t hv_tls_socket_receive(struct hv_socket_layer *layer, const struct iovec *iov, int count,
			      int flags)
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);
	ssize_t result;

	if (flags & MSG_TRUNC)
		return -EOPNOTSUPP;
	if (count < 1)
		return 0;
	result = flags & MSG_PEEK ? receive_piece(ts, iov[0].iov_base, iov[0].iov_len, true)
				  : receive_all(ts, iov, count);
	/* Open what comes next, so that readiness shows it. */
	hv_tls_socket_pump(ts);
	hv_tls_socket_note(ts);
	return result;
}

/* Move what a record holds to where it can be looked at. */
static void open_plain(struct hv_tls_socket *ts)
{
	struct iovec slices[2];
	ssize_t got;
	int count;

	do {
		if (!hv_ring_reserve(&ts->plain, hv_tls_core(ts), HV_TLS_RECORD_BYTES, slices,
				     &count))
			return;
		got = haven_tls_read(ts->tls, slices[0].iov_base, slices[0].iov_len);
	} while (got == -EAGAIN && hv_tls_socket_pump(ts));
	if (got > 0)
		hv_ring_commit(&ts->plain, (uint32_t)got);
	hv_ring_trim(&ts->plain, hv_tls_core(ts));
}

size_t hv_tls_socket_peek(struct hv_socket_layer *layer, struct iovec slices[2])
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);
	int count;

	if (!ts->plain.used)
		open_plain(ts);
	hv_tls_socket_note(ts);
	return hv_ring_slices(&ts->plain, 0, UINT32_MAX, slices, &count);
}

void hv_tls_socket_consume(struct hv_socket_layer *layer, size_t size)
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);

	hv_ring_consume(&ts->plain, (uint32_t)size);
	hv_ring_trim(&ts->plain, hv_tls_core(ts));
	hv_tls_socket_pump(ts);
	hv_tls_socket_note(ts);
}

/* --- writing ------------------------------------------------------------------------------------------- */

static ssize_t send_piece(struct hv_tls_socket *ts, const uint8_t *data, size_t size)
{
	size_t done = 0;
	ssize_t put;

	do {
		put = haven_tls_write(ts->tls, data + done, size - done);
		if (put > 0)
			done += (size_t)put;
	} while (done < size && (put > 0 || put == -EAGAIN) && hv_tls_socket_pump(ts));
	return done ? (ssize_t)done : put;
}

/* Small pieces share a record. Returns how many bytes of the pieces, from `skip` on, are in `draft`. */
static size_t gather(const struct iovec *iov, int count, size_t skip, uint8_t *draft)
{
	size_t filled = 0;

	for (int i = 0; i < count && filled < HV_TLS_RECORD_BYTES; i++) {
		size_t size = iov[i].iov_len;

		if (skip >= size) {
			skip -= size;
			continue;
		}
		size -= skip;
		if (size > HV_TLS_RECORD_BYTES - filled)
			size = HV_TLS_RECORD_BYTES - filled;
		memcpy(draft + filled, (const uint8_t *)iov[i].iov_base + skip, size);
		filled += size;
		skip = 0;
	}
	return filled;
}

static bool make_draft(struct hv_tls_socket *ts)
{
	if (!ts->draft)
		ts->draft = hv_alloc(hv_tls_core(ts), HV_TLS_RECORD_BYTES);
	return ts->draft;
}

static void free_draft(struct hv_tls_socket *ts)
{
	hv_free(hv_tls_core(ts), ts->draft, HV_TLS_RECORD_BYTES);
	ts->draft = NULL;
}

static ssize_t send_pieces(struct hv_tls_socket *ts, const struct iovec *iov, int count)
{
	size_t done = 0, size;
	ssize_t put = 0;

	if (!make_draft(ts))
		return -ENOMEM;
	while ((size = gather(iov, count, done, ts->draft))) {
		put = send_piece(ts, ts->draft, size);
		if (put > 0)
			done += (size_t)put;
		if (put < (ssize_t)size)
			break;
	}
	free_draft(ts);
	return done ? (ssize_t)done : put;
}

ssize_t hv_tls_socket_send(struct hv_socket_layer *layer, const struct iovec *iov, int count,
			   int flags)
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);
	ssize_t result;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	ts->more = flags & MSG_MORE;
	result = count == 1 ? send_piece(ts, iov[0].iov_base, iov[0].iov_len)
			    : send_pieces(ts, iov, count);
	hv_tls_socket_pump(ts);
	ts->more = false;
	hv_tls_socket_note(ts);
	return result;
}

ssize_t hv_tls_socket_reserve(struct hv_socket_layer *layer, size_t wanted,
			      struct iovec slices[2])
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);

	if (ts->tls->error.code)
		return ts->tls->error_number;
	if (ts->tls->write_shut)
		return -EPIPE;
	if (!(haven_tls_events(ts->tls) & HAVEN_EVENT_WRITABLE) && !hv_tls_socket_pump(ts)) {
		hv_tls_socket_note(ts);
		return 0;
	}
	if (!(haven_tls_events(ts->tls) & HAVEN_EVENT_WRITABLE))
		return 0;
	if (!make_draft(ts))
		return -ENOMEM;
	slices[0] = (struct iovec){ts->draft,
				   wanted < HV_TLS_RECORD_BYTES ? wanted : HV_TLS_RECORD_BYTES};
	return (ssize_t)slices[0].iov_len;
}

void hv_tls_socket_commit(struct hv_socket_layer *layer, size_t size, bool more)
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);

	if (ts->draft && size) {
		ts->more = more;
		/* There was room for it; what fails now is a lack of memory, and the bytes are lost. */
		if (haven_tls_write(ts->tls, ts->draft, size) != (ssize_t)size)
			hv_tls_fail(ts->tls, HAVEN_TLS_ERROR_MEMORY, "out of memory");
		hv_tls_socket_pump(ts);
		ts->more = false;
	}
	free_draft(ts);
	hv_tls_socket_note(ts);
}

int hv_tls_socket_shutdown(struct hv_socket_layer *layer, int how)
{
	struct hv_tls_socket *ts = hv_tls_socket_of(layer);
	int result = 0;

	if (how == SHUT_RD || how == SHUT_RDWR) {
		ts->receive_shut = true;
		hv_tcp_shutdown_receive(hv_tls_conn(ts));
	}
	if (how == SHUT_WR || how == SHUT_RDWR) {
		result = haven_tls_shutdown(ts->tls);
		ts->fin_wanted |= result == 0;
	}
	hv_tls_socket_pump(ts);
	hv_tls_socket_note(ts);
	return result;
}
