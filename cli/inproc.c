/*
 * The client's stack beside the gateway's. See inproc.h.
 */
#include "cli/inproc.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/relay.h"

#define WIRE_MTU     65520
#define WIRE_PACKETS 4096
#define WIRE_BUDGET  64
#define ROUNDS	     8

#define PREFIX4 29
#define PREFIX6 64

/* --- the network ------------------------------------------------------------------------ */

static void set_family(struct hv_network_family *family, const char *network, unsigned prefix)
{
	uint8_t base[16];

	hv_address_parse(network, base);
	family->enabled = family->has_dns = family->has_host_loopback = true;
	family->prefix = (uint8_t)prefix;
	memcpy(family->gateway, base, 16);
	memcpy(family->guest, base, 16);
	memcpy(family->dns, base, 16);
	memcpy(family->host_loopback, base, 16);
	family->gateway[15] += 1;
	family->guest[15] += 2;
	family->dns[15] += 3;
	family->host_loopback[15] += 4;
}

static void set_network(struct hv_network *network)
{
	set_family(&network->v4, "192.0.0.0", PREFIX4);
	set_family(&network->v6, "fd68:6176:656e::", PREFIX6);
}

const struct hv_network_family *hv_inproc_family(const struct hv_inproc *inproc, bool v4)
{
	return v4 ? &inproc->gateway->network.v4 : &inproc->gateway->network.v6;
}

void hv_inproc_destination(struct hv_inproc *inproc, const struct haven_endpoint *host,
			   struct haven_endpoint *destination)
{
	struct hv_network *network = &inproc->gateway->network;
	bool unspecified = hv_address_is_unspecified(host->address);
	struct hv_network_family *family =
		hv_address_is_v4(host->address) ? &network->v4 : &network->v6;

	*destination = *host;
	if (!unspecified && !hv_address_is_loopback(host->address))
		return;
	/* "This host" of a connect is loopback, as Linux takes it. */
	memset(family->host_loopback_is, 0, 16);
	if (!unspecified)
		memcpy(family->host_loopback_is, host->address, 16);
	memcpy(destination->address, family->host_loopback, 16);
}

/* --- making ----------------------------------------------------------------------------- */

/* Blocks of pcapng, as haven_link_capture() hands them over, one at a time: of a packet this is behind type and length. */
enum {
	BLOCK_PACKET = 6,
	BLOCK_CAPTURED_AT = 20,
	BLOCK_DATA_AT = 28,
	FLAG_OUTBOUND = 2,
};

static uint32_t block_word(const uint8_t *block, size_t at)
{
	uint32_t word;

	memcpy(&word, block + at, sizeof(word));
	return word;
}

/* The capture says for each packet which way it went: the last option before the block's end. */
static void captured(void *user, const void *data, size_t size)
{
	const struct hv_inproc *inproc = user;
	const uint8_t *block = data;
	uint32_t direction;

	if (size < BLOCK_DATA_AT + 16 || block_word(block, 0) != BLOCK_PACKET)
		return;
	direction = block_word(block, size - 12);
	inproc->packet(inproc->packet_user, direction == FLAG_OUTBOUND, block + BLOCK_DATA_AT,
		       block_word(block, BLOCK_CAPTURED_AT));
}

static int create_stack(struct hv_inproc *inproc)
{
	struct haven_stack_config config;

	haven_stack_config_init(&config);
	config.privileged =
		true; /* `haven listen 80` listens on its port 80; the host's is a matter of the host */
	config.time_wait_ns = HV_INPROC_TIME_WAIT_NS;
	return haven_stack_create(&config, &inproc->stack);
}

static int add_family(struct hv_inproc *inproc, const struct hv_network_family *family)
{
	struct haven_endpoint endpoint = {0};
	struct sockaddr_storage address, any, gateway;
	int error;

	memcpy(endpoint.address, family->guest, 16);
	haven_endpoint_to_sockaddr(&endpoint, &address);
	error = haven_address_add(inproc->stack, inproc->ifindex, (struct sockaddr *)&address,
				  family->prefix);
	if (error < 0)
		return error;
	memcpy(endpoint.address, family->gateway, 16);
	haven_endpoint_to_sockaddr(&endpoint, &gateway);
	any = (struct sockaddr_storage){.ss_family = address.ss_family};
	return haven_route_add(inproc->stack, inproc->ifindex, (struct sockaddr *)&any, 0,
			       (struct sockaddr *)&gateway);
}

static int plug_in(struct hv_inproc *inproc, const struct hv_gateway_config *gateway,
		   struct hv_gateway_error *error)
{
	struct haven_link_config config;
	struct haven_link *far, *near;
	int failed;

