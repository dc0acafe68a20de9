/* What must hold. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"

enum {
	/* Progress: how long nothing may move while the network lets through and nobody pauses.
	 * Twice the longest RTO, and what the queues of the slowest wire take. */
	STALL_MINUTES = 6,
	SILENCE_MINUTES = 40, /* then an end with nobody at the other side is given up */
	CLOSING_MINUTES = 60, /* what may go on in the background after the last close */
	SETTLE_MINUTES = 20,
	QUIET_MINUTES = 30, /* and how long nothing at all may happen then */
	QUIET_STEPS_MAX = 500,
	/* What the free lists of packets may keep, the counts of ports in use, and a little more. */
	MEMORY_KEPT_MAX = 256 * 2560 + 32 * 66560 + 2 * 65536 * 5 + 65536,
};

/* --- reports --------------------------------------------------------------------------------- */

static double seconds(const struct sim *sim)
{
	return (double)(sim->now_ns - sim->plan.start_ns) / 1e9;
}

static void print_ends(const struct sim *sim)
{
	static const char *const manners[] = {"polite", "aborts", "closes", "lingers zero",
					      "stops reading"};

	static const char *const kinds[] = {"client", "client of nobody", "client of no host",
					    "forwarded client", "crossing client"};

	for (unsigned i = 0; i < sim->end_count; i++) {
		const struct sim_end *end = &sim->ends[i];

		fprintf(stderr,
			"  end %u host %u %s %s%s%s, %s%s%s%s: sent %" PRIu64 "/%" PRIu64
			" received %" PRIu64 " peer %d error %d silent %.3f s\n",
			i, end->host, end->flow ? kinds[end->flow->kind] : "server",
			manners[end->manner], end->zero_copy ? " zero-copy" : "",
			end->sink ? " sink" : "", sim_fate_name(end->fate),
			end->connected ? " connected" : "", end->shut ? " shut" : "",
			end->eof ? " eof" : "", end->sent, end->to_send, end->received,
			end->peer ? (int)(end->peer - sim->ends) : -1, end->error,
			(double)(sim->now_ns - end->progress_ns) / 1e9);
	}
}

static bool print_port(void *user, const struct haven_port_info *info)
{
	fprintf(stderr, "  host %u: %s %s\n", *(unsigned *)user,
		info->protocol == 6 ? "tcp" : "udp", info->state);
	return true;
}

static void print_hosts(const struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		const struct haven_stack *stack = sim->host[i].stack;
		struct haven_stats stats;

		if (!stack)
			continue;
		haven_stack_stats(stack, &stats);
		fprintf(stderr,
			"  host %u: memory %" PRIu64 " sockets %" PRIu64 " connections %" PRIu64
			" time-wait %" PRIu64 " requests %" PRIu64 " retransmits %" PRIu64
			" refused allocations %" PRIu64 "\n",
			i, stats.memory_bytes, stats.sockets, stats.connections,
			stats.time_wait, stats.requests, stats.tcp_retransmits,
			sim->host[i].env.failures);
		haven_ports_each(stack, print_port, &i);
		for (unsigned r = 0; r < haven_drop_reasons(); r++) {
			if (haven_drop_count(stack, r))
				fprintf(stderr, "    %s: %" PRIu64 "\n", haven_drop_name(r),
					haven_drop_count(stack, r));
		}
	}
}

void sim_report(const struct sim *sim)
{
	sim_plan_print(sim);
	print_ends(sim);
	print_hosts(sim);
}

void sim_fail(const struct sim *sim, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "simulation: seed %" PRIu64 " fails after %.6f s, %" PRIu64 " steps: ",
		sim->seed, seconds(sim), sim->steps);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	sim_report(sim);
	_exit(1);
}

void sim_trace(const struct sim *sim, const char *format, ...)
{
	va_list args;

	if (!sim->verbose)
		return;
	fprintf(stderr, "%12.6f ", seconds(sim));
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
}

/* --- while it runs ----------------------------------------------------------------------------- */

static bool is_plain(const struct sim_end *end)
{
	const struct sim_flow *flow = end->flow;

	if (!flow || flow->kind == SIM_FLOW_LISTENER)
		return true;
	return flow->kind == SIM_FLOW_FORWARDED && flow->port < SIM_REFUSED_PORT;
}

