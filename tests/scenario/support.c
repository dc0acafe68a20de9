/* The world of the scenarios: see support.h. */
#include "support.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_BUDGET = 64, TURNS_MAX = 20000000 };

/* --- the world ------------------------------------------------------------------------------- */

static void stack_init(struct world *w, int side, const struct world_options *o)
{
	struct haven_stack_config config;

	test_env_init(&w->env[side], o->seed * 2 + (uint64_t)side);
	haven_stack_config_init(&config);
	config.env = test_env_haven(&w->env[side]);
	config.privileged_port_limit = 0;
	config.accept_any_address = side == RIGHT && o->any_address;
	if (o->configure)
		o->configure(&config, side);
	assert_int_equal(haven_stack_create(&config, &w->stack[side]), 0);
	haven_set_time(w->stack[side], w->now_ns);
}

static void fault_wrap(struct world *w, const char *words)
{
	struct haven_fault in = {0}, out = {0};
	const char *bad = NULL;

	if (haven_fault_parse(words, &in, &out, &bad) < 0)
		fail_msg("bad fault at '%s'", bad);
	assert_int_equal(haven_link_fault(w->stack[LEFT], w->link[LEFT], &in, &out,
					  &w->link[LEFT]),
			 0);
}

static void side_attach(struct world *w, int side)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct sockaddr_storage address = address_of(v6, (uint8_t)(side + 1), 0);
		int error;

		if (!v6)
			assert_int_equal(haven_stack_attach(w->stack[side], w->link[side],
							    &w->ifindex[side]),
					 0);
		error = haven_address_add(w->stack[side], w->ifindex[side],
					  (struct sockaddr *)&address, v6 ? 64 : 24);
		assert_int_equal(error, 0);
	}
}

static void default_routes(struct world *w)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct sockaddr_storage all = address_text(v6 ? "::" : "0.0.0.0", 0);
		struct sockaddr_storage via = address_of(v6, 2, 0);

		assert_int_equal(haven_route_add(w->stack[LEFT], w->ifindex[LEFT],
						 (struct sockaddr *)&all, 0,
						 (struct sockaddr *)&via),
				 0);
	}
}

void world_init(struct world *w, const struct world_options *o)
{
	struct haven_link_config config;

	memset(w, 0, sizeof(*w));
	w->now_ns = 1000 * SECOND;
	stack_init(w, LEFT, o);
	stack_init(w, RIGHT, o);
	haven_link_config_init(&config);
	config.mtu = o->mtu ? o->mtu : 1500;
	if (o->no_offloads)
		config.offloads = 0;
	assert_int_equal(haven_link_pair(w->stack[LEFT], w->stack[RIGHT], &config, o->queue,
					 &w->link[LEFT], &w->link[RIGHT]),
			 0);
	if (o->fault)
		fault_wrap(w, o->fault);
	side_attach(w, LEFT);
	side_attach(w, RIGHT);
	if (o->any_address)
		default_routes(w);
	if (o->forwarder)
		haven_stack_set_forwarder(w->stack[RIGHT], o->forwarder);
}

void world_finish(struct world *w)
{
	for (int side = 0; side < 2; side++) {
		haven_stack_destroy(w->stack[side]);
		test_env_finish(&w->env[side]);
	}
}

/* One turn of one stack. */
static void turn(struct world *w, int side)
{
	int frames = haven_input(w->stack[side], w->ifindex[side], INPUT_BUDGET, w->now_ns);

	assert_true(frames >= 0);
	haven_poll(w->stack[side], w->now_ns);
	w->turns++;
	assert_true(w->turns < TURNS_MAX);
}

static uint64_t next_deadline(const struct world *w)
{
	uint64_t left = haven_next_deadline(w->stack[LEFT]);
	uint64_t right = haven_next_deadline(w->stack[RIGHT]);

	return left < right ? left : right;
}

void world_settle(struct world *w)
{
	do {
		turn(w, LEFT);
		turn(w, RIGHT);
	} while (next_deadline(w) <= w->now_ns);
}

void world_run(struct world *w, bool (*done)(void *ctx), void *ctx, uint64_t limit_ns)
{
	uint64_t end = w->now_ns + limit_ns;

	for (;;) {
		uint64_t next;

		/* What done() sends may make it true without time going by. */
		world_settle(w);
		if (done(ctx))
			return;
		next = next_deadline(w);
		if (next <= w->now_ns)
			continue;
		if (next > end)
			fail_msg("not within %llu ms",
				 (unsigned long long)(limit_ns / MILLISECOND));
		w->now_ns = next;
	}
}

