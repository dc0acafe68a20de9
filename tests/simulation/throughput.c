/*
 * How much TCP carries over paths that are long, lossy or shared: whole stacks in virtual time, so that the same
 * source gives the same figures on every machine.
 *
 *	throughput [--update] [--dir DIRECTORY] [TABLE...]
 *
 * Each table is printed, compared with DIRECTORY/TABLE.txt (tests/simulation/throughput, unless told
 * otherwise) and, with --update, written there. Two things fail: a table that differs from the file, which says that a change
 * has moved a figure (look whether it may, then update), and a figure that is below its floor.
 *
 * Only the public API of haven is used. The path is a wire in memory with haven_link_fault() around the sender's end:
 * what the sender puts out meets loss, rate and queue, then half of the round trip; the other half is on the way back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haven/link.h>
#include <haven/socket.h>

#include "support/env.h"

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

#define GREETING_NS (5 * SECOND)
/* So that their initial windows do not meet in one burst. */
#define FLOW_GAP_NS (10 * MS)

enum { LEFT, RIGHT, FLOWS_MAX = 8, PORT = 80, TEXT_MAX = 8192 };

struct path {
	const char *control;
	struct haven_fault out, in;
	uint32_t buffer_bytes; /* largest send and receive buffer */
	unsigned flows;	       /* that begin FLOW_GAP_NS after each other */
	uint64_t seed;
};

struct flow {
	struct haven_socket *from, *to;
	uint64_t received;
};

struct world {
	uint64_t now_ns, start_ns;
	struct test_env env[2];
	struct haven_stack *stack[2];
	unsigned ifindex[2];
	struct haven_socket *listener;
	struct flow flows[FLOWS_MAX];
	unsigned flow_count, accepted;
};

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "throughput: %s: %s\n", what, haven_strerror(result));
	exit(2);
}

/* --- a world ----------------------------------------------------------------------------- */

static socklen_t address_of(int side, uint16_t port, struct sockaddr_in *address)
{
	*address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(0x0a000001 + (uint32_t)side),
	};
	return sizeof(*address);
}

static void make_stack(struct world *w, int side, const struct path *path)
{
	struct haven_stack_config config;

	test_env_init(&w->env[side], path->seed * 2 + (uint64_t)side);
	haven_stack_config_init(&config);
	config.env = test_env_haven(&w->env[side]);
	config.privileged = true;
	config.send_buffer_bytes = config.receive_buffer_bytes = path->buffer_bytes;
	config.congestion_control = path->control;
	must(haven_stack_create(&config, &w->stack[side]), "haven_stack_create");
	haven_set_time(w->stack[side], w->now_ns);
}

static void make_wire(struct world *w, const struct path *path)
{
	struct haven_link_config config;
	struct haven_link *link[2];

	haven_link_config_init(&config); /* MTU 1500 */
	must(haven_link_pair(w->stack[LEFT], w->stack[RIGHT], &config, 65536, &link[LEFT],
			     &link[RIGHT]),
	     "haven_link_pair");
	must(haven_link_fault(w->stack[LEFT], link[LEFT], &path->in, &path->out, &link[LEFT]),
	     "haven_link_fault");
	for (int side = 0; side < 2; side++) {
		struct sockaddr_in address;

		address_of(side, 0, &address);
		must(haven_stack_attach(w->stack[side], link[side], &w->ifindex[side]),
		     "haven_stack_attach");
		must(haven_address_add(w->stack[side], w->ifindex[side],
				       (struct sockaddr *)&address, 24),
		     "haven_address_add");
	}
}

static void listen_right(struct world *w)
{
	struct sockaddr_in address;
	socklen_t length = address_of(RIGHT, PORT, &address);

	must(haven_socket(w->stack[RIGHT], AF_INET, SOCK_STREAM, 0, &w->listener),
	     "haven_socket");
	must(haven_bind(w->listener, (struct sockaddr *)&address, length), "haven_bind");
	must(haven_listen(w->listener, FLOWS_MAX), "haven_listen");
}

static void connect_left(struct world *w)
{
	struct flow *flow = &w->flows[w->flow_count++];
	struct sockaddr_in address;
	socklen_t length = address_of(RIGHT, PORT, &address);
	int status;

	must(haven_socket(w->stack[LEFT], AF_INET, SOCK_STREAM, 0, &flow->from),
	     "haven_socket");
	status = haven_connect(flow->from, (struct sockaddr *)&address, length);
	must(status == -EINPROGRESS ? 0 : status, "haven_connect");
}