	haven_link_config_init(&config);
	config.mtu = gateway->mtu;
	failed = haven_link_pair(inproc->gateway->stack, inproc->stack, &config, WIRE_PACKETS,
				 &far, &near);
	if (failed < 0)
		return failed;
	failed = hv_gateway_attach_link(inproc->gateway, far, gateway, error);
	if (failed < 0) {
		haven_link_destroy(near);
		return failed;
	}
	if (inproc->packet)
		failed = haven_link_capture(inproc->stack, near, captured, inproc, 0, &near);
	if (failed == 0)
		failed = haven_stack_attach(inproc->stack, near, &inproc->ifindex);
	if (failed == 0)
		failed = add_family(inproc, &gateway->network.v4);
	if (failed == 0)
		failed = add_family(inproc, &gateway->network.v6);
	return failed;
}

int hv_inproc_create(const struct hv_inproc_config *config, struct hv_inproc **out,
		     struct hv_gateway_error *error)
{
	struct hv_inproc *inproc = calloc(1, sizeof(*inproc));
	struct hv_gateway_config gateway = {.log = config->log, .mtu = WIRE_MTU};
	int failed = -ENOMEM;

	error->text[0] = '\0';
	set_network(&gateway.network);
	if (inproc) {
		inproc->packet = config->packet;
		inproc->packet_user = config->packet_user;
		failed = hv_gateway_create(&gateway, &inproc->gateway, error);
	}
	if (failed == 0)
		failed = create_stack(inproc);
	if (failed == 0)
		failed = plug_in(inproc, &gateway, error);
	if (failed < 0) {
		if (!error->text[0])
			snprintf(error->text, sizeof(error->text), "cannot start: %s",
				 haven_strerror(failed));
		hv_inproc_destroy(inproc);
		return failed;
	}
	haven_set_time(inproc->stack, hv_inproc_now(inproc));
	*out = inproc;
	return 0;
}

void hv_inproc_destroy(struct hv_inproc *inproc)
{
	if (!inproc)
		return;
	haven_stack_destroy(inproc->stack);
	hv_gateway_destroy(inproc->gateway);
	free(inproc);
}

/* --- turns ------------------------------------------------------------------------------ */

/* Readiness is asked for (haven_socket_events), but TLS does its handshake while the queue of it is drained. */
static bool drain_ready(struct hv_inproc *inproc)
{
	bool any = false;

	while (haven_next_ready(inproc->stack, NULL))
		any = true;
	return any;
}

int hv_inproc_turn(struct hv_inproc *inproc, uint64_t deadline_ns)
{
	uint64_t stack_ns = haven_next_deadline(inproc->stack);
	int error;

	if (inproc->work)
		haven_poll(inproc->stack, hv_inproc_now(inproc));
	if (inproc->work || stack_ns < deadline_ns)
		deadline_ns = inproc->work ? 0 : stack_ns;
	inproc->work = false;
	error = hv_gateway_turn(inproc->gateway, deadline_ns);
	if (error < 0)
		return error;
	haven_input(inproc->stack, inproc->ifindex, WIRE_BUDGET, hv_inproc_now(inproc));
	for (int round = 0; round < ROUNDS; round++) {
		haven_poll(inproc->stack, hv_inproc_now(inproc));
		if (!drain_ready(inproc))
			break;
	}
	return 0;
}

unsigned hv_inproc_wait(struct hv_inproc *inproc, const struct haven_socket *socket,
			unsigned events, uint64_t deadline_ns)
{
	unsigned now;

	inproc->work = true;
	while (!(now = haven_socket_events(socket) & events)) {
		if (hv_inproc_now(inproc) >= deadline_ns ||
		    hv_inproc_turn(inproc, deadline_ns) < 0)
			return 0;
	}
	return now;
}

struct hv_relay *hv_inproc_relay(const struct hv_inproc *inproc, uint16_t port,
				 const struct haven_endpoint *far)
{
	struct hv_relay *relay;

	TAILQ_FOREACH(relay, &inproc->gateway->relays, entry) {
		const struct hv_flow *flow = &relay->flow;
		bool in = flow->kind == HV_FLOW_TCP_IN;

		if ((in ? flow->destination.port : flow->source.port) == port &&
		    hv_endpoint_equal(in ? &flow->source : &flow->destination, far))
			return relay;
	}
	return NULL;
}

void hv_inproc_drain(struct hv_inproc *inproc, uint16_t port, const struct haven_endpoint *far,
		     uint64_t limit_ns)
{
	uint64_t end_ns = hv_inproc_now(inproc) + limit_ns;

	inproc->work = true;
	while (hv_inproc_relay(inproc, port, far) && hv_inproc_now(inproc) < end_ns) {
		if (hv_inproc_turn(inproc, end_ns) < 0)
			return;
	}
}

/* --- sockets ---------------------------------------------------------------------------- */

int hv_inproc_socket(struct hv_inproc *inproc, const uint8_t like[16], int type,
		     struct haven_socket **out)
{
	int domain = hv_address_is_v4(like) ? AF_INET : AF_INET6;

	return haven_socket(inproc->stack, domain, type, 0, out);
}
