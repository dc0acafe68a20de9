/*
 * In place of tls_settings.c where the library is built without TLS: what takes TLS is refused, with a line.
 */
#include <stdio.h>

#include "cli/tls_settings.h"

bool hv_tls_make_context(const struct hv_connect_settings *settings, enum haven_tls_role role,
			 const char *default_alpn, struct haven_tls_context **out,
			 char error[HV_TLS_TEXT])
{
	(void)settings;
	(void)role;
	(void)default_alpn;
	*out = NULL;
	snprintf(error, HV_TLS_TEXT, "this haven was built without TLS");
	return false;
}

void hv_tls_destroy_context(struct haven_tls_context *context)
{
	(void)context;
}

bool hv_tls_attach(struct haven_socket *socket, struct haven_tls_context *context,
		   const char *server_name, char error[HV_TLS_TEXT])
{
	(void)socket;
	(void)context;
	(void)server_name;
	snprintf(error, HV_TLS_TEXT, "this haven was built without TLS");
	return false;
}

const char *hv_tls_failure(const struct haven_socket *socket)
{
	(void)socket;
	return NULL;
}

void hv_tls_explain(const struct hv_explain *explain, const struct haven_socket *socket,
		    enum haven_tls_role role, const char *asked_for)
{
	(void)explain;
	(void)socket;
	(void)role;
	(void)asked_for;
}
