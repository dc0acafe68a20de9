/* Makes the hosts and wires of a plan, and turns them step by step. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

enum { STEPS_AT_ONE_TIME_MAX = 10000 };

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

static void make_wire(struct sim *sim, unsigned index)
{
	const struct sim_wire_plan *plan = &sim->plan.wire[index];
	struct haven_stack *a = sim->host[0].stack, *b = sim->host[index].stack;
	struct haven_link_config config;
	struct haven_link *link_a, *link_b;

	haven_link_config_init(&config);
	config.mtu = plan->mtu;
	config.offloads = plan->offloads;
	if (plan->path)
		must(sim, sim_path_make(sim, index, &config, &link_a, &link_b), "a path");
	else
		must(sim, haven_link_pair(a, b, &config, plan->queue_packets, &link_a, &link_b),
		     "haven_link_pair");
	if (plan->fault_a)
		must(sim, haven_link_fault(a, link_a, &plan->in_a, &plan->out_a, &link_a),
		     "haven_link_fault");
	if (plan->fault_b)
		must(sim, haven_link_fault(b, link_b, &plan->in_b, &plan->out_b, &link_b),
		     "haven_link_fault");
	link_a = capture(sim, link_a, index);
	plug(sim, 0, link_a, index);
	plug(sim, index, link_b, index);
}

void sim_world_make(struct sim *sim)
{
	sim->now_ns = sim->progress_ns = sim->plan.start_ns;
	for (unsigned i = 0; i < sim->plan.hosts; i++)
		make_host(sim, i);
	for (unsigned i = 1; i < sim->plan.hosts; i++)
		make_wire(sim, i);
	sim_listeners_open(sim);
	sim_datagrams_open(sim);
	sim_flows_draw(sim);
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		struct test_env *env = &sim->host[i].env;
		struct haven_stats stats;

		haven_stack_stats(sim->host[i].stack, &stats);
		sim->host[i].memory_at_start = stats.memory_bytes;
		env->fail_ppm = sim->plan.host[i].fail_ppm;
		if (sim->plan.host[i].limit_headroom)
			env->limit_bytes = env->live_bytes + sim->plan.host[i].limit_headroom;
	}
}

/* --- steps -------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_event(const struct sim *sim)
{
	uint64_t next = earlier(sim_flows_next(sim), sim_datagrams_next(sim));

	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		const struct sim_host *host = &sim->host[i];
		uint64_t due = haven_next_deadline(host->stack);

		if (due != SIM_NEVER && due < host->frozen_until_ns)
			due = host->frozen_until_ns;
		next = earlier(next, due);
		if (host->accept_after_ns > sim->now_ns)
			next = earlier(next, host->accept_after_ns);
	}
	for (unsigned i = 0; i < sim->end_count; i++) {
		if (sim->ends[i].fate == SIM_OPEN)
			next = earlier(next, sim->ends[i].wake_ns);
	}
	return next;
}

/* Hosts that stand still for a while, memory that is there again, a clock that jumps. */
static void trouble(struct sim *sim)
{
	struct sim_host *host;

	if (!sim->plan.trouble)
		return;
	if (sim->now_ns >= sim->plan.calm_ns) {
		for (unsigned i = 0; i < sim->plan.hosts; i++) {
			sim->host[i].env.fail_ppm = 0;
			sim->host[i].env.limit_bytes = 0;
		}
		return;
	}
	if (test_random_one_in(&sim->random, 2000)) {
		host = &sim->host[test_random_below(&sim->random, sim->plan.hosts)];
		host->frozen_until_ns =
			sim->now_ns + test_random_below(&sim->random, 20 * SIM_SECOND);
		sim_trace(sim, "a host freezes");
	}
	if (test_random_one_in(&sim->random, 20000)) {
		sim->now_ns += test_random_below(&sim->random, 180 * SIM_MINUTE);
		/* Nobody had a chance to do anything in this time. */
		for (unsigned i = 0; i < sim->end_count; i++)
			sim->ends[i].progress_ns = sim->now_ns;
		sim_trace(sim, "time jumps");
	}
}

static void drain_ready(struct sim *sim, unsigned index)
{
	struct sim_host *host = &sim->host[index];
	struct haven_socket *socket;
	unsigned events;

	while ((socket = haven_next_ready(host->stack, &events))) {
		struct sim_end *end = haven_socket_user(socket);

		if (end)
			sim_end_run(end);
		else if (socket == host->listener[0] || socket == host->listener[1])
			sim_host_accept(sim, index);
		else
			sim_datagram_ready(sim, index, socket);
	}
}

static void run_host(struct sim *sim, unsigned index)
{
	struct sim_host *host = &sim->host[index];

	if (host->frozen_until_ns > sim->now_ns)
		return;
	for (unsigned i = 0; i < host->link_count; i++) {
		unsigned budget = 1 + (unsigned)test_random_below(&sim->random, 64);
		int got = haven_input(host->stack, i + 1, budget, sim->now_ns);

		if (got < 0 || got > (int)budget)
			sim_fail(sim, "haven_input gave %d of %u", got, budget);
		sim->frames += (unsigned)got;
	}
	haven_poll(host->stack, sim->now_ns);
	drain_ready(sim, index);
	if (host->accept_after_ns <= sim->now_ns)
		sim_host_accept(sim, index);
}

static void run_programs(struct sim *sim)
{
	sim_flows_run(sim);
	sim_datagrams_run(sim);
	for (unsigned i = 0; i < sim->end_count; i++) {
		struct sim_end *end = &sim->ends[i];

		if (end->fate == SIM_OPEN && end->wake_ns <= sim->now_ns) {
			end->wake_ns = SIM_NEVER;
			sim_end_run(end);
		}
	}
}

bool sim_world_step(struct sim *sim, uint64_t limit_ns)
{
	uint64_t next = next_event(sim);
	unsigned first;

	if (next > limit_ns) {
		sim->now_ns = limit_ns;
		return false;
	}
	sim->steps++;
	sim->steps_here++;
	if (next > sim->now_ns) {
		sim->now_ns = next;
		sim->steps_here = 0;
		/* Who polls is sometimes late. */
		if (test_random_one_in(&sim->random, 8))
			sim->now_ns += test_random_below(&sim->random, SIM_MS);
	}
	if (sim->bytes > sim->bytes_here) {
		/* Wires without delay: all of a stream may pass in no time. */
		sim->bytes_here = sim->bytes;
		sim->steps_here = 0;
	}
	if (sim->steps_here > STEPS_AT_ONE_TIME_MAX)
		sim_fail(sim, "storm: %d steps that moved neither time nor bytes",
			 STEPS_AT_ONE_TIME_MAX);
	trouble(sim);
	first = (unsigned)test_random_below(&sim->random, sim->plan.hosts);
	for (unsigned i = 0; i < sim->plan.hosts; i++)
		run_host(sim, (first + i) % sim->plan.hosts);
	run_programs(sim);
	return true;
}

void sim_world_destroy(struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.hosts; i++)
		haven_stack_destroy(sim->host[i].stack);
	for (unsigned i = 0; i < sim->plan.hosts; i++)
		test_env_finish(&sim->host[i].env);
}
