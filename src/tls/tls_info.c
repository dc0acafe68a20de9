/* What a connection tells about itself and about its peer. */
#include <haven/tls.h>

#include <string.h>

#include <openssl/x509v3.h>

#include "tls/tls_text.h"

const struct haven_tls_error *haven_tls_error(const struct haven_tls *tls)
{
	return &tls->error;
}

static const char *server_name_of(const struct haven_tls *tls)
{
	const char *name = tls->name;

	if (tls->context->role == HAVEN_TLS_SERVER)
		name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
	return name ? name : "";
}

const char *hv_tls_alpn_of(const struct haven_tls *tls)
{
	const struct haven_tls_context *context = tls->context;
	const unsigned char *chosen;
	unsigned size;

	SSL_get0_alpn_selected(tls->ssl, &chosen, &size);
	if (!size)
		return "";
	for (size_t at = 0; at < context->alpn_size; at += 1 + context->alpn[at]) {
		if (context->alpn[at] == size && !memcmp(context->alpn + at + 1, chosen, size))
			return (const char *)context->alpn + context->alpn_size + at;
	}
	return NULL;
}

static const char *or_none(const char *text)
{
	return text ? text : "";
}

static const char *group_of(SSL *ssl)
{
	long group = SSL_get_negotiated_group(ssl);

	return group > 0 ? or_none(SSL_group_to_name(ssl, (int)group)) : "";
}

/* The chain as the peer sent it; a server has its client's certificate apart from those behind it. */
static X509 *certificate_at(const struct haven_tls *tls, unsigned index)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls->ssl);
	unsigned behind = tls->context->role == HAVEN_TLS_SERVER ? 1 : 0;

	if (index == 0)
		return SSL_get0_peer_certificate(tls->ssl);
	return index - behind < (unsigned)sk_X509_num(chain) && chain
		       ? sk_X509_value(chain, (int)(index - behind))
		       : NULL;
}

static unsigned count_certificates(const struct haven_tls *tls)
{
	unsigned count = 0;

	while (certificate_at(tls, count))
		count++;
	return count;
}

void haven_tls_info(const struct haven_tls *tls, struct haven_tls_info *info)
{
	*info = (struct haven_tls_info){
		.version_name = "",
		.cipher = "",
		.group = "",
		.alpn = "",
		.connected = tls->connected,
		.finding = tls->finding,
		.server_name = server_name_of(tls),
	};
	if (!tls->connected)
		return;
	info->resumed = SSL_session_reused(tls->ssl);
	info->verified = tls->verified;
	info->version = (uint16_t)SSL_version(tls->ssl);
	info->version_name = SSL_get_version(tls->ssl);
	info->cipher = or_none(SSL_CIPHER_standard_name(SSL_get_current_cipher(tls->ssl)));
	info->group = group_of(tls->ssl);
	info->alpn = or_none(hv_tls_alpn_of(tls));
	info->certificate_count = count_certificates(tls);
}

static void serial_text(const X509 *certificate, char *out, size_t room)
{
	static const char digits[] = "0123456789abcdef";
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	const uint8_t *bytes = ASN1_STRING_get0_data(serial);
	size_t size = (size_t)ASN1_STRING_length(serial), at = 0;

	for (size_t i = 0; i < size && at + 3 <= room; i++) {
		out[at++] = digits[bytes[i] >> 4];
		out[at++] = digits[bytes[i] & 15];
	}
	out[at] = '\0';
}

bool haven_tls_certificate(const struct haven_tls *tls, unsigned index,
			   struct haven_tls_certificate_info *info)
{
	X509 *certificate = certificate_at(tls, index);
	unsigned size = sizeof(info->sha256);

	*info = (struct haven_tls_certificate_info){0};
	if (!certificate)
		return false;
	hv_tls_text_name(X509_get_subject_name(certificate), info->subject,
			 sizeof(info->subject));
	hv_tls_text_name(X509_get_issuer_name(certificate), info->issuer, sizeof(info->issuer));
	hv_tls_text_names(certificate, info->names, sizeof(info->names));
	serial_text(certificate, info->serial, sizeof(info->serial));
	hv_tls_seconds_of(X509_get0_notBefore(certificate), &info->not_before);
	hv_tls_seconds_of(X509_get0_notAfter(certificate), &info->not_after);
	X509_digest(certificate, EVP_sha256(), info->sha256, &size);
	ERR_clear_error();
	return true;
}
