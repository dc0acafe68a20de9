/* How a connection fails, and what is said about it. */
#ifndef HV_TLS_TLS_ERROR_H
#define HV_TLS_TLS_ERROR_H

#include "tls/tls_state.h"

/* The connection is over: the first failure counts, later ones are passed over. Returns the errno for calls, negative. */
int hv_tls_fail(struct haven_tls *tls, enum haven_tls_error_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* OpenSSL gave this up (its error queue says why). */
int hv_tls_fail_by_openssl(struct haven_tls *tls);
/* The transport under it failed: negative errno. */
int hv_tls_fail_by_transport(struct haven_tls *tls, int error);

/* What is wrong with the peer's certificate or wishes, found within one of OpenSSL's callbacks; the first one counts. */
void hv_tls_find(struct haven_tls *tls, enum haven_tls_error_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