void world_pass(struct world *w, uint64_t duration_ns)
{
	uint64_t end = w->now_ns + duration_ns;

	for (;;) {
		uint64_t next;

		world_settle(w);
		next = next_deadline(w);
		if (w->now_ns >= end)
			return;
		w->now_ns = next < end ? next : end;
	}
}

/* --- addresses --------------------------------------------------------------------------------- */

struct sockaddr_storage address_text(const char *text, uint16_t port)
{
	struct sockaddr_storage storage = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;

	if (strchr(text, ':')) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
	}
	return storage;
}

struct sockaddr_storage address_of(bool v6, uint8_t n, uint16_t port)
{
	struct sockaddr_storage storage = address_text(v6 ? "fd00::" : "10.0.0.0", port);

	if (!n)
		return address_text(v6 ? "::" : "0.0.0.0", port);
	if (v6)
		((struct sockaddr_in6 *)&storage)->sin6_addr.s6_addr[15] = n;
	else
		((struct sockaddr_in *)&storage)->sin_addr.s_addr |= htonl(n);
	return storage;
}

socklen_t address_size(bool v6)
{
	return v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

struct haven_endpoint endpoint_text(const char *text, uint16_t port)
{
	struct sockaddr_storage storage = address_text(text, port);
	struct haven_endpoint endpoint;

	assert_int_equal(haven_endpoint_from_sockaddr((struct sockaddr *)&storage, &endpoint),
			 0);
	return endpoint;
}

/* --- sockets ----------------------------------------------------------------------------------- */

static struct haven_socket *socket_new(struct world *w, int side, bool v6, int type)
{
	struct haven_socket *socket;

	assert_int_equal(haven_socket(w->stack[side], v6 ? AF_INET6 : AF_INET, type, 0,
				      &socket),
			 0);
	return socket;
}

struct haven_socket *stream_new(struct world *w, int side, bool v6)
{
	return socket_new(w, side, v6, SOCK_STREAM);
}

struct haven_socket *datagram_new(struct world *w, int side, bool v6)
{
	return socket_new(w, side, v6, SOCK_DGRAM);
}

struct haven_socket *listen_on(struct world *w, int side, bool v6, uint16_t port, int backlog)
{
	struct haven_socket *socket = stream_new(w, side, v6);
	struct sockaddr_storage any = address_of(v6, 0, port);

	assert_int_equal(haven_bind(socket, (struct sockaddr *)&any, address_size(v6)), 0);
	assert_int_equal(haven_listen(socket, backlog), 0);
	return socket;
}

int connect_to(struct haven_socket *socket, bool v6, uint8_t n, uint16_t port)
{
	struct sockaddr_storage address = address_of(v6, n, port);

	return haven_connect(socket, (struct sockaddr *)&address, address_size(v6));
}

struct waiting {
	struct haven_socket *socket;
	unsigned events;
};

static bool has_events(void *ctx)
{
	const struct waiting *waiting = ctx;

	return (haven_socket_events(waiting->socket) & waiting->events) == waiting->events;
}

void wait_events(struct world *w, struct haven_socket *socket, unsigned events,
		 uint64_t limit_ns)
{
	struct waiting waiting = {socket, events};

	world_run(w, has_events, &waiting, limit_ns);
}

void connect_pair(struct world *w, bool v6, uint16_t port, struct haven_socket **client,
		  struct haven_socket **server)
{
	struct haven_socket *listener = listen_on(w, RIGHT, v6, port, 8);

	*client = stream_new(w, LEFT, v6);
	assert_int_equal(connect_to(*client, v6, 2, port), -EINPROGRESS);
	wait_events(w, *client, HAVEN_EVENT_CONNECTED, 60 * SECOND);
	wait_events(w, listener, HAVEN_EVENT_READABLE, 60 * SECOND);
	assert_int_equal(haven_accept(listener, NULL, NULL, server), 0);
	haven_close(listener);
}

int socket_error(struct haven_socket *socket)
{
	int error = -1;
	socklen_t length = sizeof(error);

	assert_int_equal(haven_getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	return error;
}

uint16_t local_port(struct haven_socket *socket)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof(storage);

	assert_int_equal(haven_getsockname(socket, (struct sockaddr *)&storage, &length), 0);
	/* The port stands at the same place in both. */
	return ntohs(((struct sockaddr_in *)&storage)->sin_port);
}

/* --- transfers ---------------------------------------------------------------------------------- */

enum { PATTERN_PERIOD = 65521, PATTERN_BYTES = 2 * PATTERN_PERIOD };

const uint8_t *pattern_at(uint64_t position, size_t *size)
{
	static uint8_t pattern[PATTERN_BYTES];
	size_t start = position % PATTERN_PERIOD;

	if (!pattern[0]) {
		struct test_random random;

		test_random_init(&random, 99);
		for (size_t i = 0; i < PATTERN_PERIOD; i++)
			pattern[i] = pattern[i + PATTERN_PERIOD] =
				(uint8_t)(test_random64(&random) | 1);
	}
	*size = PATTERN_BYTES - start;
	return pattern + start;
}

static size_t piece(const struct transfer *t, uint64_t left, size_t available)
{
	size_t size = available;

	if (size > left)
		size = left;
	if (t->max_bytes && size > t->max_bytes)
		size = t->max_bytes;
	return size;
}

static ssize_t send_piece(struct transfer *t)
{
	size_t size;
	const uint8_t *data = pattern_at(t->sent, &size);
	struct iovec slices[2];
	ssize_t room;

	size = piece(t, t->total - t->sent, size);
	if (!t->zero_copy)
		return haven_send(t->from, data, size, 0);
	room = haven_send_reserve(t->from, size, slices);
	if (room <= 0)
		return room;
	if ((size_t)room < size)
		size = (size_t)room;
	for (size_t i = 0, done = 0; done < size; i++) {
		size_t step = size - done < slices[i].iov_len ? size - done : slices[i].iov_len;

		memcpy(slices[i].iov_base, data + done, step);
		done += step;
	}
	haven_send_commit(t->from, size, false);
	return (ssize_t)size;
}

static void check_bytes(struct transfer *t, const uint8_t *data, size_t size)
{
	while (size) {
		size_t step;
		const uint8_t *expected = pattern_at(t->received, &step);

		if (step > size)
			step = size;
		if (memcmp(data, expected, step))
			fail_msg("bytes differ after %llu", (unsigned long long)t->received);
		t->received += step;
		data += step;
		size -= step;
	}
	assert_true(t->received <= t->total);
}

static ssize_t receive_piece(struct transfer *t)
{
	static uint8_t buffer[1 << 18];
	struct iovec slices[2];
	ssize_t size;

	if (!t->zero_copy) {
		size = haven_recv(t->to, buffer, piece(t, UINT64_MAX, sizeof(buffer)), 0);
		if (size > 0)
			check_bytes(t, buffer, (size_t)size);
		return size;
	}
	size = (ssize_t)haven_recv_peek(t->to, slices);
	if (!size)
		return haven_recv(t->to, buffer, 1, 0);
	check_bytes(t, slices[0].iov_base, slices[0].iov_len);
	if (slices[1].iov_len)
		check_bytes(t, slices[1].iov_base, slices[1].iov_len);
	haven_recv_consume(t->to, (size_t)size);
	return size;
}

bool transfer_done(void *ctx)
{
	struct transfer *t = ctx;
	ssize_t size;

	while (t->sent < t->total && (size = send_piece(t)) > 0) {
		t->sent += (uint64_t)size;
		if (t->sent == t->total && t->ended)
			assert_int_equal(haven_shutdown(t->from, SHUT_WR), 0);
	}
	while (!t->saw_end) {
		size = receive_piece(t);
		if (size == 0)
			t->saw_end = true;
		else if (size == -EAGAIN)
			break;
		else if (size < 0)
			fail_msg("receive: %s", haven_strerror((int)size));
	}
	return t->received == t->total && (!t->ended || t->saw_end);
}

/* --- counters ------------------------------------------------------------------------------------ */

uint64_t drops_of(const struct world *w, int side, const char *name)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < haven_drop_reasons(); i++) {
		if (!strncmp(haven_drop_name(i), name, strlen(name)))
			sum += haven_drop_count(w->stack[side], i);
	}
	return sum;
}

uint64_t drops_all(const struct world *w, int side)
{
	return drops_of(w, side, "");
}

struct haven_stats stats_of(const struct world *w, int side)
{
	struct haven_stats stats;

	haven_stack_stats(w->stack[side], &stats);
	return stats;
}
