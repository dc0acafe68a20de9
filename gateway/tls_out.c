/*
 * Which connections of the guest leave as TLS, and how their servers are verified. See tls_out.h.
 */
#include "gateway/tls_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/gateway.h"
#include "gateway/host_name.h"
#include "gateway/relay_tls.h"
#include "gateway/services.h"
#include "gateway/tls_identity.h"

/* --- the option ------------------------------------------------------------------------- */

static bool wrong(char *error, size_t size, const char *reason)
{
	snprintf(error, size,
		 "%s; it is HOST:PORT, HOST a name or an address, an IPv6 one in "
		 "brackets, PORT a number or a service",
		 reason);
	return false;
}

static bool parse_port(const char *text, uint16_t *port, char *error, size_t size)
{
	struct haven_services *services = hv_services_load(HV_SERVICES_PATH);
	struct haven_ports ports = {0};
	char reason[200];
	int failed = haven_ports_parse(services, text, strlen(text), HAVEN_SERVICE_TCP, &ports);

	if (failed == 0 && (ports.first == 0 || ports.first != ports.last))
		failed = -ERANGE;
	if (failed < 0)
		hv_services_explain(services, text, HAVEN_SERVICE_TCP, failed, reason,
				    sizeof(reason));
	haven_services_destroy(services);
	*port = ports.first;
	return failed == 0 || wrong(error, size, reason);
}

/* text: HOST, without its port. */
static bool parse_host(const char *text, size_t length, struct hv_tls_target *target)
{
	char address[HV_ENDPOINT_TEXT];
	bool brackets = length > 2 && text[0] == '[' && text[length - 1] == ']';

	if (brackets) {
		text++;
		length -= 2;
	}
	if (length < sizeof(address)) {
		memcpy(address, text, length);
		address[length] = '\0';
		target->is_address = hv_address_parse(address, target->address);
	}
	if (target->is_address) {
		snprintf(target->name, sizeof(target->name), "%s", address);
		return brackets != hv_address_is_v4(target->address);
	}
	return !brackets && hv_host_name((const uint8_t *)text, length, target->name);
}

bool hv_tls_target_parse(const char *text, struct hv_tls_target *target, char *error,
			 size_t error_size)
{
	const char *colon = strrchr(text, ':');

	*target = (struct hv_tls_target){0};
	if (!colon || colon[1] == ']' || strchr(colon, ']'))
		return wrong(error, error_size, "the port is missing");
	if (!parse_host(text, (size_t)(colon - text), target))
		return wrong(error, error_size, "the host is neither a name nor an address");
	return parse_port(colon + 1, &target->port, error, error_size);
}

/* --- which ------------------------------------------------------------------------------ */

/* What DNS has told of a target's name, in a ring. */
struct told {
	uint8_t addresses[HV_TLS_OUT_ADDRESSES][16];
	uint64_t numbers[HV_TLS_OUT_ADDRESSES]; /* when: of all that was told */
	unsigned count;				/* ever */
};

struct hv_tls_out {
	struct haven_tls_context *context;
	const struct hv_tls_target *targets;
	unsigned count;
	struct told *told; /* of each target */
	uint64_t number;
};

static unsigned kept(const struct told *told)
{
	return told->count < HV_TLS_OUT_ADDRESSES ? told->count : HV_TLS_OUT_ADDRESSES;
}

/* The place of an address, or -1. */
static int place_of(const struct told *told, const uint8_t address[16])
{
	for (unsigned i = 0; i < kept(told); i++) {
		if (hv_address_equal(told->addresses[i], address))
			return (int)i;
	}
	return -1;
}

static bool same_name(const char *name, const char *target)
{
	size_t length = strlen(target);

	return strncasecmp(name, target, length) == 0 &&
	       (name[length] == '\0' || strcmp(name + length, ".") == 0);
}

void hv_tls_out_bound(struct hv_gateway *gateway, const char *name, const uint8_t address[16])
{
	struct hv_tls_out *out = gateway->tls_out;

	for (unsigned i = 0; out && i < out->count; i++) {
		struct told *told = &out->told[i];
		int place;

		if (out->targets[i].is_address || !same_name(name, out->targets[i].name))
			continue;
		place = place_of(told, address);
		if (place < 0)
			place = (int)(told->count++ % HV_TLS_OUT_ADDRESSES);
		memcpy(told->addresses[place], address, 16);
		told->numbers[place] = ++out->number;
	}
}

/* When it was last told that the target has this address; 0: never. */
static uint64_t rank_of(const struct hv_tls_out *out, unsigned i, const uint8_t address[16])
{
	int place;

	if (out->targets[i].is_address)
		return hv_address_equal(out->targets[i].address, address) ? UINT64_MAX : 0;
	place = place_of(&out->told[i], address);
	return place < 0 ? 0 : out->told[i].numbers[place];
}

const struct hv_tls_target *hv_tls_out_target(const struct hv_gateway *gateway,
					      const struct haven_endpoint *destination)
{
	const struct hv_tls_out *out = gateway->tls_out;
	const struct hv_tls_target *best = NULL;
	uint64_t best_rank = 0;

	for (unsigned i = 0; out && i < out->count; i++) {
		uint64_t rank = rank_of(out, i, destination->address);

		if (out->targets[i].port != destination->port || rank <= best_rank)
			continue;
		best = &out->targets[i];
		best_rank = rank;
	}
	return best;
}

/* --- life ------------------------------------------------------------------------------- */

struct haven_tls_context *hv_tls_out_context(const struct hv_gateway *gateway)
{
	return gateway->tls_out->context;
}

static int create_context(struct hv_tls_out *out, const char *ca,
			  struct hv_gateway_error *error)
{
	struct hv_tls_file file = {0};
	struct haven_tls_config config;
	struct haven_tls_error fault;
	int failed = 0;

	haven_tls_config_init(&config, HAVEN_TLS_CLIENT);
	config.output_bytes = HV_RELAY_TLS_OUTPUT;
	if (ca) {
		failed = hv_tls_file_read(ca, &file, error->text, sizeof(error->text));
		config.trust = file.text;
		config.trust_size = file.size;
		config.system_trust = true;
	}
	if (failed < 0)
		return failed;
	failed = haven_tls_context_create(&config, &out->context, &fault);
	if (failed < 0)
		hv_tls_fault_text(&fault, ca, error->text, sizeof(error->text));
	hv_tls_file_free(&file);
	return failed;
}

int hv_tls_out_create(struct hv_gateway *gateway, const struct hv_gateway_config *config,
		      struct hv_gateway_error *error)
{
	struct hv_tls_out *out;

	if (config->tls_out.target_count == 0)
		return 0;
	out = calloc(1, sizeof(*out));
	if (!out)
		return -ENOMEM;
	gateway->tls_out = out;
	out->targets = config->tls_out.targets;
	out->count = config->tls_out.target_count;
	out->told = calloc(out->count, sizeof(*out->told));
	if (!out->told)
		return -ENOMEM;
	return create_context(out, config->tls_out.ca, error);
}

void hv_tls_out_destroy(struct hv_gateway *gateway)
{
	struct hv_tls_out *out = gateway->tls_out;

	if (!out)
		return;
	haven_tls_context_destroy(out->context);
	free(out->told);
	free(out);
	gateway->tls_out = NULL;
}
