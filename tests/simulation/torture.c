/*
 * The N-th allocation fails, alone or with some that follow, for every N and in each of two stacks.
 *
 * Each run makes two stacks, a wire with wrappers, a listener and a forwarder, moves a stream through each
 * and a datagram in fragments, and takes it all down. Whatever N is, nothing may be
 * leaked or touched after it was freed; and unless a call told the program that it failed, both
 * streams must arrive in whole: one lost packet is nothing that TCP may show.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haven/forward.h>
#include <haven/link.h>

#include "support/env.h"

#define SECOND UINT64_C(1000000000)

enum { BYTES = 30000, DATAGRAM = 5000, STEPS_MAX = 100000, CONNECTIONS = 2 };

struct connection {
	struct haven_socket *client, *server;
	size_t sent, echoed, received; /* by client, by server, by client again */
	bool shut, server_eof, done;
};

struct run {
	struct test_env env[2];
	struct haven_stack *stack[2]; /* 0: client, 1: server */
	struct haven_socket *listener, *echo, *sender;
	struct haven_request *request;
	struct connection connections[CONNECTIONS];
	uint64_t now_ns;
	uint64_t nth; /* for the report */
	unsigned host;
	int error; /* that a call told the program */
	bool datagram_came;
};

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static void die(const struct run *run, const char *what)
{
	fprintf(stderr,
		"torture: host %u, allocation %" PRIu64 " and %" PRIu64
		" more, after %.3f s: %s\n",
		run->host, run->nth, run->env[run->host].fail_span, (double)run->now_ns / 1e9,
		what);
	for (int h = 0; h < 2; h++) {
		struct haven_stats stats;

		if (!run->stack[h])
			continue;
		haven_stack_stats(run->stack[h], &stats);
		fprintf(stderr, "  host %d: connections %" PRIu64 " memory %" PRIu64 "\n", h,
			stats.connections, stats.memory_bytes);
		for (unsigned r = 0; r < haven_drop_reasons(); r++) {
			if (haven_drop_count(run->stack[h], r))
				fprintf(stderr, "    %s: %" PRIu64 "\n", haven_drop_name(r),
					haven_drop_count(run->stack[h], r));
		}
	}
	abort();
}

/* A call of the program: whether it may go on. */
static bool ok(struct run *run, ssize_t result)
{
	if (result >= 0)
		return true;
	run->error = (int)-result;
	if (result != -ENOMEM && result != -ENOBUFS && result != -ENETUNREACH)
		die(run, haven_strerror((int)result));
	return false;
}

/* --- making it ------------------------------------------------------------------------------ */

static socklen_t address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	inet_pton(AF_INET, text, &in->sin_addr);
	return sizeof(*in);
}

static void requested(void *user, struct haven_request *request,
		      const struct haven_endpoint *source,
		      const struct haven_endpoint *destination)
{
	(void)source;
	(void)destination;
	((struct run *)user)->request = request;
}

static void cancelled(void *user, struct haven_request *request)
{
	(void)request;
	((struct run *)user)->request = NULL;
}

static void discard(void *user, const void *data, size_t size)
{
	(void)data;
	*(size_t *)user += size;
}

static bool make_stack(struct run *run, unsigned h)
{
	const struct haven_forwarder forwarder = {.user = run,
						  .tcp = requested,
						  .tcp_cancelled = cancelled};
	struct haven_stack_config config;

	haven_stack_config_init(&config);
	config.env = test_env_haven(&run->env[h]);
	config.privileged = true;
	config.accept_any_address = h == 1;
	config.time_wait_ns = SECOND;
	if (!ok(run, haven_stack_create(&config, &run->stack[h])))
		return false;
	haven_set_time(run->stack[h], run->now_ns);
	if (h == 1)
		haven_stack_set_forwarder(run->stack[h], &forwarder);
	return true;
}

static bool make_wire(struct run *run, size_t *captured)
{
	const struct haven_fault fault = {.delay_ns = 1000000};
	struct haven_link_config config;
	struct haven_link *a, *b;
	bool good;

	haven_link_config_init(&config);
	if (!ok(run, haven_link_pair(run->stack[0], run->stack[1], &config, 0, &a, &b)))
		return false;
	/* Wrappers take what they wrap, also when they fail. */
	good = ok(run, haven_link_fault(run->stack[0], a, &fault, &fault, &a)) &&
	       ok(run, haven_link_capture(run->stack[0], a, discard, captured, 0, &a));
	if (!good) {
		haven_link_destroy(b);
		return false;
	}
	if (!ok(run, haven_stack_attach(run->stack[0], a, NULL))) {
		haven_link_destroy(b);
		return false;
	}
	return ok(run, haven_stack_attach(run->stack[1], b, NULL));
}

