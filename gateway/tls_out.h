/*
 * TLS outward (`--tls-out HOST:PORT`): what the guest sends to HOST:PORT in the clear leaves as TLS, with a server whose certificate
 * has been verified to be HOST's.
 *
 * HOST is an address, or a name. Of a name, all addresses count that haven's DNS has told the guest, for good: what the guest remembers for longer
 * than it should must not go out in the clear.
 */
#ifndef HV_GATEWAY_TLS_OUT_H
#define HV_GATEWAY_TLS_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <haven/filter.h>
#include <haven/tls.h>

struct hv_gateway;
struct hv_gateway_config;
struct hv_gateway_error;

#define HV_TLS_OUT_MAX 256
/* Of one name; then the one told first goes. */
#define HV_TLS_OUT_ADDRESSES 64

struct hv_tls_target {
	char name[HAVEN_NAME_SIZE]; /* as the certificate has to have it; lower case */
	bool is_address;
	uint8_t address[16]; /* of one that is */
	uint16_t port;
};

/* HOST:PORT, [ADDR]:PORT; PORT is a number or a service. False with what is wrong in error. */
bool hv_tls_target_parse(const char *text, struct hv_tls_target *target, char *error,
			 size_t error_size);

struct hv_tls_out_config {
	const struct hv_tls_target *targets;
	unsigned target_count;
	const char
		*ca; /* file of authorities that are trusted besides the system's; NULL: none */
};

/* gateway->tls_out; it stays NULL without targets. 0, or a negative errno with error->text set. */
int hv_tls_out_create(struct hv_gateway *gateway, const struct hv_gateway_config *config,
		      struct hv_gateway_error *error);
void hv_tls_out_destroy(struct hv_gateway *gateway);

/* DNS has told the guest that `name` has this address. */
void hv_tls_out_bound(struct hv_gateway *gateway, const char *name, const uint8_t address[16]);

/* The target that the guest connects to, the one whose name was told last; NULL: none, it goes in the clear. */
const struct hv_tls_target *hv_tls_out_target(const struct hv_gateway *gateway,
					      const struct haven_endpoint *destination);
struct haven_tls_context *hv_tls_out_context(const struct hv_gateway *gateway);

#endif
