/*
 * TCP from the guest to the host's network.
 *
 * The stack holds the guest's SYN (a request) while the host's connect goes on. The guest gets
 * its SYN-ACK when the other side has answered, or learns what the host learned: refused,
 * unreachable, prohibited, or nothing.
 */
#include "gateway/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "gateway/dns.h"
#include "gateway/name_gate.h"
#include "gateway/relay_tls.h"
#include "gateway/tls_out.h"

/* What a connection of the guest's asks of its host socket. */
static int open_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	/* The guest's Nagle has had its say; a peer that died must show in the end. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	return fd;
}

/* Returns a connecting socket or a negative errno. */
static int connect_host(const struct sockaddr_storage *host, socklen_t size)
{
	int fd = open_socket(host->ss_family);

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)host, size) < 0 && errno != EINPROGRESS) {
		int error = -errno;

		/* A host without an IPv6 address says so in this way too, not only when ports run out. */
		if (error == -EADDRNOTAVAIL && host->ss_family == AF_INET6)
			error = -ENETUNREACH;
		close(fd);
		return error;
	}
	return fd;
}

/*
 * Lack of descriptors, memory or ports on the host is no statement about the destination: the
 * guest is told nothing, and its next SYN may find that there is room again.
 */
static void refuse(struct hv_gateway *gateway, struct haven_request *request, int error)
{
	if (hv_gateway_lacks_resources(gateway, error))
		error = ETIMEDOUT;
	haven_request_refuse(request, error, NULL);
	gateway->stack_work = true;
}

/* flow: of what the policy has allowed; what it holds is the relay's from here on. */
static void begin(struct hv_gateway *gateway, struct haven_request *request,
		  struct hv_flow *flow, const struct haven_verdict *verdict, int fd)
{
	struct hv_relay *relay = NULL;
	int error = fd < 0 ? fd : -ENOMEM;

	if (fd >= 0)
		relay = hv_relay_new(gateway, fd, HV_FLOW_TCP_OUT);
	if (!relay) {
		hv_policy_leave(gateway, flow);
		refuse(gateway, request, -error);
		return;
	}
	hv_flow_take(&relay->flow, flow);
	relay->request = request;
	error = 0;
	if (verdict->name_check != HAVEN_NAME_FREE)
		error = hv_name_gate_create(relay, verdict);
	if (error == 0)
		error = hv_relay_start(relay);
	if (error < 0) {
		refuse(gateway, request, -error);
		hv_relay_discard(relay);
		return;
	}
	haven_request_set_user(request, relay);
}

/* The address policy has let it through; now the rules. */
static void ask_policy(struct hv_gateway *gateway, struct haven_request *request,
		       struct hv_flow *flow, const struct haven_endpoint *host)
{
	struct sockaddr_storage address;
	struct haven_verdict verdict;
	socklen_t size;

	if (hv_policy_ask(gateway, flow, NULL, &verdict) != HV_POLICY_ALLOWED) {
		hv_policy_refused(gateway, flow, &verdict, NULL, request);
		return;
	}
	size = haven_endpoint_to_sockaddr(host, &address);
	begin(gateway, request, flow, &verdict, connect_host(&address, size));
}

void hv_tcp_out_request(void *user, struct haven_request *request,
			const struct haven_endpoint *source,
			const struct haven_endpoint *destination)
{
	struct hv_gateway *gateway = user;
	struct hv_flow flow = {.kind = HV_FLOW_TCP_OUT,
			       .source = *source,
			       .destination = *destination};
	struct haven_endpoint host;

	if (!hv_flow_allowed(&gateway->flows, HV_FLOW_TCP_OUT)) {
		hv_gateway_limit_reached(gateway, HV_FLOW_TCP_OUT);
		haven_request_refuse(request, ETIMEDOUT, NULL);
		return;
	}
	switch (hv_policy_destination(&gateway->network, destination, &host)) {
	case HV_DESTINATION_HOST:
		ask_policy(gateway, request, &flow, &host);
		return;
	case HV_DESTINATION_DNS:
		hv_dns_tcp_request(gateway->dns, request, source, destination);
		return;
	case HV_DESTINATION_REFUSED:
		haven_request_refuse(request, ECONNREFUSED, NULL);
		return;
	case HV_DESTINATION_UNREACHABLE:
		haven_request_refuse(request, ENETUNREACH, NULL);
		return;
	case HV_DESTINATION_IGNORED:
		break;
	}
	haven_request_refuse(request, ETIMEDOUT, NULL);
}

void hv_tcp_out_cancelled(void *user, struct haven_request *request)
{
	struct hv_relay *relay = haven_request_user(request);

	if (!relay) {
		hv_refusal_cancelled(user, request);
		return;
	}
	relay->request = NULL;
	hv_relay_abort(relay, "given up by the guest");
}

static void host_refused(struct hv_relay *relay, int error)
{
	struct haven_request *request = relay->request;

	relay->request = NULL;
	refuse(relay->gateway, request, error);
	hv_relay_close(relay, strerror(error));
}

/* Both sides can be: the guest's SYN is answered. */
static void accept_guest(struct hv_relay *relay)
{
	struct hv_gateway *gateway = relay->gateway;
	int error = haven_request_accept(relay->request, &relay->socket);

	relay->request = NULL;
	gateway->stack_work = true;
	if (error < 0) {
		relay->socket = NULL;
		hv_relay_abort(relay, haven_strerror(error));
		return;
	}
	hv_relay_open(relay);
}

void hv_tcp_out_secured(struct hv_relay *relay)
{
	accept_guest(relay);
}

void hv_tcp_out_insecure(struct hv_relay *relay)
{
	refuse(relay->gateway, relay->request, ECONNREFUSED);
	relay->request = NULL;
	hv_relay_abort(relay, hv_relay_tls_reason(relay));
}

static void host_connected(struct hv_relay *relay)
{
	const struct hv_tls_target *target =
		hv_tls_out_target(relay->gateway, &relay->flow.destination);
	int error;

	if (!target) {
		accept_guest(relay);
		return;
	}
	error = hv_relay_tls_begin(relay, hv_tls_out_context(relay->gateway), target->name);
	if (error < 0)
		host_refused(relay, -error);
	else
		hv_relay_tls_secure(relay);
}

void hv_tcp_out_host_event(struct hv_relay *relay, uint32_t events)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (events & (EPOLLERR | EPOLLHUP)) {
		getsockopt(relay->source.fd, SOL_SOCKET, SO_ERROR, &error, &size);
		/* HUP without error: connected, and both directions ended at once. */
		if (error) {
			host_refused(relay, error);
			return;
		}
	}
	if (events & EPOLLOUT)
		host_connected(relay);
}
