/*
 * HTTP/1.1 (RFC 9112) for one GET: the request of an http or https URL, and the body of its answer on standard output.
 */
#ifndef HV_CLI_FETCH_H
#define HV_CLI_FETCH_H

#include "cli/exchange.h"
#include "cli/http_answer.h"

/* The socket is connected, with TLS where that is wanted. What haven exits with. */
int hv_fetch(struct hv_exchange *exchange);

#endif
