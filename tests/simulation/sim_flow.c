/* Who connects to whom: clients, listeners, and a forwarder that answers later. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "sim.h"

/* --- listeners ------------------------------------------------------------------------------ */

int sim_listener_open(struct sim *sim, unsigned index, bool v6)
{
	struct sim_host *host = &sim->host[index];
	struct haven_socket *listener = NULL;
	struct sockaddr_storage any;
	socklen_t length = sim_address(0, false, v6, SIM_STREAM_PORT, &any);
	int one = 1, fast_open = sim->plan.host[index].fast_open ? 8 : 0, error;

	if (v6)
		memset(&((struct sockaddr_in6 *)&any)->sin6_addr, 0, 16);
	else
		((struct sockaddr_in *)&any)->sin_addr.s_addr = 0;
	error = haven_socket(host->stack, v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0, &listener);
	if (!error)
		error = haven_setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!error && v6)
		error = haven_setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &one,
					 sizeof(one));
	if (!error)
		error = haven_bind(listener, (struct sockaddr *)&any, length);
	if (!error)
		error = haven_setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &fast_open,
					 sizeof(fast_open));
	if (!error)
		error = haven_listen(listener, sim->plan.host[index].backlog);
	if (error)
		haven_close(listener);
	else
		host->listener[v6] = listener;
	return error;
}

void sim_listeners_open(struct sim *sim, unsigned host)
{
	for (int v6 = 0; v6 < 2; v6++) {
		int error = 0;

		if (v6 ? sim->plan.v6 : sim->plan.v4)
			error = sim_listener_open(sim, host, v6);
		if (error)
			sim_fail(sim, "a listener: %s", haven_strerror(error));
	}
}

void sim_listeners_close(struct sim *sim)
{
	sim->closing = true;
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		struct sim_host_plan *plan = &sim->plan.host[i];

		plan->vanish_ns = plan->return_ns = SIM_NEVER; /* it stays as it is now */
		for (int v6 = 0; v6 < 2; v6++) {
			haven_close(sim->host[i].listener[v6]);
			sim->host[i].listener[v6] = NULL;
		}
	}
}

void sim_host_accept(struct sim *sim, unsigned index)
{
	struct sim_host *host = &sim->host[index];

	if (host->accept_after_ns > sim->now_ns)
		return;
	for (int v6 = 0; v6 < 2; v6++) {
		struct haven_socket *socket;
		struct sockaddr_storage peer;
		socklen_t length = sizeof(peer);
		int error;

		if (!host->listener[v6])
			continue;
		while (!(error = haven_accept(host->listener[v6], (struct sockaddr *)&peer,
					      &length, &socket))) {
			sim_end_run(sim_end_new(sim, index, socket, NULL));
			length = sizeof(peer);
		}
		if (error == -EAGAIN)
			continue;
		if (!sim->plan.trouble)
			sim_fail(sim, "haven_accept: %s", haven_strerror(error));
		host->accept_after_ns = sim->now_ns + SIM_SECOND;
	}
	if (sim->plan.rude && test_random_one_in(&sim->random, 100))
		host->accept_after_ns =
			sim->now_ns + test_random_below(&sim->random, 20 * SIM_SECOND);
}

/* --- the forwarder ---------------------------------------------------------------------------- */

static void request_arrived(void *user, struct haven_request *request,
			    const struct haven_endpoint *source,
			    const struct haven_endpoint *destination)
{
	struct sim *sim = user;

	(void)source;
	for (unsigned i = 0; i < SIM_REQUESTS_MAX; i++) {
		struct sim_request *slot = &sim->requests[i];

		if (slot->request)
			continue;
		*slot = (struct sim_request){
			.request = request,
			.host = 0,
			.port = destination->port,
			.answer_ns =
				sim->now_ns +
				(test_random_one_in(&sim->random, 3)
					 ? 0
					 : test_random_below(&sim->random, 2 * SIM_SECOND)),
		};
		haven_request_set_user(request, slot);
		return;
	}
	haven_request_refuse(request, ECONNREFUSED, NULL);
}

