/*
 * The port table under load: one operation, so often, at so many connections. bench/ports runs this under
 * callgrind, where measured() is what is counted, and by itself, for the time.
 *
 *	ports_cases find|insert|remove CONNECTIONS
 *	ports_cases choose CONNECTIONS PERMILLE FIRST LAST    so full is the range, towards one destination
 *	ports_cases bytes CONNECTIONS                         established, between two stacks
 *
 * Prints one line of JSON.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <haven/link.h>
#include <haven/socket.h>

#include "base/core.h"
#include "port/port.h"

enum { OPERATIONS = 4096, BATCH = 512, PER_SERVER = 62500 };

struct bench {
	struct hv_core core;
	struct hv_port_table table;
	struct hv_tuple *tuples;
	uint32_t count;
	struct hv_tuple *picked[OPERATIONS];
	uint32_t failures;
	uint64_t random; /* state */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "ports_cases: %s\n", what);
	exit(1);
}

static struct hv_addr address(uint8_t net, uint32_t n)
{
	return hv_addr_v4(
		(const uint8_t[4]){net, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n});
}

/* The same in every run, so that the figures are (splitmix64). */
static void fixed_random(void *user, void *buffer, size_t size)
{
	uint64_t *state = user;

	for (size_t i = 0; i < size; i++) {
		uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		((uint8_t *)buffer)[i] =
			(uint8_t)((z ^ z >> 27) * UINT64_C(0x94d049bb133111eb) >> 56);
	}
}

static void *plain_alloc(void *user, size_t size)
{
	(void)user;
	return malloc(size);
}

static void plain_free(void *user, void *memory, size_t size)
{
	(void)user;
	(void)size;
	free(memory);
}

static void setup(struct bench *b, uint32_t connections, uint16_t first, uint16_t last)
{
	struct hv_port_config config = {.ephemeral_first = first, .ephemeral_last = last};
	struct haven_env env = {
		.user = &b->random,
		.alloc = plain_alloc,
		.free = plain_free,
		.random = fixed_random,
	};

	must(hv_core_init(&b->core, &env) == 0, "no core");
	must(hv_port_table_init(&b->table, &b->core, &config) == 0, "no table");
	b->tuples = calloc(connections, sizeof(*b->tuples));
	must(b->tuples, "no memory");
}

/* Connections that a server has accepted: one local end, as many remote ones. */
static void accept_all(struct bench *b, uint32_t connections)
{
	for (; b->count < connections; b->count++) {
		struct hv_tuple *tuple = &b->tuples[b->count];

		tuple->local = address(10, 1);
		tuple->local_port = 80;
		tuple->remote = address(11, b->count / 50000);
		tuple->remote_port = (uint16_t)(1024 + b->count % 50000);
		tuple->proto = IPPROTO_TCP;
		tuple->hold = HV_HOLD_BOUND;
		must(hv_port_insert(&b->table, tuple) == 0, "insert failed");
	}
}

static void pick(struct bench *b)
{
	/* Steps of a large prime, so that none is taken twice. */
	uint64_t at = 0;

	for (int i = 0; i < OPERATIONS; i++, at += 1000003)
		b->picked[i] = &b->tuples[at % b->count];
}

/* Operations at a time: a round must not touch one connection twice. */
static int round_size(const struct bench *b)
{
	return b->count < OPERATIONS ? (int)b->count / 2 : BATCH;
}

/* --- what is counted ------------------------------------------------------------------------ */

__attribute__((noinline)) static void measured_find(struct bench *b, int from, int count)
{
	for (int i = from; i < from + count; i++) {
		const struct hv_tuple *t = b->picked[i];

		b->failures += hv_port_find(&b->table, t->proto, &t->local, t->local_port,
					    &t->remote, t->remote_port) != t;
	}
}

__attribute__((noinline)) static void measured_remove(struct bench *b, int from, int count)
{
	for (int i = from; i < from + count; i++)
		hv_port_remove(&b->table, b->picked[i]);
}

__attribute__((noinline)) static void measured_insert(struct bench *b, int from, int count)
{
	for (int i = from; i < from + count; i++)
		b->failures += hv_port_insert(&b->table, b->picked[i]) != 0;
}

