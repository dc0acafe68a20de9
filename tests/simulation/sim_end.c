/*
 * One end of a stream. It sends 16 bytes that say who it is, then bytes that follow from that and from
 * their position; so whoever receives them can check each one, and knows whose they are.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "sim.h"

enum { HEADER = 16, CHUNK_MAX = 65536, STALLS_MAX = 40, SLEEPS_MAX = 3 };
#define HEADER_MASK UINT64_C(0x5a5a1234beef8765)

/* --- what is sent -------------------------------------------------------------------------- */

static void put64(uint8_t *p, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

static uint64_t word_of(uint64_t id, uint64_t index)
{
	struct test_random random;

	if (index < 2)
		return index == 0 ? id : id ^ HEADER_MASK;
	test_random_init(&random, id + index * UINT64_C(0x9e3779b97f4a7c15));
	return test_random64(&random);
}

/* The bytes of stream `id` from `position` on. */
static void pattern(uint64_t id, uint64_t position, uint8_t *out, size_t size)
{
	while (size > 0) {
		size_t skip = position % 8, part = 8 - skip;
		uint8_t word[8];

		put64(word, word_of(id, position / 8));
		part = part < size ? part : size;
		memcpy(out, word + skip, part);
		out += part;
		position += part;
		size -= part;
	}
}

/* --- life ----------------------------------------------------------------------------------- */

const char *sim_fate_name(enum sim_fate fate)
{
	static const char *const names[] = {"open",   "closed",	  "left",  "aborted",
					    "failed", "vanished", "orphan"};

	return names[fate];
}

static uint64_t draw_size(struct sim *sim)
{
	uint64_t max = sim->plan.stream_bytes_max;

	switch (test_random_below(&sim->random, 4)) {
	case 0:
		return HEADER;
	case 1:
		return HEADER + test_random_below(&sim->random, 3000);
	default:
		return HEADER + test_random_below(&sim->random, max);
	}
}

static void draw_options(struct sim_end *end)
{
	struct sim *sim = end->sim;
	int one = 1, size = 2048 << test_random_below(&sim->random, 8);

	if (test_random_one_in(&sim->random, 3))
		haven_setsockopt(end->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (test_random_one_in(&sim->random, 6))
		haven_setsockopt(end->socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (test_random_one_in(&sim->random, 6))
		haven_setsockopt(end->socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (test_random_one_in(&sim->random, 6))
		haven_setsockopt(end->socket, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	if (test_random_one_in(&sim->random, 6))
		haven_setsockopt(end->socket, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

static size_t sink(void *user, const uint8_t *data, size_t size);

struct sim_end *sim_end_new(struct sim *sim, unsigned host, struct haven_socket *socket,
			    struct sim_flow *flow)
{
	struct test_random *random = &sim->random;
	struct sim_end *end;

	if (sim->end_count == SIM_ENDS_MAX)
		sim_fail(sim, "more connections than were ever opened");
	end = &sim->ends[sim->end_count++];
	*end = (struct sim_end){
		.sim = sim,
		.host = host,
		.socket = socket,
		.flow = flow,
		.id = test_random64(random),
		.to_send = draw_size(sim),
		.read_max = 1 + (uint32_t)test_random_below(random, CHUNK_MAX),
		.write_max = 1 + (uint32_t)test_random_below(random, CHUNK_MAX),
		.zero_copy = test_random_one_in(random, 2),
		.sink = test_random_one_in(random, 4),
		.trigger = test_random_below(random, sim->plan.stream_bytes_max),
		.wake_ns = SIM_NEVER,
		.progress_ns = sim->now_ns,
	};
	if (test_random_one_in(random, 5))
		end->read_max = 1 + (uint32_t)test_random_below(random, 200);
	if (test_random_one_in(random, 5))
		end->write_max = 1 + (uint32_t)test_random_below(random, 200);
	if (test_random_one_in(random, 3)) {
		end->stall_one_in = 2 + (uint32_t)test_random_below(random, 50);
		end->stall_max_ns = (sim->plan.rude ? 60 * SIM_SECOND : SIM_SECOND / 10);
	}
	if (test_random_one_in(random, 12)) { /* stops for minutes, and its window closes */
		end->sleeper = true;
		end->stall_one_in = 2 + (uint32_t)test_random_below(random, 20);
		end->stall_max_ns = 10 * SIM_MINUTE;
	}
	if (sim->plan.rude && test_random_one_in(random, 2))
		end->manner = (enum sim_manner)test_random_below(random, 5);
	haven_socket_set_user(socket, end);
	draw_options(end);
	sim_calls_begin(end);
	if (end->sink)
		haven_socket_set_sink(socket, sink, end);
	return end;
}

static void progress(struct sim_end *end)
{
	end->progress_ns = end->sim->progress_ns = end->sim->now_ns;
}

void sim_end_give_up(struct sim_end *end, enum sim_fate fate)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	struct haven_socket *socket = end->socket;

	sim_trace(end->sim, "end %u is %s: sent %lu of %lu, received %lu, error %d",
		  (unsigned)(end - end->sim->ends), sim_fate_name(fate),
		  (unsigned long)end->sent, (unsigned long)end->to_send,
		  (unsigned long)end->received, end->error);
	end->fate = fate;
	end->socket = NULL;
	progress(end);
	haven_socket_set_user(socket, NULL);
	if (fate == SIM_ABORTED && end->manner == SIM_LINGERS_ZERO) {
		haven_setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		haven_close(socket);
	} else if (fate == SIM_ABORTED || fate == SIM_ORPHAN) {
		haven_abort(socket);
	} else {
		haven_close(socket);
	}
}

static void failed(struct sim_end *end, int error)
{
	if (error == -ENOTCONN || error == -EPIPE) {
		/* The connection ended meanwhile: why, SO_ERROR says. */
		socklen_t length = sizeof(int);
		int reason = 0;

		haven_getsockopt(end->socket, SOL_SOCKET, SO_ERROR, &reason, &length);
		error = reason ? -reason : error;
	}
	end->error = -error;
	sim_check_error(end);
	sim_end_give_up(end, SIM_FAILED);
}

/* --- receiving ------------------------------------------------------------------------------ */

static void identify(struct sim_end *end)
{
	struct sim *sim = end->sim;
	uint64_t id = get64(end->header);

	if ((id ^ get64(end->header + 8)) != HEADER_MASK)
		sim_fail(sim, "stream begins with rubbish");
	for (unsigned i = 0; i < sim->end_count; i++) {
		if (sim->ends[i].id == id)
			end->peer = &sim->ends[i];
	}
	if (!end->peer)
		sim_fail(sim, "stream of nobody");
	if (end->peer->peer && end->peer->peer != end) {
		/* A SYN with data that came twice is a second request (RFC 7413 section 2.1). */
		if (end->flow || !sim->plan.host[end->host].fast_open)
			sim_fail(sim, "one stream arrives at two ends");
		end->deaf = true;
	}
	if (!end->flow == !end->peer->flow &&
	    (!end->flow || end->flow->kind != SIM_FLOW_CROSSING))
		sim_fail(sim, "two clients or two servers talk to each other");
}

/* Every byte that arrives passes here. */
static void take(struct sim_end *end, const uint8_t *data, size_t size)
{
	uint8_t expected[4096];

	if (end->deaf || (end->manner == SIM_STOPS_READING && end->fate == SIM_LEFT))
		return;
	while (size > 0 && end->received < HEADER) {
		end->header[end->received++] = *data++;
		size--;
		if (end->received == HEADER)
			identify(end);
	}
	while (size > 0) {
		size_t part = size < sizeof(expected) ? size : sizeof(expected);

		pattern(end->peer->id, end->received, expected, part);
		if (memcmp(data, expected, part) != 0)
			sim_fail(end->sim, "wrong bytes after %lu",
				 (unsigned long)end->received);
		end->received += part;
		end->sim->bytes += part;
		data += part;
		size -= part;
	}
	if (end->peer && end->received > end->peer->sent)
		sim_fail(end->sim, "received %lu bytes, only %lu were sent",
			 (unsigned long)end->received, (unsigned long)end->peer->sent);
	progress(end);
}

static size_t sink(void *user, const uint8_t *data, size_t size)
{
	struct sim_end *end = user;

	if (test_random_one_in(&end->sim->random, 3))
		size = test_random_below(&end->sim->random, size + 1);
	take(end, data, size);
	return size;
}

static bool stall(struct sim_end *end)
{
	struct test_random *random = &end->sim->random;

	if (!end->stall_one_in || !test_random_one_in(random, end->stall_one_in))
		return false;
	if (end->stalls++ >= (end->sleeper ? SLEEPS_MAX : STALLS_MAX))
		return false;
	end->wake_ns = end->sim->now_ns + 1 + test_random_below(random, end->stall_max_ns);
	return true;
}

static ssize_t receive_some(struct sim_end *end)
{
	static uint8_t buffer[CHUNK_MAX];
	struct iovec slices[2];
	size_t size;
	ssize_t got;

	if (end->zero_copy && (size = haven_recv_peek(end->socket, slices)) > 0) {
		if (size != slices[0].iov_len + slices[1].iov_len)
			sim_fail(end->sim, "haven_recv_peek and its slices differ");
		size = slices[0].iov_len < end->read_max ? slices[0].iov_len : end->read_max;
		take(end, slices[0].iov_base, size);
		haven_recv_consume(end->socket, size);
		return (ssize_t)size;
	}
	if (test_random_one_in(&end->sim->random, 10)) {
		/* What is only looked at is there again. */
		uint8_t first[64], again[64];
		ssize_t a = haven_recv(end->socket, first, sizeof(first), MSG_PEEK);
		ssize_t b = haven_recv(end->socket, again, sizeof(again), MSG_PEEK);

		if (a > 0 && (a != b || memcmp(first, again, (size_t)a) != 0))
			sim_fail(end->sim, "MSG_PEEK gave %zd, then %zd", a, b);
		if (a < 0 && a != -EAGAIN)
			return a;
	}
	got = haven_recv(end->socket, buffer, end->read_max, 0);
	if (got > 0)
		take(end, buffer, (size_t)got);
	return got;
}

/* False: the end is over. */
static bool receive(struct sim_end *end)
{
	while (!end->eof && end->wake_ns == SIM_NEVER) {
		ssize_t got = receive_some(end);

		if (got == -EAGAIN)
			return true;
		if (got < 0) {
			failed(end, (int)got);
			return false;
		}
		if (got == 0) {
			end->eof = true;
			progress(end);
			if (!end->deaf)
				sim_check_eof(end);
			return true;
		}
		if (stall(end))
			return true;
	}
	return true;
}

/* --- sending --------------------------------------------------------------------------------- */

static ssize_t send_reserved(struct sim_end *end, size_t size)
{
	struct iovec slices[2];
	ssize_t room = haven_send_reserve(end->socket, size, slices);
	size_t first;

	if (room <= 0)
		return room == 0 ? -EAGAIN : room;
	if ((size_t)room > size || (size_t)room != slices[0].iov_len + slices[1].iov_len)
		sim_fail(end->sim, "haven_send_reserve gave %zd of %zu", room, size);
	pattern(end->id, end->sent, slices[0].iov_base, slices[0].iov_len);
	pattern(end->id, end->sent + slices[0].iov_len, slices[1].iov_base, slices[1].iov_len);
	/* Sometimes not all of it. */
	first = test_random_one_in(&end->sim->random, 4)
			? 1 + test_random_below(&end->sim->random, (size_t)room)
			: (size_t)room;
	haven_send_commit(end->socket, first, end->sent + first < end->to_send);
	return (ssize_t)first;
}

static ssize_t send_some(struct sim_end *end)
{
	static uint8_t buffer[CHUNK_MAX];
	uint64_t left = end->to_send - end->sent;
	size_t size = left < end->write_max ? left : end->write_max;

	if (end->zero_copy)
		return send_reserved(end, size);
	pattern(end->id, end->sent, buffer, size);
	if (test_random_one_in(&end->sim->random, 8)) {
		struct iovec parts[2] = {{buffer, size / 3},
					 {buffer + size / 3, size - size / 3}};

		return haven_writev(end->socket, parts, 2);
	}
	return haven_send(end->socket, buffer, size,
			  (size < left ? MSG_MORE : 0) | sim_calls_send_flags(end));
}

static bool finish_sending(struct sim_end *end)
{
	int error = haven_shutdown(end->socket, SHUT_WR);

	if (error == -ENOMEM || error == -ENOBUFS) {
		end->wake_ns = end->sim->now_ns + SIM_SECOND;
		return true;
	}
	if (error < 0) {
		failed(end, error);
		return false;
	}
	end->shut = true;
	progress(end);
	return true;
}

/* False: the end is over. */
static bool send_all(struct sim_end *end)
{
	while (end->sent < end->to_send && end->wake_ns == SIM_NEVER) {
		ssize_t sent = send_some(end);

		if (sent == -ENOMEM || sent == -ENOBUFS ||
		    (sent == -EAGAIN && end->sim->plan.trouble)) {
			/* Memory comes back without a word. */
			if (end->wake_ns == SIM_NEVER)
				end->wake_ns = end->sim->now_ns + SIM_SECOND;
			return true;
		}
		if (sent == -EAGAIN)
			return true;
		if (sent <= 0) {
			failed(end, sent == 0 ? -EPROTO : (int)sent);
			return false;
		}
		end->sent += (uint64_t)sent;
		progress(end);
		if (stall(end))
			return true;
	}
	/* What goes with a SYN can be sent before there is a connection, its end cannot. */
	if (end->sent == end->to_send && !end->shut && (end->connected || !end->fast))
		return finish_sending(end);
	return true;
}

/* --- what it does when it may ------------------------------------------------------------------ */

/* Ill-mannered ends leave in the middle. True: it has left. */
static bool leave(struct sim_end *end)
{
	if (end->manner == SIM_POLITE || end->sent + end->received < end->trigger)
		return false;
	switch (end->manner) {
	case SIM_ABORTS:
	case SIM_LINGERS_ZERO:
		sim_end_give_up(end, SIM_ABORTED);
		break;
	case SIM_STOPS_READING:
		haven_shutdown(end->socket, SHUT_RD);
		sim_end_give_up(end, SIM_LEFT);
		break;
	default:
		sim_end_give_up(end, SIM_LEFT);
		break;
	}
	return true;
}

static void note_events(struct sim_end *end)
{
	unsigned events = haven_socket_events(end->socket);

	if (events & HAVEN_EVENT_CONNECTED && !end->connected) {
		end->connected = true;
		progress(end);
	}
	if (events & HAVEN_EVENT_SENT && end->shut && !end->acknowledged) {
		end->acknowledged = true;
		progress(end);
	}
}

static bool still_connecting(struct sim_end *end)
{
	unsigned events = haven_socket_events(end->socket);

	return !end->connected && !end->fast &&
	       !(events & (HAVEN_EVENT_ERROR | HAVEN_EVENT_HANGUP));
}

void sim_end_run(struct sim_end *end)
{
	if (end->fate != SIM_OPEN)
		return;
	note_events(end);
	if (!sim_calls_run(end))
		return;
	sim_check_acknowledged(end);
	if (still_connecting(end) || end->wake_ns != SIM_NEVER)
		return;
	if (leave(end))
		return;
	/* Before the first byte of a fast open there is no connection to receive from. */
	if (end->fast && end->sent == 0 && !send_all(end))
		return;
	if (end->fast && end->sent == 0)
		return;
	if (!receive(end) || !send_all(end))
		return;
	if (leave(end))
		return;
	if (end->eof && end->shut)
		sim_end_give_up(end, end->deaf ? SIM_LEFT : SIM_CLOSED);
}
