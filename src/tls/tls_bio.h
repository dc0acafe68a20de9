/* Where OpenSSL reads and writes: two places in memory. */
#ifndef HV_TLS_TLS_BIO_H
#define HV_TLS_TLS_BIO_H

#include "tls/tls_state.h"

/* NULL: no memory. To be freed with BIO_meth_free(). */
BIO_METHOD *hv_tls_bio_method(void);
/* Let the connection's SSL read from tls->in and write to tls->out. False: no memory. */
bool hv_tls_bio_set(struct haven_tls *tls);

#endif
