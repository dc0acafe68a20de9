/* Contexts: settings checked and copied, and OpenSSL's SSL_CTX set up by them. */
#include <haven/tls.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tls/tls_bio.h"
#include "tls/tls_identity.h"
#include "tls/tls_session.h"
#include "tls/tls_setup.h"
#include "tls/tls_text.h"
#include "tls/tls_ticket.h"

enum {
	OUTPUT_BYTES = 64 << 10,
	OUTPUT_MIN = 32 << 10,
	OUTPUT_MAX = 1 << 24,
	HANDSHAKE_BYTES = 128 << 10,
	HANDSHAKE_MIN = 4 << 10,
	HANDSHAKE_MAX = 1 << 24,
	SESSIONS = 256,
	TICKET_S = 7200,
	TICKET_MAX_S = 604800,
	ALPN_MAX = 16,
};
#define SECOND_NS UINT64_C(1000000000)

int hv_tls_refuse(struct haven_tls_error *error, const char *format, ...)
{
	va_list args;

	if (!error)
		return -EINVAL;
	error->code = HAVEN_TLS_ERROR_CONFIGURATION;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -EINVAL;
}

int hv_tls_no_memory(struct haven_tls_error *error)
{
	if (error)
		*error = (struct haven_tls_error){HAVEN_TLS_ERROR_MEMORY, "out of memory"};
	return -ENOMEM;
}

int64_t hv_tls_wall_clock(const struct haven_tls_context *context)
{
	ASN1_TIME *now;
	int64_t seconds = 0;

	if (context->wall_clock)
		return context->wall_clock(context->user);
	/* OpenSSL asks the system: nothing in here does. */
	now = X509_gmtime_adj(NULL, 0);
	if (now)
		hv_tls_seconds_of(now, &seconds);
	ASN1_TIME_free(now);
	return seconds;
}

void haven_tls_config_init(struct haven_tls_config *config, enum haven_tls_role role)
{
	*config = (struct haven_tls_config){
		.role = role,
		.min_version = HAVEN_TLS_1_2,
		.max_version = HAVEN_TLS_1_3,
		.session_limit = SESSIONS,
		.ticket_lifetime_s = TICKET_S,
		.handshake_timeout_ns = 10 * SECOND_NS,
		.handshake_bytes = HANDSHAKE_BYTES,
		.output_bytes = OUTPUT_BYTES,
	};
	haven_env_default(&config->env);
}

/* --- checks ------------------------------------------------------------------------------------ */

static bool is_version(enum haven_tls_version version)
{
	return version == HAVEN_TLS_1_2 || version == HAVEN_TLS_1_3;
}

static int check_numbers(const struct haven_tls_config *c, struct haven_tls_error *error)
{
	if (!is_version(c->min_version) || !is_version(c->max_version) ||
	    c->min_version > c->max_version)
		return hv_tls_refuse(
			error,
			"versions are TLS 1.2 and TLS 1.3, and the smaller one is min_version");
	if (c->output_bytes < OUTPUT_MIN || c->output_bytes > OUTPUT_MAX)
		return hv_tls_refuse(error, "output_bytes is %u; it must be %d to %d",
				     c->output_bytes, OUTPUT_MIN, OUTPUT_MAX);
	if (c->handshake_bytes < HANDSHAKE_MIN || c->handshake_bytes > HANDSHAKE_MAX)
		return hv_tls_refuse(error, "handshake_bytes is %u; it must be %d to %d",
				     c->handshake_bytes, HANDSHAKE_MIN, HANDSHAKE_MAX);
	if (!c->ticket_lifetime_s || c->ticket_lifetime_s > TICKET_MAX_S)
		return hv_tls_refuse(error, "ticket_lifetime_s is %u; it must be 1 to %d",
				     c->ticket_lifetime_s, TICKET_MAX_S);
	return 0;
}

static int check_alpn(const struct haven_tls_config *c, struct haven_tls_error *error)
{
	if (c->alpn_count > ALPN_MAX)
		return hv_tls_refuse(error, "%u application protocols; at most %d can be",
				     c->alpn_count, ALPN_MAX);
	for (unsigned i = 0; i < c->alpn_count; i++) {
		size_t size = c->alpn[i] ? strlen(c->alpn[i]) : 0;

		if (size < 1 || size > 255)
			return hv_tls_refuse(
				error, "application protocol %u: a name has 1 to 255 bytes",
				i + 1);
	}
	return 0;
}

static int check_identities(enum haven_tls_role role, unsigned count,
			    struct haven_tls_error *error)
{
	if (role == HAVEN_TLS_SERVER && count == 0)
		return hv_tls_refuse(error, "a server needs a certificate");
	if (role == HAVEN_TLS_CLIENT && count > 1)
		return hv_tls_refuse(error, "a client has one certificate, not %u", count);
	return 0;
}

