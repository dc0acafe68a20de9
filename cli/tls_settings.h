/*
 * TLS as the options of connect and listen have it: contexts out of files, and what a connection tells to --explain.
 */
#ifndef HV_CLI_TLS_SETTINGS_H
#define HV_CLI_TLS_SETTINGS_H

#include <haven/tls.h>

#include "cli/connect.h"
#include "cli/explain.h"

#define HV_TLS_TEXT 512

/* default_alpn: offered when --alpn was not given; NULL: none. False with a line in error. */
bool hv_tls_make_context(const struct hv_connect_settings *settings, enum haven_tls_role role,
			 const char *default_alpn, struct haven_tls_context **out,
			 char error[HV_TLS_TEXT]);

/* The handshake is complete: version, cipher, certificates, checks. */
void hv_tls_explain(const struct hv_explain *explain, const struct haven_tls *tls,
		    enum haven_tls_role role, const char *asked_for);

#endif
