/*
 * A client's sessions. The list is bounded, the latest in front. A session of TLS 1.3 is offered once (RFC 8446 appendix
 * C.4: who sees a ticket twice can tell that it is the same client), one of TLS 1.2 until it is too old. Nothing is resumed whose certificate
 * would not be taken any more: a resumed handshake shows none.
 */
#include "tls/tls_session.h"

#include <string.h>

#include "tls/tls_text.h"

enum { PER_NAME_MAX = 4 };

struct session {
	struct hv_list node;
	SSL_SESSION *session;
	size_t size; /* of this */
	char name[];
};

static void forget(struct haven_tls_context *context, struct session *session)
{
	hv_list_remove(&session->node);
	context->session_count--;
	SSL_SESSION_free(session->session);
	hv_free(&context->core, session, session->size);
}

void hv_tls_sessions_forget(struct haven_tls_context *context)
{
	while (!hv_list_is_empty(&context->sessions))
		forget(context, hv_container(context->sessions.next, struct session, node));
}

static void to_front(struct haven_tls_context *context, struct session *session)
{
	hv_list_remove(&session->node);
	hv_list_append(context->sessions.next, &session->node);
}

static struct session *next_of(const struct haven_tls_context *context,
			       const struct hv_list *after)
{
	return after->next == &context->sessions
		       ? NULL
		       : hv_container(after->next, struct session, node);
}

/* The oldest has to go: of this name when it has enough, of all when there are too many. */
static void make_room(struct haven_tls_context *context, const char *name)
{
	struct session *oldest = NULL, *s;
	unsigned same = 0;

	for (s = next_of(context, &context->sessions); s; s = next_of(context, &s->node)) {
		if (!strcmp(s->name, name)) {
			same++;
			oldest = s;
		}
	}
	if (same >= PER_NAME_MAX)
		forget(context, oldest);
	while (context->session_count >= context->session_limit)
		forget(context, hv_container(context->sessions.prev, struct session, node));
}

int hv_tls_on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct haven_tls *tls = hv_tls_of(ssl);
	struct haven_tls_context *context = tls->context;
	size_t size = sizeof(struct session) + strlen(tls->name) + 1;
	struct session *kept;

	if (!tls->name[0] || !context->session_limit || !SSL_SESSION_is_resumable(session))
		return 0;
	make_room(context, tls->name);
	kept = hv_alloc(&context->core, size);
	if (!kept)
		return 0;
	kept->session = session;
	kept->size = size;
	memcpy(kept->name, tls->name, strlen(tls->name) + 1);
	hv_list_init(&kept->node);
	to_front(context, kept);
	context->session_count++;
	return 1;
}

static bool is_good(const struct haven_tls_context *context, SSL_SESSION *session)
{
	int64_t now = hv_tls_wall_clock(context), until;
	const X509 *leaf = SSL_SESSION_get0_peer(session);

	if (context->verify == HAVEN_TLS_VERIFY_NOTHING_INSECURE)
		return true;
	return leaf && hv_tls_seconds_of(X509_get0_notAfter(leaf), &until) && now < until;
}

void hv_tls_session_offer(struct haven_tls *tls)
{
	struct haven_tls_context *context = tls->context;
	struct session *s, *next;

	if (!tls->name[0] || context->no_resumption)
		return;
	for (s = next_of(context, &context->sessions); s; s = next) {
		next = next_of(context, &s->node);
		if (strcmp(s->name, tls->name))
			continue;
		if (!is_good(context, s->session)) {
			forget(context, s);
			continue;
		}
		SSL_set_session(tls->ssl, s->session);
		if (SSL_SESSION_get_protocol_version(s->session) >= TLS1_3_VERSION)
			forget(context, s);
		else
			to_front(context, s);
		return;
	}
}

void hv_tls_session_renewed(struct haven_tls *tls)
{
	struct haven_tls_context *context = tls->context;
	SSL_SESSION *session = SSL_get0_session(tls->ssl);
	struct session *s;

	if (context->role != HAVEN_TLS_CLIENT || !SSL_session_reused(tls->ssl) ||
	    SSL_version(tls->ssl) >= TLS1_3_VERSION || !session)
		return;
	for (s = next_of(context, &context->sessions); s; s = next_of(context, &s->node)) {
		if (s->session == session)
			return;
	}
	SSL_SESSION_up_ref(session);
	if (!hv_tls_on_session(tls->ssl, session))
		SSL_SESSION_free(session);
}
