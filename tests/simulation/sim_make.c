/*
 * Makes the hosts and wires of a plan; and hosts that vanish without a word and come back with no memory of
 * what they were part of.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

socklen_t sim_address(unsigned wire, bool hub, bool v6, uint16_t port,
		      struct sockaddr_storage *address)
{
	memset(address, 0, sizeof(*address));
	if (v6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		in6->sin6_addr.s6_addr[0] = 0xfd;
		in6->sin6_addr.s6_addr[7] = (uint8_t)wire;
		in6->sin6_addr.s6_addr[15] = hub ? 1 : 2;
		return sizeof(*in6);
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)address;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		in->sin_addr.s_addr = htonl(0x0a000000 + wire * 256 + (hub ? 1 : 2));
		return sizeof(*in);
	}
}

socklen_t sim_host_address(const struct sim *sim, unsigned host, unsigned seen_from, bool v6,
			   uint16_t port, struct sockaddr_storage *address)
{
	(void)sim;
	if (host != 0)
		return sim_address(host, false, v6, port, address);
	return sim_address(seen_from ? seen_from : 1, true, v6, port, address);
}

/* Before the trouble begins nothing may fail: a network that is not there tests nothing. */
static void must(const struct sim *sim, int result, const char *what)
{
	if (result < 0)
		sim_fail(sim, "%s: %s", what, haven_strerror(result));
}

static void make_host(struct sim *sim, unsigned index)
{
	const struct sim_host_plan *plan = &sim->plan.host[index];
	struct sim_host *host = &sim->host[index];
	struct haven_stack_config config;

	test_env_init(&host->env, test_random64(&sim->random));
	host->env.log_to_stderr = sim->verbose;
	haven_stack_config_init(&config);
	config.env = test_env_haven(&host->env);
	config.send_buffer_bytes = plan->send_buffer;
	config.receive_buffer_bytes = plan->receive_buffer;
	config.max_sockets = plan->max_sockets;
	config.max_time_wait = plan->max_time_wait;
	config.max_neighbours = plan->max_neighbours;
	config.max_requests = plan->max_requests;
	config.congestion_control = plan->congestion_control;
	config.ecn = plan->ecn;
	config.mtu_probing = plan->mtu_probing;
	config.time_wait_ns = plan->time_wait_ns;
	config.privileged = true;
	config.accept_any_address = plan->forwarder;
	config.router = plan->forwarder;
	must(sim, haven_stack_create(&config, &host->stack), "haven_stack_create");
	haven_set_time(host->stack, sim->now_ns);
	if (plan->forwarder)
		sim_forwarder_set(sim, index);
}

static void write_capture(void *user, const void *data, size_t size)
{
	fwrite(data, 1, size, user);
}

/* What host 0 puts on the wire and gets from it, wrappers of that end already behind it. */
static struct haven_link *capture(struct sim *sim, struct haven_link *link, unsigned wire)
{
	char path[4096];
	FILE *file;

	if (!sim->capture)
		return link;
	snprintf(path, sizeof(path), "%s.%u.pcapng", sim->capture, wire);
	file = fopen(path, "w");
	if (!file)
		sim_fail(sim, "cannot write %s", path);
	setvbuf(file, NULL, _IONBF, 0);
	must(sim, haven_link_capture(sim->host[0].stack, link, write_capture, file, 0, &link),
	     "haven_link_capture");
	return link;
}

static void plug(struct sim *sim, unsigned index, struct haven_link *link, unsigned wire)
{
	struct sim_host *host = &sim->host[index];
	struct sockaddr_storage address, gateway;
	unsigned ifindex;

	must(sim, haven_stack_attach(host->stack, link, &ifindex), "haven_stack_attach");
	host->links[ifindex - 1] = link;
	host->link_count = ifindex;
	for (int v6 = 0; v6 < 2; v6++) {
		if (!(v6 ? sim->plan.v6 : sim->plan.v4))
			continue;
		sim_address(wire, index == 0, v6, 0, &address);
		must(sim,
		     haven_address_add(host->stack, ifindex, (struct sockaddr *)&address,
				       v6 ? 64 : 24),
		     "haven_address_add");
		if (index == 0)
			continue;
		sim_address(wire, true, v6, 0, &gateway);
		memset(&address, 0, sizeof(address));
		address.ss_family = v6 ? AF_INET6 : AF_INET;
		must(sim,
		     haven_route_add(host->stack, ifindex, (struct sockaddr *)&address, 0,
				     (struct sockaddr *)&gateway),
		     "haven_route_add");
	}
}

static void plug_far(struct sim *sim, unsigned index, struct haven_link *link)
{
	const struct sim_wire_plan *plan = &sim->plan.wire[index];

	if (plan->fault_b)
		must(sim,
		     haven_link_fault(sim->host[index].stack, link, &plan->in_b, &plan->out_b,
				      &link),
		     "haven_link_fault");
	plug(sim, index, link, index);
}

