/*
 * Names and dates of certificates as text. What comes out is printable ASCII, whatever was in the certificate: it goes into
 * logs and onto terminals. Buffers are always ended by NUL; what does not fit is cut.
 */
#ifndef HV_TLS_TLS_TEXT_H
#define HV_TLS_TLS_TEXT_H

#include "tls/tls_state.h"

/* Bytes of anybody: what is not printable becomes '?'. */
void hv_tls_text_bytes(const void *bytes, size_t size, char *out, size_t room);
/* A short name: the common name, else the first name it is for, else the whole subject. */
void hv_tls_text_subject(X509 *certificate, char out[HV_TLS_NAME_TEXT]);
void hv_tls_text_issuer(X509 *certificate, char out[HV_TLS_NAME_TEXT]);
/* As RFC 2253. */
void hv_tls_text_name(const X509_NAME *name, char *out, size_t room);
/* DNS names and IP addresses that it is for, "a.test, 192.0.2.1", "" for none; what does not fit is counted: ", 3 more". */
void hv_tls_text_names(const X509 *certificate, char *out, size_t room);
/* "2026-01-02 03:04:05 UTC" */
void hv_tls_text_date(const ASN1_TIME *time, char out[HV_TLS_DATE_TEXT]);
void hv_tls_text_seconds(int64_t seconds, char out[HV_TLS_DATE_TEXT]);
/* Seconds since 1970; false: it makes no sense. */
bool hv_tls_seconds_of(const ASN1_TIME *time, int64_t *seconds);

#endif
