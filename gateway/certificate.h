/*
 * X.509 certificates (RFC 5280) of the two kinds that the local authority is about: its own, and a server's. OpenSSL does the work. Where a
 * pointer is returned, NULL says that OpenSSL could not; it has no memory then, or no randomness.
 */
#ifndef HV_GATEWAY_CERTIFICATE_H
#define HV_GATEWAY_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509v3.h>

#define HV_CERTIFICATE_AUTHORITY_SECONDS (INT64_C(3652) * 86400) /* ten years */

/* P-256, which every client of TLS 1.2 and 1.3 knows (RFC 8446 section 9.1). */
EVP_PKEY *hv_certificate_new_key(void);

/*
 * An authority that signs itself, valid from a day before `now` (seconds since 1970). permitted: host names that it is bound to, with
 * all under them.
 */
X509 *hv_certificate_new_authority(EVP_PKEY *key, const char *const *permitted, size_t count,
				   int64_t now);

/* Who signs. */
struct hv_certificate_issuer {
	X509 *certificate;
	EVP_PKEY *key;
};

/* A name in a certificate: host name, "*." and a host name, or textual IP address. NULL also when it is none. */
GENERAL_NAME *hv_certificate_name(const char *text);

/* A TLS server's, valid from an hour before `now` until not_after. The names stay the caller's. */
X509 *hv_certificate_new_leaf(const struct hv_certificate_issuer *issuer, EVP_PKEY *key,
			      GENERAL_NAMES *names, int64_t now, int64_t not_after);

/* Whether the constraints of an authority (NULL: none) let it sign this name. Only its permitted host names are looked at. */
bool hv_certificate_permits(const NAME_CONSTRAINTS *constraints, const GENERAL_NAME *name);
/* The i-th of those; NULL: no more. */
const char *hv_certificate_permitted(const NAME_CONSTRAINTS *constraints, size_t i);

/* Seconds since 1970. */
int64_t hv_certificate_time(const ASN1_TIME *time);

/* PEM, from malloc. A key is to be wiped. */
char *hv_certificate_pem(X509 *certificate);
char *hv_certificate_pem_key(EVP_PKEY *key);

#endif
