/*
 * TLS as the options of connect and listen have it: contexts out of files, and what a connection tells to --explain. All that those
 * two have to do with <haven/tls.h> is here.
 */
#ifndef HV_CLI_CONNECT_TLS_H
#define HV_CLI_CONNECT_TLS_H

#include <haven/tls.h>

#include "cli/connect.h"
#include "cli/explain.h"

#define HV_TLS_TEXT 512

/* default_alpn: offered when --alpn was not given; NULL: none. False with a line in error. */
bool hv_tls_make_context(const struct hv_connect_settings *settings, enum haven_tls_role role,
			 const char *default_alpn, struct haven_tls_context **out,
			 char error[HV_TLS_TEXT]);
/* NULL is allowed. */
void hv_tls_destroy_context(struct haven_tls_context *context);

/* As haven_tls_attach(). False with a line in error. */
bool hv_tls_attach(struct haven_socket *socket, struct haven_tls_context *context,
		   const char *server_name, char error[HV_TLS_TEXT]);

/* How TLS on this socket has failed, NULL: it has not, or there is none. */
const char *hv_tls_failure(const struct haven_socket *socket);

/* The handshake on this socket is complete: version, cipher, certificates, checks. */
void hv_tls_explain(const struct hv_explain *explain, const struct haven_socket *socket,
		    enum haven_tls_role role, const char *asked_for);

#endif
