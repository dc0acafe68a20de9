/*
 * Frames from one TAP to the other, through a fault. See wire.h.
 */
#include "wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gateway/capture.h"
#include "link/link.h"

/*
 * Frames that are read from one TAP before the clock is read again. Of 64 KiB each, they take a
 * fraction of a millisecond to cut and to queue.
 */
enum { BUDGET_FRAMES = 8 };

struct side {
	struct wire *wire;
	struct side *other;
	struct haven_link *tap;	 /* the innermost link, which has the descriptor */
	struct haven_link *link; /* the outermost */
	struct hv_source source;
	struct hv_capture *capture; /* NULL: none */
	bool broken;
};

struct wire {
	struct hv_loop *loop;
	struct haven_stack *stack;
	struct side sides[2];
	struct haven_fault way[2];
	struct hv_log log;
	uint64_t random;
};

/* --- on the way -------------------------------------------------------------------------- */

/* A frame that came through all of one side: out at the other. */
static void cross(void *ctx, struct haven_link *link, struct hv_packet *packet)
{
	struct side *side = ctx;

	(void)link;
	hv_link_output(side->other->link, packet);
}

/* Ask to be told when the TAP takes frames again only while some wait. */
static void watch(struct side *side)
{
	uint32_t events = EPOLLIN | (hv_link_is_busy(side->link) ? EPOLLOUT : 0);

	if (side->source.fd >= 0 && side->source.events != events)
		hv_source_change(side->wire->loop, &side->source, events);
}

static void ready(struct hv_source *source, uint32_t events)
{
	struct side *side = hv_container(source, struct side, source);

	haven_set_time(side->wire->stack, side->wire->loop->now_ns);
	if (events & EPOLLOUT)
		hv_link_writable(side->link);
	if (events & ~(uint32_t)EPOLLOUT && hv_link_receive(side->link, BUDGET_FRAMES) < 0) {
		side->broken = true;
		hv_source_remove(side->wire->loop, source);
	}
}

uint64_t wire_poll(struct wire *wire)
{
	haven_poll(wire->stack, wire->loop->now_ns);
	for (int i = 0; i < 2; i++) {
		watch(&wire->sides[i]);
		hv_capture_flush(wire->sides[i].capture);
	}
	return haven_next_deadline(wire->stack);
}

int wire_broken(const struct wire *wire)
{
	for (int i = 0; i < 2; i++)
		if (wire->sides[i].broken)
			return i;
	return -1;
}

/* --- making ------------------------------------------------------------------------------ */

/* SplitMix64, so that a seed gives the same losses again. */
static void seeded_random(void *user, void *buffer, size_t size)
{
	struct wire *wire = user;

	for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
		uint64_t z = wire->random += UINT64_C(0x9e3779b97f4a7c15);
		size_t part = size - done < sizeof(z) ? size - done : sizeof(z);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		z ^= z >> 31;
		memcpy((char *)buffer + done, &z, part);
	}
}

static int make_stack(struct wire *wire, const struct wire_options *options)
{
	struct haven_stack_config config;

	haven_stack_config_init(&config);
	if (options->seeded) {
		wire->random = options->seed;
		config.env.random = seeded_random;
		config.env.user = wire;
	}
	return haven_stack_create(&config, &wire->stack);
}

static int64_t wall_offset_ns(void)
{
	struct timespec wall, monotonic;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return (wall.tv_sec - monotonic.tv_sec) * (int64_t)HV_NS_PER_S + wall.tv_nsec -
	       monotonic.tv_nsec;
}

static int make_tap(struct side *side, int fd, const struct wire_options *options)
{
	struct haven_link_config config;
	int error;

	haven_link_config_init(&config);
	if (options->no_offload)
		config.offloads = 0;
	error = haven_link_tap(side->wire->stack, fd, &config, &side->tap);
	if (error < 0)
		return error;
	side->link = side->tap;
	side->source.fd = fd;
	side->source.ready = ready;
	return hv_source_add(side->wire->loop, &side->source, EPOLLIN);
}

