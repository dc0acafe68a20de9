/*
 * TLS at published ports (`-p 8443:80/tls`): whom haven is there, and whom it lets in.
 *
 * Certificates come from files (--tls-cert, --tls-key), which are looked at once a second; new connections have what stands in them
 * now. What cannot be used (half of it is written, the key is another's) is told, and what there was goes on. Without files the local
 * authority signs them (tls_local.h), as soon as a port is published with TLS.
 */
#ifndef HV_GATEWAY_TLS_IN_H
#define HV_GATEWAY_TLS_IN_H

#include "gateway/tls_identity.h"

struct hv_gateway;
struct hv_gateway_config;
struct hv_gateway_error;

struct hv_tls_in_config {
	const struct hv_tls_pair *pairs; /* must live as long as the gateway */
	unsigned pair_count;		 /* 0: the local authority's */
	const char *
		client_ca; /* clients must show a certificate of these authorities; NULL: not asked for */
};

/* gateway->tls_in. Files are read here. 0, or a negative errno with error->text set. */
int hv_tls_in_create(struct hv_gateway *gateway, const struct hv_gateway_config *config,
		     struct hv_gateway_error *error);
void hv_tls_in_destroy(struct hv_gateway *gateway);

/* A port is about to be published with TLS: there is a certificate from here on. As above. */
int hv_tls_in_need(struct hv_gateway *gateway, struct hv_gateway_error *error);
/* For a connection to such a port that begins now. */
struct haven_tls_context *hv_tls_in_context(const struct hv_gateway *gateway);

#endif