__attribute__((noinline)) static int measured_choose(struct bench *b, struct hv_tuple *tuple)
{
	return hv_port_insert_ephemeral(&b->table, tuple);
}

/* --- rounds ---------------------------------------------------------------------------------- */

static void report(const char *operation, uint32_t connections, int operations, uint64_t ns)
{
	printf("{\"operation\": \"%s\", \"connections\": %" PRIu32
	       ", \"operations\": %d, \"ns\": %.1f}\n",
	       operation, connections, operations, (double)ns / operations);
}

/* Take some out and put them in again, over and over; the time of one of the two, or of looking for them. */
static void run_plain(struct bench *b, const char *operation, uint32_t connections)
{
	uint64_t find = 0, insert = 0, remove = 0;
	int size, done = 0;

	setup(b, connections, 32768, 60999);
	accept_all(b, connections);
	pick(b);
	size = round_size(b);
	while (done + size <= OPERATIONS) {
		uint64_t start = now_ns(), found, removed;

		if (strcmp(operation, "find") == 0)
			measured_find(b, done, size);
		found = now_ns();
		measured_remove(b, done, size);
		removed = now_ns();
		measured_insert(b, done, size);
		insert += now_ns() - removed;
		remove += removed - found;
		find += found - start;
		done += size;
	}
	must(b->failures == 0, "an operation failed");
	report(operation, connections, done,
	       *operation == 'f'   ? find
	       : *operation == 'i' ? insert
				   : remove);
}

static struct hv_tuple to_destination(uint32_t n)
{
	return (struct hv_tuple){
		.local = address(10, 1),
		.remote = address(11, n),
		.remote_port = 443,
		.proto = IPPROTO_TCP,
	};
}

/* The destination 0 is as full as asked for; the rest of the connections go to others, half full each. */
static void connect_all(struct bench *b, uint32_t connections, uint32_t size, uint32_t permille)
{
	uint32_t first = (uint32_t)((uint64_t)size * permille / 1000);

	must(first <= connections, "too few connections for that occupancy");
	for (; b->count < connections; b->count++) {
		uint32_t other = b->count < first ? 0 : 1 + (b->count - first) / (size / 2);

		b->tuples[b->count] = to_destination(other);
		must(hv_port_insert_ephemeral(&b->table, &b->tuples[b->count]) == 0, "no port");
	}
}

static void run_choose(struct bench *b, uint32_t connections, uint32_t permille, uint16_t first,
		       uint16_t last)
{
	uint32_t size = (uint32_t)last - first + 1;
	uint64_t ns = 0;

	setup(b, connections, first, last);
	connect_all(b, connections, size, permille);
	for (int i = -1; i < OPERATIONS; i++) {
		struct hv_tuple tuple = to_destination(0);
		uint64_t start = now_ns();
		/* The first pays for the group of this destination, once for thousands. */
		int error = i < 0 ? hv_port_insert_ephemeral(&b->table, &tuple)
				  : measured_choose(b, &tuple);

		if (i >= 0)
			ns += now_ns() - start;
		must(error == (permille == 1000 ? -EADDRNOTAVAIL : 0), "wrong choice");
		if (!error)
			hv_port_remove(&b->table, &tuple);
	}
	report("choose", connections, OPERATIONS, ns);
}

/* --- memory ------------------------------------------------------------------------------------ */

struct pair {
	struct haven_stack *stack[2];
	struct haven_link *link[2];
	unsigned ifindex[2];
	uint64_t now;
};

static struct sockaddr_in end_of(uint8_t host, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(0x0a000000u | host)};
}

static void pair_make(struct pair *p, uint32_t connections)
{
	struct haven_stack_config config;
	struct haven_link_config link;

	haven_stack_config_init(&config);
	config.max_sockets = connections + 1000;
	config.privileged_port_limit = 0;
	config.ephemeral_first = 1024;
	config.ephemeral_last = 65535;
	p->now = 1000000000;
	for (int side = 0; side < 2; side++)
		must(haven_stack_create(&config, &p->stack[side]) == 0, "no stack");
	haven_link_config_init(&link);
	must(haven_link_pair(p->stack[0], p->stack[1], &link, 4 * BATCH, &p->link[0],
			     &p->link[1]) == 0,
	     "no link");
	for (int side = 0; side < 2; side++) {
		struct sockaddr_in own = end_of((uint8_t)(side + 1), 0);

		must(haven_stack_attach(p->stack[side], p->link[side], &p->ifindex[side]) == 0,
		     "not attached");
		must(haven_address_add(p->stack[side], p->ifindex[side],
				       (struct sockaddr *)&own, 24) == 0,
		     "no address");
	}
}

