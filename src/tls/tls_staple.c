/*
 * Stapled OCSP responses: what the issuer said a short time ago about the certificate. A client always asks for one; what
 * comes must be good: signed by the issuer or by whom it named for that (RFC 6960 section 4.2.2.2), of this time, about this
 * certificate. None is all right, unless the certificate itself (RFC 7633) or the configuration demands one.
 */
#include "tls/tls_staple.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "tls/tls_error.h"
#include "tls/tls_identity.h"
#include "tls/tls_text.h"

enum {
	SKEW_S = 300,		    /* clocks of responders may be so far off */
	FEATURE_STATUS_REQUEST = 5, /* RFC 7633: the number of the extension that must come */
};

/* The certificate, and what is being said about it. */
struct question {
	struct haven_tls *tls;
	STACK_OF(X509) * chain; /* verified: the peer's first */
	X509 *leaf;
	char subject[HV_TLS_NAME_TEXT];
};

static bool demands_staple(X509 *leaf)
{
	TLS_FEATURE *features = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
	bool demands = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++) {
		if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) ==
		    FEATURE_STATUS_REQUEST)
			demands = true;
	}
	TLS_FEATURE_free(features);
	return demands;
}

/* False: found to be no good, and said so. */
static bool no_staple(const struct question *q)
{
	bool demanded = demands_staple(q->leaf);

	if (!demanded && !q->tls->context->require_staple)
		return true;
	hv_tls_find(q->tls, HAVEN_TLS_ERROR_NO_STAPLE,
		    "no OCSP response came with the certificate of '%s', and %s demands one",
		    q->subject, demanded ? "it" : "the configuration");
	return false;
}

static bool bad_staple(const struct question *q, const char *why)
{
	hv_tls_find(q->tls, HAVEN_TLS_ERROR_BAD_STAPLE,
		    "the OCSP response stapled to the certificate of '%s' proves nothing: %s",
		    q->subject, why);
	return false;
}

static bool is_about(OCSP_SINGLERESP *single, const struct question *q)
{
	X509 *issuer = sk_X509_value(q->chain, sk_X509_num(q->chain) > 1 ? 1 : 0);
	const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
	ASN1_OBJECT *algorithm = NULL;
	OCSP_CERTID *ours;
	const EVP_MD *digest;
	bool same;

	if (!OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, (OCSP_CERTID *)id))
		return false;
	digest = EVP_get_digestbyobj(algorithm);
	ours = digest ? OCSP_cert_to_id(digest, q->leaf, issuer) : NULL;
	same = ours && !OCSP_id_cmp(ours, id);
	OCSP_CERTID_free(ours);
	return same;
}

static bool is_of_this_time(const struct question *q, const ASN1_GENERALIZEDTIME *from,
			    const ASN1_GENERALIZEDTIME *until)
{
	int64_t now = hv_tls_wall_clock(q->tls->context), first, last;
	char date[HV_TLS_DATE_TEXT], why[HV_TLS_DATE_TEXT + 32];

	if (!from || !hv_tls_seconds_of(from, &first))
		return bad_staple(q, "it has no date");
	if (now + SKEW_S < first) {
		hv_tls_text_date(from, date);
		BIO_snprintf(why, sizeof(why), "it does not hold before %s", date);
		return bad_staple(q, why);
	}
	if (until && (!hv_tls_seconds_of(until, &last) || now - SKEW_S > last)) {
		hv_tls_text_date(until, date);
		BIO_snprintf(why, sizeof(why), "it held until %s", date);
		return bad_staple(q, why);
	}
	return true;
}

static bool revoked(const struct question *q, int reason, const ASN1_GENERALIZEDTIME *when)
{
	char date[HV_TLS_DATE_TEXT];

	hv_tls_text_date(when, date);
	hv_tls_find(q->tls, HAVEN_TLS_ERROR_REVOKED,
		    "certificate of '%s' was revoked on %s (reason: %s), says the stapled OCSP "
		    "response",
		    q->subject, date, reason < 0 ? "none given" : OCSP_crl_reason_str(reason));
	return false;
}

static bool check_single(const struct question *q, OCSP_SINGLERESP *single)
{
	ASN1_GENERALIZEDTIME *when = NULL, *from = NULL, *until = NULL;
	int reason = -1;
	int status = OCSP_single_get0_status(single, &reason, &when, &from, &until);

	/* Once revoked is revoked for good, however old the news. */
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return revoked(q, reason, when);
	if (!is_of_this_time(q, from, until))
		return false;
	return status == V_OCSP_CERTSTATUS_GOOD ||
	       bad_staple(q, "the issuer does not know this certificate");
}

static bool check_basic(const struct question *q, OCSP_BASICRESP *basic)
{
	X509_STORE *store = SSL_CTX_get_cert_store(q->tls->context->ssl);

	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store),
				   (time_t)hv_tls_wall_clock(q->tls->context));
	if (OCSP_basic_verify(basic, q->chain, store, 0) != 1)
		return bad_staple(q, "it is not signed by the issuer");
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

		if (is_about(single, q))
			return check_single(q, single);
	}
	return bad_staple(q, "it is about another certificate");
}

static bool check_response(const struct question *q, const uint8_t *bytes, long size)
{
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &bytes, size);
	OCSP_BASICRESP *basic = NULL;
	bool good;

	if (!response)
		return bad_staple(q, "it cannot be read");
	if (OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(response);
	good = basic ? check_basic(q, basic)
		     : bad_staple(q, OCSP_response_status_str(OCSP_response_status(response)));
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	return good;
}

static int client_status(SSL *ssl)
{
	struct haven_tls *tls = hv_tls_of(ssl);
	struct question question = {.tls = tls, .chain = SSL_get0_verified_chain(ssl)};
	const uint8_t *bytes = NULL;
	long size;
	bool good;

	if (tls->context->verify != HAVEN_TLS_VERIFY || sk_X509_num(question.chain) < 1)
		return 1;
	question.leaf = sk_X509_value(question.chain, 0);
	hv_tls_text_subject(question.leaf, question.subject);
	size = SSL_get_tlsext_status_ocsp_resp(ssl, &bytes);
	good = size > 0 && bytes ? check_response(&question, bytes, size)
				 : no_staple(&question);
	ERR_clear_error();
	return good;
}

static int server_status(SSL *ssl, const struct haven_tls_context *context)
{
	const struct hv_tls_identity *identity =
		hv_tls_identity_of(context, SSL_get_certificate(ssl));
	uint8_t *copy;

	if (!identity || !identity->staple)
		return SSL_TLSEXT_ERR_NOACK;
	/* OpenSSL owns it, and frees it. */
	copy = OPENSSL_memdup(identity->staple, identity->staple_size);
	if (!copy)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)identity->staple_size);
	return SSL_TLSEXT_ERR_OK;
}

int hv_tls_on_status(SSL *ssl, void *user)
{
	const struct haven_tls_context *context = user;

	return context->role == HAVEN_TLS_SERVER ? server_status(ssl, context)
						 : client_status(ssl);
}
