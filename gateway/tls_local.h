/*
 * Certificates of the local authority (authority.h), for ports that are published with TLS where no files were given: one for what this
 * machine is called, made anew before it expires and when its addresses change, and one for each other name that a client asks
 * for and the authority may sign: those below localhost, test and haven, and of `haven ca --renew --name`. No certificate can be for them
 * beforehand ("*.localhost" is taken by no client).
 */
#ifndef HV_GATEWAY_TLS_LOCAL_H
#define HV_GATEWAY_TLS_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <haven/tls.h>

/* Names that were asked for and are kept; then the oldest makes way. */
#define HV_TLS_LOCAL_NAMES 64

struct hv_tls_local;

/* network: its name, or NULL. 0, or a negative errno with one line in error. */
int hv_tls_local_open(const char *network, struct hv_tls_local **out, char *error, size_t size);
/* NULL is allowed. */
void hv_tls_local_close(struct hv_tls_local *local);

/* Whether the machine is called otherwise than its certificate says, or that ends soon. */
bool hv_tls_local_is_stale(const struct hv_tls_local *local, time_t now);
/* Make them all anew. As hv_tls_local_open(); on an error those of before stay. */
int hv_tls_local_renew(struct hv_tls_local *local, char *error, size_t size);
/* A client asks for this name. True: there is a certificate for it now. */
bool hv_tls_local_add(struct hv_tls_local *local, const char *name);

/* Valid until the next call. */
const struct haven_tls_identity *hv_tls_local_identities(const struct hv_tls_local *local,
							 unsigned *count);

#endif
