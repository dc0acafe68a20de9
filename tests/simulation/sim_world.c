/* Turns a network step by step: the clock jumps to what is due next, and everybody has a turn. */
#include "sim.h"

enum {
	STEPS_AT_ONE_TIME_MAX = 10000,
	/* A second of steps: what each is good for. */
	STEPS_FREE = 1000,
	STEPS_OF_A_PACKET = 4,
	STEPS_OF_A_CONNECTION = 200,
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_event(const struct sim *sim)
{
	uint64_t next = earlier(sim_flows_next(sim), sim_datagrams_next(sim));

	next = earlier(next, earlier(sim_hosts_next(sim), sim_paths_next(sim)));

	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		const struct sim_host *host = &sim->host[i];
		uint64_t due;

		if (!host->stack)
			continue;
		due = haven_next_deadline(host->stack);
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
			sim->host[i].env.fail_at = 0;
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

	if (!host->stack || host->frozen_until_ns > sim->now_ns)
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
	sim_hosts_run(sim);
	sim_paths_run(sim);
	sim_flows_run(sim);
	sim_datagrams_run(sim);
	sim_calls_on_listeners(sim);
	for (unsigned i = 0; i < sim->end_count; i++) {
		struct sim_end *end = &sim->ends[i];

		if (end->fate == SIM_OPEN && end->wake_ns <= sim->now_ns) {
			end->wake_ns = SIM_NEVER;
			end->progress_ns = sim->now_ns;
			sim_end_run(end);
		}
	}
}

/* Every step has to be worth something: a frame that crosses, or a timer that a connection may have. */
static void count_steps(struct sim *sim)
{
	uint64_t connections = 0, total = sim->frames, packets, most;

	if (sim->now_ns - sim->second_ns < SIM_SECOND) {
		sim->steps_of_second++;
		return;
	}
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		struct haven_stats stats;

		if (!sim->host[i].stack)
			continue;
		haven_stack_stats(sim->host[i].stack, &stats);
		connections += stats.connections;
		total += stats.ip_packets_in; /* also those that a host sends to itself */
	}
	packets = total > sim->packets_before ? total - sim->packets_before : 0;
	most = STEPS_FREE + STEPS_OF_A_PACKET * packets + STEPS_OF_A_CONNECTION * connections;
	if (sim->steps_of_second > most && total >= sim->packets_before)
		sim_fail(sim,
			 "storm: %lu steps in a second, of %lu packets and %lu connections",
			 (unsigned long)sim->steps_of_second, (unsigned long)packets,
			 (unsigned long)connections);
	sim->second_ns = sim->now_ns;
	sim->packets_before = total;
	sim->steps_of_second = 0;
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
	count_steps(sim);
	trouble(sim);
	first = (unsigned)test_random_below(&sim->random, sim->plan.hosts);
	for (unsigned i = 0; i < sim->plan.hosts; i++)
		run_host(sim, (first + i) % sim->plan.hosts);
	run_programs(sim);
	return true;
}