static void request_cancelled(void *user, struct haven_request *request)
{
	struct sim_request *slot = haven_request_user(request);

	(void)user;
	slot->request = NULL;
}

void sim_forwarder_set(struct sim *sim, unsigned host)
{
	const struct haven_forwarder forwarder = {
		.user = sim,
		.tcp = request_arrived,
		.tcp_cancelled = request_cancelled,
	};

	haven_stack_set_forwarder(sim->host[host].stack, &forwarder);
}

static void answer(struct sim *sim, struct sim_request *slot)
{
	static const int refusals[] = {ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, EACCES,
				       ETIMEDOUT};
	struct haven_request *request = slot->request;
	struct haven_socket *socket;
	int error;

	slot->request = NULL;
	if (slot->port == SIM_CLOSED_PORT) {
		haven_request_refuse(request, ECONNREFUSED, NULL);
	} else if (slot->port >= SIM_REFUSED_PORT) {
		haven_request_refuse(request, refusals[slot->port % 5], NULL);
	} else {
		error = haven_request_accept(request, &socket);
		if (!error)
			sim_end_new(sim, slot->host, socket, NULL);
		else if (!sim->plan.trouble)
			sim_fail(sim, "haven_request_accept: %s", haven_strerror(error));
	}
}

/* --- clients ----------------------------------------------------------------------------------- */

static void draw_flow(struct sim *sim, struct sim_flow *flow)
{
	struct test_random *random = &sim->random;
	unsigned spoke = 1 + (unsigned)test_random_below(random, sim->plan.hosts - 1);

	flow->v6 = sim->plan.v6 && (!sim->plan.v4 || test_random_one_in(random, 2));
	flow->start_ns = sim->now_ns + test_random_below(random, 3 * SIM_SECOND);
	flow->client = spoke;
	flow->port = SIM_STREAM_PORT;
	if (test_random_one_in(random, 2)) {
		flow->client = 0;
		flow->server = spoke;
	}
	switch (test_random_below(random, 12)) {
	case 0:
		flow->kind = SIM_FLOW_CLOSED_PORT;
		flow->port = SIM_CLOSED_PORT;
		break;
	case 1:
		flow->kind = SIM_FLOW_NO_HOST;
		break;
	case 2:
		flow->server = flow->client; /* to itself */
		break;
	case 6:
		flow->kind = SIM_FLOW_CROSSING;
		break;
	case 3:
	case 4:
	case 5:
		if (!sim->plan.host[0].forwarder)
			break;
		flow->kind = SIM_FLOW_FORWARDED;
		flow->client = spoke;
		flow->server = 0;
		flow->port = 1 + (uint16_t)test_random_below(random, 2 * SIM_REFUSED_PORT);
		if (flow->port == SIM_CLOSED_PORT || flow->port == SIM_STREAM_PORT)
			flow->port = 443;
		break;
	default:
		break;
	}
}

/* The other one of two that connect to each other. */
static void draw_crossing(struct sim *sim, struct sim_flow *flow, struct sim_flow *other)
{
	flow->own_port = (uint16_t)(10000 + 2 * (flow - sim->flows));
	flow->port = flow->own_port + 1;
	*other = *flow;
	other->client = flow->server;
	other->server = flow->client;
	other->own_port = flow->port;
	other->port = flow->own_port;
	if (test_random_one_in(&sim->random, 2))
		other->start_ns += test_random_below(&sim->random, 100 * SIM_MS);
}

void sim_flows_draw(struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.flows; i++) {
		draw_flow(sim, &sim->flows[i]);
		if (sim->flows[i].kind != SIM_FLOW_CROSSING)
			continue;
		if (i + 1 == sim->plan.flows) {
			sim->flows[i].kind = SIM_FLOW_LISTENER;
			break;
		}
		draw_crossing(sim, &sim->flows[i], &sim->flows[i + 1]);
		i++;
	}
}

static socklen_t destination(const struct sim *sim, const struct sim_flow *flow,
			     struct sockaddr_storage *to)
{
	unsigned wire = flow->client ? flow->client : flow->server;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
	struct sockaddr_in *in = (struct sockaddr_in *)to;
	socklen_t length =
		sim_host_address(sim, flow->server, flow->client, flow->v6, flow->port, to);

