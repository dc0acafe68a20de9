/* What a seed stands for. */
#include <inttypes.h>
#include <stdio.h>

#include "sim.h"

enum { OUTAGES_MAX = 3 };

static uint64_t below(struct sim *sim, uint64_t bound)
{
	return test_random_below(&sim->random, bound);
}

static bool one_in(struct sim *sim, uint64_t n)
{
	return test_random_one_in(&sim->random, n);
}

/* Small numbers as often as large ones: uniform in the number of bits. */
static uint64_t log_uniform(struct sim *sim, uint64_t low, uint64_t high)
{
	uint64_t span = high / low, factor = 1;

	while (span > 1 && !one_in(sim, 4)) {
		factor *= 2;
		span /= 2;
	}
	factor = low * factor + below(sim, low * factor);
	return factor < high ? factor : high;
}

static void draw_fault(struct sim *sim, struct haven_fault *fault)
{
	static const uint32_t share_max[] = {0, 20000, 100000, 300000};
	static const uint64_t delay_max[] = {0, 20 * SIM_MS, 200 * SIM_MS, SIM_SECOND};
	enum sim_weather weather = sim->plan.weather;
	uint32_t share = share_max[weather];

	*fault = (struct haven_fault){0};
	if (weather == SIM_PERFECT)
		return;
	if (one_in(sim, 2))
		fault->loss_ppm = (uint32_t)below(sim, share);
	if (one_in(sim, 4)) {
		fault->burst_ppm = (uint32_t)below(sim, share);
		fault->burst_packets = (uint32_t)log_uniform(sim, 2, 64);
		sim->plan.bursts = true;
	}
	if (one_in(sim, 3))
		fault->duplicate_ppm = (uint32_t)below(sim, share);
	if (one_in(sim, 3))
		fault->reorder_ppm = (uint32_t)below(sim, share);
	if (one_in(sim, 3))
		fault->corrupt_ppm = (uint32_t)below(sim, share / 2);
	if (one_in(sim, 2))
		fault->delay_ns = below(sim, delay_max[weather]);
	if (one_in(sim, 3))
		fault->jitter_ns = below(sim, delay_max[weather] / 2);
	if (one_in(sim, 3)) {
		fault->rate_bits_per_second = log_uniform(sim, 200000, 1000000000);
		fault->queue_bytes = (uint32_t)log_uniform(sim, 4096, 1 << 20);
	}
}

static uint32_t draw_mtu(struct sim *sim)
{
	static const uint32_t common[] = {576, 1280, 1400, 1500, 1500, 9000, 65520, 65535};
	uint32_t mtu = common[below(sim, 8)];

	if (one_in(sim, 4))
		mtu = (uint32_t)log_uniform(sim, 576, 65535);
	return sim->plan.v6 && mtu < 1280 ? 1280 : mtu;
}

static void draw_wire(struct sim *sim, struct sim_wire_plan *wire)
{
	wire->mtu = draw_mtu(sim);
	wire->offloads = one_in(sim, 2) ? 15 : (unsigned)below(sim, 16);
	wire->queue_packets = one_in(sim, 3) && sim->plan.weather != SIM_PERFECT
				      ? (unsigned)log_uniform(sim, 4, 1024)
				      : 0;
	wire->path = wire->path || one_in(sim, 4);
	wire->narrow = wire->path && one_in(sim, 2);
	if (wire->path && one_in(sim, 3))
		wire->mark_one_in = 1 + (uint32_t)below(sim, 100);
	wire->black_hole = wire->narrow && one_in(sim, 3);
	if (wire->narrow)
		wire->offloads = 0;
	if (wire->path && one_in(sim, 3))
		wire->outages = 1 + (unsigned)below(sim, OUTAGES_MAX);
	if (sim->plan.weather == SIM_PERFECT)
		return;
	wire->fault_b = one_in(sim, 2);
	wire->fault_a = !wire->fault_b || one_in(sim, 4);
	draw_fault(sim, &wire->in_a);
	draw_fault(sim, &wire->out_a);
	draw_fault(sim, &wire->in_b);
	draw_fault(sim, &wire->out_b);
	/* One flipped bit is always found; a second one in the same packet may hide it. */
	if (wire->fault_a && wire->fault_b)
		wire->in_b.corrupt_ppm = wire->out_b.corrupt_ppm = 0;
}

