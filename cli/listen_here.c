/*
 * haven listen [ADDR:]PORT: a port of the host, published into a stack of this process, where a socket listens. See connect.h and
 * inproc.h.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/exchange.h"
#include "gateway/publish.h"
#include "gateway/relay.h"
#include "gateway/services.h"

#define BACKLOG 64

/* Where the client's stack listens, in both families: at the host's port, or for a port that is chosen, at one of its own. */
struct listening {
	struct haven_socket *v4, *v6;
	uint16_t port;	    /* of the client's stack */
	uint16_t host_port; /* of the host */
};

/* --- listening -------------------------------------------------------------------------- */

static int listen_in(struct hv_exchange *exchange, const uint8_t address[16], uint16_t port,
		     struct haven_socket **out)
{
	struct haven_endpoint endpoint = {.port = port};
	struct sockaddr_storage sockaddr;
	socklen_t size;
	int on = 1;
	int error = hv_inproc_socket(exchange->inproc, address,
				     exchange->target.udp ? SOCK_DGRAM : SOCK_STREAM, out);

	if (error < 0)
		return error;
	memcpy(endpoint.address, address, 16);
	size = haven_endpoint_to_sockaddr(&endpoint, &sockaddr);
	if (!hv_address_is_v4(address))
		haven_setsockopt(*out, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	error = haven_bind(*out, (struct sockaddr *)&sockaddr, size);
	if (error == 0 && !exchange->target.udp)
		error = haven_listen(*out, BACKLOG);
	return error;
}

static int listen_inside(struct hv_exchange *exchange, struct listening *listening)
{
	const struct hv_network *network = &exchange->inproc->gateway->network;
	struct sockaddr_storage address;
	struct haven_endpoint own = {0};
	socklen_t size = sizeof(address);
	int error =
		listen_in(exchange, network->v4.guest, exchange->target.port, &listening->v4);

	if (error == 0)
		error = haven_getsockname(listening->v4, (struct sockaddr *)&address, &size);
	if (error == 0)
		error = haven_endpoint_from_sockaddr((struct sockaddr *)&address, &own);
	if (error < 0)
		return error;
	listening->port = own.port;
	return listen_in(exchange, network->v6.guest, own.port, &listening->v6);
}

static void take_port(void *user, const struct hv_published *published)
{
	struct listening *listening = user;

	listening->host_port = published->host.port;
}

/* The host's port: 0, or what haven exits with. */
static int publish(struct hv_exchange *exchange, struct listening *listening)
{
	const struct hv_target *target = &exchange->target;
	struct hv_publication publication = {
		.any_address = target->family == AF_UNSPEC,
		.host_first = target->port,
		.host_last = target->port,
		.guest_first = listening->port,
		.guest_last = listening->port,
		.protocol = target->udp ? IPPROTO_UDP : IPPROTO_TCP,
	};
	struct hv_gateway_error error = {0};
	const struct hv_connect_settings *settings = exchange->settings;
	uint8_t any[16] = {0};

	if (settings->v4_only || settings->v6_only) {
		publication.any_address = false;
		if (settings->v4_only)
			hv_address_parse("0.0.0.0", any);
	}
	if (target->family != AF_UNSPEC)
		hv_address_parse(target->host, publication.address);
	else
		memcpy(publication.address, any, 16);
	if (hv_publish_add(exchange->inproc->gateway, &publication, take_port, listening,
			   &error) < 0)
		return hv_exchange_fail(exchange, "%s", error.text);
	return 0;
}

static void tell_listening(struct hv_exchange *exchange, const struct listening *listening)
{
	const char *transport = exchange->target.udp ? "UDP" : "TCP";
	char port[HV_PORT_TEXT], own[HV_ENDPOINT_TEXT];
	struct haven_endpoint inside = {.port = listening->port};

	if (exchange->target.port == 0)
		hv_log_notice(exchange->log, "listening at port %u", listening->host_port);
	if (!exchange->explain.on)
		return;
	memcpy(inside.address, exchange->inproc->gateway->network.v4.guest, 16);
	hv_explain_step(
		&exchange->explain, "listen",
		json_pack("{s:i, s:s, s:s}", "port", (int)listening->host_port, "transport",
			  transport, "inside", hv_endpoint_text(&inside, own)),
		"%s port %s; what comes there is connected with %s of haven's own network",
		transport,
		hv_explain_port(listening->host_port,
				exchange->target.udp ? HAVEN_SERVICE_UDP : HAVEN_SERVICE_TCP,
				port),
		own);
}

/* --- a connection ----------------------------------------------------------------------- */

/* The host's end of it knows who came: the client's stack may see the gateway in its place. */
static void tell_peer(struct hv_exchange *exchange)
{
	const struct hv_relay *relay =
		hv_inproc_relay(exchange->inproc, exchange->port, &exchange->far);
	char who[HV_ENDPOINT_TEXT], as[HV_ENDPOINT_TEXT], port[HV_PORT_TEXT];

	if (!exchange->explain.on || !relay)
		return;
	hv_explain_step(&exchange->explain, "accepted",
			json_pack("{s:s, s:s}", "peer", hv_endpoint_text(&relay->peer, who),
				  "seen_as", hv_endpoint_text(&exchange->far, as)),
			"from %s (its port: %s); inside it is seen as %s", who,
			hv_explain_port(relay->peer.port, HAVEN_SERVICE_TCP, port), as);
	hv_host_side_connected(&exchange->host_side, &exchange->explain, relay);
}

/* The next connection is exchange->socket. 0, or what haven exits with. */
static int accept_one(struct hv_exchange *exchange, const struct listening *listening)
{
	struct hv_inproc *inproc = exchange->inproc;
	struct sockaddr_storage peer;
	socklen_t size;
	int error;

	for (;;) {
		size = sizeof(peer);
		error = haven_accept(listening->v4, (struct sockaddr *)&peer, &size,
				     &exchange->socket);
		if (error == -EAGAIN) {
			size = sizeof(peer);
			error = haven_accept(listening->v6, (struct sockaddr *)&peer, &size,
					     &exchange->socket);
		}
		if (error != -EAGAIN)
			break;
		error = hv_inproc_turn(inproc, UINT64_MAX);
		if (error < 0)
			return hv_exchange_fail(exchange, "cannot wait for events: %s",
						strerror(-error));
	}
	if (error < 0)
		return hv_exchange_fail(exchange, "cannot accept a connection: %s",
					haven_strerror(error));
	haven_endpoint_from_sockaddr((struct sockaddr *)&peer, &exchange->far);
	/* One that came while another was served: its handshake was not looked at. */
	if (!hv_endpoint_equal(&exchange->watch.far, &exchange->far))
		hv_packet_watch_begin(&exchange->watch, listening->port, &exchange->far);
	tell_peer(exchange);
	return 0;
}

static int serve_one(struct hv_exchange *exchange, const struct listening *listening)
{
	int status = accept_one(exchange, listening);

	if (status != 0)
		return status;
	hv_exchange_set_deadline(exchange);
	status = hv_exchange_tls(exchange);
	if (status == 0)
		status = hv_exchange_stream(exchange);
	/* An alert of TLS tells the peer why; but what we could not send must not look whole. */
	hv_exchange_close(exchange, status == HV_EXIT_FAILED);
	return status;
}

/* A peer that fails is told of, and does not end the others. */
static int serve(struct hv_exchange *exchange, const struct listening *listening)
{
	int status;

	do {
		exchange->host_side.known = false;
		exchange->port = listening->port;
		hv_packet_watch_begin(&exchange->watch, listening->port, NULL);
		status = serve_one(exchange, listening);
	} while (exchange->settings->keep && status != HV_EXIT_FAILED);
	return status;
}

/* --- datagrams -------------------------------------------------------------------------- */

/* The first datagram says who the peer is: the socket is connected with it, and then reads it. */
static int serve_datagrams(struct hv_exchange *exchange, struct listening *listening)
{
	struct sockaddr_storage peer;
	struct haven_endpoint seen = {0};
	char who[HV_ENDPOINT_TEXT];
	socklen_t size;
	uint8_t byte;
	ssize_t got;
	int error;

	for (;;) {
		exchange->socket = listening->v4;
		size = sizeof(peer);
		got = haven_recvfrom(listening->v4, &byte, 1, MSG_PEEK,
				     (struct sockaddr *)&peer, &size);
		if (got == -EAGAIN) {
			exchange->socket = listening->v6;
			size = sizeof(peer);
			got = haven_recvfrom(listening->v6, &byte, 1, MSG_PEEK,
					     (struct sockaddr *)&peer, &size);
		}
		if (got != -EAGAIN)
			break;
		exchange->socket = NULL;
		if (hv_inproc_turn(exchange->inproc, UINT64_MAX) < 0)
			return hv_exchange_fail(exchange, "cannot wait for events");
	}
	error = haven_connect(exchange->socket, (struct sockaddr *)&peer, size);
	if (error < 0)
		return hv_exchange_fail(exchange, "cannot answer: %s", haven_strerror(error));
	*(exchange->socket == listening->v4 ? &listening->v4 : &listening->v6) = NULL;
	haven_endpoint_from_sockaddr((struct sockaddr *)&peer, &seen);
	hv_explain_step(&exchange->explain, "peer", NULL,
			"the first datagram is from %s, as it is seen inside",
			hv_endpoint_text(&seen, who));
	return hv_exchange_datagrams(exchange);
}

/* --- the whole -------------------------------------------------------------------------- */

static int run(struct hv_exchange *exchange)
{
	struct listening listening = {0};
	int status, error;

	status = hv_exchange_begin(exchange);
	if (status != 0)
		return status;
	error = listen_inside(exchange, &listening);
	if (error < 0)
		return hv_exchange_fail(exchange, "cannot listen: %s", haven_strerror(error));
	status = publish(exchange, &listening);
	if (status != 0)
		return status;
	tell_listening(exchange, &listening);
	if (exchange->target.udp)
		status = serve_datagrams(exchange, &listening);
	else
		status = serve(exchange, &listening);
	haven_close(listening.v4);
	haven_close(listening.v6);
	return status;
}

int hv_listen_here(const char *target, const struct hv_connect_settings *settings,
		   const struct hv_log *log)
{
	struct hv_exchange exchange = {
		.settings = settings,
		.log = log,
		.gateway_log = *log,
		.services = hv_services_load(HV_SERVICES_PATH),
		.role = HAVEN_TLS_SERVER,
		.name = "the peer",
	};
	char error[HV_TARGET_ERROR];
	int status;

	/* What it would say of a port that it chose names the guest's. */
	exchange.gateway_log.level = HV_LOG_ERROR;
	hv_explain_init(&exchange.explain, settings->explain, settings->json);
	if (hv_target_parse_listen(exchange.services, target, settings->udp, &exchange.target,
				   error)) {
		exchange.target.tls = settings->tls;
		status = run(&exchange);
	} else {
		status = hv_exchange_fail(&exchange, "%s", error);
	}
	hv_exchange_end(&exchange);
	return status;
}
