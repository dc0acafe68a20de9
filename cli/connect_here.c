/*
 * haven connect - TARGET: from a URL, or a host and a port, to bytes; all in this process. See connect.h and inproc.h.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "cli/exchange.h"
#include "cli/fetch.h"
#include "cli/resolve.h"
#include "gateway/relay.h"
#include "gateway/services.h"

/* --- explaining ------------------------------------------------------------------------- */

static void explain_target(const struct hv_exchange *exchange)
{
	const struct hv_target *target = &exchange->target;
	const char *transport = target->udp ? "UDP" : "TCP";
	char port[HV_PORT_TEXT];

	if (!exchange->explain.on)
		return;
	hv_explain_port(target->port, target->udp ? HAVEN_SERVICE_UDP : HAVEN_SERVICE_TCP,
			port);
	if (target->is_url)
		hv_explain_step(&exchange->explain, "scheme",
				json_pack("{s:s, s:s, s:s, s:b}", "scheme", target->scheme,
					  "service", target->service, "transport", transport,
					  "tls", (int)target->tls),
				"'%s' is service '%s' over %s, %s TLS%s", target->scheme,
				target->service, transport, target->tls ? "with" : "without",
				target->port_given ? ", at a port of its own here" : "");
	hv_explain_step(&exchange->explain, "target",
			json_pack("{s:s, s:i, s:s, s:b}", "host", target->host, "port",
				  (int)target->port, "transport", transport, "tls",
				  (int)target->tls),
			"host '%s', %s port %s%s", target->host, transport, port,
			target->tls ? "; in TLS" : "");
}

static void explain_port(const struct hv_exchange *exchange,
			 const struct haven_endpoint *destination,
			 const struct haven_endpoint *local)
{
	char to[HV_ENDPOINT_TEXT], from[HV_ENDPOINT_TEXT];
	struct haven_stack_config config;
	const char *how =
		" by a keyed hash of the destination and a counter (RFC 6056, algorithm 4)";

	if (!exchange->explain.on)
		return;
	if (exchange->target.udp)
		how = ", the first that is free from a random one on (RFC 6056 section 3.3.2)";
	haven_stack_config_init(&config); /* the range is left as it is by the client's stack */
	hv_explain_step(&exchange->explain, "port",
			json_pack("{s:s, s:i, s:s}", "local", hv_endpoint_text(local, from),
				  "port", (int)local->port, "destination",
				  hv_endpoint_text(destination, to)),
			"ephemeral port %u chosen from %u to %u%s: %s towards %s", local->port,
			config.ephemeral_first, config.ephemeral_last, how, from, to);
}

static void explain_destination(const struct hv_exchange *exchange,
				const struct haven_endpoint *host,
				const struct haven_endpoint *destination)
{
	char from[HV_ENDPOINT_TEXT], to[HV_ENDPOINT_TEXT];

	if (!hv_address_equal(host->address, destination->address))
		hv_explain_step(
			&exchange->explain, "loopback", NULL,
			"%s is this host's loopback; in haven's own network %s stands for it",
			hv_address_text(host->address, from),
			hv_address_text(destination->address, to));
}

/* The gateway has answered the client: because its own connection stands. */
static void answered(void *user)
{
	struct hv_exchange *exchange = user;

	hv_host_side_connected(&exchange->host_side, &exchange->explain,
			       hv_inproc_relay(exchange->inproc, exchange->port,
					       &exchange->far));
}

/* --- connecting ------------------------------------------------------------------------- */

/* What the connection attempt has come to: 0, or a negative errno. */
static int result_of(struct hv_exchange *exchange, unsigned events)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (events & HAVEN_EVENT_CONNECTED)
		return 0;
	if (events & HAVEN_EVENT_ERROR)
		haven_getsockopt(exchange->socket, SOL_SOCKET, SO_ERROR, &error, &size);
	else if (events & HAVEN_EVENT_SOFT_ERROR)
		haven_getsockopt(exchange->socket, SOL_HAVEN, HAVEN_SO_SOFT_ERROR, &error,
				 &size);
	return error ? -error : -ETIMEDOUT;
}

/*
 * An ICMP error is what the host's kernel said of the destination, once and for all: "unreachable" is no soft error here.
 * That the client's own SYN is not answered yet is one (ETIMEDOUT); the kernel is still trying then.
 */
static int wait_until_connected(struct hv_exchange *exchange, uint64_t deadline_ns)
{
	const unsigned wanted =
		HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR | HAVEN_EVENT_SOFT_ERROR;
	unsigned events;
	int error;

	events = hv_inproc_wait(exchange->inproc, exchange->socket, wanted, deadline_ns);
	error = result_of(exchange, events);
	if (error == -ETIMEDOUT && (events & HAVEN_EVENT_SOFT_ERROR)) {
		events = hv_inproc_wait(exchange->inproc, exchange->socket,
					HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR, deadline_ns);
		error = result_of(exchange, events);
	}
	return error;
}

