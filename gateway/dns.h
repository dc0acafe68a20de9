/*
 * DNS at the gateway's address: questions of the guest go on to the host's resolvers.
 *
 * Over UDP each question gets a host socket of its own, so a source port and an identifier that
 * nobody can guess (RFC 5452), and the next resolver when one does not answer or says
 * that it cannot (SERVFAIL, NOTIMP, REFUSED). Over TCP the connection is relayed to the first resolver that takes
 * it (tcp_out.c). Messages pass as they are; EDNS, DNSSEC and truncation are between guest and resolver.
 */
#ifndef HV_GATEWAY_DNS_H
#define HV_GATEWAY_DNS_H

#include "gateway/gateway.h"

int hv_dns_create(struct hv_gateway *gateway);
void hv_dns_destroy(struct hv_gateway *gateway);

/* A question of the guest, to the gateway's DNS address. */
void hv_dns_query(struct hv_dns *dns, const struct haven_datagram *datagram);

/* The resolver to try as the index-th; returns the size of its address, 0 when there are no more. */
socklen_t hv_dns_server(struct hv_dns *dns, unsigned index, struct sockaddr_storage *address);

#endif
