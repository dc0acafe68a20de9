/* A connection begins and ends; its time-out. */
#include <haven/tls.h>

#include <string.h>

#include <arpa/inet.h>

#include "tls/tls_bio.h"
#include "tls/tls_error.h"
#include "tls/tls_handshake.h"
#include "tls/tls_identity.h"
#include "tls/tls_session.h"
#include "tls/tls_verify.h"

/* An address as text, as names are kept: without brackets. */
static bool take_address(struct haven_tls *tls, const char *name)
{
	uint8_t bytes[16];

	if (strlen(name) >= INET6_ADDRSTRLEN ||
	    (inet_pton(AF_INET, name, bytes) != 1 && inet_pton(AF_INET6, name, bytes) != 1))
		return false;
	memcpy(tls->name, name, strlen(name) + 1);
	tls->name_is_address = true;
	return true;
}

/* Whom a client wants to speak with. */
static int take_name(struct haven_tls *tls, const char *name, struct haven_tls_error *error)
{
	const struct haven_tls_context *context = tls->context;

	if (context->role == HAVEN_TLS_SERVER)
		return 0;
	if (!name && context->verify == HAVEN_TLS_VERIFY)
		return hv_tls_refuse(error, "a client that verifies must say for which name");
	if (!name || take_address(tls, name))
		return 0;
	if (strchr(name, '*') ||
	    !hv_tls_name_normalize(name, strlen(name), tls->name, sizeof(tls->name)))
		return hv_tls_refuse(
			error,
			"'%.100s' is no name of a host (names of other scripts are "
			"written in their xn-- form)",
			name);
	return 0;
}

static bool prepare_client(struct haven_tls *tls)
{
	SSL_set_connect_state(tls->ssl);
	if (SSL_set_tlsext_status_type(tls->ssl, TLSEXT_STATUSTYPE_ocsp) != 1)
		return false;
	if (tls->name[0] && !tls->name_is_address &&
	    SSL_set_tlsext_host_name(tls->ssl, tls->name) != 1)
		return false;
	hv_tls_session_offer(tls);
	return true;
}

static bool prepare(struct haven_tls *tls)
{
	struct haven_tls_context *context = tls->context;

	tls->ssl = SSL_new(context->ssl);
	if (!tls->ssl || !SSL_set_app_data(tls->ssl, tls) || !hv_tls_bio_set(tls) ||
	    !hv_tls_verify_expect(tls))
		return false;
	if (context->role == HAVEN_TLS_CLIENT)
		return prepare_client(tls);
	SSL_set_accept_state(tls->ssl);
	return true;
}

static struct haven_tls *connection_new(struct haven_tls_context *context, uint64_t now_ns)
{
	struct haven_tls *tls = hv_zalloc(&context->core, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->context = context;
	context->uses++;
	tls->now_ns = now_ns;
	tls->deadline_ns = UINT64_MAX;
	if (context->handshake_timeout_ns &&
	    context->handshake_timeout_ns < UINT64_MAX - now_ns)
		tls->deadline_ns = now_ns + context->handshake_timeout_ns;
	hv_ring_init(&tls->out, context->output_bytes);
	return tls;
}

int haven_tls_create(struct haven_tls_context *context, const char *server_name,
		     uint64_t now_ns, struct haven_tls **out, struct haven_tls_error *error)
{
	struct haven_tls *tls = connection_new(context, now_ns);
	int result;

	*out = NULL;
	if (!tls)
		return hv_tls_no_memory(error);
	ERR_clear_error();
	result = take_name(tls, server_name, error);
	if (!result && !prepare(tls))
		result = hv_tls_no_memory(error);
	ERR_clear_error();
	if (!result) {
		/* A client's first message. */
		hv_tls_advance(tls);
		if (tls->error.code == HAVEN_TLS_ERROR_MEMORY)
			result = hv_tls_no_memory(error);
	}
	if (result < 0)
		haven_tls_destroy(tls);
	else
		*out = tls;
	return result;
}

void haven_tls_destroy(struct haven_tls *tls)
{
	struct haven_tls_context *context;

	if (!tls)
		return;
	context = tls->context;
	/* Else OpenSSL would take a connection that nobody said goodbye on for a bad one, and its session with it. */
	if (tls->ssl && !tls->error.code)
		SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(tls->ssl);
	hv_ring_finish(&tls->out, &context->core);
	hv_free(&context->core, tls, sizeof(*tls));
	hv_tls_context_release(context);
}

uint64_t haven_tls_deadline(const struct haven_tls *tls)
{
	return tls->error.code ? UINT64_MAX : tls->deadline_ns;
}

void haven_tls_poll(struct haven_tls *tls, uint64_t now_ns)
{
	tls->now_ns = now_ns;
	if (now_ns < haven_tls_deadline(tls))
		return;
	hv_tls_fail(tls, HAVEN_TLS_ERROR_TIMEOUT,
		    "the handshake was not complete after %.3g s: the peer %s",
		    (double)tls->context->handshake_timeout_ns / 1e9,
		    tls->head_size ? "stopped in the middle of it" : "said nothing");
}
