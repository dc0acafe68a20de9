/*
 * Drives OpenSSL. A connection goes
 *
 *	handshake --complete--> open --close_notify read--> read_closed
 *	    |                     |
 *	    +------- error -------+--> failed (tls->error), for good
 *
 * and write_shut apart from that, when the user has no more to write.
 */
#include "tls/tls_handshake.h"

#include <stdio.h>
#include <string.h>

#include "tls/tls_error.h"
#include "tls/tls_session.h"
#include "tls/tls_text.h"

/* --- what is not TLS -------------------------------------------------------------------------------- */

/* The first line, as far as it is there. */
static int fail_by_words(struct haven_tls *tls)
{
	char said[49];
	size_t size = 0;

	while (size < tls->head_size && tls->head[size] != '\r' && tls->head[size] != '\n')
		size++;
	hv_tls_text_bytes(tls->head, size, said, sizeof(said));
	return hv_tls_fail(tls, HAVEN_TLS_ERROR_NOT_TLS,
			   "the peer does not speak TLS: it said '%s'", said);
}

static int fail_by_bytes(struct haven_tls *tls)
{
	char hex[3 * 8 + 1] = "";

	for (size_t i = 0; i < tls->head_size && i < 8; i++)
		snprintf(hex + 3 * i, sizeof(hex) - 3 * i, " %02x", tls->head[i]);
	return hv_tls_fail(tls, HAVEN_TLS_ERROR_NOT_TLS,
			   "the peer does not speak TLS: its first bytes are%s", hex);
}

/* A record begins with its type and the major version, 3 (RFC 8446 section 5.1). */
static bool is_tls(const uint8_t *head, size_t size)
{
	if (size >= 1 && head[0] != SSL3_RT_HANDSHAKE && head[0] != SSL3_RT_ALERT)
		return false;
	return size < 2 || head[1] == SSL3_VERSION_MAJOR;
}

static bool is_text(const uint8_t *head, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((head[i] < 0x20 && head[i] != '\r' && head[i] != '\n' && head[i] != '\t') ||
		    head[i] >= 0x7f)
			return false;
	}
	return true;
}

void hv_tls_look_at_head(struct haven_tls *tls, const uint8_t *data, size_t size)
{
	size_t at =
		tls->bytes_in < sizeof(tls->head) ? (size_t)tls->bytes_in : sizeof(tls->head);

	if (size > sizeof(tls->head) - at)
		size = sizeof(tls->head) - at;
	if (!size)
		return;
	memcpy(tls->head + at, data, size);
	tls->head_size = at + size;
	if (is_tls(tls->head, tls->head_size))
		return;
	if (is_text(tls->head, tls->head_size))
		fail_by_words(tls);
	else
		fail_by_bytes(tls);
}

/* --- results --------------------------------------------------------------------------------------------- */

void hv_tls_look_at_result(struct haven_tls *tls, int result)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_NONE:
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_WANT_WRITE:
		tls->stalled = true;
		break;
	case SSL_ERROR_ZERO_RETURN:
		tls->read_closed = true;
		break;
	default: /* SSL_ERROR_SSL; SSL_ERROR_SYSCALL: our BIO found no memory */
		hv_tls_fail_by_openssl(tls);
		break;
	}
	ERR_clear_error();
}

static bool has_verified_peer(const struct haven_tls *tls)
{
	return tls->context->verify == HAVEN_TLS_VERIFY &&
	       SSL_get0_peer_certificate(tls->ssl) &&
	       SSL_get_verify_result(tls->ssl) == X509_V_OK;
}

bool hv_tls_is_open(const struct haven_tls *tls)
{
	/* OpenSSL calls it init, too, when half of a ticket or of a key update has come in. */
	return tls->connected && !tls->error.code && !SSL_in_init(tls->ssl);
}

static void shake_hands(struct haven_tls *tls)
{
	int result = SSL_do_handshake(tls->ssl);

	if (result == 1) {
		tls->connected = true;
		tls->deadline_ns = UINT64_MAX;
		tls->verified = has_verified_peer(tls);
		hv_tls_session_renewed(tls);
		if (!hv_tls_alpn_of(tls)) /* RFC 7301 section 3.1 */
			hv_tls_fail(tls, HAVEN_TLS_ERROR_PROTOCOL,
				    "the server chose an application protocol that was not "
				    "offered");
		return;
	}
	hv_tls_look_at_result(tls, result);
}

static void look_for_data(struct haven_tls *tls)
{
	uint8_t byte;
	size_t got;
	int result = SSL_peek_ex(tls->ssl, &byte, 1, &got);

	if (result != 1)
		hv_tls_look_at_result(tls, result);
}

/* close_notify, when there is room for it. */
static void say_goodbye(struct haven_tls *tls)
{
	int result = SSL_shutdown(tls->ssl);

	tls->close_wanted = false;
	if (result >= 0)
		return;
	hv_tls_look_at_result(tls, result);
	tls->close_wanted = tls->stalled && !tls->error.code;
}

void hv_tls_advance(struct haven_tls *tls)
{
	if (tls->error.code)
		return;
	tls->stalled = false;
	ERR_clear_error();
	if (!tls->connected)
		shake_hands(tls);
	if (tls->close_wanted && hv_tls_is_open(tls))
		say_goodbye(tls);
	if (tls->connected && !tls->read_closed && !tls->stalled && !tls->error.code &&
	    !SSL_pending(tls->ssl))
		look_for_data(tls);
}

void hv_tls_look_at_end(struct haven_tls *tls)
{
	if (!tls->ended || tls->error.code || (tls->connected && SSL_pending(tls->ssl)))
		return;
	/* After the peer's close_notify an end is in order, and a failure is one for who still writes. */
	if (tls->read_closed && (!tls->end_error || tls->write_shut))
		return;
	if (tls->end_error)
		hv_tls_fail_by_transport(tls, tls->end_error);
	else if (tls->connected)
		hv_tls_fail(tls, HAVEN_TLS_ERROR_TRUNCATED,
			    "the peer ended without close_notify: what was read may be "
			    "incomplete");
	else
		hv_tls_fail(tls, HAVEN_TLS_ERROR_HUNG_UP, "the peer ended the connection %s",
			    tls->head_size ? "in the middle of the handshake"
					   : "before it said anything");
}