static void world_make(struct world *w, const struct path *path)
{
	memset(w, 0, sizeof(*w));
	w->now_ns = w->start_ns = 1000 * SECOND;
	make_stack(w, LEFT, path);
	make_stack(w, RIGHT, path);
	make_wire(w, path);
	listen_right(w);
}

static void world_end(struct world *w)
{
	for (int side = 0; side < 2; side++) {
		haven_stack_destroy(w->stack[side]);
		test_env_finish(&w->env[side]);
	}
}

/* --- what its programs do: send all they can, read all there is ------------------------------ */

/* The reader is as fast as can be: it takes what comes, and the window stays open. */
static size_t sink(void *user, const uint8_t *data, size_t size)
{
	(void)data;
	((struct flow *)user)->received += size;
	return size;
}

/* What was there before the sink was set, and what was out of order. */
static void read_all(struct flow *flow)
{
	struct iovec slices[2];
	size_t size;

	while ((size = haven_recv_peek(flow->to, slices)) > 0) {
		flow->received += size;
		haven_recv_consume(flow->to, size);
	}
}

/* Which flow an accepted connection is: the one with the client's port. */
static void accept_all(struct world *w)
{
	struct haven_socket *socket;
	struct sockaddr_in peer, own;
	socklen_t length = sizeof(peer), own_length = sizeof(own);

	while (haven_accept(w->listener, (struct sockaddr *)&peer, &length, &socket) == 0) {
		for (unsigned i = 0; i < w->flow_count; i++) {
			own_length = sizeof(own);
			must(haven_getsockname(w->flows[i].from, (struct sockaddr *)&own,
					       &own_length),
			     "haven_getsockname");
			if (own.sin_port != peer.sin_port)
				continue;
			w->flows[i].to = socket;
			haven_socket_set_sink(socket, sink, &w->flows[i]);
			read_all(&w->flows[i]);
		}
		length = sizeof(peer);
	}
}

static void send_all(struct flow *flow)
{
	struct iovec slices[2];
	ssize_t room;

	while ((room = haven_send_reserve(flow->from, SIZE_MAX / 2, slices)) > 0)
		haven_send_commit(flow->from, (size_t)room, false);
	must(room < 0 ? (int)room : 0, "haven_send_reserve");
}

/* --- time -------------------------------------------------------------------------------- */

static void turn(struct world *w, int side)
{
	struct haven_socket *socket;
	unsigned events;

	must(haven_input(w->stack[side], w->ifindex[side], 256, w->now_ns), "haven_input");
	haven_poll(w->stack[side], w->now_ns);
	while ((socket = haven_next_ready(w->stack[side], &events))) {
		if (socket == w->listener)
			accept_all(w);
		for (unsigned i = 0; i < w->flow_count; i++) {
			if (events & HAVEN_EVENT_ERROR)
				must(-ECONNRESET, "a connection");
			if (socket == w->flows[i].to)
				read_all(&w->flows[i]);
		}
	}
	/* Small buffers are kept full: HAVEN_EVENT_WRITABLE would wait until a third is free. */
	for (unsigned i = 0; side == LEFT && i < w->flow_count; i++)
		send_all(&w->flows[i]);
}

static uint64_t next_deadline(const struct world *w)
{
	uint64_t left = haven_next_deadline(w->stack[LEFT]);
	uint64_t right = haven_next_deadline(w->stack[RIGHT]);

	return left < right ? left : right;
}

/* Until that time, or until the first flow has received so many bytes. */
static void run_until(struct world *w, uint64_t limit_ns, uint64_t bytes)
{
	while (w->now_ns < limit_ns && w->flows[0].received < bytes) {
		uint64_t next;

		turn(w, LEFT);
		turn(w, RIGHT);
		next = next_deadline(w);
		if (next > w->now_ns)
			w->now_ns = next < limit_ns ? next : limit_ns;
	}
}

/* A datagram, so that ARP has found the peer when the first connection begins. */
static void greet(struct world *w)
{
	struct haven_socket *socket;
	struct sockaddr_in address;
	socklen_t length = address_of(RIGHT, PORT, &address);

	must(haven_socket(w->stack[LEFT], AF_INET, SOCK_DGRAM, 0, &socket), "haven_socket");
	must((int)haven_sendto(socket, "", 1, 0, (struct sockaddr *)&address, length),
	     "haven_sendto");
	run_until(w, w->now_ns + GREETING_NS, UINT64_MAX);
	haven_close(socket);
}