static void draw_host(struct sim *sim, struct sim_host_plan *host)
{
	static const char *const congestion[] = {"cubic", "cubic", "cubic",
						 "reno",  "reno",  "none"};

	static const uint8_t probing[] = {1, 1, 1, 2, 2, 0};

	host->send_buffer = (uint32_t)log_uniform(sim, 2048, 4 << 20);
	host->receive_buffer = (uint32_t)log_uniform(sim, 2048, 4 << 20);
	host->max_sockets = 1000;
	host->max_time_wait = 1000;
	host->max_neighbours = 64;
	host->time_wait_ns = log_uniform(sim, SIM_SECOND, 60 * SIM_SECOND);
	host->congestion_control = congestion[below(sim, 6)];
	host->ecn = (uint8_t)below(sim, 4);
	host->fast_open = one_in(sim, 3);
	host->mtu_probing = probing[below(sim, 6)];
	host->backlog = SIM_FLOWS_MAX * 2;
	host->max_requests = SIM_REQUESTS_MAX;
	host->vanish_ns = host->return_ns = SIM_NEVER;
	if (sim->plan.rude && one_in(sim, 3))
		host->backlog = 1 + (int)below(sim, 4);
	if (!sim->plan.trouble)
		return;
	if (one_in(sim, 2))
		host->fail_ppm = (uint32_t)log_uniform(sim, 100, 300000);
	if (one_in(sim, 4))
		host->limit_headroom = log_uniform(sim, 4096, 1 << 20);
	if (one_in(sim, 3))
		host->max_sockets = 12 + (uint32_t)below(sim, 20);
	if (one_in(sim, 3))
		host->max_time_wait = (uint32_t)below(sim, 4);
	if (one_in(sim, 4))
		host->max_neighbours = 2 + (uint32_t)below(sim, 4);
	if (one_in(sim, 4))
		host->max_requests = 1 + (uint32_t)below(sim, 3);
	if (one_in(sim, 3)) {
		host->fail_nth = log_uniform(sim, 1, 20000);
		host->fail_span = below(sim, 8);
	}
}

/* One of the hosts goes without a word, and perhaps comes back. */
static void draw_vanishing(struct sim *sim)
{
	unsigned index = 1 + (unsigned)below(sim, sim->plan.hosts - 1);
	struct sim_host_plan *host = &sim->plan.host[index];

	host->vanish_ns = sim->plan.start_ns + log_uniform(sim, SIM_MS, SIM_MINUTE);
	if (!one_in(sim, 3))
		host->return_ns = host->vanish_ns + log_uniform(sim, SIM_MS, 3 * SIM_MINUTE);
	sim->plan.wire[index].path = true;
}