	if (flow->kind == SIM_FLOW_NO_HOST) {
		length = sim_address(wire ? wire : 1, false, flow->v6, flow->port, to);
		if (flow->v6)
			in6->sin6_addr.s6_addr[15] = 77;
		else
			in->sin_addr.s_addr = htonl(ntohl(in->sin_addr.s_addr) + 75);
	} else if (flow->kind == SIM_FLOW_FORWARDED) {
		if (flow->v6)
			inet_pton(AF_INET6, "2001:db8::7", &in6->sin6_addr);
		else
			inet_pton(AF_INET, "198.51.100.7", &in->sin_addr);
	}
	return length;
}

static bool may_fail_at_once(const struct sim *sim, const struct sim_flow *flow, bool bound,
			     int error)
{
	/* A port of our own choice may be that of another connection to the same place, or of a
	 * request that the forwarder holds. */
	if (bound && error == -EADDRINUSE)
		return true;
	if (sim->plan.trouble)
		return error == -ENOMEM || error == -EMFILE || error == -ENOBUFS ||
		       error == -EHOSTUNREACH || error == -ENETUNREACH;
	return flow->kind == SIM_FLOW_NO_HOST && error == -EHOSTUNREACH;
}

static void start(struct sim *sim, struct sim_flow *flow)
{
	struct haven_stack *stack = sim->host[flow->client].stack;
	struct haven_socket *socket = NULL;
	struct sockaddr_storage to, local;
	socklen_t to_length = destination(sim, flow, &to), length;
	int error, one = 1;
	bool bound = false;

	flow->started = true;
	if (!stack)
		return;
	error = haven_socket(stack, flow->v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0, &socket);
	if (!error && (flow->own_port || test_random_one_in(&sim->random, 5))) {
		uint16_t port =
			flow->own_port ? flow->own_port
				       : (uint16_t)test_random_range(&sim->random, 1000, 65535);

		length = sim_host_address(sim, flow->client, flow->server, flow->v6, port,
					  &local);
		error = haven_bind(socket, (struct sockaddr *)&local, length);
		bound = error == 0;
		if (error == -EADDRINUSE && !flow->own_port)
			error = 0;
	}
	if (!error) {
		flow->end = sim_end_new(sim, flow->client, socket, flow);
		if (sim->plan.host[flow->client].fast_open)
			haven_setsockopt(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one,
					 sizeof(one));
		error = haven_connect(socket, (struct sockaddr *)&to, to_length);
		if (error == -EINPROGRESS)
			return;
		if (error == 0) { /* nothing has been sent: its first data goes with the SYN */
			flow->end->fast = true;
			sim_end_run(flow->end);
			return;
		}
		flow->end->fate = SIM_FAILED;
		flow->end->socket = NULL;
		flow->end->error = -error;
	}
	haven_close(socket);
	if (error == 0 || !may_fail_at_once(sim, flow, bound, error))
		sim_fail(sim, "cannot connect: %s", haven_strerror(error));
}

void sim_flows_run(struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.flows; i++) {
		if (!sim->flows[i].started && sim->flows[i].start_ns <= sim->now_ns)
			start(sim, &sim->flows[i]);
	}
	for (unsigned i = 0; i < SIM_REQUESTS_MAX; i++) {
		if (sim->requests[i].request && sim->requests[i].answer_ns <= sim->now_ns)
			answer(sim, &sim->requests[i]);
	}
}

uint64_t sim_flows_next(const struct sim *sim)
{
	uint64_t next = SIM_NEVER;

	for (unsigned i = 0; i < sim->plan.flows; i++) {
		if (!sim->flows[i].started && sim->flows[i].start_ns < next)
			next = sim->flows[i].start_ns;
	}
	for (unsigned i = 0; i < SIM_REQUESTS_MAX; i++) {
		if (sim->requests[i].request && sim->requests[i].answer_ns < next)
			next = sim->requests[i].answer_ns;
	}
	return next;
}
