/*
 * What is wrong with a peer's certificate. OpenSSL checks the chain (RFC 5280) and the name (RFC 6125, 9525), and calls with the first
 * check that fails; here that becomes a sentence with the certificate's name, the date, or who would have to be trusted.
 */
#include "tls/tls_verify.h"

#include <openssl/x509v3.h>

#include "tls/tls_error.h"
#include "tls/tls_text.h"

/* A check that failed: where, and what with. */
struct failure {
	struct haven_tls *tls;
	X509_STORE_CTX *store;
	enum haven_tls_error_code code;
	X509 *certificate;
	int error; /* X509_V_ERR_ */
	int depth; /* 0: the peer's own certificate */
	int sent;  /* certificates that the peer sent */
	char subject[HV_TLS_NAME_TEXT];
};

static void say_expired(const struct failure *f)
{
	char date[HV_TLS_DATE_TEXT], asked[HV_TLS_DATE_TEXT];

	hv_tls_text_date(X509_get0_notAfter(f->certificate), date);
	hv_tls_text_seconds(hv_tls_wall_clock(f->tls->context), asked);
	hv_tls_find(f->tls, f->code,
		    "certificate of '%s' has expired on %s; it was looked at on %s", f->subject,
		    date, asked);
}

static void say_not_yet(const struct failure *f)
{
	char date[HV_TLS_DATE_TEXT], asked[HV_TLS_DATE_TEXT];

	hv_tls_text_date(X509_get0_notBefore(f->certificate), date);
	hv_tls_text_seconds(hv_tls_wall_clock(f->tls->context), asked);
	hv_tls_find(f->tls, f->code,
		    "certificate of '%s' is not valid before %s; it was looked at on %s",
		    f->subject, date, asked);
}

static void say_name(const struct failure *f)
{
	char names[160];

	hv_tls_text_names(f->certificate, names, sizeof(names));
	if (*names)
		hv_tls_find(f->tls, f->code, "certificate is for %s; asked for %s", names,
			    f->tls->name);
	else
		hv_tls_find(f->tls, f->code,
			    "certificate of '%s' names no host (a common name does not "
			    "count); asked for %s",
			    f->subject, f->tls->name);
}

/* One of this name is trusted, so it is another key that is not: that of somebody in the middle, or a new one. */
static bool is_name_trusted(const struct failure *f, const X509_NAME *name)
{
	STACK_OF(X509) *trusted = X509_STORE_CTX_get1_certs(f->store, name);
	bool found = sk_X509_num(trusted) > 0;

	sk_X509_pop_free(trusted, X509_free);
	return found;
}

#define OTHER_KEY                                                                              \
	"has the name of one that is trusted, and another key: it was made anew, or somebody " \
	"is in the middle"

static void say_issuer(const struct failure *f)
{
	char issuer[HV_TLS_NAME_TEXT];
	const char *hint = "";

	hv_tls_text_issuer(f->certificate, issuer);
	if (is_name_trusted(f, X509_get_issuer_name(f->certificate))) {
		hv_tls_find(f->tls, f->code, "issuer '%s' of '%s' " OTHER_KEY, issuer,
			    f->subject);
		return;
	}
	if (f->depth == 0 && f->sent == 1)
		hint = "; the peer sent one certificate only, is there one between the two?";
	hv_tls_find(f->tls, f->code, "issuer '%s' of '%s' is not known%s", issuer, f->subject,
		    hint);
}

static void say_signature(const struct failure *f)
{
	char issuer[HV_TLS_NAME_TEXT];

	hv_tls_text_issuer(f->certificate, issuer);
	hv_tls_find(f->tls, f->code,
		    "certificate of '%s' is not signed by the key of '%s': it was changed, or "
		    "somebody is in the middle",
		    f->subject, issuer);
}

static void say_root(const struct failure *f)
{
	if (is_name_trusted(f, X509_get_subject_name(f->certificate))) {
		hv_tls_find(f->tls, f->code, "issuer '%s' " OTHER_KEY, f->subject);
		return;
	}
	hv_tls_find(f->tls, f->code,
		    "issuer '%s' is not known: the peer sent its certificate, but it is not "
		    "among the trusted ones",
		    f->subject);
}

static void say_self_signed(const struct failure *f)
{
	hv_tls_find(f->tls, f->code,
		    "certificate of '%s' is self-signed, and not among the trusted ones",
		    f->subject);
}

static void say_purpose(const struct failure *f)
{
	hv_tls_find(f->tls, f->code, "certificate of '%s' is not one for %s", f->subject,
		    f->depth > 0				? "issuing certificates"
		    : f->tls->context->role == HAVEN_TLS_CLIENT ? "TLS servers"
								: "TLS clients");
}

static void say_constraints(const struct failure *f)
{
	hv_tls_find(f->tls, f->code,
		    "an issuer of '%s' is not allowed to certify it (name constraints: %s)",
		    f->subject, X509_verify_cert_error_string(f->error));
}

static void say_other(const struct failure *f)
{
	hv_tls_find(f->tls, f->code, "certificate of '%s' is no good: %s", f->subject,
		    X509_verify_cert_error_string(f->error));
}