static void world_run(struct world *w, const struct path *path, uint64_t duration_ns,
		      uint64_t bytes)
{
	greet(w);
	w->start_ns = w->now_ns;
	for (unsigned i = 0; i < path->flows; i++) {
		run_until(w, w->start_ns + i * FLOW_GAP_NS, bytes);
		connect_left(w);
	}
	run_until(w, w->start_ns + duration_ns, bytes);
}

/* --- tables ------------------------------------------------------------------------------ */

struct table {
	const char *name;
	void (*fill)(struct table *table);
	char text[TEXT_MAX];
	size_t used;
	unsigned below_floor;
};

static void say(struct table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void say(struct table *table, const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(table->text + table->used, TEXT_MAX - table->used, format, args);
	va_end(args);
	if (size < 0 || (size_t)size >= TEXT_MAX - table->used) {
		fprintf(stderr, "throughput: a table is too long\n");
		exit(2);
	}
	table->used += (size_t)size;
}

enum {
	LOSS_SEEDS = 20,
	LOSS_BYTES = 10 << 20,
};

/* Bytes in a second of one transfer of LOSS_BYTES, from connect() to the last byte read. */
static uint64_t lossy_rate(const char *control, uint32_t loss_ppm, uint64_t seed)
{
	struct path path = {
		.control = control,
		.out = {.delay_ns = 50 * MS, .loss_ppm = loss_ppm},
		.in = {.delay_ns = 50 * MS, .loss_ppm = loss_ppm},
		.buffer_bytes = 32768,
		.flows = 1,
		.seed = seed,
	};
	struct world w;
	uint64_t rate;

	world_make(&w, &path);
	world_run(&w, &path, 3600 * SECOND, LOSS_BYTES);
	rate = w.flows[0].received * SECOND / (w.now_ns - w.start_ns);
	world_end(&w);
	return rate;
}

/*
 * Floors. Without congestion control: what a stack of this kind should carry at least. With CUBIC: what Linux's carries from
 * kernel to kernel with windows of 32 KiB (bench/lossy window, Linux 6.18, median of five); at no loss its window
 * is a little larger than 32 KiB, of which 100 ms carry 327,680 at most.
 */
static void fill_loss(struct table *table)
{
	static const struct {
		const char *control;
		uint32_t loss_ppm;
		uint64_t floor;
	} rows[] = {
		{"none", 0, 322000},	 {"none", 10000, 250000},  {"none", 50000, 150000},
		{"none", 100000, 80000}, {"cubic", 0, 322000},	   {"cubic", 10000, 171901},
		{"cubic", 50000, 59811}, {"cubic", 100000, 33330},
	};

	say(table,
	    "# One connection, 10 MiB: payload bytes read, by seconds since connect().\n"
	    "# Round trip 100 ms, MTU 1500, loss in both directions, no limit of rate; send and\n"
	    "# receive buffer 32 KiB. Over 20 seeds. 'none': congestion control off.\n"
	    "# control  loss   mean B/s   least B/s   floor of the mean\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t sum = 0, least = UINT64_MAX;

		for (uint64_t seed = 1; seed <= LOSS_SEEDS; seed++) {
			uint64_t rate = lossy_rate(rows[i].control, rows[i].loss_ppm, seed);

			sum += rate;
			least = rate < least ? rate : least;
		}
		say(table, "%-9s %3u %%  %9" PRIu64 "   %9" PRIu64 "   %9" PRIu64 "\n",
		    rows[i].control, rows[i].loss_ppm / 10000, sum / LOSS_SEEDS, least,
		    rows[i].floor);
		table->below_floor += sum / LOSS_SEEDS < rows[i].floor;
	}
}

enum { SHARED_SECONDS = 60, FAIRNESS_FLOOR = 900 };

/* Jain's index, in thousandths: (sum x)^2 / (n * sum x^2). */
static unsigned fairness(const struct world *w)
{
	unsigned __int128 sum = 0, squares = 0;

	for (unsigned i = 0; i < w->flow_count; i++) {
		uint64_t x = w->flows[i].received / 1000;

		sum += x;
		squares += (unsigned __int128)x * x;
	}
	return squares ? (unsigned)(sum * sum * 1000 / (squares * w->flow_count)) : 0;
}

/* Floors of the rate: what Linux's CUBIC carries from kernel to kernel (bench/lossy fair, Linux 6.18, best of three). */
static void fill_shared(struct table *table)
{
	static const struct {
		const char *control;
		unsigned flows;
		uint64_t floor_kbit;
	} rows[] = {{"cubic", 1, 99400},
		    {"cubic", 2, 102900},
		    {"cubic", 4, 131800},
		    {"cubic", 8, 140000}};

	say(table,
	    "# Connections that begin 10 ms apart and send until 60 s are over, through one queue.\n"
	    "# 200 Mbit/s, round trip 100 ms, MTU 1500, queue 64 KiB, buffers 16 MiB. Rate: payload read by\n"
	    "# all of them (191.3 at most: headers count for the link). Fairness: Jain's index of the 60 s.\n"
	    "# control  flows  Mbit/s  fairness   floors\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct path path = {
			.control = rows[i].control,
			.out = {.delay_ns = 50 * MS,
				.rate_bits_per_second = 200000000,
				.queue_bytes = 65536},
			.in = {.delay_ns = 50 * MS},
			.buffer_bytes = 16 << 20,
			.flows = rows[i].flows,
			.seed = 1,
		};
		struct world w;
		uint64_t sum = 0, kbit;
		unsigned jain;

		world_make(&w, &path);
		world_run(&w, &path, SHARED_SECONDS * SECOND, UINT64_MAX);
		for (unsigned k = 0; k < w.flow_count; k++)
			sum += w.flows[k].received;
		kbit = sum * 8 / 1000 / SHARED_SECONDS;
		jain = fairness(&w);
		world_end(&w);
		say(table,
		    "%-9s %5u  %3" PRIu64 ".%" PRIu64 "    %u.%03u     %3" PRIu64 ".%" PRIu64
		    " 0.%u\n",
		    rows[i].control, rows[i].flows, kbit / 1000, kbit / 100 % 10, jain / 1000,
		    jain % 1000, rows[i].floor_kbit / 1000, rows[i].floor_kbit / 100 % 10,
		    FAIRNESS_FLOOR);
		table->below_floor += kbit < rows[i].floor_kbit || jain < FAIRNESS_FLOOR;
	}
}