void sim_check_eof(const struct sim_end *end)
{
	const struct sim *sim = end->sim;
	const struct sim_end *peer = end->peer;

	if (!peer) {
		if (!sim->plan.rude && !sim->plan.trouble)
			sim_fail(sim, "end %ld: the stream ended before it began",
				 (long)(end - sim->ends));
		return;
	}
	if (!peer->shut && peer->fate != SIM_LEFT)
		sim_fail(sim, "end %ld: the stream ended, but nobody ended it",
			 (long)(end - sim->ends));
	if (end->received != peer->sent)
		sim_fail(sim,
			 "end %ld: the stream ended after %" PRIu64 " of %" PRIu64 " bytes",
			 (long)(end - sim->ends), end->received, peer->sent);
}

/* ARP and NDP may have found nobody, when enough of what they say is lost. */
static bool neighbour_was_lost(const struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		for (unsigned r = 0; r < haven_drop_reasons(); r++) {
			if (sim->host[i].stack &&
			    !strncmp(haven_drop_name(r), "neighbour", 9) &&
			    haven_drop_count(sim->host[i].stack, r))
				return true;
		}
	}
	return false;
}

static const struct sim_end *peer_of(const struct sim_end *end)
{
	if (end->peer)
		return end->peer;
	for (unsigned i = 0; i < end->sim->end_count; i++) {
		if (end->sim->ends[i].peer == end)
			return &end->sim->ends[i];
	}
	return NULL;
}

/* For so long that a connection dies of it. */
static bool path_may_fail(const struct sim *sim)
{
	return sim->plan.weather >= SIM_BAD || sim->plan.bursts || sim->plan.unprobed;
}

static bool has_reason(const struct sim_end *end)
{
	const struct sim *sim = end->sim;
	const struct sim_end *peer = peer_of(end);
	/* Gone already, or at this very moment: its stack has given up, and its owner does not know yet. */
	bool peer_is_gone =
		peer ? peer->fate != SIM_OPEN || (haven_socket_events(peer->socket) &
						  (HAVEN_EVENT_ERROR | HAVEN_EVENT_HANGUP))
		     : sim->plan.rude || sim->anybody_vanished;

	switch (end->error) {
	case ECONNRESET:
	case EPIPE:
		/* Who gives up says so with RST, and its program may not have seen it yet. */
		return peer_is_gone || !is_plain(end) || path_may_fail(sim);
	case ETIMEDOUT:
		return peer_is_gone || !is_plain(end) || path_may_fail(sim);
	case ECONNREFUSED:
		/* Whoever leaves before it was accepted may be forgotten by the listener. */
		return !is_plain(end);
	case EHOSTUNREACH:
		return !is_plain(end) || neighbour_was_lost(sim);
	case ENETUNREACH:
	case EACCES:
		return !is_plain(end);
	default:
		return false;
	}
}

void sim_check_acknowledged(const struct sim_end *end)
{
	const struct sim_end *peer = peer_of(end);
	struct iovec slices[2];
	size_t queued;

	if (!end->connected || !peer || peer->fate != SIM_OPEN || peer->deaf)
		return;
	if ((haven_socket_events(end->socket) | haven_socket_events(peer->socket)) &
	    (HAVEN_EVENT_ERROR | HAVEN_EVENT_HANGUP))
		return; /* broken: nothing is queued any more */
	queued = haven_send_queued(end->socket);
	if (end->sent - queued > peer->received + haven_recv_peek(peer->socket, slices))
		sim_fail(end->sim,
			 "end %ld: %" PRIu64 " bytes are acknowledged, the peer has %" PRIu64,
			 (long)(end - end->sim->ends), end->sent - queued, peer->received);
}

static bool is_an_error(int error)
{
	return haven_errname(error) && error != EAGAIN && error != EINVAL &&
	       error != EALREADY && error != EISCONN && error != EINPROGRESS &&
	       error != ENOTCONN;
}

void sim_check_error(const struct sim_end *end)
{
	const struct sim *sim = end->sim;

	if (!is_an_error(end->error))
		sim_fail(sim, "end %ld fails with %d, which means nothing here",
			 (long)(end - sim->ends), end->error);
	if (!sim->plan.trouble && !sim->plan.caprice && !has_reason(end))
		sim_fail(sim, "end %ld fails without a reason: %s", (long)(end - sim->ends),
			 haven_strerror(end->error));
}

/* --- when it is over ---------------------------------------------------------------------------- */