void sim_plan_draw(struct sim *sim)
{
	static const uint64_t bytes_max[] = {1 << 20, 512 << 10, 96 << 10, 16 << 10};
	struct sim_plan *plan = &sim->plan;

	plan->weather = (enum sim_weather)below(sim, 4);
	plan->hosts = one_in(sim, 3) ? 2 + (unsigned)below(sim, SIM_HOSTS_MAX - 1) : 2;
	plan->flows = 1 + (unsigned)below(sim, one_in(sim, 3) ? SIM_FLOWS_FEW : 5);
	plan->senders = (unsigned)below(sim, SIM_SENDERS_MAX);
	plan->v6 = one_in(sim, 2);
	plan->v4 = !plan->v6 || one_in(sim, 2);
	plan->rude = one_in(sim, 3);
	plan->trouble = one_in(sim, 3);
	plan->caprice = one_in(sim, 5);
	plan->rude |= plan->caprice;
	plan->start_ns = one_in(sim, 4) ? 0 : below(sim, UINT64_C(1) << below(sim, 61));
	plan->calm_ns = plan->start_ns + (plan->trouble ? 30 * SIM_SECOND : 0);
	plan->stream_bytes_max = bytes_max[plan->weather];
	if (one_in(sim, 40)) { /* a crowd */
		plan->flows = (unsigned)below(sim, SIM_FLOWS_MAX);
		plan->stream_bytes_max = 2000;
	} else if (plan->weather == SIM_PERFECT && one_in(sim, 20)) {
		plan->flows = 1 + (unsigned)below(sim, 5);
		plan->stream_bytes_max = 8 << 20;
	}
	for (unsigned i = 0; i < plan->hosts; i++)
		draw_host(sim, &plan->host[i]);
	if (one_in(sim, 6))
		draw_vanishing(sim);
	for (unsigned i = 1; i < plan->hosts; i++)
		draw_wire(sim, &plan->wire[i]);
	plan->host[0].forwarder = one_in(sim, 3);
	plan->strict =
		!plan->rude && !plan->trouble && !plan->bursts && plan->weather <= SIM_FAIR;
	for (unsigned i = 0; i < plan->hosts; i++)
		plan->strict &= plan->host[i].vanish_ns == SIM_NEVER;
	for (unsigned i = 1; i < plan->hosts; i++) {
		/* Who has closed may give up before it has found the size that passes. */
		plan->strict &= !plan->wire[i].black_hole;
		plan->unprobed |= plan->wire[i].black_hole &&
				  (!plan->host[0].mtu_probing || !plan->host[i].mtu_probing);
	}
}

static void print_fault(const char *name, const struct haven_fault *f)
{
	fprintf(stderr,
		"    %s loss=%uppm burst=%uppm burst-length=%u duplicate=%uppm reorder=%uppm corrupt=%uppm delay=%" PRIu64
		"ns jitter=%" PRIu64 "ns rate=%" PRIu64 " queue=%u\n",
		name, f->loss_ppm, f->burst_ppm, f->burst_packets, f->duplicate_ppm,
		f->reorder_ppm, f->corrupt_ppm, f->delay_ns, f->jitter_ns,
		f->rate_bits_per_second, f->queue_bytes);
}

void sim_plan_print(const struct sim *sim)
{
	static const char *const weather[] = {"perfect", "fair", "bad", "terrible"};
	const struct sim_plan *plan = &sim->plan;

	fprintf(stderr, "  weather %s,%s%s%s%s %u hosts, %u flows,%s%s\n",
		weather[plan->weather], plan->rude ? " rude," : "",
		plan->trouble ? " trouble," : "", plan->caprice ? " caprice," : "",
		plan->strict ? " strict," : "", plan->hosts, plan->flows,
		plan->v4 ? " IPv4" : "", plan->v6 ? " IPv6" : "");
	for (unsigned i = 0; i < plan->hosts; i++) {
		const struct sim_host_plan *h = &plan->host[i];

		fprintf(stderr,
			"  host %u: send %u receive %u time-wait %" PRIu64
			" ms backlog %d %s probing %u ecn %u%s%s fail %uppm headroom %" PRIu64
			" sockets %u\n",
			i, h->send_buffer, h->receive_buffer, h->time_wait_ns / SIM_MS,
			h->backlog, h->congestion_control, h->mtu_probing, h->ecn,
			h->fast_open ? " fast-open" : "", h->forwarder ? " forwarder" : "",
			h->fail_ppm, h->limit_headroom, h->max_sockets);
		if (h->fail_nth)
			fprintf(stderr,
				"    allocation %" PRIu64 " fails, and %" PRIu64 " more\n",
				h->fail_nth, h->fail_span);
	}
	for (unsigned i = 1; i < plan->hosts; i++) {
		const struct sim_wire_plan *w = &plan->wire[i];

		fprintf(stderr,
			"  wire 0-%u: mtu %u offloads %u queue %u%s%s outages %u mark %u\n", i,
			w->mtu, w->offloads, w->queue_packets, w->path ? " router" : "",
			w->black_hole ? " black hole"
			: w->narrow   ? " narrow"
				      : "",
			w->outages, w->mark_one_in);
		if (w->fault_a) {
			print_fault("0 in ", &w->in_a);
			print_fault("0 out", &w->out_a);
		}
		if (w->fault_b) {
			print_fault("in ", &w->in_b);
			print_fault("out", &w->out_b);
		}
	}
}