static int check(const struct haven_tls_config *c, struct haven_tls_error *error)
{
	int result;

	if (!c->env.alloc || !c->env.free || !c->env.random)
		return hv_tls_refuse(error, "the environment lacks a function");
	if (c->role != HAVEN_TLS_CLIENT && c->role != HAVEN_TLS_SERVER)
		return hv_tls_refuse(error, "the role is neither client nor server");
	if (c->verify != HAVEN_TLS_VERIFY && c->verify != HAVEN_TLS_VERIFY_NOTHING_INSECURE)
		return hv_tls_refuse(error, "verify is neither of its two values");
	if (c->client_auth > HAVEN_TLS_CLIENT_AUTH_REQUIRED)
		return hv_tls_refuse(error, "client_auth is none of its values");
	if (c->role == HAVEN_TLS_SERVER && c->client_auth && !c->trust && !c->system_trust &&
	    c->verify == HAVEN_TLS_VERIFY)
		return hv_tls_refuse(error, "a server that asks for client certificates must "
					    "say whom it trusts to issue them");
	result = check_numbers(c, error);
	if (!result)
		result = check_alpn(c, error);
	if (!result)
		result = check_identities(c->role, c->identity_count, error);
	return result;
}

/* --- making ------------------------------------------------------------------------------------- */

static int copy_alpn(struct haven_tls_context *context, const struct haven_tls_config *c)
{
	size_t size = 0, at = 0;

	for (unsigned i = 0; i < c->alpn_count; i++)
		size += 1 + strlen(c->alpn[i]);
	if (!size)
		return 0;
	context->alpn = hv_zalloc(&context->core, 2 * size);
	if (!context->alpn)
		return -ENOMEM;
	context->alpn_size = size;
	for (unsigned i = 0; i < c->alpn_count; i++) {
		size_t length = strlen(c->alpn[i]);

		context->alpn[at] = (uint8_t)length;
		memcpy(context->alpn + at + 1, c->alpn[i], length);
		memcpy(context->alpn + size + at, c->alpn[i], length);
		at += 1 + length;
	}
	return 0;
}

static void copy_settings(struct haven_tls_context *context, const struct haven_tls_config *c)
{
	context->role = c->role;
	context->verify = c->verify;
	context->client_auth = c->client_auth;
	context->min_version = c->min_version;
	context->max_version = c->max_version;
	context->refuse_unknown_names = c->refuse_unknown_names;
	context->require_staple = c->require_staple;
	context->no_resumption = c->no_resumption;
	context->session_limit = c->no_resumption ? 0 : c->session_limit;
	context->handshake_bytes = c->handshake_bytes;
	context->output_bytes = c->output_bytes;
	context->handshake_timeout_ns = c->handshake_timeout_ns;
	context->ticket_lifetime_ns = c->ticket_lifetime_s * SECOND_NS;
	context->user = c->user;
	context->name_missing = c->name_missing;
	context->wall_clock = c->wall_clock;
	context->key_log = c->key_log;
	context->uses = 1;
	hv_list_init(&context->sessions);
}

static struct haven_tls_context *context_alloc(const struct haven_tls_config *c)
{
	struct haven_tls_context *context = c->env.alloc(c->env.user, sizeof(*context));

	if (!context)
		return NULL;
	memset(context, 0, sizeof(*context));
	hv_core_init(&context->core, &c->env);
	return context;
}

static int fill(struct haven_tls_context *context, const struct haven_tls_config *c,
		struct haven_tls_error *error)
{
	int result;

	copy_settings(context, c);
	context->bio = hv_tls_bio_method();
	context->ssl = SSL_CTX_new(TLS_method());
	if (!context->bio || !context->ssl || copy_alpn(context, c) < 0)
		return hv_tls_no_memory(error);
	result = hv_tls_setup(context, c, error);
	if (!result && c->identity_count)
		result = hv_tls_identities_load(context, c->identities, c->identity_count,
						&context->identities, error);
	return result;
}

int haven_tls_context_create(const struct haven_tls_config *config,
			     struct haven_tls_context **out, struct haven_tls_error *error)
{
	struct haven_tls_context *context;
	int result;

	*out = NULL;
	if (error)
		*error = (struct haven_tls_error){0};
	result = check(config, error);
	if (result < 0)
		return result;
	context = context_alloc(config);
	if (!context)
		return hv_tls_no_memory(error);
	result = fill(context, config, error);
	ERR_clear_error();
	if (result < 0)
		hv_tls_context_release(context);
	else
		*out = context;
	return result;
}

void hv_tls_context_release(struct haven_tls_context *context)
{
	struct haven_env env = context->core.env;

	if (--context->uses)
		return;
	hv_tls_sessions_forget(context);
	hv_tls_tickets_forget(context);
	hv_tls_identities_free(context, context->identities);
	SSL_CTX_free(context->ssl);
	BIO_meth_free(context->bio);
	hv_free(&context->core, context->alpn, 2 * context->alpn_size);
	hv_core_finish(&context->core);
	env.free(env.user, context, sizeof(*context));
}

void haven_tls_context_destroy(struct haven_tls_context *context)
{
	if (context)
		hv_tls_context_release(context);
}

int haven_tls_context_replace(struct haven_tls_context *context,
			      const struct haven_tls_identity *identities, unsigned count,
			      struct haven_tls_error *error)
{
	struct hv_tls_identities *set = NULL;
	int result;

	if (error)
		*error = (struct haven_tls_error){0};
	result = check_identities(context->role, count, error);
	if (!result && count)
		result = hv_tls_identities_load(context, identities, count, &set, error);
	ERR_clear_error();
	if (result < 0)
		return result;
	hv_tls_identities_free(context, context->identities);
	context->identities = set;
	return 0;
}

void haven_tls_context_forget_sessions(struct haven_tls_context *context)
{
	hv_tls_sessions_forget(context);
	hv_tls_tickets_forget(context);
}