static void config_of(const struct sim_wire_plan *plan, struct haven_link_config *config)
{
	haven_link_config_init(config);
	config->mtu = plan->mtu;
	config->offloads = plan->offloads;
}

static void make_wire(struct sim *sim, unsigned index)
{
	const struct sim_wire_plan *plan = &sim->plan.wire[index];
	struct haven_stack *a = sim->host[0].stack, *b = sim->host[index].stack;
	struct haven_link_config config;
	struct haven_link *link_a, *link_b;

	config_of(plan, &config);
	if (plan->path)
		must(sim, sim_path_make(sim, index, &config, &link_a, &link_b), "a path");
	else
		must(sim, haven_link_pair(a, b, &config, plan->queue_packets, &link_a, &link_b),
		     "haven_link_pair");
	if (plan->fault_a)
		must(sim, haven_link_fault(a, link_a, &plan->in_a, &plan->out_a, &link_a),
		     "haven_link_fault");
	link_a = capture(sim, link_a, index);
	plug(sim, 0, link_a, index);
	plug_far(sim, index, link_b);
}

/* From here on memory is scarce, when the plan says so. */
static void begin(struct sim *sim, unsigned index)
{
	const struct sim_host_plan *plan = &sim->plan.host[index];
	struct sim_host *host = &sim->host[index];
	struct haven_stats stats;

	haven_stack_stats(host->stack, &stats);
	host->memory_at_start = stats.memory_bytes;
	if (sim->now_ns >= sim->plan.calm_ns)
		return;
	host->env.fail_ppm = plan->fail_ppm;
	if (plan->limit_headroom)
		host->env.limit_bytes = host->env.live_bytes + plan->limit_headroom;
	if (plan->fail_nth) {
		test_env_fail(&host->env, plan->fail_nth);
		host->env.fail_span = plan->fail_span;
	}
}

void sim_world_make(struct sim *sim)
{
	sim->now_ns = sim->progress_ns = sim->plan.start_ns;
	for (unsigned i = 0; i < sim->plan.hosts; i++)
		make_host(sim, i);
	for (unsigned i = 1; i < sim->plan.hosts; i++)
		make_wire(sim, i);
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		sim_listeners_open(sim, i);
		sim_echoes_open(sim, i);
	}
	sim_senders_open(sim);
	sim_flows_draw(sim);
	for (unsigned i = 0; i < sim->plan.hosts; i++)
		begin(sim, i);
}

void sim_world_destroy(struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.hosts; i++)
		haven_stack_destroy(sim->host[i].stack);
	for (unsigned i = 0; i < sim->plan.hosts; i++)
		test_env_finish(&sim->host[i].env);
}

/* --- hosts that go and come back ------------------------------------------------------------ */

static void vanish(struct sim *sim, unsigned index)
{
	struct sim_host *host = &sim->host[index];

	sim_trace(sim, "host %u vanishes", index);
	for (unsigned i = 0; i < sim->end_count; i++) {
		struct sim_end *end = &sim->ends[i];

		if (end->host != index || end->fate != SIM_OPEN)
			continue;
		end->fate = SIM_VANISHED;
		end->socket = NULL;
		end->progress_ns = sim->now_ns;
	}
	sim_datagrams_forget(sim, index);
	sim_path_unplug(sim, index);
	haven_stack_destroy(host->stack);
	test_env_finish(&host->env);
	*host = (struct sim_host){0};
	sim->anybody_vanished = true;
}

static void come_back(struct sim *sim, unsigned index)
{
	struct haven_link_config config;
	struct haven_link *link;

	sim_trace(sim, "host %u is back", index);
	make_host(sim, index);
	config_of(&sim->plan.wire[index], &config);
	must(sim, sim_path_plug(sim, index, &config, &link), "a path");
	plug_far(sim, index, link);
	sim_listeners_open(sim, index);
	sim_echoes_open(sim, index);
	begin(sim, index);
}

void sim_hosts_run(struct sim *sim)
{
	for (unsigned i = 1; i < sim->plan.hosts; i++) {
		struct sim_host_plan *plan = &sim->plan.host[i];

		if (plan->vanish_ns <= sim->now_ns) {
			plan->vanish_ns = SIM_NEVER;
			vanish(sim, i);
		}
		if (plan->return_ns <= sim->now_ns) {
			plan->return_ns = SIM_NEVER;
			come_back(sim, i);
		}
	}
}

uint64_t sim_hosts_next(const struct sim *sim)
{
	uint64_t next = SIM_NEVER;

	for (unsigned i = 1; i < sim->plan.hosts; i++) {
		const struct sim_host_plan *plan = &sim->plan.host[i];

		if (plan->vanish_ns < next)
			next = plan->vanish_ns;
		if (plan->return_ns < next)
			next = plan->return_ns;
	}
	return next;
}
