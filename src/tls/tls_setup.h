/* OpenSSL's SSL_CTX, set up by our settings. */
#ifndef HV_TLS_TLS_SETUP_H
#define HV_TLS_TLS_SETUP_H

#include "tls/tls_state.h"

/* Errors: -EINVAL (*error), -ENOMEM. The context has its settings, its SSL_CTX, and its list of protocols. */
int hv_tls_setup(struct haven_tls_context *context, const struct haven_tls_config *config,
		 struct haven_tls_error *error);

#endif
