/*
 * TCP from the host to the guest: connections to published ports, and those of 'haven connect'.
 *
 * The guest is connected to from the address and port of whoever came, so that its servers log and
 * judge the real client. Where the guest could not answer that address (loopback, an address of
 * its own link), or the pair of endpoints is still in use, the gateway's address stands in.
 *
 * A guest that refuses in the client's address family is asked in the other: the host's
 * "localhost" is ::1 first, and many servers listen on IPv4 alone.
 */
#include "gateway/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "gateway/relay_tls.h"
#include "gateway/tls_in.h"

static int open_guest_socket(struct haven_stack *stack, const struct haven_endpoint *source,
			     struct haven_socket **out)
{
	struct sockaddr_storage address;
	socklen_t size = haven_endpoint_to_sockaddr(source, &address);
	int on = 1;
	int error = haven_socket(stack, address.ss_family, SOCK_STREAM, 0, out);

	if (error < 0)
		return error;
	haven_setsockopt(*out, SOL_HAVEN, HAVEN_SO_TRANSPARENT, &on, sizeof(on));
	haven_setsockopt(*out, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Port 0 is chosen with the connection: one that is new towards this guest. */
	haven_setsockopt(*out, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	error = haven_bind(*out, (struct sockaddr *)&address, size);
	if (error < 0)
		haven_close(*out);
	return error;
}

/* 0 (connecting), or a negative errno. */
static int connect_from(struct hv_relay *relay, const struct haven_endpoint *source)
{
	struct haven_socket *socket;
	struct sockaddr_storage address;
	socklen_t size = haven_endpoint_to_sockaddr(&relay->flow.destination, &address);
	int error = open_guest_socket(relay->gateway->stack, source, &socket);

	if (error < 0)
		return error;
	error = haven_connect(socket, (struct sockaddr *)&address, size);
	if (error < 0 && error != -EINPROGRESS) {
		haven_close(socket);
		return error;
	}
	haven_socket_set_user(socket, &relay->user);
	haven_socket_set_owner(socket, relay->flow.host_port);
	relay->socket = socket;
	size = sizeof(address);
	if (haven_getsockname(socket, (struct sockaddr *)&address, &size) == 0)
		haven_endpoint_from_sockaddr((struct sockaddr *)&address, &relay->flow.source);
	relay->gateway->stack_work = true;
	return 0;
}

/* Towards the flow's destination, in `family`: from the peer's own address when that can be, else the gateway's. */
static int connect_guest(struct hv_relay *relay, const struct hv_network_family *family)
{
	const struct hv_network *network = &relay->gateway->network;
	struct haven_endpoint source = relay->peer;
	int error = -EADDRINUSE;

	if (hv_network_family_of(network, relay->peer.address) == family &&
	    hv_policy_keeps_source(network, relay->peer.address))
		error = connect_from(relay, &source);
	memcpy(source.address, family->gateway, 16);
	if (error == -EADDRINUSE || error == -EADDRNOTAVAIL)
		error = connect_from(relay, &source);
	source.port = 0;
	if (error == -EADDRINUSE || error == -EADDRNOTAVAIL)
		error = connect_from(relay, &source);
	return error;
}

static const struct hv_network_family *other_family(const struct hv_relay *relay)
{
	const struct hv_network *network = &relay->gateway->network;

	return haven_endpoint_is_v4(&relay->flow.destination) ? &network->v6 : &network->v4;
}

/*
 * The host's kernel has accepted already, so a refusal shows as a reset, whether it is to be silent or not.
 */
static bool asked(struct hv_relay *relay)
{
	struct haven_verdict verdict;

	if (hv_policy_ask(relay->gateway, &relay->flow, &relay->peer, &verdict) ==
	    HV_POLICY_ALLOWED)
		return true;
	hv_policy_refused(relay->gateway, &relay->flow, &verdict, NULL, NULL);
	hv_relay_reset_host(relay);
	return false;
}

/* Where the guest is asked first: in the client's family, where it has that. */
static const struct hv_network_family *first_family(struct hv_relay *relay)
{
	const struct hv_network *network = &relay->gateway->network;
	const struct hv_network_family *family =
		hv_network_family_of(network, relay->peer.address);

	if (family->enabled)
		return family;
	relay->other_family_tried = true;
	return haven_endpoint_is_v4(&relay->peer) ? &network->v6 : &network->v4;
}

void hv_tcp_in_accept(struct hv_gateway *gateway, int fd, const struct haven_endpoint *peer,
		      uint16_t host_port, uint16_t guest_port, bool tls)
{
	struct hv_relay *relay = hv_relay_new(gateway, fd, HV_FLOW_TCP_IN);
	int error;

	if (!relay)
		return;
	relay->peer = *peer;
	relay->flow.peer = &relay->peer;
	relay->flow.source = *peer;
	relay->flow.host_port = host_port;
	relay->flow.destination.port = guest_port;
	memcpy(relay->flow.destination.address, first_family(relay)->guest, 16);
	if (!asked(relay)) {
		hv_relay_discard(relay);
		return;
	}
	error = hv_relay_start(relay);
	if (error < 0) {
		hv_relay_discard(relay);
		return;
	}
	if (tls)
		error = hv_relay_tls_begin(relay, hv_tls_in_context(gateway), NULL);
	else
		error = connect_guest(relay, first_family(relay));
	if (error < 0)
		hv_relay_abort(relay, haven_strerror(error));
}

void hv_tcp_in_secured(struct hv_relay *relay)
{
	int error;

	relay->phase = HV_RELAY_GUEST_CONNECTING;
	error = connect_guest(relay, first_family(relay));
	if (error < 0)
		hv_relay_abort(relay, haven_strerror(error));
}

void hv_tcp_in_insecure(struct hv_relay *relay)
{
	hv_relay_abort(relay, hv_relay_tls_reason(relay));
}

/* --- haven connect ---------------------------------------------------------------------- */

static int fail(struct hv_relay *relay, struct hv_gateway_error *error, int number,
		const char *text)
{
	snprintf(error->text, sizeof(error->text), "%s", text);
	hv_relay_discard(relay);
	return number;
}

/* The user of the network connects to it, so no port has to be published; what a rule says holds. */
static bool user_may(struct hv_relay *relay, struct hv_gateway_error *error)
{
	struct haven_verdict verdict;

	if (hv_policy_ask(relay->gateway, &relay->flow, NULL, &verdict) == HV_POLICY_ALLOWED)
		return true;
	hv_policy_refused(relay->gateway, &relay->flow, &verdict, NULL, NULL);
	hv_policy_reason(relay->gateway->policy, &verdict, error->text, sizeof(error->text));
	return false;
}

int hv_tcp_in_connect(struct hv_gateway *gateway, int fd,
		      const struct haven_endpoint *destination, bool any_family,
		      struct hv_relay **out, struct hv_gateway_error *error)
{
	struct hv_relay *relay = hv_relay_new(gateway, fd, HV_FLOW_TCP_IN);
	const struct hv_network_family *family;
	int failed;

	if (!relay) {
		snprintf(error->text, sizeof(error->text), "out of memory");
		return -ENOMEM;
	}
	family = hv_network_family_of(&gateway->network, destination->address);
	memcpy(relay->peer.address, family->gateway, 16);
	relay->other_family_tried = !any_family;
	relay->flow.by_command = true;
	relay->flow.source = relay->peer;
	relay->flow.destination = *destination;
	if (!user_may(relay, error)) {
		hv_relay_discard(relay);
		return -EACCES;
	}
	failed = connect_guest(relay, family);
	if (failed < 0)
		return fail(relay, error, failed, haven_strerror(failed));
	failed = hv_relay_start(relay);
	if (failed < 0) {
		haven_socket_set_user(relay->socket, NULL);
		haven_abort(relay->socket);
		return fail(relay, error, failed, strerror(-failed));
	}
	*out = relay;
	return 0;
}

/* --- the guest's answer ----------------------------------------------------------------- */

static void guest_refused(struct hv_relay *relay)
{
	const struct hv_network_family *other = other_family(relay);
	int error = 0;
	socklen_t size = sizeof(error);

	haven_getsockopt(relay->socket, SOL_SOCKET, SO_ERROR, &error, &size);
	if (!relay->other_family_tried && other->enabled && error != ETIMEDOUT) {
		relay->other_family_tried = true;
		haven_socket_set_user(relay->socket, NULL);
		haven_close(relay->socket);
		relay->socket = NULL;
		memcpy(relay->flow.destination.address, other->guest, 16);
		if (connect_guest(relay, other) == 0)
			return;
	}
	hv_relay_abort(relay, haven_strerror(error ? error : ECONNREFUSED));
}

void hv_tcp_in_guest_event(struct hv_relay *relay, unsigned events)
{
	if (events & HAVEN_EVENT_ERROR) {
		guest_refused(relay);
		return;
	}
	if (events & HAVEN_EVENT_CONNECTED) {
		hv_flow_ready(&relay->gateway->flows, &relay->flow,
			      relay->gateway->loop.now_ns);
		if (relay->watcher)
			relay->watcher->opened(relay->watcher);
		hv_relay_open(relay);
	}
}