static void check_silent(struct sim *sim, struct sim_end *end)
{
	const struct sim_end *peer = peer_of(end);
	uint64_t last_ns = end->progress_ns;

	if (peer && peer->progress_ns > last_ns)
		last_ns = peer->progress_ns; /* slow, and the other waits for it */
	if (sim->plan.strict && is_plain(end) && end->connected && peer && peer->connected &&
	    end->wake_ns == SIM_NEVER && peer->wake_ns == SIM_NEVER &&
	    sim->now_ns - last_ns > STALL_MINUTES * SIM_MINUTE)
		sim_fail(sim, "end %ld makes no progress", (long)(end - sim->ends));
	if (sim->now_ns - last_ns < SILENCE_MINUTES * SIM_MINUTE)
		return;
	if (sim->plan.strict || (peer && peer->fate == SIM_OPEN))
		sim_fail(sim, "end %ld is stuck", (long)(end - sim->ends));
	sim_end_give_up(end, SIM_ORPHAN);
}

bool sim_check_done(struct sim *sim)
{
	bool done = true;

	for (unsigned i = 0; i < sim->plan.flows; i++)
		done &= sim->flows[i].started;
	for (unsigned i = 0; i < sim->plan.senders; i++)
		done &= sim->senders[i].sent >= sim->senders[i].to_send;
	for (unsigned i = 0; i < SIM_REQUESTS_MAX; i++)
		done &= !sim->requests[i].request;
	for (unsigned i = 0; i < sim->end_count; i++) {
		if (sim->ends[i].fate == SIM_OPEN)
			check_silent(sim, &sim->ends[i]);
		done &= sim->ends[i].fate != SIM_OPEN;
	}
	return done;
}

static bool has_duplicates(const struct sim *sim)
{
	for (unsigned i = 1; i < sim->plan.hosts; i++) {
		const struct sim_wire_plan *w = &sim->plan.wire[i];

		if (w->in_a.duplicate_ppm || w->out_a.duplicate_ppm || w->in_b.duplicate_ppm ||
		    w->out_b.duplicate_ppm)
			return true;
	}
	return false;
}

void sim_check_flows(const struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.senders; i++) {
		const struct sim_sender *sender = &sim->senders[i];

		if (sender->received > sender->sent && !has_duplicates(sim))
			sim_fail(sim, "%u echoes of %u datagrams", sender->received,
				 sender->sent);
	}
	if (!sim->plan.strict)
		return;
	for (unsigned i = 0; i < sim->end_count; i++) {
		const struct sim_end *end = &sim->ends[i], *peer = peer_of(end);

		if (!is_plain(end) || end->error == EHOSTUNREACH)
			continue;
		/* Who has closed waits for minutes only, until a reader with a closed window goes on. */
		if (end->deaf || end->sleeper || (peer && peer->sleeper))
			continue;
		if (end->fate != SIM_CLOSED || end->sent != end->to_send || !end->peer ||
		    end->peer->received != end->sent)
			sim_fail(sim, "end %u is not as it should be", i);
	}
}

static bool all_is_closed(const struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		struct haven_stats stats;

		if (!sim->host[i].stack)
			continue;
		haven_stack_stats(sim->host[i].stack, &stats);
		if (stats.connections || stats.time_wait || stats.requests)
			return false;
	}
	return true;
}

static void check_sockets(const struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		struct haven_stats stats;

		if (!sim->host[i].stack)
			continue;
		haven_stack_stats(sim->host[i].stack, &stats);
		if (stats.sockets)
			sim_fail(sim, "host %u: %" PRIu64 " sockets are left", i,
				 stats.sockets);
	}
}

/* After the quiet time: fragments have been given up by then, too. */
static void check_memory(const struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		uint64_t before = sim->host[i].memory_at_start;
		struct haven_stats stats;

		if (!sim->host[i].stack)
			continue;
		haven_stack_stats(sim->host[i].stack, &stats);
		if (stats.memory_bytes > before + MEMORY_KEPT_MAX)
			sim_fail(sim, "host %u keeps %" PRIu64 " bytes, it began with %" PRIu64,
				 i, stats.memory_bytes, before);
	}
}

void sim_check_quiet(struct sim *sim)
{
	uint64_t limit = sim->now_ns + CLOSING_MINUTES * SIM_MINUTE, before;

	while (!all_is_closed(sim)) {
		if (!sim_world_step(sim, limit))
			sim_fail(sim, "connections are left after everything was closed");
	}
	check_sockets(sim);
	/* What is still on the wires arrives. */
	limit = sim->now_ns + SETTLE_MINUTES * SIM_MINUTE;
	while (sim_world_step(sim, limit))
		;
	limit = sim->now_ns + QUIET_MINUTES * SIM_MINUTE;
	before = sim->steps;
	while (sim_world_step(sim, limit)) {
		if (sim->steps - before > QUIET_STEPS_MAX)
			sim_fail(sim, "timers do not come to rest");
	}
	check_memory(sim);
}