static bool make_addresses(struct run *run)
{
	struct sockaddr_storage a, any;

	address("10.0.0.1", 0, &a);
	address("0.0.0.0", 0, &any);
	if (!ok(run, haven_address_add(run->stack[1], 1, (struct sockaddr *)&a, 24)) ||
	    !ok(run, haven_route_add(run->stack[0], 1, (struct sockaddr *)&any, 0,
				     (struct sockaddr *)&a)))
		return false;
	address("10.0.0.2", 0, &a);
	return ok(run, haven_address_add(run->stack[0], 1, (struct sockaddr *)&a, 24));
}

static bool make_socket(struct run *run, unsigned h, int type, uint16_t port,
			struct haven_socket **out)
{
	struct sockaddr_storage any;
	socklen_t length = address("0.0.0.0", port, &any);
	int no_delay = 1;

	if (!ok(run, haven_socket(run->stack[h], AF_INET, type, 0, out)))
		return false;
	/* An option that has to be kept until there is a connection. */
	if (type == SOCK_STREAM &&
	    !ok(run, haven_setsockopt(*out, IPPROTO_TCP, 1, &no_delay, sizeof(no_delay))))
		return false;
	return !port || ok(run, haven_bind(*out, (struct sockaddr *)&any, length));
}

static bool make_sockets(struct run *run)
{
	static const char *const servers[CONNECTIONS] = {"10.0.0.1", "192.0.2.99"};
	struct sockaddr_storage to;
	socklen_t length;

	if (!make_socket(run, 1, SOCK_STREAM, 80, &run->listener) ||
	    !ok(run, haven_listen(run->listener, 4)) ||
	    !make_socket(run, 1, SOCK_DGRAM, 7, &run->echo) ||
	    !make_socket(run, 0, SOCK_DGRAM, 0, &run->sender))
		return false;
	for (int i = 0; i < CONNECTIONS; i++) {
		int result;

		length = address(servers[i], 80, &to);
		if (!make_socket(run, 0, SOCK_STREAM, 0, &run->connections[i].client))
			return false;
		result = haven_connect(run->connections[i].client, (struct sockaddr *)&to,
				       length);
		if (result != -EINPROGRESS && !ok(run, result))
			return false;
	}
	return true;
}

/* --- the programs ------------------------------------------------------------------------------ */

/* A result that says nothing but "later". */
static bool later(ssize_t result)
{
	return result == -EAGAIN || result == -ENOMEM || result == -ENOBUFS;
}

static void serve(struct run *run, struct connection *c)
{
	uint8_t buffer[4000];
	ssize_t got, sent;

	while (c->server && !c->server_eof) {
		got = haven_recv(c->server, buffer, sizeof(buffer), MSG_PEEK);
		if (later(got))
			return;
		if (got < 0)
			die(run, "the server's stream broke");
		if (got == 0) {
			c->server_eof = true;
			haven_close(c->server);
			c->server = NULL;
			return;
		}
		sent = haven_send(c->server, buffer, (size_t)got, 0);
		if (later(sent))
			return;
		if (sent < 0 || haven_recv(c->server, buffer, (size_t)sent, 0) != sent)
			die(run, "the server cannot answer");
		c->echoed += (size_t)sent;
	}
}

static void client_sends(struct run *run, struct connection *c)
{
	uint8_t buffer[4000];
	ssize_t sent;

	while (c->sent < BYTES) {
		size_t size =
			BYTES - c->sent < sizeof(buffer) ? BYTES - c->sent : sizeof(buffer);

		for (size_t i = 0; i < size; i++)
			buffer[i] = pattern(c->sent + i);
		sent = haven_send(c->client, buffer, size, 0);
		if (later(sent) || sent == -ENOTCONN)
			return;
		if (sent <= 0)
			die(run, sent ? haven_strerror((int)sent) : "nothing was sent");
		c->sent += (size_t)sent;
	}
	if (!c->shut && haven_shutdown(c->client, SHUT_WR) == 0)
		c->shut = true;
}

static void client(struct run *run, struct connection *c)
{
	uint8_t buffer[4000];
	ssize_t got;

	if (c->done || !(haven_socket_events(c->client) &
			 (HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR | HAVEN_EVENT_HANGUP)))
		return;
	client_sends(run, c);
	while ((got = haven_recv(c->client, buffer, sizeof(buffer), 0)) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (buffer[i] != pattern(c->received++))
				die(run, "wrong bytes");
		}
	}
	if (later(got))
		return;
	if (got < 0)
		die(run, haven_strerror((int)got));
	if (c->received != BYTES)
		die(run, "the stream ended early");
	c->done = true;
}