static int make_capture(struct side *side, const char *path)
{
	struct haven_link *inner = side->link;
	int error;

	if (!path)
		return 0;
	error = hv_capture_open(path, &side->wire->log, &side->capture);
	if (error < 0)
		return error;
	side->link = NULL; /* what wraps it owns it, or has destroyed it */
	return haven_link_capture(side->wire->stack, inner, hv_capture_write, side->capture,
				  wall_offset_ns(), &side->link);
}

static struct wire *failed(struct wire *wire, const char *what, const char *name, int number,
			   char error[HV_OPTION_ERROR])
{
	snprintf(error, HV_OPTION_ERROR, "%s%s%.200s: %s", what, *name ? " " : "", name,
		 haven_strerror(number));
	wire_free(wire);
	return NULL;
}

struct wire *wire_new(struct hv_loop *loop, const struct wire_options *options,
		      char error[HV_OPTION_ERROR])
{
	static const char *const end_names[2] = {"a", "b"};
	struct wire *wire = calloc(1, sizeof(*wire));
	struct haven_link *inner;
	int result;

	if (!wire) {
		snprintf(error, HV_OPTION_ERROR, "no memory");
		return NULL;
	}
	wire->loop = loop;
	hv_log_init(&wire->log, STDERR_FILENO, HV_LOG_WARNING);
	memcpy(wire->way, options->way, sizeof(wire->way));
	result = make_stack(wire, options);
	if (result < 0)
		return failed(wire, "memory for the wire", "", result, error);
	for (int i = 0; i < 2; i++) {
		struct side *side = &wire->sides[i];

		side->wire = wire;
		side->other = &wire->sides[!i];
		side->source.fd = -1;
		result = make_tap(side, options->fd[i], options);
		if (result < 0)
			return failed(wire, "cannot use the TAP of end", end_names[i], result,
				      error);
		result = make_capture(side, options->pcap[i]);
		if (result < 0)
			return failed(wire, "cannot write", options->pcap[i], result, error);
	}
	inner = wire->sides[0].link;
	wire->sides[0].link = NULL;
	result = haven_link_fault(wire->stack, inner, &wire->way[0], &wire->way[1],
				  &wire->sides[0].link);
	if (result < 0)
		return failed(wire, "memory for the wire", "", result, error);
	for (int i = 0; i < 2; i++) {
		wire->sides[i].link->deliver = cross;
		wire->sides[i].link->deliver_ctx = &wire->sides[i];
	}
	return wire;
}

void wire_free(struct wire *wire)
{
	if (!wire)
		return;
	for (int i = 0; i < 2; i++) {
		struct side *side = &wire->sides[i];

		if (side->source.fd >= 0 && !side->broken)
			hv_source_remove(wire->loop, &side->source);
		haven_link_destroy(side->link);
		hv_capture_close(side->capture);
	}
	haven_stack_destroy(wire->stack);
	free(wire);
}

/* --- telling ----------------------------------------------------------------------------- */

void wire_report(const struct wire *wire, FILE *out)
{
	static const char *const names[2] = {"a to b", "b to a"};
	struct haven_fault_counters ways[2];

	haven_link_fault_counters(wire->sides[0].link, &ways[0], &ways[1]);
	for (int i = 0; i < 2; i++) {
		const struct haven_fault_counters *way = &ways[i];
		struct haven_link_counters read, written;

		haven_link_counters(wire->sides[i].tap, &read);
		haven_link_counters(wire->sides[!i].tap, &written);
		fprintf(out,
			"badwire: %s: %" PRIu64 " bytes in, %" PRIu64 " out; packets %" PRIu64
			", lost %" PRIu64 ", overflowed %" PRIu64 ", duplicated %" PRIu64
			", reordered %" PRIu64 ", corrupted %" PRIu64 ", marked %" PRIu64 "\n",
			names[i], read.bytes_in, written.bytes_out,
			way->packets ? way->packets : read.frames_in, way->lost,
			way->overflowed, way->duplicated, way->reordered, way->corrupted,
			way->marked);
	}
}
