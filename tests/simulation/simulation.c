/*
 * Runs simulated networks, one for each seed:
 *
 *	simulation SEED			one, in this process: for a debugger
 *	simulation --verbose SEED	and says what happens
 *	simulation --pcap FILE SEED	and writes FILE.1.pcapng for wire 1, and so on
 *	simulation --seeds A-B		a range, each in a process of its own
 *
 * A seed that fails says what went wrong and how to run it again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

enum {
	RUN_MINUTES_MAX = 48 * 60, /* of simulated time */
	CPU_SECONDS_MAX = 120,	   /* of a process; beyond it, something runs in a circle */
};

static void run(uint64_t seed, bool verbose, const char *capture)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	uint64_t end_ns;

	if (!sim)
		abort();
	sim->seed = seed;
	sim->verbose = verbose;
	sim->capture = capture;
	test_random_init(&sim->random, seed * UINT64_C(0x2545f4914f6cdd1d));
	sim_plan_draw(sim);
	sim_world_make(sim);
	end_ns = sim->now_ns + RUN_MINUTES_MAX * SIM_MINUTE;
	while (!sim_check_done(sim)) {
		sim_world_step(sim, sim->now_ns + SIM_MINUTE);
		if (sim->now_ns > end_ns)
			sim_fail(sim, "there is no end to it");
	}
	sim_check_flows(sim);
	sim_listeners_close(sim);
	sim_datagrams_close(sim);
	sim_check_quiet(sim);
	if (verbose) {
		sim_report(sim);
		fprintf(stderr,
			"%" PRIu64 " steps, %" PRIu64 " frames, %" PRIu64 " bytes, %.3f s\n",
			sim->steps, sim->frames, sim->bytes,
			(double)(sim->now_ns - sim->plan.start_ns) / 1e9);
	}
	sim_world_destroy(sim);
	free(sim);
}

/* In a process of its own, so that an assertion or a sanitizer ends only that. */
static bool run_apart(uint64_t seed)
{
	const struct rlimit limit = {CPU_SECONDS_MAX, CPU_SECONDS_MAX};
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CPU, &limit);
		run(seed, false, NULL);
		exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("simulation");
		exit(1);
	}
	if (WIFSIGNALED(status))
		fprintf(stderr, "simulation: seed %" PRIu64 ": %s\n", seed,
			strsignal(WTERMSIG(status)));
	return status == 0;
}

static int run_range(const char *range)
{
	uint64_t first, last, failed = 0;
	char *rest;

	first = last = strtoull(range, &rest, 10);
	if (*rest == '-')
		last = strtoull(rest + 1, &rest, 10);
	if (*rest || first > last) {
		fprintf(stderr, "simulation: '%s' is no range of seeds (A-B)\n", range);
		return 2;
	}
	for (uint64_t seed = first; seed <= last; seed++) {
		if (run_apart(seed))
			continue;
		failed++;
		fprintf(stderr,
			"simulation: seed %" PRIu64
			" failed; run it again: tools/replay-seed %" PRIu64 "\n",
			seed, seed);
	}
	printf("%" PRIu64 " seeds, %" PRIu64 " failed\n", last - first + 1, failed);
	return failed ? 1 : 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: simulation [--verbose] [--pcap FILE] SEED | --seeds A-B\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *capture = NULL;
	bool verbose = false;
	uint64_t seed;
	char *end;
	int at = 1;

	if (argc == 3 && !strcmp(argv[1], "--seeds"))
		return run_range(argv[2]);
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--verbose"))
			verbose = true;
		else if (!strcmp(argv[at], "--pcap") && at + 1 < argc)
			capture = argv[++at];
		else
			return usage();
	}
	if (at + 1 != argc)
		return usage();
	seed = strtoull(argv[at], &end, 10);
	if (end == argv[at] || *end)
		return usage();
	run(seed, verbose, capture);
	return 0;
}
