/* Names and dates of certificates as text: see tls_text.h. */
#include "tls/tls_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

void hv_tls_text_bytes(const void *bytes, size_t size, char *out, size_t room)
{
	const uint8_t *from = bytes;

	if (size > room - 1)
		size = room - 1;
	for (size_t i = 0; i < size; i++)
		out[i] = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';
	out[size] = '\0';
}

static void string_text(const ASN1_STRING *string, char *out, size_t room)
{
	uint8_t *utf8 = NULL;
	int size = ASN1_STRING_to_UTF8(&utf8, string);

	hv_tls_text_bytes(utf8, size > 0 ? (size_t)size : 0, out, room);
	OPENSSL_free(utf8);
}

void hv_tls_text_name(const X509_NAME *name, char *out, size_t room)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long size;

	*out = '\0';
	if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0) {
		BIO_free(bio);
		return;
	}
	size = BIO_get_mem_data(bio, &text);
	if (size > 0)
		hv_tls_text_bytes(text, (size_t)size, out, room);
	BIO_free(bio);
}

/* The common name; else the organisation's and all else. */
static void short_name(const X509_NAME *name, char *out, size_t room)
{
	int at = -1, next;

	while ((next = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
		at = next; /* the last one is the most specific */
	if (at >= 0)
		string_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)), out, room);
	else
		hv_tls_text_name(name, out, room);
}

void hv_tls_text_subject(X509 *certificate, char out[HV_TLS_NAME_TEXT])
{
	short_name(X509_get_subject_name(certificate), out, HV_TLS_NAME_TEXT);
	if (!*out)
		hv_tls_text_names(certificate, out, HV_TLS_NAME_TEXT);
	if (!*out)
		snprintf(out, HV_TLS_NAME_TEXT, "(no name)");
}

void hv_tls_text_issuer(X509 *certificate, char out[HV_TLS_NAME_TEXT])
{
	short_name(X509_get_issuer_name(certificate), out, HV_TLS_NAME_TEXT);
	if (!*out)
		snprintf(out, HV_TLS_NAME_TEXT, "(no name)");
}

/* False: neither a host's name nor its address. */
static bool general_name_text(const GENERAL_NAME *name, char *out, size_t room)
{
	const uint8_t *bytes;
	int size;

	if (name->type == GEN_DNS) {
		hv_tls_text_bytes(ASN1_STRING_get0_data(name->d.dNSName),
				  (size_t)ASN1_STRING_length(name->d.dNSName), out, room);
		return true;
	}
	if (name->type != GEN_IPADD)
		return false;
	bytes = ASN1_STRING_get0_data(name->d.iPAddress);
	size = ASN1_STRING_length(name->d.iPAddress);
	if (size != 4 && size != 16)
		return false;
	return inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, out, (socklen_t)room);
}

/* Append where ", N more" still fits behind it. */
static bool append_name(const char *name, char *out, size_t room)
{
	enum { MORE_BYTES = 16 };
	size_t used = strlen(out);

	if (used + strlen(name) + 2 + MORE_BYTES > room)
		return false;
	snprintf(out + used, room - used, "%s%s", used ? ", " : "", name);
	return true;
}

void hv_tls_text_names(const X509 *certificate, char *out, size_t room)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	unsigned left_out = 0;

	*out = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		char one[HAVEN_TLS_NAME_SIZE];

		if (general_name_text(sk_GENERAL_NAME_value(names, i), one, sizeof(one)) &&
		    !append_name(one, out, room))
			left_out++;
	}
	if (left_out) {
		size_t used = strlen(out);

		snprintf(out + used, room - used, "%s%u more", used ? ", " : "", left_out);
	}
	GENERAL_NAMES_free(names);
}

void hv_tls_text_date(const ASN1_TIME *time, char out[HV_TLS_DATE_TEXT])
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1) {
		snprintf(out, HV_TLS_DATE_TEXT, "(no date)");
		return;
	}
	snprintf(out, HV_TLS_DATE_TEXT, "%04d-%02d-%02d %02d:%02d:%02d UTC", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void hv_tls_text_seconds(int64_t seconds, char out[HV_TLS_DATE_TEXT])
{
	ASN1_TIME *time = ASN1_TIME_set(NULL, seconds);

	if (time)
		hv_tls_text_date(time, out);
	else
		snprintf(out, HV_TLS_DATE_TEXT, "(no date)");
	ASN1_TIME_free(time);
}

bool hv_tls_seconds_of(const ASN1_TIME *time, int64_t *seconds)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, rest = 0, ok;

	ok = epoch && ASN1_TIME_diff(&days, &rest, epoch, time);
	ASN1_TIME_free(epoch);
	*seconds = (int64_t)days * 86400 + rest;
	return ok;
}