/* 0 (streams: connecting), or a negative errno. */
static int begin_connecting(struct hv_exchange *exchange,
			    const struct haven_endpoint *destination)
{
	int type = exchange->target.udp ? SOCK_DGRAM : SOCK_STREAM;
	struct sockaddr_storage address;
	struct haven_endpoint local = {0};
	socklen_t size;
	int error = hv_inproc_socket(exchange->inproc, destination->address, type,
				     &exchange->socket);

	if (error < 0) {
		exchange->socket = NULL;
		return error;
	}
	size = haven_endpoint_to_sockaddr(destination, &address);
	error = haven_connect(exchange->socket, (struct sockaddr *)&address, size);
	if (error < 0 && error != -EINPROGRESS)
		return error;
	size = sizeof(address);
	if (haven_getsockname(exchange->socket, (struct sockaddr *)&address, &size) == 0)
		haven_endpoint_from_sockaddr((struct sockaddr *)&address, &local);
	explain_port(exchange, destination, &local);
	exchange->port = local.port;
	exchange->far = *destination;
	if (!exchange->target.udp)
		hv_packet_watch_begin(&exchange->watch, local.port, destination);
	return 0;
}

/* One address. 0, or a negative errno; then there is no socket. */
static int try_address(struct hv_exchange *exchange, const uint8_t address[16],
		       uint64_t deadline_ns)
{
	struct haven_endpoint host = {.port = exchange->target.port}, destination;
	int error;

	memcpy(host.address, address, 16);
	/* What the gateway forwards to nobody. */
	if (hv_address_is_link_local6(address) || hv_address_is_multicast(address))
		return -EAFNOSUPPORT;
	hv_inproc_destination(exchange->inproc, &host, &destination);
	explain_destination(exchange, &host, &destination);
	error = begin_connecting(exchange, &destination);
	if (error == 0 && !exchange->target.udp)
		error = wait_until_connected(exchange, deadline_ns);
	if (error < 0) {
		haven_abort(exchange->socket);
		exchange->socket = NULL;
		exchange->inproc->work = true;
	}
	return error;
}

static const char *why(int error, uint64_t timeout_ns, char text[128])
{
	if (error == -ETIMEDOUT && timeout_ns)
		snprintf(text, 128, "no answer in %g s", (double)timeout_ns / 1e9);
	else if (error == -EAFNOSUPPORT)
		snprintf(text, 128, "link-local and multicast addresses are not forwarded");
	else if (error == -EACCES || error == -EPERM)
		snprintf(text, 128, "prohibited by a firewall or a route");
	else
		snprintf(text, 128, "%s", haven_strerror(error));
	return text;
}

/* Each address has its share of the time that is left. */
static int try_all(struct hv_exchange *exchange, const struct hv_resolve *resolve)
{
	int error = -EHOSTUNREACH;

	for (unsigned i = 0; i < resolve->count; i++) {
		uint64_t now_ns = hv_inproc_now(exchange->inproc);
		uint64_t deadline_ns = exchange->deadline_ns;
		char text[128], address[HV_ENDPOINT_TEXT];

		if (deadline_ns != UINT64_MAX && deadline_ns > now_ns)
			deadline_ns = now_ns + (deadline_ns - now_ns) / (resolve->count - i);
		error = try_address(exchange, resolve->addresses[i], deadline_ns);
		if (error == 0)
			return 0;
		hv_explain_step(&exchange->explain, "failed", NULL, "%s: %s%s",
				hv_address_text(resolve->addresses[i], address),
				error == -ETIMEDOUT ? "no answer" : why(error, 0, text),
				i + 1 < resolve->count ? "; the next address" : "");
	}
	return error;
}

static int connect_to_target(struct hv_exchange *exchange)
{
	struct hv_resolve resolve = {
		.inproc = exchange->inproc,
		.explain = &exchange->explain,
		.host = exchange->target.host,
		.family = exchange->target.family,
		.v4_only = exchange->settings->v4_only,
		.v6_only = exchange->settings->v6_only,
		.deadline_ns = exchange->deadline_ns,
	};
	char text[128];
	int error;

	if (!hv_resolve(&resolve))
		return hv_exchange_refused(exchange, "%s", resolve.error);
	error = try_all(exchange, &resolve);
	if (error < 0)
		return hv_exchange_refused(exchange, "%s: %s", exchange->name,
					   why(error, exchange->settings->timeout_ns, text));
	return 0;
}

/* --- the whole -------------------------------------------------------------------------- */

static int run(struct hv_exchange *exchange)
{
	int status = hv_exchange_begin(exchange);

	if (status == 0)
		status = connect_to_target(exchange);
	if (status != 0)
		return status;
	status = hv_exchange_tls(exchange);
	if (status == 0 && exchange->target.udp)
		status = hv_exchange_datagrams(exchange);
	else if (status == 0)
		status = exchange->target.http ? hv_fetch(exchange)
					       : hv_exchange_stream(exchange);
	/* An alert of TLS tells the peer why; but what we could not send must not look whole. */
	hv_exchange_close(exchange, status == HV_EXIT_FAILED);
	return status;
}

int hv_connect_here(const char *target, const struct hv_connect_settings *settings,
		    const struct hv_log *log)
{
	struct hv_exchange exchange = {
		.settings = settings,
		.log = log,
		.gateway_log = *log,
		.services = hv_services_load(HV_SERVICES_PATH),
		.role = HAVEN_TLS_CLIENT,
	};
	char error[HV_TARGET_ERROR], name[HV_TARGET_TEXT];
	int status;

	hv_explain_init(&exchange.explain, settings->explain, settings->json);
	exchange.watch.answered = answered;
	exchange.watch.user = &exchange;
	if (hv_target_parse(exchange.services, target, settings->udp, &exchange.target,
			    error)) {
		exchange.name = hv_target_text(&exchange.target, name);
		explain_target(&exchange);
		status = run(&exchange);
	} else {
		status = hv_exchange_fail(&exchange, "%s", error);
	}
	hv_exchange_end(&exchange);
	return status;
}