static void accept_one(struct run *run, struct haven_socket *socket)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &run->connections[i];

		if (!c->server && !c->server_eof) {
			c->server = socket;
			return;
		}
	}
	die(run, "a connection too many");
}

static void programs(struct run *run)
{
	uint8_t buffer[DATAGRAM];
	struct haven_socket *socket;
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	ssize_t got;

	while (haven_accept(run->listener, NULL, NULL, &socket) == 0)
		accept_one(run, socket);
	if (run->request) {
		struct haven_request *request = run->request;

		run->request = NULL;
		/* A request that cannot be accepted resets its client: the program was told. */
		if (ok(run, haven_request_accept(request, &socket)))
			accept_one(run, socket);
	}
	for (int i = 0; i < CONNECTIONS && !run->error; i++) {
		serve(run, &run->connections[i]);
		client(run, &run->connections[i]);
	}
	got = haven_recvfrom(run->echo, buffer, sizeof(buffer), 0, (struct sockaddr *)&from,
			     &length);
	if (got >= 0)
		haven_sendto(run->echo, buffer, (size_t)got, 0, (struct sockaddr *)&from,
			     length);
	got = haven_recv(run->sender, buffer, sizeof(buffer), 0);
	if (got >= 0 && got != DATAGRAM)
		die(run, "a datagram changed its size");
	run->datagram_came |= got >= 0;
}

/* --- one run -------------------------------------------------------------------------------------- */

static bool all_done(const struct run *run)
{
	struct haven_stats stats;

	for (int i = 0; i < CONNECTIONS; i++) {
		if (!run->connections[i].done)
			return false;
	}
	for (int h = 0; h < 2; h++) {
		haven_stack_stats(run->stack[h], &stats);
		if (stats.connections > (h == 0 ? CONNECTIONS : 0))
			return false;
	}
	return true;
}

static void turn(struct run *run)
{
	uint64_t a = haven_next_deadline(run->stack[0]), b = haven_next_deadline(run->stack[1]);
	uint64_t next = a < b ? a : b;

	if (next == UINT64_MAX)
		next = run->now_ns + SECOND;
	if (next > run->now_ns)
		run->now_ns = next;
	for (int h = 0; h < 2; h++) {
		haven_input(run->stack[h], 1, 64, run->now_ns);
		haven_poll(run->stack[h], run->now_ns);
	}
	programs(run);
	for (int h = 0; h < 2; h++) {
		while (haven_next_ready(run->stack[h], NULL))
			;
	}
}

static void go(struct run *run)
{
	static const uint8_t datagram[DATAGRAM];
	struct sockaddr_storage to;
	socklen_t length = address("10.0.0.1", 7, &to);

	haven_sendto(run->sender, datagram, sizeof(datagram), 0, (struct sockaddr *)&to,
		     length);
	for (int steps = 0; !all_done(run) && !run->error; steps++) {
		if (steps > STEPS_MAX || run->now_ns > 3600 * SECOND)
			die(run, "there is no end to it");
		turn(run);
	}
}

static void take_down(struct run *run)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		haven_close(run->connections[i].client);
		haven_close(run->connections[i].server);
	}
	haven_close(run->listener);
	haven_close(run->echo);
	haven_close(run->sender);
	haven_stack_destroy(run->stack[0]);
	haven_stack_destroy(run->stack[1]);
}

/* False: there were fewer allocations than nth, and everything went well. */
static bool torture(unsigned host, uint64_t nth, uint64_t span)
{
	struct run run = {.now_ns = SECOND, .nth = nth, .host = host};
	size_t captured = 0;
	bool failed;

	for (unsigned h = 0; h < 2; h++)
		test_env_init(&run.env[h], 1000 + h);
	test_env_fail(&run.env[host], nth);
	run.env[host].fail_span = span;
	if (make_stack(&run, 0) && make_stack(&run, 1) && make_wire(&run, &captured) &&
	    make_addresses(&run) && make_sockets(&run))
		go(&run);
	failed = test_env_failed(&run.env[host]);
	if (!failed && (run.error || !run.datagram_came || !captured))
		die(&run, "it fails without a failed allocation");
	take_down(&run);
	for (unsigned h = 0; h < 2; h++)
		test_env_finish(&run.env[h]);
	return failed;
}

int main(void)
{
	static const uint64_t spans[] = {0, 1, 3, 9};

	for (unsigned i = 0; i < 2 * sizeof(spans) / sizeof(spans[0]); i++) {
		uint64_t nth = 1;

		while (torture(i % 2, nth, spans[i / 2]))
			nth++;
		printf("host %u: each of %" PRIu64 " allocations has failed, with %" PRIu64
		       " after it\n",
		       i % 2, nth - 1, spans[i / 2]);
	}
	return 0;
}