static void pair_settle(struct pair *p)
{
	int frames;

	do {
		frames = 0;
		for (int side = 0; side < 2; side++) {
			int got = haven_input(p->stack[side], p->ifindex[side], 256, p->now);

			must(got >= 0, "link down");
			haven_poll(p->stack[side], p->now);
			frames += got;
		}
	} while (frames || haven_next_deadline(p->stack[0]) <= p->now ||
		 haven_next_deadline(p->stack[1]) <= p->now);
}

static void connect_batch(struct pair *p, struct haven_socket *listener, uint16_t port,
			  uint32_t count)
{
	struct sockaddr_in to = end_of(2, port);
	struct haven_socket *socket;

	for (uint32_t i = 0; i < count; i++) {
		must(haven_socket(p->stack[0], AF_INET, SOCK_STREAM, 0, &socket) == 0,
		     "no socket");
		must(haven_connect(socket, (struct sockaddr *)&to, sizeof(to)) == -EINPROGRESS,
		     "no connection");
	}
	pair_settle(p);
	for (uint32_t i = 0; i < count; i++)
		must(haven_accept(listener, NULL, NULL, &socket) == 0, "nobody came");
}

static void run_bytes(uint32_t connections)
{
	struct pair p;
	struct haven_stats before[2], after[2];
	uint64_t start = now_ns();
	uint32_t done = 0;

	pair_make(&p, connections);
	for (int side = 0; side < 2; side++)
		haven_stack_stats(p.stack[side], &before[side]);
	for (uint16_t port = 80; done < connections; port++) {
		struct sockaddr_in at = end_of(2, port);
		struct haven_socket *listener;
		uint32_t end =
			done + PER_SERVER < connections ? done + PER_SERVER : connections;

		must(haven_socket(p.stack[1], AF_INET, SOCK_STREAM, 0, &listener) == 0 &&
			     haven_bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
			     haven_listen(listener, BATCH) == 0,
		     "no listener");
		while (done < end) {
			/* The first one finds the neighbour for all. */
			uint32_t count = !done ? 1 : end - done < BATCH ? end - done : BATCH;

			connect_batch(&p, listener, port, count);
			done += count;
			p.now += 1000000;
		}
	}
	for (int side = 0; side < 2; side++)
		haven_stack_stats(p.stack[side], &after[side]);
	must(after[0].connections == connections && after[1].connections == connections,
	     "not all are established");
	printf("{\"operation\": \"bytes\", \"connections\": %" PRIu32
	       ", \"client_bytes\": %" PRIu64 ", \"server_bytes\": %" PRIu64
	       ", \"seconds\": %.1f}\n",
	       connections, (after[0].memory_bytes - before[0].memory_bytes) / connections,
	       (after[1].memory_bytes - before[1].memory_bytes) / connections,
	       (double)(now_ns() - start) / 1e9);
	fflush(stdout);
	_Exit(0); /* taking all down is not what is measured */
}

int main(int argc, char **argv)
{
	static struct bench bench;
	uint32_t connections = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;

	if (argc == 3 && connections && strcmp(argv[1], "bytes") == 0)
		run_bytes(connections);
	else if (argc == 3 && connections)
		run_plain(&bench, argv[1], connections);
	else if (argc == 6 && connections && strcmp(argv[1], "choose") == 0)
		run_choose(&bench, connections, (uint32_t)strtoul(argv[3], NULL, 10),
			   (uint16_t)strtoul(argv[4], NULL, 10),
			   (uint16_t)strtoul(argv[5], NULL, 10));
	else
		must(false, "see the head of bench/ports_cases.c for what to say");
	return 0;
}