static const struct {
	int error;
	enum haven_tls_error_code code;
	void (*say)(const struct failure *f);
} checks[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, HAVEN_TLS_ERROR_EXPIRED, say_expired},
	{X509_V_ERR_CERT_NOT_YET_VALID, HAVEN_TLS_ERROR_NOT_YET_VALID, say_not_yet},
	{X509_V_ERR_HOSTNAME_MISMATCH, HAVEN_TLS_ERROR_WRONG_NAME, say_name},
	{X509_V_ERR_IP_ADDRESS_MISMATCH, HAVEN_TLS_ERROR_WRONG_NAME, say_name},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, HAVEN_TLS_ERROR_UNKNOWN_ISSUER, say_issuer},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, HAVEN_TLS_ERROR_UNKNOWN_ISSUER,
	 say_issuer},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, HAVEN_TLS_ERROR_UNKNOWN_ISSUER,
	 say_issuer},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, HAVEN_TLS_ERROR_UNKNOWN_ISSUER, say_root},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, HAVEN_TLS_ERROR_SELF_SIGNED, say_self_signed},
	{X509_V_ERR_CERT_SIGNATURE_FAILURE, HAVEN_TLS_ERROR_BAD_CERTIFICATE, say_signature},
	{X509_V_ERR_INVALID_PURPOSE, HAVEN_TLS_ERROR_PURPOSE, say_purpose},
	{X509_V_ERR_INVALID_CA, HAVEN_TLS_ERROR_PURPOSE, say_purpose},
	{X509_V_ERR_KEYUSAGE_NO_CERTSIGN, HAVEN_TLS_ERROR_PURPOSE, say_purpose},
	{X509_V_ERR_PERMITTED_VIOLATION, HAVEN_TLS_ERROR_NAME_CONSTRAINTS, say_constraints},
	{X509_V_ERR_EXCLUDED_VIOLATION, HAVEN_TLS_ERROR_NAME_CONSTRAINTS, say_constraints},
	{X509_V_ERR_SUBTREE_MINMAX, HAVEN_TLS_ERROR_NAME_CONSTRAINTS, say_constraints},
	{X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, HAVEN_TLS_ERROR_NAME_CONSTRAINTS,
	 say_constraints},
	{X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, HAVEN_TLS_ERROR_NAME_CONSTRAINTS,
	 say_constraints},
	{X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, HAVEN_TLS_ERROR_NAME_CONSTRAINTS, say_constraints},
	{X509_V_ERR_EE_KEY_TOO_SMALL, HAVEN_TLS_ERROR_WEAK, say_other},
	{X509_V_ERR_CA_KEY_TOO_SMALL, HAVEN_TLS_ERROR_WEAK, say_other},
	{X509_V_ERR_CA_MD_TOO_WEAK, HAVEN_TLS_ERROR_WEAK, say_other},
	{X509_V_ERR_CERT_REVOKED, HAVEN_TLS_ERROR_REVOKED, say_other},
};

static void say(struct failure *f)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (checks[i].error == f->error) {
			f->code = checks[i].code;
			checks[i].say(f);
			return;
		}
	}
	f->code = HAVEN_TLS_ERROR_BAD_CERTIFICATE;
	say_other(f);
}

int hv_tls_on_verify(int ok, X509_STORE_CTX *store)
{
	const SSL *ssl =
		X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct haven_tls *tls = hv_tls_of(ssl);
	struct failure failure = {
		.tls = tls,
		.store = store,
		.error = X509_STORE_CTX_get_error(store),
		.depth = X509_STORE_CTX_get_error_depth(store),
		.certificate = X509_STORE_CTX_get_current_cert(store),
		.sent = sk_X509_num(X509_STORE_CTX_get0_untrusted(store)),
	};

	if (ok)
		return 1;
	if (failure.error == X509_V_ERR_OUT_OF_MEM) {
		tls->no_memory = true;
		return 0;
	}
	if (!failure.certificate)
		failure.certificate = X509_STORE_CTX_get0_cert(store);
	hv_tls_text_subject(failure.certificate, failure.subject);
	say(&failure);
	return tls->context->verify == HAVEN_TLS_VERIFY_NOTHING_INSECURE;
}

/* RFC 9525: names stand in subjectAltName, and a wildcard is a whole label. */
enum {
	NAME_FLAGS = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
};

static bool is_for_name(const struct haven_tls *tls, X509 *certificate)
{
	if (!tls->name[0])
		return true;
	if (tls->name_is_address)
		return X509_check_ip_asc(certificate, tls->name, 0) == 1;
	return X509_check_host(certificate, tls->name, 0, NAME_FLAGS, NULL) == 1;
}

/*
 * The name is looked at once more: on its way to X509_verify_cert() it is copied by X509_VERIFY_PARAM_set1(), whose failure OpenSSL 3.0 passes
 * over; a process out of memory would take the certificate of anybody.
 */
int hv_tls_on_chain(X509_STORE_CTX *store, void *user)
{
	const SSL *ssl =
		X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct haven_tls *tls = hv_tls_of(ssl);
	int result = X509_verify_cert(store);

	(void)user;
	if (result <= 0 || tls->context->verify != HAVEN_TLS_VERIFY ||
	    is_for_name(tls, X509_STORE_CTX_get0_cert(store)))
		return result;
	tls->no_memory = true;
	X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
	return 0;
}

bool hv_tls_verify_expect(struct haven_tls *tls)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);

	X509_VERIFY_PARAM_set_time(param, (time_t)hv_tls_wall_clock(tls->context));
	if (!tls->name[0])
		return true;
	if (tls->name_is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(param, tls->name);
	X509_VERIFY_PARAM_set_hostflags(param, NAME_FLAGS);
	return X509_VERIFY_PARAM_set1_host(param, tls->name, 0);
}