/* --- snapshots --------------------------------------------------------------------------- */

static FILE *open_snapshot(const char *directory, const struct table *table, const char *mode)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.txt", directory, table->name);
	file = fopen(path, mode);
	if (!file)
		fprintf(stderr, "throughput: cannot open %s\n", path);
	return file;
}

static bool write_snapshot(const char *directory, const struct table *table)
{
	FILE *file = open_snapshot(directory, table, "w");
	bool ok;

	if (!file)
		return false;
	ok = fwrite(table->text, 1, table->used, file) == table->used;
	return fclose(file) == 0 && ok;
}

static bool is_as_before(const char *directory, const struct table *table)
{
	FILE *file = open_snapshot(directory, table, "r");
	char before[TEXT_MAX];
	size_t size;

	if (!file)
		return false;
	size = fread(before, 1, sizeof(before), file);
	fclose(file);
	if (size == table->used && !memcmp(before, table->text, size))
		return true;
	fprintf(stderr,
		"throughput: the table differs from %s/%s.txt:\n%.*s"
		"throughput: if that is as it should be: throughput --update --dir %s %s\n",
		directory, table->name, (int)size, before, directory, table->name);
	return false;
}

/* Returns whether all is well. */
static bool run(struct table *table, const char *directory, bool update)
{
	bool ok;

	table->fill(table);
	fwrite(table->text, 1, table->used, stdout);
	fflush(stdout);
	ok = update ? write_snapshot(directory, table) : is_as_before(directory, table);
	if (table->below_floor)
		fprintf(stderr, "throughput: %u rows of '%s' are below their floor\n",
			table->below_floor, table->name);
	return ok && !table->below_floor;
}

int main(int argc, char **argv)
{
	static struct table tables[] = {{.name = "loss", .fill = fill_loss},
					{.name = "shared", .fill = fill_shared}};
	const char *directory = "tests/simulation/throughput";
	bool update = false, ok = true;
	int named = 1;

	for (; named < argc && !strncmp(argv[named], "--", 2); named++) {
		if (!strcmp(argv[named], "--update")) {
			update = true;
		} else if (!strcmp(argv[named], "--dir") && named + 1 < argc) {
			directory = argv[++named];
		} else {
			fprintf(stderr,
				"usage: throughput [--update] [--dir DIR] [TABLE...]\n");
			return 2;
		}
	}
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		bool wanted = named == argc;

		for (int k = named; k < argc; k++)
			wanted |= !strcmp(argv[k], tables[i].name);
		if (wanted)
			ok &= run(&tables[i], directory, update);
	}
	return ok ? 0 : 1;
}
