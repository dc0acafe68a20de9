/*
 * How a connection fails. OpenSSL says it by numbers in a queue; here they become one of our codes and one line that
 * says what a person can do something about.
 */
#include "tls/tls_error.h"

#include <stdarg.h>
#include <stdio.h>

#include "tls/tls_text.h"

const char *haven_tls_error_name(enum haven_tls_error_code code)
{
	switch (code) {
#define X(name, number, text)        \
	case HAVEN_TLS_ERROR_##name: \
		return #name;
		HAVEN_TLS_ERROR_MAP(X)
#undef X
	}
	return "UNKNOWN";
}

const char *haven_tls_error_text(enum haven_tls_error_code code)
{
	switch (code) {
#define X(name, number, text)        \
	case HAVEN_TLS_ERROR_##name: \
		return text;
		HAVEN_TLS_ERROR_MAP(X)
#undef X
	}
	return "unknown error";
}

static int number_of(enum haven_tls_error_code code)
{
	switch (code) {
#define X(name, number, text)        \
	case HAVEN_TLS_ERROR_##name: \
		return -(number);
		HAVEN_TLS_ERROR_MAP(X)
#undef X
	}
	return -EBADMSG;
}

int hv_tls_fail(struct haven_tls *tls, enum haven_tls_error_code code, const char *format, ...)
{
	va_list args;

	if (tls->error.code)
		return tls->error_number;
	tls->error.code = code;
	tls->error_number = number_of(code);
	va_start(args, format);
	vsnprintf(tls->error.text, sizeof(tls->error.text), format, args);
	va_end(args);
	hv_log(&tls->context->core, HAVEN_LOG_DEBUG, "TLS: %s", tls->error.text);
	return tls->error_number;
}

void hv_tls_find(struct haven_tls *tls, enum haven_tls_error_code code, const char *format, ...)
{
	va_list args;

	if (tls->finding.code)
		return;
	tls->finding.code = code;
	va_start(args, format);
	vsnprintf(tls->finding.text, sizeof(tls->finding.text), format, args);
	va_end(args);
}

int hv_tls_fail_by_transport(struct haven_tls *tls, int error)
{
	if (tls->error.code)
		return tls->error_number;
	hv_tls_fail(tls, HAVEN_TLS_ERROR_TRANSPORT, "the connection under TLS failed: %s",
		    haven_strerror(error));
	tls->error_number = error;
	return error;
}

/* --- what OpenSSL says -------------------------------------------------------------------------- */

static const char *version_text(unsigned version)
{
	switch (version) {
	case SSL3_VERSION:
		return "SSL 3.0";
	case TLS1_VERSION:
		return "TLS 1.0";
	case TLS1_1_VERSION:
		return "TLS 1.1";
	case TLS1_2_VERSION:
		return "TLS 1.2";
	case TLS1_3_VERSION:
		return "TLS 1.3";
	default:
		return "an unknown version";
	}
}

/*
 * The version in the first message of the peer: a client offers that one at most, a server has chosen it. 0: there is none. (RFC 8446
 * section 4.1.2: TLS 1.3 says 1.2 there, and the rest in an extension; then it is not this field that is the matter.)
 */
static unsigned version_of_peer(const struct haven_tls *tls)
{
	enum { VERSION_AT = 9 }; /* record header 5, type 1, length 3 */

	if (tls->head_size < VERSION_AT + 2 || tls->head[0] != SSL3_RT_HANDSHAKE)
		return 0;
	return (unsigned)tls->head[VERSION_AT] << 8 | tls->head[VERSION_AT + 1];
}

static int fail_by_version(struct haven_tls *tls)
{
	const struct haven_tls_context *context = tls->context;
	unsigned theirs = version_of_peer(tls);

	if (theirs && theirs < (unsigned)context->min_version)
		return hv_tls_fail(tls, HAVEN_TLS_ERROR_VERSION,
				   "the peer %s %s%s; %s is needed",
				   context->role == HAVEN_TLS_SERVER ? "offers" : "chose",
				   version_text(theirs),
				   context->role == HAVEN_TLS_SERVER ? " at most" : "",
				   version_text((unsigned)context->min_version));
	return hv_tls_fail(tls, HAVEN_TLS_ERROR_VERSION,
			   "no version of TLS in common with the peer; here it is %s to %s",
			   version_text((unsigned)context->min_version),
			   version_text((unsigned)context->max_version));
}

/* OpenSSL has no words for the alerts that came with TLS 1.3. */
static const char *alert_text(int alert)
{
	switch (alert) {
	case SSL_AD_MISSING_EXTENSION:
		return "missing extension";
	case SSL_AD_CERTIFICATE_REQUIRED:
		return "certificate required";
	case SSL_AD_NO_APPLICATION_PROTOCOL:
		return "no application protocol";
	default:
		return SSL_alert_desc_string_long(alert);
	}
}

static int fail_by_alert(struct haven_tls *tls, int alert)
{
	const char *name = alert_text(alert);

	if (alert == SSL_AD_PROTOCOL_VERSION)
		return hv_tls_fail(tls, HAVEN_TLS_ERROR_VERSION,
				   "the peer speaks none of %s to %s (alert '%s')",
				   version_text((unsigned)tls->context->min_version),
				   version_text((unsigned)tls->context->max_version), name);
	if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
		return hv_tls_fail(tls, HAVEN_TLS_ERROR_NO_ALPN,
				   "the peer speaks none of our application protocols "
				   "(alert '%s')",
				   name);
	return hv_tls_fail(tls, HAVEN_TLS_ERROR_ALERT, "the peer ended it with alert '%s' (%d)",
			   name, alert);
}

/* Reasons of OpenSSL that mean something to a person. */
static const struct {
	int reason;
	enum haven_tls_error_code code;
	const char *text;
} reasons[] = {
	{SSL_R_NO_SHARED_CIPHER, HAVEN_TLS_ERROR_NO_CIPHER,
	 "no cipher in common with the peer (or no certificate of a kind that it can verify)"},
	{SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, HAVEN_TLS_ERROR_NO_CIPHER,
	 "the peer can verify no signature of the certificates here"},
	{SSL_R_NO_SUITABLE_KEY_SHARE, HAVEN_TLS_ERROR_NO_CIPHER,
	 "no group for the key exchange in common with the peer"},
	{SSL_R_NO_SUITABLE_GROUPS, HAVEN_TLS_ERROR_NO_CIPHER,
	 "no group for the key exchange in common with the peer"},
	{SSL_R_NO_APPLICATION_PROTOCOL, HAVEN_TLS_ERROR_NO_ALPN,
	 "the client speaks none of our application protocols"},
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, HAVEN_TLS_ERROR_NO_CERTIFICATE,
	 "the client sent no certificate, and must"},
	{SSL_R_EXCESSIVE_MESSAGE_SIZE, HAVEN_TLS_ERROR_LIMIT,
	 "a message of the peer's handshake is larger than the limit"},
};

static bool is_about_version(int reason)
{
	return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW ||
	       reason == SSL_R_VERSION_TOO_HIGH || reason == SSL_R_WRONG_SSL_VERSION ||
	       reason == SSL_R_UNKNOWN_PROTOCOL || reason == SSL_R_BAD_PROTOCOL_VERSION_NUMBER;
}

static int fail_by_reason(struct haven_tls *tls, unsigned long error)
{
	int reason = ERR_GET_REASON(error);
	const char *text = ERR_reason_error_string(error);

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].reason == reason)
			return hv_tls_fail(tls, reasons[i].code, "%s", reasons[i].text);
	}
	if (is_about_version(reason))
		return fail_by_version(tls);
	return hv_tls_fail(tls, HAVEN_TLS_ERROR_PROTOCOL, "the peer broke the protocol: %s",
			   text ? text : "unknown reason");
}

/*
 * Of all that OpenSSL has to say: what its TLS says, which the errors of its ciphers stand in front of; else the first. A lack of memory, wherever,
 * is what it is.
 */
static unsigned long take_reason(void)
{
	unsigned long error, first = 0, tls = 0;

	while ((error = ERR_get_error())) {
		if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
			return error;
		if (!first)
			first = error;
		if (!tls && ERR_GET_LIB(error) == ERR_LIB_SSL)
			tls = error;
	}
	return tls ? tls : first;
}

int hv_tls_fail_by_openssl(struct haven_tls *tls)
{
	unsigned long error = take_reason();
	int reason = ERR_GET_REASON(error);

	if (tls->no_memory || reason == ERR_R_MALLOC_FAILURE)
		return hv_tls_fail(tls, HAVEN_TLS_ERROR_MEMORY, "out of memory");
	/* What the callbacks found says more than what OpenSSL makes of it. */
	if (tls->finding.code && tls->context->verify == HAVEN_TLS_VERIFY)
		return hv_tls_fail(tls, tls->finding.code, "%s", tls->finding.text);
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
	    reason < SSL_AD_REASON_OFFSET + 256)
		return fail_by_alert(tls, reason - SSL_AD_REASON_OFFSET);
	return fail_by_reason(tls, error);
}
